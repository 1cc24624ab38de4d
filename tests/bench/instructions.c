/* instructions.c - what the data plane costs, as a program for callgrind; instructions.py runs it and reads the counts.
 *
 * usage: instructions short-connection | keepalive-request | bulk-segment
 *
 * Two runtimes, server and client, face each other over two rings that are ports to DPDK (net_ring). One thread steps
 * them by turns in virtual time, so the work is the same in every run. Checksums are made and verified in software;
 * timestamps, SACK and window scaling are on, as the stack has them by default.
 *
 *   short-connection   connections in batches of a full burst, which is how a busy worker meets them; exactly three
 *                      segments a connection must go each way, or there is nothing to count
 *   keepalive-request  64 B requests and responses on 32 connections, one segment each way, likewise
 *   bulk-segment       one connection on which the server sends whole segments from its own buffers without end: what a
 *                      segment costs the sender and, with ACKs, the receiver
 *
 * The measured phase goes through functions of its own, nb_bench_server_step and nb_bench_client_step, for callgrind to
 * collect within. Warm-up before it (neighbours, pools, tables) does not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <rte_common.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "../../host-lib/worker/engine.h"
#include "../support/eal.h"
#include "raw.h"

#define BATCH           RAW_CLIENT_KEEPS /* connections at once: one full burst */
#define WARM_UP_BATCHES 16
#define BATCHES         64   /* 2048 connections or requests are measured */
#define WARM_UP_TURNS   2000 /* of bulk, which has opened its window by then */
#define BULK_TURNS      500
#define RING_SIZE       1024 /* frames on a wire: more than a batch can have */
#define STEP_US         10   /* virtual time between turns: far below every timer */
#define TURNS           8    /* turns that a batch may take; it takes four */
#define SERVER_ADDRESS  "10.98.0.1"
#define CLIENT_ADDRESS  "10.98.0.2"

/* Each work has a listener. */
static const struct work {
    const char *name;
    const struct nb_app *app;
    uint16_t port;
} short_connection = {"short-connection", &raw_server, 80},
  keepalive_request = {"keepalive-request", &raw_keepalive, 81}, bulk_segment = {"bulk-segment", &raw_source, 82};

struct bench {
    struct nb_runtime *server, *client;
    struct raw_client raw;
    uint64_t now_us;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* --- the two sides ------------------------------------------------------------------------------------------------ */

static struct rte_ring *make_wire(const char *name)
{
    struct rte_ring *ring = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

    if (!ring)
        fail("no memory for a ring");
    return ring;
}

static void make_port(char device[RTE_ETH_NAME_MAX_LEN], const char *name, struct rte_ring *rx, struct rte_ring *tx)
{
    int port = rte_eth_from_rings(name, &rx, 1, &tx, 1, SOCKET_ID_ANY);

    if (port < 0 || rte_eth_dev_get_name_by_port((uint16_t)port, device) != 0)
        fail("no net_ring port");
}

static struct nb_addr address(const char *text)
{
    struct nb_addr a = {.word = {inet_addr(text)}};

    return a;
}

static struct nb_runtime *make_side(const char *device, const char *own_address, const struct work *listens)
{
    struct nb_runtime_config config;
    struct nb_runtime *rt;
    struct nb_error err = {0};

