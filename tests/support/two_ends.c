/* two_ends.c - see two_ends.h. */
#include "two_ends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../../host-lib/tcp/core.h"
#include "../../host-lib/tcp/minmax.h"
#include "../../host-lib/tcp/stream.h"
#include "../../host-lib/wire/segment_emit.h"
#include "mbufs.h"
#include "tcb_check.h"

#define GIVE_UP_US (7200ull * 1000000) /* of virtual time */
#define WRITE_MAX  4000

struct run;
struct side {
    struct run *run;
    unsigned index;
    struct rte_mempool *pool;
    struct nb_flow_table *flows;
    struct nb_tcp *tcp;
    struct nb_tcb *tcb;
    struct nb_flow_key key;
    uint32_t written, received, unread;
    bool shut, peer_closed, closed;
    enum nb_closed_reason reason;
};

struct run {
    const struct run_options *o;
    struct run_result result;
    uint64_t random, now;
    struct link *to[2]; /* the side of that index */
    struct side side[2];
    bool failed;
};

static uint32_t random32(struct run *r)
{
    return link_random(&r->random);
}

static bool chance(struct run *r, unsigned permille)
{
    return random32(r) % 1000 < permille;
}

static void fail(struct run *r, const char *why, uint32_t a, uint32_t b)
{
    if (!r->failed)
        snprintf(r->result.why, sizeof r->result.why, "seed %llu, %llu us: %s (%u, %u)", (unsigned long long)r->o->seed,
                 (unsigned long long)r->now, why, a, b);
    r->failed = true;
}

static uint8_t stream_byte(unsigned side, uint32_t i)
{
    return (uint8_t)(i * 167 + (i >> 8) * 13 + (i >> 16) + side * 101);
}

/* --- the path --------------------------------------------------------------------------------- */

/* With SIM_TRACE set every packet is told. */
static void trace(const struct run *r, unsigned to, struct rte_mbuf *m, const char *what)
{
    struct nb_seg seg = {.key = r->side[!to].key};
    uint16_t l3 = (uint16_t)nb_ip_header_bytes(r->o->family);
    if (!getenv("SIM_TRACE") || nb_seg_parse(&seg, m, l3, m->pkt_len - l3, false) != 0)
        return;
    fprintf(stderr, "%12.6f %s %u: flags %02x seq %u ack %u bytes %u window %u\n", (double)r->now / 1e6, what, to,
            seg.flags, seg.seq, seg.ack, seg.payload_bytes, seg.window);
}

/* A copy into the other side's buffers, as a wire would make; none left is one more way to lose a packet. */
static void on_output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m)
{
    struct side *s = arg;
    struct run *r = s->run;
    (void)key;
    (void)path;
    unsigned to = !s->index;
    trace(r, to, m, "for");
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, r->side[to].pool, 0, UINT32_MAX);
    rte_pktmbuf_free(m);
    if (copy)
        link_send(r->to[to], copy, nb_ip_header_bytes(r->o->family), r->now);
    else
        r->result.lost++;
}

/* --- the applications
 * ---------------------------------------------------------------------------------------------------- */

static struct rte_mbuf *chain_of(struct side *s, uint32_t n)
{
    struct rte_mbuf *chain = NULL;
    for (uint32_t i = 0; i < n;) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(s->pool);
        if (!m) {
            rte_pktmbuf_free(chain);
            return NULL;
        }
        uint32_t part = 1 + random32(s->run) % 900;
        part = part < n - i ? part : n - i;
        uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)part);
        for (uint32_t j = 0; j < part; j++)
            p[j] = stream_byte(s->index, s->written + i + j);
        i += part;
        if (chain)
            rte_pktmbuf_chain(chain, m);
        else
            chain = m;
    }
    return chain;
}

/* Returns the bytes taken. */
static uint32_t write_chain(struct side *s, uint32_t n)
{
    struct rte_mbuf *chain = chain_of(s, n);
    if (!chain)
        return 0;
    if (nb_tcp_send(s->tcp, s->tcb, chain) == 0)
        return n;
    rte_pktmbuf_free(chain);
    return 0;
}

