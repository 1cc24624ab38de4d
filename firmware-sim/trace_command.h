/* trace_command.h - `nicsim ctl trace ...`: where to, what kinds, about what. */
#ifndef SIM_TRACE_COMMAND_H
#define SIM_TRACE_COMMAND_H

#include "sim.h"

#define SIM_TRACE_SYNTAX "to FILE|on|off [frames|registers|remarks ...] [" SIM_TRACE_FILTER_SYNTAX " ...]"

/* Locked. argv[0] is "trace". 0 or -errno with words. */
int sim_trace_command(struct sim *s, int argc, char **argv, struct sim_error *err);

/* " off", or what is traced: " frames queue=3". */
void sim_trace_describe(const struct sim_trace *t, FILE *out);

#endif
