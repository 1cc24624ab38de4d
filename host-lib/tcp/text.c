/* text.c - the seventh and eighth step of segment arrival: payload and FIN (RFC 9293 §3.10.7.4).
 *
 * Data goes to the application at once and by reference: the mbuf is cut to its payload and handed over. What arrives
 * ahead of a gap waits in reasm.c.
 */
#include <rte_mbuf.h>

#include "chain.h"
#include "core.h"
#include "tally.h"
#include "ecn.h"
#include "minmax.h"
#include "rightsize.h"
#include "window.h"

static bool may_receive(const struct nb_tcb *tcb)
{
    return tcb->state == NB_TCP_ESTABLISHED || tcb->state == NB_TCP_FIN_WAIT_1 || tcb->state == NB_TCP_FIN_WAIT_2;
}

/* What everybody wants to know of a segment, or a row of them, that brings n bytes. */
static __rte_always_inline void data_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg,
                                             uint32_t n)
{
    if (n >= tcb->rcv_mss && tcb->tally[NB_TALLY_RX_BYTES] >= NB_RIGHTSIZE_FROM_BYTES)
        nb__rightsize(tcp, tcb, seg);
    nb__ack_data_arrives(tcp, tcb, n, 1u + seg->joined);
    if (unlikely(tcb->flags & NB_TCB_ECN))
        nb__ecn_data_arrives(tcb, seg);
}

/* Give in-order payload m to the application. */
static void deliver(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    uint32_t n = m->pkt_len;
    tcb->rcv_nxt += n;
    tcb->rcv_unread += n;
    nb__tally(tcp, tcb, NB_TALLY_RX_BYTES, n);
    tcp->env.data(tcp->env.arg, tcb, m);
}

struct rte_mbuf *nb__take_payload(struct nb_seg *seg, uint32_t skip, uint32_t n)
{
    struct rte_mbuf *m = seg->m;
    seg->m = NULL;
    if (likely(m->nb_segs == 1)) {
        m->data_off = (uint16_t)(m->data_off + seg->payload_offset + skip);
        m->data_len = (uint16_t)n;
        m->pkt_len = n;
        return m;
    }
    nb_chain_keep(m, seg->payload_offset + skip + n); /* an Ethernet frame may be padded */
    return nb_chain_skip(m, seg->payload_offset + skip);
}

/* Is there no room for what is next in order? Its sender still has it, and tries again. */
static bool refused(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (likely(!(tcb->rcv_unread | tcp->memory.level)) || nb__memory_admits(tcp, tcb, seg->m->nb_segs))
        return false;
    seg->flags &= (uint8_t)~NB_TCP_FIN; /* it comes after that */
    tcb->flags |= NB_TCB_ACK_NOW;
    nb__tcb_pend(tcp, tcb);
    return true;
}

void nb__text_in_order(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    uint32_t n = seg->payload_bytes;
    if (refused(tcp, tcb, seg))
        return;
    data_arrives(tcp, tcb, seg, n);
    nb__tcb_pend(tcp, tcb);
    deliver(tcp, tcb, nb__take_payload(seg, 0, n));
}

void nb__text_of_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    tcb->data_segs_in++;
    tcb->data_received_ms = tcp->now_ms;
    nb__tcb_pend(tcp, tcb);
    deliver(tcp, tcb, nb__take_payload(seg, 0, seg->payload_bytes));
}

/* RFC 1122 §4.2.2.13: data for an application that has closed is lost, and the peer must know it. */
static void refuse_text(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    nb__count(tcp, NB_COUNTER_DROP_CLOSED_DATA);
    nb__emit_rst_for(tcp, seg);
    nb__tcb_close(tcp, tcb, NB_CLOSED_ABORTED);
}

/* Everything that a gap had held back and that now follows. (If the application ends the connection, nothing is left.)
 */
static void deliver_reassembled(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct rte_mbuf *m;
    while ((m = nb_reasm_take(&tcp->reasm, &tcb->reasm, tcb->rcv_nxt)))
        deliver(tcp, tcb, m);
}

/* Payload with its first new byte at seq: deliver it, or keep it until the gap before it is filled. Both are worth an
 * immediate ACK when there are gaps (RFC 5681 §4.2). */
static void place_text(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, struct rte_mbuf *m)
{
    if (seq == tcb->rcv_nxt) {
        if (tcb->reasm != NB_REASM_NONE)
            tcb->flags |= NB_TCB_ACK_NOW;
        nb__tcb_pend(tcp, tcb);
        deliver(tcp, tcb, m);
        deliver_reassembled(tcp, tcb);
        return;
    }
    uint32_t bound = nb__memory_ahead(tcp, tcb);
    bool kept = nb_reasm_insert(&tcp->reasm, &tcb->reasm, seq, m, bound);
    nb__count(tcp, kept ? NB_COUNTER_OUT_OF_ORDER : NB_COUNTER_DROP_REASSEMBLY_FULL);
    nb__history(tcp, tcb)->out_of_order += kept;
    nb__emit_ack(tcp, tcb, tcb->snd_nxt); /* not held back: the sender counts them */
}

