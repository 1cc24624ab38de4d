/* moves_world.c - a data plane in virtual time: its life, and the steps of a run; see moves_world.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>

#include "eal.h"
#include "moves_inside.h"

#define GIVE_UP_US    60000000
#define PAUSES_US     100000 /* then every worker accepts: whoever was dropped comes again */
#define RESTARTS_MAX  3      /* in a run: with more of them connections would not come to an end */
#define QUIET_STEP_US 2000
#define QUIET_US      1500000               /* after the last connection: gates, traces and answers come to rest */
#define REST_US       (UINT64_C(125) << 38) /* longer than TIME-WAIT; the same place in every period of wheels and clocks */
#define WORKER_MBUFS  640                   /* with few workers; */
#define MANY_MBUFS    400                   /* with many, for there is so much memory */

uint32_t world_random(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 16);
}

uint32_t world_below(struct world *w, uint32_t n)
{
    return n ? world_random(w) % n : 0;
}

bool world_chance(struct world *w, unsigned permille)
{
    return permille && world_random(w) % 1000 < permille;
}

void world_fail(struct world *w, const char *format, ...)
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

/* The runtime's RSS key is random; runs of one seed are to be the same. */
static void give_rss(struct world *w)
{
    struct nb_port *port = &w->rt->port[0];

    for (unsigned i = 0; i < port->rss_key_bytes; i++)
        port->rss_key[i] = (uint8_t)(0x6d + 41 * i);
    nb_rss_key_init(w->rt->rss_key[0], port->rss_key, port->rss_key_bytes, port->reta_size, NULL);
}

/* Runs change the table; each begins with the same. */
static void give_reta(struct world *w)
{
    struct nb_port *port = &w->rt->port[0];

    for (unsigned i = 0; i < port->reta_size; i++)
        port->reta[i] = (uint16_t)(i % w->workers);
    for (unsigned i = 0; i < w->workers; i++)
        nb_rss_set_reta(&w->rt->worker[i]->port[0].rss, port->reta, port->reta_size);
}

/* A run begins long after the one before: everything of that has expired. The client's address is known or not. */
static void rest(struct world *w)
{
    struct nb_net_news client = {
        .kind = NB_NEWS_NEIGHBOUR, .family = NB_FAMILY_IPV4, .reachable = w->o->seed % 2, .address.word = {CLIENT}};

    memcpy(client.mac, world_client_mac, sizeof world_client_mac);
    give_reta(w);
    w->now_us = (w->now_us / REST_US + 2) * REST_US;
    w->began_us = w->now_us;
    w->port->begin(w);
    for (unsigned i = 0; i < w->workers; i++) {
        nb_worker_step(w->rt->worker[i], w->now_us);
        nb_net_told(&w->rt->worker[i]->net, 0, &client, w->now_us);
        nb_gates_free(w->rt->worker[i]->gates);
        w->rt->worker[i]->gates = nb_gates_new();
    }
}

struct world *world_new(unsigned workers, const struct world_port *port)
{
    struct world *w = calloc(1, sizeof *w);
    const struct nb_app_option option = {.key = "world", .value = (const char *)w};
    struct nb_error err = {0};