static uint32_t write_copy(struct side *s, uint32_t n)
{
    uint8_t bytes[WRITE_MAX];
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = stream_byte(s->index, s->written + i);
    int taken = nb_tcp_write(s->tcp, s->tcb, bytes, n);
    return taken < 0 ? 0 : (uint32_t)taken;
}

/* Write until something comes up short, then wait for on_writable; at the end of the stream close. */
static void write_on(struct side *s)
{
    const struct side_options *o = &s->run->o->side[s->index];
    while (s->written < o->send_bytes) {
        uint32_t left = o->send_bytes - s->written, n = 1 + random32(s->run) % WRITE_MAX;
        n = n < left ? n : left;
        uint32_t taken = o->by_chain ? write_chain(s, n) : write_copy(s, n);
        s->written += taken;
        if (taken < n)
            return;
    }
    if (!s->shut)
        nb_tcp_shutdown(s->tcp, s->tcb);
    s->shut = true;
}

static bool on_accepted(void *arg, struct nb_tcb *tcb)
{
    struct side *s = arg;
    s->tcb = tcb;
    write_on(s);
    return true;
}

static void on_connected(void *arg, struct nb_tcb *tcb)
{
    on_accepted(arg, tcb);
}

static void on_data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct side *s = arg;
    for (const struct rte_mbuf *link = m; link; link = link->next) {
        const uint8_t *p = rte_pktmbuf_mtod(link, const uint8_t *);
        for (uint32_t i = 0; i < link->data_len; i++, s->received++)
            if (p[i] != stream_byte(!s->index, s->received)) {
                fail(s->run, "a byte is wrong: side, offset", s->index, s->received);
                break;
            }
    }
    uint32_t n = m->pkt_len;
    rte_pktmbuf_free(m);
    s->unread += n;
    if (!s->run->o->side[s->index].slow_reader || chance(s->run, 100)) {
        nb_tcp_consumed(s->tcp, tcb, s->unread);
        s->unread = 0;
    }
}

static void on_writable(void *arg, struct nb_tcb *tcb)
{
    (void)tcb;
    write_on(arg);
}

static void on_peer_closed(void *arg, struct nb_tcb *tcb)
{
    struct side *s = arg;
    (void)tcb;
    s->peer_closed = true;
}

static void on_closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    struct side *s = arg;
    struct nb_tcp_info info;
    nb_tcp_info(s->tcp, tcb, &info);
    if ((info.delivered_ce || info.received_ce) && !s->run->o->link.mark_every)
        fail(s->run, "marks that nobody made", info.delivered_ce, info.received_ce);
    s->run->result.received_ce[s->index] = info.received_ce;
    s->run->result.delivered_ce[s->index] = info.delivered_ce;
    s->closed = true;
    s->reason = reason;
    s->tcb = NULL;
}

/* A slow reader reads on after a while; and an application out of buffers tries again. */
static void nudge(struct side *s)
{
    if (!s->tcb || s->closed)
        return;
    if (s->unread) {
        nb_tcp_consumed(s->tcp, s->tcb, s->unread);
        s->unread = 0;
    }
    if (nb_tcb_state(s->tcb) >= NB_TCP_ESTABLISHED)
        write_on(s);
    nb_tcp_flush(s->tcp, s->run->now);
}

/* --- the run
 * ------------------------------------------------------------------------------------------------------------- */

static void settings_init(struct nb_tcp_settings *settings, const struct side_options *o)
{
    if (o->plain)
        settings->sack = settings->window_scaling = false, settings->timestamps = 0;
    if (o->ecn)
        settings->ecn = o->ecn;
    settings->mtu_probing = o->mtu_probing;
    if (o->congestion)
        snprintf(settings->congestion_control, sizeof settings->congestion_control, "%s", o->congestion);
}

