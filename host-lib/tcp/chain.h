/* chain.h - cutting received mbuf chains to the bytes that are wanted. */
#ifndef NB_TCP_CHAIN_H
#define NB_TCP_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

/* Drop the first n bytes, fewer than there are; links left empty are freed. Returns the chain's new head. */
struct rte_mbuf *nb_chain_skip(struct rte_mbuf *m, uint32_t n);

/* Keep the first n bytes, at least one; later links are freed. */
void nb_chain_keep(struct rte_mbuf *m, uint32_t n);

/* A small segment m comes after `last`, the last link of a chain, which is ours alone: if its bytes fit behind last's,
 * they are copied there, m is freed, and true returned. So that single bytes do not take a buffer each. last's own
 * pkt_len follows, the length of a chain of more links does not. */
bool nb_chain_copy_small(struct rte_mbuf *last, struct rte_mbuf *m);

#endif
