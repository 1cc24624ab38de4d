/* rpc_drain.c - worker.drain and worker.resume: a worker's flows go to the others, and new ones no longer come to it.
 *
 * The indirection table first: its buckets go to the other workers in turn, so that nobody new is at home there. Then
 * every flow goes to the worker that is its home now, many at a time. A call lasts a bounded time; what is left,
 * because it is pinned or busy or there was no time for it, is told, and the next call goes on.
 */
#include "rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <netbypass/runtime.h>

#include <json-c/json.h>

#include "rebalance.h"
#include "steering.h"

#define TOGETHER 32     /* moves under way at the same time: a worker takes 64 */
#define BUDGET_S 3      /* of one call; netbypassctl waits five */
#define PAUSE_NS 200000 /* between looks at moves under way */

struct drain_row {
    uint16_t worker;
    uint32_t moved, refused, left;
    uint64_t forwarded, parked, lost, reordered, longest_us;
    char why[64]; /* of the last one refused */
};

#define F(member) offsetof(struct drain_row, member)
static const struct nb_field drain_fields[] = {
    {"worker", &nb_field_u16, F(worker), "number of the worker"},
    {"moved", &nb_field_u32, F(moved), "flows that went to another worker"},
    {"refused", &nb_field_u32, F(refused), "flows that did not: pinned, busy, or no room"},
    {"why", &nb_field_text, F(why), "why the last of them did not"},
    {"left", &nb_field_u32, F(left), "flows that the worker still owns"},
    {"longest_us", &nb_field_u64, F(longest_us), "microseconds that the longest move took until it was settled"},
    {"forwarded", &nb_field_u64, F(forwarded), "segments that the worker sent on"},
    {"parked", &nb_field_u64, F(parked), "segments that waited for older ones"},
    {"lost", &nb_field_u64, F(lost), "segments that a full ring swallowed"},
    {"reordered", &nb_field_u64, F(reordered), "segments that came after newer ones all the same"},
    {0},
};

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

static void add(struct drain_row *row, const struct nb_move_report *r)
{
    uint64_t took_us = r->settled_us - r->asked_us;

    if (r->result) {
        row->refused++;
        snprintf(row->why, sizeof row->why, "%s", r->why);
        return;
    }
    row->moved++;
    row->forwarded += r->forwarded;
    row->parked += r->parked;
    row->lost += r->lost;
    row->reordered += r->reordered;
    row->longest_us = took_us > row->longest_us ? took_us : row->longest_us;
}

static void move_all(const struct nb_rpc *rpc, const struct nb_flow_info *flow, unsigned n, unsigned worker,
                     struct drain_row *row)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    unsigned workers = nb_runtime_worker_count(rpc->runtime);
    struct nb_move_ticket ticket[TOGETHER];

    for (unsigned i = 0; i < n; i++) {
        unsigned to = flow[i].home_queue < workers ? flow[i].home_queue : 0;

        nb_runtime_move_begin(rpc->runtime, flow[i].id, to == worker ? (worker + 1) % workers : to, &ticket[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        while (!nb_runtime_move_done(&ticket[i]))
            nanosleep(&pause, NULL);
        add(row, &ticket[i].report);
    }
}

static int drain(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    unsigned worker = (unsigned)arg[WORKER].number, n;
    struct drain_row row = {.worker = (uint16_t)worker};
    struct nb_flow_info flow[TOGETHER];
    struct nb_worker_info info;
    uint64_t cursor = 0;
    time_t until = time(NULL) + BUDGET_S;
    int rc = check_worker(rpc, arg[WORKER].number, err);

    if (!rc)
        rc = change_tables(rpc, worker, true, err);
    if (rc)
        return rc;
    do {
        n = nb_runtime_flows(rpc->runtime, worker, &cursor, flow, TOGETHER);
        move_all(rpc, flow, n, worker, &row);
    } while (cursor && time(NULL) < until);
    nb_runtime_worker_info(rpc->runtime, worker, &info);
    row.left = info.flows;
    json_object_object_add(result, "drain", nb_fields_show(drain_fields, &row));
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

static const struct nb_result drain_results[] = {{"drain", "drain", drain_fields, "what became of its flows"}, {0}};
static const struct nb_result resume_results[] = {
    {"resumed", "true or false", NULL, "new connections come to it again"},
    {0},
};

const struct nb_rpc_method nb_drain_methods[] = {
    {"worker.drain", NB_RIGHT_OPERATOR, drain, worker_params, drain_results,
     "Move everything away from a worker: its buckets of the indirection tables, then its flows, live. Takes some "
     "seconds "
     "at most; call again while flows are left."},
    {"worker.resume", NB_RIGHT_OPERATOR, resume, worker_params, resume_results,
     "Give a drained worker its buckets back. Flows stay where they are."},
    {0},
};
