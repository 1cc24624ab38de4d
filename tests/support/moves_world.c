/* moves_world.c - see moves_world.h. */
#include "moves_world.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "../../host-lib/tcp/core.h"
#include "../../host-lib/wire/arp.h"
#include "../../host-lib/wire/ethernet.h"
#include "../../host-lib/wire/ipv4.h"
#include "../../host-lib/wire/segment_emit.h"
#include "../../host-lib/worker/engine.h"
#include "eal.h"
#include "mbufs.h"
#include "soft_port.h"

#define US            RTE_BE32(0x0a630002)
#define CLIENT        RTE_BE32(0x0a630001)
#define PORT          7
#define CONNS         64
#define TICKETS       64
#define HELD          64
#define WRITE_MAX     6000
#define STEP_US       20            /* the longest; the shortest is 1 */
#define CLOCK_US      (3 * STEP_US) /* so much the clocks of workers that all sleep may be behind */
#define FRAME_NS      1231
#define GIVE_UP_US    60000000
#define QUIET_STEP_US 2000
#define QUIET_US      1500000               /* after the last connection: gates, traces and answers come to rest */
#define REST_US       (UINT64_C(125) << 38) /* longer than TIME-WAIT; the same place in every period of wheels and clocks */
#define CLIENT_MBUFS  8191
#define WORKER_MBUFS  640 /* with few workers; */
#define MANY_MBUFS    400 /* with many, for there is so much memory */

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 1};

struct packet {
    struct packet *next;
    uint64_t at_us;
    uint32_t bytes;
    uint8_t data[NB_SOFT_FRAME_MAX];
};

struct fifo {
    struct packet *first, *last;
};

/* One connection, with what either end knows of it. Stream 0 goes to the server, stream 1 to the client. */
struct conn {
    struct world *w;
    bool live, accepted, client_done, server_done, reset, client_shut, server_shut, peer_closed;
    uint64_t abort_at_us;
    uint32_t salt;
    uint32_t bytes[2], written[2], received[2];
    struct nb_flow_key key; /* the client's */
    struct nb_tcb *tcb;     /* the client's */
    struct nb_conn handle;  /* the server's, on */
    unsigned worker;
    bool travelling; /* between on_leave and on_arrive */
    uint64_t id;
    bool pinned;
    bool has_rule, way_open; /* the NIC sends it to `rule`; a change is under way: */
    unsigned rule, next_rule;
    struct nb_way way;
    int kept;            /* as nb_runtime_way_opens said, */
    uint64_t rule_at_us; /* and done then */
    unsigned n_held;
    struct rte_mbuf *held[HELD];
};

struct ticket {
    struct nb_move_ticket ticket;
    struct conn *conn;
    bool busy;
};

struct world {
    unsigned workers;
    struct nb_soft_port port;
    struct nb_runtime_config config;
    struct nb_runtime *rt;
    struct rte_mempool *pool; /* the client's */
    struct nb_flow_table *flows;
    struct nb_tcp *tcp;
    uint64_t now_us, random;
    uint64_t sleeps_until_us[NB_MAX_WORKERS];
    struct fifo to_server, to_client;
    struct packet *free;
    const struct world_options *o;
    struct world_result *result;
    struct conn conn[CONNS];
    struct conn *by_port[65536];
    struct ticket ticket[TICKETS];
    uint16_t next_port;
    unsigned opened;
    bool quiet; /* nobody sleeps or moves any more */
};

/* --- chance --------------------------------------------------------------------------------------------------------
 */

static uint32_t random32(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 16);
}

static uint32_t below(struct world *w, uint32_t n)
{
    return n ? random32(w) % n : 0;
}

static bool chance(struct world *w, unsigned permille)
{
    return permille && random32(w) % 1000 < permille;
}

static void fail(struct world *w, const char *format, ...)
{
    char *why = w->result->why;
    va_list args;
    int n;

    if (why[0])
        return;
    n = snprintf(why, sizeof w->result->why, "seed %llu, %u workers, %llu us: ", (unsigned long long)w->o->seed,
                 w->workers, (unsigned long long)w->now_us);
    va_start(args, format);
    vsnprintf(why + n, sizeof w->result->why - (size_t)n, format, args);
    va_end(args);
}