    nb_runtime_config_init(&config);
    config.n_ports = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", device);
    config.port[0].n_addresses = 1;
    config.port[0].address[0] = (struct nb_port_address){
        .address = address(own_address), .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    config.port[0].software_checksums = true;
    config.n_workers = 1;
    config.cpu[0] = -1;
    config.n_listeners = listens != NULL;
    if (listens)
        config.listener[0] = (struct nb_listener_config){.tcp_port = listens->port, .app = listens->app};
    if (nb__engine_start_stepped(&config, 0, &rt, &err) != 0)
        fail(err.text);
    return rt;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static void server_step(struct bench *b)
{
    nb__engine_step(b->server, b->now_us);
}

/* What the client's application does before its turn. */
enum initiative { NOTHING, OPENS, REQUESTS };

static void client_step(struct bench *b, enum initiative initiative)
{
    if (initiative == OPENS)
        raw_client_open(&b->raw, BATCH);
    else if (initiative == REQUESTS)
        raw_client_request(&b->raw);
    nb__engine_step(b->client, b->now_us);
}

/* The same again under names that callgrind is told to collect within. */
__attribute__((noinline)) void nb_bench_server_step(struct bench *b);
__attribute__((noinline)) void nb_bench_client_step(struct bench *b, enum initiative initiative);

void nb_bench_server_step(struct bench *b)
{
    server_step(b);
}

void nb_bench_client_step(struct bench *b, enum initiative initiative)
{
    client_step(b, initiative);
}

/* As the steering thread does: a full ring would make telling cheaper than it is. */
static void read_news(struct bench *b)
{
    struct nb_flow_news news[BATCH];
    uint32_t lost;
    unsigned n;

    do {
        n = nb_runtime_flow_news(b->server, 0, news, BATCH, &lost);
        if (lost)
            fail("flow news were lost");
    } while (n == BATCH);
}

/* Both sides once. */
static void turn(struct bench *b, enum initiative initiative, bool measured)
{
    b->now_us += STEP_US;
    (measured ? nb_bench_client_step : client_step)(b, initiative);
    (measured ? nb_bench_server_step : server_step)(b);
    read_news(b);
}

/* What happened on the server's port, and to the client's application. */
struct progress {
    uint64_t received, sent, response_bytes;
};

static struct progress progress_of(const struct bench *b)
{
    struct nb_worker_info info;

    nb_runtime_worker_info(b->server, 0, &info);
    return (struct progress){.received = info.counter[NB_COUNTER_RX_PACKETS],
                             .sent = info.counter[NB_COUNTER_TX_PACKETS],
                             .response_bytes = b->raw.response_bytes};
}

/* There must have been exactly so many segments each way and bytes of response. */
static void insist(const struct bench *b, const struct progress *before, uint64_t segments, uint64_t bytes)
{
    struct progress now = progress_of(b);
    uint64_t received = now.received - before->received, sent = now.sent - before->sent;

    if (received != segments || sent != segments) {
        fprintf(stderr, "bench: %" PRIu64 " segments received and %" PRIu64 " sent; %" PRIu64 " each are wanted\n",
                received, sent, segments);
        exit(1);
    }
    if (now.response_bytes - before->response_bytes != bytes)
        fail("responses are not whole");
}

/* --- short connections -------------------------------------------------------------------------------------------- */

/* Connections from SYN to last ACK. Turns end when there is nothing left to say. */
static void run_batch(struct bench *b, bool measured)
{
    uint64_t done = b->raw.completed + BATCH;

    for (unsigned i = 0; i < TURNS && b->raw.completed < done; i++)
        turn(b, i == 0 ? OPENS : NOTHING, measured);
    if (b->raw.completed != done || b->raw.failed)
        fail("a batch of connections did not complete");
}

static uint64_t measure_connections(struct bench *b)
{
    const uint64_t connections = BATCH * BATCHES;
    struct progress before;

    for (unsigned i = 0; i < WARM_UP_BATCHES; i++)
        run_batch(b, false);
    before = progress_of(b);
    for (unsigned i = 0; i < BATCHES; i++)
        run_batch(b, true);
    insist(b, &before, 3 * connections, connections * RAW_BYTES);
    return connections;
}

/* --- requests on connections that stay ---------------------------------------------------------------------------- */

static void open_connections(struct bench *b, enum initiative initiative, unsigned n)
{
    for (unsigned i = 0; i < TURNS && b->raw.n_kept < n; i++)
        turn(b, i == 0 ? initiative : NOTHING, false);
    if (b->raw.n_kept != n)
        fail("connections were not established");
}

static uint64_t measure_requests(struct bench *b)
{
    const uint64_t requests = BATCH * BATCHES;
    struct progress before;

    open_connections(b, OPENS, BATCH);
    for (unsigned i = 0; i < WARM_UP_BATCHES; i++)
        turn(b, REQUESTS, false);
    before = progress_of(b);
    for (unsigned i = 0; i < BATCHES; i++)
        turn(b, REQUESTS, true);
    insist(b, &before, requests, requests * RAW_BYTES);
    return requests;
}

/* --- bulk --------------------------------------------------------------------------------------------------------- */

static uint64_t measure_bulk(struct bench *b)
{
    struct progress before;

    raw_client_open(&b->raw, 1);
    open_connections(b, NOTHING, 1);
    for (unsigned i = 0; i < WARM_UP_TURNS; i++)
        turn(b, NOTHING, false);
    before = progress_of(b);
    for (unsigned i = 0; i < BULK_TURNS; i++)
        turn(b, NOTHING, true);
    return (b->raw.response_bytes - before.response_bytes) / RAW_SOURCE_BYTES;
}

/* --- all together ------------------------------------------------------------------------------------------------- */

/* The first packet waits for its neighbour's address: one that nobody listens for brings it. */
static void meet(struct bench *b)
{
    uint16_t port = b->raw.server_port;

    b->raw.server_port = 1;
    raw_client_open(&b->raw, 1);
    for (unsigned i = 0; i < TURNS && b->raw.failed == 0; i++)
        turn(b, NOTHING, false);
    if (b->raw.failed != 1)
        fail("the two sides did not find each other");
    b->raw.failed = 0;
    b->raw.server_port = port;
}

static uint64_t measure(struct bench *b, const struct work *work)
{
    if (work == &keepalive_request)
        return measure_requests(b);
    return work == &bulk_segment ? measure_bulk(b) : measure_connections(b);
}

static const struct work *work_of(int argc, char **argv)
{
    static const struct work *const works[] = {&short_connection, &keepalive_request, &bulk_segment};

    for (unsigned i = 0; argc == 2 && i < RTE_DIM(works); i++)
        if (strcmp(argv[1], works[i]->name) == 0)
            return works[i];
    fail("usage: instructions short-connection | keepalive-request | bulk-segment");
    return NULL;
}

int main(int argc, char **argv)
{
    struct bench b = {.now_us = 0};
    char server_device[RTE_ETH_NAME_MAX_LEN], client_device[RTE_ETH_NAME_MAX_LEN];
    struct nb_addr server = address(SERVER_ADDRESS);
    const struct work *work = work_of(argc, argv);

    nb_test_eal();
    struct rte_ring *up = make_wire("up"), *down = make_wire("down");
    make_port(server_device, "server", up, down);
    make_port(client_device, "client", down, up);
    b.server = make_side(server_device, SERVER_ADDRESS, work);
    b.client = make_side(client_device, CLIENT_ADDRESS, NULL);
    raw_client_init(&b.raw, b.client, &server, work->port);
    meet(&b);
    printf("%s %" PRIu64 "\n", work->name, measure(&b, work));
    nb__engine_stop_stepped(b.client, b.now_us);
    nb__engine_stop_stepped(b.server, b.now_us);
    return 0;
}
