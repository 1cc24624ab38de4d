/* fuzz_tcp_input.c - the TCP core against a peer, an application and a clock that all do what the input says.
 *
 * The input is a program: each byte picks a step (a segment, a call, a pause, a lack of buffers), the next ones its
 * details. Segments are mostly near what the connection expects, so that the deep states are reached. After every step
 * the invariants of tests/support/tcb_check.c must hold; every packet sent must be well formed and carry the right
 * bytes of our stream; everything delivered must be the right bytes of the peer's; at the end every buffer must be
 * back.
 *
 * The peer's byte with sequence number s is a function of s, ours with stream offset i one of i.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../../host-lib/tcp/core.h"
#include "../../host-lib/tcp/stream.h"
#include "../../host-lib/wire/segment_emit.h"
#include "../support/eal.h"
#include "../support/tcb_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TUPLES     4
#define MBUFS      511 /* few enough to run out */
#define MTU        600
#define STEPS_MAX  400
#define LISTENING  80
#define CONNECTING 4000

struct world {
    const uint8_t *data;
    size_t size, at;
    struct rte_mempool *pool;
    struct nb_flow_table *flows;
    struct nb_tcp *tcp;
    uint64_t now;
    uint8_t family;
    struct nb_tcb *tcb[TUPLES]; /* NULL: none that the application knows of */
    nb_seq_t seen_nxt[TUPLES];  /* the peer's stream, as far as it was delivered */
    bool seen_any[TUPLES];
    struct rte_mbuf *hoard[MBUFS];
    unsigned n_hoard;
    uint8_t in_callback; /* what the application does when something happens */
    bool answering_rst;
    bool no_room;                  /* the port takes no data */
    struct nb_tcp_options options; /* of connections that were given them */
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static uint8_t take8(struct world *w)
{
    return w->at < w->size ? w->data[w->at++] : 0;
}

static uint16_t take16(struct world *w)
{
    uint16_t high = take8(w);
    return (uint16_t)(high << 8 | take8(w));
}

static uint8_t peer_byte(nb_seq_t seq)
{
    return (uint8_t)(seq * 131 + (seq >> 8) * 17);
}

static uint8_t own_byte(uint32_t offset)
{
    return (uint8_t)(offset * 29 + (offset >> 8) * 3 + 7);
}

static struct nb_flow_key key_of(const struct world *w, unsigned tuple)
{
    struct nb_flow_key key;
    unsigned word = w->family == NB_FAMILY_IPV4 ? 0 : 3;
    memset(&key, 0, sizeof key);
    key.family = w->family;
    key.local.word[word] = 0x0200630a;
    key.remote.word[word] = 0x0100630a;
    key.local_port = tuple < TUPLES / 2 ? LISTENING : CONNECTING;
    key.remote_port = (uint16_t)(5000 + tuple);
    return key;
}

static unsigned tuple_of(const struct nb_flow_key *key)
{
    return key->remote_port - 5000u;
}

/* --- what the application does
 * ------------------------------------------------------------------------------------------ */

static void app_write(struct world *w, struct nb_tcb *tcb, unsigned n)
{
    uint8_t bytes[4096];
    uint32_t offset = tcb->snd_end - (nb_tcb_iss(tcb) + 1);
    for (unsigned i = 0; i < n; i++)
        bytes[i] = own_byte(offset + i);
    int taken = nb_tcp_write(w->tcp, tcb, bytes, n);
    require(taken <= (int)n, "a write takes no more than it was given");
}

static void app_send(struct world *w, struct nb_tcb *tcb, unsigned n)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
    uint32_t offset = tcb->snd_end - (nb_tcb_iss(tcb) + 1);
    if (!m)
        return;
    n %= 1500;
    uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n);
    for (unsigned i = 0; i < n; i++)
        p[i] = own_byte(offset + i);
    if (nb_tcp_send(w->tcp, tcb, m) != 0)
        rte_pktmbuf_free(m);
}

