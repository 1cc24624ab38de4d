/* rebalance_core.h - the inside of the rebalancer, for its files and their tests. */
#ifndef NB_DAEMON_REBALANCE_CORE_H
#define NB_DAEMON_REBALANCE_CORE_H

#include <pthread.h>

#include "load_meter.h"
#include "rebalance.h"

#define NB_REBALANCE_TIMES_MAX 16384 /* moves whose times a plan's percentile knows: followers of buckets, too */
#define NB_REBALANCE_REST_MS   1000  /* what was moved stays where it is for so long */
#define NB_REBALANCE_RESTING   256   /* moves remembered for that */

struct nb_rebalance_moved {
    uint64_t flow; /* 0: the bucket */
    uint16_t bucket;
    uint8_t port;
    uint64_t at_ms;
};

struct nb_rebalancer {
    struct nb_runtime *rt;
    struct nb_steering *steering;
    struct nb_rebalance_config config;

    pthread_mutex_t working; /* held while tables are rewritten and flows moved */
    pthread_mutex_t lock;    /* what follows; held for copies only */
    pthread_cond_t wake;
    pthread_t thread;
    bool threaded, stop, automatic;
    struct nb_rebalance_status status;
    uint32_t load[NB_MAX_WORKERS];

    struct nb_load_meter meter;     /* the thread's */
    unsigned uneven_looks, span_ms; /* in a row; what the meter covers */

    /* under `working` */
    struct nb_load_meter asked_meter;
    struct nb_rebalance_plan asked;
    struct nb_rebalance_result result;
    uint64_t asked_id;
    bool tables_changed; /* of the plan; flows follow, and so far they are: */
    unsigned follow_worker, follow_tries; /* tries: walks over all workers */
    bool follow_again;                    /* some were busy */
    uint64_t follow_cursor;
    struct nb_rebalance_moved moved[NB_REBALANCE_RESTING];
    uint64_t n_moved; /* ever */
    uint32_t n_times;
    uint32_t time_us[NB_REBALANCE_TIMES_MAX];
};

/* Everything but the thread. */
int nb__rebalance_new(struct nb_runtime *rt, struct nb_steering *steering, const struct nb_rebalance_config *config,
                      struct nb_rebalancer **rebalancer, struct nb_error *err);
void nb__rebalance_free(struct nb_rebalancer *r);

/* One look of the thread's, at the end of an interval. Returns the milliseconds to the next. */
unsigned nb__rebalance_look(struct nb_rebalancer *r, unsigned interval_ms);

/* rebalance_apply.c, under `working`: begin with a plan; carry out some of it. True: all is done. */
void nb__rebalance_begin(struct nb_rebalancer *r, const struct nb_rebalance_plan *plan);
bool nb__rebalance_go_on(struct nb_rebalancer *r, unsigned limit_ms);

/* Was it moved a moment ago? */
bool nb__rebalance_rests(const struct nb_rebalancer *r, const struct nb_balance_item *item);

uint64_t nb__rebalance_now_ms(void);

#endif
