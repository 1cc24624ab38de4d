/* rpc_drain.c - worker.drain and worker.resume: a worker's flows go to the others, and new ones no longer come to it.
 *
 * The indirection table first: its buckets go to the other workers in turn, so that nobody new is at home there. Then
 * every flow goes to the worker that is its home now, many at a time. A call lasts a bounded time; what is left is
 * told, and why: it is pinned, there is no room for it elsewhere, or there was no time for more and the next call goes
 * on.
 */
#include "rpc.h"
#include "rpc_moved.h"

#include <inttypes.h>
#include <string.h>

#include <netbypass/runtime.h>

#include <json-c/json.h>

#include "rebalance.h"
#include "steering.h"

enum { WORKER };
static const struct nb_param worker_params[] = {
    [WORKER] = {"worker", NB_PARAM_NUMBER, .required = true, .min = 0, .max = NB_MAX_WORKERS - 1,
                .help = "the worker, from worker.list"},
    {0},
};

static int check_worker(const struct nb_rpc *rpc, int64_t worker, struct nb_error *err)
{
    unsigned n = nb_runtime_worker_count(rpc->runtime);

    if (worker >= n) {
        nb_error_set(err, 0, "no worker %" PRId64 "; there are %u, 0 to %u", worker, n, n - 1);
        return NB_PROTOCOL_NOT_FOUND;
    }
    if (n < 2) {
        nb_error_set(err, 0, "worker %" PRId64 " is the only one", worker);
        return NB_PROTOCOL_FAILED;
    }
    return 0;
}

/* Which worker a bucket goes to: away from this one, or back to it where it would be at first. */
static uint16_t place(const struct nb_port_info *info, unsigned bucket, unsigned worker, bool away)
{
    unsigned n = info->queues, at = info->reta[bucket];

    if (!away)
        return (uint16_t)(bucket % n == worker ? worker : at);
    if (at != worker)
        return (uint16_t)at;
    at = bucket / n % (n - 1);
    return (uint16_t)(at < worker ? at : at + 1);
}

static int change_tables_locked(const struct nb_rpc *rpc, unsigned worker, bool away, struct nb_error *err)
{
    struct nb_port_info info;
    uint16_t reta[NB_RETA_MAX];
    int rc = 0;

    for (unsigned port = 0; !rc && port < nb_runtime_port_count(rpc->runtime); port++) {
        rc = nb_runtime_port_info(rpc->runtime, port, &info);
        if (rc || info.reta_size == 0)
            continue;
        for (unsigned i = 0; i < info.reta_size; i++)
            reta[i] = place(&info, i, worker, away);
        if (memcmp(reta, info.reta, info.reta_size * sizeof reta[0]))
            rc = nb_runtime_set_reta(rpc->runtime, port, reta, info.reta_size, err);
    }
    nb_steering_resync(rpc->steering);
    return rc ? NB_PROTOCOL_FAILED : 0;
}

static int change_tables(const struct nb_rpc *rpc, unsigned worker, bool away, struct nb_error *err)
{
    nb_rebalance_lock(rpc->rebalancer);
    int rc = change_tables_locked(rpc, worker, away, err);
    nb_rebalance_unlock(rpc->rebalancer);
    return rc;
}

/* Where they are at home now; those that were placed here are at home elsewhere already, or go to a neighbour. */
static bool away(const void *arg, const struct nb_flow_info *flow, uint16_t *to)
{
    const struct nb_rpc *rpc = arg;
    unsigned workers = nb_runtime_worker_count(rpc->runtime);

    *to = flow->home_queue < workers ? flow->home_queue : 0;
    if (*to == flow->worker)
        *to = (uint16_t)((flow->worker + 1u) % workers);
    return true;
}

static int drain(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    unsigned worker = (unsigned)arg[WORKER].number;
    struct nb_moved_row row = {.worker = (uint16_t)worker};
    struct nb_worker_info info;
    uint64_t until_ms = nb_moved_now_ms() + NB_MOVED_BUDGET_MS;
    int rc = check_worker(rpc, arg[WORKER].number, err);

    if (!rc)
        rc = change_tables(rpc, worker, true, err);
    if (rc)
        return rc;
    nb_moved_all(rpc, away, rpc, until_ms, &row);
    nb_runtime_worker_info(rpc->runtime, worker, &info);
    row.left = info.flows;
    json_object_object_add(result, "drain", nb_fields_show(nb_moved_fields, &row));
    return 0;
}

static int resume(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    int rc = check_worker(rpc, arg[WORKER].number, err);

    if (!rc)
        rc = change_tables(rpc, (unsigned)arg[WORKER].number, false, err);
    if (!rc)
        json_object_object_add(result, "resumed", json_object_new_boolean(true));
    return rc;
}

static const struct nb_result drain_results[] = {{"drain", "drain", nb_moved_fields, "what became of its flows"}, {0}};
static const struct nb_result resume_results[] = {
    {"resumed", "true or false", NULL, "new connections come to it again"},
    {0},
};

const struct nb_rpc_method nb_drain_methods[] = {
    {"worker.drain", NB_RIGHT_OPERATOR, drain, worker_params, drain_results,
     "Move everything away from a worker: its buckets of the indirection tables, then its flows, live. Waits for flows "
     "that are busy, some seconds at most."},
    {"worker.resume", NB_RIGHT_OPERATOR, resume, worker_params, resume_results,
     "Give a drained worker its buckets back. Flows stay where they are."},
    {0},
};
