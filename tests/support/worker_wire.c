/* worker_wire.c - see worker_wire.h. */
#include "worker_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../host-lib/wire/arp.h"
#include "../../host-lib/wire/ipv4.h"
#include "../../host-lib/wire/segment_emit.h"
#include "eal.h"

struct rte_mempool *clients_pool;
struct nb_test_port wire;
struct nb_runtime *rt;
struct nb_runtime_config config;
static struct nb_rss_key nic_key;
struct nb_rss nic; /* what the port would do: the test steers by it */
uint64_t now_us;

/* --- an application: echo, and a diary -----------------------------------------------------------------------------
 */

struct diary diary;

static int on_start(struct nb_worker *w, const struct nb_app_option *options, unsigned n, void **state,
                    struct nb_error *err)
{
    (void)options, (void)n;
    if (diary.refuse_start && nb_worker_index(w) == WORKERS - 1)
        return nb_error_set(err, -EINVAL, "echo: no");
    diary.starts++;
    *state = &diary;
    return 0;
}

static void on_stop(struct nb_worker *w, void *state)
{
    (void)w;
    assert_ptr_equal(state, &diary);
    diary.stops++;
}

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn c)
{
    struct nb_flow_key key;

    (void)state;
    assert_int_equal(nb_conn_key(w, c, &key), 0);
    assert_int_equal(key.local_port, PORT);
    nb_conn_set_user(w, c, &diary);
    diary.accepted++;
    return !diary.refuse_accept;
}

static void on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state;
    assert_ptr_equal(user, &diary);
    diary.deliveries++;
    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    assert_int_equal(nb_conn_send(w, c, data), 0);
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    assert_int_equal(nb_conn_close(w, c), 0);
    assert_int_equal(nb_conn_write(w, c, "x", 1), -EPIPE);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    (void)w, (void)state, (void)c;
    assert_ptr_equal(user, &diary);
    diary.closed++;
    diary.reason = reason;
}

static void *on_leave(struct nb_worker *w, void *state, struct nb_conn c, void *user, unsigned to)
{
    (void)w, (void)state, (void)c, (void)to;
    return user;
}

static void on_arrive(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)w, (void)state, (void)c;
    assert_ptr_equal(user, &diary);
}

static const struct nb_app echo = {
    .abi = NB_APP_ABI,
    .name = "echo",
    .start = on_start,
    .stop = on_stop,
    .on_accept = on_accept,
    .on_data = on_data,
    .on_peer_closed = on_peer_closed,
    .on_closed = on_closed,
    .on_leave = on_leave,
    .on_arrive = on_arrive,
};

/* --- the data plane ------------------------------------------------------------------------------------------------
 */

