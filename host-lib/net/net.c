/* net.c - a worker's network layer put together: the way out, how the neighbour table asks and sends, what workers tell
 * each other, time. */
#include <string.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "../wire/ipv4.h"
#include "../wire/ipv6.h"
#include "neighbour.h"
#include "net.h"
#include "reassembly.h"

void nb__net_drop(struct nb_net *net, struct rte_mbuf *m, enum nb_counter reason)
{
    net->counters[reason]++;
    rte_pktmbuf_free(m);
}

/* --- out -----------------------------------------------------------------------------------------------------------
 */

static inline void send_frame(struct nb_net *net, unsigned port, uint8_t family, const uint8_t mac[NB_MAC_BYTES],
                              struct rte_mbuf *packet)
{
    const struct nb_net_port *p = &net->port[port];

    if (nb_eth_prepend(packet, mac, p->mac, family == NB_FAMILY_IPV4 ? NB_ETH_IPV4 : NB_ETH_IPV6, p->vlan))
        net->env.transmit(net->env.arg, port, packet);
    else
        nb__net_drop(net, packet, NB_COUNTER_DROP_NO_MBUF);
}

void nb__net_send(struct nb_net *net, unsigned port, uint8_t family, const uint8_t mac[NB_MAC_BYTES],
                  struct rte_mbuf *packet)
{
    send_frame(net, port, family, mac, packet);
}

struct rte_mbuf *nb__packet_new(struct nb_net *net, unsigned header_bytes, unsigned bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(net->mempool);

    if (m && !rte_pktmbuf_append(m, (uint16_t)(header_bytes + bytes))) {
        rte_pktmbuf_free(m);
        m = NULL;
    }
    if (!m)
        net->counters[NB_COUNTER_DROP_NO_MBUF]++;
    return m;
}

void nb__packet_ours(struct rte_mbuf *m)
{
    m->ol_flags = 0;
    m->l2_len = 0;
}

/* Where the path of an IPv4 destination is remembered from one connection to the next. */
static inline struct nb_net_recent *recent_of(struct nb_net *net, uint32_t destination)
{
    return &net->recent[destination * 0x9e3779b1u >> (32 - NB_NET_RECENT_BITS)];
}

/* The path of a connection that has none yet. A path that is out of date is none (neighbour.h). */
static inline const uint8_t *recall_recent(struct nb_net *net, unsigned port, uint8_t family,
                                           const struct nb_addr *destination, uint32_t *path, uint64_t now_us)
{
    const struct nb_net_recent *r = recent_of(net, destination->word[0]);

    if (family != NB_FAMILY_IPV4 || r->destination != destination->word[0] || r->port != port)
        return NULL;
    const uint8_t *mac = nb_neighbour_recall(net->neighbours, r->path, now_us);
    if (mac)
        *path = r->path;
    return mac;
}

static __rte_noinline void output_unusual(struct nb_net *net, unsigned port, uint8_t family,
                                          const struct nb_addr *destination, uint32_t *path, struct rte_mbuf *packet,
                                          uint64_t now_us)
{
    const uint8_t *mac = recall_recent(net, port, family, destination, path, now_us);

    if (mac) {
        send_frame(net, port, family, mac, packet);
        return;
    }
    const struct nb_addr *next_hop = nb_net_port_next_hop(&net->port[port], family, destination);

    if (next_hop)
        nb_neighbour_output(net->neighbours, port, family, next_hop, path, packet, now_us);
    else
        nb__net_drop(net, packet, NB_COUNTER_DROP_NO_NEIGHBOUR);
    if (family == NB_FAMILY_IPV4)
        *recent_of(net, destination->word[0]) =
            (struct nb_net_recent){.destination = destination->word[0], .path = *path, .port = port};
}

void nb_net_output(struct nb_net *net, unsigned port, uint8_t family, const struct nb_addr *destination, uint32_t *path,
                   struct rte_mbuf *packet, uint64_t now_us)
{
    const uint8_t *mac = nb_neighbour_recall(net->neighbours, *path, now_us);

    if (likely(mac))
        send_frame(net, port, family, mac, packet);
    else
        output_unusual(net, port, family, destination, path, packet, now_us);
}

/* --- neighbours ----------------------------------------------------------------------------------------------------
 */

static void on_ask(void *arg, unsigned port, uint8_t family, const struct nb_addr *address, const uint8_t *mac)
{
    struct nb_net *net = arg;

    if (!net->speaker)
        net->env.ask_speaker(net->env.arg, port, family, address);
    else if (family == NB_FAMILY_IPV4)
        nb__arp_ask(net, port, address->word[0], mac);
    else
        nb__nd_ask(net, port, address, mac);
}

static void on_send(void *arg, unsigned port, uint8_t family, const uint8_t mac[NB_MAC_BYTES], struct rte_mbuf *packet)
{
    nb__net_send(arg, port, family, mac, packet);
}

static void on_drop(void *arg, struct rte_mbuf *packet)
{
    nb__net_drop(arg, packet, NB_COUNTER_DROP_NO_NEIGHBOUR);
}

