/* instructions.c - what a short connection costs, as a program for callgrind; instructions.py runs it and reads the
 * counts.
 *
 * Two runtimes, server and client, face each other over two rings that are ports to DPDK (net_ring). One thread steps
 * them by turns in virtual time, so the work is the same in every run. Checksums are made and verified in software;
 * timestamps, SACK and window scaling are on, as the stack has them by default. Connections run in batches of a full
 * burst, which is how a busy worker meets them.
 *
 * The measured phase goes through functions of its own, nb_bench_server_step and nb_bench_client_step, for callgrind to
 * collect within. Warm-up before it (neighbours, pools, tables) does not. The program itself insists that exactly three
 * segments a connection went each way, or there is nothing to count.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "../../host-lib/worker/engine.h"
#include "../support/eal.h"
#include "raw.h"

#define BATCH           32 /* connections at once: one full burst */
#define WARM_UP_BATCHES 16
#define BATCHES         64   /* 2048 connections are measured */
#define RING_SIZE       1024 /* frames on a wire: more than a batch can have */
#define STEP_US         10   /* virtual time between turns: far below every timer */
#define TURNS           8    /* turns that a batch may take; it takes four */
#define SERVER_ADDRESS  "10.98.0.1"
#define CLIENT_ADDRESS  "10.98.0.2"
#define SERVER_PORT     80

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

static struct nb_runtime *make_side(const char *device, const char *own_address, bool listens)
{
    struct nb_runtime_config config;
    struct nb_runtime *rt;
    struct nb_error err = {0};

    nb_runtime_config_init(&config);
    config.n_ports = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", device);
    config.port[0].address = address(own_address);
    config.port[0].prefix_bits = 24;
    config.port[0].software_checksums = true;
    config.n_workers = 1;
    config.cpu[0] = -1;
    config.n_listeners = listens;
    config.listener[0] = (struct nb_listener_config){.tcp_port = SERVER_PORT, .app = &raw_server};
    if (nb__engine_start_stepped(&config, 0, &rt, &err) != 0)
        fail(err.text);
    return rt;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static void server_step(struct bench *b)
{
    nb__engine_step(b->server, b->now_us);
}

static void client_step(struct bench *b, unsigned open)
{
    raw_client_open(&b->raw, open);
    nb__engine_step(b->client, b->now_us);
}

/* The same again under names that callgrind is told to collect within. */
__attribute__((noinline)) void nb_bench_server_step(struct bench *b);
__attribute__((noinline)) void nb_bench_client_step(struct bench *b, unsigned open);

void nb_bench_server_step(struct bench *b)
{
    server_step(b);
}

void nb_bench_client_step(struct bench *b, unsigned open)
{
    client_step(b, open);
}

/* Connections from SYN to last ACK. Turns end when there is nothing left to say. */
static void run_batch(struct bench *b, unsigned n, bool measured)
{
    uint64_t done = b->raw.completed + n;

    for (unsigned turn = 0; turn < TURNS && b->raw.completed < done; turn++) {
        unsigned open = turn == 0 ? n : 0;

        b->now_us += STEP_US;
        (measured ? nb_bench_client_step : client_step)(b, open);
        if (b->raw.completed < done)
            (measured ? nb_bench_server_step : server_step)(b);
    }
    if (b->raw.completed != done || b->raw.failed)
        fail("a batch of connections did not complete");
}

/* The first packet waits for its neighbour's address. */
static void meet(struct bench *b)
{
    for (unsigned turn = 0; turn < TURNS && b->raw.completed == 0; turn++) {
        b->now_us += STEP_US;
        client_step(b, turn == 0);
        server_step(b);
    }
    if (b->raw.completed != 1)
        fail("the first connection did not complete");
}

static uint64_t counter(const struct bench *b, enum nb_counter which)
{
    struct nb_worker_info info;

    nb_runtime_worker_info(b->server, 0, &info);
    return info.counter[which];
}

static void measure(struct bench *b)
{
    const uint64_t connections = BATCH * BATCHES;
    uint64_t received = counter(b, NB_COUNTER_RX_PACKETS), sent = counter(b, NB_COUNTER_TX_PACKETS);
    uint64_t bytes = b->raw.response_bytes;

    for (unsigned i = 0; i < BATCHES; i++)
        run_batch(b, BATCH, true);
    received = counter(b, NB_COUNTER_RX_PACKETS) - received;
    sent = counter(b, NB_COUNTER_TX_PACKETS) - sent;
    if (received != 3 * connections || sent != 3 * connections) {
        fprintf(stderr,
                "bench: %" PRIu64 " connections took %" PRIu64 " segments received and %" PRIu64 " sent; "
                "3 each are wanted\n",
                connections, received, sent);
        exit(1);
    }
    if (b->raw.response_bytes - bytes != connections * RAW_BYTES)
        fail("responses are not whole");
    printf("connections %" PRIu64 "\n", connections);
}

int main(void)
{
    struct bench b = {.now_us = 0};
    char server_device[RTE_ETH_NAME_MAX_LEN], client_device[RTE_ETH_NAME_MAX_LEN];
    struct nb_addr server = address(SERVER_ADDRESS);

    nb_test_eal();
    struct rte_ring *up = make_wire("up"), *down = make_wire("down");
    make_port(server_device, "server", up, down);
    make_port(client_device, "client", down, up);
    b.server = make_side(server_device, SERVER_ADDRESS, true);
    b.client = make_side(client_device, CLIENT_ADDRESS, false);
    raw_client_init(&b.raw, b.client, &server, SERVER_PORT);
    meet(&b);
    for (unsigned i = 0; i < WARM_UP_BATCHES; i++)
        run_batch(&b, BATCH, false);
    measure(&b);
    nb__engine_stop_stepped(b.client, b.now_us);
    nb__engine_stop_stepped(b.server, b.now_us);
    return 0;
}
