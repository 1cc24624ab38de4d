/* options.h - netbypassd's command line. */
#ifndef NB_DAEMON_OPTIONS_H
#define NB_DAEMON_OPTIONS_H

#include <stdbool.h>

#include <netbypass/error.h>

struct nb_options {
    const char *config_file;
    const char *socket; /* NULL: the configuration's, or the usual one */
    int ready_fd;       /* -1: none */
    bool test_only;
};

/* Returns 0 to go on, 1 when all was done that was asked for (--help and such, printed on stdout), or a negative errno
 * with words in *err. */
int nb_options_read(int argc, char **argv, struct nb_options *options, struct nb_error *err);

#endif