static void on_settled(void *arg, unsigned port, uint8_t family, const struct nb_addr *address, const uint8_t *mac)
{
    struct nb_net_news news = {.kind = NB_NEWS_NEIGHBOUR, .family = family, .reachable = mac, .address = *address};
    struct nb_net *net = arg;

    if (!net->speaker)
        return;
    if (mac)
        memcpy(news.mac, mac, sizeof news.mac);
    net->env.tell(net->env.arg, port, &news);
}

void nb_net_asked(struct nb_net *net, unsigned port, uint8_t family, const struct nb_addr *address, uint64_t now_us)
{
    if (nb_net_port_is_neighbour(&net->port[port], family, address)) /* nobody else is ever asked for */
        nb_neighbour_wanted(net->neighbours, port, family, address, now_us);
}

bool nb__is_for_speaker(struct nb_net *net, unsigned port, struct rte_mbuf *m)
{
    if (!net->speaker)
        net->env.to_speaker(net->env.arg, port, m);
    return net->speaker;
}

/* --- what others found out -----------------------------------------------------------------------------------------
 */

void nb_net_told(struct nb_net *net, unsigned port, const struct nb_net_news *news, uint64_t now_us)
{
    struct nb_net_address *ours;

    switch ((enum nb_net_news_kind)news->kind) {
    case NB_NEWS_NEIGHBOUR:
        nb_neighbour_told(net->neighbours, port, news->family, &news->address, news->reachable ? news->mac : NULL,
                          now_us);
        break;
    case NB_NEWS_ROUTER:
        nb__router_set(net, port, &news->address, news->lifetime_s, now_us);
        break;
    case NB_NEWS_CONFLICT:
        ours = nb_net_port_find(&net->port[port], news->family, &news->address);
        if (ours)
            ours->state = NB_ADDRESS_CONFLICT;
        break;
    }
}

/* --- time and life -------------------------------------------------------------------------------------------------
 */

static void at_least(uint64_t *due_us, uint64_t at_us)
{
    if (at_us && at_us < *due_us)
        *due_us = at_us;
}

static void tend(struct nb_net *net, uint64_t now_us)
{
    net->now_us = now_us;
    nb_reassembly_advance(net->reassembly, now_us);
    net->due_us = nb_reassembly_next_us(net->reassembly);
    for (unsigned i = 0; i < net->n_ports; i++) {
        nb__dad_tend(net, i, now_us);
        nb__router_tend(net, i, now_us);
        at_least(&net->due_us, net->beginning[i].addresses_due_us);
        at_least(&net->due_us, net->beginning[i].routers_due_us);
        at_least(&net->due_us, net->port[i].gateway6_until_us);
    }
}

void nb_net_advance(struct nb_net *net, uint64_t now_us)
{
    nb_neighbours_advance(net->neighbours, now_us);
    if (unlikely(now_us >= net->due_us))
        tend(net, now_us);
}

uint64_t nb_net_next_us(const struct nb_net *net)
{
    return RTE_MIN(nb_neighbours_next_us(net->neighbours), net->due_us);
}

static void on_fragment_drop(void *arg, struct rte_mbuf *m, int reason)
{
    nb__net_drop(arg, m, (enum nb_counter)reason);
}

static void on_reassembly_time(void *arg, const struct nb_fragment *first)
{
    struct nb_net *net = arg;
    const struct nb_icmp_about about = {.m = first->m,
                                        .port = first->port,
                                        .family = first->family,
                                        .l3_offset = first->l3_offset,
                                        .src = first->src,
                                        .dst = first->dst};
    const struct nb_icmp icmp = {.type =
                                     first->family == NB_FAMILY_IPV4 ? NB_ICMP_TIME_EXCEEDED : NB_ICMPV6_TIME_EXCEEDED,
                                 .code = NB_ICMP_REASSEMBLY_TIME};

    nb__icmp_send(net, &about, &icmp, net->now_us);
}

bool nb_net_init(struct nb_net *net, uint32_t secret)
{
    const struct nb_neighbour_env env = {
        .arg = net, .ask = on_ask, .send = on_send, .drop = on_drop, .settled = on_settled};

    const struct nb_reassembly_env fragments = {.arg = net, .drop = on_fragment_drop, .timed_out = on_reassembly_time};

    memset(net->beginning, 0, sizeof net->beginning);
    for (unsigned i = 0; i < NB_NET_RECENT; i++)
        net->recent[i] = (struct nb_net_recent){.path = NB_NEIGHBOUR_NONE};
    net->errors_left = 0;
    net->errors_at_us = 0;
    net->due_us = 0;
    net->neighbours = nb_neighbours_new(&env, secret);
    net->reassembly = nb_reassembly_new(&fragments);
    return net->neighbours && net->reassembly;
}

void nb_net_fini(struct nb_net *net)
{
    nb_neighbours_free(net->neighbours);
    nb_reassembly_free(net->reassembly);
    net->neighbours = NULL;
    net->reassembly = NULL;
}
