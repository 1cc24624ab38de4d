/* version.c - netbypassctl version. */
#include "command.h"

const struct nb_command nb_version_commands[] = {
    {.name = "show",
     .method = "version",
     .result = "version",
     .help = "Releases of netbypassd and DPDK, version of the control protocol."},
    {0},
};
