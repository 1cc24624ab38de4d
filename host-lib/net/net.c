/* net.c - a worker's network layer put together: who gets a frame, how the neighbour table asks and sends. */
#include <string.h>

#include <rte_mbuf.h>

#include "neighbour.h"
#include "net.h"

void nb__net_drop(struct nb_net *net, struct rte_mbuf *m, enum nb_counter reason)
{
    net->counters[reason]++;
    rte_pktmbuf_free(m);
}

void nb__net_send(struct nb_net *net, unsigned port, const uint8_t mac[NB_MAC_BYTES], struct rte_mbuf *packet)
{
    if (nb_eth_prepend(packet, mac, net->port[port].mac, NB_ETH_IPV4))
        net->env.transmit(net->env.arg, port, packet);
    else
        nb__net_drop(net, packet, NB_COUNTER_DROP_NO_MBUF);
}

static void on_ask(void *arg, unsigned port, uint32_t address, const uint8_t *mac)
{
    struct nb_net *net = arg;

    if (net->speaker)
        nb__arp_ask(net, port, address, mac);
    else
        net->env.ask_speaker(net->env.arg, port, address);
}

static void on_send(void *arg, unsigned port, const uint8_t mac[NB_MAC_BYTES], struct rte_mbuf *packet)
{
    nb__net_send(arg, port, mac, packet);
}

static void on_drop(void *arg, struct rte_mbuf *packet)
{
    nb__net_drop(arg, packet, NB_COUNTER_DROP_NO_NEIGHBOUR);
}

static void on_settled(void *arg, unsigned port, uint32_t address, const uint8_t *mac)
{
    struct nb_net *net = arg;

    if (net->speaker)
        net->env.tell(net->env.arg, port, address, mac);
}

bool nb_net_init(struct nb_net *net, uint32_t secret)
{
    const struct nb_neighbour_env env = {
        .arg = net, .ask = on_ask, .send = on_send, .drop = on_drop, .settled = on_settled};

    net->neighbours = nb_neighbours_new(&env, secret);
    return net->neighbours;
}

void nb_net_fini(struct nb_net *net)
{
    nb_neighbours_free(net->neighbours);
    net->neighbours = NULL;
}

/* A neighbour that can exist: on the link, and not us. Nobody else is ever asked for or believed. */
static bool is_neighbour(const struct nb_net *net, unsigned port, uint32_t address)
{
    const struct nb_route *r = &net->port[port].route;

    return nb_route_on_link(r, address) && address != r->address && !nb_route_is_broadcast(r, address);
}

void nb_net_asked(struct nb_net *net, unsigned port, uint32_t address, uint64_t now_us)
{
    if (is_neighbour(net, port, address))
        nb_neighbour_wanted(net->neighbours, port, address, now_us);
}

void nb_net_told(struct nb_net *net, unsigned port, uint32_t address, const uint8_t *mac, uint64_t now_us)
{
    nb_neighbour_told(net->neighbours, port, address, mac, now_us);
}

void nb_net_advance(struct nb_net *net, uint64_t now_us)
{
    nb_neighbours_advance(net->neighbours, now_us);
}

uint64_t nb_net_next_us(const struct nb_net *net)
{
    return nb_neighbours_next_us(net->neighbours);
}
