/* test_connect.c - active opens of several workers whose packets come by RSS, against one server: each connection is
 * made where its answers arrive, and when ports run short there are further ways.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_tcp.h>

#include "../../../host-lib/wire/ethernet.h"
#include "../../../host-lib/worker/engine.h"
#include "eal.h"
#include "ring_port.h"

#define WORKERS     4
#define RETA_SIZE   128
#define US          RTE_BE32(0x0a630001)
#define SERVER      RTE_BE32(0x0a630002)
#define PORT        7
#define CONNECTIONS 40000 /* more than there are ephemeral ports */
#define STEP_US     10

static struct nb_test_port client_wire, server_wire;
static struct nb_runtime *client, *server;
static struct nb_rss_key nic_key;
static struct nb_rss nic; /* what the client's port would do */
static uint64_t now_us;
static bool wire_cut; /* nothing passes */

/* --- applications: one that opens, one that accepts ----------------------------------------------------------------
 */

struct opener {
    unsigned connected, closed;
    enum nb_closed_reason reason;
    struct nb_conn last;
    void *last_user;
    bool closes; /* as soon as it stands: we keep TIME-WAIT */
};

static struct opener opener[WORKERS];

static int start(struct nb_worker *w, const struct nb_app_option *options, unsigned n, void **state,
                 struct nb_error *err)
{
    (void)options, (void)n, (void)err;
    *state = &opener[nb_worker_index(w)];
    return 0;
}

static void on_connected(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct opener *o = state;

    o->connected++;
    o->last = c;
    o->last_user = user;
    if (o->closes)
        nb_conn_close(w, c);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    struct opener *o = state;

    (void)w, (void)c;
    o->closed++;
    o->reason = reason;
    o->last_user = user;
}

static const struct nb_app opening_app = {
    .abi = NB_APP_ABI, .name = "opener", .start = start, .on_connected = on_connected, .on_closed = on_closed};

static void close_too(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_close(w, c);
}

static const struct nb_app server_app = {.abi = NB_APP_ABI, .name = "server", .on_peer_closed = close_too};

/* --- two hosts and the wire between them ---------------------------------------------------------------------------
 */

