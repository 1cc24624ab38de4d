/* arp.c - answering, asking and believing ARP (RFC 826, RFC 5227 for what is suspicious).
 *
 * ARP has no authentication, so we believe as little as works: a host that asks for us is learned when we know nothing
 * about it (it is about to talk to us), an answer is taken when we asked, and whatever contradicts what we know only
 * makes us ask again (neighbour.c). Nothing is learned from packets about our own address, about addresses that are
 * not on the link, or about senders that no host can be.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "../wire/arp.h"
#include "../wire/ipv4.h"
#include "neighbour.h"
#include "net.h"

/* Room for the padding that brings a frame to its minimal length. */
static_assert(NB_ETH_HEADER_BYTES + NB_ARP_BYTES <= NB_ETH_MIN_BYTES, "ARP frames are padded");

static void transmit(struct nb_net *net, unsigned port, const struct nb_arp *arp, const uint8_t dst[NB_MAC_BYTES])
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(net->mempool);
    size_t bytes = NB_ETH_MIN_BYTES - NB_ETH_HEADER_BYTES;
    char *at;

    if (!m) {
        net->counters[NB_COUNTER_DROP_NO_MBUF]++;
        return;
    }
    at = rte_pktmbuf_append(m, (uint16_t)bytes);
    memset(at, 0, bytes);
    nb_arp_write(at, arp);
    nb_eth_prepend(m, dst, net->port[port].mac, NB_ETH_ARP);
    net->env.transmit(net->env.arg, port, m);
}

/* Who has address? To the one we believe has it, or to everybody. */
void nb__arp_ask(struct nb_net *net, unsigned port, uint32_t address, const uint8_t *mac)
{
    struct nb_arp arp = {.op = NB_ARP_REQUEST, .sender = net->port[port].route.address, .target = address};

    memcpy(arp.sender_mac, net->port[port].mac, NB_MAC_BYTES);
    transmit(net, port, &arp, mac ? mac : nb_mac_broadcast);
}

static void answer(struct nb_net *net, unsigned port, const struct nb_arp *request)
{
    struct nb_arp arp = {.op = NB_ARP_REPLY, .sender = net->port[port].route.address, .target = request->sender};

    memcpy(arp.sender_mac, net->port[port].mac, NB_MAC_BYTES);
    memcpy(arp.target_mac, request->sender_mac, NB_MAC_BYTES);
    transmit(net, port, &arp, request->sender_mac);
    net->counters[NB_COUNTER_ARP_REPLIES]++;
}

/* Could the sender be a neighbour of ours? An address probe (RFC 5227 §2.1.1) has sender 0: answered, never learned. */
static bool is_credible(const struct nb_net_port *p, const struct nb_arp *arp)
{
    return nb_route_on_link(&p->route, arp->sender) && arp->sender != p->route.address &&
           !nb_route_is_broadcast(&p->route, arp->sender) && !nb_ipv4_is_martian(arp->sender);
}

static enum nb_counter learn_and_answer(struct nb_net *net, unsigned port, const struct nb_arp *arp, uint64_t now_us)
{
    const struct nb_net_port *p = &net->port[port];
    bool for_us = arp->target == p->route.address;
    bool ours = memcmp(arp->sender_mac, p->mac, NB_MAC_BYTES) == 0;

    if (ours || !nb_mac_is_host(arp->sender_mac))
        return NB_COUNTER_DROP_MARTIAN;
    if (is_credible(p, arp))
        nb_neighbour_heard(net->neighbours, port, arp->sender, arp->sender_mac, arp->op == NB_ARP_REPLY && for_us,
                           arp->op == NB_ARP_REQUEST && for_us, now_us);
    if (arp->op == NB_ARP_REQUEST && for_us && (arp->sender == 0 || is_credible(p, arp)))
        answer(net, port, arp);
    return for_us ? NB_COUNTER_COUNT : NB_COUNTER_DROP_NOT_FOR_US;
}

void nb__arp_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, uint64_t now_us)
{
    struct nb_arp arp;
    int reason = nb_arp_parse(&arp, m, NB_ETH_HEADER_BYTES);

    if (reason == 0)
        reason = learn_and_answer(net, port, &arp, now_us);
    if (reason == NB_COUNTER_COUNT)
        rte_pktmbuf_free(m);
    else
        nb__net_drop(net, m, reason);
}
