/* ip.c - IPv4 in and out (RFC 791, RFC 1122 §3.2 and §3.3).
 *
 * Input accepts whole datagrams to our own unicast address; whatever else arrives is counted and dropped: fragments are
 * not reassembled, nothing is forwarded, and a broadcast is nobody's to answer. Options are skipped.
 */
#include <string.h>

#include <rte_mbuf.h>

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

/* 0, or why this datagram is not for the layers above. */
static int refuse(const struct nb_net_port *port, const struct nb_eth *eth, const struct nb_ipv4 *ip)
{
    if (ip->dst != port->route.address || nb_mac_is_group(eth->dst)) /* RFC 1122 §3.3.6: no unicast in a broadcast */
        return NB_COUNTER_DROP_NOT_FOR_US;
    if (nb_ipv4_is_martian(ip->src) || ip->src == port->route.address || nb_route_is_broadcast(&port->route, ip->src))
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

enum nb_net_verdict nb_net_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, bool trusted,
                                 struct nb_net_segment *segment, uint64_t now_us)
{
    struct nb_eth eth;
    int reason = nb_eth_parse(&eth, m);

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
