/* chain.h - cutting received mbuf chains to the bytes that are wanted. */
#ifndef NB_TCP_CHAIN_H
#define NB_TCP_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

/* Drop the first n bytes, fewer than there are; links left empty are freed. Returns the chain's new head. */
struct rte_mbuf *nb_chain_skip(struct rte_mbuf *m, uint32_t n);

/* Keep the first n bytes, at least one; later links are freed. */
void nb_chain_keep(struct rte_mbuf *m, uint32_t n);

/* rte_pktmbuf_free() with what nearly every packet is asked first: one buffer of its own that nobody else refers to. */
static __rte_always_inline void nb_packet_free(struct rte_mbuf *m)
{
    if (likely(m->nb_segs == 1 && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1))
        rte_mbuf_raw_free(m);
    else
        rte_pktmbuf_free(m);
}

/* A small segment m comes after `last`, the last link of a chain, which is ours alone: if its bytes fit behind last's,
 * they are copied there, m is freed, and true returned. So that single bytes do not take a buffer each. last's own
 * pkt_len follows, the length of a chain of more links does not. */
bool nb_chain_copy_small(struct rte_mbuf *last, struct rte_mbuf *m);

#endif
