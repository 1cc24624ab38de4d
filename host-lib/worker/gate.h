/* gate.h - keep a flow's segments in order while the way they come changes.
 *
 * Theory of operation. At any time a flow's segments reach its owner by one way: they arrive at one queue, and from the
 * worker of that queue go over the rings of a chain of workers. When the way changes, the last segments of the old one
 * may still be under way while the first of the new one arrive. A gate is a list of paths in the order in which they
 * are used, and a position in it. Segments over the path at the position, or an earlier one, pass. Those over a later
 * one are parked. A fence, a letter by the old way that was sent behind its last segment, moves the position on by one,
 * and what was parked for that stage is handed on in the order in which it came. With the position at the last path
 * there is nothing left to do. Ways change for two reasons.
 *
 * The flow has moved; its segments arrive where they did. A path is the worker that sent the segment to us:
 *
 *     path[0]              path[1]                path[2]
 *     the former owner     any other, the wire    the flow's home
 *
 *   Every chain ended at the former owner, so what was under way when the flow left comes from there. Where we had been
 *   its owner once and sent its segments on, some of those are such, too, and what arrives now must wait for them: our
 *   own fence follows them round. Only when it has come back does the home, if it is a third worker, hear of us: it
 *   sends its fence by its old way, and then its segments straight to us. One change at a time, for a chain in which
 * two workers change their minds at once has no order that anybody could restore.
 *
 * The NIC sends it to another queue. A path is the queue where the segment arrived (strict):
 *
 *     path[0]        path[1]
 *     any queue      the new one
 *
 *   The fences are those of all other queues (fence.h).
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

#include <rte_common.h>

#include <netbypass/runtime.h>

#include "park.h"

struct nb_arrival;
struct nb_worker;
struct rte_mbuf;

#define NB_GATES        512 /* flows of a worker whose path changes at the same time */
#define NB_GATE_PATHS   3
#define NB_GATE_HELD    64    /* packets of one flow held back: without room to send, there are only answers */
#define NB_GATE_US      20000 /* how long a fence is waited for: ten sleeps of an idle worker */
#define NB_GATE_LATE_US 50000 /* how long late segments are counted after a gate was forced open */
#define NB_GATE_NONE    UINT32_MAX
#define NB_GATE_ANY     UINT16_MAX /* a path: any but those named */
#define NB_GATE_SLOW_US 1000000    /* a NIC may take so long to change a rule */

struct nb_gate {
    struct nb_flow_key key;
    uint32_t hash, next; /* in the worker's flow table's terms; index in a chain */
    bool used, active;   /* active: the flow is ours */
    bool forced;         /* a bound was reached */
    bool strict;         /* paths are queues, and fences theirs: what comes after one is late */
    bool home_owed;      /* the home must hear of us, from path[1] on */
    bool holding;
    uint8_t at, n;
    uint16_t path[NB_GATE_PATHS];
    uint64_t awaited[NB_GATE_PATHS]; /* workers whose fence ends the path, one bit each */
    struct nb_park_list parked[NB_GATE_PATHS];
    uint64_t until_us, hold_until_us;
    unsigned n_held;
    struct rte_mbuf *held[NB_GATE_HELD];
    struct nb_move_report report; /* counts, and for the ticket */
    uint32_t incarnation;         /* for the home */
    uint16_t moves;
    struct nb_move_ticket *ticket;
};

struct nb_gates;

struct nb_gates *nb_gates_new(void);
void nb_gates_free(struct nb_gates *gates);

/* A gate of these two paths, the first of them in use. NULL: there are as many as there can be, or the flow has one. */
struct nb_gate *nb__gate_open(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path, uint16_t next);
struct nb_gate *nb__gate_of(struct nb_worker *w, const struct nb_flow_key *key);

/* The NIC is about to bring a flow of ours to this queue. 0; -EAGAIN: it has a gate, ask again; -ENOBUFS. */
int nb__gate_open_way(struct nb_worker *w, const struct nb_flow_key *key, uint16_t queue);

/* The workers whose fences end the first path; none: it has ended. */
void nb__gate_await(struct nb_gate *gate, uint64_t workers);

/* The flow's home, a third worker, is to be told that the flow is ours and has moved so often: a path of its own. */
void nb__gate_await_home(struct nb_gate *gate, uint16_t home, uint32_t incarnation, uint16_t moves);

/* Hold back what the flow sends. */
void nb__gate_hold(struct nb_worker *w, struct nb_gate *gate, uint64_t until_us);

/* The former owner's transmit queue is empty by then at last. */
void nb__gate_drained(struct nb_worker *w, const struct nb_flow_key *key, uint64_t by_us);

/* A segment arrived: true when it was parked. */
__rte_cold bool nb__gate_parks(struct nb_worker *w, const struct nb_arrival *a);

/* A packet of a flow is about to leave: true when it is held back. And may the flow send data? */
__rte_cold bool nb__gate_holds(struct nb_worker *w, const struct nb_flow_key *key, struct rte_mbuf *packet);
__rte_cold bool nb__gate_closed_for(struct nb_worker *w, const struct nb_flow_key *key);

/* The fence of this worker came. */
void nb__gate_fence(struct nb_worker *w, const struct nb_flow_key *key, uint16_t origin, uint32_t lost);

/* The gate has become active: done already? */
void nb__gate_look(struct nb_worker *w, struct nb_gate *gate);

/* Forget a gate that was opened in vain; open all, the worker ends. */
void nb__gate_drop(struct nb_worker *w, struct nb_gate *gate);
void nb__gates_stop(struct nb_worker *w);

/* Has any flow of a port one? */
bool nb__gates_on_port(const struct nb_worker *w, unsigned port);

/* What is due; when the next is. */
void nb__gates_tend(struct nb_worker *w);
uint64_t nb__gates_next_us(const struct nb_worker *w);

#endif