static uint8_t stream_byte(const struct conn *c, unsigned stream, uint32_t i)
{
    return (uint8_t)(i * 167 + (i >> 8) * 13 + (i >> 16) + stream * 101 + c->salt);
}

static void check_bytes(struct conn *c, unsigned stream, const struct rte_mbuf *m)
{
    for (; m; m = m->next) {
        const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

        for (uint32_t i = 0; i < m->data_len; i++, c->received[stream]++)
            if (p[i] != stream_byte(c, stream, c->received[stream])) {
                fail(c->w, "a byte is wrong: port %u, stream %u, offset %u", c->key.local_port, stream,
                     c->received[stream]);
                return;
            }
    }
}

static void make_bytes(struct conn *c, unsigned stream, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = stream_byte(c, stream, c->written[stream] + i);
}

/* --- the server's application --------------------------------------------------------------------------------------
 */

/* Every call comes on the worker that owns the connection, about the handle that counts. */
static struct conn *check_owner(struct nb_worker *w, struct nb_conn h, void *user)
{
    struct conn *c = user;

    if (c->worker != nb_worker_index(w) || c->handle.index != h.index || c->handle.generation != h.generation ||
        c->travelling)
        fail(c->w, "port %u: called on worker %u, owned by %u", c->key.local_port, nb_worker_index(w), c->worker);
    return c;
}

static bool send_chain(struct nb_worker *w, struct conn *c, uint32_t n)
{
    struct rte_mbuf *m = nb_conn_buffer(w);

    if (!m)
        return false;
    n = n < 1200 ? n : 1200;
    make_bytes(c, 1, (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n), n);
    if (nb_conn_send(w, c->handle, m) != 0) {
        rte_pktmbuf_free(m);
        return false;
    }
    c->written[1] += n;
    return true;
}

static bool send_copy(struct nb_worker *w, struct conn *c, uint32_t n)
{
    uint8_t bytes[WRITE_MAX];
    int taken;

    make_bytes(c, 1, bytes, n);
    taken = nb_conn_write(w, c->handle, bytes, n);
    c->written[1] += taken > 0 ? (uint32_t)taken : 0;
    return taken == (int)n;
}

static void serve(struct nb_worker *w, struct conn *c)
{
    while (c->written[1] < c->bytes[1]) {
        uint32_t left = c->bytes[1] - c->written[1], n = 1 + below(c->w, WRITE_MAX);

        n = n < left ? n : left;
        if (chance(c->w, 300) && send_chain(w, c, n))
            continue;
        if (!send_copy(w, c, n))
            return;
    }
    if (!c->server_shut && (c->peer_closed || c->salt % 2))
        nb_conn_shutdown(w, c->handle);
    c->server_shut |= c->peer_closed || c->salt % 2;
}

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn h)
{
    struct world *world = *(struct world **)state;
    struct nb_flow_key key;
    struct conn *c;

    nb_conn_key(w, h, &key);
    c = world->by_port[key.remote_port];
    if (!c || !c->live || c->accepted || c->key.local_port != key.remote_port) {
        if (!world->o->abort_permille) /* else: its client has reset it and forgotten */
            fail(world, "port %u: accepted out of nowhere", key.remote_port);
        return false;
    }
    c->accepted = true;
    c->handle = h;
    c->worker = nb_worker_index(w);
    nb_conn_set_user(w, h, c);
    serve(w, c);
    return true;
}

/* Some data stays with the application for a while, in its buffers, unconsumed. */
static void on_data(struct nb_worker *w, void *state, struct nb_conn h, void *user, struct rte_mbuf *data)
{
    struct conn *c = check_owner(w, h, user);

    (void)state;
    check_bytes(c, 0, data);
    if (c->n_held < HELD && chance(c->w, c->w->o->hold_permille)) {
        c->held[c->n_held++] = data;
        return;
    }
    nb_conn_consumed(w, h, rte_pktmbuf_pkt_len(data));
    rte_pktmbuf_free(data);
}

static void let_go(struct conn *c, struct nb_worker *w)
{
    for (unsigned i = 0; i < c->n_held; i++) {
        if (w)
            nb_conn_consumed(w, c->handle, rte_pktmbuf_pkt_len(c->held[i]));
        rte_pktmbuf_free(c->held[i]);
    }
    c->n_held = 0;
}

