/* balance.h - the planner of the rebalancer: which flows and buckets should go where, so that all workers are about
 * equally busy, with as few moves as possible. Pure: loads and places in, moves out.
 *
 * The idea is RSS++'s (CoNEXT 2019): know the load of every bucket, leave small differences alone, move few of them.
 * Besides buckets there are flows, heavy ones, that are worth a rule of their own. Two thresholds keep it from moving
 * things to and fro: it begins when a worker is further from the mean than `band`, and then brings all within half of
 * that; and whatever it moves, the pair must be more even afterwards by a band, so that moving it back never looks
 * good.
 */
#ifndef NB_DAEMON_BALANCE_H
#define NB_DAEMON_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

#define NB_BALANCE_FULL      10000 /* load of a worker that is never idle; all loads are in this unit */
#define NB_BALANCE_BAND      200   /* RSS++'s threshold: 2 % of a worker's time */
#define NB_BALANCE_MOVES_MAX 64    /* in one plan: the next look goes on from there */

enum nb_balance_kind { NB_BALANCE_FLOW, NB_BALANCE_BUCKET };

/* Something that can be moved, and what of its worker's time it takes. */
struct nb_balance_item {
    uint64_t flow; /* its id; of a bucket 0 */
    uint32_t load;
    uint16_t bucket; /* of a flow: the one it would come by if it had no rule */
    uint16_t worker; /* where it is now */
    uint16_t home;   /* of a flow: where it needs no rule */
    uint8_t port;
    uint8_t kind;     /* enum nb_balance_kind */
    bool cannot_rule; /* of a flow: its port takes no rule for it, so nowhere but home does it come by hardware */
};

struct nb_balance_input {
    unsigned n_workers;
    uint32_t load[NB_MAX_WORKERS]; /* all of a worker's work, also what cannot be moved */
    bool away[NB_MAX_WORKERS];     /* drained: neither gives nor takes, and is not part of the mean */
    const struct nb_balance_item *item;
    unsigned n_items;
    uint32_t band;
    unsigned rules; /* flows that may be sent away from home: a flow without a rule would have to be forwarded */
};

struct nb_balance_move {
    uint32_t item; /* index */
    uint16_t to;
};

struct nb_balance_plan {
    struct nb_balance_move move[NB_BALANCE_MOVES_MAX];
    unsigned n_moves;
    uint32_t mean;
    uint32_t after[NB_MAX_WORKERS];       /* loads when all has been moved */
    uint32_t spread_before, spread_after; /* between the busiest and the idlest worker */
};

/* No moves when all workers are within the band, or nothing would make it better. */
void nb_balance_plan(const struct nb_balance_input *input, struct nb_balance_plan *plan);

#endif
