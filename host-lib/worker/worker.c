/* worker.c - the life of a worker, and its turn of the loop; theory of operation in worker.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <netbypass/conn.h>

#include "config.h"
#include "../tcp/buffers.h"
#include "../tcp/hystart_plus.h"
#include "../tcp/stream.h"
#include "flow_table.h"
#include "worker.h"

#define CACHE_LINE 64

/* --- talking to other workers --------------------------------------------------------------------------------------
 */

bool nb__mail(struct nb_worker *w, unsigned to, const struct nb_mail *mail)
{
    w->to_ring |= UINT64_C(1) << to;
    return nb_mail_put(w->post, w->index, to, mail);
}

void nb__ring_doorbells(struct nb_worker *w)
{
    if (w->to_ring)
        nb_post_ring(w->post, w->index, w->to_ring);
    w->to_ring = 0;
}

/* --- the turn ------------------------------------------------------------------------------------------------------
 */

static bool receive(struct nb_worker *w)
{
    bool any = false;

    for (unsigned i = 0; i < w->n_ports; i++) {
        struct rte_mbuf *burst[NB_BURST];
        unsigned n = w->port[i].stopped ? 0 : rte_eth_rx_burst(w->port[i].port_id, w->index, burst, NB_BURST);

        any |= nb__read_mail(w);
        if (unlikely(w->fences.n))
            nb__fences_look(w, i, n);
        if (n == 0)
            continue;
        w->counters[NB_COUNTER_RX_PACKETS] += n;
        nb__rx_frames(w, i, burst, n);
        any = true;
    }
    return any;
}

bool nb_worker_step(struct nb_worker *w, uint64_t now_us)
{
    bool any;

    if (unlikely(w->one_of_many))
        nb_lend_enter(w->lending, w->index);
    if (now_us > w->now_us)
        w->now_us = now_us;
    w->n_batch = 0;
    nb_buffers_use(nb_tcp_buffers(w->tcp));
    any = receive(w);
    nb_tcp_advance(w->tcp, w->now_us);
    nb_net_advance(&w->net, w->now_us);
    nb__reta_tend(w);
    nb__connect_tend(w);
    if (unlikely(w->place.publishes))
        nb__place_publish(w);
    nb_tcp_flush(w->tcp, w->now_us);
    nb__ring_doorbells(w);
    any |= nb__tx_flush(w);
    if (unlikely(w->moving)) { /* a flow leaves when all that it sent is with the port */
        nb__moves_tend(w);
        nb__ring_doorbells(w);
    }
    nb__news_publish(w);
    return any;
}

