/* icmp.c - parse ICMP, turn an echo request into its reply (RFC 792). */
#include <rte_icmp.h>
#include <rte_mbuf.h>

#include "checksum.h"
#include "icmp.h"

int nb_icmp_parse(struct nb_icmp *icmp, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes)
{
    uint8_t copy[NB_ICMP_HEADER_BYTES];
    const struct rte_icmp_hdr *h = rte_pktmbuf_read(m, offset, sizeof copy, copy);

    if (!h || bytes < NB_ICMP_HEADER_BYTES || bytes > rte_pktmbuf_pkt_len(m) - offset)
        return NB_COUNTER_DROP_MALFORMED;
    if (nb_checksum_fold(nb_checksum_add_mbuf(0, m, offset, bytes)) != 0xffff)
        return NB_COUNTER_DROP_BAD_CHECKSUM;
    icmp->type = h->icmp_type;
    icmp->code = h->icmp_code;
    return 0;
}

/* Only the type changes, so the checksum is adjusted rather than computed anew (RFC 1624 eqn. 3). Zero is written as
 * 0xffff: both are right, except in a message that is otherwise all zeros, where only 0xffff is. */
void nb_icmp_make_echo_reply(struct rte_mbuf *m, uint16_t offset)
{
    struct rte_icmp_hdr *h = rte_pktmbuf_mtod_offset(m, struct rte_icmp_hdr *, offset);
    uint16_t old_word = rte_cpu_to_be_16((uint16_t)(h->icmp_type << 8));
    uint32_t sum = (uint16_t)~h->icmp_cksum + (uint32_t)(uint16_t)~old_word;

    h->icmp_type = NB_ICMP_ECHO_REPLY;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    h->icmp_cksum = (uint16_t)sum == UINT16_MAX ? UINT16_MAX : (uint16_t)~sum;
}
