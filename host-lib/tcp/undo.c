/* undo.c - reductions that were not deserved, and taking them back.
 *
 * Three witnesses: a timestamp echo from before the first retransmission (Eifel, RFC 3522), D-SACKs for every
 * retransmission (RFC 3708), and after a time-out the acknowledgement of data that was sent only once (F-RTO, RFC
 * 5682).
 */
#include "core.h"
#include "ecn.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"

void nb__undo_init(struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    f->undo_possible = true;
    f->undo_marker = tcb->snd_una;
    f->undo_retrans = (int32_t)f->retrans_out + (f->tlp && f->tlp_retrans);
    if (!f->undo_retrans)
        f->undo_retrans = -1; /* 0 would mean "all were spurious" */
}

/* Was nothing sent again so far? Without SACK retrans_us is cleared, too, when the state is held at high_seq (see
 * must_not_reopen). */
static bool nothing_was_sent_again(const struct nb_tcb *tcb)
{
    bool held = !(tcb->flags & NB_TCB_SACK) && seq_geq(tcb->snd_una, tcb->flight->high_seq);
    return tcb->state != NB_TCP_SYN_SENT && !held;
}

/* Does the echo come from a segment that was sent before anything was sent again? */
static bool original_arrived(const struct nb_tcb *tcb, const struct nb_ack *ack)
{
    const struct nb_flight *f = tcb->flight;
    if (!f->retrans_us)
        return nothing_was_sent_again(tcb);
    if (!(tcb->flags & NB_TCB_TIMESTAMPS) || !(ack->seg->options & NB_SEG_TIMESTAMP) || !ack->seg->ts_echo)
        return false;
    return (int32_t)(ack->seg->ts_echo - ((uint32_t)(f->retrans_us / 1000) + tcb->ts_offset)) < 0;
}

static bool may_undo(const struct nb_tcb *tcb, const struct nb_ack *ack)
{
    return tcb->flight->undo_possible && (!tcb->flight->undo_retrans || original_arrived(tcb, ack));
}

static void unmark_losses(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *tx = nb__tx_head(tcp, tcb);
    for (; tx && seq_lt(tx->seq, tcb->snd_nxt); tx = nb__tx_next(tcp, tx))
        tx->marks &= (uint8_t)~NB_TX_LOST;
    tcb->flight->lost_out = 0;
    tcb->flight->retransmit_hint = NB_TX_NONE;
}

static void take_back(struct nb_tcp *tcp, struct nb_tcb *tcb, bool unmark)
{
    struct nb_flight *f = tcb->flight;
    if (unmark)
        unmark_losses(tcp, tcb);
    if (f->prior_ssthresh) {
        nb__history(tcp, tcb);
        tcb->cwnd = nb__max(tcb->cwnd, nb_cc_of(tcb)->undo(tcb));
        if (f->prior_ssthresh > tcb->ssthresh) {
            tcb->ssthresh = f->prior_ssthresh;
            nb__ecn_withdraw_reduction(tcb);
        }
    }
    tcb->cwnd_stamp_ms = tcp->now_ms;
    f->undo_possible = false;
    f->rack_advanced = true; /* look again at what is lost */
}

static void forget_retransmissions(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!nb__any_retransmitted(tcp, tcb))
        tcb->flight->retrans_us = 0;
}

/* Without SACK a duplicate ACK for high_seq could start a false recovery: stay until something above it is acknowledged
 * (RFC 6582 §6, "avoiding multiple fast retransmits"). */
static bool must_not_reopen(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->snd_una != tcb->flight->high_seq || tcb->flags & NB_TCB_SACK)
        return false;
    forget_retransmissions(tcp, tcb);
    return true;
}

/* high_seq was reached. True: stay in this state. */
bool nb__undo_recovery(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    if (may_undo(tcb, ack))
        take_back(tcp, tcb, false);
    else if (nb__past(tcb)->rack_persist)
        tcb->history->rack_persist--;
    if (must_not_reopen(tcp, tcb))
        return true;
    nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_OPEN);
    tcb->flight->reneged = false;
    return false;
}

/* A partial ACK for what was only late. True: nothing more is to be done about it. */
bool nb__undo_partial(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    struct nb_flight *f = tcb->flight;
    if (!f->undo_possible || !original_arrived(tcb, ack))
        return false;
    nb__check_reordering(tcp, tcb, ack->prior_una);
    if (f->retrans_out) /* wait for those: clock out new data meanwhile */
        return true;
    forget_retransmissions(tcp, tcb);
    take_back(tcp, tcb, true);
    nb__try_keep_open(tcp, tcb);
    return false;
}

bool nb__undo_dsack(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    if (!f->undo_possible || f->undo_retrans)
        return false;
    struct nb_history *h = nb__history(tcp, tcb);
    h->rack_persist = (uint8_t)nb__min(16, h->rack_persist + 1u);
    take_back(tcp, tcb, false);
    return true;
}

bool nb__undo_loss(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack, bool frto)
{
    if (!frto && !may_undo(tcb, ack))
        return false;
    take_back(tcp, tcb, true);
    tcb->retransmits = 0;
    if (must_not_reopen(tcp, tcb))
        return true;
    if (frto || tcb->flags & NB_TCB_SACK) {
        nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_OPEN);
        tcb->flight->reneged = false;
    }
    return true;
}
