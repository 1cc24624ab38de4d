/* commands.h - what `nicsim ctl` can ask: one line in, one answer out.
 */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

#include "sim.h"

/* The longest line is a frame to inject, in hexadecimal. */
#define SIM_COMMAND_MAX (2 * SIM_FRAME_MAX + 64)

/* What an answer has to wait for. */
struct sim_awaited {
    struct sim *sim;
    enum sim_await what;
};

/* Run a command line and return its whole answer, malloc'd: "ok" or "error: WHY", then the command's own lines. The
 * trace and captures are flushed first. "port N ..." is about another port of s's program. NULL when the answer has to
 * wait for *awaited to come (`wait started`): then it is "ok". Takes the lock. */
char *sim_command_run(struct sim *s, const char *line, struct sim_awaited *awaited);

#endif
