/* ack.c - the fifth step of segment arrival: what an acknowledgement does (RFC 9293 §3.10.7.4, RFC 5961 §5).
 *
 * In this order: is it plausible; what does it acknowledge and SACK; what does that say about round trips; what is lost
 * (loss.h); how may cwnd change; what is sent again. New data is sent when the burst ends.
 */
#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "accecn.h"
#include "core.h"
#include "ecn.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"
#include "room.h"
#include "rtt.h"

/* --- windows ---------------------------------------------------------------------------------- */

/* RFC 9293 §3.10.7.4: a segment older than the last that told a window must not take it back. True: it changed. */
bool nb__window_update(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    uint32_t window = (uint32_t)seg->window << (seg->flags & NB_TCP_SYN ? 0 : tcb->snd_scale);
    bool newer = seq_gt(seg->ack, tcb->snd_una) || seq_gt(seg->seq, tcb->snd_wl1) ||
                 (seg->seq == tcb->snd_wl1 && (window > tcb->snd_wnd || window == 0));
    if (!newer)
        return false;
    tcb->snd_wl1 = seg->seq;
    if (tcb->snd_wnd == window)
        return true;
    tcb->snd_wnd = window;
    if (tcb->txq.unsent != NB_TX_NONE)
        nb__cwnd_after_idle(tcp, tcb);
    if (window > tcb->max_snd_wnd) {
        bool bounds_mss = tcb->max_snd_wnd / 2 <= tcb->mss; /* see pmtu.c */
        tcb->max_snd_wnd = window;
        if (bounds_mss)
            nb__mss_sync(tcp, tcb);
    }
    return true;
}

/* --- what is acknowledged --------------------------------------------------------------------- */

struct acked {
    uint32_t segs;
    bool timed; /* the two below are set: something that was sent only once */
    uint64_t first_us, last_us;
    nb_seq_t reorder;
    bool whole; /* the last record was acknowledged as a whole */
};

/* Part of a record of several segments is acknowledged. Returns the segments. */
static uint32_t trim(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    uint16_t before = tx->segs;
    nb__tx_trim(tcp, tcb, tx, tcb->snd_una - tx->seq);
    return (uint32_t)(before - tx->segs);
}

static void note_acked(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, struct acked *acked,
                       struct nb_tx *tx, uint32_t segs, nb_seq_t seq, uint8_t marks)
{
    struct nb_flight *f = tcb->flight;
    if (marks & NB_TX_EVER_RETRANS) {
        ack->flags |= NB_ACK_RETRANS_ACKED;
    } else if (!(marks & NB_TX_SACKED)) {
        if (!acked->timed)
            acked->first_us = tx->sent_us;
        acked->timed = true;
        acked->last_us = tx->sent_us;
        acked->reorder = seq_min(acked->reorder, seq);
        if (seq_leq(tx->end, f->high_seq))
            ack->flags |= NB_ACK_ORIGINAL_ACKED;
    }
    if (!(marks & NB_TX_SACKED) && tcb->flags & NB_TCB_SACK) {
        nb__count_delivered(tcp, tcb, segs, ack->flags & NB_ACK_ECE);
        nb__rack_advance(tcp, tcb, marks, tx->end, tx->sent_us);
    }
    acked->segs += segs;
    nb__rate_delivered(tcb, ack, tx);
    ack->flags |= NB_ACK_DATA_ACKED;
}

/* Take a whole record out of the counts. */
static void uncount(struct nb_flight *f, const struct nb_tx *tx)
{
    f->packets_out -= tx->segs;
    if (tx->marks & NB_TX_SACKED)
        f->sacked_out -= tx->segs;
    if (tx->marks & NB_TX_RETRANS)
        f->retrans_out -= tx->segs;
    if (tx->marks & NB_TX_LOST)
        f->lost_out -= tx->segs;
}

