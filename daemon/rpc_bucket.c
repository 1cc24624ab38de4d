/* rpc_bucket.c - bucket.move: an entry of a port's indirection table goes to another worker, and with it the flows that
 * were at home by it. Those that have another owner keep it.
 *
 * The table first, so that nobody new comes to the old home. A call lasts a bounded time, in which flows that are busy
 * are asked again. Those that did not follow are told of, and why; they stay reachable, and may follow in another call,
 * which says from where.
 */
#include "rpc.h"
#include "rpc_moved.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include <netbypass/rss.h>
#include <netbypass/runtime.h>

#include <json-c/json.h>

#include "move_batch.h"
#include "rebalance.h"
#include "steering.h"

enum { PORT, BUCKET, TO, FROM };
static const struct nb_param move_params[] = {
    [PORT] = {"port", NB_PARAM_NUMBER, .required = true, .min = 0, .max = NB_MAX_PORTS - 1,
              .help = "index of the port"},
    [BUCKET] = {"bucket", NB_PARAM_NUMBER, .required = true, .min = 0, .max = NB_RETA_MAX - 1,
                .help = "index in its table, reta of port.show"},
    [TO] = {"to", NB_PARAM_NUMBER, .required = true, .min = 0, .max = NB_MAX_WORKERS - 1,
            .help = "the worker that is to be its home"},
    [FROM] = {"from", NB_PARAM_NUMBER, .min = 0, .max = NB_MAX_WORKERS - 1,
              .help = "the worker whose flows follow; its home until now, if not given"},
    {0},
};

static int check(const struct nb_rpc *rpc, const struct nb_arg *arg, struct nb_port_info *info, struct nb_error *err)
{
    int64_t port = arg[PORT].number, bucket = arg[BUCKET].number;
    int rc = nb_rpc_check_worker(rpc, &arg[TO], err);

    if (!rc && arg[FROM].given)
        rc = nb_rpc_check_worker(rpc, &arg[FROM], err);
    if (rc)
        return rc;
    if (nb_runtime_port_info(rpc->runtime, (unsigned)port, info)) {
        nb_error_set(err, 0, "no port %" PRId64 "; there are %u, from 0 on", port, nb_runtime_port_count(rpc->runtime));
        return NB_PROTOCOL_NOT_FOUND;
    }
    if (bucket < info->reta_size)
        return 0;
    if (info->reta_size)
        nb_error_set(err, 0, "port %" PRId64 " has no bucket %" PRId64 "; it has %u, 0 to %u", port, bucket,
                     info->reta_size, info->reta_size - 1);
    else
        nb_error_set(err, 0, "port %" PRId64 " has no indirection table", port);
    return NB_PROTOCOL_NOT_FOUND;
}

static int change_table(const struct nb_rpc *rpc, unsigned port, struct nb_port_info *info, unsigned bucket,
                        unsigned to, struct nb_error *err)
{
    int rc = 0;

    nb_rebalance_lock(rpc->rebalancer);
    if (info->reta[bucket] != to) {
        info->reta[bucket] = (uint16_t)to;
        rc = nb_runtime_set_reta(rpc->runtime, port, info->reta, info->reta_size, err);
    }
    nb_rebalance_unlock(rpc->rebalancer);
    nb_steering_resync(rpc->steering);
    return rc ? NB_PROTOCOL_FAILED : 0;
}

struct follow {
    const struct nb_rpc *rpc;
    const struct nb_port_info *info;
    unsigned port, bucket, from;
    uint16_t to;
};

/* As the NIC computes it, who sees our connections from outside: the remote side is the source. */
static unsigned bucket_of(const struct nb_port_info *info, const struct nb_flow_key *key)
{
    struct nb_tuple tuple = {
        .src_port = key->remote_port, .dst_port = key->local_port, .family = key->family, .protocol = IPPROTO_TCP};
    uint8_t input[NB_RSS_INPUT_BYTES];

    memcpy(tuple.src, key->remote.word, sizeof tuple.src);
    memcpy(tuple.dst, key->local.word, sizeof tuple.dst);
    return nb_toeplitz_scalar(info->rss_key, input, nb_rss_input(&tuple, input)) % info->reta_size;
}

/* A flow of the bucket that is where the bucket was at home. Steering may have given it a rule by now. */
static bool follows(const void *arg, const struct nb_flow_info *flow, uint16_t *to)
{
    const struct follow *f = arg;

    *to = f->to;
    return flow->key.port_group == f->port && bucket_of(f->info, &flow->key) == f->bucket;
}

static uint32_t count_left(const struct follow *f)
{
    struct nb_flow_info flow[NB_MOVE_BATCH];
    uint64_t cursor = 0;
    uint32_t left = 0;
    uint16_t to;

    do {
        unsigned n = nb_runtime_flows(f->rpc->runtime, f->from, &cursor, flow, NB_MOVE_BATCH);

        for (unsigned i = 0; i < n; i++)
            left += follows(f, &flow[i], &to);
    } while (cursor);
    return left;
}

static int move(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct nb_port_info info;
    struct nb_moved_row row = {0};
    uint64_t until_ms = nb_moved_now_ms() + NB_MOVED_BUDGET_MS;
    int rc = check(rpc, arg, &info, err);

    if (rc)
        return rc;
    struct follow f = {.rpc = rpc,
                       .info = &info,
                       .port = (unsigned)arg[PORT].number,
                       .bucket = (unsigned)arg[BUCKET].number,
                       .from = arg[FROM].given ? (unsigned)arg[FROM].number : info.reta[arg[BUCKET].number],
                       .to = (uint16_t)arg[TO].number};
    rc = change_table(rpc, f.port, &info, f.bucket, f.to, err);
    if (rc)
        return rc;
    row.worker = (uint16_t)f.from;
    if (f.from != f.to) {
        nb_moved_all(rpc, follows, &f, until_ms, &row);
        row.left = count_left(&f);
    }
    json_object_object_add(result, "move", nb_fields_show(nb_moved_fields, &row));
    return 0;
}

static const struct nb_result move_results[] = {{"move", "move", nb_moved_fields, "what became of its flows"}, {0}};

const struct nb_rpc_method nb_bucket_methods[] = {
    {"bucket.move", NB_RIGHT_OPERATOR, move, move_params, move_results,
     "Have another worker be the home of a bucket, and its flows follow, live. Waits for flows that are busy, some "
     "seconds at most; for those that are left, call again with from."},
    {0},
};
