/* rpc_move.c - methods that move flows between workers, or keep them where they are: flow.move, flow.pin, flow.unpin.
 */
#include "rpc.h"

#include <errno.h>
#include <inttypes.h>

#include <netbypass/runtime.h>

#include <json-c/json.h>

/* What is told of a move, from the runtime's report. */
struct move_row {
    struct nb_move_report report;
    uint64_t duration_us, frozen_us, settled_us;
};

#define F(member) offsetof(struct move_row, member)
static const struct nb_field move_fields[] = {
    {"id", &nb_field_u64, F(report.flow), "the flow's id, which it keeps"},
    {"from", &nb_field_u16, F(report.from), "its former owner"},
    {"to", &nb_field_u16, F(report.to), "its owner now"},
    {"duration_us", &nb_field_u64, F(duration_us), "microseconds from the wish until the new owner served it"},
    {"frozen_us", &nb_field_u64, F(frozen_us), "of these, how long it was nobody's"},
    {"settled_us", &nb_field_u64, F(settled_us),
     "microseconds from the wish until its segments came in order by the new way alone"},
    {"forwarded", &nb_field_u32, F(report.forwarded), "segments that its former owner sent on"},
    {"parked", &nb_field_u32, F(report.parked), "segments that waited for older ones"},
    {"lost", &nb_field_u32, F(report.lost), "segments that a full ring swallowed"},
    {"reordered", &nb_field_u32, F(report.reordered), "segments that came after newer ones all the same"},
    {0},
};

enum { ID, TO };
static const struct nb_param move_params[] = {
    [ID] = {"id", NB_PARAM_NUMBER, .required = true, .min = 0, .max = INT64_MAX,
            .help = "the flow's id, from flow.list"},
    [TO] = {"to", NB_PARAM_NUMBER, .required = true, .min = 0, .max = NB_MAX_WORKERS - 1,
            .help = "the worker that is to own it"},
    {0},
};
static const struct nb_param pin_params[] = {
    [ID] = {"id", NB_PARAM_NUMBER, .required = true, .min = 0, .max = INT64_MAX,
            .help = "the flow's id, from flow.list"},
    {0},
};

static int no_flow(uint64_t id, struct nb_error *err)
{
    nb_error_set(err, 0, "no flow with id %" PRIu64, id);
    return NB_PROTOCOL_NOT_FOUND;
}

static int move(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    uint64_t id = (uint64_t)arg[ID].number;
    struct move_row row;
    int rc = nb_rpc_check_worker(rpc, &arg[TO], err);

    if (rc)
        return rc;
    rc = nb_runtime_move(rpc->runtime, id, (unsigned)arg[TO].number, &row.report);
    if (rc == -ENOENT)
        return no_flow(id, err);
    if (rc < 0) {
        nb_error_set(err, 0, "flow %" PRIu64 " stays on worker %u: %s", id, row.report.from, row.report.why);
        return NB_PROTOCOL_FAILED;
    }
    row.duration_us = row.report.served_us - row.report.asked_us;
    row.frozen_us = row.report.served_us - row.report.frozen_us;
    row.settled_us = row.report.settled_us - row.report.asked_us;
    json_object_object_add(result, "move", nb_fields_show(move_fields, &row));
    return 0;
}

static int set_pin(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, bool on,
                   struct nb_error *err)
{
    uint64_t id = (uint64_t)arg[ID].number;
    int rc = nb_runtime_pin(rpc->runtime, id, on);

    if (rc == -ENOENT)
        return no_flow(id, err);
    if (rc < 0) {
        nb_error_set(err, 0, "flow %" PRIu64 ": its worker has ended", id);
        return NB_PROTOCOL_FAILED;
    }
    json_object_object_add(result, "pinned", json_object_new_boolean(on));
    return 0;
}

static int pin(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    return set_pin(rpc, arg, result, true, err);
}

static int unpin(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    return set_pin(rpc, arg, result, false, err);
}

static const struct nb_result move_results[] = {{"move", "move", move_fields, "what became of it"}, {0}};
static const struct nb_result pin_results[] = {
    {"pinned", "true or false", NULL, "whether the operator keeps it where it is"},
    {0},
};

const struct nb_rpc_method nb_move_methods[] = {
    {"flow.move", NB_RIGHT_OPERATOR, move, move_params, move_results,
     "Have another worker own a live flow. Nothing of it is lost. Fails, and changes nothing, when the flow is pinned "
     "or "
     "busy, or the worker has no room for it."},
    {"flow.pin", NB_RIGHT_OPERATOR, pin, pin_params, pin_results, "Keep a flow on its worker."},
    {"flow.unpin", NB_RIGHT_OPERATOR, unpin, pin_params, pin_results, "Let it move again."},
    {0},
};
