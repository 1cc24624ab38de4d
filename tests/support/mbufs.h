/* mbufs.h - a DPDK environment without hugepages or devices, and small mbuf pools that must be full again at the end.
 */
#ifndef SUPPORT_MBUFS_H
#define SUPPORT_MBUFS_H

#include <stdbool.h>

struct rte_mempool;

/* Starts EAL the first time. */
struct rte_mempool *support_pool_new(unsigned mbufs);

/* Every mbuf is back. */
bool support_pool_full(const struct rte_mempool *pool);
void support_pool_free(struct rte_mempool *pool);

#endif
