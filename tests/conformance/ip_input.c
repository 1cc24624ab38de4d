/* ip_input.c - see ip_input.h. The headers come from packetdrill, which writes them correctly; what is checked here is
 * that they are what this stack takes.
 */
#include "ip_input.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "../../host-lib/wire/icmp_error.h"
#include "../../host-lib/wire/segment.h"
#include "stack.h"

struct ip_header {
    uint8_t protocol;
    uint16_t header_bytes;
    uint32_t payload_bytes;
};

static bool read_ipv4(struct ip_header *ip, struct nb_flow_key *key, const struct rte_mbuf *m)
{
    const struct rte_ipv4_hdr *header = rte_pktmbuf_mtod(m, const void *);
    if (m->data_len < sizeof *header)
        return false;
    ip->header_bytes = rte_ipv4_hdr_len(header);
    ip->protocol = header->next_proto_id;
    ip->payload_bytes = (uint32_t)rte_be_to_cpu_16(header->total_length) - ip->header_bytes;
    key->family = NB_FAMILY_IPV4;
    key->local.word[0] = header->dst_addr;
    key->remote.word[0] = header->src_addr;
    return true;
}

static bool read_ipv6(struct ip_header *ip, struct nb_flow_key *key, const struct rte_mbuf *m)
{
    const struct rte_ipv6_hdr *header = rte_pktmbuf_mtod(m, const void *);
    if (m->data_len < sizeof *header)
        return false;
    ip->header_bytes = sizeof *header;
    ip->protocol = header->proto;
    ip->payload_bytes = rte_be_to_cpu_16(header->payload_len);
    key->family = NB_FAMILY_IPV6;
    memcpy(&key->local, header->dst_addr, sizeof key->local);
    memcpy(&key->remote, header->src_addr, sizeof key->remote);
    return true;
}

static bool read_ip(struct ip_header *ip, struct nb_flow_key *key, const struct rte_mbuf *m)
{
    uint8_t version = *rte_pktmbuf_mtod(m, const uint8_t *) >> 4;
    bool ok = version == 4 ? read_ipv4(ip, key, m) : version == 6 && read_ipv6(ip, key, m);
    return ok && ip->header_bytes + ip->payload_bytes <= m->pkt_len;
}

static bool tcp_input(struct stack *stack, struct nb_seg *seg, struct rte_mbuf *m, const struct ip_header *ip)
{
    if (nb_seg_parse(seg, m, ip->header_bytes, ip->payload_bytes, true)) {
        rte_pktmbuf_free(m);
        return false;
    }
    seg->hash = nb_flow_hash(stack->flows, &seg->key);
    nb_tcp_input(stack->tcp, seg, nb_flow_find(stack->flows, &seg->key, seg->hash), 0, stack->clock.now_us);
    return true;
}

/* ICMP's checksums are packetdrill's business. */
static bool icmp_input(struct stack *stack, uint8_t family, const struct rte_mbuf *m, const struct ip_header *ip)
{
    struct nb_icmp_error error;
    if (!nb_icmp_error_parse(&error, m, ip->header_bytes, ip->payload_bytes, family))
        return false;
    uint32_t hash = nb_flow_hash(stack->flows, &error.key);
    nb_tcp_icmp(stack->tcp, &error, nb_flow_find(stack->flows, &error.key, hash), stack->clock.now_us);
    return true;
}

bool ip_input(struct stack *stack, struct rte_mbuf *m)
{
    struct nb_seg seg = {0};
    struct ip_header ip;
    bool ok = read_ip(&ip, &seg.key, m);
    if (ok && ip.protocol == IPPROTO_TCP)
        return tcp_input(stack, &seg, m, &ip);
    if (ok && (ip.protocol == IPPROTO_ICMP || ip.protocol == IPPROTO_ICMPV6))
        ok = icmp_input(stack, seg.key.family, m, &ip);
    rte_pktmbuf_free(m);
    return ok;
}
