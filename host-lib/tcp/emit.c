/* emit.c - from a TCB to packets: headers, options, payload by copy or by reference, the window we announce.
 *
 * When the buffer pool is empty a packet is not sent and DROP_NO_MBUF counted. Data then stays where it is and is tried
 * again when a timer fires; a lost ACK or RST is like one lost on the way.
 */
#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "../wire/segment_emit.h"
#include "../wire/segment_plain.h"
#include "accecn.h"
#include "output.h"
#include "core.h"
#include "tally.h"
#include "ecn.h"
#include "flight.h"
#include "minmax.h"
#include "window.h"

/* Payloads up to here are copied behind the header, larger ones referred to: a reference costs two mbufs' handling and
 * keeps its buffer busy until the port is done with it, a copy of this size costs less. */
#define COPY_BYTES_MAX 512

static struct rte_mbuf *packet_new(struct nb_tcp *tcp, unsigned bytes)
{
    struct rte_mbuf *m = nb_buffer_new(&tcp->send.buffers);
    if (!m) {
        nb__count(tcp, NB_COUNTER_DROP_NO_MBUF);
        return NULL;
    }
    m->data_len = (uint16_t)bytes;
    m->pkt_len = bytes;
    return m;
}

uint16_t nb__own_mss(const struct nb_tcb *tcb)
{
    uint16_t mss = (uint16_t)(tcb->mtu_bytes - nb_ip_header_bytes(tcb->flow.key.family) - 20);
    uint16_t chosen = tcb->options->user_mss;
    return chosen && chosen < mss ? chosen : mss;
}

/* --- segments of a connection ----------------------------------------------------------------- */

/* What the user wants of the IP header. */
static void choose_ip(const struct nb_tcb *tcb, struct nb_seg_out *out)
{
    out->tos = tcb->options->tos;
    out->ttl = tcb->options->ttl;
    out->may_fragment = tcb->options->pmtu_dont;
}

/* An IPv4 header as it comes without asking? */
static bool asks_nothing_of_ip(const struct nb_tcb *tcb)
{
    const struct nb_tcp_options *o = tcb->options;
    return tcb->flow.key.family == NB_FAMILY_IPV4 && !(o->tos | o->ttl | o->pmtu_dont);
}

/* What every segment of a synchronized connection carries. */
static struct nb_seg_out segment_of(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, uint8_t flags)
{
    struct nb_seg_out out = {.key = &tcb->flow.key,
                             .seq = seq,
                             .ack = tcb->rcv_nxt,
                             .window = nb__window_field(tcp, tcb),
                             .flags = flags | NB_TCP_ACK};
    choose_ip(tcb, &out);
    if (tcb->flags & NB_TCB_TIMESTAMPS) {
        out.options = NB_SEG_TIMESTAMP;
        out.ts_value = tcp->now_ms + tcb->ts_offset;
        out.ts_echo = tcb->ts_recent;
    }
    if (unlikely(tcb->flags & NB_TCB_URGENT))
        nb__urgent_point(tcb, &out);
    nb__md5_sign(tcp, nb__md5_key_of(tcb), &out);
    return out;
}

static void add_sacks(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_seg_out *out,
                      struct nb_seq_range blocks[NB_SEG_SACK_MAX])
{
    out->n_sack = (uint8_t)nb__sack_blocks(tcp, tcb, blocks);
    out->sack = blocks;
    if (out->n_sack)
        out->options |= NB_SEG_SACK;
}

static void add_accecn(struct nb_tcb *tcb, struct nb_seg_out *out, struct nb_accecn_option *option, nb_seq_t seq,
                       unsigned n)
{
    if (nb__accecn_in_use(tcb))
        nb__accecn_add_option(tcb, out, option, seq, n);
}

/* The packet has its headers: let it go. */
static void part_with(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *packet)
{
    nb__tally(tcp, tcb, NB_TALLY_TX_PACKETS, 1);
    tcp->env.output(tcp->env.arg, &tcb->flow.key, &tcb->path, packet);
}

/* Write the headers and let the packet go. */
static void leave(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *packet, const struct nb_seg_out *out)
{
    nb_seg_emit(packet, out, tcp->config.checksum_offload);
    if (out->flags & NB_TCP_ACK)
        nb__ack_sent(tcb);
    part_with(tcp, tcb, packet);
}

/* Where to look for these bytes from. A place is only kept while it moves on, so none for what is sent again without
 * recovery. */
static struct nb_sendq_place *place_of(const struct nb_tcb *tcb, nb_seq_t seq)
{
    struct nb_flight *f = tcb->flight;
    if (likely(f && (!f->send.m || seq_geq(seq, f->send.seq))))
        return &f->send;
    return tcb->recovery >= NB_TCP_RECOVERY_RECOVERY ? &f->resend : NULL;
}

