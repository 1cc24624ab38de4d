/* rpc_worker.c - methods about workers: worker.list, and stats, their counters with what each means. */
#include "rpc.h"

#include <inttypes.h>

#include <json-c/json.h>

#include <netbypass/runtime.h>

#include "rebalance.h"

struct worker_row {
    struct nb_worker_info info;
    uint32_t load_permille;
};

#define F(member) offsetof(struct worker_row, info.member)
static const struct nb_field worker_fields[] = {
    {"worker", &nb_field_u16, F(index), "number of the worker"},
    {"cpu", &nb_field_int_or_null, F(cpu), "the CPU it is pinned to, null: it is not"},
    {"flows", &nb_field_u32, F(flows), "connections it owns"},
    {"half_open", &nb_field_u32, F(half_open), "of these, in SYN-RECEIVED"},
    {"time_wait", &nb_field_u32, F(time_wait), "connections in TIME-WAIT"},
    {"busy_us", &nb_field_u64, F(busy_us), "time in loops that did work, since start"},
    {"idle_us", &nb_field_u64, F(idle_us), "time in loops that found none, sleep included"},
    {"sleeps", &nb_field_u64, F(sleeps), "times it went to sleep"},
    {"foreign_mbufs", &nb_field_u32, F(foreign_mbufs),
     "packet buffers of other workers that it holds; at most half as many as limits.mbufs"},
    {"load_permille", &nb_field_u32, offsetof(struct worker_row, load_permille),
     "of its time that it was busy lately: in the rebalancer's last look, about a second"},
    {"counters", NULL, 0, "every counter by its name; `stats` says what they mean"},
    {0},
};

/* The table above, but for the counters, which are many members in one. */
static struct json_object *show_worker(const struct worker_row *row)
{
    struct json_object *worker = json_object_new_object(), *counters = json_object_new_object();

    for (const struct nb_field *f = worker_fields; f->type; f++)
        json_object_object_add(worker, f->name, f->type->show((const char *)row + f->offset));
    for (unsigned i = 0; i < NB_COUNTER_COUNT; i++)
        json_object_object_add(counters, nb_counter_name(i), json_object_new_uint64(row->info.counter[i]));
    json_object_object_add(worker, "counters", counters);
    return worker;
}

enum { WORKER };
static const struct nb_param worker_params[] = {
    [WORKER] = {"worker", NB_PARAM_NUMBER, .min = 0, .max = NB_MAX_WORKERS - 1, .help = "only this worker"},
    {0},
};

int nb_rpc_check_worker(const struct nb_rpc *rpc, const struct nb_arg *worker, struct nb_error *err)
{
    unsigned n = nb_runtime_worker_count(rpc->runtime);

    if (!worker->given || worker->number < (int64_t)n)
        return 0;
    nb_error_set(err, 0, "no worker %" PRId64 "; accepted: 0 to %u", worker->number, n - 1);
    return NB_PROTOCOL_NOT_FOUND;
}

/* The workers a call is about: first to last - 1. */
static int pick_workers(const struct nb_rpc *rpc, const struct nb_arg *arg, unsigned *first, unsigned *last,
                        struct nb_error *err)
{
    *first = arg->given ? (unsigned)arg->number : 0;
    *last = arg->given ? *first + 1 : nb_runtime_worker_count(rpc->runtime);
    return nb_rpc_check_worker(rpc, arg, err);
}

static int list(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct json_object *workers = json_object_new_array();
    unsigned first, last;
    int rc = pick_workers(rpc, &arg[WORKER], &first, &last, err);

    for (unsigned i = first; !rc && i < last; i++) {
        struct worker_row row = {.load_permille = nb_rebalance_load(rpc->rebalancer, i) / (NB_BALANCE_FULL / 1000)};
        nb_runtime_worker_info(rpc->runtime, i, &row.info);
        json_object_array_add(workers, show_worker(&row));
    }
    json_object_object_add(result, "workers", workers);
    return rc;
}

struct counter_row {
    const char *name, *help;
    uint64_t value;
};

static const struct nb_field counter_fields[] = {
    {"name", &nb_field_string, offsetof(struct counter_row, name), "name of the counter"},
    {"value", &nb_field_u64, offsetof(struct counter_row, value), "since start, over the workers asked for"},
    {"help", &nb_field_string, offsetof(struct counter_row, help), "what it counts"},
    {0},
};

static int stats(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    uint64_t sum[NB_COUNTER_COUNT] = {0};
    struct json_object *counters = json_object_new_array();
    unsigned first, last;
    int rc = pick_workers(rpc, &arg[WORKER], &first, &last, err);

    for (unsigned i = first; !rc && i < last; i++) {
        struct nb_worker_info info;
        nb_runtime_worker_info(rpc->runtime, i, &info);
        for (unsigned c = 0; c < NB_COUNTER_COUNT; c++)
            sum[c] += info.counter[c];
    }
    for (unsigned c = 0; c < NB_COUNTER_COUNT; c++) {
        const struct counter_row row = {nb_counter_name(c), nb_counter_help(c), sum[c]};
        json_object_array_add(counters, nb_fields_show(counter_fields, &row));
    }
    json_object_object_add(result, "counters", counters);
    return rc;
}

static const struct nb_result list_results[] = {
    {"workers", "list of workers", worker_fields, "in order of their numbers"},
    {0},
};
static const struct nb_result stats_results[] = {
    {"counters", "list of counters", counter_fields, "always in the same order"},
    {0},
};

const struct nb_rpc_method nb_worker_methods[] = {
    {"worker.list", NB_RIGHT_VIEWER, list, worker_params, list_results, "Workers, with their counters."},
    {0},
};

const struct nb_rpc_method nb_stats_methods[] = {
    {"stats", NB_RIGHT_VIEWER, stats, worker_params, stats_results, "Counters of all workers together, or of one."},
    {0},
};
