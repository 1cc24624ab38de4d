/* recovery.c - the states of loss recovery and the way between them (RFC 5681 §3.2, RFC 6675 §5, RFC 5682).
 *
 *   OPEN      nothing unusual
 *   DISORDER  SACKs or duplicate ACKs arrive, nothing is believed lost yet
 *   CWR       cwnd is being reduced because of ECN or a tail loss, nothing has to be sent again
 *   RECOVERY  cwnd is being reduced and lost records are sent again
 *   LOSS      after a time-out: everything may be lost, cwnd grows anew
 *
 * CWR, RECOVERY and LOSS last until high_seq, snd_nxt at their beginning, is acknowledged, or until it turns out that
 * it was no loss (undo.c). Each ACK that is not plain progress goes through nb__recovery_step.
 */
#include "core.h"
#include "ecn.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"

void nb__recovery_set(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned state)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    if (state == NB_TCP_RECOVERY_LOSS && cc->event && tcb->history)
        cc->event(tcp, tcb, NB_CC_EVENT_LOSS);
    tcb->recovery = (uint8_t)state;
    if (tcb->flight)
        tcb->flight->resend = (struct nb_sendq_place){0};
}

void nb__count_delivered(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t segs, bool marked)
{
    tcb->delivered += segs;
    if (marked)
        nb__history(tcp, tcb)->delivered_ce += segs;
}

bool nb__any_retransmitted(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    const struct nb_tx *head = nb__tx_head(tcp, tcb);
    return tcb->flight->retrans_out || (head && head->marks & NB_TX_EVER_RETRANS);
}

/* --- duplicate ACKs in the place of SACKs ----------------------------------------------------- */

/* At least one segment must be missing for duplicates to come. True when there were more. */
static bool limit_reno_sacks(struct nb_flight *f)
{
    uint32_t holes = nb__min(nb__max(f->lost_out, 1), f->packets_out);
    if (f->sacked_out + holes <= f->packets_out)
        return false;
    f->sacked_out = f->packets_out - holes;
    return true;
}

static void check_reno_reordering(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t more)
{
    if (!limit_reno_sacks(tcb->flight))
        return;
    tcb->reordering = (uint16_t)nb__min(tcb->flight->packets_out + more, tcp->settings.max_reordering);
    nb__history(tcp, tcb)->reorderings_seen++;
}

static void reno_sacks_add(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t duplicates, bool marked)
{
    struct nb_flight *f = tcb->flight;
    if (!duplicates)
        return;
    uint32_t before = f->sacked_out;
    f->sacked_out += duplicates;
    check_reno_reordering(tcp, tcb, 0);
    if (f->sacked_out > before)
        nb__count_delivered(tcp, tcb, f->sacked_out - before, marked);
}

void nb__reno_sacks_remove(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked, bool marked)
{
    struct nb_flight *f = tcb->flight;
    if (acked > 0) { /* one filled the hole, the others had been counted as duplicates */
        nb__count_delivered(tcp, tcb, acked > f->sacked_out + 1 ? acked - f->sacked_out : 1, marked);
        f->sacked_out -= nb__min(acked - 1, f->sacked_out);
    }
    check_reno_reordering(tcp, tcb, acked);
}

void nb__reno_sacks_reset(struct nb_tcb *tcb)
{
    if (!(tcb->flags & NB_TCB_SACK))
        tcb->flight->sacked_out = 0;
}

/* --- entering --------------------------------------------------------------------------------- */

void nb__enter_recovery(struct nb_tcp *tcp, struct nb_tcb *tcb, bool by_mark)
{
    struct nb_flight *f = tcb->flight;
    f->prior_ssthresh = 0;
    nb__undo_init(tcb);
    if (!nb_tcb_in_reduction(tcb)) {
        if (!by_mark)
            f->prior_ssthresh = nb__current_ssthresh(tcb);
        nb__reduction_begin(tcp, tcb);
    }
    nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_RECOVERY);
}

