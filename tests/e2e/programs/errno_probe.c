/* errno_probe.c - what ixgbe says to a rule for a queue that does not exist, depending on what rte_errno held before.
 * testpmd cannot show it: its own calls leave an error behind. Prints a line for each call: its name, what rte_errno
 * held, and the answer.
 */
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>
#include <stdio.h>

#define QUEUES 4
#define WRONG  99

static const struct rte_flow_item_ipv4 addresses = {.hdr = {.src_addr = RTE_BE32(0x0a000001),
                                                            .dst_addr = RTE_BE32(0x0a000002)}},
                                       address_mask = {.hdr = {.src_addr = RTE_BE32(~0u), .dst_addr = RTE_BE32(~0u)}};
static const struct rte_flow_item_tcp ports = {.hdr = {.src_port = RTE_BE16(1000), .dst_port = RTE_BE16(80)}},
                                      port_mask = {.hdr = {.src_port = 0xffff, .dst_port = 0xffff}};
static const struct rte_flow_item pattern[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
                                               {RTE_FLOW_ITEM_TYPE_IPV4, &addresses, NULL, &address_mask},
                                               {RTE_FLOW_ITEM_TYPE_TCP, &ports, NULL, &port_mask},
                                               {.type = RTE_FLOW_ITEM_TYPE_END}};
static const struct rte_flow_action_queue queue = {.index = WRONG};
static const struct rte_flow_action actions[] = {{RTE_FLOW_ACTION_TYPE_QUEUE, &queue},
                                                 {.type = RTE_FLOW_ACTION_TYPE_END}};
static const struct rte_flow_attr attr = {.ingress = 1};

static int start_port(void)
{
    static const struct rte_eth_conf conf;
    struct rte_mempool *pool = rte_pktmbuf_pool_create("pool", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

    if (!pool || rte_eth_dev_configure(0, QUEUES, QUEUES, &conf))
        return -1;
    for (unsigned i = 0; i < QUEUES; i++)
        if (rte_eth_rx_queue_setup(0, i, 256, SOCKET_ID_ANY, NULL, pool) ||
            rte_eth_tx_queue_setup(0, i, 256, SOCKET_ID_ANY, NULL))
            return -1;
    return rte_eth_dev_start(0);
}

static void try(int before)
{
    struct rte_flow_error error;

    rte_errno = before;
    printf("validate %d %d\n", before, rte_flow_validate(0, &attr, pattern, actions, &error));
    rte_errno = before;
    printf("create %d %s\n", before, rte_flow_create(0, &attr, pattern, actions, &error) ? "made" : "refused");
}

int main(int argc, char **argv)
{
    if (rte_eal_init(argc, argv) < 0 || start_port())
        return 1;
    try(0);
    try(EINVAL);
    return rte_eth_dev_stop(0) || rte_eal_cleanup();
}
