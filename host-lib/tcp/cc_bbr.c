/* cc_bbr.c - BBR (draft-ietf-ccwg-bbr-06) as a congestion control: the calls, and what its model means for the pacing
 * rate, the bursts and cwnd (§5.6). bbr.h says where the rest is.
 *
 * Theory of operation. Where others react to a loss, BBR measures: each ACK brings a sample of the delivery rate
 * (rate.c) and of the round trip. It sends at the rate that the path was seen to deliver, paced, and keeps about twice
 * rate times least round trip in flight at most. Losses count when they are many: they bound what is in flight (2 % of
 * a probe), and until the next probe the rate. cwnd is set here in recovery, too, in the place of PRR.
 */
#include "bbr.h"
#include "cc.h"
#include "core.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"

#define PACING_MARGIN_PERCENT 1
#define BURST_US              1000
#define BURST_BYTES_MAX       65536
#define BURST_SEGS_MIN        2
#define FIRST_RTT_US          1000 /* of a path that was not measured */

/* --- what follows from the model (§5.6) ------------------------------------------------------- */

static void set_pacing_rate(struct nb_bbr *b, uint32_t gain)
{
    uint64_t rate = b->bw / 100 * gain / 100 * (100 - PACING_MARGIN_PERCENT);
    if (b->full_bw_reached || rate > b->pacing_rate)
        b->pacing_rate = rate;
}

/* §5.6.3: a millisecond's worth. Where the whole path holds little more than that, a part of what it holds, so that a
 * burst does not overflow a buffer of that size. */
static void set_burst(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    uint64_t bytes = nb__min(b->pacing_rate / (1000000 / BURST_US), BURST_BYTES_MAX);
    if (b->min_rtt_us != UINT32_MAX)
        bytes = nb__min(bytes, b->bw * b->min_rtt_us / 1000000 / NB_BBR_BURSTS_PER_BDP);
    b->burst = (uint32_t)nb__max(bytes / tcb->mss, BURST_SEGS_MIN);
}

static uint32_t max_inflight(const struct nb_tcb *tcb, const struct nb_bbr *b)
{
    uint32_t inflight = nb__bbr_bdp(tcb, b, b->bw, nb__bbr_cwnd_gain(b));
    return nb__bbr_quantize(b, inflight + (uint32_t)nb__max(b->extra_acked[0], b->extra_acked[1]));
}

/* §5.6.4.7: the volume that losses have shown to be too much. */
static uint32_t model_bound(const struct nb_bbr *b)
{
    uint32_t cap = NB_BBR_INFINITE_SEGS;
    if (b->state == NB_BBR_PROBE_RTT || b->state == NB_BBR_PROBE_BW_CRUISE)
        cap = nb__bbr_inflight_with_headroom(b);
    else if (nb__bbr_is_probe_bw(b))
        cap = b->inflight_longterm;
    return nb__max(nb__min(cap, b->inflight_shortterm), NB_BBR_MIN_PIPE_CWND);
}

static void set_cwnd(struct nb_tcb *tcb, const struct nb_bbr *b, uint32_t newly_acked)
{
    uint32_t most = max_inflight(tcb, b), cwnd = tcb->cwnd;
    if (b->full_bw_reached)
        cwnd = nb__min((uint64_t)cwnd + newly_acked, most);
    else if (cwnd < most || tcb->delivered < NB_INITIAL_CWND)
        cwnd += newly_acked;
    cwnd = nb__max(cwnd, NB_BBR_MIN_PIPE_CWND);
    if (b->state == NB_BBR_PROBE_RTT)
        cwnd = nb__min(cwnd, nb__max(nb__bbr_bdp(tcb, b, b->bw, nb__bbr_cwnd_gain(b)), NB_BBR_MIN_PIPE_CWND));
    tcb->cwnd = nb__min(cwnd, model_bound(b));
}

/* --- the calls -------------------------------------------------------------------------------- */

static void start(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_history *h = tcb->history;
    if (!h->bbr)
        h->bbr = nb__bbr_get(tcp);
    nb__bbr_model_init(tcp, tcb, h->bbr);
    uint32_t rtt_us = tcb->srtt_us ? (uint32_t)nb__max(tcb->srtt_us >> 3, 1) : FIRST_RTT_US;
    h->bbr->bw = (uint64_t)nb__max(tcb->cwnd, NB_INITIAL_CWND) * tcb->mss * 1000000 / rtt_us;
    set_pacing_rate(h->bbr, nb__bbr_pacing_gain(h->bbr));
    h->bbr->bw = 0; /* nominal, not measured */
}