static struct rte_mbuf *packet_by_copy(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned header_bytes, nb_seq_t seq,
                                       unsigned n)
{
    struct rte_mbuf *packet = packet_new(tcp, header_bytes + n);
    if (packet && n)
        nb_sendq_copy(&tcb->sendq, place_of(tcb, seq), seq, rte_pktmbuf_mtod_offset(packet, void *, header_bytes), n);
    return packet;
}

static struct rte_mbuf *packet_by_reference(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned header_bytes, nb_seq_t seq,
                                            unsigned n)
{
    struct rte_mbuf *packet = packet_new(tcp, header_bytes);
    if (packet && !nb_sendq_attach(&tcb->sendq, place_of(tcb, seq), &tcp->send, seq, n, packet)) {
        rte_pktmbuf_free(packet);
        nb__count(tcp, NB_COUNTER_DROP_NO_MBUF);
        return NULL;
    }
    return packet;
}

/* Is the next segment like nearly all (segment_plain.h)? */
static bool is_plain(const struct nb_tcb *tcb)
{
    const uint32_t asked = NB_TCB_TIMESTAMPS | NB_TCB_ECN | NB_TCB_DSACK | NB_TCB_URGENT | (uint32_t)NB_TCB_SIGNED;
    return (tcb->flags & asked) == NB_TCB_TIMESTAMPS && tcb->reasm == NB_REASM_NONE && asks_nothing_of_ip(tcb);
}

/* A packet with room for plain headers and n bytes of payload, and the payload's checksum if that is wanted. */
static __rte_always_inline struct rte_mbuf *plain_by_copy(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq,
                                                          unsigned n, uint64_t *sum)
{
    struct rte_mbuf *packet = packet_new(tcp, NB_SEG_PLAIN_HEADER_BYTES + n);
    if (packet && n) {
        void *payload = rte_pktmbuf_mtod_offset(packet, void *, NB_SEG_PLAIN_HEADER_BYTES);
        if (tcp->config.checksum_offload)
            nb_sendq_copy(&tcb->sendq, place_of(tcb, seq), seq, payload, n);
        else
            *sum = nb_sendq_copy_sum(&tcb->sendq, place_of(tcb, seq), seq, payload, n);
    }
    return packet;
}

static struct rte_mbuf *plain_by_reference(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n,
                                           uint64_t *sum)
{
    struct rte_mbuf *packet = packet_by_reference(tcp, tcb, NB_SEG_PLAIN_HEADER_BYTES, seq, n);
    if (packet && !tcp->config.checksum_offload)
        *sum = nb_checksum_add_mbuf(0, packet->next, 0, n);
    return packet;
}

static inline struct nb_seg_plain plain_of(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, uint8_t flags)
{
    return (struct nb_seg_plain){.key = &tcb->flow.key,
                                 .seq = seq,
                                 .ack = tcb->rcv_nxt,
                                 .ts_value = tcp->now_ms + tcb->ts_offset,
                                 .ts_echo = tcb->ts_recent,
                                 .window = nb__window_field(tcp, tcb),
                                 .flags = flags | NB_TCP_ACK};
}

static __rte_always_inline void leave_plain(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *packet, unsigned n)
{
    nb__ack_sent(tcb);
    tcb->data_segs_out += n > 0;
    part_with(tcp, tcb, packet);
}

/* The same segment as the functions below make, in one go, if n is no more than is copied. */
static bool emit_plain(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n, uint8_t flags)
{
    const struct nb_seg_plain plain = plain_of(tcp, tcb, seq, flags);
    uint64_t sum = 0;
    struct rte_mbuf *packet = plain_by_copy(tcp, tcb, seq, n, &sum);
    if (!packet)
        return false;
    nb_seg_emit_plain(packet, &plain, sum, tcp->config.checksum_offload);
    leave_plain(tcp, tcb, packet, n);
    return true;
}

static bool emit_otherwise(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n, uint8_t flags);

/* --- segments in a row ------------------------------------------------------------------------ */

void nb__row_begin(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg_row *row)
{
    row->plain = is_plain(tcb);
    if (!row->plain)
        return;
    const struct nb_seg_plain plain = plain_of(tcp, tcb, 0, 0);
    row->headers = nb_seg_headers_of(&plain);
}

bool nb__row_emit(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg_row *row, nb_seq_t seq, unsigned n,
                  uint8_t flags)
{
    uint64_t sum = 0;
    if (!row->plain)
        return emit_otherwise(tcp, tcb, seq, n, flags);
    struct rte_mbuf *packet =
        n > COPY_BYTES_MAX ? plain_by_reference(tcp, tcb, seq, n, &sum) : plain_by_copy(tcp, tcb, seq, n, &sum);
    if (!packet)
        return false;
    nb_seg_emit_next(packet, &row->headers, seq, flags, sum, tcp->config.checksum_offload);
    leave_plain(tcp, tcb, packet, n);
    return true;
}