static void on_writable(struct nb_worker *w, void *state, struct nb_conn h, void *user)
{
    (void)state;
    serve(w, check_owner(w, h, user));
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn h, void *user)
{
    struct conn *c = check_owner(w, h, user);

    (void)state;
    let_go(c, w);
    c->peer_closed = true;
    serve(w, c);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn h, void *user, enum nb_closed_reason reason)
{
    struct conn *c = check_owner(w, h, user);

    (void)state;
    c->server_done = true;
    if (reason != (c->reset ? NB_CLOSED_RESET : NB_CLOSED_NORMAL) && reason != NB_CLOSED_NORMAL)
        fail(c->w, "port %u: the server's end closed for reason %u", c->key.local_port, reason);
    let_go(c, NULL);
}

static void *on_leave(struct nb_worker *w, void *state, struct nb_conn h, void *user, unsigned to)
{
    struct conn *c = check_owner(w, h, user);

    (void)state;
    if (to >= c->w->workers || to == c->worker || c->pinned)
        fail(c->w, "port %u leaves for %u, pinned %u", c->key.local_port, to, c->pinned);
    c->travelling = true;
    return c;
}

static void on_arrive(struct nb_worker *w, void *state, struct nb_conn h, void *user)
{
    struct conn *c = user;

    (void)state;
    c->travelling = false;
    c->worker = nb_worker_index(w);
    c->handle = h;
}

static int on_start(struct nb_worker *w, const struct nb_app_option *options, unsigned n, void **state,
                    struct nb_error *err)
{
    static struct world *world;

    (void)w, (void)n, (void)err;
    if (options)
        world = (struct world *)(uintptr_t)options->value;
    *state = &world;
    return 0;
}

static const struct nb_app server = {
    .abi = NB_APP_ABI,
    .name = "streams",
    .start = on_start,
    .on_accept = on_accept,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_peer_closed = on_peer_closed,
    .on_closed = on_closed,
    .on_leave = on_leave,
    .on_arrive = on_arrive,
};

/* --- the client ----------------------------------------------------------------------------------------------------
 */

static struct conn *of_tcb(struct world *w, const struct nb_tcb *tcb)
{
    return w->by_port[nb_tcb_key(tcb)->local_port];
}

static void client_write(struct conn *c)
{
    uint8_t bytes[WRITE_MAX];

    while (c->written[0] < c->bytes[0]) {
        uint32_t left = c->bytes[0] - c->written[0], n = 1 + below(c->w, WRITE_MAX);
        int taken;

        n = n < left ? n : left;
        make_bytes(c, 0, bytes, n);
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

    check_bytes(of_tcb(w, tcb), 1, m);
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
        fail(arg, "port %u: the client's end closed for reason %u", c->key.local_port, reason);
}

/* --- the link ------------------------------------------------------------------------------------------------------
 */

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
static void client_output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m)
{
    struct world *w = arg;
    struct packet *p = packet_get(w);
    const void *bytes;

    (void)key, (void)path;
    nb_eth_prepend(m, w->rt->net_port[0].mac, client_mac, NB_ETH_IPV4, 0);
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
    c = w->by_port[key.remote_port];
    if (c && c->has_rule)
        return c->rule;
    return port->reta[nb_rss_hash(&w->rt->worker_port[0].rss, &key) % port->reta_size];
}

static void arrive_at_server(struct world *w)
{
    struct packet *p;

    while ((p = due(&w->to_server, w->now_us))) {
        nb_soft_port_inject(&w->port, queue_for(w, p), p->data, p->bytes, below(w, w->o->rx_write_us + 1) * 1000ull);
        packet_put(w, p);
    }
}

