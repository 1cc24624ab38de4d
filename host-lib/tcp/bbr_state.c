/* bbr_state.c - BBR's states (draft-ietf-ccwg-bbr-06 §5.3).
 *
 *   STARTUP ──► DRAIN ──► PROBE_BW: DOWN ──► CRUISE ──► REFILL ──► UP ──► DOWN …
 *      ▲                               any of them ──► PROBE_RTT ──► CRUISE, or STARTUP
 *
 * Startup doubles the rate each round until it no longer helps or too much is lost; Drain empties the queue that this
 * made. Then cycles of two to three seconds: DOWN leaves room for others, CRUISE keeps what there is, REFILL fills the
 * pipe for a round, UP sends a quarter faster, until the rate no longer grows or more than 2 % are lost. Every five
 * seconds without a low round trip ProbeRTT goes down to half a window for a moment, to see how short it is.
 */
#include "bbr.h"
#include "core.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"

#define FULL_BW_GROWTH          125 /* percent that a round must bring, */
#define FULL_BW_ROUNDS          3   /* or so many of them end the search */
#define STARTUP_FULL_LOSS_COUNT 6   /* ranges lost in a round */
#define DRAIN_ROUNDS            3
#define RENO_ROUNDS_MAX         63 /* probe as often as Reno would on a short path */
#define PROBE_WAIT_US           2000000
#define PROBE_WAIT_RANDOM_US    1000000
#define PROBE_RTT_DURATION_US   200000
#define UP_ROUNDS_MAX           30 /* of growth that doubles */

static const struct {
    uint16_t pacing, cwnd;
} gains[NB_BBR_STATE_COUNT] = {
    [NB_BBR_STARTUP] = {277, 200},         [NB_BBR_DRAIN] = {50, 200},
    [NB_BBR_PROBE_BW_DOWN] = {90, 200},    [NB_BBR_PROBE_BW_CRUISE] = {100, 200},
    [NB_BBR_PROBE_BW_REFILL] = {100, 200}, [NB_BBR_PROBE_BW_UP] = {125, 225},
    [NB_BBR_PROBE_RTT] = {100, 50},
};

uint32_t nb__bbr_pacing_gain(const struct nb_bbr *b)
{
    return gains[b->state].pacing;
}

uint32_t nb__bbr_cwnd_gain(const struct nb_bbr *b)
{
    return gains[b->state].cwnd;
}

bool nb__bbr_is_probe_bw(const struct nb_bbr *b)
{
    return b->state >= NB_BBR_PROBE_BW_DOWN && b->state <= NB_BBR_PROBE_BW_UP;
}

bool nb__bbr_is_probing_bw(const struct nb_bbr *b)
{
    return b->state == NB_BBR_STARTUP || b->state == NB_BBR_PROBE_BW_REFILL || b->state == NB_BBR_PROBE_BW_UP;
}

/* --- Startup and Drain ------------------------------------------------------------------------ */

void nb__bbr_enter_startup(struct nb_bbr *b)
{
    b->state = NB_BBR_STARTUP;
}

/* §5.3.1.2: three rounds that bring little. */
static void check_full_bw(struct nb_bbr *b, const struct nb_rate_sample *rs)
{
    if (b->full_bw_now || !b->round_start || rs->app_limited)
        return;
    if (rs->bytes_per_s >= b->full_bw / 100 * FULL_BW_GROWTH) {
        nb__bbr_reset_full_bw(b);
        b->full_bw = rs->bytes_per_s;
        return;
    }
    b->full_bw_count++;
    b->full_bw_now = b->full_bw_count >= FULL_BW_ROUNDS;
    b->full_bw_reached |= b->full_bw_now;
}

/* §5.3.1.3. Without SACK a round shows one loss at most, and that is enough. */
static bool startup_loses_much(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_bbr *b,
                               const struct nb_rate_sample *rs)
{
    if (tcb->recovery != NB_TCP_RECOVERY_RECOVERY)
        return false;
    if (!(tcb->flags & NB_TCB_SACK))
        return b->is_loss_in_round;
    return b->loss_round_start && b->lost_ranges >= STARTUP_FULL_LOSS_COUNT &&
           nb__bbr_inflight_too_high(tcp, tcb, rs->lost, rs->tx_in_flight);
}