/* One call on a connection. */
static void app_call(struct world *w, struct nb_tcb *tcb, uint8_t which, unsigned n)
{
    switch (which % 8) {
    case 0:
        app_write(w, tcb, n % 4096);
        break;
    case 1:
        app_send(w, tcb, n);
        break;
    case 2:
        nb_tcp_consumed(w->tcp, tcb, n);
        break;
    case 3:
        nb_tcp_shutdown(w->tcp, tcb);
        break;
    case 4:
        nb_tcp_close(w->tcp, tcb);
        break;
    case 5:
        nb_tcp_abort(w->tcp, tcb);
        break;
    case 6:
        nb_tcp_set_nodelay(w->tcp, tcb, n & 1);
        break;
    case 7:
        nb_tcp_consumed(w->tcp, tcb, SIZE_MAX);
        break;
    }
}

static void react(struct world *w, struct nb_tcb *tcb)
{
    if (w->in_callback & 0x80)
        app_call(w, tcb, w->in_callback, w->in_callback * 37u);
}

static void on_progress(void *arg, struct nb_tcb *tcb)
{
    (void)arg, (void)tcb;
}

static bool on_accepted(void *arg, struct nb_tcb *tcb)
{
    struct world *w = arg;
    unsigned tuple = tuple_of(nb_tcb_key(tcb));
    if (w->in_callback == 1)
        return false;
    require(!w->tcb[tuple], "a tuple has one connection");
    w->tcb[tuple] = tcb;
    w->seen_any[tuple] = false;
    react(w, tcb);
    return true;
}

static void on_connected(void *arg, struct nb_tcb *tcb)
{
    react(arg, tcb);
}

static void on_data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct world *w = arg;
    unsigned tuple = tuple_of(nb_tcb_key(tcb));
    require(w->tcb[tuple] == tcb, "data for a connection the application knows");
    if (!w->seen_any[tuple])
        w->seen_nxt[tuple] = nb_tcb_irs(tcb) + 1;
    w->seen_any[tuple] = true;
    require(m->pkt_len > 0, "data is not empty");
    uint32_t total = 0;
    for (const struct rte_mbuf *link = m; link; link = link->next) {
        const uint8_t *p = rte_pktmbuf_mtod(link, const uint8_t *);
        for (unsigned i = 0; i < link->data_len; i++)
            require(p[i] == peer_byte(w->seen_nxt[tuple]++), "the peer's bytes arrive in order");
        total += link->data_len;
    }
    require(total == m->pkt_len, "a chain is as long as it says");
    rte_pktmbuf_free(m);
    react(w, tcb);
}

static void on_writable(void *arg, struct nb_tcb *tcb)
{
    react(arg, tcb);
}

static void on_peer_closed(void *arg, struct nb_tcb *tcb)
{
    react(arg, tcb);
}

static void on_closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    struct world *w = arg;
    unsigned tuple = tuple_of(nb_tcb_key(tcb));
    (void)reason;
    require(w->tcb[tuple] == tcb, "closed once, and only what was known");
    react(w, tcb);
    w->tcb[tuple] = NULL;
}

/* --- what is sent
 * ---------------------------------------------------------------------------------------------------------- */

static void check_data(const struct world *w, const struct nb_seg *seg, struct rte_mbuf *m)
{
    struct nb_flow_key key = key_of(w, tuple_of(&seg->key));
    struct nb_flow_ref ref = nb_flow_find(w->flows, &key, nb_flow_hash(w->flows, &key));
    require(ref.kind == NB_FLOW_TCB, "only connections send data");
    const struct nb_tcb *tcb = (const struct nb_tcb *)ref.object;
    uint8_t copy[MTU];
    uint32_t offset = seg->seq - (nb_tcb_iss(tcb) + !(seg->flags & NB_TCP_SYN));
    const uint8_t *p = rte_pktmbuf_read(m, seg->payload_offset, seg->payload_bytes, copy);
    require(p != NULL, "the payload is there");
    for (unsigned i = 0; i < seg->payload_bytes; i++)
        require(p[i] == own_byte(offset + i), "our bytes leave in order");
}

static bool room(void *arg, const struct nb_flow_key *key)
{
    const struct world *w = arg;
    (void)key;
    return !w->no_room;
}