static void client_segment(struct world *w, const uint8_t *data, uint32_t bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
    struct nb_seg seg = {0};
    struct nb_ipv4 ip;
    struct conn *c;

    assert(m && rte_pktmbuf_append(m, (uint16_t)bytes));
    memcpy(rte_pktmbuf_mtod(m, void *), data, bytes);
    if (nb_ipv4_parse(&ip, m, NB_ETH_HEADER_BYTES, true) != 0) {
        fail(w, "the server sent a broken packet");
        rte_pktmbuf_free(m);
        return;
    }
    seg.key = (struct nb_flow_key){.local.word = {ip.dst}, .remote.word = {ip.src}, .family = NB_FAMILY_IPV4};
    if (nb_seg_parse(&seg, m, NB_ETH_HEADER_BYTES + ip.header_bytes, (uint32_t)ip.total_bytes - ip.header_bytes,
                     true) != 0) {
        fail(w, "the server sent a broken segment");
        rte_pktmbuf_free(m);
        return;
    }
    c = w->by_port[seg.key.local_port];
    if (seg.flags & NB_TCP_RST && !c->client_done && !c->reset && !w->o->abort_permille)
        fail(w, "port %u was reset", seg.key.local_port);
    seg.hash = nb_flow_hash(w->flows, &seg.key);
    nb_tcp_input(w->tcp, &seg, nb_flow_find(w->flows, &seg.key, seg.hash), 0, w->now_us);
}

/* Who has our address? */
static void answer_arp(struct world *w, const uint8_t *request)
{
    struct nb_arp arp = {.op = NB_ARP_REPLY, .sender = CLIENT, .target = US};
    struct packet *p = packet_get(w);

    (void)request;
    memcpy(arp.sender_mac, client_mac, 6);
    memcpy(arp.target_mac, w->rt->net_port[0].mac, 6);
    memcpy(p->data, w->rt->net_port[0].mac, 6);
    memcpy(p->data + 6, client_mac, 6);
    p->data[12] = NB_ETH_ARP >> 8;
    p->data[13] = NB_ETH_ARP & 0xff;
    nb_arp_write(p->data + NB_ETH_HEADER_BYTES, &arp);
    p->bytes = NB_ETH_HEADER_BYTES + NB_ARP_BYTES;
    p->at_us = w->now_us + w->o->link_us;
    append(&w->to_server, p);
}

static void arrive_at_client(struct world *w)
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
            client_segment(w, p->data, p->bytes);
        packet_put(w, p);
    }
}