static void side_init(struct run *r, unsigned i)
{
    const struct side_options *o = &r->o->side[i];
    struct side *s = &r->side[i];
    *s = (struct side){.run = r, .index = i, .pool = support_pool_new(o->mbufs)};
    s->flows = nb_flow_table_new(16, (const uint64_t[2]){r->o->seed, i});
    s->key.family = r->o->family;
    s->key.local_port = (uint16_t)(1000 + i);
    s->key.remote_port = (uint16_t)(1000 + !i);
    unsigned word = r->o->family == NB_FAMILY_IPV4 ? 0 : 3;
    s->key.local.word[word] = 0x0100000a + (i << 24);
    s->key.remote.word[word] = 0x0100000a + ((uint32_t)!i << 24);
    struct nb_tcp_config config = {.limits = {.connections = 4,
                                              .time_wait = 4,
                                              .half_open = 4,
                                              .send_buffer_bytes = o->send_buffer,
                                              .recv_buffer_bytes = o->recv_buffer,
                                              .mbufs = o->mbufs},
                                   .worker = (uint16_t)i,
                                   .mempool = s->pool,
                                   .flows = s->flows,
                                   .mtu_bytes = o->mtu};
    memcpy(config.isn_secret, &r->o->seed, sizeof r->o->seed);
    struct nb_tcp_env env = {.arg = s,
                             .output = on_output,
                             .accepted = on_accepted,
                             .connected = on_connected,
                             .data = on_data,
                             .writable = on_writable,
                             .peer_closed = on_peer_closed,
                             .closed = on_closed};
    s->tcp = nb_tcp_new(&config, &env, r->now);
    settings_init(nb_tcp_settings(s->tcp), o);
    r->to[i] = link_new(&r->o->link, r->o->seed * 2 + i);
}

/* Begin where the sequence numbers of the side that connects are about to wrap. */
static uint64_t start_time(struct run *r)
{
    struct nb_flow_key key = {.local_port = 1000, .remote_port = 1001, .family = r->o->family};
    unsigned word = r->o->family == NB_FAMILY_IPV4 ? 0 : 3;
    uint8_t secret[16] = {0};
    key.local.word[word] = 0x0100000a;
    key.remote.word[word] = 0x0200000a;
    memcpy(secret, &r->o->seed, sizeof r->o->seed);
    return (uint64_t)(uint32_t)(0xfffff000u - nb_isn_of(secret, &key, 0).iss) * 4;
}

static void open_up(struct run *r)
{
    struct side *a = &r->side[0], *b = &r->side[1];
    int err = 0;
    if (!r->o->simultaneous_open)
        nb_tcp_listen(b->tcp, &b->key.local, b->key.family, b->key.local_port, NULL);
    else
        b->tcb = nb_tcp_connect(b->tcp, &b->key, r->now, &err);
    a->tcb = nb_tcp_connect(a->tcp, &a->key, r->now, &err);
    if (err)
        fail(r, "connect", (uint32_t)-err, 0);
}

/* What was corrupted on the way does not parse, and what parses was not: a bit is all that was flipped. */
static void deliver(struct run *r, unsigned to, struct rte_mbuf *m)
{
    struct side *s = &r->side[to];
    uint16_t l3 = (uint16_t)nb_ip_header_bytes(r->o->family);
    struct nb_seg seg = {.key = s->key};
    const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
    seg.ecn = r->o->family == NB_FAMILY_IPV4 ? ip[1] & 3 : ip[1] >> 4 & 3;
    int reason = nb_seg_parse(&seg, m, l3, m->pkt_len - l3, true);
    if (reason) {
        if (!r->o->link.corrupt_ppm)
            fail(r, "a packet does not parse: bytes, counter", m->pkt_len, (uint32_t)reason);
        rte_pktmbuf_free(m);
        return;
    }
    trace(r, to, m, "at");
    seg.hash = nb_flow_hash(s->flows, &seg.key);
    nb_tcp_input(s->tcp, &seg, nb_flow_find(s->flows, &seg.key, seg.hash), (uint16_t)s->index, r->now);
    if (chance(r, 700)) /* else the burst goes on with the next packet */
        nb_tcp_flush(s->tcp, r->now);
}

static void deliver_due(struct run *r)
{
    struct rte_mbuf *m;
    for (unsigned i = 0; i < 2; i++) {
        while ((m = link_take(r->to[i], r->now)))
            deliver(r, i, m);
    }
    for (unsigned i = 0; i < 2; i++)
        nb_tcp_flush(r->side[i].tcp, r->now);
}

