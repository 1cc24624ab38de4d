/* rte_flow_core.h - what the two rte_flow backends share: a rule in rte_flow's words, and what drivers' errors mean. */
#ifndef NB_FLOWRULES_RTE_FLOW_CORE_H
#define NB_FLOWRULES_RTE_FLOW_CORE_H

#include <rte_flow.h>

#include "backend_core.h"

#define NB__FLOW_QUEUE_SIZE 64 /* operations at once through template calls: two turns of the steering thread */

/* A rule in rte_flow's words; the items and actions point into the struct, so it must stay where it is. */
struct nb__dialect {
    struct rte_flow_attr attr;
    struct rte_flow_item item[4];     /* ETH, L3, L4, END */
    struct rte_flow_action action[4]; /* QUEUE, RSS or DROP, MARK, COUNT, END */
    union {
        struct rte_flow_item_ipv4 v4;
        struct rte_flow_item_ipv6 v6;
    } l3_spec, l3_mask;
    union {
        struct rte_flow_item_tcp tcp;
        struct rte_flow_item_udp udp;
    } l4_spec, l4_mask;
    struct rte_flow_action_queue queue;
    struct rte_flow_action_rss rss;
    uint16_t group[NB_RULE_GROUP_MAX];
    struct rte_flow_action_mark mark;
    struct rte_flow_action_count count;
};

void nb__dialect_translate(struct nb__dialect *d, const struct nb_engine_profile *row, const struct nb_rule *rule);

/* What the driver meant by rte_errno and its message: one of the codes of backend.h, and words. */
int nb__rte_flow_explain(const char *who, const struct nb_engine_profile *row, const char *operation,
                         const struct rte_flow_error *error, struct nb_error *err);

/* Packets that a counter of the rule has seen, -1 when the driver does not say. */
int64_t nb__rte_flow_hits(int (*query)(uint16_t port_id, struct rte_flow *flow, const struct rte_flow_action *action,
                                       void *data, struct rte_flow_error *error),
                          uint16_t port_id, struct rte_flow *flow);

#endif
