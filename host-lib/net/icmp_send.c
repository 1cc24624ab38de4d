/* icmp_send.c - errors that a host reports (RFC 1122 §3.2.2, RFC 4443 §2.4): a protocol or port that nobody serves, a
 * header that cannot be understood, a datagram whose fragments did not all come.
 *
 * Never about an error, a fragment other than the first, or anything to or from a group; and no more than so many a
 * second, since whoever makes us send them chooses to whom (RFC 4443 §2.4 (f)).
 */
#include <string.h>

#include <rte_mbuf.h>

#include "../wire/extension.h"
#include "../wire/ipv4.h"
#include "../wire/ipv6.h"
#include "net.h"

#define QUOTE_IPV4 (576 - NB_IPV4_HEADER_BYTES - NB_ICMP_HEADER_BYTES) /* RFC 1812 §4.3.2.3 */
#define QUOTE_IPV6 (NB_IPV6_MTU_MIN - NB_IPV6_HEADER_BYTES - NB_ICMP_HEADER_BYTES)
#define BURST      50    /* Linux's icmp_msgs_burst */
#define PERIOD_US  10000 /* one every 10 ms: 100 a second a worker */

static bool may_send(struct nb_net *net, uint64_t now_us)
{
    uint64_t earned = (now_us - net->errors_at_us) / PERIOD_US;

    if (earned) {
        net->errors_left = (uint8_t)RTE_MIN(net->errors_left + earned, (uint64_t)BURST);
        net->errors_at_us = now_us;
    }
    if (!net->errors_left) {
        net->counters[NB_COUNTER_ICMP_LIMITED]++;
        return false;
    }
    net->errors_left--;
    return true;
}

static void write_ip(const struct nb_icmp_about *about, void *at, uint16_t payload)
{
    struct nb_ipv4 v4 = {.src = about->dst.word[0],
                         .dst = about->src.word[0],
                         .total_bytes = (uint16_t)(NB_IPV4_HEADER_BYTES + payload),
                         .protocol = NB_IP_ICMP,
                         .ttl = NB_IPV4_TTL};
    struct nb_ipv6 v6 = {.src = about->dst,
                         .dst = about->src,
                         .payload_bytes = payload,
                         .next = NB_NEXT_ICMPV6,
                         .hop_limit = NB_IPV6_HOP_LIMIT};

    if (about->family == NB_FAMILY_IPV4)
        nb_ipv4_write(at, &v4);
    else
        nb_ipv6_write(at, &v6);
}

void nb__icmp_send(struct nb_net *net, const struct nb_icmp_about *about, const struct nb_icmp *icmp, uint64_t now_us)
{
    bool v4 = about->family == NB_FAMILY_IPV4;
    unsigned header = v4 ? NB_IPV4_HEADER_BYTES : NB_IPV6_HEADER_BYTES;
    uint32_t quote =
        RTE_MIN(rte_pktmbuf_pkt_len(about->m) - about->l3_offset, (uint32_t)(v4 ? QUOTE_IPV4 : QUOTE_IPV6));
    uint16_t payload = (uint16_t)(NB_ICMP_HEADER_BYTES + quote);
    uint32_t path = UINT32_MAX;
    const void *from;
    struct rte_mbuf *m;
    uint8_t *to;

    if (!nb_net_port_has(&net->port[about->port], about->family, &about->dst) || !may_send(net, now_us) ||
        !(m = nb__packet_new(net, header, payload)))
        return;
    write_ip(about, rte_pktmbuf_mtod(m, void *), payload);
    to = rte_pktmbuf_mtod_offset(m, uint8_t *, header + NB_ICMP_HEADER_BYTES);
    from = rte_pktmbuf_read(about->m, about->l3_offset, quote, to);
    if (from != to)
        memcpy(to, from, quote);
    if (v4)
        nb_icmp_write(m, (uint16_t)header, icmp);
    else
        nb_icmpv6_write(m, (uint16_t)header, icmp, &about->dst, &about->src);
    net->counters[NB_COUNTER_ICMP_SENT]++;
    nb_net_output(net, about->port, about->family, &about->src, &path, m, now_us);
}
