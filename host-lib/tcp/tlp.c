/* tlp.c - tail loss probes (RFC 8985 §7): when no ACK comes for two round trips, a segment is sent that makes the peer
 * answer, so that a loss at the end of a flight is repaired by fast recovery instead of a time-out.
 */
#include "core.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"
#include "rtt.h"

#define PROBE_MARGIN_US 2000 /* beyond two round trips, when more than one segment is out */

/* How long the RTO has still to run, counted from when the oldest data was sent. */
static int64_t rto_remaining_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    const struct nb_tx *head = nb__tx_head(tcp, tcb);
    return head ? (int64_t)(head->sent_us + tcb->rto_us) - (int64_t)tcp->now_us : 0;
}

/* RFC 8985 §7.2. */
bool nb__probe_schedule(struct nb_tcp *tcp, struct nb_tcb *tcb, bool advancing_rto)
{
    bool enabled = tcp->settings.early_retrans == 3 || tcp->settings.early_retrans == 4;
    bool calm = tcb->recovery == NB_TCP_RECOVERY_OPEN || tcb->recovery == NB_TCP_RECOVERY_CWR;
    if (!enabled || !nb__packets_out(tcb) || !(tcb->flags & NB_TCB_SACK) || !calm || tcb->flags & NB_TCB_FASTOPEN)
        return false;
    uint64_t after_us = NB_RTO_INITIAL_US;
    if (tcb->srtt_us) /* a lone segment's ACK may be delayed by the peer */
        after_us = (tcb->srtt_us >> 2) + (tcb->flight->packets_out == 1 ? tcp->settings.rto_min_us : PROBE_MARGIN_US);
    int64_t rto_us = advancing_rto ? tcb->rto_us : rto_remaining_us(tcp, tcb);
    if (rto_us > 0)
        after_us = nb__min(after_us, (uint64_t)rto_us);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_PROBE, (uint32_t)after_us);
    return true;
}

/* The last segment in flight again. */
static bool resend_last(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *tx = nb__tx_last(tcp, tcb);
    uint16_t mss = nb__send_mss(tcp, tcb);
    uint32_t before = tx->segs > 1 ? (uint32_t)(tx->segs - 1) * mss : 0;
    if (before && nb__tx_bytes(tx) > before) {
        if (!nb__tx_split(tcp, tcb, tx, before, mss))
            return false;
        tx = nb__tx_next(tcp, tx);
    }
    return nb__resend(tcp, tcb, tx, 1);
}

/* RFC 8985 §7.3: new data if there is any, else the last segment again. */
static bool send_probe(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *unsent = nb__tx_unsent(tcp, tcb);
    uint16_t mss = nb__send_mss(tcp, tcb);
    if (unsent && seq_leq(unsent->seq + nb__min(nb__tx_bytes(unsent), mss), nb_tcb_wnd_end(tcb))) {
        uint32_t before = tcb->flight->packets_out;
        nb__send_queued(tcp, tcb, NB_NAGLE_OFF, NB_SEND_PROBE);
        return tcb->flight->packets_out > before;
    }
    if (!resend_last(tcp, tcb))
        return false;
    nb__count(tcp, NB_COUNTER_LOSS_PROBES);
    tcb->flight->tlp_retrans = true;
    return true;
}

/* Frames wait at the port: what we want to probe for may be among them, and the probe would wait behind it. True: the
 * silence is ours, we ask again, until it is time for the time-out. */
static bool is_our_silence(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcp->env.backlogged || !tcp->env.backlogged(tcp->env.arg, &tcb->flow.key))
        return false;
    int64_t left_us = rto_remaining_us(tcp, tcb);
    if (left_us > PROBE_MARGIN_US)
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_PROBE, PROBE_MARGIN_US);
    else
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, left_us > 0 ? (uint32_t)left_us : 1);
    return true;
}

void nb__probe_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    if (is_our_silence(tcp, tcb))
        return;
    if (!f->tlp) { /* one at a time */
        f->tlp_retrans = false;
        if (send_probe(tcp, tcb)) {
            f->tlp = true;
            f->tlp_high_seq = tcb->snd_nxt;
            nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, tcb->rto_us);
            return;
        }
    }
    nb__rto_rearm(tcp, tcb);
}

/* RFC 8985 §7.4: did the probe repair a loss? Then that was one, and cwnd has to answer for it. */
void nb__probe_acked(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    struct nb_flight *f = tcb->flight;
    if (!f->tlp || seq_lt(ack->seg->ack, f->tlp_high_seq))
        return;
    if (!f->tlp_retrans || ack->flags & NB_ACK_DSACK_PROBE) {
        f->tlp = false;
    } else if (seq_gt(ack->seg->ack, f->tlp_high_seq)) {
        nb__reduction_begin(tcp, tcb);
        nb__recovery_set(tcp, tcb, NB_TCP_RECOVERY_CWR);
        nb__reduction_end(tcp, tcb);
        nb__try_keep_open(tcp, tcb);
    } else if (!(ack->flags & (NB_ACK_ADVANCED | NB_ACK_NOT_DUP | NB_ACK_SACKED))) {
        f->tlp = false; /* a bare duplicate: original and probe both arrived */
    }
}
