/* rpc_rebalance.c - methods of the rebalancer: rebalance.show, rebalance.plan, rebalance.apply, rebalance.auto. */
#include "rpc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <netbypass/runtime.h>

#include <json-c/json.h>

#include "rebalance.h"

#define OVER_MS     200 /* measured for a plan unless the caller says */
#define OVER_MS_MAX 500 /* other calls wait so long */
#define PERMILLE(x) ((x) / (NB_BALANCE_FULL / 1000))

/* --- show ----------------------------------------------------------------------------------------------------------
 */

struct status_row {
    struct nb_rebalance_status s;
    uint32_t spread_permille;
};

#define F(member) offsetof(struct status_row, member)
static const struct nb_field status_fields[] = {
    {"auto", &nb_field_bool, F(s.automatic), "it moves flows and buckets by itself"},
    {"threshold_percent", &nb_field_u32, F(s.threshold_percent), "how far from the mean a worker may be, of its time"},
    {"interval_ms", &nb_field_u32, F(s.interval_ms), "between looks, at present"},
    {"interval_min_ms", &nb_field_u32, F(s.interval_min_ms), "the shortest, after moves"},
    {"interval_max_ms", &nb_field_u32, F(s.interval_max_ms), "the longest, when all is even"},
    {"spread_permille", &nb_field_u32, F(spread_permille),
     "between the busiest worker and the idlest at the last look, of a worker's time"},
    {"looks", &nb_field_u64, F(s.looks), "since start"},
    {"plans", &nb_field_u64, F(s.plans), "carried out by itself"},
    {"moved", &nb_field_u64, F(s.moved), "flows, by itself or when told to"},
    {"buckets", &nb_field_u64, F(s.buckets), "entries of indirection tables"},
    {"refused", &nb_field_u64, F(s.refused), "moves that were: pinned, busy, or no room"},
    {"lost", &nb_field_u64, F(s.lost), "segments that a full ring swallowed in these moves"},
    {"reordered", &nb_field_u64, F(s.reordered), "segments that came after newer ones all the same"},
    {0},
};

static int show(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct status_row row;

    (void)arg, (void)err;
    nb_rebalance_status(rpc->rebalancer, &row.s);
    row.spread_permille = PERMILLE(row.s.spread);
    json_object_object_add(result, "rebalance", nb_fields_show(status_fields, &row));
    return 0;
}

enum { STATE };
static const char *const on_off[] = {"on", "off", NULL};
static const struct nb_param auto_params[] = {
    [STATE] = {"state", NB_PARAM_WORD, .required = true, .words = on_off, .help = "whether it moves by itself"},
    {0},
};

static int set_auto(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result,
                    struct nb_error *err)
{
    bool on = arg[STATE].number == 0;

    (void)err;
    nb_rebalance_set_automatic(rpc->rebalancer, on);
    json_object_object_add(result, "auto", json_object_new_boolean(on));
    return 0;
}

/* --- plan ----------------------------------------------------------------------------------------------------------
 */

struct worker_row {
    uint16_t worker;
    uint32_t before, after;
};

#undef F
#define F(member) offsetof(struct worker_row, member)
static const struct nb_field worker_fields[] = {
    {"worker", &nb_field_u16, F(worker), "number of the worker"},
    {"before_permille", &nb_field_u32, F(before), "of its time that it was busy"},
    {"after_permille", &nb_field_u32, F(after), "what that would be after the moves"},
    {0},
};

struct step_row {
    const char *kind;
    int64_t flow;
    int port, bucket; /* negative: null */
    uint16_t from, to;
    uint32_t load;
};

#undef F
#define F(member) offsetof(struct step_row, member)
static const struct nb_field step_fields[] = {
    {"kind", &nb_field_string, F(kind), "bucket: an entry of an indirection table, with its flows; flow: one flow"},
    {"flow", &nb_field_i64_or_null, F(flow), "id of the flow"},
    {"port", &nb_field_int_or_null, F(port), "index of the bucket's port"},
    {"bucket", &nb_field_int_or_null, F(bucket), "its number"},
    {"from", &nb_field_u16, F(from), "the worker that has it"},
    {"to", &nb_field_u16, F(to), "the one that is to have it"},
    {"load_permille", &nb_field_u32, F(load), "of a worker's time that it takes"},
    {0},
};

static struct json_object *show_workers(const struct nb_rebalance_plan *plan)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < plan->n_workers; i++) {
        const struct worker_row row = {(uint16_t)i, PERMILLE(plan->before[i]), PERMILLE(plan->plan.after[i])};
        json_object_array_add(list, nb_fields_show(worker_fields, &row));
    }
    return list;
}

