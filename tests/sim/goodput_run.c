/* goodput_run.c - see goodput_run.h. Packets are handed over as they are, without copying: contents are what
 * test_lossy_link.c looks at.
 */
#include "goodput_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "../../host-lib/tcp/bbr.h"
#include "../../host-lib/tcp/core.h"
#include "../../host-lib/tcp/history.h"
#include "../../host-lib/tcp/minmax.h"
#include "../../host-lib/tcp/stream.h"
#include "../../host-lib/wire/segment_emit.h"

#define SAMPLE_S          0.0053 /* of no simple relation to round trips */
#define SAMPLES_PER_TRACE 20
#define STARTUP_S         10 /* of slow start and what it leads to, in which no steady state's formula holds */
#define MTU               1500
#define MBUFS             900000 /* two windows of two each, and what waits to be sent */
#define MEMORY_MB         "2600" /* for so many */
#define ROOM_BYTES        (RTE_PKTMBUF_HEADROOM + MTU + 100)
#define WRITE_BYTES       65536
#define WINDOW_BDPS       6 /* what is lost twice keeps three round trips waiting, of twice that in a full queue */
#define WINDOW_MAX        230000000 /* for which the buffers last */
#define POLLS_PER_RTT     50
#define POLL_MAX_US       50 /* what arrives within that time comes as one burst, as a busy worker sees it */

struct path;
struct end {
    struct path *path;
    unsigned index;
    struct nb_tcp *tcp;
    struct nb_tcb *tcb;
    struct nb_flow_table *flows;
    struct nb_flow_key key;
};

struct path {
    uint64_t now, received, received_at_start, traced;
    struct end end[2]; /* 0 sends, 1 receives */
    struct link *to[2];
    bool ended;
};

double goodput_mbit = 1000, goodput_s = 60;
unsigned goodput_seed = 2;
static struct rte_mempool *pool;

/* --- two ends --------------------------------------------------------------------------------- */

static void on_output(void *arg, const struct nb_flow_key *key, uint32_t *way, struct rte_mbuf *m)
{
    struct end *e = arg;
    (void)way;
    link_send(e->path->to[!e->index], m, nb_ip_header_bytes(key->family), e->path->now);
}

static void write_on(struct end *e)
{
    static const uint8_t bytes[WRITE_BYTES];
    while (nb_tcp_write(e->tcp, e->tcb, bytes, sizeof bytes) == sizeof bytes)
        ;
}

static bool on_accepted(void *arg, struct nb_tcb *tcb)
{
    ((struct end *)arg)->tcb = tcb;
    return true;
}

static void on_connected(void *arg, struct nb_tcb *tcb)
{
    on_accepted(arg, tcb);
    write_on(arg);
}

static void on_writable(void *arg, struct nb_tcb *tcb)
{
    (void)tcb;
    write_on(arg);
}

static void on_data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct end *e = arg;
    uint32_t n = m->pkt_len;
    rte_pktmbuf_free(m);
    e->path->received += n;
    nb_tcp_consumed(e->tcp, tcb, n);
}

static void on_peer_closed(void *arg, struct nb_tcb *tcb)
{
    (void)arg, (void)tcb;
}

static void on_closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    struct end *e = arg;
    (void)tcb, (void)reason;
    e->path->ended = true;
    e->tcb = NULL;
}

/* The receiver's buffer grows by itself, to what is the default where that is enough for the path: what follows a loss
 * waits for it, and takes windows more. */
#define DEFAULT_GOOD_FOR_MS 100

static bool default_is_enough(const struct cell *cell)
{
    return cell->loss == 0 && cell->rtt_ms <= DEFAULT_GOOD_FOR_MS;
}

static uint32_t default_recv_buffer(void)
{
    static struct nb_runtime_config config;
    nb_runtime_config_init(&config);
    return config.limits.recv_buffer_bytes;
}

