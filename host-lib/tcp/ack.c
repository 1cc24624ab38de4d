/* ack.c - the fifth step of segment arrival: what an acknowledgement does (RFC 9293 §3.10.7.4, RFC 5961 §5). */
#include <rte_common.h>

#include "core.h"
#include "minmax.h"
#include "rtt.h"

/* RFC 5961 §5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. */
static bool ack_plausible(const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    uint32_t max_wnd = (uint32_t)tcb->max_snd_wnd << tcb->snd_scale;
    return seq_leq(seg->ack, tcb->snd_max) && seq_geq(seg->ack, tcb->snd_una - max_wnd);
}

/* RFC 5681 §2; with SACK blocks in it the window may have changed as well (RFC 6675 §2). */
static bool is_duplicate(const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    return seg->ack == tcb->snd_una && nb_tcb_outstanding(tcb) && seg->payload_bytes == 0 &&
           !(seg->flags & NB_TCP_FIN) &&
           ((uint32_t)seg->window << tcb->snd_scale == tcb->snd_wnd || seg->options & NB_SEG_SACK);
}

/* RFC 9293 §3.10.7.4: a segment older than the last that told a window must not take it back. SND.WL2 is not kept: we
 * are called for SEG.ACK >= SND.UNA only, which is never below it. */
void nb__window_update(struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (seq_lt(seg->seq, tcb->snd_wl1))
        return;
    tcb->snd_wnd = (uint32_t)seg->window << tcb->snd_scale;
    tcb->snd_wl1 = seg->seq;
    tcb->max_snd_wnd = nb__max(tcb->max_snd_wnd, seg->window);
}

/* Was cwnd, rather than the application or the window, what limited us? Only then may it grow (RFC 7661 §4.1 in
 * spirit): in slow start when more than half of it was in use, later when all but a segment. */
static bool cwnd_limited(const struct nb_tcb *tcb)
{
    uint32_t used = tcb->snd_max - tcb->snd_una;
    return tcb->cwnd < tcb->ssthresh ? used > tcb->cwnd / 2 : used + tcb->mss >= tcb->cwnd;
}

/* After a time-out the echoed timestamp (RFC 7323 §4) can say that it was the retransmission that arrived, which allows
 * to measure it in spite of Karn's algorithm. An older echo may come from a repeated ACK and says nothing. */
static bool echo_of_last_transmission(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!tcb->backoff || !(tcb->flags & NB_TCB_TIMESTAMPS) || !(seg->options & NB_SEG_TIMESTAMP))
        return false;
    uint32_t echo_age_ms = tcp->now_ms + tcb->ts_offset - seg->ts_echo;
    return echo_age_ms <= (nb__now32(tcp) - tcb->sent_at) / 1000 + 1; /* both were rounded */
}

/* RFC 6298 §3. Only a measurement takes the doublings of the RTO back. */
static void take_rtt(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    uint32_t since;
    if (tcb->flags & NB_TCB_RTT_TIMING && seq_geq(seg->ack, tcb->rtt_seq))
        since = tcb->rtt_at;
    else if (echo_of_last_transmission(tcp, tcb, seg))
        since = tcb->sent_at;
    else
        return;
    tcb->flags &= ~(uint32_t)NB_TCB_RTT_TIMING;
    tcb->rto_us = nb_rtt_sample(&tcb->srtt_us, &tcb->rttvar_us, nb__now32(tcp) - since);
    tcb->backoff = 0;
}

/* RFC 6298 §5.2 and 5.3. In fast recovery only the first partial ACK restarts the timer (RFC 6582 §3.2, "impatient").
 */
static void restart_timer(struct nb_tcp *tcp, struct nb_tcb *tcb, bool after_partial_ack)
{
    if (!nb_tcb_outstanding(tcb))
        nb__timer_stop(tcb, NB_TCB_TIMERS_SEND);
    else if (!(after_partial_ack && tcb->flags & NB_TCB_FAST_RECOVERY))
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, nb__rto_us(tcb));
}

/* Half the buffer free: one event for many segments, and enough to go on with. */
void nb__offer_room(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!(tcb->flags & NB_TCB_WANT_WRITABLE) || nb_tcp_writable(tcp, tcb) < tcp->config.limits.send_buffer_bytes / 2 ||
        tcb->flags & NB_TCB_FIN_QUEUED)
        return;
    tcb->flags &= ~(uint32_t)NB_TCB_WANT_WRITABLE;
    tcp->env.writable(tcp->env.arg, tcb);
}

void nb__ack_advances(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    uint32_t acked = seg->ack - tcb->snd_una;
    bool limited = cwnd_limited(tcb), after_partial_ack = tcb->flags & NB_TCB_PARTIAL_ACK;
    tcb->snd_una = seg->ack;
    tcb->snd_nxt = seq_max(tcb->snd_nxt, tcb->snd_una);
    tcb->retransmits = 0;
    nb_sendq_acked(&tcb->sendq, &tcp->send, tcb->snd_una);
    take_rtt(tcp, tcb, seg);
    nb__recovery_acked(tcp, tcb, acked, limited);
    restart_timer(tcp, tcb, after_partial_ack);
    nb__tcb_pend(tcp, tcb);
    nb__offer_room(tcp, tcb);
}

/* A probe was answered: the peer lives. If the window is open the probing is over. */
static void probe_answered(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->retransmits = 0;
    if (tcb->snd_wnd == 0)
        return;
    tcb->backoff = 0;
    nb__tcb_pend(tcp, tcb);
}

/* What the acknowledgement of our FIN changes. False: the connection is over. */
static bool fin_acknowledged(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->state == NB_TCP_FIN_WAIT_1) {
        nb__tcb_set_state(tcp, tcb, NB_TCP_FIN_WAIT_2);
        nb__fin_wait_2_linger(tcp, tcb);
        return true;
    }
    if (tcb->state == NB_TCP_CLOSING)
        nb__time_wait_enter(tcp, tcb);
    else if (tcb->state == NB_TCP_LAST_ACK)
        nb__tcb_close(tcp, tcb, NB_CLOSED_NORMAL);
    return tcb->state != NB_TCP_CLOSED;
}

bool nb__ack_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!ack_plausible(tcb, seg)) {
        nb__count(tcp, NB_COUNTER_DROP_BAD_ACK);
        nb__challenge_ack(tcp, tcb);
        return false;
    }
    if (seq_gt(seg->ack, tcb->snd_una))
        nb__ack_advances(tcp, tcb, seg);
    else if (is_duplicate(tcb, seg))
        nb__duplicate_ack(tcp, tcb);
    if (tcb->state == NB_TCP_CLOSED) /* the application ended it when it was told of room */
        return false;
    if (seq_geq(seg->ack, tcb->snd_una))
        nb__window_update(tcb, seg);
    if (tcb->timers & NB_TCB_TIMER_PERSIST)
        probe_answered(tcp, tcb);
    return !nb_tcb_fin_acked(tcb) || fin_acknowledged(tcp, tcb);
}