static void on_output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m)
{
    struct world *w = arg;
    struct nb_seg seg;
    (void)path;
    memset(&seg, 0, sizeof seg);
    seg.key = *key;
    require(m->pkt_len <= MTU, "a packet fits the MTU");
    uint16_t l3 = (uint16_t)nb_ip_header_bytes(w->family);
    require(nb_seg_parse(&seg, m, l3, m->pkt_len - l3, true) == 0, "a packet parses and its checksum is right");
    require(!(seg.flags & NB_TCP_RST) || !w->answering_rst, "no RST answers an RST");
    seg.key = *key;
    if (seg.payload_bytes)
        check_data(w, &seg, m);
    rte_pktmbuf_free(m);
}

/* --- what arrives
 * ---------------------------------------------------------------------------------------------------------- */

/* A number near one that means something: the choices are anchors, the detail is how far from it. */
static nb_seq_t near(struct world *w, const nb_seq_t *anchors, unsigned n)
{
    uint8_t choice = take8(w);
    nb_seq_t anchor = anchors[choice % n];
    switch (choice / 16 % 8) {
    case 0:
        return anchor + take8(w);
    case 1:
        return anchor - take8(w);
    case 2:
        return anchor + take16(w);
    case 3:
        return anchor + 1;
    case 4:
        return anchor - 1;
    default:
        return anchor;
    }
}

static struct nb_seg_out draw_segment(struct world *w, const struct nb_flow_key *reversed, const struct nb_tcb *tcb,
                                      struct nb_seq_range *blocks)
{
    static const uint8_t flags[] = {
        NB_TCP_ACK, NB_TCP_ACK | NB_TCP_PSH, NB_TCP_ACK | NB_TCP_FIN, NB_TCP_SYN, NB_TCP_SYN | NB_TCP_ACK,
        NB_TCP_RST, NB_TCP_RST | NB_TCP_ACK, NB_TCP_ACK | NB_TCP_URG};
    uint8_t choice = take8(w);
    nb_seq_t peer_iss = 0xffffff00u + take8(w) % 2;
    nb_seq_t theirs[] = {tcb ? tcb->rcv_nxt : peer_iss, tcb ? nb_tcb_irs(tcb) : peer_iss, tcb ? tcb->rcv_adv : peer_iss, 0};
    nb_seq_t ours[] = {tcb ? nb_tcb_last_seq(tcb) : 1, tcb ? tcb->snd_una : 0, tcb ? tcb->snd_nxt : 7};
    struct nb_seg_out out = {.key = reversed,
                             .tos = choice / 8 % 4, /* ECN */
                             .ae = choice / 32 % 2,
                             .flags = choice & 0x80 ? take8(w) : flags[choice % 8],
                             .seq = near(w, theirs, 4),
                             .ack = near(w, ours, 3),
                             .window = take16(w),
                             .sack = blocks};
    uint8_t options = take8(w);
    if (out.flags & NB_TCP_SYN) {
        out.options = options & (NB_SEG_MSS | NB_SEG_WSCALE | NB_SEG_SACK_PERMITTED | NB_SEG_TIMESTAMP);
        out.mss = take16(w);
        out.wscale = take8(w);
        if (options & NB_SEG_FASTOPEN) {
            static struct nb_cookie cookie;
            cookie = (struct nb_cookie){.bytes = (int8_t)(take8(w) % 3 * 8), .value = {take8(w)}};
            out.options = (out.options & (NB_SEG_MSS | NB_SEG_WSCALE)) | NB_SEG_FASTOPEN; /* as much as fits */
            out.cookie = &cookie;
        }
    } else if (options & 0x80) {
        out.options = options & NB_SEG_TIMESTAMP;
    } else if (tcb && tcb->flags & NB_TCB_TIMESTAMPS) {
        out.options = NB_SEG_TIMESTAMP;
    }
    if (out.options & NB_SEG_TIMESTAMP) {
        out.ts_value = tcb ? tcb->ts_recent + (options & 0x40 ? take8(w) - 5u : 0) : 1000;
        out.ts_echo = tcb ? (uint32_t)(w->now / 1000) + tcb->ts_offset - take8(w) : 0;
    }
    if (options & NB_SEG_SACK && !(out.flags & NB_TCP_SYN)) { /* 40 bytes of options are all there is */
        out.options |= NB_SEG_SACK;
        out.n_sack = (uint8_t)(1 + take8(w) % 3);
        for (unsigned i = 0; i < out.n_sack; i++)
            blocks[i] = (struct nb_seq_range){.left = near(w, ours, 3), .right = near(w, ours, 3)};
    }
    return out;
}

