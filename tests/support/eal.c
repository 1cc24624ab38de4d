/* eal.c - DPDK for unit tests. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "eal.h"

void nb_test_eal(void)
{
    static bool up;
    /* One file prefix for all is fine: without shared configuration nothing is written. */
    static char arg[][24] = {"test", "--no-huge", "--no-pci",    "--no-shconf", "--no-telemetry",
                             "-m",   "256",       "--log-level", "lib.*:error", "--iova-mode=va"};
    char *argv[sizeof arg / sizeof arg[0] + 1];

    if (up)
        return;
    for (size_t i = 0; i < sizeof arg / sizeof arg[0]; i++)
        argv[i] = arg[i];
    argv[sizeof arg / sizeof arg[0]] = NULL;
    if (rte_eal_init(sizeof arg / sizeof arg[0], argv) < 0) {
        fprintf(stderr, "rte_eal_init: %s\n", rte_strerror(rte_errno));
        exit(1);
    }
    up = true;
}

struct rte_mempool *nb_test_pool(const char *name, unsigned n)
{
    struct rte_mempool *pool = rte_pktmbuf_pool_create(name, n, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

    if (!pool) {
        fprintf(stderr, "pool %s: %s\n", name, rte_strerror(rte_errno));
        exit(1);
    }
    return pool;
}

struct rte_mbuf *nb_test_packet(struct rte_mempool *pool, const void *bytes, size_t n, size_t piece)
{
    struct rte_mbuf *head = NULL, *m;
    size_t at = 0;

    do {
        size_t part = piece && n - at > piece ? piece : n - at;

        m = rte_pktmbuf_alloc(pool);
        if (!m || !rte_pktmbuf_append(m, (uint16_t)part) || (head && rte_pktmbuf_chain(head, m) < 0))
            abort();
        if (part)
            memcpy(rte_pktmbuf_mtod(m, char *), (const char *)bytes + at, part);
        head = head ? head : m;
        at += part;
    } while (at < n);
    return head;
}
