/* dad.c - Duplicate Address Detection (RFC 4862 §5.4): does somebody have our IPv6 address already?
 *
 * When a worker's time begins, the speaker asks for each address from nobody's address, once, as RFC 4862's
 * DupAddrDetectTransmits says, and every worker uses the addresses a second later unless it has heard of a conflict by
 * then. A conflict is final: two hosts with one address serve nobody, and which one is right only the operator knows.
 * The random delay before the first question (RFC 4862 §5.4.2), which keeps many hosts that are switched on together
 * from asking at once, is left to the time that starting a NIC takes.
 */
#include "../wire/ipv6.h"
#include "../wire/nd.h"
#include "net.h"

#define WAIT_US 1000000 /* RFC 4861 §10, RETRANS_TIMER */

static void ask(struct nb_net *net, unsigned port)
{
    for (unsigned i = 0; i < net->port[port].n_addresses; i++) {
        const struct nb_net_address *a = &net->port[port].address[i];
        const struct nb_nd question = {.type = NB_ICMPV6_NEIGHBOUR_SOLICITATION, .target = a->address};
        const struct nb_addr group = nb_ipv6_solicited_node(&a->address);

        if (a->state == NB_ADDRESS_TENTATIVE)
            nb__nd_send(net, port, NULL, &group, NULL, &question);
    }
}

static bool any_tentative(const struct nb_net_port *p)
{
    for (unsigned i = 0; i < p->n_addresses; i++)
        if (p->address[i].state == NB_ADDRESS_TENTATIVE)
            return true;
    return false;
}

static void take(struct nb_net_port *p)
{
    for (unsigned i = 0; i < p->n_addresses; i++)
        if (p->address[i].state == NB_ADDRESS_TENTATIVE)
            p->address[i].state = NB_ADDRESS_USABLE;
}

void nb__dad_tend(struct nb_net *net, unsigned port, uint64_t now_us)
{
    struct nb_net_beginning *b = &net->beginning[port];

    if (!b->asked && any_tentative(&net->port[port])) {
        b->asked = true;
        b->addresses_due_us = now_us + WAIT_US;
        if (net->speaker)
            ask(net, port);
    } else if (b->addresses_due_us && now_us >= b->addresses_due_us) {
        b->addresses_due_us = 0;
        take(&net->port[port]);
    }
}

void nb__dad_conflict(struct nb_net *net, unsigned port, struct nb_net_address *ours)
{
    const struct nb_net_news news = {.kind = NB_NEWS_CONFLICT, .family = NB_FAMILY_IPV6, .address = ours->address};

    net->counters[NB_COUNTER_ADDRESS_CONFLICTS]++;
    if (ours->state ==
        NB_ADDRESS_USABLE) /* we had it first (RFC 4862 §5.4.5: after detection, it is theirs to yield) */
        return;
    ours->state = NB_ADDRESS_CONFLICT;
    net->env.tell(net->env.arg, port, &news);
}
