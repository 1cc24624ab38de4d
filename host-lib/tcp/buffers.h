/* buffers.h - packet buffers of a worker's pool, taken and given back the short way.
 *
 * A thread's cache of a pool is an array and a count. The ordinary calls find it by the thread's number each time; here
 * the worker finds it once a turn, and what remains is to take the last pointer, or to add one. No cache, an empty or a
 * full one, or another pool's buffer: the ordinary way.
 */
#ifndef NB_TCP_BUFFERS_H
#define NB_TCP_BUFFERS_H

#include <rte_branch_prediction.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

struct nb_buffers {
    struct rte_mempool *mempool; /* of packet buffers with DPDK's headroom */
    struct rte_mempool_cache *cache;
};

/* The calling thread is who takes and gives from here on. */
static inline void nb_buffers_use(struct nb_buffers *b)
{
    b->cache = rte_mempool_default_cache(b->mempool, rte_lcore_id());
}

/* The ordinary way; not inlined, so that the short one is. */
struct rte_mbuf *nb__buffer_raw_otherwise(struct nb_buffers *b);
void nb__buffer_free_otherwise(struct rte_mbuf *m);

/* One in the state in which the pool keeps them (rte_mbuf_raw_alloc); NULL: the pool is empty. */
static __rte_always_inline struct rte_mbuf *nb_buffer_raw(struct nb_buffers *b)
{
    struct rte_mempool_cache *cache = b->cache;

    if (likely(cache && cache->len))
        return cache->objs[--cache->len];
    return nb__buffer_raw_otherwise(b);
}

/* An empty packet (rte_pktmbuf_alloc), likewise. */
static __rte_always_inline struct rte_mbuf *nb_buffer_new(struct nb_buffers *b)
{
    struct rte_mbuf *m = nb_buffer_raw(b);

    if (unlikely(!m))
        return NULL;
    m->data_off = RTE_PKTMBUF_HEADROOM;
    m->port = RTE_MBUF_PORT_INVALID;
    m->ol_flags = 0;
    m->packet_type = 0;
    m->pkt_len = 0;
    m->data_len = 0;
    m->vlan_tci = 0;
    m->vlan_tci_outer = 0;
    m->tx_offload = 0;
    return m;
}

/* Give a packet back, whosever it is (rte_pktmbuf_free). */
static __rte_always_inline void nb_buffer_free(struct nb_buffers *b, struct rte_mbuf *m)
{
    struct rte_mempool_cache *cache = b->cache;

    if (likely(m->nb_segs == 1 && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && m->pool == b->mempool && cache &&
               cache->len < cache->flushthresh))
        cache->objs[cache->len++] = m;
    else
        nb__buffer_free_otherwise(m);
}

#endif
