/* rack.c - RACK (RFC 8985 §6): a segment is lost when one that was sent later has been delivered and enough time has
 * passed for reordering to have shown itself.
 *
 * The window for reordering is zero until reordering was seen: then three SACKed segments (the old dupthresh) are proof
 * enough, as they always were. Afterwards it is a part of the least round trip, growing with each D-SACK that says we
 * were hasty. The list of records by time of transmission makes the search stop at the first that is too young.
 */
#include "core.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "rtt.h"

#define REORDER_MARGIN_US 2000 /* beyond the window, so that a timer's tick does not make it fire early */
#define STEPS_MAX         255
#define PERSIST_ROUNDS    16 /* RFC 8985 §6.2 step 4: so many recoveries without a D-SACK let the window shrink again */
#define STATIC_WINDOW     2  /* bits of tcp_recovery: do not adapt, */
#define NO_DUPTHRESH      4  /* and do not use the count */

static bool sent_after(uint64_t a_us, nb_seq_t a_end, uint64_t b_us, nb_seq_t b_end)
{
    return a_us > b_us || (a_us == b_us && seq_gt(a_end, b_end));
}

void nb__rack_advance(struct nb_tcp *tcp, struct nb_tcb *tcb, uint8_t marks, nb_seq_t end, uint64_t sent_us)
{
    struct nb_flight *f = tcb->flight;
    uint32_t rtt_us = (uint32_t)(tcp->now_us - sent_us);
    /* Which of its transmissions was delivered? If the last one, then faster than ever: so it was an earlier one. */
    if (rtt_us < tcb->min_rtt_us && marks & NB_TX_EVER_RETRANS)
        return;
    f->rack_advanced = true;
    f->rack_rtt_us = rtt_us;
    if (sent_after(sent_us, end, f->rack_sent_us, f->rack_end)) {
        f->rack_sent_us = sent_us;
        f->rack_end = end;
    }
}

static uint32_t window_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    if (!nb__past(tcb)->reorderings_seen) {
        if (tcb->recovery >= NB_TCP_RECOVERY_RECOVERY)
            return 0;
        if (tcb->flight->sacked_out >= tcb->reordering && !(tcp->settings.recovery & NO_DUPTHRESH))
            return 0;
    }
    return nb__min((uint64_t)(tcb->min_rtt_us >> 2) * nb__max(nb__past(tcb)->rack_steps, 1), tcb->srtt_us >> 3);
}

int64_t nb__rack_remaining_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_tx *tx,
                              uint32_t window)
{
    return (int64_t)tcb->flight->rack_rtt_us + window - (int64_t)(tcp->now_us - tx->sent_us);
}

void nb__mark_lost(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    struct nb_flight *f = tcb->flight;
    const struct nb_cc *cc = nb_cc_of(tcb);
    if (tx->marks & NB_TX_SACKED)
        return;
    uint32_t lost = f->lost;
    struct nb_tx *hint = nb__tx_at(tcp, f->retransmit_hint);
    if (!hint || seq_lt(tx->seq, hint->seq))
        f->retransmit_hint = (uint32_t)(tx - tcp->tx.records);
    if (!(tx->marks & NB_TX_LOST)) {
        tx->marks |= NB_TX_LOST;
        f->lost_out += tx->segs;
        f->lost += tx->segs;
    } else if (tx->marks & NB_TX_RETRANS) { /* lost again */
        tx->marks &= (uint8_t)~NB_TX_RETRANS;
        f->retrans_out -= tx->segs;
        f->lost += tx->segs;
    }
    if (cc->lost && f->lost != lost) {
        nb__history(tcp, tcb);
        cc->lost(tcp, tcb, tx);
    }
}

/* RFC 8985 §6.2 step 5. Returns how long until the youngest that is still waited for must be given up; 0: none is. */
static uint32_t detect(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    uint32_t window = window_us(tcp, tcb);
    int64_t wait_us = 0;
    for (struct nb_tx *tx = nb__tx_at(tcp, f->sent_head), *next; tx; tx = next) {
        next = nb__tx_at(tcp, tx->sent_next);
        if (tx->marks & NB_TX_LOST && !(tx->marks & NB_TX_RETRANS)) /* known, and not sent again yet */
            continue;
        if (!sent_after(f->rack_sent_us, f->rack_end, tx->sent_us, tx->end))
            break;
        int64_t remaining = nb__rack_remaining_us(tcp, tcb, tx, window);
        if (remaining <= 0) {
            nb__mark_lost(tcp, tcb, tx);
            nb__tx_unlist(tcp, tcb, tx);
        } else if (remaining > wait_us) {
            wait_us = remaining;
        }
    }
    return (uint32_t)wait_us;
}

bool nb__rack_mark_lost(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcb->flight->rack_advanced)
        return false;
    tcb->flight->rack_advanced = false;
    uint32_t wait_us = detect(tcp, tcb);
    if (wait_us)
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_REORDER, (uint32_t)nb__min(wait_us + REORDER_MARGIN_US, tcb->rto_us));
    return wait_us != 0;
}

void nb__reorder_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    uint32_t before = nb__in_flight(tcb), lost = f->lost;
    detect(tcp, tcb);
    if (nb__in_flight(tcb) != before) {
        if (tcb->recovery != NB_TCP_RECOVERY_RECOVERY) {
            nb__enter_recovery(tcp, tcb, false);
            if (!nb_cc_controls(tcb))
                nb__reduction_step(tcb, 1, f->lost - lost, 0);
        }
        nb__retransmit_lost(tcp, tcb);
    }
    if (!(tcb->timers & NB_TCB_TIMER_RTO))
        nb__rto_rearm(tcp, tcb);
}

/* RFC 8985 §6.2 step 4. */
void nb__rack_update_window(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    struct nb_flight *f = tcb->flight;
    if (tcp->settings.recovery & STATIC_WINDOW || !ack->rate.prior_delivered)
        return;
    if ((int32_t)(ack->rate.prior_delivered - f->rack_last_delivered) < 0) /* once a round trip */
        f->rack_dsack_seen = false;
    if (f->rack_dsack_seen) {
        struct nb_history *h = nb__history(tcp, tcb);
        h->rack_steps = (uint8_t)nb__min(nb__max(h->rack_steps, 1) + 1, STEPS_MAX);
        f->rack_dsack_seen = false;
        f->rack_last_delivered = tcb->delivered;
        h->rack_persist = PERSIST_ROUNDS;
    } else if (tcb->history && !tcb->history->rack_persist) {
        tcb->history->rack_steps = 1;
    }
}

void nb__newreno_mark_lost(struct nb_tcp *tcp, struct nb_tcb *tcb, bool advanced)
{
    struct nb_tx *tx = nb__tx_head(tcp, tcb);
    bool first = tcb->recovery < NB_TCP_RECOVERY_RECOVERY && tcb->flight->sacked_out >= tcb->reordering;
    bool partial = tcb->recovery == NB_TCP_RECOVERY_RECOVERY && advanced;
    if (!tx || (!first && !partial) || tx->marks & NB_TX_LOST)
        return;
    if (tx->segs > 1 && nb__tx_bytes(tx) > tx->mss && !nb__tx_split(tcp, tcb, tx, tx->mss, tx->mss))
        return;
    nb__mark_lost(tcp, tcb, tx);
}
