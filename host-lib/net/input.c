/* input.c - what a frame is: the usual one at a glance, every other the long way.
 *
 * Frames for somebody else, of another VLAN or of a protocol that we do not speak end here.
 */
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "../wire/checksum.h"
#include "../wire/ipv4.h"
#include "../wire/ipv6.h"
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

static inline bool verify_ip(const struct nb_net_port *port, const struct rte_mbuf *m, bool trusted)
{
    return !trusted &&
           !(port->trust_rx_checksum &&
             is_vouched_for(m, RTE_MBUF_F_RX_IP_CKSUM_MASK, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_NONE));
}

bool nb__verify_ip(const struct nb_net_port *port, const struct rte_mbuf *m, bool trusted)
{
    return verify_ip(port, m, trusted);
}

/* What nearly every frame is: a whole TCP segment to us, without IP options. Asks what the long way asks,
 * all at once; false means only that the long way has to find out. */
static inline bool is_usual(const struct nb_net_port *p, struct rte_mbuf *m, bool trusted, struct nb_flow_key *key,
                            struct nb_net_segment *segment)
{
    const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
    const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);
    uint32_t total_bytes;

    if (m->data_len < NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES)
        return false;
    total_bytes = rte_be_to_cpu_16(ip->total_length);
    if (memcmp(&eth->dst_addr, p->mac, NB_MAC_BYTES) != 0 || eth->ether_type != RTE_BE16(NB_ETH_IPV4) ||
        ip->version_ihl != RTE_IPV4_VHL_DEF || ip->next_proto_id != NB_IP_TCP || ip->dst_addr != p->route.address ||
        ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK) ||
        total_bytes < NB_IPV4_HEADER_BYTES || NB_ETH_HEADER_BYTES + total_bytes > m->pkt_len ||
        !nb_net_port_believes(p, ip->src_addr) ||
        (verify_ip(p, m, trusted) && nb_checksum_fold(nb_checksum_ipv4(ip)) != 0xffff))
        return false;
    if (m->pkt_len != NB_ETH_HEADER_BYTES + total_bytes) { /* padding goes */
        if (m->nb_segs != 1)
            return false;
        m->pkt_len = NB_ETH_HEADER_BYTES + total_bytes;
        m->data_len = (uint16_t)m->pkt_len;
    }
    *key = (struct nb_flow_key){.local.word = {ip->dst_addr}, .remote.word = {ip->src_addr}, .family = NB_FAMILY_IPV4};
    *segment = (struct nb_net_segment){.m = m,
                                       .l4_offset = NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES,
                                       .l4_bytes = total_bytes - NB_IPV4_HEADER_BYTES,
                                       .ecn = ip->type_of_service & 3};
    return true;
}

enum nb_net_verdict nb__is_segment(const struct nb_packet *p, struct nb_flow_key *key, struct nb_net_segment *segment)
{
    *key = (struct nb_flow_key){.local = p->dst, .remote = p->src, .vlan = p->eth.vlan, .family = p->family};
    *segment = (struct nb_net_segment){
        .m = p->m, .l4_offset = p->l4_offset, .l4_bytes = p->l4_bytes, .ecn = p->ecn, .unsteered = p->reassembled};
    return NB_NET_TCP;
}

/* Ours, or for everybody. A port in promiscuous mode also sees what is for others. */
static bool is_for_us(const struct nb_net_port *port, const struct nb_eth *eth)
{
    return nb_mac_is_group(eth->dst) || memcmp(eth->dst, port->mac, NB_MAC_BYTES) == 0;
}

static int refuse(const struct nb_net_port *port, const struct nb_eth *eth)
{
    if (eth->vlan != port->vlan)
        return NB_COUNTER_DROP_VLAN;
    return is_for_us(port, eth) ? 0 : NB_COUNTER_DROP_NOT_FOR_US;
}

static enum nb_net_verdict dispatch(struct nb_net *net, struct nb_packet *p, struct nb_flow_key *key,
                                    struct nb_net_segment *segment, uint64_t now_us)
{
    switch (p->eth.type) {
    case NB_ETH_IPV4:
        return nb__ipv4_input(net, p, key, segment, now_us);
    case NB_ETH_IPV6:
        return nb__ipv6_input(net, p, key, segment, now_us);
    case NB_ETH_ARP:
        if (nb__is_for_speaker(net, p->port, p->m))
            nb__arp_input(net, p, now_us);
        return NB_NET_DONE;
    }
    nb__net_drop(net, p->m, NB_COUNTER_DROP_UNKNOWN_PROTOCOL);
    return NB_NET_DONE;
}

static enum nb_net_verdict unusual_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, bool trusted,
                                         struct nb_flow_key *key, struct nb_net_segment *segment, uint64_t now_us)
{
    struct nb_packet p = {.m = m, .port = port, .trusted = trusted};
    enum nb_net_verdict verdict = NB_NET_DONE;
    int reason = nb_eth_parse(&p.eth, m);

    p.l3_offset = p.eth.header_bytes;
    if (reason == 0)
        reason = refuse(&net->port[port], &p.eth);
    if (reason)
        nb__net_drop(net, m, (enum nb_counter)reason);
    else
        verdict = dispatch(net, &p, key, segment, now_us);
    if (verdict == NB_NET_TCP)
        key->port_group = (uint8_t)port;
    return verdict;
}

enum nb_net_verdict nb_net_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, bool trusted,
                                 struct nb_flow_key *key, struct nb_net_segment *segment, uint64_t now_us)
{
    const struct nb_net_port *p = &net->port[port];

    if (likely(p->simple) && is_usual(p, m, trusted, key, segment)) {
        key->port_group = (uint8_t)port;
        return NB_NET_TCP;
    }
    return unusual_input(net, port, m, trusted, key, segment, now_us);
}
