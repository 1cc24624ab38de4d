/* reasm.h - data that arrived ahead of a gap, as ranges in order (RFC 9293 §3.10.7.4, seventh step).
 *
 * A range is contiguous data: a chain of mbufs, trimmed so that no byte is held twice. Ranges are at the same time the
 * SACK blocks (RFC 2018). They come from a pool of the worker, as do the limits: what a peer can make us hold is
 * bounded per connection in ranges and mbufs, and per worker in mbufs.
 */
#ifndef NB_TCP_REASM_H
#define NB_TCP_REASM_H

#include <stdbool.h>
#include <stdint.h>

#include "seq.h"

struct rte_mbuf;

#define NB_REASM_NONE UINT32_MAX

/* Ranges of one connection: gaps beyond this many mean a path so broken that a retransmission costs little more. It
 * also bounds the walk that each out-of-order segment makes. */
#define NB_REASM_RANGES_MAX 32

struct nb_reasm_range {
    struct rte_mbuf *first, *last;
    nb_seq_t left, right;
    uint32_t next;  /* index, NB_REASM_NONE */
    uint32_t stamp; /* when it last grew: SACK reports the latest first */
    uint32_t mbufs;
};

struct nb_reasm_pool {
    struct nb_reasm_range *ranges;
    uint32_t capacity, free_head;
    uint32_t stamp;
    uint32_t mbufs, mbufs_max; /* held by all connections, and how many may be */
    uint32_t connection_mbufs_max;
};

bool nb_reasm_init(struct nb_reasm_pool *pool, uint32_t ranges, uint32_t mbufs_max, uint32_t connection_mbufs_max);
void nb_reasm_fini(struct nb_reasm_pool *pool);

/* Keep payload m (data only) that begins at seq in the list *head; takes m. False when a bound was reached: m is freed
 * and nothing kept. */
bool nb_reasm_insert(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t seq, struct rte_mbuf *m);

/* If the first range begins at or before rcv_nxt, take it out: the chain of its bytes from rcv_nxt on. NULL: none is
 * ready. Ranges that lie wholly before rcv_nxt are dropped on the way. */
struct rte_mbuf *nb_reasm_take(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t rcv_nxt);

/* Up to max blocks, the most recently grown first. */
unsigned nb_reasm_sack(const struct nb_reasm_pool *pool, uint32_t head, struct nb_seq_range *blocks, unsigned max);

/* Bytes held in the list. */
uint32_t nb_reasm_bytes(const struct nb_reasm_pool *pool, uint32_t head);
void nb_reasm_free(struct nb_reasm_pool *pool, uint32_t *head);

#endif
