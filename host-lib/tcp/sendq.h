/* sendq.h - what the application has sent and the peer has not acknowledged yet: one chain of mbufs.
 *
 * Positions are sequence numbers. An mbuf in the queue is never changed once it may be shared with a packet on its way
 * through a transmit queue, except that bytes are appended behind those that were there.
 */
#ifndef NB_TCP_SENDQ_H
#define NB_TCP_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffers.h"
#include "seq.h"

/* What the send queues of a worker draw from, all together: they may hold mbufs_max, so that there are always buffers
 * left to receive ACKs in and to send with; else full queues could keep each other from ever being emptied. */
struct nb_sendq_pool {
    struct nb_buffers buffers;
    uint32_t mbufs, mbufs_max;
};

struct nb_sendq {
    struct rte_mbuf *head, *tail;
    nb_seq_t head_seq;      /* of the first byte */
    uint32_t charged_bytes; /* to the send buffer: its user's count (txq.c) */
};

/* Where sending, or sending again, has come to: kept by whoever does so, all zero at first, and only as long as less
 * than 2^31 bytes are acknowledged meanwhile. Mbufs that are freed meanwhile do no harm. */
struct nb_sendq_place {
    struct rte_mbuf *m;
    nb_seq_t seq; /* of its first byte */
};

/* An empty queue whose first byte will be seq. */
void nb_sendq_init(struct nb_sendq *q, nb_seq_t seq);

/* Append a copy of bytes[0..n), in mbufs filled to at most `fill` bytes each. Returns the bytes taken: fewer when the
 * pool is empty or its bound reached. */
size_t nb_sendq_append(struct nb_sendq *q, struct nb_sendq_pool *pool, const void *bytes, size_t n, unsigned fill);

/* Into an empty queue, a copy of as much as one mbuf takes. 0: the queue is not empty, or there is no mbuf. */
size_t nb_sendq_put(struct nb_sendq *q, struct nb_sendq_pool *pool, const void *bytes, size_t n);

/* Append a chain, which must have data; takes it. False when the bound is reached: the chain stays the caller's. */
bool nb_sendq_append_chain(struct nb_sendq *q, struct nb_sendq_pool *pool, struct rte_mbuf *chain);

/* Copy n bytes from seq on. They must be in the queue, as for nb_sendq_attach. They are looked for from *place on, if
 * that is not behind them, which moves there; NULL: from the head on. */
void nb_sendq_copy(const struct nb_sendq *q, struct nb_sendq_place *place, nb_seq_t seq, void *to, unsigned n);

/* The same, and the checksum's partial sum of them (wire/checksum.h). */
uint64_t nb_sendq_copy_sum(const struct nb_sendq *q, struct nb_sendq_place *place, nb_seq_t seq, void *to, unsigned n);

/* Chain n bytes from seq on behind packet, by reference. False when the mempool is empty: packet is then as it was. */
bool nb_sendq_attach(const struct nb_sendq *q, struct nb_sendq_place *place, struct nb_sendq_pool *pool, nb_seq_t seq,
                     unsigned n, struct rte_mbuf *packet);

/* Everything before una is acknowledged: free the mbufs that lie wholly before it. */
void nb_sendq_acked(struct nb_sendq *q, struct nb_sendq_pool *pool, nb_seq_t una);

void nb_sendq_free(struct nb_sendq *q, struct nb_sendq_pool *pool);

#endif
