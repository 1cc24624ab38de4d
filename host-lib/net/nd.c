/* nd.c - answering, asking and believing Neighbour Discovery (RFC 4861): what arp.c is for IPv4.
 *
 * Messages count only with hop limit 255, which no router can have let through (§7.1), and from senders that can be on
 * the link. What is believed is decided as for ARP, in neighbour.c. Redirects are not followed: whoever is on the link
 * could take our connections with them.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "../wire/extension.h"
#include "../wire/icmp.h"
#include "../wire/ipv6.h"
#include "../wire/nd.h"
#include "neighbour.h"
#include "net.h"

#define HOP_LIMIT 255

/* --- out -----------------------------------------------------------------------------------------------------------
 */

void nb__nd_send(struct nb_net *net, unsigned port, const struct nb_addr *source, const struct nb_addr *destination,
                 const uint8_t *mac, const struct nb_nd *nd)
{
    uint8_t body[NB_ND_BYTES_MAX], group[NB_MAC_BYTES];
    struct nb_icmp icmp = {.type = nd->type};
    unsigned bytes = nb_nd_write(body, nd, &icmp.rest), payload = NB_ICMP_HEADER_BYTES + bytes;
    struct rte_mbuf *m = nb__packet_new(net, NB_IPV6_HEADER_BYTES, payload);
    struct nb_ipv6 ip = {
        .dst = *destination, .payload_bytes = (uint16_t)payload, .next = NB_NEXT_ICMPV6, .hop_limit = HOP_LIMIT};

    if (!m)
        return;
    if (source)
        ip.src = *source;
    nb_ipv6_write(rte_pktmbuf_mtod(m, void *), &ip);
    memcpy(rte_pktmbuf_mtod_offset(m, void *, NB_IPV6_HEADER_BYTES + NB_ICMP_HEADER_BYTES), body, bytes);
    nb_icmpv6_write(m, NB_IPV6_HEADER_BYTES, &icmp, &ip.src, &ip.dst);
    nb_ipv6_multicast_mac(destination, group);
    nb__net_send(net, port, NB_FAMILY_IPV6, mac ? mac : group, m);
}

void nb__nd_ask(struct nb_net *net, unsigned port, const struct nb_addr *address, const uint8_t *mac)
{
    const struct nb_addr *source = nb_net_port_source(&net->port[port], NB_FAMILY_IPV6, address);
    const struct nb_addr group = nb_ipv6_solicited_node(address);
    struct nb_nd question = {.type = NB_ICMPV6_NEIGHBOUR_SOLICITATION, .has_mac = true, .target = *address};

    if (!source) /* none of our addresses is usable yet: asked again later */
        return;
    memcpy(question.mac, net->port[port].mac, sizeof question.mac);
    nb__nd_send(net, port, source, mac ? address : &group, mac, &question);
}

/* To who asked; to everybody when that was somebody who looks for duplicates (RFC 4861 §7.2.4). */
static void answer(struct nb_net *net, const struct nb_packet *p, const struct nb_nd *question)
{
    bool to_all = nb_addr_is_zero(&p->src);
    const struct nb_addr destination = to_all ? NB_IPV6_ALL_NODES : p->src;
    struct nb_nd nd = {.type = NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT,
                       .solicited = !to_all,
                       .override = true,
                       .has_mac = true,
                       .target = question->target};

    memcpy(nd.mac, net->port[p->port].mac, sizeof nd.mac);
    nb__nd_send(net, p->port, &question->target, &destination, to_all ? NULL : p->eth.src, &nd);
    net->counters[NB_COUNTER_ND_REPLIES]++;
}

/* --- in ------------------------------------------------------------------------------------------------------------
 */

static void hear(struct nb_net *net, const struct nb_packet *p, const struct nb_addr *address, const uint8_t *mac,
                 bool is_answer, bool may_create, uint64_t now_us)
{
    if (nb_mac_is_host(mac) && nb_net_port_is_neighbour(&net->port[p->port], NB_FAMILY_IPV6, address))
        nb_neighbour_heard(net->neighbours, p->port, NB_FAMILY_IPV6, address, mac, is_answer, may_create, now_us);
}

