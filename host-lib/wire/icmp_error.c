/* icmp_error.c - see icmp_error.h. The embedded packet is whatever a router, or somebody who pretends to be one, has
 * put there: everything is bounded by the message, and nothing but tuple and sequence number is taken from it (the
 * eight bytes behind the IP header that every router has to quote).
 */
#include "icmp_error.h"

#include <string.h>

#include <rte_common.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#define ICMP_BYTES      8
#define QUOTED_TCP      8  /* ports and sequence number */
#define LONGEST_HEADER  60 /* IPv4's, with options */
#define PROTOCOL_TCP    6
#define FRAGMENT_OFFSET 0x1fff

struct fields {
    uint8_t type, code;
    rte_be16_t checksum;
    rte_be16_t unused, mtu16; /* RFC 1191 §4 */
};

struct quoted_tcp {
    rte_be16_t src_port, dst_port;
    rte_be32_t seq;
};

static bool is_error(uint8_t type, uint8_t family)
{
    if (family == NB_FAMILY_IPV6)
        return type < 128; /* RFC 4443 §2.1 */
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* The embedded IP header: its addresses, and where TCP's begins. 0: not one of ours. */
static unsigned read_ipv4(struct nb_flow_key *key, const uint8_t *packet, uint32_t n)
{
    const struct rte_ipv4_hdr *ip = (const void *)packet;
    if (n < sizeof *ip || packet[0] >> 4 != 4 || rte_ipv4_hdr_len(ip) < sizeof *ip)
        return 0;
    if (ip->next_proto_id != PROTOCOL_TCP || rte_be_to_cpu_16(ip->fragment_offset) & FRAGMENT_OFFSET)
        return 0;
    key->local.word[0] = ip->src_addr;
    key->remote.word[0] = ip->dst_addr;
    return rte_ipv4_hdr_len(ip);
}

static unsigned read_ipv6(struct nb_flow_key *key, const uint8_t *packet, uint32_t n)
{
    const struct rte_ipv6_hdr *ip = (const void *)packet;
    if (n < sizeof *ip || packet[0] >> 4 != 6 || ip->proto != PROTOCOL_TCP)
        return 0;
    memcpy(&key->local, ip->src_addr, sizeof key->local);
    memcpy(&key->remote, ip->dst_addr, sizeof key->remote);
    return sizeof *ip;
}

bool nb_icmp_error_parse(struct nb_icmp_error *error, const struct rte_mbuf *m, uint32_t offset, uint32_t bytes,
                         uint8_t family)
{
    uint8_t copy[ICMP_BYTES + LONGEST_HEADER + QUOTED_TCP];
    struct quoted_tcp tcp;
    struct fields icmp;
    uint32_t n = RTE_MIN(bytes, (uint32_t)sizeof copy);
    const uint8_t *message = n > ICMP_BYTES ? rte_pktmbuf_read(m, offset, n, copy) : NULL;
    if (!message || !is_error(message[0], family))
        return false;
    memcpy(&icmp, message, sizeof icmp);
    *error = (struct nb_icmp_error){.type = icmp.type, .code = icmp.code, .key.family = family};
    error->mtu_bytes = rte_be_to_cpu_16(icmp.mtu16);
    if (family == NB_FAMILY_IPV6)
        error->mtu_bytes |= (uint32_t)rte_be_to_cpu_16(icmp.unused) << 16; /* RFC 4443 §3.2: 32 bits */
    message += ICMP_BYTES;
    n -= ICMP_BYTES;
    unsigned header =
        family == NB_FAMILY_IPV4 ? read_ipv4(&error->key, message, n) : read_ipv6(&error->key, message, n);
    if (!header || n < header + sizeof tcp)
        return false;
    memcpy(&tcp, message + header, sizeof tcp);
    error->key.local_port = rte_be_to_cpu_16(tcp.src_port);
    error->key.remote_port = rte_be_to_cpu_16(tcp.dst_port);
    error->seq = rte_be_to_cpu_32(tcp.seq);
    return true;
}