static struct acked remove_acked(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    struct acked acked = {.reorder = tcb->snd_una, .whole = true};
    struct nb_tx *tx;
    while ((tx = nb__tx_head(tcp, tcb)) && seq_gt(tcb->snd_una, tx->seq)) {
        uint8_t marks = tx->marks;
        nb_seq_t seq = tx->seq;
        if (seq_gt(tx->end, tcb->snd_una)) {
            uint32_t segs = tx->segs > 1 ? trim(tcp, tcb, tx) : 0;
            if (segs) {
                acked.whole = false;
                note_acked(tcp, tcb, ack, &acked, tx, segs, seq, marks);
            }
            break;
        }
        uncount(tcb->flight, tx);
        note_acked(tcp, tcb, ack, &acked, tx, tx->segs, seq, marks);
        nb__tx_remove(tcp, tcb, tx);
    }
    return acked;
}

/* --- round trips ------------------------------------------------------------------------------ */

/* RFC 6298 §3, RFC 7323 §4: a segment that was sent only once, else the echo. True: the estimate changed. */
static bool take_rtt(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, int64_t seq_rtt, int64_t sack_rtt,
                     int64_t ca_rtt)
{
    const struct nb_seg *seg = ack->seg;
    if (seq_rtt < 0)
        seq_rtt = sack_rtt;
    if (seq_rtt < 0 && tcb->flags & NB_TCB_TIMESTAMPS && seg->options & NB_SEG_TIMESTAMP && seg->ts_echo &&
        ack->flags & NB_ACK_ACKED) {
        uint32_t ms = tcp->now_ms + tcb->ts_offset - seg->ts_echo;
        if (ms < tcp->settings.rto_max_us / 1000)
            seq_rtt = ca_rtt = nb__max((uint64_t)ms * 1000, 1000);
    }
    ack->rtt_us = ca_rtt;
    if (seq_rtt < 0)
        return false;
    if (!(ack->flags & NB_ACK_MAYBE_DELAYED) || (uint64_t)ca_rtt < tcb->min_rtt_us)
        nb__min_rtt_sample(tcp, tcb, (uint32_t)ca_rtt);
    nb__rtt_sample(tcp, tcb, (uint32_t)seq_rtt);
    tcb->backoff = 0;
    return true;
}

/* One small segment, acknowledged alone: the peer may have waited with the ACK. */
static bool maybe_delayed(const struct nb_tcb *tcb, const struct nb_ack *ack, const struct acked *acked)
{
    return acked->segs == 1 && acked->whole && !ack->prior_sacked && tcb->snd_una - ack->prior_una < tcb->mss &&
           ack->rate.prior_delivered + 1 == tcb->delivered && !(ack->flags & (NB_ACK_ALERT | NB_ACK_SYN_ACKED));
}

static void measure(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, const struct acked *acked)
{
    int64_t seq_rtt = -1, sack_rtt = -1, ca_rtt = -1;
    uint64_t now = tcp->now_us;
    if (acked->timed && !(ack->flags & NB_ACK_RETRANS_ACKED)) {
        seq_rtt = (int64_t)(now - acked->first_us);
        ca_rtt = (int64_t)(now - acked->last_us);
        if (maybe_delayed(tcb, ack, acked))
            ack->flags |= NB_ACK_MAYBE_DELAYED;
    }
    if (ack->sack_timed) {
        sack_rtt = (int64_t)(now - ack->first_sacked_us);
        ca_rtt = (int64_t)(now - ack->last_sacked_us);
    }
    bool updated = take_rtt(tcp, tcb, ack, seq_rtt, sack_rtt, ca_rtt);
    const struct nb_tx *head = nb__tx_head(tcp, tcb);
    /* The timer starts afresh, unless the news are of something sent later than the head: then it must not be put off
     * again and again. */
    if (ack->flags & NB_ACK_ACKED || (head && updated && sack_rtt >= 0 && sack_rtt > (int64_t)(now - head->sent_us)))
        ack->flags |= NB_ACK_SET_TIMER;
}

