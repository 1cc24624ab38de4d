/* icmp.c - answers ping (RFC 1122 §3.2.2.6). Other messages are counted and dropped.
 *
 * The request's own buffer becomes the reply. Its IP header is written anew, without the request's options: source
 * routes are not followed and records not kept.
 */
#include <rte_mbuf.h>

#include "../wire/icmp.h"
#include "../wire/ipv4.h"
#include "net.h"

static void reply(struct nb_net *net, unsigned port, struct rte_mbuf *m, const struct nb_net_segment *message,
                  uint64_t now_us)
{
    struct nb_ipv4 ip = {.src = message->dst,
                         .dst = message->src,
                         .total_bytes = (uint16_t)(NB_IPV4_HEADER_BYTES + message->l4_bytes),
                         .protocol = NB_IP_ICMP,
                         .ttl = NB_IPV4_TTL};
    uint32_t path = UINT32_MAX;

    nb_icmp_make_echo_reply(m, message->l4_offset);
    nb_ipv4_write(rte_pktmbuf_adj(m, message->l4_offset - NB_IPV4_HEADER_BYTES), &ip);
    m->ol_flags = 0;
    m->l2_len = 0;
    net->counters[NB_COUNTER_ECHO_REPLIES]++;
    nb_net_output(net, port, ip.dst, &path, m, now_us);
}

void nb__icmp_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, const struct nb_net_segment *message,
                    uint64_t now_us)
{
    struct nb_icmp icmp;
    int reason = nb_icmp_parse(&icmp, m, message->l4_offset, message->l4_bytes);

    if (reason == 0 && (icmp.type != NB_ICMP_ECHO_REQUEST || icmp.code != 0))
        reason = NB_COUNTER_DROP_UNKNOWN_PROTOCOL;
    if (reason == 0 && rte_pktmbuf_data_len(m) < message->l4_offset + NB_ICMP_HEADER_BYTES)
        reason = NB_COUNTER_DROP_MALFORMED; /* headers cut in pieces: no port of ours does that */
    if (reason)
        nb__net_drop(net, m, reason);
    else
        reply(net, port, m, message, now_us);
}