void make_config(void)
{
    nb_runtime_config_init(&config);
    config.n_workers = WORKERS;
    config.n_ports = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", wire.device);
    config.port[0].n_addresses = 1;
    config.port[0].address[0] =
        (struct nb_port_address){.address = {{US}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    config.n_listeners = 1;
    config.listener[0] = (struct nb_listener_config){.tcp_port = PORT, .app = &echo};
    config.limits.connections = config.limits.time_wait = 128;
    config.limits.mbufs = 2048;
}

/* A ring port has no RSS, so the workers are given the view of one that has: this is what nb_port would have told. */
static void give_rss(void)
{
    uint8_t key[40];
    uint16_t reta[RETA_SIZE];

    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(0x6d + 41 * i);
    memset(&nic, 0, sizeof nic);
    assert_int_equal(nb_rss_key_init(&nic_key, key, sizeof key, RETA_SIZE, NULL), 0);
    nic.key = &nic_key;
    for (unsigned i = 0; i < RETA_SIZE; i++)
        reta[i] = i % WORKERS;
    nb_rss_set_reta(&nic, reta, RETA_SIZE);
    for (unsigned i = 0; i < WORKERS; i++)
        rt->worker[i]->port[0].rss = nic;
}

void settle(void)
{
    for (unsigned quiet = 0; quiet < 3; quiet++) {
        now_us += 10;
        if (nb__engine_step(rt, now_us))
            quiet = 0;
    }
}

struct rte_mbuf *sent(unsigned *queue)
{
    return nb_test_port_take(&wire, queue);
}

struct rte_mbuf *frame(const uint8_t dst[6], uint16_t type, unsigned bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(clients_pool);

    assert_non_null(m);
    assert_non_null(rte_pktmbuf_append(m, (uint16_t)(NB_ETH_HEADER_BYTES + bytes)));
    rte_pktmbuf_adj(m, NB_ETH_HEADER_BYTES);
    assert_true(nb_eth_prepend(m, dst, client_mac, type, 0));
    return m;
}

static void introduce_client(void)
{
    struct nb_arp arp = {.op = NB_ARP_REQUEST, .sender = CLIENT, .target = US};
    struct rte_mbuf *m = frame(nb_mac_broadcast, NB_ETH_ARP, NB_ARP_BYTES);
    unsigned queue;

    memcpy(arp.sender_mac, client_mac, 6);
    nb_arp_write(rte_pktmbuf_mtod_offset(m, void *, NB_ETH_HEADER_BYTES), &arp);
    nb_test_port_inject(&wire, 0, m);
    settle();
    rte_pktmbuf_free(sent(&queue));
}

int setup_with(void (*shape)(struct nb_runtime_config *config))
{
    struct nb_error err = {0};

    memset(&diary, 0, sizeof diary);
    now_us = 1000;
    nb_test_port_open(&wire, WORKERS, 1024);
    make_config();
    if (shape)
        shape(&config);
    if (nb__engine_start_stepped(&config, now_us, &rt, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    give_rss();
    introduce_client();
    return 0;
}

int setup(void **state)
{
    (void)state;
    return setup_with(NULL);
}

int finish(void)
{
    unsigned held = rt ? nb__engine_stop_stepped(rt, now_us) : 0;

    rt = NULL;
    nb_test_port_close(&wire);
    return held == 0 && rte_mempool_full(clients_pool) ? 0 : -1;
}

void drain_wire(void)
{
    struct rte_mbuf *m;
    unsigned queue;

    while ((m = sent(&queue)))
        rte_pktmbuf_free(m);
}

/* Whatever was still sent must be taken off the rings before the pools can be full. */
int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        nb_worker_stop(rt->worker[i], now_us);
    drain_wire();
    return finish();
}

uint64_t counter(unsigned worker, enum nb_counter c)
{
    struct nb_worker_info info;

    nb_runtime_worker_info(rt, worker, &info);
    return info.counter[c];
}

uint64_t total(enum nb_counter c)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < WORKERS; i++)
        n += counter(i, c);
    return n;
}

unsigned flow_count(unsigned worker)
{
    struct nb_worker_info info;

    nb_runtime_worker_info(rt, worker, &info);
    return info.flows;
}

struct nb_flow_info only_flow(unsigned worker)
{
    struct nb_flow_info info[2];
    uint64_t cursor = 0;

    assert_int_equal(nb_runtime_flows(rt, worker, &cursor, info, 2), 1);
    assert_int_equal(cursor, 0);
    return info[0];
}

/* --- a client ------------------------------------------------------------------------------------------------------
 */

/* A client whose flow RSS sends to this queue. */
struct client client_at_home(unsigned queue)
{
    static uint16_t port = 20000;
    struct client c = {.seq = 0xfffffff0};

    do {
        struct nb_flow_key ours = {.local.word = {US},
                                   .remote.word = {CLIENT},
                                   .local_port = PORT,
                                   .remote_port = ++port,
                                   .family = NB_FAMILY_IPV4};

        c.key = (struct nb_flow_key){.local.word = {CLIENT},
                                     .remote.word = {US},
                                     .local_port = port,
                                     .remote_port = PORT,
                                     .family = NB_FAMILY_IPV4};
        c.home = nb_rss_queue(&nic, &ours);
    } while (c.home != queue);
    return c;
}

void send_through(struct nb_test_port *port, const uint8_t mac[6], unsigned queue, struct client *c,
                         uint8_t flags, const char *text)
{
    bool with_cookie = flags & NB_TCP_SYN && c->cookie;
    struct nb_seg_out out = {.key = &c->key,
                             .seq = c->seq,
                             .ack = c->ack,
                             .window = 65535,
                             .flags = flags,
                             .options = with_cookie ? NB_SEG_FASTOPEN : 0,
                             .cookie = c->cookie};
    unsigned header = nb_seg_header_bytes(&out), n = (unsigned)strlen(text);
    struct rte_mbuf *m = frame(mac, NB_ETH_IPV4, header + n);

    memcpy(rte_pktmbuf_mtod_offset(m, char *, NB_ETH_HEADER_BYTES + header), text, n);
    rte_pktmbuf_adj(m, NB_ETH_HEADER_BYTES);
    nb_seg_emit(m, &out, false);
    assert_true(nb_eth_prepend(m, mac, client_mac, NB_ETH_IPV4, 0));
    m->ol_flags = 0;
    nb_test_port_inject(port, queue, m);
    c->seq += n + ((flags & (NB_TCP_SYN | NB_TCP_FIN)) != 0);
}

void send_on(unsigned queue, struct client *c, uint8_t flags, const char *text)
{
    send_through(&wire, rt->net_port[0].mac, queue, c, flags, text);
}

bool receive(struct client *c, struct reply *r)
{
    struct rte_mbuf *m = sent(&r->queue);
    struct nb_ipv4 ip;

    memset(r->text, 0, sizeof r->text);
    if (!m)
        return false;
    assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), client_mac, 6);
    assert_int_equal(nb_ipv4_parse(&ip, m, NB_ETH_HEADER_BYTES, true), 0);
    r->seg.key = (struct nb_flow_key){.local.word = {ip.dst}, .remote.word = {ip.src}, .family = NB_FAMILY_IPV4};
    assert_int_equal(nb_seg_parse(&r->seg, m, NB_ETH_HEADER_BYTES + ip.header_bytes,
                                  (uint32_t)ip.total_bytes - ip.header_bytes, true),
                     0);
    assert_int_equal(r->seg.key.local_port, c->key.local_port);
    assert_true(r->seg.payload_bytes < sizeof r->text);
    const void *bytes = rte_pktmbuf_read(m, r->seg.payload_offset, r->seg.payload_bytes, r->text);
    if (bytes && bytes != r->text)
        memcpy(r->text, bytes, r->seg.payload_bytes);
    rte_pktmbuf_free(m);
    if (!(r->seg.flags & NB_TCP_RST))
        c->ack = r->seg.seq + nb_seg_len(&r->seg);
    return true;
}

