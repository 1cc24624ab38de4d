/* control.h - the simulator's control socket: what `nicsim ctl` talks to.
 *
 * A stream Unix socket. A connection carries one command, a line of words; the answer is a line "ok" or "error: WHY",
 * then the command's own lines, then the end of the stream. Served by the engine's thread between its rounds, so a
 * command sees a simulator at rest. Before an answer is sent the trace is flushed: what happened before a command was
 * answered is in the trace file.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "sim.h"

#include <poll.h>

#define SIM_CONTROL_CLIENTS  8 /* more wait in the socket's backlog */
#define SIM_CONTROL_POLL_MAX (1 + SIM_CONTROL_CLIENTS)

struct sim_control;

/* listen_fd is taken over; -1 for a control that nobody can reach. NULL when there is no memory. */
struct sim_control *sim_control_new(struct sim *s, int listen_fd);
void sim_control_free(struct sim_control *c);

/* What to poll for; room for SIM_CONTROL_POLL_MAX. Returns how many. */
unsigned sim_control_poll_set(const struct sim_control *c, struct pollfd *p);

/* Serve what the poll found, given the same array. */
void sim_control_serve(struct sim_control *c, const struct pollfd *p, unsigned n);

/* Answer those who wait for something that has come. */
void sim_control_news(struct sim_control *c);

#endif
