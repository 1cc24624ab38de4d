/* one_end.c - see one_end.h. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../host-lib/tcp/row.h"
#include "../../host-lib/wire/icmp_error.h"
#include "../../host-lib/wire/segment_emit.h"
#include "mbufs.h"

#define ISS_WANTED 0xffffff00u
#define PSS        0xffffffe0u
#define MBUFS      2047

static const uint8_t isn_secret[16] = "a test's secret";

uint8_t end_pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + 1);
}

/* --- what the core calls
 * ----------------------------------------------------------------------------------------------- */

static uint8_t ip_ecn(const struct rte_mbuf *m)
{
    const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
    return ip[0] >> 4 == 4 ? ip[1] & 3 : ip[1] >> 4 & 3; /* RFC 3168 §5, RFC 8200 §7 */
}

static bool is_signed_right(const struct one_end *e, const struct nb_seg *seg)
{
    uint8_t digest[NB_MD5_DIGEST_BYTES];
    const struct nb_md5_segment segment = {.m = seg->m,
                                           .header = seg->payload_offset - seg->md5_header_bytes,
                                           .header_bytes = seg->md5_header_bytes,
                                           .n = seg->payload_bytes};
    if (!(seg->options & NB_SEG_MD5) || !e->secret)
        return false;
    nb_md5_digest(digest, &e->key, NB_MD5_LOCAL, &segment, e->secret);
    return memcmp(digest, seg->md5, sizeof digest) == 0;
}

static void on_output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m)
{
    struct one_end *e = arg;
    assert_true(e->n_sent < END_SENT_MAX);
    struct end_packet *p = &e->sent[e->n_sent++];
    (void)path;
    memset(&p->seg, 0, sizeof p->seg);
    p->seg.key = *key;
    assert_true(rte_pktmbuf_headroom(m) >= 18);
    assert_int_equal(m->l2_len, 0);
    uint16_t l3 = (uint16_t)m->l3_len;
    assert_int_equal(l3, nb_ip_header_bytes(key->family));
    bool offloaded = m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM;
    assert_int_equal(nb_seg_parse(&p->seg, m, l3, m->pkt_len - l3, !offloaded), 0);
    assert_int_equal(p->seg.payload_offset, l3 + m->l4_len);
    p->n = p->seg.payload_bytes;
    e->room -= e->room && p->n;
    p->seq = p->seg.seq - e->iss;
    p->ack = p->seg.ack - e->pss;
    p->seg.ecn = ip_ecn(m);
    p->flags = p->seg.flags;
    p->signed_right = is_signed_right(e, &p->seg);
    if (p->n) {
        const void *bytes = rte_pktmbuf_read(m, p->seg.payload_offset, p->n, p->payload);
        if (bytes != p->payload)
            memcpy(p->payload, bytes, p->n);
    }
    p->seg.m = NULL;
    rte_pktmbuf_free(m);
}

static bool on_backlogged(void *arg, const struct nb_flow_key *key)
{
    (void)key;
    return ((const struct one_end *)arg)->backlog;
}

static bool on_room(void *arg, const struct nb_flow_key *key)
{
    const struct one_end *e = arg;
    struct nb_flow_key same_peer = *key;
    same_peer.remote_port = e->key.remote_port; /* which may have several connections */
    assert_memory_equal(&same_peer, &e->key, sizeof *key);
    return !e->narrow || e->room > 0;
}

static bool on_accepted(void *arg, struct nb_tcb *tcb)
{
    struct one_end *e = arg;
    e->n_accepted++;
    e->tcb = tcb;
    return !e->refuse;
}

static void on_connected(void *arg, struct nb_tcb *tcb)
{
    struct one_end *e = arg;
    e->n_connected++;
    e->tcb = tcb;
    if (e->on_connected)
        e->on_connected(e);
}

