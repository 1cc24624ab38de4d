/* eal.h - DPDK for unit tests: memory and packet buffers, without huge pages, devices or files left behind. */
#ifndef NB_TEST_EAL_H
#define NB_TEST_EAL_H

#include <stddef.h>

struct rte_mbuf;
struct rte_mempool;

/* Initialise EAL once; ends the program with a message when that fails. */
void nb_test_eal(void);

/* A new pool of n ordinary packet buffers, cached by nobody, so that rte_mempool_avail_count() is exact. */
struct rte_mempool *nb_test_pool(const char *name, unsigned n);

/* A packet with these bytes, in one buffer or in buffers of at most `piece` bytes each (0: one buffer). */
struct rte_mbuf *nb_test_packet(struct rte_mempool *pool, const void *bytes, size_t n, size_t piece);

#endif
