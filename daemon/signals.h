/* signals.h - SIGINT, SIGTERM and SIGHUP end netbypassd, all alike, at any time. */
#ifndef NB_DAEMON_SIGNALS_H
#define NB_DAEMON_SIGNALS_H

#include <netbypass/error.h>

/* Block them in this thread and in all that will be made, and return a signalfd(2) for the control loop. Call before
 * there is another thread. Negative errno with *err on failure. */
int nb_signals_open(struct nb_error *err);

/* Until nb_signals_started: a signal ends the process at once, after removing the file (NULL: none). Starting takes
 * seconds, mostly inside a driver, and nobody should have to wait for that. */
int nb_signals_starting(const char *file, struct nb_error *err);
void nb_signals_started(void);

#endif