void receive_nothing(void)
{
    unsigned queue;

    assert_null(sent(&queue));
}

struct reply exchange_on(unsigned queue, struct client *c, uint8_t flags, const char *text)
{
    struct reply r;

    send_on(queue, c, flags, text);
    settle();
    assert_true(receive(c, &r));
    return r;
}

/* Open a connection through whatever queue. */
void open_on(unsigned queue, struct client *c)
{
    struct reply r = exchange_on(queue, c, NB_TCP_SYN, "");

    assert_int_equal(r.seg.flags, NB_TCP_SYN | NB_TCP_ACK);
    assert_int_equal(r.seg.ack, c->seq);
    send_on(queue, c, NB_TCP_ACK, "");
    settle();
    receive_nothing();
}

/* The connection works: a text comes back, in one segment or after a bare ACK. */
void echo_on(unsigned queue, struct client *c, const char *text)
{
    struct reply r = exchange_on(queue, c, NB_TCP_ACK | NB_TCP_PSH, text);

    assert_int_equal(r.seg.flags & NB_TCP_RST, 0);
    assert_string_equal(r.text, text);
    send_on(queue, c, NB_TCP_ACK, "");
    settle();
    receive_nothing();
}

void close_on(unsigned queue, struct client *c)
{
    struct reply r;

    send_on(queue, c, NB_TCP_FIN | NB_TCP_ACK, "");
    settle();
    while (receive(c, &r))
        ;
    send_on(queue, c, NB_TCP_ACK, "");
    settle();
    receive_nothing();
}

/* --- changes of RETA -----------------------------------------------------------------------------------------------
 */

static void call_all(void (*fn)(struct nb_worker *w, void *arg), void *arg)
{
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(nb_runtime_call(rt, i, fn, arg), 0);
}

static void begin(struct nb_worker *w, void *reta)
{
    nb__reta_begin(w, 0, reta, RETA_SIZE);
}

static void announce(struct nb_worker *w, void *done)
{
    *(bool *)done = nb__reta_announce(w, 0);
}

static void nothing(struct nb_worker *w, void *arg)
{
    (void)w, (void)arg;
}

static void switch_over(struct nb_worker *w, void *arg)
{
    (void)arg;
    nb__reta_switch(w, 0);
}

static void abandon(struct nb_worker *w, void *arg)
{
    (void)arg;
    nb__reta_abandon(w, 0);
}

static void clean(struct nb_worker *w, void *done)
{
    *(bool *)done = nb__reta_clean(w, 0);
}

/* Rings may fill up: others read them in between. */
static void finish_on_all(void (*fn)(struct nb_worker *w, void *done))
{
    for (unsigned i = 0; i < WORKERS; i++)
        for (bool done = false; !done; settle())
            assert_int_equal(nb_runtime_call(rt, i, fn, &done), 0);
}

void all_to(uint16_t reta[RETA_SIZE], uint16_t queue)
{
    for (unsigned i = 0; i < RETA_SIZE; i++)
        reta[i] = queue;
}

/* The steps of nb_runtime_set_reta, with `between` after each: the test's chance to send something. */
void change_reta(const uint16_t *reta, bool port_refuses, void (*between)(void))
{
    call_all(begin, (void *)(uintptr_t)reta);
    between();
    finish_on_all(announce);
    call_all(nothing, NULL);
    between();
    if (!port_refuses)
        nb_rss_set_reta(&nic, reta, RETA_SIZE);
    between();
    for (unsigned i = 0; i < WORKERS; i++) { /* one after the other: half have switched, half have not */
        assert_int_equal(nb_runtime_call(rt, i, port_refuses ? abandon : switch_over, NULL), 0);
        between();
    }
    finish_on_all(clean);
    settle();
    between();
}

void send_nothing(void) {}