static uint32_t frame_takes_ns(void *arg)
{
    struct world *w = arg;

    return below(w, w->o && w->o->frame_ns ? w->o->frame_ns : FRAME_NS);
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static void client_new(struct world *w)
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
                             .output = client_output,
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

static void client_free(struct world *w)
{
    nb_tcp_free(w->tcp);
    nb_flow_table_free(w->flows);
}

/* The runtime's RSS key is random; runs of one seed are to be the same. */
static void give_rss(struct world *w)
{
    struct nb_port *port = &w->rt->port[0];

    for (unsigned i = 0; i < port->rss_key_bytes; i++)
        port->rss_key[i] = (uint8_t)(0x6d + 41 * i);
    nb_rss_key_init(w->rt->rss_key[0], port->rss_key, port->rss_key_bytes, port->reta_size, NULL);
}

/* A run begins long after the one before: everything of that has expired. The client's address is known or not. */
static void rest(struct world *w)
{
    struct nb_net_news client = {
        .kind = NB_NEWS_NEIGHBOUR, .family = NB_FAMILY_IPV4, .reachable = w->o->seed % 2, .address.word = {CLIENT}};

    memcpy(client.mac, client_mac, sizeof client_mac);
    w->now_us = (w->now_us / REST_US + 2) * REST_US;
    w->port.now_ns = w->now_us * 1000;
    for (unsigned i = 0; i < w->workers; i++) {
        nb_worker_step(w->rt->worker[i], w->now_us);
        nb_net_told(&w->rt->worker[i]->net, 0, &client, w->now_us);
        nb_gates_free(w->rt->worker[i]->gates);
        w->rt->worker[i]->gates = nb_gates_new();
    }
}

struct world *world_new(unsigned workers)
{
    struct world *w = calloc(1, sizeof *w);
    const struct nb_app_option option = {.key = "world", .value = (const char *)w};
    struct nb_error err = {0};

    nb_test_eal();
    w->workers = workers;
    w->now_us = 1000;
    w->next_port = 10000;
    w->random = 1;
    w->pool = support_pool_new(CLIENT_MBUFS);
    nb_soft_port_open(&w->port, workers);
    w->port.tx_takes_ns = frame_takes_ns;
    w->port.arg = w;
    nb_runtime_config_init(&w->config);
    w->config.n_workers = workers;
    w->config.n_ports = 1;
    snprintf(w->config.port[0].device, sizeof w->config.port[0].device, "%s", w->port.device);
    w->config.port[0].n_addresses = 1;
    w->config.port[0].address[0] =
        (struct nb_port_address){.address = {{US}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    w->config.port[0].rx_descriptors = w->config.port[0].tx_descriptors = 64;
    w->config.n_listeners = 1;
    w->config.listener[0] =
        (struct nb_listener_config){.tcp_port = PORT, .app = &server, .options = &option, .n_options = 1};
    w->config.limits = (struct nb_limits){.connections = 128,
                                          .time_wait = 128,
                                          .half_open = 64,
                                          .send_buffer_bytes = 65536,
                                          .recv_buffer_bytes = 65536,
                                          .mbufs = workers > 32 ? MANY_MBUFS : WORKER_MBUFS};
    if (nb__engine_start_stepped(&w->config, w->now_us, &w->rt, &err) < 0) {
        fprintf(stderr, "%u workers: %s\n", workers, err.text);
        exit(1);
    }
    nb_soft_port_attach(&w->port, w->rt->pool);
    give_rss(w);
    return w;
}

void world_free(struct world *w)
{
    nb_soft_port_clear(&w->port);
    nb__engine_stop_stepped(w->rt, w->now_us);
    nb_soft_port_close(&w->port);
    for (struct packet *next; w->free; w->free = next) {
        next = w->free->next;
        free(w->free);
    }
    rte_mempool_free(w->pool);
    free(w);
}

/* --- what happens --------------------------------------------------------------------------------------------------
 */

static void open_conn(struct world *w, struct conn *c, uint16_t port)
{
    int err = 0;

    *c = (struct conn){.w = w, .live = true, .salt = random32(w)};
    c->bytes[0] = below(w, w->o->bytes_max);
    c->bytes[1] = below(w, w->o->bytes_max);
    c->key = (struct nb_flow_key){
        .local.word = {CLIENT}, .remote.word = {US}, .local_port = port, .remote_port = PORT, .family = NB_FAMILY_IPV4};
    if (chance(w, w->o->abort_permille))
        c->abort_at_us = w->now_us + below(w, 5000);
    w->by_port[port] = c;
    w->opened++;
    c->tcb = nb_tcp_connect(w->tcp, &c->key, w->now_us, &err);
    if (!c->tcb)
        fail(w, "port %u: connect: %d", port, err);
}

static void open_conns(struct world *w)
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
    if (open && spare < CONNS && c->accepted && chance(w, 500))
        open_conn(w, &w->conn[spare], c->key.local_port);
}

static void begin_move(struct world *w)
{
    struct conn *c = &w->conn[below(w, w->o->conns)];
    unsigned to = below(w, w->workers), i = 0;
    struct nb_tcb *tcb;

    while (i < TICKETS && w->ticket[i].busy)
        i++;
    if (i == TICKETS || !c->accepted || c->server_done || c->travelling)
        return;
    tcb = nb_tcp_lookup(w->rt->worker[c->worker]->tcp, c->handle);
    if (!tcb)
        return;
    w->ticket[i] = (struct ticket){.busy = true, .conn = c};
    nb__move_begin(w->rt->worker[c->worker], tcb, to, &w->ticket[i].ticket);
    nb__ring_doorbells(w->rt->worker[c->worker]);
}

static void read_tickets(struct world *w)
{
    for (unsigned i = 0; i < TICKETS; i++) {
        const struct nb_move_report *r = &w->ticket[i].ticket.report;

        if (!w->ticket[i].busy || !nb_runtime_move_done(&w->ticket[i].ticket))
            continue;
        w->ticket[i].busy = false;
        if (r->result) {
            w->result->refused++;
            continue;
        }
        w->result->moves++;
        w->result->forwarded += r->forwarded;
        w->result->parked += r->parked;
        w->result->lost += r->lost;
        w->result->reordered += r->reordered;
        if (r->settled_us - r->asked_us > w->result->longest_us)
            w->result->longest_us = r->settled_us - r->asked_us;
    }
}

static void pin_some(struct world *w)
{
    struct conn *c = &w->conn[below(w, w->o->conns)];

    if (!c->accepted || c->server_done || c->travelling)
        return;
    c->pinned = !c->pinned;
    nb_conn_pin(w->rt->worker[c->worker], c->handle, c->pinned);
}

/* The application comes back to data that it held; and clients to connections that they reset. */
static void tend_conns(struct world *w)
{
    for (unsigned i = 0; i < CONNS; i++) {
        struct conn *c = &w->conn[i];

        if (!c->live)
            continue;
        if (c->n_held && !c->travelling && !c->server_done && chance(w, 50))
            let_go(c, w->rt->worker[c->worker]);
        if (c->abort_at_us && w->now_us >= c->abort_at_us)
            abort_conn(w, c);
        if (c->client_done && c->server_done) {
            if (!c->reset)
                for (unsigned s = 0; s < 2; s++)
                    if (c->received[s] != c->bytes[s])
                        fail(w, "port %u: stream %u: %u of %u bytes", c->key.local_port, s, c->received[s],
                             c->bytes[s]);
            c->live = false;
        }
        /* Reset before the server ever heard of it. */
        if (c->reset && c->client_done && !c->accepted)
            c->server_done = true;
    }
}

static void change_reta(struct world *w)
{
    uint16_t reta[NB_RETA_MAX];
    const struct nb_port *port = &w->rt->port[0];
    struct nb_error err = {0};
    unsigned n = 1 + below(w, 8);

    memcpy(reta, port->reta, sizeof reta);
    while (n-- > 0)
        reta[below(w, port->reta_size)] = (uint16_t)below(w, w->workers);
    if (nb_runtime_set_reta(w->rt, 0, reta, port->reta_size, &err) < 0)
        fail(w, "RETA: %s", err.text);
}

/* The flow as the server has it. */
static struct nb_flow_key key_of(const struct conn *c)
{
    return (struct nb_flow_key){.local.word = {US},
                                .remote.word = {CLIENT},
                                .local_port = PORT,
                                .remote_port = c->key.local_port,
                                .family = NB_FAMILY_IPV4};
}

static unsigned home_of(const struct world *w, const struct conn *c)
{
    const struct nb_port *port = &w->rt->port[0];
    struct nb_flow_key key = key_of(c);

    return port->reta[nb_rss_hash(&w->rt->worker_port[0].rss, &key) % port->reta_size];
}

/* What the steering thread does, with a NIC that takes its time: a rule brings a flow to its owner; or goes, because
 * the flow is at home there or the table is full. What it heard of the owner may be old. */
static void begin_rule(struct world *w)
{
    struct conn *c = &w->conn[below(w, w->o->conns)];
    const struct nb_tcb *tcb;
    unsigned home, to;

    if (!c->live || !c->accepted || c->server_done || c->travelling || c->way_open)
        return;
    tcb = nb_tcp_lookup(w->rt->worker[c->worker]->tcp, c->handle);
    home = home_of(w, c);
    to = chance(w, 100) ? home : chance(w, 100) ? below(w, w->workers) : c->worker;
    if (!tcb || to == (c->has_rule ? c->rule : home))
        return;
    c->way = (struct nb_way){.key = key_of(c),
                             .flow = nb_tcb_id(tcb),
                             .from = c->has_rule ? (uint16_t)c->rule : NB_WAY_HOME,
                             .to = to == home ? NB_WAY_HOME : (uint16_t)to};
    c->next_rule = to;
    c->kept = nb_runtime_way_opens(w->rt, &c->way);
    c->way_open = c->kept != -EAGAIN; /* it has only just been moved: later */
    c->rule_at_us = w->now_us + below(w, 2000);
}

static void end_rules(struct world *w)
{
    for (unsigned i = 0; i < CONNS; i++) {
        struct conn *c = &w->conn[i];

        if (!c->way_open || w->now_us < c->rule_at_us)
            continue;
        if (!chance(w, 100)) { /* else the NIC refuses */
            c->has_rule = c->next_rule != home_of(w, c);
            c->rule = c->next_rule;
        }
        c->way_open = false;
        w->rt->worker[0]->now_us = w->now_us; /* the steering thread's clock does not sleep */
        if (c->kept == 0)
            nb_runtime_way_opened(w->rt, &c->way, w->o->rx_write_us + CLOCK_US);
    }
}

static void step_workers(struct world *w)
{
    unsigned first = below(w, w->workers);

    for (unsigned k = 0; k < w->workers; k++) {
        unsigned i = (first + k) % w->workers;

        if (!w->quiet && w->sleeps_until_us[i] > w->now_us)
            continue;
        if (!w->quiet && chance(w, w->o->asleep_permille))
            w->sleeps_until_us[i] = w->now_us + below(w, w->o->asleep_us);
        else if (w->quiet || chance(w, 700))
            nb_worker_step(w->rt->worker[i], w->now_us - below(w, 2));
    }
}

static void step(struct world *w)
{
    w->now_us += 1 + below(w, w->quiet ? QUIET_STEP_US : STEP_US);
    w->port.now_ns = w->now_us * 1000;
    arrive_at_server(w);
    step_workers(w);
    arrive_at_client(w);
    nb_tcp_advance(w->tcp, w->now_us);
    nb_tcp_flush(w->tcp, w->now_us);
    tend_conns(w);
    read_tickets(w);
    if (chance(w, w->o->moves_permille))
        begin_move(w);
    if (chance(w, w->o->rule_permille))
        begin_rule(w);
    end_rules(w);
    if (chance(w, w->o->pin_permille))
        pin_some(w);
    if (chance(w, w->o->reta_permille))
        change_reta(w);
}

static unsigned live_conns(const struct world *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < CONNS; i++)
        n += w->conn[i].live;
    return n;
}

static void tell_stuck(struct world *w)
{
    for (unsigned i = 0; i < CONNS; i++) {
        const struct conn *c = &w->conn[i];
        const struct nb_tcb *ours = c->accepted ? nb_tcp_lookup(w->rt->worker[c->worker]->tcp, c->handle) : NULL;

        if (c->live)
            fail(
                w,
                "port %u does not end: client %s, sent %u of %u, got %u of %u; server %s on worker %u, sent %u, got %u",
                c->key.local_port, c->tcb ? nb_tcp_state_name(nb_tcb_state(c->tcb)) : "gone", c->written[0],
                c->bytes[0], c->received[1], c->bytes[1], ours ? nb_tcp_state_name(nb_tcb_state(ours)) : "gone",
                c->worker, c->written[1], c->received[0]);
    }
}

/* --- what must hold ------------------------------------------------------------------------------------------------
 */

static uint64_t total(const struct world *w, enum nb_counter counter)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < w->workers; i++)
        n += w->rt->worker[i]->counters[counter];
    return n;
}

