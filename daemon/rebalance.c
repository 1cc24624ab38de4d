/* rebalance.c - see rebalance.h. */
#include "rebalance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_lcore.h>

#include "log.h"
#include "rebalance_core.h"
#include "steering.h"

#define SAMPLES_MIN  200 /* of the busiest worker, before a plan is made of them: 10 ms of its work */
#define LOOKS_UNEVEN 2   /* in a row, before something is moved */
#define APPLY_MS     200 /* of one call: a progress bar moves, and other callers wait no longer */
#define TABLES_MAX   (NB_MAX_PORTS * 4)

/* --- planning ------------------------------------------------------------------------------------------------------
 */

/* Rules that may be added: what the emptiest table has room for. */
static unsigned rules_left(struct nb_rebalancer *r)
{
    struct nb_table_info table[TABLES_MAX];
    unsigned n = nb_steering_tables(r->steering, table, TABLES_MAX), most = 0;

    for (unsigned i = 0; i < n; i++)
        if (table[i].max > table[i].used && table[i].max - table[i].used > most)
            most = table[i].max - table[i].used;
    return most;
}

static int buckets_first(const void *a, const void *b)
{
    const struct nb_rebalance_step *x = a, *y = b;

    return (x->item.kind == NB_BALANCE_FLOW) - (y->item.kind == NB_BALANCE_FLOW);
}

static void copy_plan(const struct nb_balance_input *in, struct nb_rebalance_plan *out)
{
    out->n_workers = in->n_workers;
    out->n_steps = out->plan.n_moves;
    memcpy(out->before, in->load, sizeof out->before);
    for (unsigned i = 0; i < out->n_steps; i++)
        out->step[i] = (struct nb_rebalance_step){in->item[out->plan.move[i].item], out->plan.move[i].to};
    qsort(out->step, out->n_steps, sizeof out->step[0], buckets_first);
}

static uint32_t band(const struct nb_rebalancer *r)
{
    return r->config.threshold_percent * (NB_BALANCE_FULL / 100);
}

/* Loads alone, for showing them. */
static void look_only(struct nb_load_meter *meter, struct nb_rebalance_plan *out)
{
    struct nb_balance_input in = {.n_workers = nb_runtime_worker_count(meter->rt)};

    nb_load_meter_loads(meter, in.load);
    nb_balance_plan(&in, &out->plan);
    copy_plan(&in, out);
}

static void make_plan(struct nb_rebalancer *r, struct nb_load_meter *meter, bool let_rest,
                      struct nb_rebalance_plan *out)
{
    struct nb_balance_input in;

    nb_load_meter_read(meter, band(r), rules_left(r), &in);
    for (unsigned i = 0; let_rest && i < in.n_items; i++)
        if (nb__rebalance_rests(r, &meter->item[i]))
            meter->item[i].load = 0; /* part of its worker's load, but not to be moved */
    nb_balance_plan(&in, &out->plan);
    copy_plan(&in, out);
}

/* --- when asked ----------------------------------------------------------------------------------------------------
 */

