/* chain.h - cutting received mbuf chains to the bytes that are wanted. */
#ifndef NB_TCP_CHAIN_H
#define NB_TCP_CHAIN_H

#include <stdint.h>

struct rte_mbuf;

/* Drop the first n bytes, fewer than there are; links left empty are freed. Returns the chain's new head. */
struct rte_mbuf *nb_chain_skip(struct rte_mbuf *m, uint32_t n);

/* Keep the first n bytes, at least one; later links are freed. */
void nb_chain_keep(struct rte_mbuf *m, uint32_t n);

#endif
