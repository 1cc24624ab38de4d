/* port.c - DPDK's port 0 below the rte_flow backend, whatever NIC and driver that is. */
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "rules.h"

#define DESCRIPTORS 256
#define BUFFERS     4096

static void start_eal(void)
{
    static char *argv[] = {"rules", "-l", "0", "--log-level=*:4", "--no-telemetry", NULL};

    if (rte_eal_init(5, argv) < 0 || !rte_eth_dev_count_avail())
        bench_fail("DPDK has no port; run under nicsim, or bind a NIC to it");
}

static void start_port(void)
{
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create("rules", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    struct rte_eth_conf conf = {.rxmode = {.mq_mode = RTE_ETH_MQ_RX_RSS}};
    int rc = pool ? rte_eth_dev_configure(0, BENCH_QUEUES, BENCH_QUEUES, &conf) : -1;

    for (uint16_t q = 0; !rc && q < BENCH_QUEUES; q++) {
        rc = rte_eth_rx_queue_setup(0, q, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool);
        if (!rc)
            rc = rte_eth_tx_queue_setup(0, q, DESCRIPTORS, SOCKET_ID_ANY, NULL);
    }
    if (rc || rte_eth_dev_start(0))
        bench_fail("port 0 does not start");
}

struct nb_backend *bench_port_open(struct nb_profile *profile)
{
    static struct nb_rte_flow_api api;
    struct rte_eth_dev_info info;
    struct nb_device device;

    start_eal();
    start_port();
    if (rte_eth_dev_info_get(0, &info))
        bench_fail("port 0 does not describe itself");
    nb_device_of_port(0, info.driver_name, &device);
    nb_profile_probe(&device, profile);
    if (profile->dialect != NB_DIALECT_RTE_FLOW)
        bench_fail("port 0 takes no rules through rte_flow");
    api = nb_rte_flow_api_real(info.driver_name);
    return nb_backend_rte_flow_new(0, BENCH_QUEUES, profile, &api);
}