static void clean_queue(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    struct acked acked = remove_acked(tcp, tcb, ack);
    const struct nb_tx *head = nb__tx_head(tcp, tcb);
    nb_sendq_acked(&tcb->sendq, &tcp->send, tcb->snd_una);
    if (!head)
        nb__chrono_stop(tcp, tcb, NB_CHRONO_BUSY);
    else if (head->marks & NB_TX_SACKED)
        ack->flags |= NB_ACK_RENEGING;
    measure(tcp, tcb, ack, &acked);
    if (ack->flags & NB_ACK_ACKED) {
        if (!(tcb->flags & NB_TCB_SACK)) {
            nb__reno_sacks_remove(tcp, tcb, acked.segs, ack->flags & NB_ACK_ECE);
            if (ack->flags & NB_ACK_RETRANS_ACKED) /* then nothing is known about the rest */
                ack->flags &= ~(unsigned)NB_ACK_ORIGINAL_ACKED;
        } else if (acked.timed && seq_lt(acked.reorder, ack->prior_fack)) { /* RFC 8985 §6.2 step 3 */
            nb__check_reordering(tcp, tcb, acked.reorder);
        }
        nb__mtu_probe_acked(tcp, tcb);
    }
    if (cc->sample && ack->rtt_us >= 0 && nb_cc_matters(tcb)) {
        nb__history(tcp, tcb);
        cc->sample(tcp, tcb, (uint32_t)ack->rtt_us);
    }
}

/* --- consequences ----------------------------------------------------------------------------- */

static bool is_dubious(const struct nb_tcb *tcb, const struct nb_ack *ack)
{
    return !(ack->flags & NB_ACK_NOT_DUP) || ack->flags & NB_ACK_ALERT || tcb->recovery != NB_TCP_RECOVERY_OPEN;
}

static bool may_grow(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_ack *ack)
{
    /* On a path that reorders much, order says little. */
    bool reorders = tcb->reordering > tcp->settings.reordering;
    return ack->flags & (reorders ? NB_ACK_PROGRESS : NB_ACK_DATA_ACKED);
}

static void adjust_cwnd(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    uint32_t delivered = tcb->delivered - ack->prior_delivered;
    if (cc->control) {
        nb__history(tcp, tcb);
        cc->control(tcp, tcb, ack);
        tcb->cwnd_stamp_ms = tcp->now_ms;
        return;
    }
    if (unlikely(tcp->settings.cwnd_validation == NB_VALIDATION_PIPE_ACK))
        nb__validation_acked(tcp, tcb);
    if (nb_tcb_in_reduction(tcb)) {
        nb__reduction_step(tcb, delivered, tcb->flight->lost - ack->prior_lost, ack->flags);
    } else if (may_grow(tcp, tcb, ack)) {
        if (nb_cc_matters(tcb)) {
            nb__history(tcp, tcb);
            cc->avoid(tcp, tcb, delivered);
        }
        tcb->cwnd_stamp_ms = tcp->now_ms;
    }
}

static void send_again(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_resend resend)
{
    if (resend == NB_RESEND_NOTHING)
        return;
    if (resend == NB_RESEND_NEW) {
        nb__push(tcp, tcb, NB_NAGLE_OFF);
        if (seq_gt(tcb->snd_nxt, tcb->flight->high_seq))
            return;
        tcb->flight->frto = false;
    }
    nb__retransmit_lost(tcp, tcb);
}

static void start_timer(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    if (ack->flags & NB_ACK_SET_TIMER && !nb__probe_schedule(tcp, tcb, true))
        nb__rto_rearm(tcp, tcb);
}

/* How many duplicate ACKs this one stands for. */
static uint32_t duplicates(const struct nb_ack *ack)
{
    return !(ack->flags & (NB_ACK_ADVANCED | NB_ACK_NOT_DUP | NB_ACK_DSACK));
}