/* --- one segment ------------------------------------------------------------------------------ */

static bool emit_row_of_one(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n, uint8_t flags)
{
    struct nb_seg_row row;
    nb__row_begin(tcp, tcb, &row);
    return nb__row_emit(tcp, tcb, &row, seq, n, flags);
}

/* Large, or with something that a plain segment does not have. */
static __rte_noinline bool emit_otherwise(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n,
                                          uint8_t flags)
{
    if (is_plain(tcb))
        return emit_row_of_one(tcp, tcb, seq, n, flags);
    struct nb_seq_range blocks[NB_SEG_SACK_MAX];
    struct nb_accecn_option option;
    if (nb__accecn_owes_answer(tcb))
        nb__emit_ack(tcp, tcb, tcb->snd_nxt);
    if (nb__accecn_owes_answer(tcb)) /* there was no buffer for it */
        return false;
    struct nb_seg_out out = segment_of(tcp, tcb, seq, flags);
    nb__ecn_tell(tcb, &out, n && seq_geq(seq, tcb->snd_nxt));
    add_sacks(tcp, tcb, &out, blocks);
    add_accecn(tcb, &out, &option, seq, n);
    unsigned header_bytes = nb_seg_header_bytes(&out);
    struct rte_mbuf *packet = n <= COPY_BYTES_MAX ? packet_by_copy(tcp, tcb, header_bytes, seq, n)
                                                  : packet_by_reference(tcp, tcb, header_bytes, seq, n);
    if (!packet)
        return false;
    tcb->data_segs_out += n > 0;
    leave(tcp, tcb, packet, &out);
    return true;
}

bool nb__emit_data(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n, uint8_t flags)
{
    if (likely(n <= COPY_BYTES_MAX && is_plain(tcb)))
        return emit_plain(tcp, tcb, seq, n, flags);
    return emit_otherwise(tcp, tcb, seq, n, flags);
}

void nb__emit_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq)
{
    if (likely(is_plain(tcb))) {
        emit_plain(tcp, tcb, seq, 0, 0);
        return;
    }
    struct nb_seq_range blocks[NB_SEG_SACK_MAX];
    struct nb_accecn_option option;
    struct nb_seg_out out = segment_of(tcp, tcb, seq, 0);
    bool answer = nb__accecn_owes_answer(tcb);
    nb__ecn_tell(tcb, &out, false);
    if (!answer)
        add_sacks(tcp, tcb, &out, blocks);
    add_accecn(tcb, &out, &option, seq, 0);
    struct rte_mbuf *packet = packet_new(tcp, nb_seg_header_bytes(&out));
    if (!packet)
        return;
    if (answer)
        nb__accecn_answered(tcb);
    leave(tcp, tcb, packet, &out);
}

/* What a SYN or SYN-ACK offers. What the peer did not offer is not in the flags by then. */
static struct nb_seg_out syn_of(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_cookie *cookie)
{
    struct nb_seg_out out = {.key = &tcb->flow.key,
                             .seq = tcb->snd_una,
                             .window = nb__window_syn_field(tcp, tcb),
                             .flags = NB_TCP_SYN,
                             .options = NB_SEG_MSS,
                             .mss = nb__own_mss(tcb),
                             .wscale = tcb->rcv_scale,
                             .ts_value = tcp->now_ms + tcb->ts_offset,
                             .ts_echo = tcb->ts_recent,
                             .cookie = cookie};
    choose_ip(tcb, &out);
    out.options |= tcb->flags & NB_TCB_TIMESTAMPS ? NB_SEG_TIMESTAMP : 0;
    out.options |= tcb->flags & NB_TCB_SACK ? NB_SEG_SACK_PERMITTED : 0;
    out.options |= tcb->flags & NB_TCB_WSCALE ? NB_SEG_WSCALE : 0;
    out.options |= cookie->bytes >= 0 ? NB_SEG_FASTOPEN : 0;
    nb__md5_sign(tcp, nb__md5_key_of(tcb), &out);
    if (tcb->state == NB_TCP_SYN_RECEIVED) {
        out.flags |= NB_TCP_ACK;
        out.ack = tcb->rcv_nxt;
        nb_seg_set_ace(&out, nb__ecn_of_syn_ack(tcb));
    } else {
        nb_seg_set_ace(&out, nb__ecn_of_syn(tcp, tcb));
    }
    return out;
}