static void on_data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct one_end *e = arg;
    uint32_t n = m->pkt_len;
    unsigned links = m->nb_segs;
    assert_true(e->n_received + n <= END_BYTES_MAX);
    const void *bytes = rte_pktmbuf_read(m, 0, n, e->received + e->n_received);
    if (bytes != e->received + e->n_received)
        memcpy(e->received + e->n_received, bytes, n);
    e->n_received += n;
    rte_pktmbuf_free(m);
    if (e->hold)
        nb_tcp_kept(e->tcp, tcb, links); /* as if */
    else
        nb_tcp_consumed(e->tcp, tcb, n);
    if (e->on_data)
        e->on_data(e);
}

static void on_writable(void *arg, struct nb_tcb *tcb)
{
    struct one_end *e = arg;
    (void)tcb;
    e->n_writable++;
    if (e->on_writable)
        e->on_writable(e);
}

static void on_progress(void *arg, struct nb_tcb *tcb)
{
    struct one_end *e = arg;
    (void)tcb;
    e->n_progress++;
}

static void on_peer_closed(void *arg, struct nb_tcb *tcb)
{
    struct one_end *e = arg;
    (void)tcb;
    e->n_peer_closed++;
    if (e->on_peer_closed)
        e->on_peer_closed(e);
}

static void on_closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    struct one_end *e = arg;
    (void)tcb;
    e->n_closed++;
    e->reason = reason;
    if (e->on_closed)
        e->on_closed(e);
}

static void on_soft_error(void *arg, struct nb_tcb *tcb, int error)
{
    struct one_end *e = arg;
    (void)tcb;
    e->soft_error = error;
}

/* --- life
 * ---------------------------------------------------------------------------------------------------------------- */

static struct nb_flow_key make_key(uint8_t family)
{
    struct nb_flow_key key = {.local_port = END_OWN_PORT, .remote_port = END_PEER_PORT, .family = family};
    key.local.word[0] = 0x0200630a;
    key.remote.word[0] = 0x0100630a;
    if (family == NB_FAMILY_IPV6) {
        key.local = (struct nb_addr){{0x000099fd, 0, 0, 0x02000000}};
        key.remote = (struct nb_addr){{0x000099fd, 0, 0, 0x01000000}};
    }
    return key;
}

static uint32_t or_else(uint32_t v, uint32_t otherwise)
{
    return v ? v : otherwise;
}

struct one_end *end_new(const struct end_options *options)
{
    static const struct end_options none;
    const struct end_options *o = options ? options : &none;
    struct one_end *e = calloc(1, sizeof *e);
    e->pool = support_pool_new(or_else(o->mbufs, MBUFS));
    e->peer_pool = support_pool_new(MBUFS);
    e->flows = nb_flow_table_new(4096, (const uint64_t[2]){11, 22});
    e->key = make_key((uint8_t)or_else(o->family, NB_FAMILY_IPV4));
    /* The ISS moves on by one every 4 us: begin at the time that gives the one we want. */
    e->now = ((uint64_t)(uint32_t)(ISS_WANTED - nb_isn_of(isn_secret, &e->key, 0).iss)) * 4;
    e->iss = ISS_WANTED;
    e->pss = PSS;
    e->window = 60000;
    e->received = malloc(END_BYTES_MAX);
    struct nb_tcp_config config = {
        .limits = {.connections = or_else(o->connections, 64),
                   .time_wait = or_else(o->time_wait, 64),
                   .half_open = or_else(o->half_open, 64),
                   .send_buffer_bytes = or_else(o->send_buffer, 256 * 1024),
                   .recv_buffer_bytes = or_else(o->recv_buffer, 60000),
                   .mbufs = or_else(o->mbufs, MBUFS)},
        .mempool = e->pool,
        .flows = e->flows,
        .checksum_offload = o->checksum_offload,
        .mtu_bytes = (uint16_t)or_else(o->mtu, 1500),
    };
    memcpy(config.isn_secret, isn_secret, sizeof config.isn_secret);
    struct nb_tcp_env env = {.arg = e,
                             .output = on_output,
                             .room = on_room,
                             .backlogged = on_backlogged,
                             .accepted = on_accepted,
                             .connected = on_connected,
                             .data = on_data,
                             .writable = on_writable,
                             .progress = on_progress,
                             .peer_closed = on_peer_closed,
                             .soft_error = on_soft_error,
                             .closed = on_closed};
    e->tcp = nb_tcp_new(&config, &env, e->now);
    assert_non_null(e->tcp);
    return e;
}

