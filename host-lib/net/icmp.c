/* icmp.c - answers ping (RFC 1122 §3.2.2.6) and hands on errors about our TCP segments. Other messages are counted and
 * dropped.
 *
 * The request's own buffer becomes the reply. Its IP header is written anew, without the request's options: source
 * routes are not followed and records not kept.
 */
#include <rte_mbuf.h>

#include "../wire/icmp_error.h"
#include "../wire/ipv4.h"
#include "net.h"

static void reply(struct nb_net *net, const struct nb_packet *p, uint64_t now_us)
{
    struct nb_ipv4 ip = {.src = p->dst.word[0],
                         .dst = p->src.word[0],
                         .total_bytes = (uint16_t)(NB_IPV4_HEADER_BYTES + p->l4_bytes),
                         .protocol = NB_IP_ICMP,
                         .ttl = NB_IPV4_TTL};
    uint32_t path = UINT32_MAX;

    nb_icmp_make_echo_reply(p->m, p->l4_offset);
    nb_ipv4_write(rte_pktmbuf_adj(p->m, p->l4_offset - NB_IPV4_HEADER_BYTES), &ip);
    nb__packet_ours(p->m);
    net->counters[NB_COUNTER_ECHO_REPLIES]++;
    nb_net_output(net, p->port, NB_FAMILY_IPV4, &p->src, &path, p->m, now_us);
}

bool nb__icmp_error_input(struct nb_net *net, const struct nb_packet *p)
{
    struct nb_icmp_error error;

    if (!nb_icmp_error_parse(&error, p->m, p->l4_offset, p->l4_bytes, p->family) ||
        !nb_net_port_has(&net->port[p->port], p->family, &error.key.local))
        return false;
    error.key.port_group = (uint8_t)p->port;
    error.key.vlan = p->eth.vlan;
    net->env.icmp_error(net->env.arg, &error);
    rte_pktmbuf_free(p->m);
    return true;
}

void nb__icmp_input(struct nb_net *net, const struct nb_packet *p, uint64_t now_us)
{
    struct nb_icmp icmp;
    int reason = nb_icmp_parse(&icmp, p->m, p->l4_offset, p->l4_bytes);

    if (reason == 0 && nb__icmp_error_input(net, p))
        return;
    if (reason == 0 && (icmp.type != NB_ICMP_ECHO_REQUEST || icmp.code != 0))
        reason = NB_COUNTER_DROP_UNKNOWN_PROTOCOL;
    if (reason == 0 && rte_pktmbuf_data_len(p->m) < p->l4_offset + NB_ICMP_HEADER_BYTES)
        reason = NB_COUNTER_DROP_MALFORMED; /* headers cut in pieces: no port of ours does that */
    if (reason)
        nb__net_drop(net, p->m, (enum nb_counter)reason);
    else
        reply(net, p, now_us);
}
