/* icmp.c - parse and write ICMP and ICMPv6, turn an echo request into its reply. */
#include <string.h>

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_icmp.h>
#include <rte_mbuf.h>

#include "checksum.h"
#include "icmp.h"

/* Type, code and checksum are the same in both families; four bytes of the message's own follow. */
struct header {
    uint8_t type, code;
    uint16_t checksum;
    uint32_t rest;
};
static_assert(sizeof(struct header) == NB_ICMP_HEADER_BYTES, "the header as it is on the wire");

static int parse(struct nb_icmp *icmp, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes, uint64_t pseudo)
{
    uint8_t copy[NB_ICMP_HEADER_BYTES];
    const uint8_t *p = rte_pktmbuf_read(m, offset, sizeof copy, copy);
    struct header h;

    if (!p || bytes < NB_ICMP_HEADER_BYTES || bytes > rte_pktmbuf_pkt_len(m) - offset)
        return NB_COUNTER_DROP_MALFORMED;
    if (nb_checksum_fold(nb_checksum_add_mbuf(pseudo, m, offset, bytes)) != 0xffff)
        return NB_COUNTER_DROP_BAD_CHECKSUM;
    memcpy(&h, p, sizeof h);
    *icmp = (struct nb_icmp){.type = h.type, .code = h.code, .rest = rte_be_to_cpu_32(h.rest)};
    return 0;
}

int nb_icmp_parse(struct nb_icmp *icmp, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes)
{
    return parse(icmp, m, offset, bytes, 0);
}

int nb_icmpv6_parse(struct nb_icmp *icmp, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes,
                    const struct nb_addr *src, const struct nb_addr *dst)
{
    return parse(icmp, m, offset, bytes, nb_checksum_pseudo_ipv6(src, dst, IPPROTO_ICMPV6, bytes));
}

/* Only the type changes, so the checksum is adjusted rather than computed anew (RFC 1624 eqn. 3). Zero is written as
 * 0xffff: both are right, except in a message that is otherwise all zeros, where only 0xffff is. */
static void make_reply(struct rte_mbuf *m, uint16_t offset, uint8_t type)
{
    struct rte_icmp_hdr *h = rte_pktmbuf_mtod_offset(m, struct rte_icmp_hdr *, offset);
    uint16_t old_word = rte_cpu_to_be_16((uint16_t)(h->icmp_type << 8));
    uint16_t new_word = rte_cpu_to_be_16((uint16_t)(type << 8));
    uint32_t sum = (uint16_t)~h->icmp_cksum + (uint32_t)(uint16_t)~old_word + new_word;

    h->icmp_type = type;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    h->icmp_cksum = (uint16_t)sum == UINT16_MAX ? UINT16_MAX : (uint16_t)~sum;
}

void nb_icmp_make_echo_reply(struct rte_mbuf *m, uint16_t offset)
{
    make_reply(m, offset, NB_ICMP_ECHO_REPLY);
}

void nb_icmpv6_make_echo_reply(struct rte_mbuf *m, uint16_t offset)
{
    make_reply(m, offset, NB_ICMPV6_ECHO_REPLY);
}

static void write_header(struct rte_mbuf *m, uint16_t offset, const struct nb_icmp *icmp, uint64_t pseudo)
{
    struct header *h = rte_pktmbuf_mtod_offset(m, struct header *, offset);

    *h = (struct header){.type = icmp->type, .code = icmp->code, .rest = rte_cpu_to_be_32(icmp->rest)};
    h->checksum = nb_checksum_finish(nb_checksum_add_mbuf(pseudo, m, offset, rte_pktmbuf_pkt_len(m) - offset));
}

void nb_icmp_write(struct rte_mbuf *m, uint16_t offset, const struct nb_icmp *icmp)
{
    write_header(m, offset, icmp, 0);
}

void nb_icmpv6_write(struct rte_mbuf *m, uint16_t offset, const struct nb_icmp *icmp, const struct nb_addr *src,
                     const struct nb_addr *dst)
{
    write_header(m, offset, icmp, nb_checksum_pseudo_ipv6(src, dst, IPPROTO_ICMPV6, rte_pktmbuf_pkt_len(m) - offset));
}
