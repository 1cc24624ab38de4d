/* memif.c - shared memory between two processes as a DPDK port. */
#include "memif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "rate.h"

#define RING_BITS    10 /* 1024 frames */
#define BUFFERS      32768
#define LINK_WAIT_US 1000

static void fail(const char *what)
{
    fprintf(stderr, "memif: %s: %s\n", what, rte_strerror(rte_errno));
    exit(1);
}

void memif_eal(const struct rate_arguments *arguments)
{
    static char lcores[32], device[256];
    char *argv[] = {"rate",           "--no-huge",   "-m",      "512",  "--no-pci", "--no-shconf", "--no-telemetry",
                    "--iova-mode=va", "--log-level", "*:error", lcores, device,     NULL};

    snprintf(lcores, sizeof lcores, "--lcores=0@%u", arguments->cpu);
    snprintf(device, sizeof device, "--vdev=" MEMIF_DEVICE ",role=%s,socket=%s,socket-abstract=no,rsize=%d",
             arguments->server ? "server" : "client", arguments->socket, RING_BITS);
    if (rte_eal_init(sizeof argv / sizeof argv[0] - 1, argv) < 0)
        fail("rte_eal_init");
}

uint16_t memif_port(struct rte_mempool **pool)
{
    const struct rte_eth_conf conf = {0};
    struct rte_eth_link link = {0};
    uint16_t port;

    *pool = rte_pktmbuf_pool_create("frames", BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!*pool)
        fail("no memory for frames");
    if (rte_eth_dev_get_port_by_name(MEMIF_DEVICE, &port) < 0 || rte_eth_dev_configure(port, 1, 1, &conf) < 0 ||
        rte_eth_rx_queue_setup(port, 0, 1u << RING_BITS, SOCKET_ID_ANY, NULL, *pool) < 0 ||
        rte_eth_tx_queue_setup(port, 0, 1u << RING_BITS, SOCKET_ID_ANY, NULL) < 0 || rte_eth_dev_start(port) < 0)
        fail("the port does not start");
    while (rte_eth_link_get_nowait(port, &link) == 0 && !link.link_status)
        usleep(LINK_WAIT_US);
    return port;
}

unsigned memif_rx(uint16_t port, struct rte_mbuf **m, unsigned n)
{
    return rte_eth_rx_burst(port, 0, m, (uint16_t)n);
}

void memif_tx(uint16_t port, struct rte_mbuf **m, unsigned n)
{
    unsigned sent = rte_eth_tx_burst(port, 0, m, (uint16_t)n);

    while (sent < n)
        rte_pktmbuf_free(m[sent++]);
}

void memif_mac(uint16_t port, uint8_t mac[6])
{
    struct rte_ether_addr address;

    rte_eth_macaddr_get(port, &address);
    memcpy(mac, address.addr_bytes, sizeof address.addr_bytes);
}
