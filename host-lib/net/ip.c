/* ip.c - IPv4 in and out (RFC 791, RFC 1122 §3.2 and §3.3).
 *
 * Input accepts whole datagrams to our own unicast address; whatever else arrives is counted and dropped: fragments are
 * not reassembled, nothing is forwarded, and a broadcast is nobody's to answer. Options are skipped.
 */
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "../wire/checksum.h"
#include "../wire/ipv4.h"
#include "neighbour.h"
#include "net.h"

/* The port's word, in the two bits it has for it (rte_mbuf_core.h). NONE means: the field may be wrong, the data is
 * right. */
static bool is_vouched_for(const struct rte_mbuf *m, uint64_t mask, uint64_t good, uint64_t none)
{
    return (m->ol_flags & mask) == good || (m->ol_flags & mask) == none;
}

bool nb_net_verify_l4(const struct nb_net_port *port, const struct rte_mbuf *m, bool trusted)
{
    return !trusted &&
           !(port->trust_rx_checksum &&
             is_vouched_for(m, RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_NONE));
}

static bool verify_ip(const struct nb_net_port *port, const struct rte_mbuf *m, bool trusted)
{
    return !trusted &&
           !(port->trust_rx_checksum &&
             is_vouched_for(m, RTE_MBUF_F_RX_IP_CKSUM_MASK, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_NONE));
}

static bool can_be_source(const struct nb_net_port *port, uint32_t src)
{
    return !nb_ipv4_is_martian(src) && src != port->route.address && !nb_route_is_broadcast(&port->route, src);
}

/* 0, or why this datagram is not for the layers above. */
static int refuse(const struct nb_net_port *port, const struct nb_eth *eth, const struct nb_ipv4 *ip)
{
    if (ip->dst != port->route.address || nb_mac_is_group(eth->dst)) /* RFC 1122 §3.3.6: no unicast in a broadcast */
        return NB_COUNTER_DROP_NOT_FOR_US;
    if (!can_be_source(port, ip->src))
        return NB_COUNTER_DROP_MARTIAN;
    if (ip->fragment)
        return NB_COUNTER_DROP_FRAGMENT;
    if (ip->protocol != NB_IP_TCP && ip->protocol != NB_IP_ICMP)
        return NB_COUNTER_DROP_UNKNOWN_PROTOCOL;
    return 0;
}

static enum nb_net_verdict ipv4_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, const struct nb_eth *eth,
                                      bool trusted, struct nb_net_segment *segment, uint64_t now_us)
{
    const struct nb_net_port *p = &net->port[port];
    struct nb_ipv4 ip;
    int reason = nb_ipv4_parse(&ip, m, NB_ETH_HEADER_BYTES, verify_ip(p, m, trusted));
    uint32_t frame_bytes;

    if (reason == 0)
        reason = refuse(p, eth, &ip);
    if (reason) {
        nb__net_drop(net, m, reason);
        return NB_NET_DONE;
    }
    frame_bytes = NB_ETH_HEADER_BYTES + (uint32_t)ip.total_bytes;
    if (rte_pktmbuf_trim(m, (uint16_t)(rte_pktmbuf_pkt_len(m) - frame_bytes)) < 0) { /* padding over several buffers */
        nb__net_drop(net, m, NB_COUNTER_DROP_MALFORMED);
        return NB_NET_DONE;
    }
    *segment = (struct nb_net_segment){.src = ip.src,
                                       .dst = ip.dst,
                                       .l4_offset = NB_ETH_HEADER_BYTES + ip.header_bytes,
                                       .l4_bytes = (uint32_t)ip.total_bytes - ip.header_bytes};
    if (ip.protocol == NB_IP_TCP)
        return NB_NET_TCP;
    nb__icmp_input(net, port, m, segment, now_us);
    return NB_NET_DONE;
}

/* Ours, or for everybody. A port in promiscuous mode also sees what is for others. */
static bool is_for_us(const struct nb_net_port *port, const struct nb_eth *eth)
{
    return nb_mac_is_group(eth->dst) || memcmp(eth->dst, port->mac, NB_MAC_BYTES) == 0;
}

/* What nearly every frame is: a whole TCP segment to us in one buffer, without IP options. Asks what the long way below
 * asks, all at once; false means only that the long way has to find out. */
static bool is_common(const struct nb_net_port *p, struct rte_mbuf *m, bool trusted, struct nb_net_segment *segment)
{
    const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
    const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);
    uint32_t total_bytes;

    if (m->nb_segs != 1 || m->data_len < NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES)
        return false;
    total_bytes = rte_be_to_cpu_16(ip->total_length);
    if (memcmp(&eth->dst_addr, p->mac, NB_MAC_BYTES) != 0 || eth->ether_type != RTE_BE16(NB_ETH_IPV4) ||
        ip->version_ihl != RTE_IPV4_VHL_DEF || ip->next_proto_id != NB_IP_TCP || ip->dst_addr != p->route.address ||
        ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK) ||
        total_bytes < NB_IPV4_HEADER_BYTES || NB_ETH_HEADER_BYTES + total_bytes > m->data_len ||
        !can_be_source(p, ip->src_addr) ||
        (verify_ip(p, m, trusted) && nb_checksum_fold(nb_checksum_ipv4(ip)) != 0xffff))
        return false;
    m->data_len = (uint16_t)(NB_ETH_HEADER_BYTES + total_bytes); /* padding goes */
    m->pkt_len = m->data_len;
    *segment = (struct nb_net_segment){.src = ip->src_addr,
                                       .dst = ip->dst_addr,
                                       .l4_offset = NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES,
                                       .l4_bytes = total_bytes - NB_IPV4_HEADER_BYTES};
    return true;
}

enum nb_net_verdict nb_net_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, bool trusted,
                                 struct nb_net_segment *segment, uint64_t now_us)
{
    struct nb_eth eth;
    int reason;

    if (is_common(&net->port[port], m, trusted, segment))
        return NB_NET_TCP;
    reason = nb_eth_parse(&eth, m);
    if (reason == 0 && !is_for_us(&net->port[port], &eth))
        reason = NB_COUNTER_DROP_NOT_FOR_US;
    if (reason == 0 && eth.type == NB_ETH_IPV4)
        return ipv4_input(net, port, m, &eth, trusted, segment, now_us);
    if (reason == 0 && eth.type == NB_ETH_ARP && net->speaker)
        nb__arp_input(net, port, m, now_us);
    else if (reason == 0 && eth.type == NB_ETH_ARP)
        net->env.to_speaker(net->env.arg, port, m);
    else
        nb__net_drop(net, m, reason ? (enum nb_counter)reason : NB_COUNTER_DROP_UNKNOWN_PROTOCOL);
    return NB_NET_DONE;
}

void nb_net_output(struct nb_net *net, unsigned port, uint32_t destination, uint32_t *path, struct rte_mbuf *packet,
                   uint64_t now_us)
{
    uint32_t next_hop = nb_route_next_hop(&net->port[port].route, destination);

    if (next_hop == 0) {
        nb__net_drop(net, packet, NB_COUNTER_DROP_NO_NEIGHBOUR);
        return;
    }
    nb_neighbour_output(net->neighbours, port, next_hop, path, packet, now_us);
}
