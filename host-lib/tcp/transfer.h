/* transfer.h - a connection goes from one worker's core to another's, with everything that is its own.
 *
 * Theory of operation. Nothing is shared and nothing is locked: what belongs to a connection belongs to one worker at a
 * time, and changes hands together with a letter (worker/move.c). The steps, each on the worker named:
 *
 *   source   nb_transfer_measure   what it needs
 *   target   nb_berth_take         a place for exactly that, taken out of the target's pools; or none, and that was it
 *   source   nb_transfer_leave     it still fits its berth; the TCB is copied out, its slot is free, its timer stopped.
 *                                  Its parts (records, flight, ranges) stay where they are, and nobody touches them
 *   target   nb_transfer_arrive    copies the parts into the berth's, takes the buffers over, arms the timer
 *   source   nb_transfer_finish    the empty parts go back into the source's pools
 *
 * Packet buffers do not move: they keep the pool they came from and go back there when they are freed. Those that wait
 * in the send queue are charged to the source's share of its pool until the target says that they are gone
 * (nb_transfer_settle), so that connections that left cannot take the buffers of those that stayed.
 */
#ifndef NB_TCP_TRANSFER_H
#define NB_TCP_TRANSFER_H

#include "tcb.h"

struct rte_mbuf;

/* What a connection takes out of pools. */
struct nb_transfer_size {
    uint32_t records, ranges, send_mbufs, reasm_mbufs;
};

/* Why a connection cannot leave now; NULL when it can. */
const char *nb_transfer_obstacle(const struct nb_tcb *tcb);

void nb_transfer_measure(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_transfer_size *size);

/* A place for a connection of that size, or a little more. */
struct nb_berth {
    struct nb_tcb *tcb;
    struct nb_transfer_size size;
    uint32_t records; /* first of them, linked through next */
    uint32_t ranges;
};

/* All or nothing. */
bool nb_berth_take(struct nb_tcp *tcp, const struct nb_transfer_size *size, struct nb_berth *berth);
void nb_berth_give_back(struct nb_tcp *tcp, struct nb_berth *berth);

/* A connection between two workers. */
struct nb_transfer {
    struct nb_tcb tcb; /* as it was; indices are of the source's pools */
    struct nb_transfer_size size;
    struct nb_tcp *source;
};

/* The connection is no longer here; its handle is dead, and its entry in the flow table is gone. */
void nb_transfer_leave(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_transfer *t);

/* It is here now, under the same key and id, with a new handle. The berth is used up. listener_user is that of the same
 * listener here. NULL: the flow table has no room, which its size makes all but impossible; then nothing was done. */
struct nb_tcb *nb_transfer_arrive(struct nb_tcp *tcp, struct nb_berth *berth, struct nb_transfer *t,
                                  void *listener_user, uint64_t now_us);

/* It has arrived: the empty parts; later, when the target has freed the buffers of ours that it sent from. */
void nb_transfer_finish(struct nb_tcp *tcp, struct nb_transfer *t);
void nb_transfer_settle(struct nb_tcp *tcp, uint32_t send_mbufs);

/* Every buffer that it has brought along. */
void nb_transfer_buffers(const struct nb_tcp *tcp, const struct nb_tcb *tcb,
                         void (*fn)(void *arg, struct rte_mbuf *first), void *arg);

/* It will never arrive: free everything. */
void nb_transfer_discard(struct nb_tcp *tcp, struct nb_transfer *t);

#endif
