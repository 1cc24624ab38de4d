/* netbypass_end.c - this project's stack as an end: in-process applications, one worker, net_memif as the port. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <rte_mbuf.h>

#include "../../../host-lib/worker/engine.h"
#include "memif.h"
#include "rate.h"

#define LINK_WAIT_US 1000
#define BULK_CHUNK   1448 /* a segment's payload */

static struct rate_arguments arguments;
static const char message[RATE_BYTES] = "message";

/* --- server ------------------------------------------------------------------------------------------------------- */

/* `user` counts the bytes of a request so far. */
static void serve_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    uint32_t n = rte_pktmbuf_pkt_len(data);
    uintptr_t have = (uintptr_t)user + n;

    (void)state;
    rte_pktmbuf_free(data);
    nb_conn_consumed(w, c, n);
    if (arguments.mode == RATE_BULK)
        return;
    for (; have >= RATE_BYTES; have -= RATE_BYTES)
        nb_conn_write(w, c, message, sizeof message);
    nb_conn_set_user(w, c, (void *)have);
    if (arguments.mode == RATE_SHORT && have == 0)
        nb_conn_close(w, c);
}

static void serve_end(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_close(w, c);
}

static const struct nb_app server_app = {
    .abi = NB_APP_ABI, .name = "server", .on_data = serve_data, .on_peer_closed = serve_end};

/* --- client ------------------------------------------------------------------------------------------------------- */

static struct client {
    struct rate_report *report;
    struct rte_mbuf *chunk; /* bulk: sent again and again by reference */
    _Atomic bool over;
    struct nb_conn idle[RATE_CONNECTIONS]; /* paced: connections without a request under way */
    unsigned n_idle;
} client;

/* `user` is the time of the request. */
static void ask(struct nb_worker *w, struct nb_conn c, uint64_t start_ns)
{
    nb_conn_set_user(w, c, (void *)start_ns);
    nb_conn_write(w, c, message, sizeof message);
}

/* The connection has nothing under way. */
static void next(struct nb_worker *w, struct nb_conn c)
{
    if (arguments.mode == RATE_PACED)
        client.idle[client.n_idle++] = c;
    else
        ask(w, c, arguments.mode == RATE_PINGPONG ? rate_now_ns() : 0);
}

static void ask_what_is_due(struct nb_worker *w)
{
    uint64_t due_ns;

    while (client.n_idle && (due_ns = rate_due(client.report)))
        ask(w, client.idle[--client.n_idle], due_ns);
}

static void open_one(struct nb_worker *w)
{
    struct nb_connect to = {.remote_port = RATE_PORT, .family = NB_FAMILY_IPV4};
    struct nb_conn c;

    to.remote.word[0] = inet_addr(RATE_SERVER);
    if (nb_conn_connect(w, &client, &to, &c) < 0)
        rate_error(client.report);
}

static void send_bulk(struct nb_worker *w, struct nb_conn c)
{
    if (!client.chunk) {
        client.chunk = nb_conn_buffer(w);
        memset(rte_pktmbuf_append(client.chunk, BULK_CHUNK), 'x', BULK_CHUNK);
    }
    for (;;) {
        struct rte_mbuf *m = rte_pktmbuf_clone(client.chunk, client.chunk->pool);

        if (!m)
            return;
        if (nb_conn_send(w, c, m) < 0) {
            rte_pktmbuf_free(m);
            return;
        }
        rate_bytes(client.report, BULK_CHUNK);
    }
}

static void client_connected(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    if (arguments.mode == RATE_BULK)
        send_bulk(w, c);
    else
        next(w, c);
}

static void client_writable(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    atomic_store_explicit(&client.over, rate_over(client.report), memory_order_relaxed);
    if (!client.over)
        send_bulk(w, c);
}

static void client_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state;
    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    rte_pktmbuf_free(data);
    if (arguments.mode == RATE_SHORT)
        return;
    rate_count(client.report, (uintptr_t)user);
    atomic_store_explicit(&client.over, rate_over(client.report), memory_order_relaxed);
    if (!client.over)
        next(w, c);
}

