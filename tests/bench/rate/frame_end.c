/* frame_end.c - the floor: a 64 B frame back and forth over net_memif, with no stack at all. Only mode pingpong. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "memif.h"
#include "rate.h"

#define BURST           32
#define TURNS_PER_CHECK 1024

static void put(uint16_t port, struct rte_mbuf *m)
{
    while (rte_eth_tx_burst(port, 0, &m, 1) == 0)
        ;
}

/* Has whoever started us closed our standard input? */
static bool input_ended(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;

    return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void serve(uint16_t port)
{
    struct rte_mbuf *m[BURST];

    for (unsigned turn = 0; turn % TURNS_PER_CHECK || !input_ended(); turn++) {
        unsigned n = rte_eth_rx_burst(port, 0, m, BURST);

        for (unsigned i = 0; i < n; i++)
            put(port, m[i]);
    }
}

static int ask(uint16_t port, struct rte_mempool *pool, const struct rate_arguments *arguments)
{
    struct rate_report *r = rate_begin(arguments);
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

    memset(rte_pktmbuf_append(m, RATE_BYTES), 0, RATE_BYTES);
    do {
        uint64_t start = rate_now_ns();

        put(port, m);
        while (rte_eth_rx_burst(port, 0, &m, 1) == 0)
            ;
        rate_count(r, start);
    } while (!rate_over(r));
    return rate_print(r);
}

int main(int argc, char **argv)
{
    struct rate_arguments arguments = rate_arguments(argc, argv, true);
    struct rte_mempool *pool;
    uint16_t port;

    memif_eal(&arguments);
    if (arguments.server) { /* the other side is started when we say so */
        puts("ready");
        fflush(stdout);
    }
    port = memif_port(&pool);
    if (!arguments.server)
        return ask(port, pool, &arguments);
    serve(port);
    return 0;
}