    w->workers = workers;
    w->port = port;
    w->now_us = 1000;
    w->next_port = 10000;
    w->random = 1;
    nb_runtime_config_init(&w->config);
    w->config.n_workers = workers;
    w->config.n_ports = 1;
    w->config.port[0].n_addresses = 1;
    w->config.port[0].address[0] =
        (struct nb_port_address){.address = {{US}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    w->config.port[0].rx_descriptors = w->config.port[0].tx_descriptors = 64;
    w->config.n_listeners = 1;
    w->config.listener[0] = (struct nb_listener_config){.tcp_port = PORT,
                                                        .app = &world_server,
                                                        .options = &option,
                                                        .n_options = 1,
                                                        .distribution = NB_DISTRIBUTE_APPLICATION};
    w->config.limits = (struct nb_limits){.connections = 128,
                                          .time_wait = 128,
                                          .half_open = 64,
                                          .send_buffer_bytes = 65536,
                                          .recv_buffer_bytes = 65536,
                                          .mbufs = workers > 32 ? MANY_MBUFS : WORKER_MBUFS};
    port->open(w);
    w->pool = nb_test_pool("clients", CLIENT_MBUFS);
    if (nb__engine_start_stepped(&w->config, w->now_us, &w->rt, &err) < 0) {
        fprintf(stderr, "%u workers: %s\n", workers, err.text);
        exit(1);
    }
    give_rss(w);
    port->start(w);
    return w;
}

void world_free(struct world *w)
{
    unsigned held;

    w->port->stop(w);
    held = nb__engine_stop_stepped(w->rt, w->now_us);
    if (held) {
        fprintf(stderr, "%u workers: %u buffers are held when all is over\n", w->workers, held);
        exit(1);
    }
    for (struct packet *next; w->free; w->free = next) {
        next = w->free->next;
        free(w->free);
    }
    rte_mempool_free(w->pool);
    w->port->close(w);
    free(w);
}

static void step_workers(struct world *w)
{
    unsigned first = world_below(w, w->workers);

    for (unsigned k = 0; k < w->workers; k++) {
        unsigned i = (first + k) % w->workers;

        if (!w->quiet && w->sleeps_until_us[i] > w->now_us)
            continue;
        if (!w->quiet && world_chance(w, w->o->asleep_permille))
            w->sleeps_until_us[i] = w->now_us + world_below(w, w->o->asleep_us);
        else if (w->quiet || world_chance(w, 700))
            nb_worker_step(w->rt->worker[i], w->now_us - world_below(w, 2));
    }
}

void world_step(struct world *w)
{
    w->now_us += 1 + world_below(w, w->quiet || world_rests(w) ? QUIET_STEP_US : STEP_US);
    world_arrive_at_server(w);
    step_workers(w);
    world_arrive_at_client(w);
    nb_tcp_advance(w->tcp, w->now_us);
    nb_tcp_flush(w->tcp, w->now_us);
    world_tend_conns(w);
    world_read_tickets(w);
    if (world_chance(w, w->o->moves_permille))
        world_begin_move(w);
    w->port->steer(w);
    if (world_chance(w, w->o->pin_permille))
        world_pin_some(w);
    if (!w->quiet && world_chance(w, w->o->reta_permille))
        world_begin_reta(w);
    world_go_on_with_reta(w);
    if (!w->quiet && w->result->restarts < RESTARTS_MAX && world_chance(w, w->o->restart_permille))
        world_restart_port(w);
    if (w->now_us > w->pauses_until_us)
        world_pause_none(w);
    else if (world_chance(w, w->o->pause_permille))
        world_pause_some(w);
}

bool world_run(struct world *w, const struct world_options *options, struct world_result *result)
{
    struct world_tally before;

    w->o = options;
    w->result = result;
    *result = (struct world_result){0};
    w->random = options->seed * 0x9e3779b97f4a7c15 | 1;
    for (unsigned i = 0; i < 8; i++)
        world_random(w);
    w->quiet = false;
    memset(w->ticket, 0, sizeof w->ticket);
    memset(w->conn, 0, sizeof w->conn);
    memset(w->sleeps_until_us, 0, sizeof w->sleeps_until_us);
    w->missed = 0;
    for (unsigned i = 0; i < w->workers; i++) {
        struct nb_tx_clock *clock = &w->rt->worker[i]->port[0].tx_clock;

        clock->frame = ((options->frame_ns ? options->frame_ns : FRAME_NS) << NB_TX_CLOCK_SHIFT) / 1000 + 1;
        clock->drain = (uint64_t)w->config.port[0].tx_descriptors * clock->frame;
    }
    w->next_port = (uint16_t)(10000 + options->seed * 131 % 40000);
    rest(w);
    world_client_new(w);
    before = world_count(w);
    w->pauses_until_us = w->began_us + PAUSES_US;
    w->opened = 0;
    w->reuse_until = 3 * options->conns;
    world_open_conns(w);
    while (world_live_conns(w) && !result->why[0]) {
        world_step(w);
        if (w->now_us > w->began_us + GIVE_UP_US)
            world_tell_stuck(w);
    }
    w->quiet = true;
    w->pauses_until_us = 0;
    for (uint64_t until_us = w->now_us + QUIET_US; w->now_us < until_us && !result->why[0];)
        world_step(w);
    world_check_counters(w, &before);
    world_check_rest(w);
    w->port->check(w);
    world_client_free(w);
    result->now_us = w->now_us - w->began_us;
    return !result->why[0];
}