void end_free(struct one_end *e)
{
    if (!e->accepts_unread)
        end_nothing_sent(e);
    nb_tcp_free(e->tcp);
    assert_int_equal(nb_flow_count(e->flows), 0);
    assert_true(support_pool_full(e->pool));
    assert_true(support_pool_full(e->peer_pool));
    nb_flow_table_free(e->flows);
    support_pool_free(e->pool);
    support_pool_free(e->peer_pool);
    free(e->received);
    free(e);
}

/* --- packets and time
 * ---------------------------------------------------------------------------------------------------- */

void end_listen(struct one_end *e)
{
    assert_int_equal(nb_tcp_listen(e->tcp, &e->key.local, e->key.family, END_OWN_PORT, &e->key), 0);
}

static uint32_t payload_bytes(const struct end_arrival *a)
{
    return a->text ? (uint32_t)strlen(a->text) : a->n;
}

/* The packet as it would come from the wire. */
static struct rte_mbuf *build(struct one_end *e, const struct end_arrival *a)
{
    struct nb_flow_key reversed = e->key;
    reversed.local = e->key.remote, reversed.remote = e->key.local;
    reversed.local_port = e->key.remote_port, reversed.remote_port = e->key.local_port;
    struct nb_seq_range sack[NB_SEG_SACK_MAX];
    for (unsigned i = 0; i < a->n_sack; i++)
        sack[i] = (struct nb_seq_range){a->sack[i].left + e->iss, a->sack[i].right + e->iss};
    struct nb_seg_out out = {.key = &reversed,
                             .seq = e->pss + a->seq,
                             .ack = a->flags & NB_TCP_ACK ? e->iss + a->ack : 0,
                             .window = a->window ? a->window : e->window,
                             .flags = a->flags,
                             .urgent = a->urgent,
                             .options = a->options | (e->timestamps || a->ts_value ? NB_SEG_TIMESTAMP : 0) |
                                        (a->md5 ? NB_SEG_MD5 : 0) | (a->accecn ? NB_SEG_ACCECN : 0),
                             .mss = a->mss,
                             .wscale = a->wscale,
                             .n_sack = a->n_sack,
                             .sack = sack,
                             .ts_value = a->ts_value,
                             .ts_echo = a->ts_echo,
                             .cookie = a->cookie,
                             .md5 = a->md5,
                             .accecn = a->accecn,
                             .tos = a->ecn,
                             .ae = a->ae};
    struct rte_mbuf *m = rte_pktmbuf_alloc(e->peer_pool);
    assert_non_null(m);
    uint32_t n = payload_bytes(a), headers = nb_seg_header_bytes(&out);
    uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(headers + n));
    assert_non_null(p);
    for (uint32_t i = 0; i < n; i++)
        p[headers + i] = a->text ? (uint8_t)a->text[i] : end_pattern(a->seq - 1 + i);
    nb_seg_emit(m, &out, false);
    return m;
}

static void parse(struct one_end *e, const struct end_arrival *a, struct nb_seg *seg)
{
    struct rte_mbuf *m = build(e, a);
    uint16_t l3 = (uint16_t)m->l3_len;
    memset(seg, 0xa5, sizeof *seg); /* whatever the parser leaves alone is not to be relied on */
    seg->key = e->key;
    assert_int_equal(nb_seg_parse(seg, m, l3, m->pkt_len - l3, true), 0);
    seg->hash = nb_flow_hash(e->flows, &seg->key);
    seg->ecn = a->ecn;
}

static void input(struct one_end *e, struct nb_seg *seg)
{
    nb_tcp_input(e->tcp, seg, nb_flow_find(e->flows, &seg->key, seg->hash), 0, e->now);
    assert_null(seg->m);
    if (!e->no_flush)
        end_flush(e);
}

void end_arrive(struct one_end *e, const struct end_arrival *a)
{
    struct nb_seg seg;
    parse(e, a, &seg);
    input(e, &seg);
}

