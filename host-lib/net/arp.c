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
    nb_eth_prepend(m, dst, net->port[port].mac, NB_ETH_ARP, net->port[port].vlan);
    net->env.transmit(net->env.arg, port, m);
}

/* Who has address? To the one we believe has it, or to everybody. */
void nb__arp_ask(struct nb_net *net, unsigned port, uint32_t address, const uint8_t *mac)
{
    const struct nb_addr target = {{address}};
    const struct nb_addr *source = nb_net_port_source(&net->port[port], NB_FAMILY_IPV4, &target);
    struct nb_arp arp = {.op = NB_ARP_REQUEST, .sender = source->word[0], .target = address};

    memcpy(arp.sender_mac, net->port[port].mac, NB_MAC_BYTES);
    transmit(net, port, &arp, mac ? mac : nb_mac_broadcast);
}

static void answer(struct nb_net *net, unsigned port, const struct nb_arp *request)
{
    struct nb_arp arp = {.op = NB_ARP_REPLY, .sender = request->target, .target = request->sender};

    memcpy(arp.sender_mac, net->port[port].mac, NB_MAC_BYTES);
    memcpy(arp.target_mac, request->sender_mac, NB_MAC_BYTES);
    transmit(net, port, &arp, request->sender_mac);
    net->counters[NB_COUNTER_ARP_REPLIES]++;
}

/* A sender that cannot be a neighbour of ours is not believed, nor answered, except an address probe (RFC 5227 §2.1.1),
 * whose sender is 0. */
static enum nb_counter learn_and_answer(struct nb_net *net, unsigned port, const struct nb_arp *arp, uint64_t now_us)
{
    const struct nb_net_port *p = &net->port[port];
    const struct nb_addr sender = {{arp->sender}}, target = {{arp->target}};
    bool for_us = nb_net_port_has(p, NB_FAMILY_IPV4, &target);
    bool credible = nb_net_port_is_neighbour(p, NB_FAMILY_IPV4, &sender);

    if (memcmp(arp->sender_mac, p->mac, NB_MAC_BYTES) == 0 || !nb_mac_is_host(arp->sender_mac))
        return NB_COUNTER_DROP_MARTIAN;
    if (credible)
        nb_neighbour_heard(net->neighbours, port, NB_FAMILY_IPV4, &sender, arp->sender_mac,
                           arp->op == NB_ARP_REPLY && for_us, arp->op == NB_ARP_REQUEST && for_us, now_us);
    if (arp->op == NB_ARP_REQUEST && for_us && (arp->sender == 0 || credible))
        answer(net, port, arp);
    return for_us ? NB_COUNTER_COUNT : NB_COUNTER_DROP_NOT_FOR_US;
}

void nb__arp_input(struct nb_net *net, const struct nb_packet *p, uint64_t now_us)
{
    struct nb_arp arp;
    int reason = nb_arp_parse(&arp, p->m, p->l3_offset);

    if (reason == 0)
        reason = learn_and_answer(net, p->port, &arp, now_us);
    if (reason == NB_COUNTER_COUNT)
        rte_pktmbuf_free(p->m);
    else
        nb__net_drop(net, p->m, (enum nb_counter)reason);
}