static void client_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    (void)state, (void)c, (void)user;
    if (reason == NB_CLOSED_NORMAL)
        rate_count(client.report, 0);
    else if (!client.over)
        rate_error(client.report);
    atomic_store_explicit(&client.over, client.over || rate_over(client.report), memory_order_relaxed);
    if (!client.over)
        open_one(w);
}

static int client_start(struct nb_worker *w, const struct nb_app_option *options, unsigned n, void **state,
                        struct nb_error *err)
{
    (void)w, (void)options, (void)n, (void)err;
    *state = &client;
    return 0;
}

static const struct nb_app client_app = {.abi = NB_APP_ABI,
                                         .name = "client",
                                         .start = client_start,
                                         .on_connected = client_connected,
                                         .on_data = client_data,
                                         .on_writable = client_writable,
                                         .on_peer_closed = serve_end,
                                         .on_closed = client_closed};

static void begin(struct nb_worker *w, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < rate_connections(arguments.mode); i++)
        open_one(w);
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static const struct nb_runtime_config *configuration(void)
{
    static struct nb_runtime_config config;

    nb_runtime_config_init(&config);
    config.n_ports = config.n_workers = config.n_listeners = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", MEMIF_DEVICE);
    config.port[0].address[0] = (struct nb_port_address){
        .address.word[0] = inet_addr(arguments.server ? RATE_SERVER : RATE_CLIENT),
        .family = NB_FAMILY_IPV4,
        .prefix_bits = RATE_PREFIX,
    };
    config.port[0].n_addresses = 1;
    config.cpu[0] = (int)arguments.cpu;
    config.idle_sleep_us = 0;
    config.limits.mbufs = 32768;
    config.listener[0] = (struct nb_listener_config){.tcp_port = arguments.server ? RATE_PORT : 0,
                                                     .app = arguments.server ? &server_app : &client_app};
    return &config;
}

static void fail(const struct nb_error *err)
{
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static struct nb_runtime *start_stack(void)
{
    struct nb_runtime *rt;
    struct nb_error err;

    if (nb_runtime_start(configuration(), &rt, &err) != 0)
        fail(&err);
    return rt;
}

static void wait_for_link(struct nb_runtime *rt)
{
    struct nb_port_info info;

    while (nb_runtime_port_info(rt, 0, &info) == 0 && !info.link_up)
        usleep(LINK_WAIT_US);
}

static void serve(void)
{
    struct nb_runtime *rt = start_stack();

    rate_serve();
    nb_runtime_stop(rt);
}

static void apply_load(void)
{
    struct nb_runtime *rt = start_stack();

    wait_for_link(rt);
    nb_runtime_call(rt, 0, begin, NULL);
    while (!atomic_load_explicit(&client.over, memory_order_relaxed))
        usleep(LINK_WAIT_US);
    nb_runtime_stop(rt);
}

/* Requests are begun by the clock, not by what arrives: the worker's turns are ours to take. */
static void apply_paced_load(void)
{
    struct nb_runtime *rt;
    struct nb_error err;

    rate_pin(arguments.cpu);
    if (nb__engine_start_stepped(configuration(), 0, &rt, &err) != 0)
        fail(&err);
    wait_for_link(rt);
    begin(rt->worker[0], NULL);
    while (!rate_over(client.report)) {
        nb__engine_step(rt, nb__clock_us(&rt->clock));
        ask_what_is_due(rt->worker[0]);
    }
    client.over = true;
    nb__engine_stop_stepped(rt, nb__clock_us(&rt->clock));
}

int main(int argc, char **argv)
{
    arguments = rate_arguments(argc, argv, true);
    client.report = rate_begin(&arguments);
    memif_eal(&arguments);
    if (arguments.server) {
        serve();
        return 0;
    }
    if (arguments.mode == RATE_PACED)
        apply_paced_load();
    else
        apply_load();
    return rate_print(client.report);
}