/* The packet, in one buffer or two. NULL when there are no buffers. */
static struct rte_mbuf *build(struct world *w, const struct nb_seg_out *out, unsigned n, bool chained)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool), *tail = chained ? rte_pktmbuf_alloc(w->pool) : NULL;
    if (!m || (chained && !tail)) {
        rte_pktmbuf_free(m);
        rte_pktmbuf_free(tail);
        return NULL;
    }
    rte_pktmbuf_append(m, (uint16_t)nb_seg_header_bytes(out));
    uint8_t *p = (uint8_t *)rte_pktmbuf_append(chained ? tail : m, (uint16_t)n);
    for (unsigned i = 0; i < n; i++)
        p[i] = peer_byte(out->seq + ((out->flags & NB_TCP_SYN) != 0) + i);
    if (chained)
        rte_pktmbuf_chain(m, tail);
    nb_seg_emit(m, out, false);
    if (!chained)
        rte_pktmbuf_append(m, n % 7); /* an Ethernet frame's padding */
    return m;
}

/* Returns whether there is something to hand in. */
static bool draw_arrival(struct world *w, struct nb_seg *seg)
{
    unsigned tuple = take8(w) % TUPLES;
    struct nb_flow_key key = key_of(w, tuple), reversed = key;
    reversed.local = key.remote, reversed.remote = key.local;
    reversed.local_port = key.remote_port, reversed.remote_port = key.local_port;
    struct nb_flow_ref ref = nb_flow_find(w->flows, &key, nb_flow_hash(w->flows, &key));
    const struct nb_tcb *tcb = ref.kind == NB_FLOW_TCB ? (const struct nb_tcb *)ref.object : NULL;
    struct nb_seq_range blocks[NB_SEG_SACK_MAX];
    struct nb_seg_out out = draw_segment(w, &reversed, tcb, blocks);
    uint8_t size = take8(w);
    unsigned n = size & 1 ? (size & 2 ? take16(w) % 1400 : size) : 0;
    struct rte_mbuf *m = build(w, &out, n, size & 4);
    if (!m)
        return false;
    uint32_t l4_bytes = nb_seg_header_bytes(&out) - nb_ip_header_bytes(w->family) + n;
    memset(seg, 0xa5, sizeof *seg);
    seg->key = key;
    require(nb_seg_parse(seg, m, (uint16_t)nb_ip_header_bytes(w->family), l4_bytes, true) == 0, "what we build parses");
    seg->hash = nb_flow_hash(w->flows, &seg->key);
    seg->ecn = out.tos;
    return true;
}

/* A burst as the worker handles it: first all look-ups, then all segments, then (mostly) the flush. */
static void step_burst(struct world *w, unsigned n)
{
    struct nb_seg seg[4];
    struct nb_flow_ref ref[4];
    unsigned got = 0;
    for (unsigned i = 0; i < n; i++)
        got += draw_arrival(w, &seg[got]);
    for (unsigned i = 0; i < got; i++)
        ref[i] = nb_flow_find(w->flows, &seg[i].key, seg[i].hash);
    for (unsigned i = 0; i < got; i++) {
        w->answering_rst = seg[i].flags & NB_TCP_RST && !(w->in_callback & 0x80);
        nb_tcp_input(w->tcp, &seg[i], ref[i], take8(w) % 2, w->now);
        w->answering_rst = false;
        require(seg[i].m == NULL, "a segment's mbuf is taken");
    }
    nb_tcp_flush(w->tcp, w->now);
}

