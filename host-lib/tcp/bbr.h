/* bbr.h - BBR (draft-ietf-ccwg-bbr-06, version 3 of the algorithm): its model of the path, and what its files call in
 * each other.
 *
 *   cc_bbr.c      the table of calls; what follows from the model: pacing rate, burst, cwnd (draft §5.6)
 *   bbr_model.c   what the path carries: bandwidth, round trip, aggregation, and what losses say of it (§5.5)
 *   bbr_state.c   the states and the way between them: Startup, Drain, ProbeBW, ProbeRTT (§5.3)
 *
 * A connection that uses BBR has one block from the worker's pool, with its history block and as long as that. The
 * draft's names are kept. Rates are bytes a second, volumes segments, as cwnd is; gains are percent.
 */
#ifndef NB_TCP_BBR_H
#define NB_TCP_BBR_H

#include <stdbool.h>
#include <stdint.h>

#include "seq.h"

struct nb_ack;
struct nb_tcb;
struct nb_tcp;
struct nb_tx;

#define NB_BBR_MIN_PIPE_CWND  4
#define NB_BBR_BETA           70 /* percent that a round with losses leaves of the short-term model */
#define NB_BBR_INFINITE_RATE  UINT64_MAX
#define NB_BBR_INFINITE_SEGS  UINT32_MAX
#define NB_BBR_BURSTS_PER_BDP 4

enum nb_bbr_state {
    NB_BBR_STARTUP,
    NB_BBR_DRAIN,
    NB_BBR_PROBE_BW_DOWN,
    NB_BBR_PROBE_BW_CRUISE,
    NB_BBR_PROBE_BW_REFILL,
    NB_BBR_PROBE_BW_UP,
    NB_BBR_PROBE_RTT,
    NB_BBR_STATE_COUNT, /* as undo_state: none */
};

/* What the ACKs that arrive now tell about the last probe for bandwidth. */
enum nb_bbr_ack_phase {
    NB_BBR_ACKS_INIT,
    NB_BBR_ACKS_REFILLING,
    NB_BBR_ACKS_PROBE_STARTING,
    NB_BBR_ACKS_PROBE_FEEDBACK,
    NB_BBR_ACKS_PROBE_STOPPING,
};

struct nb_bbr {
    /* The model: rates, */
    uint64_t max_bw_filter[2]; /* of the previous and the present cycle of probing */
    uint64_t bw_shortterm, bw_latest;
    uint64_t bw; /* the least of what they say */
    uint64_t full_bw;
    uint64_t pacing_rate;

    /* volumes, */
    uint32_t inflight_longterm, inflight_shortterm, inflight_latest;
    uint32_t extra_acked[2]; /* of the previous and the present few rounds */
    uint32_t extra_acked_delivered, extra_acked_rounds;
    uint64_t extra_acked_start_us;

    /* and the round trip. */
    uint64_t min_rtt_stamp_us, probe_rtt_min_stamp_us, probe_rtt_done_us; /* done 0: not low enough yet */
    uint32_t min_rtt_us, probe_rtt_min_delay_us;

    /* Rounds, by the count of delivered segments at their end. */
    uint32_t round_count, next_round_delivered, loss_round_delivered;
    uint32_t drain_start_round, rounds_since_probe_up;

    /* Probing for bandwidth. */
    uint64_t cycle_stamp_us;
    uint32_t bw_probe_wait_us;
    uint32_t bw_probe_up_acked, probe_up_acked_per_inc;
    uint8_t bw_probe_up_rounds, full_bw_count;
    uint8_t state, ack_phase, undo_state;
    uint8_t lost_ranges;    /* in this round */
    uint32_t lost_in_round; /* segments */
    nb_seq_t lost_end;      /* of the last range */

    /* Control. */
    uint32_t prior_cwnd; /* before loss recovery or ProbeRTT */
    uint32_t burst;      /* segments */
    uint32_t undo_inflight_shortterm, undo_inflight_longterm;
    uint64_t undo_bw_shortterm;

