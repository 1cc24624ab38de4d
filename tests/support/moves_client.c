/* moves_client.c - the other end of the moves world: one TCP without a data plane, and its connections. */
#include <assert.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../../host-lib/wire/ethernet.h"
#include "../../host-lib/wire/ipv4.h"
#include "moves_inside.h"

static struct conn *of_tcb(struct world *w, const struct nb_tcb *tcb)
{
    return w->by_port[nb_tcb_key(tcb)->local_port];
}

static void client_write(struct conn *c)
{
    uint8_t bytes[WRITE_MAX];

    while (c->written[0] < c->bytes[0]) {
        uint32_t left = c->bytes[0] - c->written[0], n = 1 + world_below(c->w, WRITE_MAX);
        int taken;

        n = n < left ? n : left;
        world_make_bytes(c, 0, bytes, n);
        taken = nb_tcp_write(c->w->tcp, c->tcb, bytes, n);
        c->written[0] += taken > 0 ? (uint32_t)taken : 0;
        if (taken < (int)n)
            return;
    }
    if (!c->client_shut)
        nb_tcp_shutdown(c->w->tcp, c->tcb);
    c->client_shut = true;
}

static void client_connected(void *arg, struct nb_tcb *tcb)
{
    client_write(of_tcb(arg, tcb));
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
    client_write(of_tcb(arg, tcb));
}

static void client_peer_closed(void *arg, struct nb_tcb *tcb)
{
    (void)arg, (void)tcb;
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
    c = w->by_port[seg.key.local_port];
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
                             .connected = client_connected,
                             .data = client_data,
                             .writable = client_writable,
                             .peer_closed = client_peer_closed,
                             .closed = client_closed};

    w->flows = nb_flow_table_new(4096, (const uint64_t[2]){w->o->seed, 1});
    config.flows = w->flows;
    memcpy(config.isn_secret, &w->o->seed, sizeof w->o->seed);
    w->tcp = nb_tcp_new(&config, &env, w->now_us);
}

void world_client_free(struct world *w)
{
    nb_tcp_free(w->tcp);
    nb_flow_table_free(w->flows);
}

static void open_conn(struct world *w, struct conn *c, uint16_t port)
{
    int err = 0;

    *c = (struct conn){.w = w, .live = true, .salt = world_random(w)};
    c->bytes[0] = world_below(w, w->o->bytes_max);
    c->bytes[1] = world_below(w, w->o->bytes_max);
    c->key = (struct nb_flow_key){
        .local.word = {CLIENT}, .remote.word = {US}, .local_port = port, .remote_port = PORT, .family = NB_FAMILY_IPV4};
    if (world_chance(w, w->o->abort_permille))
        c->abort_at_us = w->now_us + world_below(w, 5000);
    w->by_port[port] = c;
    w->opened++;
    c->tcb = nb_tcp_connect(w->tcp, &c->key, w->now_us, &err);
    if (!c->tcb)
        world_fail(w, "port %u: connect: %d", port, err);
}

void world_open_conns(struct world *w)
{
    for (unsigned i = 0; i < w->o->conns; i++) {
        uint16_t port = w->next_port++;

        if (w->next_port > 60000)
            w->next_port = 10000;
        open_conn(w, &w->conn[i], port);
    }
}

/* A reset, and often at once a new connection over the same tuple: the server's end of the old one may be anywhere. */
static void abort_conn(struct world *w, struct conn *c)
{
    unsigned spare = 0;
    bool open = c->tcb && nb_tcb_state(c->tcb) != NB_TCP_TIME_WAIT;

    c->reset = true;
    c->abort_at_us = 0;
    if (c->tcb)
        nb_tcp_abort(w->tcp, c->tcb);
    while (spare < CONNS && w->conn[spare].live)
        spare++;
    if (open && spare < CONNS && c->accepted && world_chance(w, 500))
        open_conn(w, &w->conn[spare], c->key.local_port);
}

/* The application comes back to data that it held; and clients to connections that they reset. */
void world_tend_conns(struct world *w)
{
    for (unsigned i = 0; i < CONNS; i++) {
        struct conn *c = &w->conn[i];

        if (!c->live)
            continue;
        if (c->n_held && !c->travelling && !c->server_done && world_chance(w, 50))
            world_server_lets_go(c, w->rt->worker[c->worker]);
        if (c->abort_at_us && w->now_us >= c->abort_at_us)
            abort_conn(w, c);
        if (c->client_done && c->server_done) {
            if (!c->reset)
                for (unsigned s = 0; s < 2; s++)
                    if (c->received[s] != c->bytes[s])
                        world_fail(w, "port %u: stream %u: %u of %u bytes", c->key.local_port, s, c->received[s],
                                   c->bytes[s]);
            c->live = false;
        }
        /* Reset before the server ever heard of it. */
        if (c->reset && c->client_done && !c->accepted)
            c->server_done = true;
    }
}

unsigned world_live_conns(const struct world *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < CONNS; i++)
        n += w->conn[i].live;
    return n;
}