void nb__enter_cwr(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->flight->prior_ssthresh = 0;
    if (tcb->recovery >= NB_TCP_RECOVERY_CWR)
        return;
    tcb->flight->undo_possible = false;
    nb__reduction_begin(tcp, tcb);
    nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_CWR);
}

/* After a time-out: what was sent lately may still arrive, the rest is taken for lost. A peer that SACKed the first
 * record and does not acknowledge it has reneged (RFC 2018 §8): then no SACK counts. */
static void mark_all_lost(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    struct nb_tx *head = nb__tx_head(tcp, tcb);
    bool reneged = head && head->marks & NB_TX_SACKED;
    f->reneged |= reneged;
    if (reneged)
        f->sacked_out = 0;
    nb__reno_sacks_reset(tcb);
    for (struct nb_tx *tx = head; tx && seq_lt(tx->seq, tcb->snd_nxt); tx = nb__tx_next(tcp, tx)) {
        if (reneged)
            tx->marks &= (uint8_t)~NB_TX_SACKED;
        else if (tx != head && tcb->flags & NB_TCB_SACK && nb__rack_remaining_us(tcp, tcb, tx, 0) > 0)
            continue;
        nb__mark_lost(tcp, tcb, tx);
    }
    f->retransmit_hint = NB_TX_NONE;
    f->n_sacks_seen = 0;
}

void nb__enter_loss(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    bool fresh = tcb->recovery < NB_TCP_RECOVERY_RECOVERY, first = !tcb->retransmits;
    mark_all_lost(tcp, tcb);
    if (tcb->recovery <= NB_TCP_RECOVERY_DISORDER || seq_leq(f->high_seq, tcb->snd_una) ||
        (tcb->recovery == NB_TCP_RECOVERY_LOSS && first)) { /* once for each window */
        f->prior_ssthresh = nb__current_ssthresh(tcb);
        f->prior_cwnd = tcb->cwnd;
        nb__history(tcp, tcb);
        tcb->ssthresh = nb_cc_of(tcb)->ssthresh(tcp, tcb);
        nb__undo_init(tcb);
    }
    tcb->cwnd = nb__in_flight(tcb) + 1;
    nb__history(tcp, tcb)->cwnd_credit = 0;
    tcb->cwnd_stamp_ms = tcp->now_ms;
    /* So many duplicates and then a time-out: reordering was overestimated. */
    if (tcb->recovery <= NB_TCP_RECOVERY_DISORDER && f->sacked_out >= tcp->settings.reordering)
        tcb->reordering = (uint16_t)nb__min(tcb->reordering, tcp->settings.reordering);
    nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_LOSS);
    f->high_seq = tcb->snd_nxt;
    f->tlp = false;
    nb__ecn_note_reduction(tcb);
    f->frto = tcp->settings.frto && (fresh || tcb->retransmits) && !f->mtu_probe_bytes; /* RFC 5682 §2.1 step 1 */
}

void nb__try_keep_open(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    bool disorder = f->sacked_out || f->lost_out || nb__any_retransmitted(tcp, tcb);
    unsigned state = disorder ? NB_TCP_RECOVERY_DISORDER : NB_TCP_RECOVERY_OPEN;
    if (tcb->recovery == state)
        return;
    nb__recovery_set(tcp, tcb, state);
    f->high_seq = tcb->snd_nxt;
}

static void try_to_open(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    if (!nb__any_retransmitted(tcp, tcb))
        tcb->flight->retrans_us = 0;
    if (ack->flags & NB_ACK_ECE)
        nb__enter_cwr(tcp, tcb);
    if (tcb->recovery != NB_TCP_RECOVERY_CWR)
        nb__try_keep_open(tcp, tcb);
}

/* --- one ACK ---------------------------------------------------------------------------------- */

static void find_losses(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    struct nb_flight *f = tcb->flight;
    if (!nb__tx_head(tcp, tcb))
        return;
    if (!(tcb->flags & NB_TCB_SACK)) {
        nb__newreno_mark_lost(tcp, tcb, ack->flags & NB_ACK_ADVANCED);
        return;
    }
    uint32_t before = f->retrans_out;
    if (nb__rack_mark_lost(tcp, tcb))
        ack->flags &= ~(unsigned)NB_ACK_SET_TIMER;
    if (before > f->retrans_out)
        ack->flags |= NB_ACK_LOST_RETRANS;
}

