/* rebalance_apply.c - carrying out a plan: first the buckets, each port's table rewritten once; then the flows that are
 * no longer at home because of that, unless they came along with their buckets; then the heavy flows, one by one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "move_batch.h"
#include "rebalance_core.h"
#include "steering.h"

#define PORTION  8  /* heavy flows that move at the same time */
#define TRIES    10 /* for flows that are busy: a table that has just changed keeps them so for some milliseconds */
#define RETRY_NS 5000000

uint64_t nb__rebalance_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- what came of it -----------------------------------------------------------------------------------------------
 */

static void remember(struct nb_rebalancer *r, const struct nb_balance_item *item)
{
    r->moved[r->n_moved++ % NB_REBALANCE_RESTING] = (struct nb_rebalance_moved){
        .flow = item->flow, .bucket = item->bucket, .port = item->port, .at_ms = nb__rebalance_now_ms()};
}

bool nb__rebalance_rests(const struct nb_rebalancer *r, const struct nb_balance_item *item)
{
    uint64_t now_ms = nb__rebalance_now_ms();

    for (unsigned i = 0; i < NB_REBALANCE_RESTING && i < r->n_moved; i++) {
        const struct nb_rebalance_moved *m = &r->moved[i];

        if (now_ms < m->at_ms + NB_REBALANCE_REST_MS && m->flow == item->flow &&
            (item->flow || (m->bucket == item->bucket && m->port == item->port)))
            return true;
    }
    return false;
}

static void note_report(const struct nb_move_report *report, void *rebalancer)
{
    struct nb_rebalancer *r = rebalancer;
    struct nb_rebalance_result *sum = &r->result;

    if (report->result) {
        sum->refused++;
        snprintf(sum->why, sizeof sum->why, "%s", report->why);
        return;
    }
    sum->moved++;
    sum->parked += report->parked;
    sum->forwarded += report->forwarded;
    sum->lost += report->lost;
    sum->reordered += report->reordered;
    if (r->n_times < NB_REBALANCE_TIMES_MAX)
        r->time_us[r->n_times++] = (uint32_t)(report->settled_us - report->asked_us);
}