/* Seventh, process the segment text: the part of it that lies within the window.
 *
 *            rcv_nxt              rcv_adv
 *      |--------|#####################|---------|
 *         skip           n               cut off
 */
static void process_text(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    nb_seq_t end = seg->seq + seg->payload_bytes;
    uint32_t skip = seq_lt(seg->seq, tcb->rcv_nxt) ? tcb->rcv_nxt - seg->seq : 0;
    if (seq_gt(end, tcb->rcv_adv)) {
        end = tcb->rcv_adv;
        seg->flags &= (uint8_t)~NB_TCP_FIN; /* it lies beyond, too */
        tcb->flags |= NB_TCB_ACK_NOW;
        nb__tcb_pend(tcp, tcb);
    }
    if (skip)
        nb__ack_reports_duplicate(tcp, tcb, (struct nb_seq_range){seg->seq, seq_min(seg->seq + skip, end)});
    if (seq_leq(end, seg->seq + skip)) { /* nothing new, or nothing that fits */
        nb__count(tcp, NB_COUNTER_DROP_OLD_SEGMENT);
        nb__ack_quickly(tcb, NB_QUICK_ACKS_AFTER_LOSS);
        tcb->flags |= NB_TCB_ACK_NOW;
        nb__tcb_pend(tcp, tcb);
        return;
    }
    if (tcb->flags & NB_TCB_APP_CLOSED) {
        refuse_text(tcp, tcb, seg);
        return;
    }
    if (seq_leq(seg->seq, tcb->rcv_nxt) && refused(tcp, tcb, seg))
        return;
    uint32_t n = end - (seg->seq + skip);
    data_arrives(tcp, tcb, seg, n);
    place_text(tcp, tcb, seg->seq + skip, nb__take_payload(seg, skip, n));
}

/* Eighth, check the FIN bit: here all data before the FIN was delivered. */
static void process_fin(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->rcv_nxt++;
    tcb->rcv_adv = seq_max(tcb->rcv_adv, tcb->rcv_nxt);
    nb_reasm_free(&tcp->reasm, &tcb->reasm); /* nothing follows a FIN */
    tcb->flags |= NB_TCB_ACK_NOW;
    nb__tcb_pend(tcp, tcb);

    bool both_done = tcb->state == NB_TCP_FIN_WAIT_2;
    if (tcb->state == NB_TCP_ESTABLISHED)
        nb__tcb_set_state(tcp, tcb, NB_TCP_CLOSE_WAIT);
    else if (tcb->state == NB_TCP_FIN_WAIT_1)
        nb__tcb_set_state(tcp, tcb, NB_TCP_CLOSING);
    if (!(tcb->flags & NB_TCB_APP_CLOSED))
        tcp->env.peer_closed(tcp->env.arg, tcb);
    if (both_done && tcb->state != NB_TCP_CLOSED)
        nb__time_wait_enter(tcp, tcb);
}

/* The latest word counts: a forged FIN does not keep the true one out. */
static void note_fin(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t at)
{
    tcb->flags |= NB_TCB_PEER_FIN | NB_TCB_ACK_NOW;
    if (at != tcb->rcv_nxt)
        nb__history(tcp, tcb)->rcv_fin = at;
    nb__tcb_pend(tcp, tcb);
}

/* Was all data before the FIN delivered: this segment's FIN, or one that came before? */
static bool fin_is_next(const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (seg->flags & NB_TCP_FIN)
        return seg->seq + seg->payload_bytes == tcb->rcv_nxt;
    return tcb->flags & NB_TCB_PEER_FIN && nb__past(tcb)->rcv_fin == tcb->rcv_nxt;
}

void nb__text_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (!may_receive(tcb)) { /* after the peer's FIN there is neither; a repeated one wants its ACK again */
        if (nb_seg_len(seg)) {
            nb__count(tcp, NB_COUNTER_DROP_OLD_SEGMENT);
            tcb->flags |= NB_TCB_ACK_NOW;
            nb__tcb_pend(tcp, tcb);
        }
        return;
    }
    if (seg->payload_bytes)
        process_text(tcp, tcb, seg);
    if (tcb->state == NB_TCP_CLOSED)
        return;
    if (seg->flags & NB_TCP_FIN)
        note_fin(tcp, tcb, seg->seq + seg->payload_bytes);
    if (fin_is_next(tcb, seg))
        process_fin(tcp, tcb);
}
