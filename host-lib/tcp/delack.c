/* delack.c - when an acknowledgement is due (RFC 9293 §3.8.6.3, RFC 5681 §4.2).
 *
 * Every second full segment is acknowledged at once, others after a while, in the hope that data or a window update
 * carries the ACK. How long is the peer's own pace (ato), between 40 ms and half a second. Where waiting does harm it
 * is not done: at the start of a connection, while the peer's slow start needs each ACK; after a pause, when it may be
 * in slow start again; and while something is missing. A connection on which we answer (PINGPONG) delays always.
 */
#include <rte_branch_prediction.h>

#include "core.h"
#include "ecn.h"
#include "minmax.h"
#include "output.h"
#include "stream.h"
#include "window.h"

#define ATO_MIN_US     40000
#define ATO_MAX_US     200000 /* TCP_DELACK_MAX of Linux; the RFC's bound is 500 ms */
#define QUICK_ACKS_MAX 16
#define SMALL_BYTES    128

void nb__ack_quickly(struct nb_tcb *tcb, unsigned at_most)
{
    uint32_t acks = nb_tcb_rcv_wnd(tcb) / (2u * nb__max(tcb->rcv_mss, 1));
    acks = nb__min(acks ? acks : 2, at_most);
    tcb->quick_acks = (uint8_t)nb__max(tcb->quick_acks, acks);
}

/* What a full segment is, as the peer's segments show it. */
static void measure_segment(struct nb_tcb *tcb, uint32_t n, uint32_t segs)
{
    tcb->data_segs_in++;
    if (n >= tcb->rcv_mss) {
        tcb->rcv_mss = (uint16_t)nb__min(likely(segs == 1) ? n : n / segs, tcb->advertised_mss);
        return;
    }
    tcb->flags |= tcb->flags & NB_TCB_ACK_PUSHED ? NB_TCB_ACK_PUSHED2 : NB_TCB_ACK_PUSHED;
}

/* The peer's pace, halfway between the old estimate and the last gap. */
static void measure_pace(struct nb_tcb *tcb, uint32_t gap_ms)
{
    uint64_t gap_us = (uint64_t)gap_ms * 1000;
    if (gap_us <= ATO_MIN_US / 2)
        tcb->ato_us = tcb->ato_us / 2 + ATO_MIN_US / 2;
    else if (gap_us < tcb->ato_us)
        tcb->ato_us = (uint32_t)nb__min(tcb->ato_us / 2 + gap_us, tcb->rto_us);
    else if (gap_us > tcb->rto_us) /* did it restart its window? then it needs ACKs */
        nb__ack_quickly(tcb, QUICK_ACKS_MAX);
}

void nb__ack_data_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t n, uint32_t segs)
{
    tcb->flags |= NB_TCB_ACK_SCHEDULED;
    measure_segment(tcb, n, segs);
    if (!tcb->ato_us) {
        nb__ack_quickly(tcb, QUICK_ACKS_MAX);
        tcb->ato_us = ATO_MIN_US;
    } else {
        measure_pace(tcb, tcp->now_ms - tcb->data_received_ms);
    }
    tcb->data_received_ms = tcp->now_ms;
    if (n >= SMALL_BYTES)
        nb__window_grow(tcp, tcb, n, segs);
}

void nb__ack_data_sent(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->ato_us && (uint64_t)(tcp->now_ms - tcb->data_received_ms) * 1000 < tcb->ato_us)
        tcb->flags |= NB_TCB_PINGPONG;
}

void nb_tcp_hold_ack(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!(tcb->flags & NB_TCB_ACK_NOW))
        return;
    tcb->flags &= ~(uint32_t)NB_TCB_ACK_NOW;
    tcb->flags |= NB_TCB_ACK_SCHEDULED;
    tcb->ato_us = ATO_MIN_US;
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_ACK, ATO_MAX_US);
}

void nb__ack_sent(struct nb_tcb *tcb)
{
    if (tcb->quick_acks && --tcb->quick_acks == 0 && tcb->ato_us)
        tcb->ato_us = ATO_MIN_US;
    tcb->rcv_acked = tcb->rcv_nxt;
    tcb->flags &=
        ~(uint32_t)(NB_TCB_ACK_NOW | NB_TCB_ACK_SCHEDULED | NB_TCB_ACK_PUSHED | NB_TCB_ACK_PUSHED2 | NB_TCB_DSACK);
    tcb->timers &= (uint8_t)~NB_TCB_TIMER_ACK;
}

static bool quick(const struct nb_tcb *tcb)
{
    return tcb->quick_acks && !(tcb->flags & NB_TCB_PINGPONG) && !tcb->options->no_quick_ack;
}

