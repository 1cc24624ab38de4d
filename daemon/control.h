/* control.h - the control socket: clients, lines, rights; what the lines mean is rpc.h's business.
 *
 * Order of life: nb_control_claim before anything else is started (a second daemon ends there), nb_control_open when
 * there is something to ask, nb_control_run until a signal comes, nb_control_free. One thread.
 */
#ifndef NB_DAEMON_CONTROL_H
#define NB_DAEMON_CONTROL_H

#include <stdint.h>

#include "config.h"
#include "rpc.h"

#define NB_CONTROL_CLIENTS_MAX  64    /* 64 KiB of request and 1 MiB of answer each: 68 MiB at the very worst */
#define NB_CONTROL_VIEWERS_MAX  48    /* the other places are kept for operators */
#define NB_CONTROL_STALL_MAX_MS 30000 /* a client that has read nothing for so long does not get the rest */
#define NB_CONTROL_RETRY_MS     1000  /* after accept() ran out of descriptors */

struct nb_control;

/* Make `path` ours, creating its folder if that is missing: lock it against other daemons, remove the socket of a dead
 * predecessor. -EBUSY with "already running (pid N)" when it is another's. */
int nb_control_claim(const char *path, struct nb_control **control, struct nb_error *err);

/* The path that was claimed, and that of the file which says so. */
const char *nb_control_path(const struct nb_control *control);
const char *nb_control_lock_file(const struct nb_control *control);

/* Listen. What rpc and operators point to must stay. */
int nb_control_open(struct nb_control *control, const struct nb_rpc *rpc, const struct nb_config_operators *operators,
                    struct nb_error *err);

/* Serve until signal_fd (signalfd(2)) has one; returns its number, or a negative errno. */
int nb_control_run(struct nb_control *control, int signal_fd);

/* One turn of that: wait at most timeout_ms (-1: for ever) and serve what is there. Returns 0, a signal's number or a
 * negative errno. */
int nb_control_turn(struct nb_control *control, int timeout_ms);

/* Milliseconds of a monotonic clock, asked after every wait; CLOCK_MONOTONIC unless a test sets another. */
void nb_control_set_clock(struct nb_control *control, uint64_t (*clock)(void));

unsigned nb_control_clients(const struct nb_control *control);

/* Disconnect everybody, remove socket and lock. NULL is fine. */
void nb_control_free(struct nb_control *control);

#endif
