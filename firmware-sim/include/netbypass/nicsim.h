/* nicsim.h - a simulated NIC in the test's own process, in stepped time: nothing happens in it until the test says so.
 *
 * A test program is linked with libnicsim.so before DPDK's libraries (cc test.c -lnicsim $(pkg-config --libs libdpdk)),
 * makes the NIC, starts DPDK as always, and has an ordinary port under its ordinary driver:
 *
 *     nic = nb_nicsim_new(&config, why);        rte_eal_init(...);  configure and start port 0
 *     nb_nicsim_begin(nic, seed);
 *     v = nb_nicsim_inject(nic, frame, n);      filters looked up, queue chosen: v.queue; not in memory yet
 *     rte_eth_rx_burst(0, v.queue, ...) == 0
 *     nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, v.queue, 1);
 *     rte_eth_rx_burst(0, v.queue, ...) == 1
 *
 * Between classification and memory lies one stage for each queue, because real silicon takes time there: a filter that
 * is added or removed meanwhile changes later frames, not those in flight. Filter commands are an event of their own:
 * the driver sees them busy until they are stepped, and gives up after a while, as drivers do. A driver waits for a
 * command within its own call, so a test steps meanwhile from a callback, nb_nicsim_when_busy(). On a queue that
 * coalesces (LRO), a written TCP segment is held until what it is part of ends: by another segment, or by a step.
 *
 * One probed port serves many runs. A run begins with nb_nicsim_begin(seed): what was in flight is gone, counters are
 * zero, the random choices of nb_nicsim_step_any() start over. Two runs with one seed and the same calls give the same
 * frames, descriptors, decisions and counters. What the driver has programmed stays; undoing it is the test's affair.
 *
 * One NIC in a process. Calls are for one thread at a time, which may be another than the driver's.
 */
#ifndef NETBYPASS_NICSIM_H
#define NETBYPASS_NICSIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NB_NICSIM_WHY_MAX 512 /* bytes of an explanation */

struct nb_nicsim;

struct nb_nicsim_config {
    const char *model; /* "82599" */
    unsigned queues;   /* receive and transmit queue pairs, 1 to 128 */
    uint8_t mac[6];
};

/* What waits inside the NIC to happen. */
enum nb_nicsim_event {
    NB_NICSIM_RX_WRITE, /* a classified frame is written to its queue's ring */
    NB_NICSIM_FILTER,   /* a filter command is done */
    NB_NICSIM_TX,       /* a frame of a transmit ring is sent; nb_nicsim_take() gives it */
    NB_NICSIM_RSC,      /* a large receive being coalesced ends and is handed to the driver */
    NB_NICSIM_WIRE,     /* the next frame of the capture that is plugged in comes and is classified */
    NB_NICSIM_EVENTS,
};

/* Where a frame goes and why. */
struct nb_nicsim_verdict {
    int queue;         /* -1: dropped */
    const char *table; /* "flow-director", "5-tuple", "rss", "default", "none", ... */
    int rule;          /* index in that table (soft id for flow director), -1: none */
    uint32_t hash;     /* RSS hash, 0: none applied */
    const char *drop;  /* why it was dropped, else NULL */
};

/* Make the NIC, before rte_eal_init. NULL with words in why; once per process. It goes when the process ends. */
struct nb_nicsim *nb_nicsim_new(const struct nb_nicsim_config *config, char why[NB_NICSIM_WHY_MAX]);

/* Begin a run. Frames in flight are dropped, a busy filter command is done, frames on transmit rings are sent and
 * forgotten, and so are those not taken; counters are zero, those in registers too. What was being coalesced ends and
 * lies in its ring, which is the driver's. */
void nb_nicsim_begin(struct nb_nicsim *nic, uint64_t seed);

/* Plug in a capture: "pcap:IN[,OUT]", as in nicsim(1). Its frames come one by one, when NB_NICSIM_WIRE is stepped;
 * their times do not matter. What the NIC sends is written to OUT, besides being there to be taken. "none": unplug,
 * which completes OUT. 0 or -errno with words in why. */
int nb_nicsim_plug(struct nb_nicsim *nic, const char *wire, char why[NB_NICSIM_WHY_MAX]);

/* A frame (14 bytes to 15.5 KiB, without FCS) comes from the wire and is classified. The bytes are copied. */
struct nb_nicsim_verdict nb_nicsim_inject(struct nb_nicsim *nic, const void *frame, size_t n);

/* How many of an event wait: of one queue, or of all (-1). NB_NICSIM_TX counts queues whose doorbell rang. */
unsigned nb_nicsim_pending(struct nb_nicsim *nic, enum nb_nicsim_event event, int queue);

/* Have up to max of an event happen; queue as above (NB_NICSIM_TX goes by the NIC's own round). Returns how many did:
 * fewer when fewer wait, or when received frames find no descriptors. */
unsigned nb_nicsim_step(struct nb_nicsim *nic, enum nb_nicsim_event event, int queue, unsigned max);

/* Have one event happen, drawn by the seed from the queues and kinds that wait. False: nothing could. */
bool nb_nicsim_step_any(struct nb_nicsim *nic);

/* The next frame the driver has sent and the test has not taken, cut to room bytes. Its length, 0: there is none. */
size_t nb_nicsim_take(struct nb_nicsim *nic, void *frame, size_t room);

/* Call on_busy(arg) each time the driver reads that its filter command is still busy. It runs within the driver's call,
 * may use this interface, and must not touch the port. NULL: nobody (the driver then runs into its own limit). */
void nb_nicsim_when_busy(struct nb_nicsim *nic, void (*on_busy)(void *arg), void *arg);

/* Line by line a table as the NIC holds it: "flow-director", "5-tuple", "reta", "rsc", "drops". 0 or -ENOENT. */
int nb_nicsim_table(struct nb_nicsim *nic, const char *table, void (*line)(void *arg, const char *text), void *arg);

/* A register by the datasheet's name, "RDT[3]": read as the driver would (reading may clear it), or written behind its
 * back. 0 or -ENOENT, -ERANGE. */
int nb_nicsim_read(struct nb_nicsim *nic, const char *name, uint32_t *value);
int nb_nicsim_write(struct nb_nicsim *nic, const char *name, uint32_t value);

/* Any command of `nicsim ctl`, "link down", "stats": its answer, "ok\n" and lines, or "error: why\n". To be freed.
 * NULL: no memory, or a command that would have to wait. */
char *nb_nicsim_command(struct nb_nicsim *nic, const char *line);

#endif
