/* sim.h - one simulated NIC: a model with what surrounds it (lock, DMA, interrupt line, trace, counters, outbox).
 *
 * These are stepping primitives: nothing here has a thread, reads a wire or waits. The real-time engine (engine.h)
 * calls them in a loop; a test may call them one at a time and decide what happens between a frame's classification
 * and its write to memory.
 *
 * Locking: one lock, taken by whoever calls in: the engine, the control socket, and the thread whose register access
 * was trapped. It is a plain futex mutex: a waiter sleeps, and so a holder that lost its CPU costs nobody a time slice.
 * It may be taken in the SIGSEGV handler, because the fault is the driver's own load or store, never one inside these
 * functions. Calls marked "locked" want it held.
 *
 * The cable's faults and what else an engine uses outside the lock belong to its thread. Another thread that wants to
 * change them visits (sim_visit): its function runs in the engine's thread between two rounds.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "capture.h"
#include "device.h"
#include "dma.h"
#include "error.h"
#include "fault.h"
#include "mmio.h"
#include "trace.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* Longest frame the simulator carries, without FCS: the 82599's jumbo limit (15.5 KiB) fits. */
#define SIM_FRAME_MAX 16384

/* Frames that the model may send within one tx_poll; the engine asks for no more. */
#define SIM_TX_BURST 32

/* Different reasons for which a model drops frames; more than any model has. */
#define SIM_DROP_REASONS 24

struct sim_counters {
    uint64_t rx_frames, rx_bytes; /* from the wire or injected */
    uint64_t rx_dropped;          /* of these, not given to a queue; by reason below */
    uint64_t rx_wire_lost; /* lost before the card had them: too long, or no room in the kernel; not in rx_frames */
    uint64_t tx_frames, tx_bytes; /* sent by the driver */
    uint64_t tx_refused;          /* of these, not taken by the wire */
    uint64_t tx_oversize;         /* frames longer than SIM_FRAME_MAX, gone */
    uint64_t interrupts;
    uint64_t register_reads, register_writes;
    uint64_t single_steps; /* register accesses by instructions that had to be stepped */
    uint64_t wakeups;      /* of the engine, out of its sleep */
    uint64_t resets;       /* of the device, unasked (a fault) */
};

struct sim_drop {
    const char *reason; /* the model's string */
    uint64_t frames;
};

/* Frames on their way from the model to the wire, copied so that the wire is written to without the lock. */
struct sim_outbox {
    unsigned n;
    struct {
        uint32_t length;
        unsigned queue;
        uint8_t bytes[SIM_FRAME_MAX];
    } frame[SIM_TX_BURST];
};

/* What somebody at the control socket may wait for. */
enum sim_await { SIM_AWAIT_START, SIM_AWAIT_PLAYED };

/* What another thread wants done in an engine's thread. */
struct sim_visit {
    void (*run)(void *arg);
    void *arg;
    sem_t done;
};

struct sim {
    pthread_mutex_t lock;
    const struct sim_device_ops *ops;
    struct sim_device_config config;
    struct sim_device *dev;
    bool link_up;
    struct sim_dma *dma; /* NULL until the program has memory: every address is a fault */
    int interrupt_fd;    /* what the driver polls; -1: nobody listens */
    struct sim_trace trace;
    struct sim_counters count;
    struct sim_drop drops[SIM_DROP_REASONS];
    struct sim_outbox out;
    bool tx_ready;      /* a transmit doorbell rang since the last sim_tx_poll */
    bool start_awaited; /* somebody waits for the driver to enable the receiver */
    bool played;        /* the wire is a capture, and all of it is in memory */
    bool engine_asleep;
    int wake_fd; /* eventfd the sleeping engine polls; -1: no engine */
    _Atomic(struct sim_visit *) visit;
    struct sim *next_port;  /* of the same program; set before its engine starts */
    struct sim *first_port; /* whose engine serves the control socket; itself, for the first */
    unsigned port;          /* counted from 0 */
    const char *name;       /* in captures: the wire's; the model's when it has none */
    struct sim_captures captures;
    struct sim_conduct conduct;
    struct sim_fault fault; /* of the cable; the engine's */
    uint64_t steps;         /* stepped time: what the clock shows */
    /* Stepped time: the driver has read that a command is busy. Called with the lock held, in the register trap. */
    void (*on_busy)(void *arg);
    void *on_busy_arg;
};

/* A model in reset state. ops and config as in device.h. 0 or -errno with words. */
int sim_init(struct sim *s, const struct sim_device_ops *ops, const struct sim_device_config *config,
             struct sim_error *err);
void sim_fini(struct sim *s);

void sim_lock(struct sim *s);
void sim_unlock(struct sim *s); /* also wakes a sleeping engine that has got something to do */

/* Locked. A frame from the wire: padded to Ethernet's 60 bytes, classified, traced, counted. */
struct sim_verdict sim_rx_classify(struct sim *s, const void *frame, size_t n, uint64_t now_ns);

/* Locked. Bring classified frames to memory; -1: all queues. Frames moved. */
unsigned sim_rx_write(struct sim *s, int queue, unsigned max);

/* Locked. Let the model send at most max (<= SIM_TX_BURST) frames into the outbox; frames sent. Empty it first. */
unsigned sim_tx_poll(struct sim *s, unsigned max, uint64_t now_ns);

/* Locked. Plug the cable in or out. */
void sim_set_link(struct sim *s, bool up);

/* What traps registers of s: give it to sim_mmio_attach. */
struct sim_mmio_target sim_mmio_target(struct sim *s);

/* Locked. "RDT[3]" for an offset, written into text; "0x12345" when the model has no row for it. */
const char *sim_register_name(struct sim *s, uint32_t offset, char *text, size_t n);

/* Offset for "RDT[3]" or "CTRL"; -ENOENT or -ERANGE with words. */
int sim_register_find(const struct sim *s, const char *name, uint32_t *offset, struct sim_error *err);

/* Locked. Has it come to that? */
bool sim_has_come_to(const struct sim *s, enum sim_await what);

/* Locked. When the device has something to do by itself; UINT64_MAX: never. */
uint64_t sim_due_ns(struct sim *s);

/* Locked. Pending work that the engine must not sleep on. */
bool sim_has_work(const struct sim *s);

/* Not locked. Have run(arg) called where the engine's own data is at rest: by its thread between two rounds, or here
 * when there is no engine or this is its thread. Returns when it is done. One visitor at a time. */
void sim_visit(struct sim *s, void (*run)(void *arg), void *arg);

/* The engine's thread: once at its start, and between rounds. */
void sim_at_home(struct sim *s);
void sim_receive_visit(struct sim *s);

uint64_t sim_now_ns(void); /* CLOCK_MONOTONIC */

/* For captures: nanoseconds since 1970, or in stepped time the number of steps so far. */
uint64_t sim_realtime_ns(const struct sim *s);

/* Locked. The NIC's own time: that, or in stepped time the number of steps so far. */
uint64_t sim_clock(const struct sim *s);

#endif