static void check_startup_done(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b,
                               const struct nb_rate_sample *rs)
{
    if (b->state != NB_BBR_STARTUP)
        return;
    if (!b->full_bw_reached && startup_loses_much(tcp, tcb, b, rs)) {
        b->undo_state = NB_BBR_STARTUP;
        b->full_bw_reached = true;
        b->inflight_longterm = nb__max(nb__bbr_bdp(tcb, b, b->bw, 100), b->inflight_latest);
    }
    if (b->full_bw_reached) {
        b->state = NB_BBR_DRAIN;
        b->drain_start_round = b->round_count;
    }
}

/* --- ProbeBW (§5.3.3) ------------------------------------------------------------------------- */

/* Not alike for connections that began together; it is no secret. */
static uint32_t random_below(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t n)
{
    uint64_t mixed = (tcp->now_us ^ (uint64_t)nb_tcb_iss(tcb) << 20 ^ tcb->id) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)((mixed >> 32) * n >> 32);
}

static void start_down(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b)
{
    nb__bbr_reset_congestion_signals(b);
    b->probe_up_acked_per_inc = NB_BBR_INFINITE_SEGS;
    b->rounds_since_probe_up = random_below(tcp, tcb, 2);
    b->bw_probe_wait_us = PROBE_WAIT_US + random_below(tcp, tcb, PROBE_WAIT_RANDOM_US);
    b->cycle_stamp_us = tcp->now_us;
    b->ack_phase = NB_BBR_ACKS_PROBE_STOPPING;
    nb__bbr_start_round(tcb, b);
    b->state = NB_BBR_PROBE_BW_DOWN;
}

static void start_refill(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    nb__bbr_reset_shortterm(b);
    b->bw_probe_up_rounds = 0;
    b->bw_probe_up_acked = 0;
    b->prev_probe_precautionary = false;
    b->ack_phase = NB_BBR_ACKS_REFILLING;
    nb__bbr_start_round(tcb, b);
    b->state = NB_BBR_PROBE_BW_REFILL;
}

/* inflight_longterm grows by 1, 2, 4 … segments a round. */
static void raise_slope(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    uint32_t growth = 1u << b->bw_probe_up_rounds;
    b->bw_probe_up_rounds = (uint8_t)nb__min(b->bw_probe_up_rounds + 1u, UP_ROUNDS_MAX);
    b->probe_up_acked_per_inc = nb__max(tcb->cwnd / growth, 1);
}

static void start_up(const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_rate_sample *rs)
{
    b->ack_phase = NB_BBR_ACKS_PROBE_STARTING;
    nb__bbr_start_round(tcb, b);
    nb__bbr_reset_full_bw(b);
    b->full_bw = rs->bytes_per_s;
    b->state = NB_BBR_PROBE_BW_UP;
    raise_slope(tcb, b);
}

/* Up to a burst, which may wait when it does not fit what is left of cwnd. */
static bool uses_all_of_longterm(const struct nb_tcb *tcb, const struct nb_bbr *b)
{
    const struct nb_flight *f = tcb->flight;
    bool limited = f && (f->cwnd_limited || (uint64_t)f->max_packets_out + b->burst > tcb->cwnd);
    return limited && tcb->cwnd >= b->inflight_longterm;
}

static void probe_longterm_upward(const struct nb_tcb *tcb, struct nb_bbr *b, uint32_t newly_acked)
{
    if (!uses_all_of_longterm(tcb, b))
        return;
    b->bw_probe_up_acked += newly_acked;
    if (b->bw_probe_up_acked >= b->probe_up_acked_per_inc) {
        uint32_t delta = b->bw_probe_up_acked / b->probe_up_acked_per_inc;
        b->bw_probe_up_acked -= delta * b->probe_up_acked_per_inc;
        b->inflight_longterm = nb__min((uint64_t)b->inflight_longterm + delta, NB_BBR_INFINITE_SEGS - 1);
    }
    if (b->round_start)
        raise_slope(tcb, b);
}

void nb__bbr_handle_inflight_too_high(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b,
                                      uint32_t tx_in_flight, bool app_limited)
{
    b->prev_probe_too_high = true;
    b->is_bw_probe_sample = false; /* one answer to a probe */
    if (!app_limited) {
        uint64_t least = (uint64_t)nb__bbr_target_inflight(tcb, b) * NB_BBR_BETA / 100;
        b->inflight_longterm = nb__max(tx_in_flight, least);
    }
    if (b->state == NB_BBR_PROBE_BW_UP) {
        b->undo_state = NB_BBR_PROBE_BW_UP;
        start_down(tcp, tcb, b);
    }
}