uint64_t nb_worker_next_us(const struct nb_worker *w)
{
    uint64_t tcp = nb_tcp_next_us(w->tcp), net = nb_net_next_us(&w->net), tx = nb__tx_next_us(w);
    uint64_t connect = nb__connect_next_us(w), next = RTE_MIN(tcp, net);
    uint64_t moves = w->moving ? nb__moves_next_us(w) : UINT64_MAX;

    next = RTE_MIN(next, tx);
    next = RTE_MIN(next, moves);
    return RTE_MIN(next, connect);
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static void ask_speaker(void *worker, unsigned port, uint8_t family, const struct nb_addr *address)
{
    const struct nb_mail mail = {
        .kind = NB_MAIL_NEIGHBOUR_WANTED, .port = (uint8_t)port, .neighbour = {.address = *address, .family = family}};

    nb__mail(worker, 0, &mail);
}

static void to_speaker(void *worker, unsigned port, struct rte_mbuf *frame)
{
    const struct nb_mail mail = {.kind = NB_MAIL_FRAME, .port = (uint8_t)port, .packet = {.m = frame}};

    if (!nb__mail(worker, 0, &mail))
        nb__drop(worker, frame, NB_COUNTER_DROP_RING_FULL);
}

static void tell_others(void *worker, unsigned port, const struct nb_net_news *news)
{
    const struct nb_mail mail = {.kind = NB_MAIL_NET_NEWS, .port = (uint8_t)port, .news = *news};
    struct nb_worker *w = worker;

    for (unsigned i = 0; i < w->n_workers; i++)
        if (i != w->index)
            nb__mail(w, i, &mail);
}

static void on_icmp_error(void *worker, const struct nb_icmp_error *error)
{
    nb__icmp_error(worker, error, 0);
}

static int init_net(struct nb_worker *w, const struct nb_worker_config *config, uint32_t secret)
{
    w->net = (struct nb_net){
        .n_ports = w->n_ports,
        .speaker = w->index == 0,
        .mempool = config->mempool,
        .counters = w->counters,
        .env = {.arg = w,
                .transmit = nb__transmit,
                .ask_speaker = ask_speaker,
                .to_speaker = to_speaker,
                .tell = tell_others,
                .icmp_error = on_icmp_error},
    };
    memcpy(w->net.port, config->net_port, w->n_ports * sizeof *config->net_port);
    return nb_net_init(&w->net, secret) ? 0 : -ENOMEM;
}

static void apply_choices(struct nb_tcp_settings *settings, const struct nb_tcp_choices *choices)
{
    static const char *const congestion[] = {
        [NB_CONGESTION_CUBIC] = "cubic", [NB_CONGESTION_NEWRENO] = "reno", [NB_CONGESTION_BBR] = "bbr"};
    static const uint8_t hystart[] = {[NB_SLOW_START_HYSTART] = NB_HYSTART_CLASSIC,
                                      [NB_SLOW_START_HYSTART_PLUS] = NB_HYSTART_PLUS,
                                      [NB_SLOW_START_PLAIN] = NB_HYSTART_OFF};
    static const uint8_t ecn[] = {
        [NB_ECN_WHEN_ASKED] = NB_ECN_PASSIVE,
        [NB_ECN_ALWAYS] = NB_ECN_ON,
        [NB_ECN_NEVER] = NB_ECN_OFF,
        [NB_ECN_ACCURATE] = NB_ECN_ACCECN,
        [NB_ECN_ACCURATE_WHEN_ASKED] = NB_ECN_ACCECN_PASSIVE};

    snprintf(settings->congestion_control, sizeof settings->congestion_control, "%s",
             congestion[choices->congestion_control]);
    settings->hystart = hystart[choices->slow_start];
    settings->ecn = ecn[choices->ecn];
    settings->pacing = choices->pacing;
    settings->cwnd_validation =
        choices->window_validation == NB_VALIDATE_PIPE_ACK ? NB_VALIDATION_PIPE_ACK : NB_VALIDATION_LINUX;
    if (choices->bbr_loss_percent)
        settings->bbr_loss_percent = choices->bbr_loss_percent;
    settings->fastopen |= choices->fast_open ? NB_FASTOPEN_SERVER : 0u;
}

static int init_tcp(struct nb_worker *w, const struct nb_worker_config *config)
{
    struct nb_tcp_env env = nb__worker_env;
    struct nb_tcp_config tcp = {
        .limits = config->runtime->limits,
        .worker = w->index,
        .mempool = config->mempool,
        .flows = w->flows,
        .checksum_offload = config->checksum_offload,
        .mtu_bytes = config->mtu_bytes,
        .shared = config->tcp_shared,
    };

    memcpy(tcp.isn_secret, config->isn_secret, sizeof tcp.isn_secret);
    env.arg = w;
    w->tcp = nb_tcp_new(&tcp, &env, config->now_us);
    if (!w->tcp)
        return -ENOMEM;
    w->counters = nb_tcp_counters(w->tcp);
    apply_choices(nb_tcp_settings(w->tcp), &config->runtime->tcp);
    w->listener_options.fastopen_queue = config->runtime->tcp.fast_open;
    return 0;
}

/* Flows that other workers own although we are their home, and the other way round: as many as connections and
 * TIME-WAIT records of ours, which is what a change of RETA can bring when everybody's flows move to a worker's
 * neighbours. */
static uint32_t most_forwards(const struct nb_limits *limits)
{
    return limits->connections + limits->time_wait;
}

/* Records that come take the place of their entries, so only connections are there twice over. */
uint32_t nb__most_flows(const struct nb_limits *limits)
{
    return limits->connections + limits->time_wait + limits->connections;
}

static int init_tables(struct nb_worker *w, const struct nb_limits *limits)
{
    uint64_t secret[4];

    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        return -EIO;
    w->flows = nb_flow_table_new(nb__most_flows(limits), secret);
    return w->flows && nb_registry_init(&w->registry, most_forwards(limits), w->flows, secret + 2) ? 0 : -ENOMEM;
}

static int init_openings(struct nb_worker *w)
{
    w->openings = calloc(1, sizeof *w->openings);
    if (!w->openings)
        return -ENOMEM;
    return getrandom(w->openings->secret, sizeof w->openings->secret, 0) == sizeof w->openings->secret ? 0 : -EIO;
}

static int start_service(struct nb_worker *w, struct nb_service *s, struct nb_error *err)
{
    const struct nb_listener_config *c = s->config;
    int rc;

    rc = c->app->start ? c->app->start(w, c->options, c->n_options, &s->state, err) : 0;
    if (rc < 0)
        return rc;
    s->started = true;
    if (!c->tcp_port)
        return 0;
    rc = nb_tcp_listen(w->tcp, &c->address, nb__config_family(c), c->tcp_port, s);
    if (w->listener_options.fastopen_queue)
        nb_tcp_listener_set_options(w->tcp, s, &w->listener_options);
    if (rc < 0)
        return nb_error_set(err, rc, "listener %s on TCP port %u: %s", c->app->name, c->tcp_port,
                            rc == -EADDRINUSE ? "another listener has this address and port" : strerror(-rc));
    return 0;
}

static int start_services(struct nb_worker *w, const struct nb_runtime_config *config, struct nb_error *err)
{
    for (w->n_services = 0; w->n_services < config->n_listeners; w->n_services++)
        w->service[w->n_services].config = &config->listener[w->n_services];
    for (unsigned i = 0; i < w->n_services; i++) {
        int rc = start_service(w, &w->service[i], err);

        if (rc < 0)
            return rc;
    }
    nb__place_init(w);
    return 0;
}

static void stop_services(struct nb_worker *w)
{
    for (unsigned i = 0; i < w->n_services; i++) {
        struct nb_service *s = &w->service[i];

        if (s->started && s->config->app->stop)
            s->config->app->stop(w, s->state);
        s->started = false;
    }
}

static int init(struct nb_worker *w, const struct nb_worker_config *config)
{
    uint32_t secret;
    int rc;

    w->index = config->index;
    w->n_workers = config->n_workers;
    w->n_ports = (uint16_t)config->runtime->n_ports;
    w->now_us = config->now_us;
    w->mempool = config->mempool;
    w->lending = config->lending;
    w->post = config->post;
    w->desk = config->desk;
    w->board = config->board;
    memcpy(w->port, config->port, w->n_ports * sizeof *config->port);
    if (getrandom(&secret, sizeof secret, 0) != sizeof secret)
        return -EIO;
    rc = init_tables(w, &config->runtime->limits);
    if (rc == 0)
        rc = init_openings(w);
    if (rc == 0)
        rc = init_tcp(w, config);
    if (rc == 0)
        rc = init_net(w, config, secret);
    w->gates = nb_gates_new();
    w->park = nb_park_new();
    w->moves = nb_moves_new();
    return rc == 0 && (!nb__news_init(w) || !w->gates || !w->park || !w->moves) ? -ENOMEM : rc;
}

struct nb_worker *nb_worker_new(const struct nb_worker_config *config, struct nb_error *err)
{
    struct nb_worker *w = aligned_alloc(CACHE_LINE, RTE_ALIGN(sizeof *w, CACHE_LINE));
    int rc = -ENOMEM;

    if (w) {
        memset(w, 0, sizeof *w);
        rc = init(w, config);
    }
    if (rc < 0) {
        nb_error_set(err, rc, "worker %u: no memory for %u connections: %s", config->index,
                     config->runtime->limits.connections, strerror(-rc));
    } else {
        rc = start_services(w, config->runtime, err);
    }
    if (rc == 0)
        return w;
    if (w)
        stop_services(w);
    nb_worker_free(w);
    return NULL;
}

void nb_worker_begin(struct nb_worker *w, uint64_t now_us)
{
    w->now_us = now_us;
    nb_tcp_advance(w->tcp, now_us);
    for (unsigned i = 0; i < w->n_services; i++) {
        const struct nb_service *s = &w->service[i];

        if (s->config->app->ready)
            s->config->app->ready(w, s->state);
    }
}

void nb_worker_stop(struct nb_worker *w, uint64_t now_us)
{
    if (w->one_of_many)
        nb_lend_enter(w->lending, w->index);
    w->now_us = now_us;
    nb_buffers_use(nb_tcp_buffers(w->tcp));
    nb__connect_stop(w);
    nb__moves_stop(w);
    nb_tcp_abort_all(w->tcp);
    stop_services(w);
    nb_tcp_flush(w->tcp, now_us);
    nb__ring_doorbells(w);
    nb__tx_flush(w);
}

void nb_worker_free(struct nb_worker *w)
{
    if (!w)
        return;
    nb__moves_free(w);
    nb_gates_free(w->gates);
    nb_park_free(w->park);
    nb_net_fini(&w->net); /* drops what it holds, and counts in TCP's counters */
    if (w->tcp)
        nb_tcp_free(w->tcp);
    nb__tx_fini(w);
    nb_registry_fini(&w->registry);
    nb_flow_table_free(w->flows);
    free(w->openings);
    free(w->news);
    free(w);
}

unsigned nb_worker_index(const struct nb_worker *w)
{
    return w->index;
}

unsigned nb_worker_count(const struct nb_worker *w)
{
    return w->n_workers;
}

uint64_t nb_worker_now_us(const struct nb_worker *w)
{
    return w->now_us;
}