/* Data is in flight, or was until this ACK. */
static void digest(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    clean_queue(tcp, tcb, ack);
    if (unlikely(tcb->flags & NB_TCB_ECN))
        nb__accecn_feedback(tcb, ack);
    nb__rack_update_window(tcp, tcb, ack);
    nb__probe_acked(tcp, tcb, ack);
    if (is_dubious(tcb, ack))
        nb__recovery_step(tcp, tcb, ack, duplicates(ack));
    start_timer(tcp, tcb, ack);
    nb__rate_finish(tcp, tcb, ack);
    adjust_cwnd(tcp, tcb, ack);
    send_again(tcp, tcb, ack->resend);
}

/* Nothing was in flight. */
static void answer_to_probe(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    const struct nb_tx *tx = nb__tx_unsent(tcp, tcb);
    if (tcb->flight)
        tcb->flight->tlp = false;
    if (!tx || !(tcb->timers & NB_TCB_TIMER_PERSIST))
        return;
    if (seq_leq(tx->end, nb_tcb_wnd_end(tcb))) {
        tcb->backoff = 0;
        nb__history(tcp, tcb)->probes_at_ms = 0;
        nb__timer_stop(tcb, NB_TCB_TIMER_PERSIST);
    } else {
        nb__persist_start(tcp, tcb);
    }
}

static struct nb_ack ack_of(const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    const struct nb_flight *f = tcb->flight;
    return (struct nb_ack){
        .seg = seg,
        .prior_una = tcb->snd_una,
        .prior_fack = nb__fack(tcb),
        .prior_packets = f ? f->packets_out : 0,
        .prior_sacked = f ? f->sacked_out : 0,
        .prior_lost = f ? f->lost : 0,
        .prior_delivered = tcb->delivered,
        .rtt_us = -1,
    };
}

/* RFC 6675 §5 takes SACKs of ACKs from before, too: they were overtaken. */
static void old_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    struct nb_ack ack = ack_of(tcb, seg);
    if (!(seg->options & NB_SEG_SACK) || !tcb->flight)
        return;
    nb__sack_arrives(tcp, tcb, &ack);
    nb__count_delivered(tcp, tcb, ack.sack_delivered, false);
    nb__recovery_step(tcp, tcb, &ack, 0);
    send_again(tcp, tcb, ack.resend);
}

static void take_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    struct nb_ack ack = ack_of(tcb, seg);
    if (seg->payload_bytes || seg->flags & (NB_TCP_FIN | NB_TCP_SYN))
        ack.flags |= NB_ACK_DATA;
    if (nb__window_update(tcp, tcb, seg))
        ack.flags |= NB_ACK_WINDOW;
    if (seq_gt(seg->ack, tcb->snd_una)) {
        ack.flags |= NB_ACK_ADVANCED;
        tcb->retransmits = 0;
        tcb->snd_una = seg->ack;
    }
    if (nb__ecn_is_echo(tcb, seg))
        ack.flags |= NB_ACK_ECE;
    if (seg->options & NB_SEG_SACK && tcb->flags & NB_TCB_SACK) {
        nb__sack_arrives(tcp, tcb, &ack);
        nb__count_delivered(tcp, tcb, ack.sack_delivered, ack.flags & NB_ACK_ECE);
    }
    tcb->probes = 0;
    tcb->ack_received_ms = tcp->now_ms;
    if (ack.prior_packets) {
        digest(tcp, tcb, &ack);
        return;
    }
    if (unlikely(tcb->flags & NB_TCB_ECN))
        nb__accecn_feedback(tcb, &ack);
    answer_to_probe(tcp, tcb);
}

/* --- the usual step --------------------------------------------------------------------------- */

/* What nearly every ACK of a request or a response is: it acknowledges all that is in flight, which is one record that
 * was sent once, and nothing is or was unusual about this flight. */
