/* moves_wire.c - between the ends of the moves world: a link with delay, and what the NIC does with a frame. */
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../../host-lib/wire/arp.h"
#include "../../host-lib/wire/ethernet.h"
#include "moves_inside.h"

const uint8_t world_client_mac[6] = {2, 0, 0, 0, 0, 1};

static struct packet *packet_get(struct world *w)
{
    struct packet *p = w->free;

    if (!p)
        return malloc(sizeof *p);
    w->free = p->next;
    return p;
}

static void packet_put(struct world *w, struct packet *p)
{
    p->next = w->free;
    w->free = p;
}

static void append(struct fifo *f, struct packet *p)
{
    p->next = NULL;
    *(f->first ? &f->last->next : &f->first) = p;
    f->last = p;
}

static struct packet *due(struct fifo *f, uint64_t now_us)
{
    struct packet *p = f->first;

    if (!p || p->at_us > now_us)
        return NULL;
    f->first = p->next;
    return p;
}

/* From the client's TCP to the wire. */
void world_to_server(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m)
{
    struct world *w = arg;
    struct packet *p = packet_get(w);
    const void *bytes;

    (void)key, (void)path;
    nb_eth_prepend(m, w->rt->net_port[0].mac, world_client_mac, NB_ETH_IPV4, 0);
    bytes = rte_pktmbuf_read(m, 0, m->pkt_len, p->data);
    if (bytes != p->data)
        memcpy(p->data, bytes, m->pkt_len);
    p->bytes = m->pkt_len;
    p->at_us = w->now_us + w->o->link_us;
    append(&w->to_server, p);
    rte_pktmbuf_free(m);
}

/* What the NIC does: RSS. */
static unsigned queue_for(struct world *w, const struct packet *p)
{
    const struct nb_port *port = &w->rt->port[0];
    uint16_t type = (uint16_t)(p->data[12] << 8 | p->data[13]);
    struct nb_flow_key key = {.family = NB_FAMILY_IPV4};
    const struct conn *c;

    if (type != NB_ETH_IPV4)
        return 0;
    memcpy(&key.remote.word[0], p->data + 26, 4);
    memcpy(&key.local.word[0], p->data + 30, 4);
    key.remote_port = (uint16_t)(p->data[34] << 8 | p->data[35]);
    key.local_port = (uint16_t)(p->data[36] << 8 | p->data[37]);
    c = world_conn_of(w, key.remote_port, key.local_port);
    if (c && c->has_rule)
        return c->rule;
    return port->reta[nb_rss_hash(&w->rt->worker_port[0].rss, &key) % port->reta_size];
}

void world_arrive_at_server(struct world *w)
{
    struct packet *p;

    while ((p = due(&w->to_server, w->now_us))) {
        nb_soft_port_inject(&w->port, queue_for(w, p), p->data, p->bytes,
                            world_below(w, w->o->rx_write_us + 1) * 1000ull);
        packet_put(w, p);
    }
}

/* Who has our address? */
static void answer_arp(struct world *w, const uint8_t *request)
{
    struct nb_arp arp = {.op = NB_ARP_REPLY, .sender = CLIENT, .target = US};
    struct packet *p = packet_get(w);

    (void)request;
    memcpy(arp.sender_mac, world_client_mac, 6);
    memcpy(arp.target_mac, w->rt->net_port[0].mac, 6);
    memcpy(p->data, w->rt->net_port[0].mac, 6);
    memcpy(p->data + 6, world_client_mac, 6);
    p->data[12] = NB_ETH_ARP >> 8;
    p->data[13] = NB_ETH_ARP & 0xff;
    nb_arp_write(p->data + NB_ETH_HEADER_BYTES, &arp);
    p->bytes = NB_ETH_HEADER_BYTES + NB_ARP_BYTES;
    p->at_us = w->now_us + w->o->link_us;
    append(&w->to_server, p);
}

void world_arrive_at_client(struct world *w)
{
    struct nb_soft_frame *f;
    struct packet *p;

    while ((f = nb_soft_port_take(&w->port))) {
        p = packet_get(w);
        memcpy(p->data, f->data, f->bytes);
        p->bytes = f->bytes;
        p->at_us = w->now_us + w->o->link_us;
        append(&w->to_client, p);
        nb_soft_port_done(&w->port, f);
    }
    while ((p = due(&w->to_client, w->now_us))) {
        if (p->data[12] == NB_ETH_ARP >> 8 && p->data[13] == (NB_ETH_ARP & 0xff))
            answer_arp(w, p->data);
        else
            world_client_segment(w, p->data, p->bytes);
        packet_put(w, p);
    }
}

uint32_t world_frame_takes_ns(void *arg)
{
    struct world *w = arg;

    return world_below(w, w->o && w->o->frame_ns ? w->o->frame_ns : FRAME_NS);
}