/* The samples of a probe come to their end: true when that began the next one at once. */
static bool probe_samples_end(const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_rate_sample *rs)
{
    b->is_bw_probe_sample = false;
    b->ack_phase = NB_BBR_ACKS_INIT;
    if (!nb__bbr_is_probe_bw(b))
        return false;
    if (!rs->app_limited)
        nb__bbr_advance_max_bw_filter(b);
    if (!b->prev_probe_precautionary || b->prev_probe_too_high)
        return false;
    start_refill(tcb, b); /* the cautious probe went well: now a real one */
    return true;
}

static bool adapt_longterm(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b,
                           const struct nb_ack *ack)
{
    const struct nb_rate_sample *rs = &ack->rate;
    if (b->ack_phase == NB_BBR_ACKS_PROBE_STARTING && b->round_start)
        b->ack_phase = NB_BBR_ACKS_PROBE_FEEDBACK;
    if (b->ack_phase == NB_BBR_ACKS_PROBE_STOPPING && b->round_start && probe_samples_end(tcb, b, rs))
        return true;
    if (b->inflight_longterm == NB_BBR_INFINITE_SEGS || nb__bbr_inflight_too_high(tcp, tcb, rs->lost, rs->tx_in_flight))
        return false;
    b->inflight_longterm = nb__max(b->inflight_longterm, rs->tx_in_flight);
    if (b->state == NB_BBR_PROBE_BW_UP)
        probe_longterm_upward(tcb, b, tcb->delivered - ack->prior_delivered);
    return false;
}

static bool probe_if_it_is_time(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b)
{
    bool by_time = tcp->now_us > b->cycle_stamp_us + b->bw_probe_wait_us;
    bool as_reno = b->rounds_since_probe_up >= nb__min(nb__bbr_target_inflight(tcb, b), RENO_ROUNDS_MAX);
    if (by_time || as_reno)
        start_refill(tcb, b);
    return by_time || as_reno;
}

static bool is_time_to_cruise(const struct nb_tcb *tcb, const struct nb_bbr *b)
{
    uint32_t out = nb__in_flight(tcb);
    return out <= nb__bbr_inflight_with_headroom(b) && out <= nb__bbr_inflight(tcb, b, nb__bbr_max_bw(b), 100);
}

static bool is_time_to_go_down(const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_ack *ack)
{
    /* Before this ACK: cwnd ends at the bound, and a burst that does not fit below it may wait. */
    uint64_t before = (uint64_t)nb__in_flight(tcb) + tcb->delivered - ack->prior_delivered;
    if (b->prev_probe_too_high && before + b->burst > b->inflight_longterm) {
        b->prev_probe_precautionary = true;
        return true;
    }
    if (uses_all_of_longterm(tcb, b)) { /* that limits the rate, not the path */
        nb__bbr_reset_full_bw(b);
        b->full_bw = ack->rate.bytes_per_s;
        return false;
    }
    return b->full_bw_now;
}

static void update_cycle(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_ack *ack)
{
    if (!b->full_bw_reached || adapt_longterm(tcp, tcb, b, ack))
        return;
    switch ((enum nb_bbr_state)b->state) {
    case NB_BBR_PROBE_BW_DOWN:
        if (!probe_if_it_is_time(tcp, tcb, b) && is_time_to_cruise(tcb, b))
            b->state = NB_BBR_PROBE_BW_CRUISE;
        break;
    case NB_BBR_PROBE_BW_CRUISE:
        probe_if_it_is_time(tcp, tcb, b);
        break;
    case NB_BBR_PROBE_BW_REFILL:
        if (b->round_start) {
            b->is_bw_probe_sample = true;
            start_up(tcb, b, &ack->rate);
        }
        break;
    case NB_BBR_PROBE_BW_UP:
        if (is_time_to_go_down(tcb, b, ack)) {
            b->prev_probe_too_high = false;
            start_down(tcp, tcb, b);
        }
        break;
    case NB_BBR_STARTUP:
    case NB_BBR_DRAIN:
    case NB_BBR_PROBE_RTT:
    case NB_BBR_STATE_COUNT:
        break;
    }
}

