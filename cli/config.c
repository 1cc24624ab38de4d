/* config.c - netbypassctl config. */
#include "command.h"

const struct nb_command nb_config_commands[] = {
    {.name = "show",
     .method = "config.show",
     .result = "config",
     .help = "Every key with its value, defaults filled in; with -j it is itself a configuration."},
    {0},
};
