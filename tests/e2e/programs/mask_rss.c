/* mask_rss.c - to be preloaded into dpdk-test-flow-perf of DPDK 22.11: that program asks every port for all RSS types
 * over IP, fragments included, and rte_eth_dev_configure refuses what a port does not have, as ixgbe's. Here the port
 * is asked for what it has. Nothing else of the program is touched.
 */
#include <dlfcn.h>
#include <rte_ethdev.h>

int rte_eth_dev_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues, const struct rte_eth_conf *conf)
{
    int (*real)(uint16_t, uint16_t, uint16_t, const struct rte_eth_conf *) = dlsym(RTLD_NEXT, "rte_eth_dev_configure");
    struct rte_eth_conf possible = *conf;
    struct rte_eth_dev_info info;
    int rc = rte_eth_dev_info_get(port, &info);

    if (rc)
        return rc;
    possible.rx_adv_conf.rss_conf.rss_hf &= info.flow_type_rss_offloads;
    return real(port, rx_queues, tx_queues, &possible);
}
