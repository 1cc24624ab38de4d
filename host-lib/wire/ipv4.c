/* ipv4.c - parse and write the IPv4 header (RFC 791; checks as RFC 1122 §3.2.1 wants them). */
#include <string.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "checksum.h"
#include "ipv4.h"

#define HEADER_MAX 60 /* IHL has four bits */

int nb_ipv4_parse(struct nb_ipv4 *ip, const struct rte_mbuf *m, uint16_t offset, bool verify)
{
    uint8_t copy[HEADER_MAX];
    const struct rte_ipv4_hdr *h = rte_pktmbuf_read(m, offset, NB_IPV4_HEADER_BYTES, copy);

    if (!h || h->version_ihl >> 4 != 4)
        return NB_COUNTER_DROP_MALFORMED;
    ip->header_bytes = (h->version_ihl & 0x0f) * 4;
    ip->total_bytes = rte_be_to_cpu_16(h->total_length);
    if (ip->header_bytes < NB_IPV4_HEADER_BYTES || ip->total_bytes < ip->header_bytes ||
        ip->total_bytes > rte_pktmbuf_pkt_len(m) - offset)
        return NB_COUNTER_DROP_MALFORMED;
    h = rte_pktmbuf_read(m, offset, ip->header_bytes, copy);
    if (verify && nb_checksum_fold(nb_checksum_add(0, h, ip->header_bytes)) != 0xffff)
        return NB_COUNTER_DROP_BAD_CHECKSUM;
    ip->src = h->src_addr;
    ip->dst = h->dst_addr;
    ip->protocol = h->next_proto_id;
    ip->ttl = h->time_to_live;
    ip->fragment = h->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
    return 0;
}

void nb_ipv4_write(void *at, const struct nb_ipv4 *ip)
{
    struct rte_ipv4_hdr h = {
        .version_ihl = RTE_IPV4_VHL_DEF,
        .total_length = rte_cpu_to_be_16(ip->total_bytes),
        .fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
        .time_to_live = ip->ttl,
        .next_proto_id = ip->protocol,
        .src_addr = ip->src,
        .dst_addr = ip->dst,
    };

    h.hdr_checksum = nb_checksum_finish(nb_checksum_add(0, &h, sizeof h));
    memcpy(at, &h, sizeof h);
}
