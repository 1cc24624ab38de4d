/* main.c - netbypassd: what is started, in order, and ended in reverse. Everything else is a library
 * (build/lib/daemon.a), which a program that wants to own its process can use in the same way. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps.h"
#include "config.h"
#include "control.h"
#include "dpdk.h"
#include "log.h"
#include "options.h"
#include "rebalance.h"
#include "signals.h"

enum { EXIT_CONFIG = 2 };

struct daemon {
    struct nb_options options;
    struct nb_config *config;
    struct nb_runtime_config plan;
    struct nb_control *control;
    struct nb_runtime *runtime;
    struct nb_steering *steering;
    struct nb_rebalancer *rebalancer;
    struct nb_rpc rpc;
    int signal_fd;
    bool dpdk;
};

/* What needs no NIC: mistakes in here are the configuration's. */
static int prepare(struct daemon *d, struct nb_error *err)
{
    int rc = nb_config_load(d->options.config_file, &d->config, err);

    if (rc)
        return rc;
    nb_log_set_level((enum nb_log_level)d->config->log);
    rc = nb_apps_load(d->config, err);
    if (!rc)
        rc = nb_config_runtime(d->config, &d->plan, err);
    d->plan.before_start = nb_steering_prepare_port;
    return rc;
}

/* What must outlive a crash lies beside the control socket, whose lock says that there is no second of us. */
static void remember_beside_socket(struct daemon *d)
{
    const char *path = nb_control_path(d->control), *slash = strrchr(path, '/');
    char *folder = d->config->steering.state_folder;

    snprintf(folder, NB_STEERING_FOLDER_MAX, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

static int start(struct daemon *d, struct nb_error *err)
{
    const char *path = d->options.socket ? d->options.socket : d->config->control_socket;
    int rc;

    if ((rc = d->signal_fd = nb_signals_open(err)) < 0 || (rc = nb_control_claim(path, &d->control, err)) ||
        (rc = nb_signals_starting(nb_control_lock_file(d->control), err)) ||
        (rc = nb_dpdk_start(d->config, d->plan.n_workers, err)))
        return rc;
    d->dpdk = true;
    remember_beside_socket(d);
    if ((rc = nb_runtime_start(&d->plan, &d->runtime, err)) ||
        (rc = nb_steering_start(d->runtime, &d->config->steering, &d->steering, err)) ||
        (rc = nb_rebalance_start(d->runtime, d->steering, &d->config->rebalance, &d->rebalancer, err)))
        return rc;
    d->rpc = (struct nb_rpc){d->runtime, d->steering, d->config, d->rebalancer};
    return nb_control_open(d->control, &d->rpc, &d->config->operators, err);
}

static int serve(struct daemon *d, struct nb_error *err)
{
    printf("netbypassd: ready, workers %u, ports %u, control socket %s\n", d->plan.n_workers, d->plan.n_ports,
           nb_control_path(d->control));
    fflush(stdout);
    if (d->options.ready_fd >= 0) {
        (void)!write(d->options.ready_fd, "ready\n", 6); /* who does not listen does not want to know */
        close(d->options.ready_fd);
    }
    int rc = nb_control_run(d->control, d->signal_fd);
    nb_log(NB_LOG_NOTICE, "ending: %s", rc > 0 ? strsignal(rc) : strerror(-rc));
    return rc > 0 ? 0 : nb_error_set(err, rc, "control socket: %s", strerror(-rc));
}

static void stop(struct daemon *d)
{
    nb_signals_started();
    nb_control_free(d->control);
    if (d->rebalancer)
        nb_rebalance_stop(d->rebalancer);
    if (d->steering)
        nb_steering_stop(d->steering);
    if (d->runtime)
        nb_runtime_stop(d->runtime);
    if (d->dpdk)
        nb_dpdk_stop();
    if (d->config)
        nb_apps_unload(d->config);
    nb_config_free(d->config);
}

int main(int argc, char **argv)
{
    static struct daemon d;
    struct nb_error err = {0};
    int rc = nb_options_read(argc, argv, &d.options, &err), failure = EXIT_CONFIG;

    if (rc > 0)
        return EXIT_SUCCESS;
    if (!rc && !(rc = prepare(&d, &err)) && !d.options.test_only) {
        failure = EXIT_FAILURE;
        if (!(rc = start(&d, &err))) {
            nb_signals_started();
            rc = serve(&d, &err);
        }
    }
    stop(&d);
    if (rc)
        fprintf(stderr, "netbypassd: %s\n", err.text);
    else if (d.options.test_only)
        printf("%s: accepted\n", d.options.config_file);
    return rc ? failure : EXIT_SUCCESS;
}