/* high_seq was acknowledged. True: nothing more to do with this ACK. */
static bool leave(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    if (tcb->recovery == NB_TCP_RECOVERY_CWR) { /* held until something above high_seq is acknowledged */
        if (tcb->snd_una != tcb->flight->high_seq) {
            nb__reduction_end(tcp, tcb);
            nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_OPEN);
        }
    } else if (tcb->recovery == NB_TCP_RECOVERY_RECOVERY) {
        nb__reno_sacks_reset(tcb);
        if (nb__undo_recovery(tcp, tcb, ack))
            return true;
        nb__reduction_end(tcp, tcb);
    }
    return false;
}

/* RFC 5682 §3.1 (with SACK), §2.1 (without): is the time-out spurious? True: done with this ACK. */
static bool forward_rto(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, uint32_t duplicates, bool recovered)
{
    struct nb_flight *f = tcb->flight;
    if (ack->flags & NB_ACK_ORIGINAL_ACKED && nb__undo_loss(tcp, tcb, ack, true))
        return true;
    if (seq_gt(tcb->snd_nxt, f->high_seq)) {
        if (ack->flags & NB_ACK_SACKED || duplicates)
            f->frto = false; /* step 3a: it was real */
    } else if (ack->flags & NB_ACK_ADVANCED && !recovered) {
        f->high_seq = tcb->snd_nxt;
        if (tcb->txq.unsent != NB_TX_NONE && seq_gt(nb_tcb_wnd_end(tcb), tcb->snd_nxt)) {
            ack->resend = NB_RESEND_NEW; /* step 2b */
            return true;
        }
        f->frto = false;
    }
    return false;
}

static void in_loss(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, uint32_t duplicates)
{
    struct nb_flight *f = tcb->flight;
    bool recovered = seq_geq(tcb->snd_una, f->high_seq);
    if (ack->flags & NB_ACK_ADVANCED && nb__undo_loss(tcp, tcb, ack, false))
        return;
    if (f->frto && forward_rto(tcp, tcb, ack, duplicates, recovered))
        return;
    if (recovered) {
        nb__undo_recovery(tcp, tcb, ack);
        return;
    }
    if (!(tcb->flags & NB_TCB_SACK)) {
        /* Duplicates now mean that new data of F-RTO arrives: that clocks out retransmissions. */
        if (seq_gt(tcb->snd_nxt, f->high_seq) && duplicates)
            reno_sacks_add(tcp, tcb, duplicates, ack->flags & NB_ACK_ECE);
        else if (ack->flags & NB_ACK_ADVANCED)
            nb__reno_sacks_reset(tcb);
    }
    ack->resend = NB_RESEND_LOST;
}

/* True: stay in recovery, or enter it anew. */
static bool in_recovery(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, uint32_t duplicates)
{
    if (!(ack->flags & NB_ACK_ADVANCED)) {
        if (!(tcb->flags & NB_TCB_SACK))
            reno_sacks_add(tcp, tcb, duplicates, ack->flags & NB_ACK_ECE);
    } else if (nb__undo_partial(tcp, tcb, ack)) {
        return false;
    }
    if (nb__undo_dsack(tcp, tcb))
        try_to_open(tcp, tcb, ack);
    find_losses(tcp, tcb, ack);
    if (tcb->recovery != NB_TCP_RECOVERY_RECOVERY) {
        if (!tcb->flight->lost_out)
            return false;
        nb__enter_recovery(tcp, tcb, ack->flags & NB_ACK_ECE);
    }
    return true;
}

