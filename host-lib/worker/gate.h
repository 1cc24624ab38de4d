/* gate.h - keep a flow's segments in order while the way they come changes.
 *
 * Theory of operation. At any time a flow's segments come to its owner over one path: over the ring of another worker,
 * or from the wire at the owner's own queue (which counts as the ring of the owner itself). When the path changes, the
 * last segments of the old one may still be under way while the first of the new one arrive. A gate is a list of paths
 * in the order in which they were used, and a position in it:
 *
 *     path[0]      path[1]         path[2]
 *     worker 3     worker 0        own queue
 *       ^ at         parked          parked
 *
 * Segments over the path at the position, or an earlier one, pass. Those over a later one are parked. A fence, a letter
 * over the path that was sent behind its last segment, moves the position on by one, and what was parked for that stage
 * is handed on in the order in which it came. With the position at the last path there is nothing left to do.
 *
 * Parks are bounded in segments and in time. At either bound everything is handed on as if all fences had come, and the
 * gate stays a little longer to count what comes too late: such a segment is still delivered, and counted as reordered.
 *
 * The other direction: a gate may hold back what its flow sends until a given time, when the transmit queue of the
 * flow's former owner has surely been sent.
 */
#ifndef NB_WORKER_GATE_H
#define NB_WORKER_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

struct nb_arrival;
struct nb_worker;
struct rte_mbuf;

#define NB_GATES        512   /* flows of a worker whose path changes at the same time */
#define NB_GATE_PATHS   4     /* old owner, home, new rule, and one to spare; a fifth path waits for a free one */
#define NB_GATE_PARKED  1024  /* segments parked by a worker: two rings full */
#define NB_GATE_HELD    64    /* packets of one flow held back: without room to send, there are only answers */
#define NB_GATE_US      20000 /* how long a fence is waited for: ten sleeps of an idle worker */
#define NB_GATE_LATE_US 50000 /* how long late segments are counted after a gate was forced open */
#define NB_GATE_NONE    UINT32_MAX
#define NB_GATE_ANY     UINT16_MAX /* a path: over any worker but those named later */
#define NB_GATE_SLOW_US 1000000    /* a NIC may take so long to change a rule */

struct nb_gate {
    struct nb_flow_key key;
    uint32_t hash, next; /* in the worker's flow table's terms; index in a chain */
    bool used, active;   /* active: the flow is ours; before that, only its home's segments are parked */
    bool forced;         /* a bound was reached */
    bool strict;         /* fences are of receive queues: what comes after one is late */
    bool holding;
    uint8_t at, n;
    uint16_t path[NB_GATE_PATHS];
    uint64_t awaited[NB_GATE_PATHS];                   /* workers whose fence ends the path, one bit each */
    uint32_t head[NB_GATE_PATHS], tail[NB_GATE_PATHS]; /* parked segments */
    uint64_t until_us, hold_until_us;
    unsigned n_held;
    struct rte_mbuf *held[NB_GATE_HELD];
    struct nb_move_report report; /* counts, and for the ticket */
    struct nb_move_ticket *ticket;
};

struct nb_gates;

struct nb_gates *nb_gates_new(void);
void nb_gates_free(struct nb_gates *gates);

/* A gate whose first path is the one in use. NULL: there are as many as there can be, or the flow has one. */
struct nb_gate *nb__gate_open(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path);
struct nb_gate *nb__gate_of(struct nb_worker *w, const struct nb_flow_key *key);

/* The NIC is about to bring a flow of ours over this path. 0; -EAGAIN: it has a gate, ask again; -ENOBUFS. */
int nb__gate_open_way(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path);

/* The flow will come over this path when the fences of all others have. False: no room for another path. */
bool nb__gate_push(struct nb_gate *gate, uint16_t path);

/* The workers whose fences end the first path; none: it has ended. */
void nb__gate_await(struct nb_gate *gate, uint64_t workers);

/* Hold back what the flow sends. */
void nb__gate_hold(struct nb_worker *w, struct nb_gate *gate, uint64_t until_us);

/* The former owner's transmit queue is empty by then at last. */
void nb__gate_drained(struct nb_worker *w, const struct nb_flow_key *key, uint64_t by_us);

/* A segment arrived: true when it was parked. */
bool nb__gate_parks(struct nb_worker *w, const struct nb_arrival *a);

/* A packet of a flow is about to leave: true when it is held back. And may the flow send data? */
bool nb__gate_holds(struct nb_worker *w, const struct nb_flow_key *key, struct rte_mbuf *packet);
bool nb__gate_closed_for(struct nb_worker *w, const struct nb_flow_key *key);

/* A fence came over this path. */
void nb__gate_fence(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path, uint32_t lost);

/* The gate has become active: done already? */
void nb__gate_look(struct nb_worker *w, struct nb_gate *gate);

/* Forget a gate that was opened in vain; open all, the worker ends. */
void nb__gate_drop(struct nb_worker *w, struct nb_gate *gate);
void nb__gates_stop(struct nb_worker *w);

/* What is due; when the next is. */
void nb__gates_tend(struct nb_worker *w);
uint64_t nb__gates_next_us(const struct nb_worker *w);

#endif