static struct nb_runtime *start_host(const struct nb_test_port *wire, uint32_t address, unsigned workers,
                                     uint16_t tcp_port, const struct nb_app *app)
{
    static struct nb_runtime_config config;
    struct nb_error err = {0};
    struct nb_runtime *rt;

    nb_runtime_config_init(&config);
    config.n_workers = workers;
    config.n_ports = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", wire->device);
    config.port[0].n_addresses = 1;
    config.port[0].address[0] =
        (struct nb_port_address){.address = {{address}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    config.n_listeners = 1;
    config.listener[0] = (struct nb_listener_config){.tcp_port = tcp_port, .app = app};
    config.limits.connections = config.limits.time_wait = config.limits.half_open = CONNECTIONS;
    config.limits.mbufs = 4096;
    if (nb__engine_start_stepped(&config, now_us, &rt, &err) < 0)
        fail_msg("%s", err.text);
    return rt;
}

static void give_rss(void)
{
    uint8_t key[40];
    uint16_t reta[RETA_SIZE];

    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(0x6d + 41 * i);
    for (unsigned i = 0; i < RETA_SIZE; i++)
        reta[i] = i % WORKERS;
    assert_int_equal(nb_rss_key_init(&nic_key, key, sizeof key, RETA_SIZE, NULL), 0);
    nic.key = &nic_key;
    nb_rss_set_reta(&nic, reta, RETA_SIZE);
    for (unsigned i = 0; i < WORKERS; i++)
        client->worker[i]->port[0].rss = nic;
}

/* The queue that the client's NIC chooses. */
static unsigned queue_of(const struct rte_mbuf *m)
{
    const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
    const struct rte_ipv4_hdr *ip = (const void *)(eth + 1);
    const struct rte_tcp_hdr *tcp = (const void *)(ip + 1);

    if (eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4))
        return 0;
    const struct nb_flow_key key = {.local.word = {ip->dst_addr},
                                    .remote.word = {ip->src_addr},
                                    .local_port = rte_be_to_cpu_16(tcp->dst_port),
                                    .remote_port = rte_be_to_cpu_16(tcp->src_port),
                                    .family = NB_FAMILY_IPV4};
    return nb_rss_queue(&nic, &key);
}

static bool carry(void)
{
    struct rte_mbuf *m;
    unsigned queue;
    bool any = false;

    while ((m = nb_test_port_take(&client_wire, &queue))) {
        if (wire_cut)
            rte_pktmbuf_free(m);
        else
            nb_test_port_inject(&server_wire, 0, m);
        any = true;
    }
    while ((m = nb_test_port_take(&server_wire, &queue))) {
        nb_test_port_inject(&client_wire, queue_of(m), m);
        any = true;
    }
    return any;
}

static void settle(void)
{
    for (unsigned quiet = 0; quiet < 3; quiet++) {
        bool any;

        now_us += STEP_US;
        any = nb__engine_step(client, now_us);
        any |= nb__engine_step(server, now_us);
        any |= carry();
        if (any)
            quiet = 0;
    }
}

static int setup(void **state)
{
    (void)state;
    memset(opener, 0, sizeof opener);
    wire_cut = false;
    now_us = 1000;
    nb_test_port_open(&client_wire, WORKERS, 4096);
    nb_test_port_open(&server_wire, 1, 4096);
    client = start_host(&client_wire, US, WORKERS, 0, &opening_app);
    server = start_host(&server_wire, SERVER, 1, PORT, &server_app);
    give_rss();
    return 0;
}

static bool drain_wires(void)
{
    struct rte_mbuf *m;
    unsigned queue, n = 0;

    for (; (m = nb_test_port_take(&client_wire, &queue)) || (m = nb_test_port_take(&server_wire, &queue)); n++)
        rte_pktmbuf_free(m);
    return n;
}

static int teardown(void **state)
{
    unsigned held;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        nb_worker_stop(client->worker[i], now_us);
    nb_worker_stop(server->worker[0], now_us);
    while (drain_wires()) {
        for (unsigned i = 0; i < WORKERS; i++)
            nb__tx_flush(client->worker[i]);
        nb__tx_flush(server->worker[0]);
    }
    held = nb__engine_stop_stepped(client, now_us);
    held += nb__engine_stop_stepped(server, now_us);
    nb_test_port_close(&client_wire);
    nb_test_port_close(&server_wire);
    return held ? -1 : 0;
}

/* --- what the tests say --------------------------------------------------------------------------------------------
 */

static int open_as(unsigned worker, uint16_t local_port, struct nb_conn *c)
{
    const struct nb_connect to = {.remote.word = {SERVER},
                                  .remote_port = PORT,
                                  .family = NB_FAMILY_IPV4,
                                  .local_port = local_port,
                                  .user = &opener[worker].connected};

    return nb_conn_connect(client->worker[worker], &opener[worker], &to, c);
}

static uint64_t total(enum nb_counter c)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < WORKERS; i++) {
        struct nb_worker_info info;

        nb_runtime_worker_info(client, i, &info);
        n += info.counter[c];
    }
    return n;
}

static unsigned ports_with_home(unsigned worker)
{
    unsigned n = 0;

    for (unsigned port = NB_EPHEMERAL_FIRST; port <= NB_EPHEMERAL_LAST; port++) {
        const struct nb_flow_key key = {.local.word = {US},
                                        .remote.word = {SERVER},
                                        .local_port = (uint16_t)port,
                                        .remote_port = PORT,
                                        .family = NB_FAMILY_IPV4};
        n += nb_rss_queue(&nic, &key) == worker;
    }
    return n;
}

/* Connections of worker 0 until no port has its home there; how many. */
static unsigned use_up_own_ports(void)
{
    unsigned n = ports_with_home(0);
    struct nb_conn c;

    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(open_as(0, 0, &c), 0);
        assert_int_not_equal(c.generation, 0);
        if (i == 0 || i % 64 == 63) /* the first waits for its neighbour */
            settle();
    }
    settle();
    assert_int_equal(opener[0].connected, n);
    return n;
}

/* --- tests ---------------------------------------------------------------------------------------------------------
 */

static void test_every_workers_connections_come_home(void **state)
{
    struct nb_flow_key key;
    struct nb_conn c;

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(open_as(i % WORKERS, 0, &c), 0);
        assert_int_equal(nb_conn_key(client->worker[i % WORKERS], c, &key), 0);
        assert_int_equal(nb_rss_queue(&nic, &key), i % WORKERS);
        assert_int_equal(key.local.word[0], US);
        settle();
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(opener[i].connected, 100);
        assert_ptr_equal(opener[i].last_user, &opener[i].connected);
    }
    assert_int_equal(total(NB_COUNTER_FORWARDED_IN), 0); /* no worker had anything to say to another */
    assert_int_equal(total(NB_COUNTER_CONNECTIONS_OPENED), 400);
}

