/* options.c - see options.h. */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>

#include <netbypass/version.h>

#include "config.h"

enum { READY_FD = 256, HELP_CONFIG };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 'S'},
    {"test", no_argument, NULL, 't'},         {"ready-fd", required_argument, NULL, READY_FD},
    {"help", no_argument, NULL, 'h'},         {"help-config", no_argument, NULL, HELP_CONFIG},
    {"version", no_argument, NULL, 'V'},      {0},
};

static const char usage_text[] = "usage: netbypassd [OPTIONS]\n"
                                 "\n"
                                 "  -c, --config FILE  configuration (" NB_CONFIG_DEFAULT_FILE ")\n"
                                 "  -S, --socket PATH  control socket, instead of the configuration's\n"
                                 "  -t, --test         check the configuration and exit\n"
                                 "      --ready-fd N   write a line to file descriptor N, and close it, when serving\n"
                                 "      --help-config  every key of the configuration, with its meaning\n"
                                 "  -h, --help         this text\n"
                                 "  -V, --version      release\n"
                                 "\n"
                                 "Exit status: 0 ended by a signal, 1 failure, 2 usage or configuration.\n";

/* A descriptor that the caller has opened for us, not one that a file of ours will get by chance. */
static int read_ready_fd(const char *text, int *fd, struct nb_error *err)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end || end == text || value <= STDERR_FILENO || value > INT32_MAX ||
        fcntl((int)value, F_SETFD, FD_CLOEXEC) != 0)
        return nb_error_set(err, -EINVAL, "--ready-fd %.40s: accepted: the number of an open file descriptor above 2",
                            text);
    *fd = (int)value;
    return 0;
}

int nb_options_read(int argc, char **argv, struct nb_options *options, struct nb_error *err)
{
    int c, rc = 0;

    *options = (struct nb_options){.config_file = NB_CONFIG_DEFAULT_FILE, .ready_fd = -1};
    optind = 0; /* as glibc wants it for another argv */
    opterr = 0;
    while (!rc && (c = getopt_long(argc, argv, ":c:S:thV", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            options->config_file = optarg;
            break;
        case 'S':
            options->socket = optarg;
            break;
        case 't':
            options->test_only = true;
            break;
        case READY_FD:
            rc = read_ready_fd(optarg, &options->ready_fd, err);
            break;
        case 'h':
            fputs(usage_text, stdout);
            return 1;
        case HELP_CONFIG:
            nb_config_help(stdout);
            return 1;
        case 'V':
            puts("netbypassd " NB_VERSION);
            return 1;
        default:
            rc = nb_error_set(err, -EINVAL, "%s %.40s; try --help",
                              c == ':' ? "a value is missing after" : "unknown option", argv[optind - 1]);
        }
    }
    if (!rc && optind < argc)
        rc = nb_error_set(err, -EINVAL, "unexpected argument %.40s; try --help", argv[optind]);
    return rc;
}