/* §5.6.4.4: when loss recovery ends, cwnd is again what it was; what the losses mean is in the model. */
static void leave_recovery(struct nb_tcb *tcb, struct nb_bbr *b)
{
    bool in_recovery = tcb->recovery >= NB_TCP_RECOVERY_RECOVERY;
    if (b->in_recovery && !in_recovery)
        tcb->cwnd = nb__max(tcb->cwnd, b->prior_cwnd);
    b->in_recovery = in_recovery;
}

/* A mark is a loss that did not happen: RFC 3168, and RFC 8311 for what the draft leaves open. */
static void take_mark(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_ack *ack)
{
    nb__bbr_note_loss(tcb, b);
    b->is_marked_in_round = true;
    if (b->is_bw_probe_sample && ack->rate.prior_us)
        nb__bbr_handle_inflight_too_high(tcp, tcb, b, ack->rate.tx_in_flight, ack->rate.app_limited);
}

static void control(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack)
{
    struct nb_bbr *b = nb__bbr(tcb);
    leave_recovery(tcb, b);
    if (ack->flags & NB_ACK_ECE)
        take_mark(tcp, tcb, b, ack);
    nb__bbr_model_begin(tcp, tcb, b, ack);
    nb__bbr_update_state(tcp, tcb, b, ack);
    nb__bbr_model_end(b, ack);
    set_pacing_rate(b, nb__bbr_pacing_gain(b));
    set_burst(tcb, b);
    set_cwnd(tcb, b, tcb->delivered - ack->prior_delivered);
}

/* §5.5.10.2: within a burst, where did losses become too many? Solve (lost_prev + x) / (inflight_prev + x) = percent.
 */
static uint32_t inflight_at_loss(const struct nb_tx *tx, uint32_t lost, uint32_t percent)
{
    int64_t inflight_prev = (int64_t)tx->in_flight - tx->segs, lost_prev = (int64_t)lost - tx->segs;
    int64_t prefix = (percent * inflight_prev - 100 * lost_prev) / (100 - percent);
    return (uint32_t)(inflight_prev > 0 ? inflight_prev + (prefix > 0 ? prefix : 0) : 0);
}

/* Ranges are counted as RS.lost counts segments: the loss that a round begins with lies before it. */
static void count_range(struct nb_bbr *b, const struct nb_tx *tx)
{
    bool is_new = !b->lost_ranges || tx->seq != b->lost_end;
    if (b->is_loss_in_round && is_new && b->lost_ranges < UINT8_MAX)
        b->lost_ranges++;
    b->lost_end = tx->end;
}

static void lost(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_tx *tx)
{
    struct nb_bbr *b = nb__bbr(tcb);
    count_range(b, tx);
    nb__bbr_note_loss(tcb, b);
    b->lost_in_round += tx->segs;
    uint32_t since = tcb->flight->lost - tx->lost;
    if (b->is_bw_probe_sample && nb__bbr_inflight_too_high(tcp, tcb, since, tx->in_flight))
        nb__bbr_handle_inflight_too_high(tcp, tcb, b, inflight_at_loss(tx, since, tcp->settings.bbr_loss_percent),
                                         tx->app_limited);
}

/* A reduction begins, which for us is none; nor has ssthresh a meaning. */
static uint32_t ssthresh(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_bbr *b = nb__bbr(tcb);
    (void)tcp;
    if (b->is_loss_in_round) /* saved when the loss was noted; what it changed since is what an undo restores */
        nb__bbr_save_cwnd(tcb, b);
    else
        nb__bbr_save_state(tcb, b);
    return tcb->ssthresh;
}

static uint32_t undo(struct nb_tcb *tcb)
{
    struct nb_bbr *b = nb__bbr(tcb);
    nb__bbr_handle_spurious_loss(tcb, b);
    return nb__max(tcb->cwnd, b->prior_cwnd);
}

/* §5.4: something is sent again after the application had nothing to send. */
static void restart_from_idle(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_bbr *b = nb__bbr(tcb);
    if (nb__packets_out(tcb))
        return;
    tcb->flight->app_limited = nb__max(tcb->delivered, 1);
    b->idle_restart = true;
    b->extra_acked_start_us = tcp->now_us;
    b->extra_acked_delivered = 0;
    if (nb__bbr_is_probe_bw(b))
        set_pacing_rate(b, 100);
    else if (b->state == NB_BBR_PROBE_RTT)
        nb__bbr_check_probe_rtt_done(tcp, tcb, b);
}

static void event(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_cc_event e)
{
    if (e == NB_CC_EVENT_TX_START)
        restart_from_idle(tcp, tcb);
}

static uint32_t burst_segs(const struct nb_tcb *tcb)
{
    return nb__bbr(tcb)->burst;
}

const struct nb_cc nb_cc_bbr = {.name = "bbr",
                                .start = start,
                                .control = control,
                                .lost = lost,
                                .ssthresh = ssthresh,
                                .undo = undo,
                                .event = event,
                                .burst_segs = burst_segs};