/* The peer holds the closed connection in TIME-WAIT, and within a millisecond could not tell a new one from it. */
static void test_port_is_not_used_again_before_all_others_were(void **state)
{
    static bool used[65536];
    unsigned own = ports_with_home(0);
    struct nb_flow_key key;
    struct nb_conn c;

    (void)state;
    memset(used, 0, sizeof used);
    for (unsigned i = 0; i < own; i++) {
        assert_int_equal(open_as(0, 0, &c), 0);
        assert_int_equal(nb_conn_key(client->worker[0], c, &key), 0);
        assert_false(used[key.local_port]);
        used[key.local_port] = true;
        nb_conn_abort(client->worker[0], c);
        if (i % 64 == 0)
            settle();
    }
}

static void test_refused_connection_ends_with_the_reason(void **state)
{
    const struct nb_connect to = {
        .remote.word = {SERVER}, .remote_port = PORT + 1, .family = NB_FAMILY_IPV4, .user = opener};
    struct nb_conn c;

    (void)state;
    assert_int_equal(nb_conn_connect(client->worker[1], &opener[1], &to, &c), 0);
    settle();
    assert_int_equal(opener[1].connected, 0);
    assert_int_equal(opener[1].closed, 1);
    assert_int_equal(opener[1].reason, NB_CLOSED_REFUSED);
}

static void test_nonsense_is_refused(void **state)
{
    struct nb_connect to = {.remote.word = {SERVER}, .remote_port = PORT, .family = NB_FAMILY_IPV4};
    struct nb_worker *w = client->worker[0];
    struct nb_conn c;
    int nobody = 0;

    (void)state;
    assert_int_equal(nb_conn_connect(w, &nobody, &to, &c), -EINVAL);
    assert_int_equal(nb_conn_connect(w, NULL, &to, &c), -EINVAL);
    to.remote_port = 0;
    assert_int_equal(nb_conn_connect(w, &opener[0], &to, &c), -EINVAL);
    to.remote_port = PORT;
    to.remote.word[0] = RTE_BE32(0x01010101); /* no gateway */
    assert_int_equal(nb_conn_connect(w, &opener[0], &to, &c), -ENETUNREACH);
    to.remote.word[0] = RTE_BE32(0x0a6300ff); /* our network's broadcast address */
    assert_int_equal(nb_conn_connect(w, &opener[0], &to, &c), -ENETUNREACH);
    to.remote.word[0] = SERVER;
    to.local.word[0] = SERVER;
    assert_int_equal(nb_conn_connect(w, &opener[0], &to, &c), -EADDRNOTAVAIL);
    to.local.word[0] = 0;
    to.family = NB_FAMILY_IPV6; /* there is no IPv6 address to leave from */
    assert_int_equal(nb_conn_connect(w, &opener[0], &to, &c), -ENETUNREACH);
    to.family = 5;
    assert_int_equal(nb_conn_connect(w, &opener[0], &to, &c), -EAFNOSUPPORT);
    assert_int_equal(c.generation, 0);
}

static void test_own_ports_used_up_others_grant_theirs(void **state)
{
    unsigned own = use_up_own_ports();
    struct nb_flow_key key;
    struct nb_conn c;

    (void)state;
    assert_int_equal(open_as(0, 0, &c), 0);
    assert_int_equal(c.generation, 0); /* not yet */
    settle();
    assert_int_equal(opener[0].connected, own + 1);
    assert_int_equal(nb_conn_key(client->worker[0], opener[0].last, &key), 0);
    assert_int_not_equal(nb_rss_queue(&nic, &key), 0);
    assert_int_equal(total(NB_COUNTER_PORTS_GRANTED), 1);
    assert_true(total(NB_COUNTER_FORWARDED_IN) > 0);
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);

    assert_int_equal(open_as(nb_rss_queue(&nic, &key), key.local_port, &c), -EADDRINUSE); /* its home knows */
    nb_conn_abort(client->worker[0], opener[0].last);
    for (unsigned i = 0; i < 200; i++) {
        now_us += 1000;
        settle();
    }
    assert_int_equal(open_as(nb_rss_queue(&nic, &key), key.local_port, &c), 0); /* and has it back */
}