static int by_time(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void summarize(struct nb_rebalancer *r)
{
    uint64_t sum = 0;

    if (r->n_times == 0)
        return;
    qsort(r->time_us, r->n_times, sizeof r->time_us[0], by_time);
    for (uint32_t i = 0; i < r->n_times; i++)
        sum += r->time_us[i];
    r->result.min_us = r->time_us[0];
    r->result.avg_us = sum / r->n_times;
    r->result.p99_us = r->time_us[(r->n_times - 1) * 99 / 100];
    r->result.max_us = r->time_us[r->n_times - 1];
}

/* --- flows ---------------------------------------------------------------------------------------------------------
 */

/* Of one that follows its bucket. */
static void note_follower(const struct nb_move_report *report, void *rebalancer)
{
    struct nb_rebalancer *r = rebalancer;

    if (nb_move_is_put_off(report) && r->follow_tries < TRIES)
        r->follow_again = true;
    else
        note_report(report, r);
}

/* --- buckets -------------------------------------------------------------------------------------------------------
 */

/* The port's table with the plan's buckets in it. Returns how many there are. */
static unsigned change_table(const struct nb_rebalance_plan *plan, unsigned port, struct nb_port_info *info)
{
    unsigned n = 0;

    for (unsigned i = 0; i < plan->n_steps; i++) {
        const struct nb_rebalance_step *step = &plan->step[i];

        if (step->item.kind == NB_BALANCE_BUCKET && step->item.port == port && step->item.bucket < info->reta_size) {
            info->reta[step->item.bucket] = step->to;
            n++;
        }
    }
    return n;
}

static void change_tables(struct nb_rebalancer *r)
{
    for (unsigned port = 0; port < nb_runtime_port_count(r->rt); port++) {
        struct nb_port_info info;
        struct nb_error err = {0};

        if (nb_runtime_port_info(r->rt, port, &info))
            continue;
        unsigned n = change_table(&r->asked, port, &info);
        if (n == 0)
            continue;
        if (nb_runtime_set_reta(r->rt, port, info.reta, info.reta_size, &err) == 0) {
            r->result.buckets += n;
            continue;
        }
        r->result.refused += n;
        snprintf(r->result.why, sizeof r->result.why, "%.60s", err.text);
    }
}

/* Did this flow's bucket go from its worker to where it is at home now? One with a rule has been placed on purpose. */
static bool follows(const struct nb_rebalancer *r, const struct nb_flow_info *flow)
{
    struct nb_steering_flow steered;
    bool given = false;

    for (unsigned i = 0; i < r->asked.n_steps; i++) {
        const struct nb_rebalance_step *step = &r->asked.step[i];

        if (step->item.flow == flow->id)
            return false;
        given |=
            step->item.kind == NB_BALANCE_BUCKET && step->item.worker == flow->worker && step->to == flow->home_queue;
    }
    if (!given)
        return false;
    nb_steering_flow(r->steering, flow, &steered);
    return steered.method != NB_METHOD_EXACT;
}

static bool begin_following_again(struct nb_rebalancer *r)
{
    const struct timespec pause = {.tv_nsec = RETRY_NS};

    if (!r->follow_again)
        return false;
    nanosleep(&pause, NULL);
    r->follow_again = false;
    r->follow_tries++;
    r->follow_worker = 0;
    return true;
}

/* Some more of them. False: there are none left. */
static bool move_followers(struct nb_rebalancer *r)
{
    struct nb_flow_info flow[NB_MOVE_BATCH];
    struct nb_move_batch batch = {.n = 0};

    if (r->follow_worker >= nb_runtime_worker_count(r->rt) && !begin_following_again(r))
        return false;
    unsigned n = nb_runtime_flows(r->rt, r->follow_worker, &r->follow_cursor, flow, NB_MOVE_BATCH);
    for (unsigned i = 0; i < n; i++)
        if (follows(r, &flow[i]))
            nb_move_batch_begin(&batch, r->rt, flow[i].id, flow[i].home_queue);
    nb_move_batch_end(&batch, note_follower, r);
    if (r->follow_cursor == 0)
        r->follow_worker++;
    return true;
}

/* --- all of it -----------------------------------------------------------------------------------------------------
 */

void nb__rebalance_begin(struct nb_rebalancer *r, const struct nb_rebalance_plan *plan)
{
    if (plan != &r->asked)
        r->asked = *plan;
    r->result = (struct nb_rebalance_result){.total = plan->n_steps};
    r->n_times = 0;
    r->tables_changed = false;
    r->follow_worker = r->follow_tries = 0;
    r->follow_again = false;
    r->follow_cursor = 0;
}

/* The steps of this kind, from step `done` on; they come in one block each: buckets first. */
static bool is_bucket(const struct nb_rebalancer *r, unsigned step)
{
    return step < r->asked.n_steps && r->asked.step[step].item.kind == NB_BALANCE_BUCKET;
}

static void go_on_with_buckets(struct nb_rebalancer *r)
{
    if (!r->tables_changed)
        change_tables(r);
    r->tables_changed = true;
    if (move_followers(r))
        return;
    nb_steering_resync(r->steering); /* not before: flows that are about to follow need no rules */
    for (; is_bucket(r, r->result.done); r->result.done++)
        remember(r, &r->asked.step[r->result.done].item);
}

static void go_on_with_flows(struct nb_rebalancer *r)
{
    struct nb_move_batch batch = {.n = 0};

    for (; r->result.done < r->asked.n_steps && batch.n < PORTION; r->result.done++) {
        const struct nb_rebalance_step *step = &r->asked.step[r->result.done];

        remember(r, &step->item);
        nb_move_batch_begin(&batch, r->rt, step->item.flow, step->to);
    }
    nb_move_batch_end(&batch, note_report, r);
}

bool nb__rebalance_go_on(struct nb_rebalancer *r, unsigned limit_ms)
{
    uint64_t until_ms = nb__rebalance_now_ms() + limit_ms;

    do {
        if (is_bucket(r, r->result.done))
            go_on_with_buckets(r);
        else
            go_on_with_flows(r);
    } while (r->result.done < r->asked.n_steps && nb__rebalance_now_ms() < until_ms);
    summarize(r);
    return r->result.done >= r->asked.n_steps;
}
