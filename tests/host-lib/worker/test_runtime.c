/* test_runtime.c - the data plane with its threads: started, asked from several sides, serving, stopped, and what it
 * says when it cannot start.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <rte_bus_vdev.h>
#include <rte_byteorder.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "../../../host-lib/worker/engine.h"
#include "eal.h"
#include "ring_port.h"

#define SERVER      RTE_BE32(0x0a630002)
#define CLIENT      RTE_BE32(0x0a630001)
#define PORT        7
#define TOTAL_BYTES 300000u

static struct nb_runtime_config config;
static struct nb_error err;

static void make_config(const char *device, unsigned workers)
{
    nb_runtime_config_init(&config);
    config.n_workers = workers;
    config.n_ports = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", device);
    config.port[0].n_addresses = 1;
    config.port[0].address[0] =
        (struct nb_port_address){.address = {{SERVER}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    memset(&err, 0, sizeof err);
}

static void must_start(struct nb_runtime **rt)
{
    if (nb_runtime_start(&config, rt, &err) != 0)
        fail_msg("%s", err.text);
}

static void must_refuse(int code, const char *word)
{
    struct nb_runtime *rt;

    assert_int_equal(nb_runtime_start(&config, &rt, &err), code);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not say \"%s\"", err.text, word);
}

/* --- refusals ------------------------------------------------------------------------------------------------------
 */

static void test_device_that_is_not_there_is_answered_with_those_that_are(void **state)
{
    struct nb_test_port wire;

    (void)state;
    nb_test_port_open(&wire, 1, 64);
    make_config("0000:ff:1f.7", 1);
    must_refuse(-ENODEV, "port 0000:ff:1f.7: not there");
    assert_non_null(strstr(err.text, wire.device));
    nb_test_port_close(&wire);
}

static void test_port_in_use_is_refused_and_its_user_undisturbed(void **state)
{
    struct nb_test_port wire;
    struct nb_runtime *rt;
    struct nb_port_info info;

    (void)state;
    nb_test_port_open(&wire, 1, 64);
    make_config(wire.device, 1);
    must_start(&rt);
    must_refuse(-EBUSY, "already owned by netbypass");
    assert_int_equal(nb_runtime_port_info(rt, 0, &info), 0);
    assert_true(info.link_up);
    nb_runtime_stop(rt);
    nb_test_port_close(&wire);
}

static void test_more_workers_than_queues_are_refused(void **state)
{
    struct nb_test_port wire;
    struct nb_runtime *rt;

    (void)state;
    nb_test_port_open(&wire, 2, 64);
    make_config(wire.device, 3);
    must_refuse(-EINVAL, "3 workers need a queue pair each, driver net_ring has 2");
    config.n_workers = 2; /* and the port is free again */
    must_start(&rt);
    assert_int_equal(nb_runtime_worker_count(rt), 2);
    nb_runtime_stop(rt);
    nb_test_port_close(&wire);
}

static void test_too_few_buffers_are_refused_with_the_number_needed(void **state)
{
    struct nb_test_port wire;

    (void)state;
    nb_test_port_open(&wire, 1, 64);
    make_config(wire.device, 1);
    config.limits.mbufs = 1279;
    must_refuse(-EINVAL, "needs 1280 at least");
    nb_test_port_close(&wire);
}

static int refuse_to_start(struct nb_worker *w, const struct nb_app_option *options, unsigned n, void **state,
                           struct nb_error *e)
{
    (void)w, (void)options, (void)n, (void)state;
    return nb_error_set(e, -EINVAL, "picky: unknown option: colour; these are known: none");
}

static void test_application_that_refuses_ends_the_start_with_its_words(void **state)
{
    static const struct nb_app picky = {.abi = NB_APP_ABI, .name = "picky", .start = refuse_to_start};
    struct nb_test_port wire;

    (void)state;
    nb_test_port_open(&wire, 2, 64);
    make_config(wire.device, 2);
    config.n_listeners = 1;
    config.listener[0] = (struct nb_listener_config){.tcp_port = PORT, .app = &picky};
    must_refuse(-EINVAL, "picky: unknown option: colour");
    nb_test_port_close(&wire);
}

/* --- asking --------------------------------------------------------------------------------------------------------
 */

static void count_up(struct nb_worker *w, void *arg)
{
    ((unsigned *)arg)[nb_worker_index(w)]++;
}

