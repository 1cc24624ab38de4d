/* net.h - one worker's network layer: Ethernet frames in, IPv4 packets out.
 *
 * Theory of operation. Every worker has an nb_net of its own: the addresses of all ports, and private copies of the
 * neighbours. A frame comes in through nb_net_input, which answers ARP and ping by itself and hands TCP back to the
 * caller. A packet goes out through nb_net_output, which finds the next hop and its MAC address and gives a finished
 * frame to env->transmit.
 *
 * One worker, the speaker, speaks ARP for all (DESIGN §4: without an exception interface that is worker 0). The others
 * put their questions to it (env->ask_speaker), and hear what it found (nb_net_told); ARP frames that reach them go
 * there too (env->to_speaker). Time comes in as an argument.
 */
#ifndef NB_NET_NET_H
#define NB_NET_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/counters.h>
#include <netbypass/flow.h>

#include "../wire/ethernet.h"
#include "route.h"

struct nb_neighbours;
struct rte_mbuf;
struct rte_mempool;

#define NB_NET_PORTS_MAX 8

struct nb_net_port {
    struct nb_route route; /* route.address is ours */
    uint8_t mac[NB_MAC_BYTES];
    uint16_t mtu_bytes;
    bool trust_rx_checksum; /* believe the port's word about received checksums */
};

struct nb_net_env {
    void *arg;
    /* A finished frame for a port. Takes it. */
    void (*transmit)(void *arg, unsigned port, struct rte_mbuf *frame);
    /* Not the speaker: ask it for a neighbour; give it an ARP frame. The latter takes the frame. */
    void (*ask_speaker)(void *arg, unsigned port, uint32_t address);
    void (*to_speaker)(void *arg, unsigned port, struct rte_mbuf *frame);
    /* The speaker: tell the other workers about a neighbour; mac NULL: it does not answer. */
    void (*tell)(void *arg, unsigned port, uint32_t address, const uint8_t *mac);
};

struct nb_net {
    struct nb_net_port port[NB_NET_PORTS_MAX];
    unsigned n_ports;
    bool speaker;
    struct rte_mempool *mempool;
    uint64_t *counters; /* one per enum nb_counter */
    struct nb_net_env env;
    struct nb_neighbours *neighbours;
};

/* The caller has filled everything but neighbours. False when memory is short. */
bool nb_net_init(struct nb_net *net, uint32_t secret);
void nb_net_fini(struct nb_net *net);

/* What a frame turned out to be. */
enum nb_net_verdict {
    NB_NET_DONE, /* answered, kept or dropped and counted: the frame is no longer the caller's */
    NB_NET_TCP,  /* a whole TCP segment to one of our addresses: the caller goes on with it */
};

struct nb_net_segment {
    uint32_t src, dst; /* network order; dst is ours */
    uint16_t l4_offset;
    uint32_t l4_bytes; /* the packet ends with them: padding has been cut off */
};

/* A frame arrives. trusted: another worker has verified its checksums. */
enum nb_net_verdict nb_net_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, bool trusted,
                                 struct nb_net_segment *segment, uint64_t now_us);

/* Send an IPv4 packet that begins with its header from route.address of the port. *path is a cache for the caller to
 * keep per destination, UINT32_MAX at first. Takes the packet. */
void nb_net_output(struct nb_net *net, unsigned port, uint32_t destination, uint32_t *path, struct rte_mbuf *packet,
                   uint64_t now_us);

/* Where a new connection to key->remote leaves: fills key->local unless it is given, and returns the port. -ENETUNREACH;
 * -EADDRNOTAVAIL: key->local is no address of ours. IPv4. */
int nb_net_source(const struct nb_net *net, struct nb_flow_key *key);

/* Must the checksum at L4 be verified in software? */
bool nb_net_verify_l4(const struct nb_net_port *port, const struct rte_mbuf *m, bool trusted);

/* The speaker: another worker asks for a neighbour. The others: what the speaker found out (mac NULL: no answer). */
void nb_net_asked(struct nb_net *net, unsigned port, uint32_t address, uint64_t now_us);
void nb_net_told(struct nb_net *net, unsigned port, uint32_t address, const uint8_t *mac, uint64_t now_us);

/* Time passes; when it next matters. */
void nb_net_advance(struct nb_net *net, uint64_t now_us);
uint64_t nb_net_next_us(const struct nb_net *net);

/* --- inside the room ---------------------------------------------------------------------------------------------- */

/* Free the packet and count why. */
void nb__net_drop(struct nb_net *net, struct rte_mbuf *m, enum nb_counter reason);

/* Put the Ethernet header before an IPv4 packet and hand it out. Takes the packet. */
void nb__net_send(struct nb_net *net, unsigned port, const uint8_t mac[NB_MAC_BYTES], struct rte_mbuf *packet);

/* Each takes the frame or message. */
void nb__arp_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, uint64_t now_us);
void nb__arp_ask(struct nb_net *net, unsigned port, uint32_t address, const uint8_t *mac);
void nb__icmp_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, const struct nb_net_segment *message,
                    uint64_t now_us);

#endif
