/* ipv4.c - parse and write the IPv4 header (RFC 791; checks as RFC 1122 §3.2.1 wants them). */
#include <string.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "checksum.h"
#include "ipv4.h"

#define HEADER_MAX 60 /* IHL has four bits */

enum option { OPTION_END = 0, OPTION_NOP = 1, OPTION_LOOSE_ROUTE = 131, OPTION_STRICT_ROUTE = 137 };

/* What they say does not matter to a host that sends nothing on, except that a route was asked for. */
static int read_options(struct nb_ipv4 *ip, const uint8_t *p, unsigned n)
{
    while (n > 0 && p[0] != OPTION_END) {
        unsigned bytes = 1;

        if (p[0] != OPTION_NOP) {
            if (n < 2 || p[1] < 2 || p[1] > n)
                return NB_COUNTER_DROP_MALFORMED;
            bytes = p[1];
        }
        ip->source_route |= p[0] == OPTION_LOOSE_ROUTE || p[0] == OPTION_STRICT_ROUTE;
        p += bytes;
        n -= bytes;
    }
    return 0;
}

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
    ip->tos = h->type_of_service;
    ip->fragment = h->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
    ip->more_fragments = h->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
    ip->fragment_offset = (uint16_t)((rte_be_to_cpu_16(h->fragment_offset) & RTE_IPV4_HDR_OFFSET_MASK) * 8);
    ip->id = rte_be_to_cpu_16(h->packet_id);
    ip->source_route = false;
    return read_options(ip, (const uint8_t *)(h + 1), ip->header_bytes - NB_IPV4_HEADER_BYTES);
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