static struct json_object *show_steps(const struct nb_rebalance_plan *plan)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < plan->n_steps; i++) {
        const struct nb_balance_item *item = &plan->step[i].item;
        bool flow = item->kind == NB_BALANCE_FLOW;
        const struct step_row row = {.kind = flow ? "flow" : "bucket",
                                     .flow = flow ? (int64_t)item->flow : -1,
                                     .port = flow ? -1 : item->port,
                                     .bucket = flow ? -1 : item->bucket,
                                     .from = item->worker,
                                     .to = plan->step[i].to,
                                     .load = PERMILLE(item->load)};
        json_object_array_add(list, nb_fields_show(step_fields, &row));
    }
    return list;
}

enum { OVER };
static const struct nb_param plan_params[] = {
    [OVER] = {"over_ms", NB_PARAM_NUMBER, .min = 10, .max = OVER_MS_MAX,
              .help = "how long to measure, in milliseconds; 200 if absent"},
    {0},
};

static int plan(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct nb_rebalance_plan made;

    (void)err;
    nb_rebalance_plan(rpc->rebalancer, arg[OVER].given ? (unsigned)arg[OVER].number : OVER_MS, &made);
    json_object_object_add(result, "plan", json_object_new_uint64(made.id));
    json_object_object_add(result, "workers", show_workers(&made));
    json_object_object_add(result, "moves", show_steps(&made));
    return 0;
}

/* --- apply ---------------------------------------------------------------------------------------------------------
 */

#undef F
#define F(member) offsetof(struct nb_rebalance_result, member)
static const struct nb_field result_fields[] = {
    {"done", &nb_field_u32, F(done), "moves of the plan that are done or refused"},
    {"total", &nb_field_u32, F(total), "moves of the plan; call again while done is less"},
    {"moved", &nb_field_u32, F(moved), "flows that have moved, those that followed their buckets included"},
    {"buckets", &nb_field_u32, F(buckets), "entries of indirection tables that have changed"},
    {"refused", &nb_field_u32, F(refused), "flows and buckets that stay: pinned, busy, or no room"},
    {"why", &nb_field_text, F(why), "why the last of them does"},
    {"min_us", &nb_field_u64, F(min_us), "microseconds that the shortest move took until it was settled"},
    {"avg_us", &nb_field_u64, F(avg_us), "the mean of all"},
    {"p99_us", &nb_field_u64, F(p99_us), "99 of 100 took no longer"},
    {"max_us", &nb_field_u64, F(max_us), "the longest"},
    {"parked", &nb_field_u64, F(parked), "segments that waited for older ones"},
    {"forwarded", &nb_field_u64, F(forwarded), "segments that former owners sent on"},
    {"lost", &nb_field_u64, F(lost), "segments that a full ring swallowed"},
    {"reordered", &nb_field_u64, F(reordered), "segments that came after newer ones all the same"},
    {0},
};

enum { PLAN };
static const struct nb_param apply_params[] = {
    [PLAN] = {"plan", NB_PARAM_NUMBER, .required = true, .min = 1, .max = INT64_MAX,
              .help = "the plan's number, from rebalance.plan"},
    {0},
};

static int apply(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct nb_rebalance_result row;

    if (nb_rebalance_apply(rpc->rebalancer, (uint64_t)arg[PLAN].number, &row, err))
        return NB_PROTOCOL_NOT_FOUND;
    json_object_object_add(result, "result", nb_fields_show(result_fields, &row));
    return 0;
}

static const struct nb_result show_results[] = {
    {"rebalance", "rebalance", status_fields, "what it does and has done"},
    {0},
};
static const struct nb_result auto_results[] = {{"auto", "true or false", NULL, "it moves by itself"}, {0}};
static const struct nb_result plan_results[] = {
    {"plan", "number", NULL, "names the plan, until the next one is made or something is moved automatically"},
    {"workers", "list of workers", worker_fields, "in order of their numbers"},
    {"moves", "list of moves", step_fields,
     "in the order in which they are made; empty: all is even enough, or nothing would help"},
    {0},
};
static const struct nb_result apply_results[] = {
    {"result", "result", result_fields, "what became of the plan so far"},
    {0},
};

const struct nb_rpc_method nb_rebalance_methods[] = {
    {"rebalance.show", NB_RIGHT_VIEWER, show, NULL, show_results, "What the rebalancer does and has done."},
    {"rebalance.plan", NB_RIGHT_OPERATOR, plan, plan_params, plan_results,
     "Measure how busy workers are and with what, and plan the fewest moves that make them even. Moves nothing, but "
     "has other calls wait."},
    {"rebalance.apply", NB_RIGHT_OPERATOR, apply, apply_params, apply_results,
     "Carry out more of the last plan, for a fraction of a second; call again while done is less than total."},
    {"rebalance.auto", NB_RIGHT_OPERATOR, set_auto, auto_params, auto_results,
     "Have the rebalancer move flows and buckets by itself, or not."},
    {0},
};