static uint64_t next_event(const struct run *r)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++)
        next = nb__min(next, nb__min(link_next_us(r->to[i]), nb_tcp_next_us(r->side[i].tcp)));
    return next;
}

static void check(struct run *r)
{
    for (unsigned i = 0; i < 2; i++) {
        const char *broken = support_tcp_check(r->side[i].tcp);
        if (broken)
            fail(r, broken, i, 0);
    }
}

static bool both_closed(const struct run *r)
{
    return r->side[0].closed && r->side[1].closed;
}

static void step(struct run *r)
{
    uint64_t next = next_event(r), tick = r->now + 50000;
    r->now = next > r->now ? nb__min(next, tick) : r->now + 1;
    deliver_due(r);
    for (unsigned i = 0; i < 2; i++) {
        nb_tcp_advance(r->side[i].tcp, r->now);
        if (r->now == tick || chance(r, 20))
            nudge(&r->side[i]);
    }
    check(r);
    if (both_closed(r) && !r->result.took_us)
        r->result.took_us = r->now;
}

static bool at_rest(const struct run *r)
{
    return both_closed(r) && next_event(r) == UINT64_MAX;
}

/* Both ends finished. A side whose last ACKs were lost for longer than the other's TIME-WAIT lasts learns it from an
 * RST; it lost nothing by that. */
static bool in_peace(const struct run *r, unsigned i)
{
    const struct side *s = &r->side[i], *other = &r->side[!i];
    bool too_late = s->reason == NB_CLOSED_RESET && other->closed && other->reason == NB_CLOSED_NORMAL &&
                    other->received == r->o->side[i].send_bytes;
    return s->closed && (s->reason == NB_CLOSED_NORMAL || too_late);
}

static void judge(struct run *r, uint64_t started)
{
    r->result.took_us -= started;
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &r->side[i];
        if (!in_peace(r, i))
            fail(r, "a side did not close in peace: side, reason", i, s->reason);
        else if (s->received != r->o->side[!i].send_bytes || !s->peer_closed)
            fail(r, "a stream is incomplete: side, received", i, s->received);
        else if (nb_flow_count(s->flows) != 0)
            fail(r, "a flow is left: side, flows", i, nb_flow_count(s->flows));
        r->result.retransmitted += (uint32_t)nb_tcp_counters(s->tcp)[NB_COUNTER_RETRANSMITTED];
    }
}

static void side_fini(struct run *r, unsigned i)
{
    struct side *s = &r->side[i];
    if (r->failed)
        nb_tcp_abort_all(s->tcp);
    nb_tcp_free(s->tcp);
    nb_flow_table_free(s->flows);
}

static void count_link(struct run *r, unsigned i)
{
    const struct link_counts *c = link_counts(r->to[i]);
    r->result.packets += c->packets;
    r->result.lost += c->lost + c->overflowed + c->corrupted;
    r->result.marked[i] = (uint32_t)c->marked;
    link_free(r->to[i]);
}

struct run_result two_ends_run(const struct run_options *options)
{
    struct run *r = calloc(1, sizeof *r);
    r->o = options;
    r->random = options->seed * 0x9e3779b97f4a7c15 + 1;
    r->now = start_time(r);
    uint64_t started = r->now;
    for (unsigned i = 0; i < 2; i++)
        side_init(r, i);
    open_up(r);
    while (!r->failed && !at_rest(r) && r->now - started < GIVE_UP_US)
        step(r);
    judge(r, started);
    for (unsigned i = 0; i < 2; i++)
        side_fini(r, i);
    for (unsigned i = 0; i < 2; i++)
        count_link(r, i);
    for (unsigned i = 0; i < 2; i++) {
        if (!support_pool_full(r->side[i].pool))
            fail(r, "a pool is not full again: side", i, 0);
        support_pool_free(r->side[i].pool);
    }
    r->result.ok = !r->failed;
    struct run_result result = r->result;
    free(r);
    return result;
}
