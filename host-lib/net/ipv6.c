/* ipv6.c - IPv6 in (RFC 8200).
 *
 * Whole packets to an address of ours are accepted, and from the link's groups only what Neighbour Discovery needs. A
 * TCP segment behind extension headers is one like any other, except that a port may not have seen its TCP ports.
 */
#include <rte_mbuf.h>

#include "../wire/extension.h"
#include "../wire/ipv4.h"
#include "../wire/ipv6.h"
#include "net.h"

/* All nodes, or the group in which one of our addresses is asked for. */
static bool is_our_group(const struct nb_net_port *port, const struct nb_addr *dst)
{
    const struct nb_addr all = NB_IPV6_ALL_NODES;

    if (nb_addr_equal(dst, &all))
        return true;
    for (unsigned i = 0; i < port->n_addresses; i++) {
        struct nb_addr group = nb_ipv6_solicited_node(&port->address[i].address);

        if (port->address[i].family == NB_FAMILY_IPV6 && nb_addr_equal(dst, &group))
            return true;
    }
    return false;
}

/* Nobody's address may be a source only to a group: Neighbour Discovery looks at the rest. */
static bool can_be_source(const struct nb_net_port *port, const struct nb_packet *p)
{
    if (nb_addr_is_zero(&p->src))
        return nb_ipv6_is_multicast(&p->dst);
    return !nb_ipv6_is_martian(&p->src) && !nb_net_port_has(port, NB_FAMILY_IPV6, &p->src);
}

static int refuse(const struct nb_net_port *port, const struct nb_packet *p)
{
    bool group = nb_ipv6_is_multicast(&p->dst);

    if (group ? !is_our_group(port, &p->dst) : !nb_net_port_has(port, NB_FAMILY_IPV6, &p->dst))
        return NB_COUNTER_DROP_NOT_FOR_US;
    if (!group && nb_mac_is_group(p->eth.dst))
        return NB_COUNTER_DROP_NOT_FOR_US;
    return can_be_source(port, p) ? 0 : NB_COUNTER_DROP_MARTIAN;
}

static int refuse_upper(const struct nb_packet *p, const struct nb_ipv6_chain *chain)
{
    if (chain->fragment)
        return NB_COUNTER_DROP_FRAGMENT;
    if (chain->protocol == NB_IP_TCP)
        return nb_ipv6_is_multicast(&p->dst) ? NB_COUNTER_DROP_NOT_FOR_US : 0;
    return chain->protocol == NB_NEXT_ICMPV6 ? 0 : NB_COUNTER_DROP_UNKNOWN_PROTOCOL;
}

static int trim(struct nb_packet *p, const struct nb_ipv6 *ip)
{
    uint32_t frame_bytes = p->l3_offset + NB_IPV6_HEADER_BYTES + (uint32_t)ip->payload_bytes;

    return rte_pktmbuf_trim(p->m, (uint16_t)(rte_pktmbuf_pkt_len(p->m) - frame_bytes)) < 0 ? NB_COUNTER_DROP_MALFORMED
                                                                                           : 0;
}

static int read_packet(const struct nb_net_port *port, struct nb_packet *p, struct nb_ipv6_chain *chain)
{
    struct nb_ipv6 ip;
    int reason = nb_ipv6_parse(&ip, p->m, p->l3_offset);

    if (reason)
        return reason;
    p->family = NB_FAMILY_IPV6;
    p->src = ip.src;
    p->dst = ip.dst;
    p->hop_limit = ip.hop_limit;
    p->ecn = ip.traffic_class & 3;
    reason = refuse(port, p);
    if (reason == 0)
        reason = trim(p, &ip);
    if (reason == 0)
        reason = nb_ipv6_walk(chain, &ip, p->m, p->l3_offset);
    if (reason)
        return reason;
    p->l4_offset = chain->offset;
    p->l4_bytes = chain->bytes;
    return refuse_upper(p, chain);
}

enum nb_net_verdict nb__ipv6_input(struct nb_net *net, struct nb_packet *p, struct nb_flow_key *key,
                                   struct nb_net_segment *segment, uint64_t now_us)
{
    struct nb_ipv6_chain chain = {0};
    int reason = read_packet(&net->port[p->port], p, &chain);

    if (reason) {
        nb__net_drop(net, p->m, (enum nb_counter)reason);
        return NB_NET_DONE;
    }
    if (chain.protocol == NB_IP_TCP) {
        nb__is_segment(p, key, segment);
        segment->unsteered = chain.headers > 0;
        return NB_NET_TCP;
    }
    nb__icmpv6_input(net, p, now_us);
    return NB_NET_DONE;
}