static void end_init(struct path *p, unsigned i, const struct cell *cell, uint32_t window_bytes)
{
    struct end *e = &p->end[i];
    *e = (struct end){.path = p, .index = i, .flows = nb_flow_table_new(16, (const uint64_t[2]){1, 2})};
    e->key = (struct nb_flow_key){
        .family = NB_FAMILY_IPV4, .local_port = (uint16_t)(1000 + i), .remote_port = (uint16_t)(1000 + !i)};
    e->key.local.word[0] = 0x0100000a + (i << 24);
    e->key.remote.word[0] = 0x0100000a + ((uint32_t)!i << 24);
    struct nb_tcp_config config = {
        .limits = {.connections = 1,
                   .time_wait = 1,
                   .half_open = 1,
                   .send_buffer_bytes = 2 * window_bytes,
                   .recv_buffer_bytes = default_is_enough(cell) ? default_recv_buffer() : window_bytes,
                   .mbufs = MBUFS},
        .worker = (uint16_t)i,
        .mempool = pool,
        .flows = e->flows,
        .checksum_offload = true,
        .mtu_bytes = MTU};
    struct nb_tcp_env env = {.arg = e,
                             .output = on_output,
                             .accepted = on_accepted,
                             .connected = on_connected,
                             .data = on_data,
                             .writable = on_writable,
                             .peer_closed = on_peer_closed,
                             .closed = on_closed};
    e->tcp = nb_tcp_new(&config, &env, p->now);
    struct nb_tcp_settings *settings = nb_tcp_settings(e->tcp);
    settings->wmem[2] = settings->wmem[1] = 2 * window_bytes; /* it counts what keeping the bytes costs, too */
    const char *tolerance = strchr(cell->congestion, ':');
    int name = (int)strcspn(cell->congestion, ":");
    if (tolerance)
        settings->bbr_loss_percent = (uint8_t)atoi(tolerance + 1);
    snprintf(settings->congestion_control, sizeof settings->congestion_control, "%.*s", name, cell->congestion);
}

static double bdp_bytes(const struct cell *cell)
{
    return goodput_mbit * 1e6 / 8 * cell->rtt_ms / 1e3;
}

/* Loss and bottleneck lie on the way of the data. */
static void links_init(struct path *p, const struct cell *cell)
{
    struct link_options back = {.delay_us = (uint64_t)(cell->rtt_ms * 500)}, forth = back;
    forth.rate_bps = (uint64_t)(goodput_mbit * 1e6);
    forth.queue_bytes = (uint32_t)fmax(bdp_bytes(cell), 10 * MTU);
    if (cell->periodic)
        forth.lose_every = (unsigned)(1 / cell->loss);
    else
        forth.loss_ppm = (unsigned)(cell->loss * 1e6);
    p->to[0] = link_new(&back, 1);
    p->to[1] = link_new(&forth, goodput_seed);
}

static void deliver(struct path *p, unsigned i)
{
    struct end *e = &p->end[i];
    struct rte_mbuf *m;
    while ((m = link_take(p->to[i], p->now))) {
        struct nb_seg seg = {.key = e->key};
        unsigned l3 = nb_ip_header_bytes(e->key.family);
        if (nb_seg_parse(&seg, m, (uint16_t)l3, m->pkt_len - l3, false) != 0) {
            rte_pktmbuf_free(m);
            continue;
        }
        seg.hash = nb_flow_hash(e->flows, &seg.key);
        nb_tcp_input(e->tcp, &seg, nb_flow_find(e->flows, &seg.key, seg.hash), (uint16_t)i, p->now);
    }
    nb_tcp_flush(e->tcp, p->now);
}

static uint64_t next_event(const struct path *p)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++)
        next = nb__min(next, nb__min(link_next_us(p->to[i]), nb_tcp_next_us(p->end[i].tcp)));
    return next;
}

static void run_until(struct path *p, uint64_t until, uint64_t poll_us)
{
    while (p->now < until && !p->ended) {
        uint64_t next = next_event(p);
        p->now = nb__min(nb__max(next, p->now + poll_us), until);
        for (unsigned i = 0; i < 2; i++) {
            deliver(p, i);
            if (nb_tcp_next_us(p->end[i].tcp) <= p->now)
                nb_tcp_advance(p->end[i].tcp, p->now);
        }
    }
}

static void print_counters(struct path *p)
{
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t *counters = nb_tcp_counters(p->end[i].tcp);
        for (enum nb_counter c = 0; c < NB_COUNTER_COUNT; c++)
            if (counters[c])
                printf("# %s %s %llu\n", i ? "receiver" : "sender", nb_counter_name(c),
                       (unsigned long long)counters[c]);
    }
}

static void trace_bbr(const struct nb_bbr *b)
{
    static const char *const state[NB_BBR_STATE_COUNT] = {"startup", "drain", "down",     "cruise",
                                                          "refill",  "up",    "probe-rtt"};
    printf("#   bbr %s: bw %.1f Mbit/s, at most %.1f, in flight long-term %u, short-term %u\n", state[b->state],
           (double)b->bw * 8 / 1e6, (double)nb__bbr_max_bw(b) * 8 / 1e6, b->inflight_longterm, b->inflight_shortterm);
}

