/* stats.c - netbypassctl stats. */
#include "command.h"

static const struct nb_column stats_view[] = {
    {"COUNTER", "name", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"VALUE", "value", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"COUNTS", "help", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {0},
};

static const struct nb_word show_words[] = {{"worker", "worker", .number = true, .value = "WORKER"}, {0}};

const struct nb_command nb_stats_commands[] = {
    {.name = "show",
     .method = "stats",
     .words = show_words,
     .result = "counters",
     .view = stats_view,
     .help = "Every counter over all workers, or of one."},
    {0},
};
