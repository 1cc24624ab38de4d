/* reasm.h - data that arrived ahead of a gap, as ranges in order (RFC 9293 §3.10.7.4, seventh step).
 *
 * A range is contiguous data: a chain of mbufs, trimmed so that no byte is held twice. Ranges are at the same time the
 * SACK blocks (RFC 2018). They come from a pool of the worker, as do the limits: what a peer can make us hold is
 * bounded per connection in ranges and mbufs, and per worker in mbufs.
 *
 * A connection keeps the index of its first range; that one also knows of the whole list what would take a walk. The
 * place of new data is looked for from the end, from the youngest range, or from the front, so that neither a burst
 * that lost every second packet nor its retransmission walks.
 */
#ifndef NB_TCP_REASM_H
#define NB_TCP_REASM_H

#include <stdbool.h>
#include <stdint.h>

#include "seq.h"

struct rte_mbuf;

#define NB_REASM_NONE UINT32_MAX

/* Ranges of one connection. A slow start that overshoots a path of 1 Gbit/s and 100 ms leaves hundreds of gaps, and
 * dropping what follows them costs a round trip for each few. The bound is on the walk that a peer who sends far ahead
 * and far behind in turns can cause: half as many steps. */
#define NB_REASM_RANGES_MAX 1024

/* The youngest, which SACK reports first: as many as fit a segment. */
#define NB_REASM_RECENT 4

struct nb_reasm_list {
    uint32_t tail, n, mbufs;
    uint32_t recent[NB_REASM_RECENT]; /* indices, NB_REASM_NONE; the youngest first */
};

struct nb_reasm_range {
    struct rte_mbuf *first, *last;
    nb_seq_t left, right;
    uint32_t next, prev; /* indices, NB_REASM_NONE */
    uint32_t mbufs;
    struct nb_reasm_list list; /* of the first range only: the whole list's */
};

struct nb_reasm_pool {
    struct nb_reasm_range *ranges;
    uint32_t capacity, free_head;
    uint32_t mbufs, mbufs_max; /* held by all connections, and how many may be */
    uint32_t range_mbufs_max;  /* of one range */
    uint64_t *collapsed;       /* counts small segments that were copied together; NULL: nobody asks */
};

bool nb_reasm_init(struct nb_reasm_pool *pool, uint32_t ranges, uint32_t mbufs_max);
void nb_reasm_fini(struct nb_reasm_pool *pool);

/* Keep payload m (data only) that begins at seq in the list *head, which may hold list_mbufs_max; takes m. False when a
 * bound was reached: m is freed and nothing kept. */
bool nb_reasm_insert(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t seq, struct rte_mbuf *m,
                     uint32_t list_mbufs_max);

/* If the first range begins at or before rcv_nxt, take it out: the chain of its bytes from rcv_nxt on. NULL: none is
 * ready. Ranges that lie wholly before rcv_nxt are dropped on the way. */
struct rte_mbuf *nb_reasm_take(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t rcv_nxt);

/* Up to max blocks: those that grew most recently first, then the lowest. */
unsigned nb_reasm_sack(const struct nb_reasm_pool *pool, uint32_t head, struct nb_seq_range *blocks, unsigned max);

/* Bytes held in the list. */
uint32_t nb_reasm_bytes(const struct nb_reasm_pool *pool, uint32_t head);
void nb_reasm_free(struct nb_reasm_pool *pool, uint32_t *head);

/* --- between workers (transfer.c) ---------------------------------------------------------------------------------
 */

/* How many ranges and mbufs a list has. */
void nb_reasm_size(const struct nb_reasm_pool *pool, uint32_t head, uint32_t *ranges, uint32_t *mbufs);

/* Keep n ranges and room for so many mbufs, as the list *chain; all or nothing. And give such a list back. */
bool nb_reasm_reserve(struct nb_reasm_pool *pool, uint32_t n, uint32_t mbufs, uint32_t *chain);
void nb_reasm_unreserve(struct nb_reasm_pool *pool, uint32_t mbufs, uint32_t *chain);

/* Make a list like the one at from_head in another pool, data included, of ranges taken from *chain. The other list is
 * then empty shells, which nb_reasm_forget gives back to its pool without touching data. */
uint32_t nb_reasm_adopt(struct nb_reasm_pool *pool, uint32_t *chain, struct nb_reasm_pool *from, uint32_t from_head);
void nb_reasm_forget(struct nb_reasm_pool *pool, uint32_t *head);

#endif
