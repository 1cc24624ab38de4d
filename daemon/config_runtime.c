/* config_runtime.c - from the configuration to what the data plane is started with. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* With one worker nothing of what this program is for can be seen: flows have no second owner to be brought to. */
#define AUTO_WORKERS_MIN 2

struct cpus {
    int cpu[CPU_SETSIZE];
    unsigned n;
};

static int usable_cpus(struct cpus *cpus, struct nb_error *err)
{
    cpu_set_t set;

    cpus->n = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return nb_error_set(err, -errno, "cannot ask for the CPUs this process may use: %s", strerror(errno));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            cpus->cpu[cpus->n++] = cpu;
    return 0;
}

static bool usable(const struct cpus *cpus, int cpu)
{
    for (unsigned i = 0; i < cpus->n; i++)
        if (cpus->cpu[i] == cpu)
            return true;
    return false;
}

static unsigned count_workers(const struct nb_config *c, const struct cpus *cpus)
{
    unsigned n = c->workers ? c->workers : c->n_cpus ? c->n_cpus : cpus->n;

    if (!c->workers && !c->n_cpus && n < AUTO_WORKERS_MIN)
        n = AUTO_WORKERS_MIN;
    return n < NB_MAX_WORKERS ? n : NB_MAX_WORKERS;
}

/* The configured CPUs; else the usable ones in order; else none is pinned, and the scheduler shares out what there is.
 */
static int place_workers(const struct nb_config *c, struct nb_runtime_config *rt, struct nb_error *err)
{
    struct cpus cpus;
    int rc = usable_cpus(&cpus, err);

    if (rc)
        return rc;
    rt->n_workers = count_workers(c, &cpus);
    for (unsigned i = 0; i < rt->n_workers; i++) {
        rt->cpu[i] = c->n_cpus ? c->cpu[i] : rt->n_workers <= cpus.n ? cpus.cpu[i] : -1;
        if (rt->cpu[i] >= 0 && !usable(&cpus, rt->cpu[i]))
            return nb_error_set(err, -EINVAL, "%s: cpus: this process may not use CPU %d (it may use %u, %d to %d)",
                                c->file, rt->cpu[i], cpus.n, cpus.cpu[0], cpus.cpu[cpus.n - 1]);
    }
    return 0;
}

static void set_port(const struct nb_config_port *from, struct nb_port_config *to)
{
    const struct nb_prefix *has[NB_PORT_ADDRESSES_MAX];

    memcpy(to->device, from->device, sizeof to->device);
    to->n_addresses = nb_config_addresses(from, has);
    for (unsigned i = 0; i < to->n_addresses; i++)
        to->address[i] = (struct nb_port_address){
            .address = has[i]->address, .family = has[i]->family, .prefix_bits = has[i]->bits};
    to->gateway = from->gateway;
    to->gateway6 = from->gateway6.address;
    to->asks_routers = from->gateway6.automatic;
    to->vlan = from->vlan;
    to->mtu_bytes = from->mtu;
    to->rx_descriptors = from->rx_descriptors;
    to->tx_descriptors = from->tx_descriptors;
    to->software_checksums = from->software_checksums;
}

static void add_listener(const struct nb_config_app *app, const struct nb_endpoint *at, struct nb_runtime_config *rt)
{
    rt->listener[rt->n_listeners++] = (struct nb_listener_config){
        .address = at->address,
        .family = at->family,
        .tcp_port = at->port,
        .app = app->app,
        .options = app->option,
        .n_options = app->n_options,
        .distribution = app->distribution,
    };
}

/* An application that listens nowhere has one instance all the same. */
static void add_listeners(const struct nb_config_app *app, struct nb_runtime_config *rt)
{
    const struct nb_endpoint nowhere = {.port = 0};

    for (unsigned i = 0; i < app->n_listen; i++)
        add_listener(app, &app->listen[i], rt);
    if (!app->n_listen)
        add_listener(app, &nowhere, rt);
}

int nb_config_runtime(const struct nb_config *config, struct nb_runtime_config *runtime, struct nb_error *err)
{
    nb_runtime_config_init(runtime);
    int rc = place_workers(config, runtime, err);
    if (rc)
        return rc;
    runtime->n_ports = config->n_ports;
    for (unsigned i = 0; i < config->n_ports; i++)
        set_port(&config->port[i], &runtime->port[i]);
    runtime->n_listeners = 0;
    for (unsigned i = 0; i < config->n_apps; i++)
        add_listeners(&config->app[i], runtime);
    runtime->limits = config->limits;
    runtime->tcp = config->tcp;
    runtime->idle_sleep_us = config->idle_sleep_us;
    return 0;
}
