/* router.c - the gateway for IPv6 as routers announce it (RFC 4861 §6.3), where none is configured.
 *
 * The speaker asks for routers once it has an address, at most three times, and believes one: the first that announces
 * itself, until its lifetime ends or it says that it is none any more. A router announces itself every few minutes, so
 * what another worker missed it hears again. Prefixes, hop limits and timers in announcements are not used: our
 * addresses and their networks are configured.
 */
#include <string.h>

#include "../wire/ipv6.h"
#include "../wire/nd.h"
#include "neighbour.h"
#include "net.h"

#define SOLICITATIONS   3       /* RFC 4861 §10, MAX_RTR_SOLICITATIONS */
#define SOLICITATION_US 4000000 /* RTR_SOLICITATION_INTERVAL */
#define SECOND_US       UINT64_C(1000000)

static void ask(struct nb_net *net, unsigned port)
{
    const struct nb_addr routers = NB_IPV6_ALL_ROUTERS;
    const struct nb_addr *source = nb_net_port_source(&net->port[port], NB_FAMILY_IPV6, &routers);
    struct nb_nd question = {.type = NB_ICMPV6_ROUTER_SOLICITATION, .has_mac = source};

    memcpy(question.mac, net->port[port].mac, sizeof question.mac);
    nb__nd_send(net, port, source, &routers, NULL, &question);
}

/* May we ask, and is there a reason to? */
static bool is_looking(const struct nb_net *net, unsigned port)
{
    const struct nb_net_beginning *b = &net->beginning[port];

    return net->speaker && net->port[port].asks_routers && b->asked && !b->addresses_due_us &&
           nb_addr_is_zero(&net->port[port].gateway6) && b->routers_asked < SOLICITATIONS;
}

void nb__router_tend(struct nb_net *net, unsigned port, uint64_t now_us)
{
    struct nb_net_beginning *b = &net->beginning[port];
    struct nb_net_port *p = &net->port[port];

    if (p->gateway6_until_us && now_us >= p->gateway6_until_us) {
        p->gateway6 = (struct nb_addr){0};
        p->gateway6_until_us = 0;
        nb_neighbours_reroute(net->neighbours);
        b->routers_asked = 0;
    }
    if (!is_looking(net, port)) {
        b->routers_due_us = 0;
    } else if (now_us >= b->routers_due_us) {
        b->routers_asked++;
        b->routers_due_us = now_us + SOLICITATION_US;
        ask(net, port);
    }
}

void nb__router_set(struct nb_net *net, unsigned port, const struct nb_addr *router, uint16_t lifetime_s,
                    uint64_t now_us)
{
    struct nb_net_port *p = &net->port[port];

    if (!p->asks_routers)
        return;
    if (!nb_addr_equal(&p->gateway6, router))
        nb_neighbours_reroute(net->neighbours);
    p->gateway6 = *router;
    p->gateway6_until_us = now_us + lifetime_s * SECOND_US; /* 0: it is forgotten at once */
    net->due_us = 0;
}

void nb__router_heard(struct nb_net *net, const struct nb_packet *packet, const struct nb_nd *nd, uint64_t now_us)
{
    const struct nb_addr *gateway = &net->port[packet->port].gateway6;
    bool known = nb_addr_equal(gateway, &packet->src);
    struct nb_net_news news = {
        .kind = NB_NEWS_ROUTER, .family = NB_FAMILY_IPV6, .lifetime_s = nd->router_lifetime_s, .address = packet->src};

    if (!net->port[packet->port].asks_routers || (!known && (!nb_addr_is_zero(gateway) || !nd->router_lifetime_s)))
        return;
    if (nd->has_mac && nb_mac_is_host(nd->mac))
        nb_neighbour_heard(net->neighbours, packet->port, NB_FAMILY_IPV6, &packet->src, nd->mac, false, true, now_us);
    nb__router_set(net, packet->port, &packet->src, nd->router_lifetime_s, now_us);
    net->env.tell(net->env.arg, packet->port, &news);
}
