/* buffers.c - see buffers.h. */
#include "buffers.h"

__rte_noinline struct rte_mbuf *nb__buffer_raw_otherwise(struct nb_buffers *b)
{
    return rte_mbuf_raw_alloc(b->mempool);
}

__rte_noinline void nb__buffer_free_otherwise(struct rte_mbuf *m)
{
    if (likely(m->nb_segs == 1 && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1))
        rte_mbuf_raw_free(m);
    else
        rte_pktmbuf_free(m);
}
