/* fence.h - a receive queue has nothing left of the time before.
 *
 * Theory of operation. When the NIC begins to send a flow's packets to another queue, those classified before are still
 * on their way into the old queue's ring. A NIC's profile says how long that takes at most; so a burst that began after
 * the change was done and that time had passed, and that found the ring empty, has left nothing behind, and neither has
 * a full ring's worth of packets taken since. Then the worker of that queue sends the flow's owner a fence, over the
 * ring behind what it forwarded (gate.h). An empty burst counts only while there are buffers: a ring that could not be
 * filled is empty, too.
 */
#ifndef NB_WORKER_FENCE_H
#define NB_WORKER_FENCE_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/flow.h>
#include <netbypass/runtime.h>

struct nb_worker;

#define NB_FENCES 64 /* asked of one queue at the same time: the steering thread asks in turn */

struct nb_fence {
    struct nb_flow_key key;
    uint16_t to; /* the flow's owner when we were asked; for when nobody on the way knows it */
    bool used, passed;
    uint64_t not_before_us;
    uint32_t left; /* packets that may still be of the time before */
};

struct nb_fences {
    unsigned n;
    struct nb_fence at[NB_FENCES];
    struct nb_fence drain[NB_MAX_PORTS]; /* the same for whoever asks again (nb__fence_drained) */
};

/* Send the flow's owner a fence when our queue has been seen empty by a burst that began at not_before_us or later.
 * False: as many as can be have been asked for. */
bool nb__fence_ask(struct nb_worker *w, const struct nb_flow_key *key, uint16_t to, uint64_t not_before_us);

/* Ask for our queue to be seen empty by a burst that began at not_before_us or later; and, in a later turn: has it? */
void nb__fence_drain(struct nb_worker *w, unsigned port, uint64_t not_before_us);
bool nb__fence_drained(struct nb_worker *w, unsigned port);

/* A burst of n packets was taken from a port's queue. */
void nb__fences_look(struct nb_worker *w, unsigned port, unsigned n);

/* A fence of worker `origin` goes the way that a segment of the flow would go from here: to the worker that we think
 * has the flow, or to its home, until it finds the gate; where nobody knows the flow, to `otherwise` (-1: nowhere).
 * False: a ring is full. */
bool nb__fence_pass_on(struct nb_worker *w, const struct nb_flow_key *key, uint16_t origin, unsigned hops,
                       uint16_t lost, int otherwise);

/* The flow's segments take another way from here: behind the last one to `to` goes our fence, for `target`. */
void nb__fence_send(struct nb_worker *w, const struct nb_flow_key *key, uint16_t to, uint16_t target);

/* At the end of a turn: send those that have passed. */
void nb__fences_tend(struct nb_worker *w);

#endif