static enum nb_counter on_solicitation(struct nb_net *net, const struct nb_packet *p, const struct nb_nd *nd,
                                       uint64_t now_us)
{
    struct nb_net_address *ours = nb_net_port_find(&net->port[p->port], NB_FAMILY_IPV6, &nd->target);
    bool probe = nb_addr_is_zero(&p->src);

    if (!ours)
        return NB_COUNTER_DROP_NOT_FOR_US;
    if (probe && (nd->has_mac || !nb_ipv6_is_multicast(&p->dst))) /* RFC 4861 §7.1.1 */
        return NB_COUNTER_DROP_MALFORMED;
    if (!probe && !nb_net_port_is_neighbour(&net->port[p->port], NB_FAMILY_IPV6, &p->src))
        return NB_COUNTER_DROP_MARTIAN;
    if (ours->state == NB_ADDRESS_TENTATIVE && probe)
        nb__dad_conflict(net, p->port, ours);
    if (ours->state != NB_ADDRESS_USABLE)
        return NB_COUNTER_DROP_NOT_FOR_US;
    if (nd->has_mac)
        hear(net, p, &p->src, nd->mac, false, true, now_us);
    answer(net, p, nd);
    return NB_COUNTER_COUNT;
}

static enum nb_counter on_advertisement(struct nb_net *net, const struct nb_packet *p, const struct nb_nd *nd,
                                        uint64_t now_us)
{
    struct nb_net_address *ours = nb_net_port_find(&net->port[p->port], NB_FAMILY_IPV6, &nd->target);

    if (nd->solicited && nb_ipv6_is_multicast(&p->dst)) /* RFC 4861 §7.1.2 */
        return NB_COUNTER_DROP_MALFORMED;
    if (ours) {
        nb__dad_conflict(net, p->port, ours);
        return NB_COUNTER_DROP_MARTIAN;
    }
    hear(net, p, &nd->target, nd->has_mac ? nd->mac : p->eth.src, nd->solicited, false, now_us);
    return NB_COUNTER_COUNT;
}

static enum nb_counter on_router_advertisement(struct nb_net *net, const struct nb_packet *p, const struct nb_nd *nd,
                                               uint64_t now_us)
{
    if (!nb_ipv6_is_link_local(&p->src)) /* RFC 4861 §6.1.2 */
        return NB_COUNTER_DROP_MARTIAN;
    nb__router_heard(net, p, nd, now_us);
    return NB_COUNTER_COUNT;
}

static enum nb_counter dispatch(struct nb_net *net, const struct nb_packet *p, const struct nb_nd *nd, uint64_t now_us)
{
    if (memcmp(p->eth.src, net->port[p->port].mac, NB_MAC_BYTES) == 0) /* our own question, come back */
        return NB_COUNTER_DROP_MARTIAN;
    switch (nd->type) {
    case NB_ICMPV6_NEIGHBOUR_SOLICITATION:
        return on_solicitation(net, p, nd, now_us);
    case NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT:
        return on_advertisement(net, p, nd, now_us);
    case NB_ICMPV6_ROUTER_ADVERTISEMENT:
        return on_router_advertisement(net, p, nd, now_us);
    }
    return NB_COUNTER_DROP_NOT_FOR_US; /* solicitations are for routers */
}

void nb__nd_input(struct nb_net *net, const struct nb_packet *p, const struct nb_icmp *icmp, uint64_t now_us)
{
    struct nb_nd nd;
    int reason = p->hop_limit != HOP_LIMIT || icmp->code != 0 ? NB_COUNTER_DROP_MARTIAN : 0;

    if (reason == 0)
        reason = nb_nd_parse(&nd, icmp->type, p->m, p->l4_offset, p->l4_bytes);
    if (reason == 0)
        reason = dispatch(net, p, &nd, now_us);
    if (reason == NB_COUNTER_COUNT)
        rte_pktmbuf_free(p->m);
    else
        nb__net_drop(net, p->m, (enum nb_counter)reason);
}