static void check_drain_done(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b)
{
    if (b->state != NB_BBR_DRAIN)
        return;
    bool empty = nb__in_flight(tcb) <= nb__bbr_inflight(tcb, b, b->bw, 100);
    if (empty || b->round_count > b->drain_start_round + DRAIN_ROUNDS)
        start_down(tcp, tcb, b);
}

/* --- ProbeRTT (§5.3.4) ------------------------------------------------------------------------ */

static void exit_probe_rtt(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b)
{
    nb__bbr_reset_shortterm(b);
    if (!b->full_bw_reached) {
        nb__bbr_enter_startup(b);
        return;
    }
    start_down(tcp, tcb, b);           /* the clock of probing begins anew, */
    b->state = NB_BBR_PROBE_BW_CRUISE; /* and there is room already */
}

void nb__bbr_check_probe_rtt_done(const struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_bbr *b)
{
    if (!b->probe_rtt_done_us || tcp->now_us <= b->probe_rtt_done_us)
        return;
    b->probe_rtt_min_stamp_us = tcp->now_us;
    tcb->cwnd = nb__max(tcb->cwnd, b->prior_cwnd);
    exit_probe_rtt(tcp, tcb, b);
}

static void in_probe_rtt(const struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_bbr *b)
{
    uint32_t low = nb__max(nb__bbr_bdp(tcb, b, b->bw, nb__bbr_cwnd_gain(b)), NB_BBR_MIN_PIPE_CWND);
    uint32_t out = nb__in_flight(tcb);
    if (tcb->flight)
        tcb->flight->app_limited = nb__max(tcb->delivered + out, 1); /* rates measured now mean little */
    if (!b->probe_rtt_done_us) {
        if (out > low)
            return;
        b->probe_rtt_done_us = tcp->now_us + PROBE_RTT_DURATION_US;
        b->probe_rtt_round_done = false;
        nb__bbr_start_round(tcb, b);
        return;
    }
    b->probe_rtt_round_done |= b->round_start;
    if (b->probe_rtt_round_done)
        nb__bbr_check_probe_rtt_done(tcp, tcb, b);
}

static void check_probe_rtt(const struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_bbr *b)
{
    if (b->state != NB_BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        nb__bbr_save_cwnd(tcb, b);
        b->state = NB_BBR_PROBE_RTT;
        b->probe_rtt_done_us = 0;
        b->ack_phase = NB_BBR_ACKS_PROBE_STOPPING;
        nb__bbr_start_round(tcb, b);
    }
    if (b->state == NB_BBR_PROBE_RTT)
        in_probe_rtt(tcp, tcb, b);
}

/* --- all of them ------------------------------------------------------------------------------ */

void nb__bbr_update_state(const struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_ack *ack)
{
    check_full_bw(b, &ack->rate);
    check_startup_done(tcp, tcb, b, &ack->rate);
    check_drain_done(tcp, tcb, b);
    update_cycle(tcp, tcb, b, ack);
    nb__bbr_update_min_rtt(tcp, b, ack);
    check_probe_rtt(tcp, tcb, b);
    if (ack->rate.delivered)
        b->idle_restart = false;
}

/* §5.5.11.2: nothing was lost after all. */
void nb__bbr_handle_spurious_loss(const struct nb_tcb *tcb, struct nb_bbr *b)
{
    b->is_loss_in_round = false;
    nb__bbr_reset_full_bw(b);
    b->bw_shortterm = nb__max(b->bw_shortterm, b->undo_bw_shortterm);
    b->inflight_shortterm = nb__max(b->inflight_shortterm, b->undo_inflight_shortterm);
    b->inflight_longterm = nb__max(b->inflight_longterm, b->undo_inflight_longterm);
    if (b->undo_state == NB_BBR_STARTUP && b->state != NB_BBR_STARTUP) {
        b->full_bw_reached = false;
        if (b->state != NB_BBR_PROBE_RTT)
            nb__bbr_enter_startup(b);
    } else if (b->undo_state == NB_BBR_PROBE_BW_UP && b->state != NB_BBR_PROBE_BW_UP) {
        if (b->state != NB_BBR_PROBE_RTT)
            start_refill(tcb, b);
    }
    b->undo_state = NB_BBR_STATE_COUNT;
}