    bool round_start, loss_round_start, is_loss_in_round, is_marked_in_round;
    bool full_bw_reached, full_bw_now;
    bool is_bw_probe_sample, prev_probe_too_high, prev_probe_precautionary;
    bool probe_rtt_expired, probe_rtt_round_done, idle_restart;
    bool in_recovery; /* at the last ACK */
};

struct nb_bbr *nb__bbr_get(struct nb_tcp *tcp); /* not to fail: see history.h */
void nb__bbr_put(struct nb_tcp *tcp, struct nb_bbr *bbr);

/* The connection's; it has a history block whose algorithm this is. */
struct nb_bbr *nb__bbr(const struct nb_tcb *tcb);

/* --- bbr_model.c ------------------------------------------------------------------------------ */

void nb__bbr_model_init(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b);

/* UpdateLatestDeliverySignals, UpdateCongestionSignals and UpdateACKAggregation; after them the states are asked; then
 * AdvanceLatestDeliverySignals and BoundBWForModel. */
void nb__bbr_model_begin(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b,
                         const struct nb_ack *ack);
void nb__bbr_model_end(struct nb_bbr *b, const struct nb_ack *ack);

uint64_t nb__bbr_max_bw(const struct nb_bbr *b);
void nb__bbr_advance_max_bw_filter(struct nb_bbr *b);
uint32_t nb__bbr_bdp(const struct nb_tcb *tcb, const struct nb_bbr *b, uint64_t bw, uint32_t gain);

/* Inflight(): the same, but never so little that bursts would starve. */
uint32_t nb__bbr_inflight(const struct nb_tcb *tcb, const struct nb_bbr *b, uint64_t bw, uint32_t gain);
uint32_t nb__bbr_quantize(const struct nb_bbr *b, uint32_t inflight);
uint32_t nb__bbr_inflight_with_headroom(const struct nb_bbr *b);
uint32_t nb__bbr_target_inflight(const struct nb_tcb *tcb, const struct nb_bbr *b);

void nb__bbr_update_min_rtt(const struct nb_tcp *tcp, struct nb_bbr *b, const struct nb_ack *ack);
void nb__bbr_start_round(const struct nb_tcb *tcb, struct nb_bbr *b);
void nb__bbr_reset_congestion_signals(struct nb_bbr *b);
void nb__bbr_reset_shortterm(struct nb_bbr *b);
void nb__bbr_reset_full_bw(struct nb_bbr *b);

/* SaveCwnd and SaveStateUponLoss. */
void nb__bbr_save_cwnd(const struct nb_tcb *tcb, struct nb_bbr *b);
void nb__bbr_save_state(const struct nb_tcb *tcb, struct nb_bbr *b);

/* A loss, or a mark: the first in a round counts for the short-term model. */
void nb__bbr_note_loss(const struct nb_tcb *tcb, struct nb_bbr *b);

/* Of so much in flight so much was lost: more than a probe for bandwidth tolerates? */
bool nb__bbr_inflight_too_high(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t lost,
                               uint32_t tx_in_flight);

/* --- bbr_state.c ------------------------------------------------------------------------------ */

void nb__bbr_enter_startup(struct nb_bbr *b);

/* CheckFullBWReached, CheckStartupDone, CheckDrainDone, UpdateProbeBWCyclePhase; and UpdateMinRTT, CheckProbeRTT. */
void nb__bbr_update_state(const struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_bbr *b, const struct nb_ack *ack);

/* Is it over? (CheckProbeRTTDone) */
void nb__bbr_check_probe_rtt_done(const struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_bbr *b);
void nb__bbr_handle_inflight_too_high(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_bbr *b,
                                      uint32_t tx_in_flight, bool app_limited);
void nb__bbr_handle_spurious_loss(const struct nb_tcb *tcb, struct nb_bbr *b);
bool nb__bbr_is_probe_bw(const struct nb_bbr *b);
bool nb__bbr_is_probing_bw(const struct nb_bbr *b);
uint32_t nb__bbr_pacing_gain(const struct nb_bbr *b);
uint32_t nb__bbr_cwnd_gain(const struct nb_bbr *b);

#endif