/* A SYN with all the usual options and nothing else, or its answer. */
static bool is_plain_syn(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_cookie *cookie,
                         uint32_t bytes)
{
    const uint32_t usual = NB_TCB_TIMESTAMPS | NB_TCB_SACK | NB_TCB_WSCALE;
    return (tcb->flags & (usual | NB_TCB_ECN | (uint32_t)NB_TCB_SIGNED)) == usual && !bytes && cookie->bytes < 0 &&
           asks_nothing_of_ip(tcb) && (tcb->state == NB_TCP_SYN_RECEIVED || !nb__ecn_offers(tcp));
}

static void emit_plain_syn(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    bool answer = tcb->state == NB_TCP_SYN_RECEIVED;
    const struct nb_seg_plain plain = {.key = &tcb->flow.key,
                                       .seq = tcb->snd_una,
                                       .ack = answer ? tcb->rcv_nxt : 0,
                                       .ts_value = tcp->now_ms + tcb->ts_offset,
                                       .ts_echo = tcb->ts_recent,
                                       .window = nb__window_syn_field(tcp, tcb),
                                       .flags = answer ? NB_TCP_SYN | NB_TCP_ACK : NB_TCP_SYN};
    struct rte_mbuf *packet = packet_new(tcp, NB_SEG_SYN_HEADER_BYTES);
    if (!packet)
        return;
    nb_seg_emit_plain_syn(packet, &plain, nb__own_mss(tcb), tcb->rcv_scale, tcp->config.checksum_offload);
    if (answer)
        nb__ack_sent(tcb);
    part_with(tcp, tcb, packet);
}

void nb__emit_syn_with(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_cookie *cookie, uint32_t bytes)
{
    if (likely(is_plain_syn(tcp, tcb, cookie, bytes))) {
        emit_plain_syn(tcp, tcb);
        return;
    }
    struct nb_accecn_option option;
    struct nb_seg_out out = syn_of(tcp, tcb, cookie);
    add_accecn(tcb, &out, &option, out.seq, 0);
    unsigned header_bytes = nb_seg_header_bytes(&out);
    struct rte_mbuf *packet = bytes > COPY_BYTES_MAX ? packet_by_reference(tcp, tcb, header_bytes, tcb->snd_una + 1, bytes)
                                                     : packet_by_copy(tcp, tcb, header_bytes, tcb->snd_una + 1, bytes);
    if (packet)
        leave(tcp, tcb, packet, &out);
}

void nb__emit_syn(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    const struct nb_cookie none = {.bytes = -1};
    nb__emit_syn_with(tcp, tcb, &none, 0);
}

void nb__emit_rst(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_seg_out out = segment_of(tcp, tcb, tcb->snd_nxt, NB_TCP_RST);
    struct rte_mbuf *packet = packet_new(tcp, nb_seg_header_bytes(&out));
    if (!packet)
        return;
    nb__count(tcp, NB_COUNTER_RST_SENT);
    leave(tcp, tcb, packet, &out);
}

/* --- segments without a connection ------------------------------------------------------------ */

static void leave_alone(struct nb_tcp *tcp, const struct nb_seg_out *out)
{
    uint32_t path = NB_PATH_NONE;
    struct rte_mbuf *packet = packet_new(tcp, nb_seg_header_bytes(out));
    if (!packet)
        return;
    nb_seg_emit(packet, out, tcp->config.checksum_offload);
    tcp->env.output(tcp->env.arg, out->key, &path, packet);
}

void nb__emit_rst_for(struct nb_tcp *tcp, const struct nb_seg *seg)
{
    struct nb_seg_out out = {.key = &seg->key, .flags = NB_TCP_RST};
    if (seg->flags & NB_TCP_ACK) {
        out.seq = seg->ack;
    } else {
        out.flags |= NB_TCP_ACK;
        out.ack = seg->seq + nb_seg_len(seg);
    }
    if (seg->options & NB_SEG_MD5)
        nb__md5_sign(tcp, seg->md5_key, &out);
    nb__count(tcp, NB_COUNTER_RST_SENT);
    leave_alone(tcp, &out);
}

void nb__emit_time_wait_ack(struct nb_tcp *tcp, const struct nb_time_wait *tw)
{
    struct nb_seg_out out = {
        .key = &tw->flow.key, .seq = tw->snd_nxt, .ack = tw->rcv_nxt, .window = tw->window, .flags = NB_TCP_ACK};
    if (tw->timestamps) {
        out.options = NB_SEG_TIMESTAMP;
        out.ts_value = tcp->now_ms + tw->ts_offset;
        out.ts_echo = tw->ts_recent;
    }
    nb_seg_set_ace(&out, tw->ace);
    nb__md5_sign(tcp, tw->md5_key, &out);
    leave_alone(tcp, &out);
}
