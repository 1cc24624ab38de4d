/* emit.c - from a TCB to packets: headers, options, payload by copy or by reference, the window we announce.
 *
 * When the buffer pool is empty a packet is not sent and DROP_NO_MBUF counted. Data then stays where it is and is tried
 * again when a timer fires; a lost ACK or RST is like one lost on the way.
 */
#include <rte_mbuf.h>

#include "../wire/segment_emit.h"
#include "core.h"
#include "minmax.h"

/* Payloads up to here are copied behind the header, larger ones referred to: a reference costs two mbufs' handling and
 * keeps its buffer busy until the port is done with it, a copy of this size costs less. */
#define COPY_BYTES_MAX 512

static struct rte_mbuf *packet_new(struct nb_tcp *tcp, unsigned bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(tcp->config.mempool);
    if (!m) {
        nb__count(tcp, NB_COUNTER_DROP_NO_MBUF);
        return NULL;
    }
    m->data_len = (uint16_t)bytes;
    m->pkt_len = bytes;
    return m;
}

uint16_t nb__own_mss(const struct nb_tcp *tcp, uint8_t family)
{
    return (uint16_t)(tcp->config.mtu_bytes - nb_ip_header_bytes(family) - 20);
}

/* --- the window -----------------------------------------------------------------------------------------------------
 */

static uint32_t free_buffer(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t size = tcp->config.limits.recv_buffer_bytes;
    return tcb->rcv_unread < size ? size - tcb->rcv_unread : 0;
}

/* How far the right edge could move: never to the left (RFC 9293 §3.8.6), so negative is none. */
static uint32_t edge_can_move(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    nb_seq_t edge = tcb->rcv_nxt + free_buffer(tcp, tcb);
    return seq_gt(edge, tcb->rcv_adv) ? edge - tcb->rcv_adv : 0;
}

/* Receiver's silly window avoidance (RFC 9293 §3.8.6.2.2): move the edge by at least a segment or half the buffer. */
static bool worth_moving(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t move)
{
    uint32_t half = tcp->config.limits.recv_buffer_bytes / 2;
    return move > 0 && move >= nb__min(half, nb__own_mss(tcp, tcb->flow.key.family));
}

/* A window update is worth a packet only when it frees a peer that is, or soon will be, stopped by the window. */
bool nb__window_worth_telling(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t move = edge_can_move(tcp, tcb);
    return worth_moving(tcp, tcb, move) && move >= nb_tcb_rcv_wnd(tcb);
}

/* The window field of the next segment. Rounding down to the scale may take a few bytes back from the peer, which it
 * has to cope with (RFC 7323 §2.4). */
static uint16_t window_field(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t move = edge_can_move(tcp, tcb);
    if (worth_moving(tcp, tcb, move))
        tcb->rcv_adv += move;
    return nb__min(nb_tcb_rcv_wnd(tcb) >> tcb->rcv_scale, UINT16_MAX);
}

/* A SYN's window is never scaled (RFC 7323 §2.2). */
static uint16_t syn_window_field(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t window = nb__min(tcp->config.limits.recv_buffer_bytes, UINT16_MAX);
    tcb->rcv_adv = tcb->rcv_nxt + window;
    return (uint16_t)window;
}

/* --- segments of a connection ----------------------------------------------------------------------------------------
 */

/* What every segment of a synchronized connection carries. */
static struct nb_seg_out segment_of(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, uint8_t flags)
{
    struct nb_seg_out out = {.key = &tcb->flow.key,
                             .seq = seq,
                             .ack = tcb->rcv_nxt,
                             .window = window_field(tcp, tcb),
                             .flags = flags | NB_TCP_ACK};
    if (tcb->flags & NB_TCB_TIMESTAMPS) {
        out.options = NB_SEG_TIMESTAMP;
        out.ts_value = tcp->now_ms + tcb->ts_offset;
        out.ts_echo = tcb->ts_recent;
    }
    return out;
}

/* Write the headers and let the packet go. */
static void leave(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *packet, const struct nb_seg_out *out)
{
    nb_seg_emit(packet, out, tcp->config.checksum_offload);
    tcb->tx_packets++;
    if (out->flags & NB_TCP_ACK) {
        tcb->rcv_acked = tcb->rcv_nxt;
        tcb->flags &= ~(uint32_t)NB_TCB_ACK_NOW;
        tcb->timers &= (uint8_t)~NB_TCB_TIMER_ACK;
    }
    tcp->env.output(tcp->env.arg, &tcb->flow.key, &tcb->path, packet);
}