bool end_arrive_joined(struct one_end *e, const struct end_arrival *a, const struct end_arrival *b)
{
    struct nb_seg seg[2];
    struct nb_row row;
    parse(e, a, &seg[0]);
    parse(e, b, &seg[1]);
    bool joined = nb_row_begin(&row, e->tcp, e->tcb, &seg[0]) && nb_row_join(&row, &seg[1]), no_flush = e->no_flush;
    e->no_flush = !joined || no_flush;
    input(e, &seg[0]);
    e->no_flush = no_flush;
    if (!joined)
        input(e, &seg[1]);
    return joined;
}

void end_icmp(struct one_end *e, uint8_t type, uint8_t code, nb_seq_t seq, uint32_t mtu_bytes)
{
    const struct nb_icmp_error error = {
        .key = e->key, .type = type, .code = code, .seq = e->iss + seq, .mtu_bytes = mtu_bytes};
    struct nb_flow_ref ref = nb_flow_find(e->flows, &e->key, nb_flow_hash(e->flows, &e->key));
    nb_tcp_icmp(e->tcp, &error, ref, e->now);
    end_flush(e);
}

void end_flush(struct one_end *e)
{
    nb_tcp_flush(e->tcp, e->now);
}

void wait_us(struct one_end *e, uint64_t us)
{
    uint64_t until = e->now + us;
    for (;;) {
        uint64_t next = nb_tcp_next_us(e->tcp);
        if (next > until)
            break;
        e->now = next > e->now ? next : e->now;
        uint64_t before = e->now;
        nb_tcp_advance(e->tcp, e->now);
        if (nb_tcp_next_us(e->tcp) <= before)
            e->now++;
    }
    e->now = until;
    nb_tcp_advance(e->tcp, e->now);
}

struct end_packet *end_sent(struct one_end *e)
{
    if (e->n_read == e->n_sent)
        fail_msg("nothing was sent");
    return &e->sent[e->n_read++];
}

void end_nothing_sent(struct one_end *e)
{
    if (e->n_read != e->n_sent) {
        const struct end_packet *p = &e->sent[e->n_read];
        fail_msg("sent: flags %02x seq %d ack %d, %u bytes", p->flags, (int)p->seq, (int)p->ack, p->n);
    }
    e->n_read = e->n_sent = 0;
}

void end_forget_sent(struct one_end *e)
{
    e->n_read = e->n_sent = 0;
}

struct end_packet *end_expect(struct one_end *e, uint8_t flags, nb_seq_t seq, nb_seq_t ack, uint32_t n)
{
    struct end_packet *p = end_sent(e);
    if (p->flags != flags || p->seq != seq || (flags & NB_TCP_ACK && p->ack != ack) || p->n != n)
        fail_msg("expected flags %02x seq %d ack %d, %u bytes; sent flags %02x seq %d ack %d, %u bytes", flags,
                 (int)seq, (int)ack, n, p->flags, (int)p->seq, (int)p->ack, p->n);
    return p;
}

/* --- states
 * ------------------------------------------------------------------------------------------------------------- */

static void syn_received_with(struct one_end *e, const struct end_arrival *syn)
{
    end_listen(e);
    end_arrive(e, syn);
    struct end_packet *p = end_expect(e, NB_TCP_SYN | NB_TCP_ACK, 0, 1, 0);
    if (p->seg.options & NB_SEG_TIMESTAMP)
        e->timestamps = true;
    e->tcb = (struct nb_tcb *)nb_flow_find(e->flows, &e->key, nb_flow_hash(e->flows, &e->key)).object;
    assert_non_null(e->tcb);
}

#define PLAIN_SYN                                                                                                      \
    &(struct end_arrival)                                                                                              \
    {                                                                                                                  \
        .flags = NB_TCP_SYN, .options = NB_SEG_MSS, .mss = END_MSS                                                     \
    }

void end_syn_received(struct one_end *e)
{
    syn_received_with(e, PLAIN_SYN);
}