static bool is_due(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    if (tcb->flags & NB_TCB_ACK_NOW)
        return true;
    if (!(tcb->flags & NB_TCB_ACK_SCHEDULED))
        return false;
    /* More than a full segment, and the window's edge can follow. */
    bool second = tcb->rcv_nxt - tcb->rcv_acked > tcb->rcv_mss;
    if (second && (!tcb->rcv_unread || nb__window_select(tcp, tcb) >= nb_tcb_rcv_wnd(tcb)))
        return true;
    return quick(tcb) || tcb->reasm != NB_REASM_NONE;
}

static uint32_t delay_us(const struct nb_tcb *tcb)
{
    uint32_t ato = tcb->ato_us;
    if (ato > ATO_MIN_US) {
        uint32_t most = tcb->flags & (NB_TCB_PINGPONG | NB_TCB_ACK_PUSHED) ? ATO_MAX_US : 500000;
        if (tcb->srtt_us)
            most = nb__min(most, nb__max(tcb->srtt_us >> 3, ATO_MIN_US));
        ato = nb__min(ato, most);
    }
    return nb__min(ato ? ato : ATO_MIN_US, ATO_MAX_US);
}

void nb__acknowledge(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (is_due(tcp, tcb))
        nb__emit_ack(tcp, tcb, tcb->snd_nxt);
    if (!(tcb->flags & (NB_TCB_ACK_SCHEDULED | NB_TCB_ACK_NOW)))
        return;
    /* Not due yet, or there was no buffer for it. */
    uint32_t delay = delay_us(tcb);
    if (!(tcb->timers & NB_TCB_TIMER_ACK))
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_ACK, delay);
    else if (!(tcb->flags & NB_TCB_ACK_NOW) &&
             (int32_t)(tcb->ack_at - nb__now32(tcp)) <= (int32_t)(delay >> 2)) /* about to: once is enough */
        nb__emit_ack(tcp, tcb, tcb->snd_nxt);
}

/* The hope was in vain: hope less. */
void nb__ack_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!(tcb->flags & (NB_TCB_ACK_SCHEDULED | NB_TCB_ACK_NOW)))
        return;
    if (!(tcb->flags & NB_TCB_PINGPONG))
        tcb->ato_us = (uint32_t)nb__min(tcb->ato_us << 1, tcb->rto_us);
    else
        tcb->ato_us = ATO_MIN_US;
    tcb->flags &= ~(uint32_t)NB_TCB_PINGPONG;
    tcb->flags |= NB_TCB_ACK_NOW;
    nb__tcb_pend(tcp, tcb);
}

/* A reader made room, or has drained what a small segment brought: RFC 9293 §3.8.6.2.2 and Linux's tcp_cleanup_rbuf. */
void nb__ack_data_read(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t n)
{
    bool due = false;
    if (tcb->flags & NB_TCB_ACK_SCHEDULED) {
        bool small =
            tcb->flags & NB_TCB_ACK_PUSHED2 || (tcb->flags & NB_TCB_ACK_PUSHED && !(tcb->flags & NB_TCB_PINGPONG));
        due = tcb->rcv_nxt - tcb->rcv_acked > tcb->rcv_mss || (n > 0 && small && !tcb->rcv_unread);
    }
    uint32_t now = nb_tcb_rcv_wnd(tcb);
    if (n > 0 && !due && nb__window_bound(tcb) >= 2 * now) {
        uint32_t window = nb__window_select(tcp, tcb);
        due = window && window >= 2 * now;
    }
    if (due) {
        tcb->flags |= NB_TCB_ACK_NOW;
        nb__tcb_pend(tcp, tcb);
    }
}

void nb__ack_reports_duplicate(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seq_range range)
{
    if (!(tcb->flags & NB_TCB_SACK) || !tcp->settings.dsack)
        return;
    tcb->flags |= NB_TCB_DSACK;
    nb__history(tcp, tcb)->dsack = range;
}

/* RFC 2018 §3: beside what else every segment carries. */
static unsigned blocks_that_fit(const struct nb_tcb *tcb)
{
    unsigned beside_signature = tcb->flags & NB_TCB_TIMESTAMPS ? 0 : 2;
    if (tcb->flags & NB_TCB_SIGNED)
        return beside_signature;
    return tcb->flags & NB_TCB_TIMESTAMPS ? 3 : 4;
}

unsigned nb__sack_blocks(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_seq_range *blocks)
{
    unsigned n = 0, most = blocks_that_fit(tcb);
    if (!(tcb->flags & NB_TCB_SACK) || !most)
        return 0;
    if (tcb->flags & NB_TCB_DSACK)
        blocks[n++] = nb__past(tcb)->dsack;
    if (tcb->reasm != NB_REASM_NONE)
        n += nb_reasm_sack(&tcp->reasm, tcb->reasm, blocks + n, most - n);
    return n;
}
