/* rte_flow_dialect.c - a neutral rule in rte_flow's words.
 *
 * ETH without spec and mask, IPV4 or IPV6, TCP or UDP; QUEUE, RSS or DROP, MARK where the row needs one, COUNT where it
 * is counted. That is exactly what ixgbe's Flow Director parser accepts (nic-facts A.3, A.8), with the unique MARK that
 * keeps the rule out of the 5-tuple table and makes its filter removable (A.4, A.3).
 */
#include <string.h>

#include <rte_ethdev.h>

#include "rte_flow_core.h"

static enum rte_flow_item_type translate_ipv4(struct nb__dialect *d, const struct nb_match *m, bool protocol_in_mask)
{
    struct rte_ipv4_hdr *spec = &d->l3_spec.v4.hdr, *mask = &d->l3_mask.v4.hdr;

    memcpy(&spec->src_addr, m->src.value, 4);
    memcpy(&spec->dst_addr, m->dst.value, 4);
    memcpy(&mask->src_addr, m->src.mask, 4);
    memcpy(&mask->dst_addr, m->dst.mask, 4);
    if (protocol_in_mask && m->protocol) {
        spec->next_proto_id = m->protocol;
        mask->next_proto_id = 0xff;
    }
    return RTE_FLOW_ITEM_TYPE_IPV4;
}

static enum rte_flow_item_type translate_ipv6(struct nb__dialect *d, const struct nb_match *m, bool protocol_in_mask)
{
    struct rte_ipv6_hdr *spec = &d->l3_spec.v6.hdr, *mask = &d->l3_mask.v6.hdr;

    memcpy(&spec->src_addr, m->src.value, 16);
    memcpy(&spec->dst_addr, m->dst.value, 16);
    memcpy(&mask->src_addr, m->src.mask, 16);
    memcpy(&mask->dst_addr, m->dst.mask, 16);
    if (protocol_in_mask && m->protocol) {
        spec->proto = m->protocol;
        mask->proto = 0xff;
    }
    return RTE_FLOW_ITEM_TYPE_IPV6;
}

static enum rte_flow_item_type translate_tcp(struct nb__dialect *d, const struct nb_match *m)
{
    d->l4_spec.tcp.hdr.src_port = rte_cpu_to_be_16(m->src_port.value);
    d->l4_spec.tcp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.value);
    d->l4_mask.tcp.hdr.src_port = rte_cpu_to_be_16(m->src_port.mask);
    d->l4_mask.tcp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.mask);
    return RTE_FLOW_ITEM_TYPE_TCP;
}

static enum rte_flow_item_type translate_udp(struct nb__dialect *d, const struct nb_match *m)
{
    d->l4_spec.udp.hdr.src_port = rte_cpu_to_be_16(m->src_port.value);
    d->l4_spec.udp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.value);
    d->l4_mask.udp.hdr.src_port = rte_cpu_to_be_16(m->src_port.mask);
    d->l4_mask.udp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.mask);
    return RTE_FLOW_ITEM_TYPE_UDP;
}

static void translate_match(struct nb__dialect *d, const struct nb_engine_profile *row, const struct nb_match *m)
{
    bool protocol_in_mask = !(row->quirks & NB_QUIRK_NO_PROTOCOL_MASK);
    struct rte_flow_item *item = d->item;

    *item++ = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ETH};
    item->type =
        m->family == NB_RULE_IPV4 ? translate_ipv4(d, m, protocol_in_mask) : translate_ipv6(d, m, protocol_in_mask);
    item->spec = &d->l3_spec;
    item++->mask = &d->l3_mask;
    if (m->protocol) {
        item->type = m->protocol == NB_RULE_TCP ? translate_tcp(d, m) : translate_udp(d, m);
        item->spec = &d->l4_spec;
        item++->mask = &d->l4_mask;
    }
    item->type = RTE_FLOW_ITEM_TYPE_END;
}

/* With the driver's own function and key. A region hashes as its port does; mlx5 hashes what it is told, or nothing but
 * addresses. */
static struct rte_flow_action translate_group(struct nb__dialect *d, const struct nb_engine_profile *row,
                                              const struct nb_rule *rule)
{
    for (uint16_t i = 0; i < rule->n_queues; i++)
        d->group[i] = (uint16_t)(rule->queue + i);
    d->rss.queue = d->group;
    d->rss.queue_num = rule->n_queues;
    if (!(row->quirks & NB_QUIRK_REGIONS))
        d->rss.types = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
    return (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_RSS, &d->rss};
}

static void translate_action(struct nb__dialect *d, const struct nb_engine_profile *row, const struct nb_rule *rule)
{
    struct rte_flow_action *action = d->action;

    d->queue.index = rule->queue;
    d->mark.id = rule->mark;
    switch (rule->action) {
    case NB_RULE_QUEUE:
        *action++ = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_QUEUE, &d->queue};
        break;
    case NB_RULE_DROP:
        *action++ = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_DROP};
        break;
    case NB_RULE_GROUP:
        *action++ = translate_group(d, row, rule);
        break;
    }
    if (rule->mark)
        *action++ = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_MARK, &d->mark};
    if (row->counts_hits)
        *action++ = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_COUNT, &d->count};
    action->type = RTE_FLOW_ACTION_TYPE_END;
}

void nb__dialect_translate(struct nb__dialect *d, const struct nb_engine_profile *row, const struct nb_rule *rule)
{
    memset(d, 0, sizeof *d);
    d->attr.ingress = 1;
    d->attr.group = row->group;
    d->attr.priority = rule->priority ? rule->priority : row->priority_first;
    translate_match(d, row, &rule->match);
    translate_action(d, row, rule);
}
