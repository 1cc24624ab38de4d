/* rebalance.h - the rebalancer: it knows how busy workers are, plans moves (balance.h) and carries them out, when told
 * to or by itself.
 *
 * Its thread measures all the time, at an interval that adapts: the shortest after something was moved, doubling up to
 * the longest while all is even. With `automatic` on, a plan that two looks in a row ask for is carried out, and what
 * was moved stays where it is for a second. The calls are for any control thread; one plan is carried out at a time.
 */
#ifndef NB_DAEMON_REBALANCE_H
#define NB_DAEMON_REBALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/error.h>
#include <netbypass/runtime.h>

#include "balance.h"

struct nb_rebalance_config {
    bool automatic;
    uint32_t threshold_percent; /* of a worker's time */
    uint32_t interval_min_ms, interval_max_ms;
};

struct nb_rebalancer;
struct nb_steering;

int nb_rebalance_start(struct nb_runtime *rt, struct nb_steering *steering, const struct nb_rebalance_config *config,
                       struct nb_rebalancer **rebalancer, struct nb_error *err);
void nb_rebalance_stop(struct nb_rebalancer *rebalancer);

/* --- what it knows ------------------------------------------------------------------------------------------------ */

struct nb_rebalance_status {
    bool automatic;
    uint32_t threshold_percent, interval_min_ms, interval_max_ms;
    uint32_t interval_ms;     /* at present */
    uint32_t spread;          /* between the busiest worker and the idlest, at the last look; NB_BALANCE_FULL is all */
    uint64_t looks, plans;    /* since start; plans carried out by itself */
    uint64_t moved, refused;  /* flows, by itself or when told to */
    uint64_t buckets;         /* and entries of indirection tables */
    uint64_t lost, reordered; /* segments, by these moves */
};
void nb_rebalance_status(struct nb_rebalancer *rebalancer, struct nb_rebalance_status *status);
void nb_rebalance_set_automatic(struct nb_rebalancer *rebalancer, bool on);

/* A worker's load at the last look, of NB_BALANCE_FULL. */
uint32_t nb_rebalance_load(struct nb_rebalancer *rebalancer, unsigned worker);

/* --- a plan, when asked for ----------------------------------------------------------------------------------------
 */

struct nb_rebalance_step {
    struct nb_balance_item item;
    uint16_t to;
};

struct nb_rebalance_plan {
    uint64_t id; /* 0: none */
    unsigned n_workers, n_steps;
    uint32_t before[NB_MAX_WORKERS];
    struct nb_balance_plan plan; /* its indices mean nothing any more */
    struct nb_rebalance_step step[NB_BALANCE_MOVES_MAX];
};

/* Measure for so long, and plan. The plan is kept, to be carried out, until the next one. */
void nb_rebalance_plan(struct nb_rebalancer *rebalancer, unsigned over_ms, struct nb_rebalance_plan *out);

/* What became of a plan so far. Times are those until a move was settled. */
struct nb_rebalance_result {
    uint32_t done, total; /* steps */
    uint32_t moved, refused, buckets;
    char why[64]; /* of the last one refused */
    uint64_t min_us, avg_us, p99_us, max_us;
    uint64_t parked, forwarded, lost, reordered;
};

/* Carry out more of plan `id`, for a fraction of a second. Call again while done < total. -ENOENT: that plan is not
 * there (any more). */
int nb_rebalance_apply(struct nb_rebalancer *rebalancer, uint64_t id, struct nb_rebalance_result *result,
                       struct nb_error *err);

/* Who rewrites indirection tables by other ways, or restarts ports, does it between these. */
void nb_rebalance_lock(struct nb_rebalancer *rebalancer);
void nb_rebalance_unlock(struct nb_rebalancer *rebalancer);

#endif