struct tally {
    uint64_t out_of_order, retransmitted, probes, lost, ring_full, tx_full, reordered;
};

static struct tally count(const struct world *w)
{
    return (struct tally){
        .out_of_order = total(w, NB_COUNTER_OUT_OF_ORDER),
        .retransmitted = total(w, NB_COUNTER_RETRANSMITTED),
        .probes = total(w, NB_COUNTER_LOSS_PROBES),
        .lost = total(w, NB_COUNTER_MOVE_LOST),
        .ring_full = total(w, NB_COUNTER_DROP_RING_FULL),
        .tx_full = total(w, NB_COUNTER_DROP_TX_FULL),
        .reordered = total(w, NB_COUNTER_MOVE_REORDERED),
    };
}

static void check_zero(struct world *w, const char *what, uint64_t n)
{
    if (n)
        fail(w, "%s: %llu", what, (unsigned long long)n);
}

static void check_counters(struct world *w, const struct tally *a)
{
    const uint64_t *client = nb_tcp_counters(w->tcp);
    struct tally b = count(w);

    check_zero(w, "lost in a move", b.lost - a->lost + w->result->lost);
    check_zero(w, "rings full", b.ring_full - a->ring_full);
    check_zero(w, "frames that found no room in a queue", w->port.missed);
    check_zero(w, "transmit queue full", b.tx_full - a->tx_full);
    if (w->o->disorder_allowed)
        return;
    check_zero(w, "reordered, as moves count it", total(w, NB_COUNTER_MOVE_REORDERED) - a->reordered);
    check_zero(w, "out of order at the server", b.out_of_order - a->out_of_order);
    check_zero(w, "out of order at the client", client[NB_COUNTER_OUT_OF_ORDER]);
    if (w->o->abort_permille)
        return;
    check_zero(w, "sent again by the server", b.retransmitted - a->retransmitted - (b.probes - a->probes));
    check_zero(w, "sent again by the client", client[NB_COUNTER_RETRANSMITTED] - client[NB_COUNTER_LOSS_PROBES]);
}