/* With GOODPUT_TRACE set: how things stand, once in a while. */
static void trace(struct path *p)
{
    static const char *const recovery[] = {"open", "disorder", "cwr", "recovery", "loss"};
    struct nb_tcp_info i;
    if (!getenv("GOODPUT_TRACE") || !p->end[0].tcb)
        return;
    printf("# %.1f Mbit/s since\n", (double)(p->received - p->traced) * 8 / (SAMPLES_PER_TRACE * SAMPLE_S) / 1e6);
    p->traced = p->received;
    const struct nb_history *h = p->end[0].tcb->history;
    if (h && h->bbr)
        trace_bbr(h->bbr);
    nb_tcp_info(p->end[0].tcp, p->end[0].tcb, &i);
    printf("# %5.1f s: %-8s cwnd %u ssthresh %u unacked %u sacked %u lost %u sent again %u unsent %u srtt %u rwnd %u\n",
           (double)p->now / 1e6, recovery[i.recovery_state], i.cwnd, i.ssthresh, i.unacked, i.sacked, i.lost,
           i.total_retransmitted, i.unsent_bytes, i.srtt_us, i.snd_wnd_bytes);
}

static uint32_t cwnd_of(const struct path *p)
{
    struct nb_tcp_info i = {0};
    if (p->end[0].tcb)
        nb_tcp_info(p->end[0].tcp, p->end[0].tcb, &i);
    return i.cwnd;
}

struct outcome goodput_run(const struct cell *cell)
{
    struct path p = {.now = 1000000};
    int err = 0;
    uint32_t window = (uint32_t)fmin(fmax(WINDOW_BDPS * bdp_bytes(cell), 1 << 20), WINDOW_MAX);
    for (unsigned i = 0; i < 2; i++)
        end_init(&p, i, cell, window);
    links_init(&p, cell);
    nb_tcp_listen(p.end[1].tcp, &p.end[1].key.local, NB_FAMILY_IPV4, p.end[1].key.local_port, NULL);
    p.end[0].tcb = nb_tcp_connect(p.end[0].tcp, &p.end[0].key, p.now, &err);
    uint64_t poll_us = (uint64_t)(cell->rtt_ms * 1000 / POLLS_PER_RTT);
    poll_us = nb__max(nb__min(poll_us, POLL_MAX_US), 1);
    uint64_t began = p.now;
    double sum = 0;
    unsigned n = 0;
    for (unsigned i = 1; (double)(p.now - began) < goodput_s * 1e6 && !p.ended; i++) {
        run_until(&p, began + (uint64_t)(i * SAMPLE_S * 1e6), poll_us);
        if ((double)(p.now - began) > STARTUP_S * 1e6)
            sum += cwnd_of(&p), n++;
        if ((double)(p.now - began) <= GOODPUT_START_S * 1e6)
            p.received_at_start = p.received;
        if (i % SAMPLES_PER_TRACE == 0)
            trace(&p);
    }
    struct outcome o = {
        .mbit = (double)p.received * 8 / goodput_s / 1e6, .cwnd = sum / n, .link = *link_counts(p.to[1])};
    if (goodput_s > GOODPUT_START_S)
        o.steady_mbit = (double)(p.received - p.received_at_start) * 8 / (goodput_s - GOODPUT_START_S) / 1e6;
    if (p.end[0].tcb)
        nb_tcp_info(p.end[0].tcp, p.end[0].tcb, &o.info);
    if (getenv("GOODPUT_COUNTERS"))
        print_counters(&p);
    for (unsigned i = 0; i < 2; i++) {
        link_free(p.to[i]);
        nb_tcp_free(p.end[i].tcp);
        nb_flow_table_free(p.end[i].flows);
    }
    if (rte_mempool_in_use_count(pool)) {
        fprintf(stderr, "%u mbufs are missing\n", rte_mempool_in_use_count(pool));
        exit(1);
    }
    return o;
}

void goodput_init(void)
{
    static char arg[][24] = {"goodput", "--no-huge", "--no-pci",    "--no-shconf", "--no-telemetry",
                             "-m",      MEMORY_MB,   "--log-level", "lib.*:error", "--iova-mode=va"};
    char *argv[RTE_DIM(arg) + 1] = {0};
    for (size_t i = 0; i < RTE_DIM(arg); i++)
        argv[i] = arg[i];
    if (rte_eal_init(RTE_DIM(arg), argv) < 0 ||
        !(pool = rte_pktmbuf_pool_create("goodput", MBUFS, 512, 0, ROOM_BYTES, SOCKET_ID_ANY))) {
        fprintf(stderr, "DPDK: %s\n", rte_strerror(rte_errno));
        exit(2);
    }
}