/* OPEN, DISORDER and CWR: is it time to recover? */
static bool in_order(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, uint32_t duplicates)
{
    struct nb_flight *f = tcb->flight;
    if (!(tcb->flags & NB_TCB_SACK)) {
        if (ack->flags & NB_ACK_ADVANCED)
            nb__reno_sacks_reset(tcb);
        reno_sacks_add(tcp, tcb, duplicates, ack->flags & NB_ACK_ECE);
    }
    if (tcb->recovery <= NB_TCP_RECOVERY_DISORDER)
        nb__undo_dsack(tcp, tcb);
    find_losses(tcp, tcb, ack);
    if (!f->lost_out) {
        try_to_open(tcp, tcb, ack);
        return false;
    }
    if (tcb->recovery < NB_TCP_RECOVERY_CWR && f->mtu_probe_bytes && tcb->snd_una == f->mtu_probe_seq) {
        nb__mtu_probe_failed(tcp, tcb); /* too large, not congested */
        nb__simple_retransmit(tcp, tcb);
        return false;
    }
    nb__enter_recovery(tcp, tcb, ack->flags & NB_ACK_ECE);
    return true;
}

/* The peer SACKed the head, then acknowledged nothing beyond: it has thrown data away, or the ACK is on its way. Wait
 * for that a little (RFC 2018 §8). */
static bool check_reneging(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    if (!(ack->flags & NB_ACK_RENEGING) || !(ack->flags & NB_ACK_ADVANCED))
        return false;
    uint32_t wait_us = (uint32_t)nb__max(tcb->srtt_us >> 4, 10000);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, (uint32_t)nb__min(wait_us, tcb->rto_us));
    ack->flags &= ~(unsigned)NB_ACK_SET_TIMER;
    return true;
}

void nb__recovery_step(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, uint32_t duplicates)
{
    struct nb_flight *f = tcb->flight;
    bool resend = false;
    if (!f->packets_out && f->sacked_out)
        f->sacked_out = 0;
    if (ack->flags & NB_ACK_ECE) /* a mark is no mistake: no undo */
        f->prior_ssthresh = 0;
    if (check_reneging(tcp, tcb, ack))
        return;
    if (tcb->recovery == NB_TCP_RECOVERY_OPEN)
        f->retrans_us = f->retrans_out ? f->retrans_us : 0;
    else if (seq_geq(tcb->snd_una, f->high_seq) && leave(tcp, tcb, ack))
        return;
    if (tcb->recovery == NB_TCP_RECOVERY_RECOVERY) {
        resend = in_recovery(tcp, tcb, ack, duplicates);
    } else {
        if (tcb->recovery == NB_TCP_RECOVERY_LOSS) {
            in_loss(tcp, tcb, ack, duplicates);
            find_losses(tcp, tcb, ack);
            if (tcb->recovery != NB_TCP_RECOVERY_OPEN && !(ack->flags & NB_ACK_LOST_RETRANS))
                return;
        }
        resend = in_order(tcp, tcb, ack, duplicates);
    }
    if (resend)
        ack->resend = NB_RESEND_LOST;
}

/* --- not by congestion ------------------------------------------------------------------------ */

void nb__retransmit_uncongested(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    if (tcb->recovery != NB_TCP_RECOVERY_LOSS) { /* cwnd stays */
        f->high_seq = tcb->snd_nxt;
        tcb->ssthresh = nb__current_ssthresh(tcb);
        f->prior_ssthresh = 0;
        f->undo_possible = false;
        nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_LOSS);
    }
    nb__retransmit_lost(tcp, tcb);
}

void nb__simple_retransmit(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    if (!f)
        return;
    uint16_t mss = nb__send_mss(tcp, tcb);
    struct nb_tx *tx = nb__tx_head(tcp, tcb);
    for (; tx && seq_lt(tx->seq, tcb->snd_nxt); tx = nb__tx_next(tcp, tx)) {
        if (tx->mss > mss && nb__tx_bytes(tx) > mss)
            nb__mark_lost(tcp, tcb, tx);
    }
    if (!f->lost_out)
        return;
    f->retransmit_hint = NB_TX_NONE;
    if (!(tcb->flags & NB_TCB_SACK))
        limit_reno_sacks(f);
    nb__retransmit_uncongested(tcp, tcb);
}
