/* icmpv6.c - answers ping (RFC 4443 §4.2), hands Neighbour Discovery to the worker that speaks it, and errors to whom
 * they are about. Other messages are counted and dropped.
 */
#include <rte_mbuf.h>

#include "../wire/extension.h"
#include "net.h"

static bool is_neighbour_discovery(const struct nb_icmp *icmp)
{
    return icmp->type >= NB_ICMPV6_ROUTER_SOLICITATION && icmp->type <= NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT;
}

/* The request's own buffer becomes the reply. */
static void reply(struct nb_net *net, const struct nb_packet *p, uint64_t now_us)
{
    struct nb_ipv6 ip = {.src = p->dst,
                         .dst = p->src,
                         .payload_bytes = (uint16_t)p->l4_bytes,
                         .next = NB_NEXT_ICMPV6,
                         .hop_limit = NB_IPV6_HOP_LIMIT};
    uint32_t path = UINT32_MAX;

    nb_icmpv6_make_echo_reply(p->m, p->l4_offset);
    nb_ipv6_write(rte_pktmbuf_adj(p->m, p->l4_offset - NB_IPV6_HEADER_BYTES), &ip);
    nb__packet_ours(p->m);
    net->counters[NB_COUNTER_ECHO_REPLIES]++;
    nb_net_output(net, p->port, NB_FAMILY_IPV6, &p->src, &path, p->m, now_us);
}

/* A request to a group is not answered: its sender would hear from everybody at once. */
static int refuse_echo(const struct nb_packet *p, const struct nb_icmp *icmp)
{
    if (icmp->type != NB_ICMPV6_ECHO_REQUEST || icmp->code != 0)
        return NB_COUNTER_DROP_UNKNOWN_PROTOCOL;
    if (nb_ipv6_is_multicast(&p->dst))
        return NB_COUNTER_DROP_NOT_FOR_US;
    return rte_pktmbuf_data_len(p->m) < p->l4_offset + NB_ICMP_HEADER_BYTES ? NB_COUNTER_DROP_MALFORMED : 0;
}

void nb__icmpv6_input(struct nb_net *net, const struct nb_packet *p, uint64_t now_us)
{
    struct nb_icmp icmp;
    int reason = nb_icmpv6_parse(&icmp, p->m, p->l4_offset, p->l4_bytes, &p->src, &p->dst);

    if (reason == 0 && is_neighbour_discovery(&icmp) && p->reassembled)
        reason = NB_COUNTER_DROP_FRAGMENT; /* RFC 6980 §5 */
    if (reason == 0 && is_neighbour_discovery(&icmp)) {
        if (nb__is_for_speaker(net, p->port, p->m))
            nb__nd_input(net, p, &icmp, now_us);
        return;
    }
    if (reason == 0 && nb__icmp_error_input(net, p))
        return;
    if (reason == 0)
        reason = refuse_echo(p, &icmp);
    if (reason)
        nb__net_drop(net, p->m, (enum nb_counter)reason);
    else
        reply(net, p, now_us);
}
