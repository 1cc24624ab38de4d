/* bbr_model.c - BBR's model of the path (draft-ietf-ccwg-bbr-06 §5.5).
 *
 * Long-term: the largest delivery rate of this and the previous cycle of probing (max_bw), the least round trip of ten
 * seconds (min_rtt), and the volume in flight beyond which a probe lost too much (inflight_longterm). Short-term, until
 * the next probe: what losses since then leave of it (bw_shortterm, inflight_shortterm), never less than what the path
 * is delivering at the moment. Beside them how much more ACKs bring at once than the rate explains (extra_acked).
 */
#include "bbr.h"

#include <assert.h>

#include "core.h"
#include "loss.h"
#include "minmax.h"

#define HEADROOM_PERCENT   15
#define MIN_RTT_FILTER_US  10000000
#define PROBE_RTT_EVERY_US 5000000
#define EXTRA_ACKED_ROUNDS 5 /* in each of two slots: the draft's ten */
#define OFFLOAD_BURSTS     3 /* being sent, on the way, being put together by the receiver */

/* --- blocks ----------------------------------------------------------------------------------- */

struct nb_bbr *nb__bbr_get(struct nb_tcp *tcp)
{
    struct nb_bbr *block = nb_block_get(&tcp->bbrs);
    assert(block); /* one for each history block */
    return block;
}

void nb__bbr_put(struct nb_tcp *tcp, struct nb_bbr *bbr)
{
    if (bbr)
        nb_block_put(&tcp->bbrs, bbr);
}

struct nb_bbr *nb__bbr(const struct nb_tcb *tcb)
{
    return tcb->history->bbr;
}

/* --- beginnings ------------------------------------------------------------------------------- */