static void tell_gates(struct world *w, const struct nb_worker *worker)
{
    struct nb_gate *gate = NULL;

    for (unsigned i = 0; i < CONNS && !gate; i++) {
        struct nb_flow_key key = w->conn[i].key;

        key.local = w->conn[i].key.remote;
        key.remote = w->conn[i].key.local;
        key.local_port = PORT;
        key.remote_port = w->conn[i].key.local_port;
        gate = nb__gate_of((struct nb_worker *)(uintptr_t)worker, &key);
    }
    fail(w, "worker %u still has %u gates, %u departures, %u landings; one is at %u of %u, awaits %llx%s%s%s",
         worker->index, worker->n_gates, worker->moves->n_departures, worker->moves->n_landings, gate ? gate->at : 0,
         gate ? gate->n : 0, gate ? (unsigned long long)gate->awaited[gate->at] : 0,
         gate && gate->strict ? ", rule" : "", gate && gate->forced ? ", forced" : "",
         gate && gate->holding ? ", holding" : "");
}

static void check_rest(struct world *w)
{
    for (unsigned i = 0; i < TICKETS; i++)
        if (w->ticket[i].busy)
            fail(w, "port %u: a move did not end", w->ticket[i].conn->key.local_port);
    for (unsigned i = 0; i < w->workers; i++) {
        const struct nb_worker *worker = w->rt->worker[i];

        if (nb_tcp_connections(worker->tcp))
            fail(w, "worker %u still has %u connections", i, nb_tcp_connections(worker->tcp));
        if (worker->n_gates || worker->n_holding || worker->moves->n_departures || worker->moves->n_landings)
            tell_gates(w, worker);
        if (worker->tcp->send.mbufs || worker->tcp->reasm.mbufs)
            fail(w, "worker %u still counts %u buffers to send, %u out of order", i, worker->tcp->send.mbufs,
                 worker->tcp->reasm.mbufs);
        if (rte_mempool_in_use_count(w->rt->pool[i]))
            fail(w, "worker %u: %u buffers are held", i, rte_mempool_in_use_count(w->rt->pool[i]));
    }
}

