/* moves_wire.c - between the ends of the moves world: a link with delay, and ARP. */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
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

/* A frame as long as that is on the wire for its time at 10 Gb/s, and frames are one after the other. */
static uint64_t sent_at_us(struct world *w, uint32_t bytes)
{
    w->client_sends_ns = RTE_MAX(w->client_sends_ns, w->now_us * 1000) + (uint64_t)bytes * FRAME_NS / FRAME_BYTES;
    return w->client_sends_ns / 1000;
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
    p->at_us = sent_at_us(w, p->bytes) + w->o->link_us;
    append(&w->to_server, p);
    rte_pktmbuf_free(m);
}

/* The flow of a TCP segment to the server, as the server has it. */
struct nb_flow_key world_key_in(const struct packet *p)
{
    struct nb_flow_key key = {.family = NB_FAMILY_IPV4};

    memcpy(&key.remote.word[0], p->data + 26, 4);
    memcpy(&key.local.word[0], p->data + 30, 4);
    key.remote_port = (uint16_t)(p->data[34] << 8 | p->data[35]);
    key.local_port = (uint16_t)(p->data[36] << 8 | p->data[37]);
    return key;
}

/* FNV-1a. Times are those of the run; sequence numbers are random, and say nothing. */
static void note(struct world *w, unsigned way, const struct packet *p)
{
    const uint64_t seen[] = {
        w->now_us - w->began_us, way, p->bytes, p->data[34], p->data[35], p->data[36], p->data[37]};

    for (unsigned i = 0; i < RTE_DIM(seen); i++)
        w->result->trace = (w->result->trace ^ seen[i]) * 0x100000001b3;
}

void world_arrive_at_server(struct world *w)
{
    struct packet *p;

    while ((p = due(&w->to_server, w->now_us))) {
        note(w, 0, p);
        w->port->receive(w, p);
        packet_put(w, p);
    }
    w->port->step(w);
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
    struct packet *p;

    for (p = packet_get(w); w->port->send(w, p); p = packet_get(w)) {
        note(w, 1, p);
        p->at_us = w->now_us + w->o->link_us;
        append(&w->to_client, p);
    }
    packet_put(w, p);
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
