/* mbufs.c - see mbufs.h. */
#include "mbufs.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_mbuf.h>

#include "eal.h"

struct rte_mempool *support_pool_new(unsigned mbufs)
{
    static unsigned serial;
    char name[32];
    nb_test_eal();
    snprintf(name, sizeof name, "test%u", serial++);
    struct rte_mempool *pool = rte_pktmbuf_pool_create(name, mbufs, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!pool) {
        fprintf(stderr, "no pool of %u mbufs: %s\n", mbufs, rte_strerror(rte_errno));
        exit(2);
    }
    return pool;
}

bool support_pool_full(const struct rte_mempool *pool)
{
    unsigned missing = rte_mempool_in_use_count(pool);
    if (missing)
        fprintf(stderr, "%u mbufs are missing\n", missing);
    return missing == 0;
}

void support_pool_free(struct rte_mempool *pool)
{
    rte_mempool_free(pool);
}