void nb__bbr_reset_congestion_signals(struct nb_bbr *b)
{
    b->is_loss_in_round = b->is_marked_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void nb__bbr_reset_shortterm(struct nb_bbr *b)
{
    b->bw_shortterm = NB_BBR_INFINITE_RATE;
    b->inflight_shortterm = NB_BBR_INFINITE_SEGS;
}

void nb__bbr_reset_full_bw(struct nb_bbr *b)
{
    b->full_bw = 0;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

void nb__bbr_model_init(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b)
{
    *b = (struct nb_bbr){
        .min_rtt_us = tcb->min_rtt_us, /* all ones where none was measured */
        .probe_rtt_min_delay_us = tcb->min_rtt_us,
        .min_rtt_stamp_us = tcp->now_us,
        .probe_rtt_min_stamp_us = tcp->now_us,
        .extra_acked_start_us = tcp->now_us,
        .inflight_longterm = NB_BBR_INFINITE_SEGS,
        .probe_up_acked_per_inc = NB_BBR_INFINITE_SEGS,
        .next_round_delivered = tcb->delivered,
        .loss_round_delivered = tcb->delivered,
        .undo_state = NB_BBR_STATE_COUNT,
        .burst = 2,
    };
    nb__bbr_reset_shortterm(b);
}

/* --- rounds (§5.5.1) -------------------------------------------------------------------------- */

void nb__bbr_start_round(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    b->next_round_delivered = tcb->delivered;
}

static bool reached(uint32_t delivered, uint32_t mark)
{
    return (int32_t)(delivered - mark) >= 0;
}

static void update_round(const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_rate_sample *rs)
{
    b->round_start = rs->prior_us && reached(rs->prior_delivered, b->next_round_delivered);
    if (!b->round_start)
        return;
    nb__bbr_start_round(tcb, b);
    b->round_count++;
    b->rounds_since_probe_up++;
}

/* --- bandwidth (§5.5.2 to §5.5.6) ------------------------------------------------------------- */

uint64_t nb__bbr_max_bw(const struct nb_bbr *b)
{
    return nb__max(b->max_bw_filter[0], b->max_bw_filter[1]);
}

static void update_max_bw(const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_rate_sample *rs)
{
    update_round(tcb, b, rs);
    if (rs->bytes_per_s && (rs->bytes_per_s >= nb__bbr_max_bw(b) || !rs->app_limited))
        b->max_bw_filter[1] = nb__max(b->max_bw_filter[1], rs->bytes_per_s);
}

void nb__bbr_advance_max_bw_filter(struct nb_bbr *b)
{
    if (!b->max_bw_filter[1]) /* nothing was measured in this cycle: keep what is known */
        return;
    b->max_bw_filter[0] = b->max_bw_filter[1];
    b->max_bw_filter[1] = 0;
}

/* --- volumes (§5.6.4.2) ----------------------------------------------------------------------- */

uint32_t nb__bbr_bdp(const struct nb_tcb *tcb, const struct nb_bbr *b, uint64_t bw, uint32_t gain)
{
    if (b->min_rtt_us == UINT32_MAX)
        return NB_INITIAL_CWND;
    uint64_t bytes = bw * b->min_rtt_us / 1000000 * gain / 100;
    return (uint32_t)nb__min((bytes + tcb->mss - 1) / tcb->mss, NB_BBR_INFINITE_SEGS / 2);
}

uint32_t nb__bbr_quantize(const struct nb_bbr *b, uint32_t inflight)
{
    inflight = nb__max(inflight, OFFLOAD_BURSTS * b->burst);
    inflight = nb__max(inflight, NB_BBR_MIN_PIPE_CWND);
    return b->state == NB_BBR_PROBE_BW_UP ? inflight + 2 : inflight;
}

uint32_t nb__bbr_inflight(const struct nb_tcb *tcb, const struct nb_bbr *b, uint64_t bw, uint32_t gain)
{
    return nb__bbr_quantize(b, nb__bbr_bdp(tcb, b, bw, gain));
}

uint32_t nb__bbr_inflight_with_headroom(const struct nb_bbr *b)
{
    if (b->inflight_longterm == NB_BBR_INFINITE_SEGS)
        return NB_BBR_INFINITE_SEGS;
    uint32_t headroom = nb__max(1, (uint64_t)b->inflight_longterm * HEADROOM_PERCENT / 100);
    return b->inflight_longterm > headroom + NB_BBR_MIN_PIPE_CWND ? b->inflight_longterm - headroom
                                                                  : NB_BBR_MIN_PIPE_CWND;
}

uint32_t nb__bbr_target_inflight(const struct nb_tcb *tcb, const struct nb_bbr *b)
{
    return nb__min(nb__bbr_bdp(tcb, b, b->bw, 100), tcb->cwnd);
}

/* --- aggregation (§5.5.9) --------------------------------------------------------------------- */

static void next_slot(struct nb_bbr *b)
{
    b->extra_acked_rounds += b->round_start;
    if (b->extra_acked_rounds < (b->full_bw_reached ? EXTRA_ACKED_ROUNDS : 1))
        return;
    b->extra_acked_rounds = 0;
    b->extra_acked[0] = b->full_bw_reached ? b->extra_acked[1] : 0; /* in Startup one round is remembered */
    b->extra_acked[1] = 0;
}

static void update_aggregation(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b,
                               uint32_t newly_acked)
{
    uint64_t expected = b->bw * (tcp->now_us - b->extra_acked_start_us) / 1000000 / tcb->mss;
    next_slot(b);
    if (b->extra_acked_delivered <= expected) { /* the ACKs are not ahead of the rate: measure afresh */
        b->extra_acked_delivered = 0;
        b->extra_acked_start_us = tcp->now_us;
        expected = 0;
    }
    b->extra_acked_delivered += newly_acked;
    uint32_t extra = nb__min(b->extra_acked_delivered - expected, tcb->cwnd);
    b->extra_acked[1] = nb__max(b->extra_acked[1], extra);
}

/* --- losses (§5.5.10) ------------------------------------------------------------------------- */

static bool in_recovery(const struct nb_tcb *tcb)
{
    return tcb->recovery >= NB_TCP_RECOVERY_RECOVERY;
}

void nb__bbr_save_cwnd(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    bool last_known_good = !in_recovery(tcb) && b->state != NB_BBR_PROBE_RTT;
    b->prior_cwnd = last_known_good ? tcb->cwnd : nb__max(b->prior_cwnd, tcb->cwnd);
}

void nb__bbr_save_state(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    nb__bbr_save_cwnd(tcb, b);
    b->undo_state = NB_BBR_STATE_COUNT;
    b->undo_bw_shortterm = b->bw_shortterm;
    b->undo_inflight_shortterm = b->inflight_shortterm;
    b->undo_inflight_longterm = b->inflight_longterm;
}

void nb__bbr_note_loss(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    if (!b->is_loss_in_round) {
        b->loss_round_delivered = tcb->delivered;
        nb__bbr_save_state(tcb, b);
    }
    b->is_loss_in_round = true;
}

bool nb__bbr_inflight_too_high(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t lost, uint32_t tx_in_flight)
{
    if (!(tcb->flags & NB_TCB_SACK)) /* it sees one loss of a round only */
        return lost > 0;
    /* Of losses at random at just the tolerated rate a round has more or fewer by chance: three standard deviations. */
    uint64_t tolerated = (uint64_t)tx_in_flight * tcp->settings.bbr_loss_percent, is = (uint64_t)lost * 100;
    return is > tolerated && (is - tolerated) * (is - tolerated) > 9 * 100 * tolerated;
}

/* Once a round, outside probes: go down towards what is being delivered. The draft does so for any loss in the round,
 * which on a path that loses a little in each round compounds to far less than the path gives (§5.3.3.5.3 computes it);
 * here the losses must be as many as end a probe, so that both models mean the same by too much. */
static void adapt_lower_bounds(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b,
                               const struct nb_rate_sample *rs)
{
    bool too_much = b->is_marked_in_round || nb__bbr_inflight_too_high(tcp, tcb, b->lost_in_round, rs->tx_in_flight);
    if (nb__bbr_is_probing_bw(b) || !b->is_loss_in_round || !too_much)
        return;
    if (b->bw_shortterm == NB_BBR_INFINITE_RATE)
        b->bw_shortterm = nb__bbr_max_bw(b);
    if (b->inflight_shortterm == NB_BBR_INFINITE_SEGS)
        b->inflight_shortterm = tcb->cwnd;
    b->bw_shortterm = nb__max(b->bw_latest, b->bw_shortterm / 100 * NB_BBR_BETA);
    b->inflight_shortterm = nb__max(b->inflight_latest, (uint64_t)b->inflight_shortterm * NB_BBR_BETA / 100);
}

/* --- one ACK ---------------------------------------------------------------------------------- */

static void update_latest_signals(const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_rate_sample *rs)
{
    b->loss_round_start = rs->prior_us && reached(rs->prior_delivered, b->loss_round_delivered);
    b->bw_latest = nb__max(b->bw_latest, rs->bytes_per_s);
    b->inflight_latest = nb__max(b->inflight_latest, rs->delivered);
    if (b->loss_round_start)
        b->loss_round_delivered = tcb->delivered;
}

void nb__bbr_model_begin(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_ack *ack)
{
    update_latest_signals(tcb, b, &ack->rate);
    update_max_bw(tcb, b, &ack->rate);
    if (b->loss_round_start) {
        adapt_lower_bounds(tcp, tcb, b, &ack->rate);
        b->is_loss_in_round = b->is_marked_in_round = false;
    }
    update_aggregation(tcp, tcb, b, tcb->delivered - ack->prior_delivered);
}

void nb__bbr_model_end(struct nb_bbr *b, const struct nb_ack *ack)
{
    if (b->loss_round_start) {
        b->bw_latest = ack->rate.bytes_per_s;
        b->inflight_latest = ack->rate.delivered;
        b->lost_ranges = 0;
        b->lost_in_round = 0;
    }
    b->bw = nb__min(nb__bbr_max_bw(b), b->bw_shortterm);
}

/* --- the round trip (§5.3.4.3) ---------------------------------------------------------------- */

void nb__bbr_update_min_rtt(const struct nb_tcp *tcp, struct nb_bbr *b, const struct nb_ack *ack)
{
    uint64_t now = tcp->now_us;
    b->probe_rtt_expired = now > b->probe_rtt_min_stamp_us + PROBE_RTT_EVERY_US;
    bool lower = ack->rtt_us >= 0 && (uint64_t)ack->rtt_us < b->probe_rtt_min_delay_us;
    /* An ACK that the peer may have kept back is no news that the path became longer. */
    bool fresh = b->probe_rtt_expired && ack->rtt_us >= 0 && !(ack->flags & NB_ACK_MAYBE_DELAYED);
    if (lower || fresh) {
        b->probe_rtt_min_delay_us = (uint32_t)nb__max((uint64_t)ack->rtt_us, 1);
        b->probe_rtt_min_stamp_us = now;
    }
    if (b->probe_rtt_min_delay_us < b->min_rtt_us || now > b->min_rtt_stamp_us + MIN_RTT_FILTER_US) {
        b->min_rtt_us = b->probe_rtt_min_delay_us;
        b->min_rtt_stamp_us = b->probe_rtt_min_stamp_us;
    }
}