static bool is_usual(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    const struct nb_flight *f = tcb->flight;
    const struct nb_tx *tx = nb__tx_head(tcp, tcb);
    return tx && seg->ack == tcb->snd_nxt && tx->next == tcb->txq.unsent && tx->end == seg->ack && !tx->marks &&
           !(seg->options & NB_SEG_SACK) && (tcb->flags & (NB_TCB_SACK | NB_TCB_ECN)) == NB_TCB_SACK &&
           tcb->recovery == NB_TCP_RECOVERY_OPEN && !nb__flight_is_unusual(f) && !nb_cc_controls(tcb) &&
           !tcp->settings.cwnd_validation;
}

static void grow(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t segs, uint32_t rtt_us)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    nb__history(tcp, tcb);
    if (cc->sample)
        cc->sample(tcp, tcb, rtt_us);
    cc->avoid(tcp, tcb, segs);
}

/* The same as take_ack() and settling the flight, with what is known then: nothing can be lost, SACKed or sent again,
 * and RACK's memory of the flight ends with it. */
static void take_usual(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    struct nb_tx *tx = nb__tx_head(tcp, tcb);
    uint32_t rtt_us = (uint32_t)(tcp->now_us - tx->sent_us), segs = tx->segs;
    bool small = segs == 1 && seg->ack - tcb->snd_una < tcb->mss; /* the peer may have waited with the ACK */
    nb__window_update(tcp, tcb, seg);
    tcb->snd_una = seg->ack;
    tcb->retransmits = tcb->probes = tcb->backoff = 0;
    tcb->ack_received_ms = tcp->now_ms;
    tcb->delivered += segs;
    if (!small || rtt_us < tcb->min_rtt_us)
        nb__min_rtt_sample(tcp, tcb, rtt_us);
    nb__rtt_sample(tcp, tcb, rtt_us);
    nb__rate_of_one(tcp, tcb, tx);
    nb__tx_acked_alone(tcp, tcb, tx);
    nb_sendq_acked(&tcb->sendq, &tcp->send, tcb->snd_una);
    nb__chrono_stop(tcp, tcb, NB_CHRONO_BUSY);
    tcb->flight->packets_out = 0;
    nb__timer_stop(tcb, NB_TCB_TIMERS_SEND);
    if (unlikely(nb_cc_matters(tcb)))
        grow(tcp, tcb, segs, rtt_us);
    tcb->cwnd_stamp_ms = tcp->now_ms;
    nb__flight_drop(tcp, tcb);
}

/* --- the step --------------------------------------------------------------------------------- */

void nb__ack_advances(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    nb_seq_t before = tcb->snd_una;
    if (is_usual(tcp, tcb, seg))
        take_usual(tcp, tcb, seg);
    else
        take_ack(tcp, tcb, seg);
    nb__tcb_pend(tcp, tcb);
    if (tcb->snd_una == before)
        return;
    if (tcb->flags & NB_TCB_PROGRESS)
        tcp->env.progress(tcp->env.arg, tcb);
}

/* RFC 5961 §5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. In ESTABLISHED, an ACK of what was never sent gets no
 * answer, as in Linux: two ends that disagree about that would answer each other as long as they have data. */
static bool is_plausible(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (seq_geq(seg->ack, tcb->snd_una - tcb->max_snd_wnd) && seq_leq(seg->ack, tcb->snd_nxt))
        return true;
    nb__count(tcp, NB_COUNTER_DROP_BAD_ACK);
    if (tcb->state != NB_TCP_ESTABLISHED || seq_lt(seg->ack, tcb->snd_una))
        nb__challenge_ack(tcp, tcb);
    return false;
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
    if (!is_plausible(tcp, tcb, seg))
        return false;
    nb__ts_recent_update(tcp, tcb, seg);
    if (seq_lt(seg->ack, tcb->snd_una))
        old_ack(tcp, tcb, seg);
    else
        nb__ack_advances(tcp, tcb, seg);
    nb__room_after_ack(tcp, tcb);
    nb__flight_settle(tcp, tcb);
    return !nb_tcb_fin_acked(tcb) || fin_acknowledged(tcp, tcb);
}
