/* rebalance.c - netbypassctl rebalance: what would be moved, and moving it, with a bar that shows how far it is. */
#include "command.h"

#include <inttypes.h>
#include <unistd.h>

#include <json-c/json.h>

#define BAR 40 /* characters */

static const struct nb_column worker_view[] = {
    {"WORKER", "worker", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"BEFORE", "before_permille", nb_format_permille, NB_RIGHT, NB_ALWAYS},
    {"AFTER", "after_permille", nb_format_permille, NB_RIGHT, NB_ALWAYS},
    {0},
};

static const struct nb_column move_view[] = {
    {"MOVE", "kind", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"FLOW", "flow", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"PORT", "port", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"BUCKET", "bucket", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"FROM", "from", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"TO", "to", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LOAD", "load_permille", nb_format_permille, NB_RIGHT, NB_ALWAYS},
    {0},
};

static const struct nb_column result_view[] = {
    {"MOVED", "moved", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"BUCKETS", "buckets", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REFUSED", "refused", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MIN", "min_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"AVG", "avg_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"P99", "p99_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"MAX", "max_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"PARKED", "parked", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"FORWARDED", "forwarded", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LOST", "lost", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REORDERED", "reordered", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"WHY", "why", nb_format_plain, NB_LEFT, NB_STATS},
    {0},
};

static const struct nb_column status_view[] = {
    {"AUTO", "auto", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"SPREAD", "spread_permille", nb_format_permille, NB_RIGHT, NB_ALWAYS},
    {"THRESHOLD%", "threshold_percent", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"INTERVAL-MS", "interval_ms", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LOOKS", "looks", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"PLANS", "plans", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MOVED", "moved", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"BUCKETS", "buckets", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REFUSED", "refused", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LOST", "lost", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REORDERED", "reordered", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {0},
};

/* --- showing -------------------------------------------------------------------------------------------------------
 */

static void show_list(struct nb_output *output, const struct nb_column *view, struct json_object *list)
{
    output->view = view;
    output->ops->begin(output);
    output->ops->rows(output, list);
    output->ops->end(output);
}

/* Two tables for people; for programs the answer as it is. */
static int show_plan(struct nb_output *output, struct json_object *plan, struct nb_error *err)
{
    struct json_object *workers = nb_member(plan, "workers"), *moves = nb_member(plan, "moves");

    if (!json_object_is_type(workers, json_type_array) || !json_object_is_type(moves, json_type_array)) {
        nb_error_set(err, 0, "netbypassd's answer has no workers or moves");
        return NB_EXIT_UNREACHABLE;
    }
    if (output->options.json) {
        output->ops->object(output, plan);
        return NB_EXIT_OK;
    }
    show_list(output, worker_view, workers);
    fputc('\n', output->out);
    if (json_object_array_length(moves) == 0)
        fputs("nothing to move\n", output->out);
    else
        show_list(output, move_view, moves);
    return NB_EXIT_OK;
}

static int run_plan(const struct nb_command *command, struct nb_client *client, struct json_object *params,
                    struct nb_output *output, struct nb_error *err)
{
    struct json_object *plan = NULL;
    int rc = nb_client_call(client, command->method, params, &plan, err);

    if (!rc)
        rc = show_plan(output, plan, err);
    json_object_put(plan);
    return rc;
}

/* --- moving --------------------------------------------------------------------------------------------------------
 */

/* On a terminal, how far it is; the line is overwritten again and again, and at last by nothing. */
static void draw_bar(const struct nb_output *output, uint64_t done, uint64_t total)
{
    unsigned filled = total ? (unsigned)(done < total ? done * BAR / total : BAR) : BAR;

    if (output->options.json || !isatty(fileno(output->out)))
        return;
    fprintf(output->out, "\r[");
    for (unsigned i = 0; i < BAR; i++)
        fputc(i < filled ? '#' : ' ', output->out);
    fprintf(output->out, "] %" PRIu64 "/%" PRIu64, done, total);
    if (done >= total)
        fprintf(output->out, "\r\033[K");
    fflush(output->out);
}

/* Have all of a plan carried out, a portion a call. *result is what came of it. */
static int carry_out(struct nb_client *client, struct json_object *id, const struct nb_output *output,
                     struct json_object **result, struct nb_error *err)
{
    uint64_t done, total;
    int rc;

    do {
        struct json_object *params = json_object_new_object();

        json_object_put(*result);
        *result = NULL;
        json_object_object_add(params, "plan", json_object_get(id));
        rc = nb_client_call(client, "rebalance.apply", params, result, err);
        done = rc ? 0 : json_object_get_uint64(nb_member(*result, "result.done"));
        total = rc ? 0 : json_object_get_uint64(nb_member(*result, "result.total"));
        if (!rc)
            draw_bar(output, done, total);
    } while (done < total);
    return rc;
}

static int show_result(struct nb_output *output, struct json_object *result, struct nb_error *err)
{
    struct json_object *row = nb_member(result, "result"), *list;

    if (!json_object_is_type(row, json_type_object)) {
        nb_error_set(err, 0, "netbypassd's answer has no result");
        return NB_EXIT_UNREACHABLE;
    }
    if (output->options.json) {
        output->ops->object(output, row);
    } else {
        list = json_object_new_array();
        json_object_array_add(list, json_object_get(row));
        show_list(output, result_view, list);
        json_object_put(list);
    }
    if (json_object_get_uint64(nb_member(row, "refused")) == 0)
        return NB_EXIT_OK;
    nb_error_set(err, 0, "%" PRIu64 " stay where they are, the last one because: %s",
                 json_object_get_uint64(nb_member(row, "refused")), json_object_get_string(nb_member(row, "why")));
    return NB_EXIT_PARTIAL;
}

static int run_apply(const struct nb_command *command, struct nb_client *client, struct json_object *params,
                     struct nb_output *output, struct nb_error *err)
{
    struct json_object *plan = NULL, *result = NULL;
    int rc = nb_client_call(client, command->method, params, &plan, err);

    if (!rc && !output->options.json) {
        rc = show_plan(output, plan, err);
        fputc('\n', output->out);
    }
    if (!rc)
        rc = carry_out(client, nb_member(plan, "plan"), output, &result, err);
    if (!rc)
        rc = show_result(output, result, err);
    json_object_put(plan);
    json_object_put(result);
    return rc;
}

static const struct nb_word plan_words[] = {{"over", "over_ms", .number = true, .value = "MS"}, {0}};
static const struct nb_word auto_words[] = {{NULL, "state", .required = true, .value = "on|off"}, {0}};

const struct nb_command nb_rebalance_commands[] = {
    {.name = "dry-run",
     .method = "rebalance.plan",
     .words = plan_words,
     .run = run_plan,
     .help = "How busy workers are, what would be moved to make them even, and how busy they would be then. For "
             "operators."},
    {.name = "apply",
     .method = "rebalance.plan",
     .words = plan_words,
     .run = run_apply,
     .help = "Plan, and carry it out. For operators."},
    {.name = "auto",
     .method = "rebalance.auto",
     .words = auto_words,
     .said = "done",
     .help = "Have it done all the time, or no longer. For operators."},
    {.name = "show",
     .method = "rebalance.show",
     .result = "rebalance",
     .view = status_view,
     .help = "What the rebalancer does and has done."},
    {0},
};