bool world_run(struct world *w, const struct world_options *options, struct world_result *result)
{
    struct tally before;
    uint64_t began_us;

    w->o = options;
    w->result = result;
    *result = (struct world_result){0};
    w->random = options->seed * 0x9e3779b97f4a7c15 | 1;
    for (unsigned i = 0; i < 8; i++)
        random32(w);
    w->quiet = false;
    memset(w->ticket, 0, sizeof w->ticket);
    memset(w->conn, 0, sizeof w->conn);
    memset(w->sleeps_until_us, 0, sizeof w->sleeps_until_us);
    w->port.tx_ring = options->tx_ring ? options->tx_ring : 64;
    w->port.missed = 0;
    for (unsigned i = 0; i < w->workers; i++) {
        struct nb_tx_clock *clock = &w->rt->worker[i]->port[0].tx_clock;
        w->rt->worker[i]->port[0].rx_descriptors = (uint16_t)w->port.rx_ring;

        clock->frame = ((options->frame_ns ? options->frame_ns : FRAME_NS) << NB_TX_CLOCK_SHIFT) / 1000 + 1;
        clock->drain = (uint64_t)w->port.tx_ring * clock->frame;
    }
    w->next_port = (uint16_t)(10000 + options->seed * 131 % 40000);
    rest(w);
    client_new(w);
    before = count(w);
    began_us = w->now_us;
    open_conns(w);
    while (live_conns(w) && !result->why[0]) {
        step(w);
        if (w->now_us > began_us + GIVE_UP_US)
            tell_stuck(w);
    }
    w->quiet = true;
    for (uint64_t until_us = w->now_us + QUIET_US; w->now_us < until_us && !result->why[0];)
        step(w);
    check_counters(w, &before);
    check_rest(w);
    client_free(w);
    result->now_us = w->now_us - began_us;
    return !result->why[0];
}