static void sleep_ms(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static void measure(struct nb_load_meter *meter, unsigned over_ms)
{
    uint64_t now_ms = nb__rebalance_now_ms(), until_ms = now_ms + over_ms;

    nb_load_meter_begin(meter);
    for (; now_ms < until_ms; now_ms = nb__rebalance_now_ms()) {
        unsigned left = (unsigned)(until_ms - now_ms);

        sleep_ms(left < NB_METER_POLL_MS ? left : NB_METER_POLL_MS);
        nb_load_meter_poll(meter);
    }
}

void nb_rebalance_plan(struct nb_rebalancer *r, unsigned over_ms, struct nb_rebalance_plan *out)
{
    pthread_mutex_lock(&r->working);
    measure(&r->asked_meter, over_ms);
    make_plan(r, &r->asked_meter, false, &r->asked);
    r->asked.id = ++r->asked_id;
    nb__rebalance_begin(r, &r->asked);
    *out = r->asked;
    pthread_mutex_unlock(&r->working);
}

/* What was done since, into the totals. */
static void account(struct nb_rebalancer *r, const struct nb_rebalance_result *before)
{
    pthread_mutex_lock(&r->lock);
    r->status.moved += r->result.moved - before->moved;
    r->status.refused += r->result.refused - before->refused;
    r->status.buckets += r->result.buckets - before->buckets;
    r->status.lost += r->result.lost - before->lost;
    r->status.reordered += r->result.reordered - before->reordered;
    pthread_mutex_unlock(&r->lock);
}

int nb_rebalance_apply(struct nb_rebalancer *r, uint64_t id, struct nb_rebalance_result *result, struct nb_error *err)
{
    int rc = 0;

    pthread_mutex_lock(&r->working);
    if (r->asked.id != id || id == 0) {
        rc = nb_error_set(err, -ENOENT, "plan %llu is not there any more; ask for a new one", (unsigned long long)id);
    } else {
        struct nb_rebalance_result before = r->result;

        if (before.done < before.total)
            nb__rebalance_go_on(r, APPLY_MS);
        account(r, &before);
        *result = r->result;
    }
    pthread_mutex_unlock(&r->working);
    return rc;
}

void nb_rebalance_lock(struct nb_rebalancer *r)
{
    if (r)
        pthread_mutex_lock(&r->working);
}

void nb_rebalance_unlock(struct nb_rebalancer *r)
{
    if (r)
        pthread_mutex_unlock(&r->working);
}

void nb_rebalance_status(struct nb_rebalancer *r, struct nb_rebalance_status *status)
{
    pthread_mutex_lock(&r->lock);
    *status = r->status;
    status->automatic = r->automatic;
    pthread_mutex_unlock(&r->lock);
    status->threshold_percent = r->config.threshold_percent;
    status->interval_min_ms = r->config.interval_min_ms;
    status->interval_max_ms = r->config.interval_max_ms;
}

void nb_rebalance_set_automatic(struct nb_rebalancer *r, bool on)
{
    pthread_mutex_lock(&r->lock);
    r->automatic = on;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

uint32_t nb_rebalance_load(struct nb_rebalancer *r, unsigned worker)
{
    if (!r || worker >= NB_MAX_WORKERS)
        return 0;
    pthread_mutex_lock(&r->lock);
    uint32_t load = r->load[worker];
    pthread_mutex_unlock(&r->lock);
    return load;
}

/* --- by itself -----------------------------------------------------------------------------------------------------
 */

static bool is_automatic(struct nb_rebalancer *r)
{
    pthread_mutex_lock(&r->lock);
    bool automatic = r->automatic;
    pthread_mutex_unlock(&r->lock);
    return automatic;
}

static void note_look(struct nb_rebalancer *r, const struct nb_rebalance_plan *plan, unsigned interval_ms)
{
    pthread_mutex_lock(&r->lock);
    memcpy(r->load, plan->before, sizeof r->load);
    r->status.looks++;
    r->status.spread = plan->plan.spread_before;
    r->status.interval_ms = interval_ms;
    pthread_mutex_unlock(&r->lock);
}

/* Others who want to work have their turn. */
static void yield(struct nb_rebalancer *r)
{
    pthread_mutex_unlock(&r->working);
    sleep_ms(1);
    pthread_mutex_lock(&r->working);
}

/* In portions. Who asks for a plan meanwhile takes the rest of this one's place. */
static void carry_out(struct nb_rebalancer *r, const struct nb_rebalance_plan *plan)
{
    bool done = false;

    nb__rebalance_begin(r, plan); /* its id is 0: who has asked for a plan before must ask again */
    while (!done && r->asked.id == 0) {
        struct nb_rebalance_result before = r->result;

        done = nb__rebalance_go_on(r, APPLY_MS);
        account(r, &before);
        if (!done)
            yield(r);
    }
    pthread_mutex_lock(&r->lock);
    r->status.plans++;
    pthread_mutex_unlock(&r->lock);
    nb_log(NB_LOG_INFO, "rebalanced: %u flows and %u buckets moved, %u refused; spread %u.%02u%% before",
           r->result.moved, r->result.buckets, r->result.refused, plan->plan.spread_before / 100,
           plan->plan.spread_before % 100);
}

/* Enough was seen, or it has taken so long that it must do. */
static bool span_is_over(struct nb_rebalancer *r, unsigned interval_ms)
{
    r->span_ms += interval_ms;
    return nb_load_meter_samples(&r->meter) >= SAMPLES_MIN || r->span_ms >= r->config.interval_max_ms;
}

static void next_span(struct nb_rebalancer *r)
{
    nb_load_meter_begin(&r->meter);
    r->span_ms = 0;
}

unsigned nb__rebalance_look(struct nb_rebalancer *r, unsigned interval_ms)
{
    struct nb_rebalance_plan plan = {.id = 0};
    bool automatic = is_automatic(r);
    unsigned doubled = interval_ms * 2 < r->config.interval_max_ms ? interval_ms * 2 : r->config.interval_max_ms;

    nb_load_meter_poll(&r->meter);
    if (!span_is_over(r, interval_ms))
        return doubled;
    pthread_mutex_lock(&r->working);
    automatic ? make_plan(r, &r->meter, true, &plan) : look_only(&r->meter, &plan);
    note_look(r, &plan, interval_ms);
    r->uneven_looks = plan.n_steps ? r->uneven_looks + 1 : 0;
    bool uneven = r->uneven_looks;
    if (r->uneven_looks >= LOOKS_UNEVEN) {
        carry_out(r, &plan);
        r->uneven_looks = 0;
    }
    next_span(r);
    pthread_mutex_unlock(&r->working);
    return uneven ? r->config.interval_min_ms : doubled;
}

/* Wait, and take samples before they are overwritten. False: it is to end. */
static bool wait_ms(struct nb_rebalancer *r, unsigned ms)
{
    uint64_t until_ms = nb__rebalance_now_ms() + ms, now_ms;

    pthread_mutex_lock(&r->lock);
    bool automatic = r->automatic;
    while (!r->stop && automatic == r->automatic && (now_ms = nb__rebalance_now_ms()) < until_ms) {
        uint64_t left = automatic && until_ms - now_ms > NB_METER_POLL_MS ? NB_METER_POLL_MS : until_ms - now_ms;
        uint64_t at_ms = now_ms + left;
        const struct timespec at = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000};

        pthread_cond_timedwait(&r->wake, &r->lock, &at);
        pthread_mutex_unlock(&r->lock);
        if (automatic)
            nb_load_meter_poll(&r->meter);
        pthread_mutex_lock(&r->lock);
    }
    bool go_on = !r->stop;
    pthread_mutex_unlock(&r->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct nb_rebalancer *r = arg;
    unsigned interval_ms = r->config.interval_min_ms;

    next_span(r);
    while (wait_ms(r, interval_ms))
        interval_ms = nb__rebalance_look(r, interval_ms);
    return NULL;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

int nb__rebalance_new(struct nb_runtime *rt, struct nb_steering *steering, const struct nb_rebalance_config *config,
                      struct nb_rebalancer **rebalancer, struct nb_error *err)
{
    struct nb_rebalancer *r = calloc(1, sizeof *r);
    pthread_condattr_t monotonic;

    if (!r)
        return nb_error_set(err, -ENOMEM, "no memory for the rebalancer");
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->working, NULL);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    r->rt = r->meter.rt = r->asked_meter.rt = rt;
    r->steering = r->meter.steering = r->asked_meter.steering = steering;
    r->config = *config;
    r->automatic = config->automatic;
    *rebalancer = r;
    return 0;
}

void nb__rebalance_free(struct nb_rebalancer *r)
{
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->working);
    free(r);
}

/* An EAL control thread keeps off the workers' cores. */
int nb_rebalance_start(struct nb_runtime *rt, struct nb_steering *steering, const struct nb_rebalance_config *config,
                       struct nb_rebalancer **rebalancer, struct nb_error *err)
{
    int rc = nb__rebalance_new(rt, steering, config, rebalancer, err);

    if (rc)
        return rc;
    rc = rte_ctrl_thread_create(&(*rebalancer)->thread, "nb-rebalance", NULL, run, *rebalancer);
    if (rc == 0)
        return 0;
    nb__rebalance_free(*rebalancer);
    *rebalancer = NULL;
    return nb_error_set(err, rc, "no thread for the rebalancer: %s", strerror(-rc));
}

void nb_rebalance_stop(struct nb_rebalancer *r)
{
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    nb__rebalance_free(r);
}
