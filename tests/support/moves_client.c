/* moves_client.c - the other end of the moves world: one TCP without a data plane, and its connections. */
#include <assert.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../../host-lib/wire/ethernet.h"
#include "../../host-lib/wire/ipv4.h"
#include "moves_inside.h"

static struct conn *of_tcb(const struct world *w, const struct nb_tcb *tcb)
{
    return world_conn_of(w, nb_tcb_key(tcb)->local_port, nb_tcb_key(tcb)->remote_port);
}

void world_client_write(struct conn *c)
{
    uint8_t bytes[WRITE_MAX];

    if (c->idle_until_us)
        return;
    while (c->written[0] < c->bytes[0]) {
        uint32_t left = c->bytes[0] - c->written[0], n = 1 + world_below(c->w, WRITE_MAX);
        int taken;

        n = n < left ? n : left;
        world_make_bytes(c, 0, bytes, n);
        taken = nb_tcp_write(c->w->tcp, c->tcb, bytes, n);
        c->written[0] += taken > 0 ? (uint32_t)taken : 0;
        if (taken < (int)n)
            return;
        if (world_chance(c->w, c->w->o->idle_permille)) {
            c->idle_until_us = c->w->now_us + world_below(c->w, IDLE_US);
            return;
        }
    }
    if (c->to_reuse && !c->server_closed)
        return;
    if (!c->client_shut)
        nb_tcp_shutdown(c->w->tcp, c->tcb);
    c->client_shut = true;
}

static void client_connected(void *arg, struct nb_tcb *tcb)
{
    world_client_write(of_tcb(arg, tcb));
}

static bool client_accepted(void *arg, struct nb_tcb *tcb)
{
    struct conn *c = of_tcb(arg, tcb);

    c->tcb = tcb;
    world_client_write(c);
    return true;
}

static void client_data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct world *w = arg;

    world_check_bytes(of_tcb(w, tcb), 1, m);
    nb_tcp_consumed(w->tcp, tcb, m->pkt_len);
    rte_pktmbuf_free(m);
}

static void client_writable(void *arg, struct nb_tcb *tcb)
{
    world_client_write(of_tcb(arg, tcb));
}

static void client_peer_closed(void *arg, struct nb_tcb *tcb)
{
    struct conn *c = of_tcb(arg, tcb);

    c->server_closed = true;
    world_client_write(c);
}

static void client_closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    struct conn *c = of_tcb(arg, tcb);

    c->client_done = true;
    c->tcb = NULL;
    if (reason != NB_CLOSED_NORMAL && !c->reset)
        world_fail(arg, "port %u: the client's end closed for reason %u", c->key.local_port, reason);
}

void world_client_segment(struct world *w, const uint8_t *data, uint32_t bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
    struct nb_seg seg = {0};
    struct nb_ipv4 ip;
    struct conn *c;

    assert(m && rte_pktmbuf_append(m, (uint16_t)bytes));
    memcpy(rte_pktmbuf_mtod(m, void *), data, bytes);
    if (nb_ipv4_parse(&ip, m, NB_ETH_HEADER_BYTES, true) != 0) {
        world_fail(w, "the server sent a broken packet");
        rte_pktmbuf_free(m);
        return;
    }
    seg.key = (struct nb_flow_key){.local.word = {ip.dst}, .remote.word = {ip.src}, .family = NB_FAMILY_IPV4};
    if (nb_seg_parse(&seg, m, NB_ETH_HEADER_BYTES + ip.header_bytes, (uint32_t)ip.total_bytes - ip.header_bytes,
                     true) != 0) {
        world_fail(w, "the server sent a broken segment");
        rte_pktmbuf_free(m);
        return;
    }
    c = world_conn_of(w, seg.key.local_port, seg.key.remote_port);
    if (seg.flags & NB_TCP_RST && !c->client_done && !c->reset && !w->o->abort_permille)
        world_fail(w, "port %u was reset", seg.key.local_port);
    seg.hash = nb_flow_hash(w->flows, &seg.key);
    nb_tcp_input(w->tcp, &seg, nb_flow_find(w->flows, &seg.key, seg.hash), 0, w->now_us);
}

void world_client_new(struct world *w)
{
    struct nb_tcp_config config = {.limits = {.connections = 2 * CONNS,
                                              .time_wait = 1024,
                                              .half_open = CONNS,
                                              .send_buffer_bytes = 65536,
                                              .recv_buffer_bytes = 65536,
                                              .mbufs = CLIENT_MBUFS},
                                   .mempool = w->pool,
                                   .mtu_bytes = 1500};
    struct nb_tcp_env env = {.arg = w,
                             .output = world_to_server,
                             .accepted = client_accepted,
                             .connected = client_connected,
                             .data = client_data,
                             .writable = client_writable,
                             .peer_closed = client_peer_closed,
                             .closed = client_closed};

    w->flows = nb_flow_table_new(4096, (const uint64_t[2]){w->o->seed, 1});
    config.flows = w->flows;
    memcpy(config.isn_secret, &w->o->seed, sizeof w->o->seed);
    w->tcp = nb_tcp_new(&config, &env, w->now_us);
    nb_tcp_listen(w->tcp, &(struct nb_addr){0}, NB_FAMILY_IPV4, CLIENT_PORT, w);
}

void world_client_free(struct world *w)
{
    nb_tcp_free(w->tcp);
    nb_flow_table_free(w->flows);
}
