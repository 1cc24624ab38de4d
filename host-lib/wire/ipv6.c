/* ipv6.c - parse and write the IPv6 header. */
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "ipv6.h"

static_assert(sizeof(struct rte_ipv6_hdr) == NB_IPV6_HEADER_BYTES, "the header as it is on the wire");
static_assert(sizeof(struct nb_addr) == sizeof((struct rte_ipv6_hdr){0}.src_addr), "addresses are copied whole");

int nb_ipv6_parse(struct nb_ipv6 *ip, const struct rte_mbuf *m, uint16_t offset)
{
    struct rte_ipv6_hdr copy;
    const struct rte_ipv6_hdr *h = rte_pktmbuf_read(m, offset, sizeof copy, &copy);
    uint32_t lead;

    if (!h)
        return NB_COUNTER_DROP_MALFORMED;
    lead = rte_be_to_cpu_32(h->vtc_flow);
    ip->payload_bytes = rte_be_to_cpu_16(h->payload_len);
    if (lead >> 28 != 6 || ip->payload_bytes > rte_pktmbuf_pkt_len(m) - offset - NB_IPV6_HEADER_BYTES)
        return NB_COUNTER_DROP_MALFORMED;
    ip->traffic_class = (uint8_t)(lead >> 20);
    ip->next = h->proto;
    ip->hop_limit = h->hop_limits;
    memcpy(&ip->src, h->src_addr, sizeof ip->src);
    memcpy(&ip->dst, h->dst_addr, sizeof ip->dst);
    return 0;
}

void nb_ipv6_write(void *at, const struct nb_ipv6 *ip)
{
    struct rte_ipv6_hdr h = {
        .vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)ip->traffic_class << 20),
        .payload_len = rte_cpu_to_be_16(ip->payload_bytes),
        .proto = ip->next,
        .hop_limits = ip->hop_limit,
    };

    memcpy(h.src_addr, &ip->src, sizeof ip->src);
    memcpy(h.dst_addr, &ip->dst, sizeof ip->dst);
    memcpy(at, &h, sizeof h);
}