static struct nb_runtime *asked;

static void *ask_often(void *arg)
{
    for (unsigned i = 0; i < 200; i++)
        if (nb_runtime_call(asked, i % 2, count_up, arg) != 0)
            return NULL;
    return arg;
}

static void test_calls_from_several_threads_all_run_where_they_should(void **state)
{
    struct nb_test_port wire;
    unsigned count[2] = {0};
    pthread_t t[3];

    (void)state;
    nb_test_port_open(&wire, 2, 64);
    make_config(wire.device, 2);
    must_start(&asked);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, ask_often, count), 0);
    for (unsigned i = 0; i < 3; i++) {
        void *ok;

        pthread_join(t[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(count[0], 300);
    assert_int_equal(count[1], 300);
    assert_int_equal(nb_runtime_call(asked, 2, count_up, count), -ESHUTDOWN);
    nb_runtime_stop(asked);
    nb_test_port_close(&wire);
}

static void test_idle_worker_sleeps_and_its_time_is_accounted_for(void **state)
{
    struct nb_worker_info info;
    struct nb_test_port wire;
    struct nb_runtime *rt;

    (void)state;
    nb_test_port_open(&wire, 1, 64);
    make_config(wire.device, 1);
    must_start(&rt);
    do
        nb_runtime_worker_info(rt, 0, &info);
    while (info.sleeps < 3);
    assert_true(info.idle_us > 0);
    assert_int_equal(info.cpu, -1);
    assert_int_equal(info.flows, 0);
    nb_runtime_stop(rt);
    nb_test_port_close(&wire);
}

static void test_reta_is_rewritten_in_the_port_kept_by_a_restart_and_nonsense_is_refused(void **state)
{
    uint16_t reta[NB_RETA_MAX] = {0};
    struct nb_port_info info;
    struct nb_runtime *rt;

    (void)state;
    assert_int_equal(rte_vdev_init("net_null0", "no-rx=1"), 0);
    make_config("net_null0", 4);
    must_start(&rt);
    assert_int_equal(nb_runtime_port_info(rt, 0, &info), 0);
    assert_string_equal(info.driver, "net_null");
    assert_int_equal(info.queues, 4);
    assert_int_equal(info.reta_size, 128);
    assert_int_equal(info.rss_key_bytes, 40);
    for (unsigned i = 0; i < info.reta_size; i++)
        assert_int_equal(info.reta[i], i % 4);
    for (unsigned i = 0; i < info.reta_size; i++)
        reta[i] = 3;
    assert_int_equal(nb_runtime_set_reta(rt, 0, reta, 128, &err), 0);
    assert_int_equal(nb_runtime_port_info(rt, 0, &info), 0);
    assert_int_equal(info.reta[77], 3);
    assert_int_equal(nb_runtime_set_reta(rt, 0, reta, 64, &err), -EINVAL);
    assert_non_null(strstr(err.text, "64 RETA entries given, the port has 128"));
    reta[5] = 4;
    assert_int_equal(nb_runtime_set_reta(rt, 0, reta, 128, &err), -EINVAL);
    assert_non_null(strstr(err.text, "queue 4: this port has 4 queues, 0 to 3"));
    assert_int_equal(nb_runtime_set_reta(rt, 1, reta, 128, &err), -ENOENT);

    assert_int_equal(nb_runtime_port_restart(rt, 0, &err), 0);
    nb_runtime_port_info(rt, 0, &info);
    for (unsigned i = 0; i < info.reta_size; i++)
        assert_int_equal(info.reta[i], 3);
    assert_int_equal(nb_runtime_port_restart(rt, 1, &err), -ENOENT);
    nb_runtime_stop(rt);
    rte_vdev_uninit("net_null0");
}

static void test_port_without_rss_says_so(void **state)
{
    const uint16_t reta[128] = {0};
    struct nb_test_port wire;
    struct nb_port_info info;
    struct nb_runtime *rt;

    (void)state;
    nb_test_port_open(&wire, 1, 64);
    make_config(wire.device, 1);
    must_start(&rt);
    assert_int_equal(nb_runtime_port_info(rt, 0, &info), 0);
    assert_int_equal(info.reta_size, 0);
    assert_false(info.tx_checksum_offload);
    assert_int_equal(nb_runtime_set_reta(rt, 0, reta, 128, &err), -ENOTSUP);
    nb_runtime_stop(rt);
    nb_test_port_close(&wire);
}

/* --- serving: two runtimes, their ports back to back ---------------------------------------------------------------
 */

static sem_t closed;

static void echo(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state, (void)user;
    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    assert_int_equal(nb_conn_send(w, c, data), 0);
}

static void close_too(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_close(w, c);
}

static void note_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    (void)w, (void)state, (void)c, (void)user;
    assert_int_equal(reason, NB_CLOSED_NORMAL);
    sem_post(&closed);
}

static const struct nb_app echo_app = {
    .abi = NB_APP_ABI, .name = "echo", .on_data = echo, .on_peer_closed = close_too, .on_closed = note_closed};

struct client {
    struct nb_conn conn;
    unsigned written;
};

static void connect_client(struct nb_worker *w, void *arg)
{
    const struct nb_flow_key key = {.local.word = {CLIENT},
                                    .remote.word = {SERVER},
                                    .local_port = 40000,
                                    .remote_port = PORT,
                                    .family = NB_FAMILY_IPV4};
    struct client *c = arg;
    int rc;
    struct nb_tcb *tcb = nb_tcp_connect(w->tcp, &key, w->now_us, &rc);

    assert_non_null(tcb);
    c->conn = nb_tcb_conn(tcb);
}

static void write_some(struct nb_worker *w, void *arg)
{
    static const char bytes[4096];
    struct client *c = arg;
    unsigned left = TOTAL_BYTES - c->written;
    int n = nb_conn_write(w, c->conn, bytes, left < sizeof bytes ? left : sizeof bytes);

    assert_true(n >= 0);
    c->written += (unsigned)n;
}

static void close_client(struct nb_worker *w, void *arg)
{
    struct client *c = arg;

    assert_int_equal(nb_conn_close(w, c->conn), 0);
}

static uint64_t received(struct nb_runtime *rt)
{
    struct nb_flow_info info;
    uint64_t cursor = 0;

    return nb_runtime_flows(rt, 0, &cursor, &info, 1) == 1 ? info.rx_bytes : 0;
}

static void test_connection_between_two_runtimes(void **state)
{
    struct nb_runtime *server, *client;
    struct nb_test_port wire[2];
    struct nb_port_info port;
    struct client c = {.written = 0};

    (void)state;
    sem_init(&closed, 0, 0);
    nb_test_port_open_pair(wire, 1, 1024);
    make_config(wire[0].device, 1);
    config.n_listeners = 1;
    config.listener[0] = (struct nb_listener_config){.tcp_port = PORT, .app = &echo_app};
    must_start(&server);
    make_config(wire[1].device, 1);
    config.port[0].address[0].address.word[0] = CLIENT;
    must_start(&client);

    assert_int_equal(nb_runtime_call(client, 0, connect_client, &c), 0);
    while (c.written < TOTAL_BYTES)
        assert_int_equal(nb_runtime_call(client, 0, write_some, &c), 0);
    while (received(client) < TOTAL_BYTES)
        ; /* each look is a call that the worker serves between two bursts */
    assert_int_equal(nb_runtime_port_info(server, 0, &port), 0);
    assert_true(port.rx_packets > TOTAL_BYTES / 1500);
    assert_int_equal(nb_runtime_call(client, 0, close_client, &c), 0);
    sem_wait(&closed);

    nb_runtime_stop(client);
    nb_runtime_stop(server);
    nb_test_port_close(&wire[0]);
    nb_test_port_close(&wire[1]);
    sem_destroy(&closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_that_is_not_there_is_answered_with_those_that_are),
        cmocka_unit_test(test_port_in_use_is_refused_and_its_user_undisturbed),
        cmocka_unit_test(test_more_workers_than_queues_are_refused),
        cmocka_unit_test(test_too_few_buffers_are_refused_with_the_number_needed),
        cmocka_unit_test(test_application_that_refuses_ends_the_start_with_its_words),
        cmocka_unit_test(test_calls_from_several_threads_all_run_where_they_should),
        cmocka_unit_test(test_idle_worker_sleeps_and_its_time_is_accounted_for),
        cmocka_unit_test(test_reta_is_rewritten_in_the_port_kept_by_a_restart_and_nonsense_is_refused),
        cmocka_unit_test(test_port_without_rss_says_so),
        cmocka_unit_test(test_connection_between_two_runtimes),
    };

    nb_test_eal();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
