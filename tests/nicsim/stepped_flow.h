/* stepped_flow.h - a perfect filter for one of the frames of stepped_port.h, made and removed through rte_flow. */
#ifndef STEPPED_FLOW_H
#define STEPPED_FLOW_H

#include "stepped_port.h"

#include <errno.h>
#include <rte_flow.h>
#include <rte_ip.h>

/* 10.0.0.1:sport > 10.0.0.2:80 to a queue. mark makes ixgbe take it for Flow Director. */
static inline struct rte_flow *create_rule(uint16_t sport, uint16_t queue, uint32_t mark)
{
    const struct rte_flow_attr attr = {.ingress = 1};
    struct rte_flow_item_ipv4 ip = {.hdr.src_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 1)),
                                    .hdr.dst_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 2))};
    struct rte_flow_item_ipv4 ip_mask = {.hdr.src_addr = UINT32_MAX, .hdr.dst_addr = UINT32_MAX};
    struct rte_flow_item_tcp tcp = {.hdr.src_port = rte_cpu_to_be_16(sport), .hdr.dst_port = RTE_BE16(80)};
    struct rte_flow_item_tcp tcp_mask = {.hdr.src_port = UINT16_MAX, .hdr.dst_port = UINT16_MAX};
    const struct rte_flow_item pattern[] = {
        {RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL, NULL},
        {RTE_FLOW_ITEM_TYPE_IPV4, &ip, NULL, &ip_mask},
        {RTE_FLOW_ITEM_TYPE_TCP, &tcp, NULL, &tcp_mask},
        {RTE_FLOW_ITEM_TYPE_END, NULL, NULL, NULL},
    };
    struct rte_flow_action_queue to = {queue};
    struct rte_flow_action_mark marked = {mark};
    const struct rte_flow_action actions[] = {
        {RTE_FLOW_ACTION_TYPE_QUEUE, &to},
        {RTE_FLOW_ACTION_TYPE_MARK, &marked},
        {RTE_FLOW_ACTION_TYPE_END, NULL},
    };
    struct rte_flow_error error;
    rte_errno = EINVAL;
    return rte_flow_create(0, &attr, pattern, actions, &error);
}

#endif