static void step_wait(struct world *w)
{
    uint64_t us = 1ull << (take8(w) % 28);
    uint64_t until = w->now + us;
    for (unsigned i = 0; i < 64 && w->now < until; i++) {
        uint64_t next = nb_tcp_next_us(w->tcp);
        w->now = next > until ? until : next > w->now ? next : w->now + 64;
        nb_tcp_advance(w->tcp, w->now);
    }
    nb_tcp_flush(w->tcp, w->now);
}

static void step_call(struct world *w)
{
    unsigned tuple = take8(w) % TUPLES;
    uint8_t which = take8(w);
    if (w->tcb[tuple])
        app_call(w, w->tcb[tuple], which, take16(w));
    if (!(which & 0x80))
        nb_tcp_flush(w->tcp, w->now);
}

/* As connect(), or with data in the SYN (RFC 7413). */
static struct nb_tcb *open_one(struct world *w, const struct nb_flow_key *key, bool fast, int *err)
{
    uint8_t bytes[2000];
    struct iovec iov = {.iov_base = bytes, .iov_len = fast ? take16(w) % sizeof bytes : 0};
    struct nb_tcp_open how = {.options = &w->options, .fastopen = true, .iov = &iov, .n_iov = 1};
    if (!fast)
        return nb_tcp_connect(w->tcp, key, w->now, err);
    for (unsigned i = 0; i < iov.iov_len; i++)
        bytes[i] = own_byte(i);
    return nb_tcp_open(w->tcp, key, &how, err);
}

static void step_connect(struct world *w)
{
    uint8_t choice = take8(w);
    unsigned tuple = TUPLES / 2 + choice % (TUPLES / 2);
    struct nb_flow_key key = key_of(w, tuple);
    int err = 0;
    struct nb_tcb *tcb = open_one(w, &key, choice & 4, &err);
    require(tcb ? err == 0 : err < 0, "connect says what is wrong");
    if (!tcb)
        return;
    w->tcb[tuple] = tcb;
    w->seen_any[tuple] = false;
}

/* A connection gets the options block, or that changes under the ones that have it. */
static void step_options(struct world *w)
{
    unsigned tuple = take8(w) % TUPLES;
    uint8_t bits = take8(w), numbers = take8(w);
    struct nb_tcp_options *o = &w->options;
    o->cork = bits & 1;
    o->nodelay = bits & 2;
    o->keepalive = bits & 4;
    o->no_quick_ack = bits & 8;
    o->pmtu_dont = bits & 16;
    o->keepalive_idle_s = 1 + numbers % 8;
    o->keepalive_interval_s = 1;
    o->user_timeout_ms = bits & 32 ? numbers * 100u : 0;
    o->send_buffer_bytes = bits & 64 ? 2000u + numbers * 64u : 0;
    o->recv_buffer_bytes = bits & 128 ? 4000u + numbers * 64u : 0;
    o->notsent_lowat_bytes = numbers & 64 ? numbers * 8u : 0;
    o->congestion = (uint8_t)(1 + numbers % NB_CC_COUNT);
    for (unsigned i = 0; i < TUPLES; i++) {
        if (!w->tcb[i])
            continue;
        if (i == tuple)
            nb_tcb_set_options(w->tcb[i], o);
        nb_tcp_want_progress(w->tcb[i], numbers & 1);
        nb_tcp_options_changed(w->tcp, w->tcb[i], UINT8_MAX & ~(unsigned)NB_TCP_CHANGED_CONGESTION);
    }
    nb_tcp_flush(w->tcp, w->now);
}

static void step_buffers(struct world *w)
{
    unsigned leave = take8(w);
    while (w->n_hoard)
        rte_pktmbuf_free(w->hoard[--w->n_hoard]);
    if (leave & 1)
        return;
    while (rte_mempool_avail_count(w->pool) > leave / 2 && w->n_hoard < MBUFS)
        w->hoard[w->n_hoard++] = rte_pktmbuf_alloc(w->pool);
}

