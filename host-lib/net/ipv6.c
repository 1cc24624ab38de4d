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
#include "reassembly.h"

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

/* Groups are for Neighbour Discovery, which must not come in fragments (RFC 6980). */
static int refuse_upper(const struct nb_packet *p, const struct nb_ipv6_chain *chain)
{
    if (chain->fragment && p->reassembled)
        return NB_COUNTER_DROP_EXTENSION; /* fragments of fragments */
    if (chain->protocol == NB_NEXT_ICMPV6 || !nb_ipv6_is_multicast(&p->dst))
        return 0;
    return NB_COUNTER_DROP_NOT_FOR_US;
}

/* Tell the sender what was wrong (RFC 4443 §3.1, §3.4). */
static void complain(struct nb_net *net, const struct nb_packet *p, uint8_t type, uint8_t code, uint32_t rest,
                     uint64_t now_us)
{
    const struct nb_icmp_about about = {
        .m = p->m, .port = p->port, .family = p->family, .l3_offset = p->l3_offset, .src = p->src, .dst = p->dst};
    const struct nb_icmp icmp = {.type = type, .code = code, .rest = rest};

    nb__icmp_send(net, &about, &icmp, now_us);
}

static void refuse_protocol(struct nb_net *net, const struct nb_packet *p, const struct nb_ipv6_chain *chain,
                            uint64_t now_us)
{
    if (chain->protocol == NB_IP_UDP)
        complain(net, p, NB_ICMPV6_UNREACHABLE, NB_ICMPV6_PORT_UNREACHABLE, 0, now_us);
    else if (chain->protocol != NB_NEXT_NONE)
        complain(net, p, NB_ICMPV6_PARAMETER_PROBLEM, NB_ICMPV6_UNKNOWN_NEXT_HEADER,
                 (uint32_t)chain->next_field - p->l3_offset, now_us);
    nb__net_drop(net, p->m, NB_COUNTER_DROP_UNKNOWN_PROTOCOL);
}

/* Keep a fragment; go on with the whole packet when it was the last one missing. */
static enum nb_net_verdict fragment_input(struct nb_net *net, struct nb_packet *p, const struct nb_ipv6_chain *chain,
                                          struct nb_flow_key *key, struct nb_net_segment *segment, uint64_t now_us)
{
    uint8_t copy[NB_FRAGMENT_HEADER_BYTES];
    const uint8_t *h = rte_pktmbuf_read(p->m, chain->offset, sizeof copy, copy);
    struct nb_fragment f = {.m = p->m,
                            .port = (uint8_t)p->port,
                            .family = NB_FAMILY_IPV6,
                            .protocol = h[0],
                            .more = h[3] & 1,
                            .id = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7],
                            .src = p->src,
                            .dst = p->dst,
                            .offset = (uint16_t)((h[2] << 8 | h[3]) & 0xfff8),
                            .bytes = (uint16_t)(chain->bytes - NB_FRAGMENT_HEADER_BYTES),
                            .l3_offset = p->l3_offset,
                            .headers_end = chain->offset,
                            .data_offset = chain->offset + NB_FRAGMENT_HEADER_BYTES,
                            .next_field = chain->next_field};

    p->m = nb_reassembly_insert(net->reassembly, &f, now_us);
    net->due_us = RTE_MIN(net->due_us, now_us + NB_REASSEMBLY_US);
    if (!p->m)
        return NB_NET_DONE;
    net->counters[NB_COUNTER_REASSEMBLED]++;
    p->reassembled = true;
    return nb__ipv6_input(net, p, key, segment, now_us);
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

    if (chain.has_problem)
        complain(net, p, NB_ICMPV6_PARAMETER_PROBLEM, chain.problem, chain.pointer, now_us);
    if (reason) {
        nb__net_drop(net, p->m, (enum nb_counter)reason);
        return NB_NET_DONE;
    }
    if (chain.fragment)
        return fragment_input(net, p, &chain, key, segment, now_us);
    if (chain.protocol == NB_IP_TCP) {
        nb__is_segment(p, key, segment);
        segment->unsteered |= chain.headers > 0;
        return NB_NET_TCP;
    }
    if (chain.protocol == NB_NEXT_ICMPV6)
        nb__icmpv6_input(net, p, now_us);
    else
        refuse_protocol(net, p, &chain, now_us);
    return NB_NET_DONE;
}
