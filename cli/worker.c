/* worker.c - netbypassctl worker. */
#include "command.h"

#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>

static uint64_t number(struct json_object *row, const char *path)
{
    return json_object_get_uint64(nb_member(row, path));
}

/* The share of its time that it had work. */
static void format_busy(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX])
{
    uint64_t busy = number(row, "busy_us"), all = busy + number(row, "idle_us");

    (void)value;
    snprintf(out, NB_CELL_MAX, "%.1f%%", all ? 100.0 * (double)busy / (double)all : 0.0);
}

/* Every counter whose name says that something was dropped. */
static void format_drops(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX])
{
    uint64_t drops = 0;

    (void)row;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, count)
        {
            if (strncmp(name, "drop_", 5) == 0)
                drops += json_object_get_uint64(count);
        }
    }
    snprintf(out, NB_CELL_MAX, "%" PRIu64, drops);
}

static const struct nb_column worker_view[] = {
    {"WORKER", "worker", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"CPU", "cpu", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"FLOWS", "flows", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"HALF-OPEN", "half_open", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"TIME-WAIT", "time_wait", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LOAD", "load_permille", nb_format_permille, NB_RIGHT, NB_ALWAYS},
    {"BUSY", "busy_us", format_busy, NB_RIGHT, NB_ALWAYS},
    {"RX", "counters.rx_packets", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"TX", "counters.tx_packets", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"FORWARDED", "counters.forwarded_out", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MISDIRECTED", "counters.misdirected", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"DROPS", "counters", format_drops, NB_RIGHT, NB_ALWAYS},
    {"ACCEPTED", "counters.connections_accepted", nb_format_plain, NB_RIGHT, NB_STATS},
    {"RETR", "counters.retransmitted", nb_format_plain, NB_RIGHT, NB_STATS},
    {"RST-TX", "counters.rst_sent", nb_format_plain, NB_RIGHT, NB_STATS},
    {"RST-RX", "counters.rst_received", nb_format_plain, NB_RIGHT, NB_STATS},
    {"SLEEPS", "sleeps", nb_format_plain, NB_RIGHT, NB_STATS},
    {0},
};

static const struct nb_word list_words[] = {{"worker", "worker", .number = true, .value = "WORKER"}, {0}};

static const struct nb_word drain_words[] = {
    {NULL, "worker", .number = true, .required = true, .value = "WORKER"},
    {0},
};

const struct nb_column nb_moved_view[] = {
    {"WORKER", "worker", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MOVED", "moved", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REFUSED", "refused", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LEFT", "left", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LONGEST", "longest_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"FORWARDED", "forwarded", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"PARKED", "parked", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LOST", "lost", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REORDERED", "reordered", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"WHY", "why", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {0},
};

const struct nb_command nb_worker_commands[] = {
    {.name = "list",
     .method = "worker.list",
     .words = list_words,
     .result = "workers",
     .view = worker_view,
     .help = "Workers, or one of them; with -d every counter."},
    {.name = "drain",
     .method = "worker.drain",
     .words = drain_words,
     .result = "drain",
     .view = nb_moved_view,
     .help = "Move everything away from a worker, live."},
    {.name = "resume",
     .method = "worker.resume",
     .words = drain_words,
     .said = "resumed",
     .help = "Let new connections come to it again."},
    {0},
};