void end_established_with(struct one_end *e, const struct end_arrival *syn)
{
    syn_received_with(e, syn);
    arrive(e, .flags = NB_TCP_ACK, .seq = 1, .ack = 1, .ts_value = e->timestamps ? syn->ts_value : 0);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    end_nothing_sent(e);
}

void end_established_after(struct one_end *e, const struct end_arrival *syn, uint64_t rtt_us)
{
    syn_received_with(e, syn);
    uint32_t echo = e->sent[e->n_read - 1].seg.ts_value;
    wait_us(e, rtt_us);
    arrive(e, .flags = NB_TCP_ACK, .seq = 1, .ack = 1, .ts_value = e->timestamps ? syn->ts_value : 0, .ts_echo = echo);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    end_nothing_sent(e);
}

void end_established(struct one_end *e)
{
    end_established_with(e, PLAIN_SYN);
}

void end_syn_sent(struct one_end *e)
{
    int err = 0;
    e->tcb = nb_tcp_connect(e->tcp, &e->key, e->now, &err);
    assert_non_null(e->tcb);
    end_flush(e);
    end_expect(e, NB_TCP_SYN, 0, 0, 0);
}

void end_fin_wait_1(struct one_end *e)
{
    end_established(e);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_expect(e, NB_TCP_FIN | NB_TCP_ACK, 1, 1, 0);
}

void end_fin_wait_2(struct one_end *e)
{
    end_fin_wait_1(e);
    arrive(e, .flags = NB_TCP_ACK, .seq = 1, .ack = 2);
    assert_int_equal(end_state(e), NB_TCP_FIN_WAIT_2);
}

void end_close_wait(struct one_end *e)
{
    end_established(e);
    arrive(e, .flags = NB_TCP_FIN | NB_TCP_ACK, .seq = 1, .ack = 1);
    end_expect(e, NB_TCP_ACK, 1, 2, 0);
    assert_int_equal(end_state(e), NB_TCP_CLOSE_WAIT);
}

void end_closing(struct one_end *e)
{
    end_fin_wait_1(e);
    arrive(e, .flags = NB_TCP_FIN | NB_TCP_ACK, .seq = 1, .ack = 1);
    end_expect(e, NB_TCP_ACK, 2, 2, 0);
    assert_int_equal(end_state(e), NB_TCP_CLOSING);
}

void end_last_ack(struct one_end *e)
{
    end_close_wait(e);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_expect(e, NB_TCP_FIN | NB_TCP_ACK, 1, 2, 0);
    assert_int_equal(end_state(e), NB_TCP_LAST_ACK);
}

void end_time_wait(struct one_end *e)
{
    end_fin_wait_2(e);
    arrive(e, .flags = NB_TCP_FIN | NB_TCP_ACK, .seq = 1, .ack = 2);
    end_expect(e, NB_TCP_ACK, 2, 2, 0);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
}

enum nb_tcp_state end_state(const struct one_end *e)
{
    struct nb_flow_ref ref = nb_flow_find(e->flows, &e->key, nb_flow_hash(e->flows, &e->key));
    if (ref.kind == NB_FLOW_TCB)
        return nb_tcb_state((const struct nb_tcb *)ref.object);
    return ref.kind == NB_FLOW_TIME_WAIT ? NB_TCP_TIME_WAIT : NB_TCP_CLOSED;
}

int end_write(struct one_end *e, const char *text)
{
    int n = nb_tcp_write(e->tcp, e->tcb, text, strlen(text));
    end_flush(e);
    return n;
}

int end_write_n(struct one_end *e, size_t n)
{
    uint8_t *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = end_pattern(i);
    int taken = nb_tcp_write(e->tcp, e->tcb, bytes, n);
    free(bytes);
    end_flush(e);
    return taken;
}

struct nb_tcp_info end_info(const struct one_end *e)
{
    struct nb_tcp_info info;
    nb_tcp_info(e->tcp, e->tcb, &info);
    return info;
}

uint64_t end_counter(struct one_end *e, enum nb_counter counter)
{
    return nb_tcp_counters(e->tcp)[counter];
}
