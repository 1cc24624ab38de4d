/* memory.h - how many packet buffers the connections of a worker hold, and what follows when those are many.
 *
 * Counted are buffers, not bytes: a segment of one byte takes as much of the pool as a full one. Held are what is
 * queued for sending (sendq.c), what waits for a gap to be filled (reasm.c), and what applications were given and have
 * not consumed ("kept"). What is promised to connections that are to arrive (transfer.h) is part of the pools' counts,
 * but nobody holds it. Three marks, as Linux's tcp_mem but each worker's own, say what may be done about more:
 *
 *   level      held                         what a connection gets
 *   calm       up to the pressure mark      what its path wants, up to limits.send_buffer and recv_buffer
 *   pressure   above, until below the low   nothing grows; who has unread or out-of-order data is offered four
 * segments; mark again                   nobody adds to more than NB_MEMORY_LEAST_MBUFS received, _LEAST_BYTES queued
 *   high       above the high mark          who has something unread or queued gets no more of it, nothing is kept out
 *                                           of order, SYNs are dropped
 *   full       above the full mark          no data is taken at all, so that there are always buffers to receive into
 *                                           and to answer with
 *
 * Out-of-order data goes first: it was not acknowledged for good (RFC 2018 §8) and its sender still has it. Below full,
 * who has nothing gets something, so that no connection waits for others for ever.
 */
#ifndef NB_TCP_MEMORY_H
#define NB_TCP_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

struct nb_limits;
struct nb_tcb;
struct nb_tcp;

enum nb_memory_level { NB_MEMORY_CALM, NB_MEMORY_PRESSURE, NB_MEMORY_HIGH, NB_MEMORY_FULL };

struct nb_memory {
    uint32_t low, pressure, high, full; /* the marks, in packet buffers */
    uint32_t kept;                      /* by applications */
    uint32_t promised;                  /* to connections that are to arrive, in the pools' counts but not held yet */
    uint32_t hand;                      /* the slot where pruning goes on */
    uint8_t level;                      /* enum nb_memory_level, as of the last look */
};

#define NB_MEMORY_LEAST_MBUFS   64    /* received, a connection may hold for each buffer size, however small */
#define NB_MEMORY_SEGMENT_BYTES 512   /* and one more for so many bytes of its buffer */
#define NB_MEMORY_LEAST_BYTES   16384 /* queued for sending: an initial window */

void nb__memory_init(struct nb_memory *memory, const struct nb_limits *limits);

/* Look again: once for each burst (see core.h), and where something was refused. */
__rte_cold void nb__memory_look(struct nb_tcp *tcp);

/* May n more buffers of what comes next in order be taken? For who has something unread, or above pressure. What is
 * held out of order is given up for it. */
__rte_cold bool nb__memory_admits(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t n);

/* How many buffers a connection may hold out of order now. */
uint32_t nb__memory_ahead(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Of payload to be queued for sending, what is allowed above calm where most is the bound there. */
__rte_cold uint32_t nb__memory_send_bound(const struct nb_tcp *tcp, uint32_t queued, uint32_t most);

/* The application has consumed so that tcb->rcv_unread was `before`; or is gone. */
void nb__memory_consumed(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t before);
void nb__memory_release(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
