/* ipv4.c - IPv4 in (RFC 791, RFC 1122 §3.2 and §3.3).
 *
 * Whole datagrams to a unicast address of ours are accepted; whatever else arrives is counted and dropped: nothing is
 * forwarded, and a broadcast is nobody's to answer. Options are skipped, except that a packet with a source route is
 * refused: its sender wants it to be seen as another's.
 */
#include <rte_mbuf.h>

#include "../wire/ipv4.h"
#include "net.h"
#include "reassembly.h"

static bool can_be_source(const struct nb_net_port *port, const struct nb_addr *src)
{
    if (nb_ipv4_is_martian(src->word[0]) || nb_net_port_has(port, NB_FAMILY_IPV4, src))
        return false;
    for (unsigned i = 0; i < port->n_addresses; i++)
        if (port->address[i].family == NB_FAMILY_IPV4 && nb__is_broadcast_of(&port->address[i], src->word[0]))
            return false;
    return true;
}

/* 0, or why this datagram is not for the layers above. */
static int refuse(const struct nb_net_port *port, const struct nb_packet *p, const struct nb_ipv4 *ip)
{
    if (!nb_net_port_has(port, NB_FAMILY_IPV4, &p->dst) || nb_mac_is_group(p->eth.dst))
        return NB_COUNTER_DROP_NOT_FOR_US; /* RFC 1122 §3.3.6: no unicast in a broadcast */
    if (!can_be_source(port, &p->src))
        return NB_COUNTER_DROP_MARTIAN;
    if (ip->source_route)
        return NB_COUNTER_DROP_SOURCE_ROUTE;
    return 0;
}

/* Off with the padding that brings a frame to its minimal length. */
static int trim(struct nb_packet *p, const struct nb_ipv4 *ip)
{
    uint32_t frame_bytes = p->l3_offset + (uint32_t)ip->total_bytes;

    return rte_pktmbuf_trim(p->m, (uint16_t)(rte_pktmbuf_pkt_len(p->m) - frame_bytes)) < 0
               ? NB_COUNTER_DROP_MALFORMED /* over several buffers */
               : 0;
}

/* Nobody here speaks it, and its sender may know (RFC 1122 §3.2.2.1). */
static void refuse_protocol(struct nb_net *net, const struct nb_packet *p, uint8_t protocol, uint64_t now_us)
{
    const struct nb_icmp_about about = {
        .m = p->m, .port = p->port, .family = p->family, .l3_offset = p->l3_offset, .src = p->src, .dst = p->dst};
    const struct nb_icmp icmp = {.type = NB_ICMP_UNREACHABLE,
                                 .code =
                                     protocol == NB_IP_UDP ? NB_ICMP_PORT_UNREACHABLE : NB_ICMP_PROTOCOL_UNREACHABLE};

    nb__icmp_send(net, &about, &icmp, now_us);
    nb__net_drop(net, p->m, NB_COUNTER_DROP_UNKNOWN_PROTOCOL);
}

/* Keep a fragment; go on with the whole datagram when it was the last one missing. */
static enum nb_net_verdict fragment_input(struct nb_net *net, struct nb_packet *p, const struct nb_ipv4 *ip,
                                          struct nb_flow_key *key, struct nb_net_segment *segment, uint64_t now_us)
{
    const struct nb_fragment f = {.m = p->m,
                                  .port = (uint8_t)p->port,
                                  .family = NB_FAMILY_IPV4,
                                  .protocol = ip->protocol,
                                  .more = ip->more_fragments,
                                  .id = ip->id,
                                  .src = p->src,
                                  .dst = p->dst,
                                  .offset = ip->fragment_offset,
                                  .bytes = (uint16_t)p->l4_bytes,
                                  .l3_offset = p->l3_offset,
                                  .headers_end = p->l4_offset,
                                  .data_offset = p->l4_offset};

    p->m = nb_reassembly_insert(net->reassembly, &f, now_us);
    net->due_us = RTE_MIN(net->due_us, now_us + NB_REASSEMBLY_US);
    if (!p->m)
        return NB_NET_DONE;
    net->counters[NB_COUNTER_REASSEMBLED]++;
    p->reassembled = true;
    return nb__ipv4_input(net, p, key, segment, now_us);
}

enum nb_net_verdict nb__ipv4_input(struct nb_net *net, struct nb_packet *p, struct nb_flow_key *key,
                                   struct nb_net_segment *segment, uint64_t now_us)
{
    const struct nb_net_port *port = &net->port[p->port];
    struct nb_ipv4 ip;
    int reason = nb_ipv4_parse(&ip, p->m, p->l3_offset, nb__verify_ip(port, p->m, p->trusted));

    if (reason == 0) {
        p->family = NB_FAMILY_IPV4;
        p->src.word[0] = ip.src;
        p->dst.word[0] = ip.dst;
        p->ecn = ip.tos & 3;
        p->l4_offset = p->l3_offset + ip.header_bytes;
        p->l4_bytes = (uint32_t)ip.total_bytes - ip.header_bytes;
        reason = refuse(port, p, &ip);
    }
    if (reason == 0)
        reason = trim(p, &ip);
    if (reason) {
        nb__net_drop(net, p->m, (enum nb_counter)reason);
        return NB_NET_DONE;
    }
    if (ip.fragment)
        return fragment_input(net, p, &ip, key, segment, now_us);
    if (ip.protocol == NB_IP_TCP)
        return nb__is_segment(p, key, segment);
    if (ip.protocol == NB_IP_ICMP)
        nb__icmp_input(net, p, now_us);
    else
        refuse_protocol(net, p, ip.protocol, now_us);
    return NB_NET_DONE;
}
