/* fault_command.h - `nicsim ctl fault ...`: what shall go wrong, and how often it has. */
#ifndef SIM_FAULT_COMMAND_H
#define SIM_FAULT_COMMAND_H

#include "sim.h"

#include <stdio.h>

#define SIM_FAULT_SYNTAX                                                                                               \
    "[loss|reorder|duplicate|corrupt PERCENT [rx|tx] | delay MS [JITTER] [rx|tx] | link-flap DOWN_MS UP_MS|off | "     \
    "table-full N|off | table-slow US|off | queue-stall Q|off | reset | seed N | off]"

/* Locked. argv[0] is "fault"; with no more words, the list. 0 or -errno with words. */
int sim_fault_command(struct sim *s, int argc, char **argv, FILE *out, struct sim_error *err);

#endif