static struct rte_mbuf *packet_by_copy(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned header_bytes, nb_seq_t seq,
                                       unsigned n)
{
    struct rte_mbuf *packet = packet_new(tcp, header_bytes + n);
    if (packet && n)
        nb_sendq_copy(&tcb->sendq, seq, rte_pktmbuf_mtod_offset(packet, void *, header_bytes), n);
    return packet;
}

static struct rte_mbuf *packet_by_reference(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned header_bytes, nb_seq_t seq,
                                            unsigned n)
{
    struct rte_mbuf *packet = packet_new(tcp, header_bytes);
    if (packet && !nb_sendq_attach(&tcb->sendq, tcp->config.mempool, seq, n, packet)) {
        rte_pktmbuf_free(packet);
        nb__count(tcp, NB_COUNTER_DROP_NO_MBUF);
        return NULL;
    }
    return packet;
}

bool nb__emit_data(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n, uint8_t flags)
{
    struct nb_seg_out out = segment_of(tcp, tcb, seq, flags);
    unsigned header_bytes = nb_seg_header_bytes(&out);
    struct rte_mbuf *packet = n <= COPY_BYTES_MAX ? packet_by_copy(tcp, tcb, header_bytes, seq, n)
                                                  : packet_by_reference(tcp, tcb, header_bytes, seq, n);
    if (!packet)
        return false;
    leave(tcp, tcb, packet, &out);
    return true;
}

/* SACK blocks that fit behind the other options (RFC 2018 §3: three with a timestamp, four without). */
static unsigned sack_blocks(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_seq_range *blocks)
{
    if (!(tcb->flags & NB_TCB_SACK) || tcb->reasm == NB_REASM_NONE)
        return 0;
    return nb_reasm_sack(&tcp->reasm, tcb->reasm, blocks, tcb->flags & NB_TCB_TIMESTAMPS ? 3 : 4);
}

void nb__emit_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq)
{
    struct nb_seq_range blocks[NB_SEG_SACK_MAX];
    struct nb_seg_out out = segment_of(tcp, tcb, seq, 0);
    out.n_sack = (uint8_t)sack_blocks(tcp, tcb, blocks);
    if (out.n_sack) {
        out.options |= NB_SEG_SACK;
        out.sack = blocks;
    }
    struct rte_mbuf *packet = packet_new(tcp, nb_seg_header_bytes(&out));
    if (packet)
        leave(tcp, tcb, packet, &out);
}

/* SYN, or SYN-ACK in SYN-RECEIVED. What the peer did not offer is not in the flags by then. */
void nb__emit_syn(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_seg_out out = {.key = &tcb->flow.key,
                             .seq = tcb->iss,
                             .window = syn_window_field(tcp, tcb),
                             .flags = NB_TCP_SYN,
                             .options = NB_SEG_MSS,
                             .mss = nb__own_mss(tcp, tcb->flow.key.family),
                             .wscale = tcb->rcv_scale,
                             .ts_value = tcp->now_ms + tcb->ts_offset,
                             .ts_echo = tcb->ts_recent};
    out.options |= tcb->flags & NB_TCB_TIMESTAMPS ? NB_SEG_TIMESTAMP : 0;
    out.options |= tcb->flags & NB_TCB_SACK ? NB_SEG_SACK_PERMITTED : 0;
    out.options |= tcb->flags & NB_TCB_WSCALE ? NB_SEG_WSCALE : 0;
    if (tcb->state == NB_TCP_SYN_RECEIVED) {
        out.flags |= NB_TCP_ACK;
        out.ack = tcb->rcv_nxt;
    }
    struct rte_mbuf *packet = packet_new(tcp, nb_seg_header_bytes(&out));
    if (packet)
        leave(tcp, tcb, packet, &out);
}

void nb__emit_rst(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_seg_out out = segment_of(tcp, tcb, tcb->snd_max, NB_TCP_RST);
    struct rte_mbuf *packet = packet_new(tcp, nb_seg_header_bytes(&out));
    if (!packet)
        return;
    nb__count(tcp, NB_COUNTER_RST_SENT);
    leave(tcp, tcb, packet, &out);
}

/* --- segments without a connection -----------------------------------------------------------------------------------
 */

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
    leave_alone(tcp, &out);
}