static void step(struct world *w)
{
    uint8_t op = take8(w);
    switch (op % 8) {
    case 0:
    case 1:
    case 2:
        step_burst(w, 1);
        break;
    case 3:
        step_burst(w, 1 + op / 8 % 4);
        break;
    case 4:
        step_wait(w);
        break;
    case 5:
        step_call(w);
        break;
    case 6:
        step_connect(w);
        break;
    case 7:
        if (op & 8)
            step_buffers(w);
        else if (op & 64)
            step_options(w);
        else if (op & 16)
            w->no_room = op & 32;
        else
            w->in_callback = take8(w);
        break;
    }
}

/* Features that are off at first, and those that are on. */
static void settings_init(struct world *w)
{
    struct nb_tcp_settings *s = nb_tcp_settings(w->tcp);
    uint8_t a = take8(w), b = take8(w);
    s->ecn = a % 6;
    s->mtu_probing = a / 4 % 3;
    s->base_mss = 256;
    s->sack = !(a & 16);
    s->dsack = !(a & 32);
    s->timestamps = !(a & 64);
    s->window_scaling = !(a & 128);
    s->frto = b & 1 ? 0 : 2;
    s->early_retrans = b & 2 ? 0 : 3;
    s->fastopen = b & 4 ? NB_FASTOPEN_SERVER | NB_FASTOPEN_CLIENT : 0;
    if (b & 8)
        s->fastopen |= NB_FASTOPEN_SERVER_NO_COOKIE | NB_FASTOPEN_CLIENT_NO_COOKIE;
    s->fastopen_keys = b & 16 ? 2 : 1;
    if (b & 32)
        snprintf(s->congestion_control, sizeof s->congestion_control, "reno");
    s->slow_start_after_idle = !(b & 64);
    w->options.fastopen_queue = 2;
    if (b & 128)
        nb_tcp_listener_set_options(w->tcp, w, &w->options);
}

static void world_init(struct world *w, const uint8_t *data, size_t size)
{
    static struct rte_mempool *pool;
    static struct nb_flow_table *flows;
    if (!pool) {
        nb_test_eal();
        pool = nb_test_pool("fuzz_tcp", MBUFS);
        flows = nb_flow_table_new(16, (const uint64_t[2]){1, 2});
    }
    *w = (struct world){.data = data, .size = size, .pool = pool, .flows = flows};
    uint8_t setup = take8(w);
    w->family = setup & 1 ? NB_FAMILY_IPV4 : NB_FAMILY_IPV6;
    w->now = (uint64_t)take16(w) << 20;
    struct nb_tcp_config config = {.limits = {.connections = 3,
                                              .time_wait = 2,
                                              .half_open = 2,
                                              .send_buffer_bytes = setup & 2 ? 1000 : 30000,
                                              .recv_buffer_bytes = setup & 4 ? 2000 : 100000,
                                              .mbufs = setup & 8 ? 64 : MBUFS},
                                   .mempool = pool,
                                   .flows = flows,
                                   .mtu_bytes = MTU};
    struct nb_tcp_env env = {.arg = w,
                             .output = on_output,
                             .room = room,
                             .accepted = on_accepted,
                             .connected = on_connected,
                             .data = on_data,
                             .writable = on_writable,
                             .progress = on_progress,
                             .peer_closed = on_peer_closed,
                             .closed = on_closed};
    w->tcp = nb_tcp_new(&config, &env, w->now);
    require(w->tcp != NULL, "memory");
    struct nb_addr any = {{0}};
    require(nb_tcp_listen(w->tcp, &any, w->family, LISTENING, w) == 0, "listen");
    settings_init(w);
}

static void world_fini(struct world *w)
{
    w->in_callback = 0;
    if (take8(w) & 1)
        nb_tcp_abort_all(w->tcp);
    nb_tcp_free(w->tcp);
    while (w->n_hoard)
        rte_pktmbuf_free(w->hoard[--w->n_hoard]);
    require(nb_flow_count(w->flows) == 0, "the flow table is empty again");
    require(rte_mempool_in_use_count(w->pool) == 0, "the pool is full again");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;
    world_init(&w, data, size);
    for (unsigned i = 0; i < STEPS_MAX && w.at < w.size; i++) {
        step(&w);
        const char *broken = w.n_hoard || w.in_callback ? NULL : support_tcp_check(w.tcp);
        require(!broken, broken);
    }
    world_fini(&w);
    return 0;
}