static void test_all_ports_used_up_ends_the_opening(void **state)
{
    unsigned own = use_up_own_ports(), all = NB_EPHEMERAL_LAST - NB_EPHEMERAL_FIRST + 1;
    struct nb_conn c;

    (void)state;
    for (unsigned i = own; i < all; i++) {
        assert_int_equal(open_as(0, 0, &c), 0);
        if (i % 32 == 31)
            settle();
    }
    settle();
    assert_int_equal(opener[0].connected, all);
    assert_int_equal(opener[0].closed, 0);
    assert_int_equal(open_as(0, 0, &c), 0);
    settle();
    assert_int_equal(opener[0].closed, 1);
    assert_int_equal(opener[0].reason, NB_CLOSED_NO_PORT);
    assert_int_equal(total(NB_COUNTER_PORT_SHORTAGE), 1);
}

static void test_ports_in_time_wait_are_used_again_after_a_second(void **state)
{
    unsigned own;
    struct nb_conn c;

    (void)state;
    opener[0].closes = true;
    own = use_up_own_ports();
    assert_int_equal(opener[0].closed, own);
    now_us += 1000000;
    settle();
    assert_int_equal(open_as(0, 0, &c), 0);
    assert_int_not_equal(c.generation, 0);
    settle();
    assert_int_equal(opener[0].connected, own + 1);
    assert_int_equal(opener[0].reason, NB_CLOSED_NORMAL);
    assert_int_equal(total(NB_COUNTER_TIME_WAIT_REUSED), 1);
}

static void test_named_port_of_another_home_is_asked_for(void **state)
{
    struct nb_flow_key key = {
        .local.word = {US}, .remote.word = {SERVER}, .remote_port = PORT, .local_port = 1000, .family = NB_FAMILY_IPV4};
    struct nb_conn c;
    unsigned home;

    (void)state;
    while ((home = nb_rss_queue(&nic, &key)) == 0)
        key.local_port++;
    assert_int_equal(open_as(0, key.local_port, &c), 0);
    settle();
    assert_int_equal(opener[0].connected, 1);
    assert_int_equal(open_as(0, key.local_port, &c), 0); /* a second time: its home says no */
    settle();
    assert_int_equal(opener[0].connected, 1);
    assert_int_equal(opener[0].reason, NB_CLOSED_NO_PORT);
    assert_int_equal(open_as(home, key.local_port, &c), -EADDRINUSE);
}

static void test_unanswered_wish_is_asked_elsewhere_and_a_late_grant_handed_back(void **state)
{
    unsigned own = use_up_own_ports(), entries;
    struct nb_conn c;

    (void)state;
    assert_int_equal(open_as(0, 0, &c), 0);
    now_us += STEP_US;
    nb_worker_step(client->worker[0], now_us); /* worker 1 is asked and does not look */
    now_us += NB_GRANT_WAIT_US;
    nb_worker_step(client->worker[0], now_us); /* worker 2 is asked */
    nb_worker_step(client->worker[1], now_us);
    nb_worker_step(client->worker[2], now_us);
    entries = client->worker[1]->registry.entries + client->worker[2]->registry.entries;
    assert_int_equal(entries, 2);
    settle();
    assert_int_equal(opener[0].connected, own + 1);
    entries = client->worker[1]->registry.entries + client->worker[2]->registry.entries;
    assert_int_equal(entries, 1);
}

static void test_opening_that_waits_when_the_worker_stops_is_closed(void **state)
{
    struct nb_conn c;

    (void)state;
    use_up_own_ports();
    assert_int_equal(open_as(0, 0, &c), 0);
    nb_worker_stop(client->worker[0], now_us);
    assert_int_equal(client->worker[0]->openings->n, 0);
    assert_int_equal(opener[0].reason, NB_CLOSED_ABORTED);
}

static int start_eal(void **state)
{
    (void)state;
    nb_test_eal();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_workers_connections_come_home),
        TEST(test_port_is_not_used_again_before_all_others_were),
        TEST(test_refused_connection_ends_with_the_reason),
        TEST(test_nonsense_is_refused),
        TEST(test_own_ports_used_up_others_grant_theirs),
        TEST(test_all_ports_used_up_ends_the_opening),
        TEST(test_ports_in_time_wait_are_used_again_after_a_second),
        TEST(test_named_port_of_another_home_is_asked_for),
        TEST(test_unanswered_wish_is_asked_elsewhere_and_a_late_grant_handed_back),
        TEST(test_opening_that_waits_when_the_worker_stops_is_closed),
    };
    return cmocka_run_group_tests(tests, start_eal, NULL);
}
