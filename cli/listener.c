/* listener.c - netbypassctl listener. */
#include "command.h"

static const struct nb_column listener_view[] = {
    {"LOCAL", "local", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"APP", "app", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"DISTRIBUTE", "distribute", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"ACCEPTING", "accepting", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MODULE", "module", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {0},
};

const struct nb_command nb_listener_commands[] = {
    {.name = "list",
     .method = "listener.list",
     .result = "listeners",
     .view = listener_view,
     .help = "Addresses and ports where connections are accepted, by which workers."},
    {0},
};
