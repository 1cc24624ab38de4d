/* config.c - defaults and checks of the runtime configuration: everything that can be said without touching a device.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "../net/route.h"
#include "../wire/ipv4.h"
#include "config.h"

void nb_runtime_config_init(struct nb_runtime_config *config)
{
    memset(config, 0, sizeof *config);
    config->n_workers = 1;
    for (unsigned i = 0; i < NB_MAX_WORKERS; i++)
        config->cpu[i] = -1;
    config->limits = (struct nb_limits){
        .connections = 16384,
        .time_wait = 16384,
        .half_open = 4096,
        .send_buffer_bytes = 256 * 1024,
        .recv_buffer_bytes = 256 * 1024,
        .mbufs = 8192,
    };
    config->idle_sleep_us = 100;
}

struct nb_address_text nb__address_text(uint32_t address)
{
    struct nb_address_text t;
    uint32_t a = rte_be_to_cpu_32(address);

    snprintf(t.text, sizeof t.text, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    return t;
}

static int check_address(const struct nb_port_config *p, const struct nb_route *r, struct nb_error *err)
{
    if (p->prefix_bits > 32)
        return nb_error_set(err, -EINVAL, "port %s: prefix of %u bits: 0 to 32 are accepted", p->device,
                            p->prefix_bits);
    if (p->address.word[1] | p->address.word[2] | p->address.word[3])
        return nb_error_set(err, -EAFNOSUPPORT, "port %s: the address is not IPv4", p->device);
    if (nb_ipv4_is_martian(r->address) || nb_route_is_broadcast(r, r->address))
        return nb_error_set(err, -EINVAL, "port %s: %s/%u is no address for a host", p->device,
                            nb__address_text(r->address).text, p->prefix_bits);
    if (r->gateway && p->prefix_bits < 32 &&
        (!nb_route_on_link(r, r->gateway) || r->gateway == r->address || nb_route_is_broadcast(r, r->gateway)))
        return nb_error_set(err, -EINVAL, "port %s: gateway %s is not a neighbour of %s/%u", p->device,
                            nb__address_text(r->gateway).text, nb__address_text(r->address).text, p->prefix_bits);
    return 0;
}

static int check_port(const struct nb_runtime_config *config, unsigned i, struct nb_error *err)
{
    const struct nb_port_config *p = &config->port[i];
    const struct nb_route r = {.address = p->address.word[0],
                               .netmask = nb_netmask(RTE_MIN(p->prefix_bits, 32u)),
                               .gateway = p->gateway.word[0]};

    if (!p->device[0] || !memchr(p->device, 0, sizeof p->device))
        return nb_error_set(err, -EINVAL, "port %u: no device named", i);
    if (p->mtu_bytes && (p->mtu_bytes < NB_MTU_MIN || p->mtu_bytes > NB_MTU_MAX))
        return nb_error_set(err, -EINVAL, "port %s: MTU %u: %u to %u bytes are accepted", p->device, p->mtu_bytes,
                            NB_MTU_MIN, NB_MTU_MAX);
    for (unsigned k = 0; k < i; k++) {
        if (strcmp(config->port[k].device, p->device) == 0)
            return nb_error_set(err, -EINVAL, "port %s: named twice", p->device);
        if (config->port[k].address.word[0] == p->address.word[0])
            return nb_error_set(err, -EINVAL, "port %s: port %s has address %s already", p->device,
                                config->port[k].device, nb__address_text(r.address).text);
    }
    return check_address(p, &r, err);
}

static int check_listener(const struct nb_runtime_config *config, unsigned i, struct nb_error *err)
{
    const struct nb_listener_config *l = &config->listener[i];
    uint32_t address = l->address.word[0];

    if (!l->app || !l->app->name)
        return nb_error_set(err, -EINVAL, "listener %u: no application", i);
    if (l->app->abi != NB_APP_ABI)
        return nb_error_set(err, -EINVAL, "application %s: built for interface version %u, this is version %u",
                            l->app->name, l->app->abi, NB_APP_ABI);
    if (!l->tcp_port && !l->app->on_connected)
        return nb_error_set(err, -EINVAL, "application %s: nowhere to listen, and it makes no connections",
                            l->app->name);
    for (unsigned k = 0; address && k < config->n_ports; k++)
        if (config->port[k].address.word[0] == address)
            return 0;
    if (address)
        return nb_error_set(err, -EADDRNOTAVAIL, "listener %s: %s is not the address of a port", l->app->name,
                            nb__address_text(address).text);
    return 0;
}

static void list_cpus(const cpu_set_t *set, char *out, size_t n)
{
    size_t at = 0;

    out[0] = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && at < n; cpu++)
        if (CPU_ISSET(cpu, set))
            at += (size_t)snprintf(out + at, n - at, "%s%d", at ? ", " : "", cpu);
}

static int check_cpus(const struct nb_runtime_config *config, struct nb_error *err)
{
    char cpus[256];
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 0; /* more CPUs than cpu_set_t knows: pinning itself will tell */
    for (unsigned i = 0; i < config->n_workers; i++) {
        int cpu = config->cpu[i];

        if (cpu == -1 || (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set)))
            continue;
        list_cpus(&set, cpus, sizeof cpus);
        return nb_error_set(err, -EINVAL, "worker %u: CPU %d is not ours to use; these are: %s", i, cpu, cpus);
    }
    return 0;
}

static int check_counts(const struct nb_runtime_config *config, struct nb_error *err)
{
    const struct nb_limits *l = &config->limits;

    if (config->n_workers < 1 || config->n_workers > NB_MAX_WORKERS)
        return nb_error_set(err, -EINVAL, "%u workers: 1 to %u are accepted", config->n_workers, NB_MAX_WORKERS);
    if (config->n_ports < 1 || config->n_ports > NB_MAX_PORTS)
        return nb_error_set(err, -EINVAL, "%u ports: 1 to %u are accepted", config->n_ports, NB_MAX_PORTS);
    if (config->n_listeners > NB_MAX_LISTENERS)
        return nb_error_set(err, -EINVAL, "%u listeners: at most %u are accepted", config->n_listeners,
                            NB_MAX_LISTENERS);
    if (!l->connections || !l->half_open || !l->send_buffer_bytes || !l->recv_buffer_bytes || !l->mbufs)
        return nb_error_set(err, -EINVAL,
                            "limits: connections, half_open, send_buffer, recv_buffer and mbufs must be above 0");
    return 0;
}

int nb__config_check(const struct nb_runtime_config *config, struct nb_error *err)
{
    int rc = check_counts(config, err);

    for (unsigned i = 0; rc == 0 && i < config->n_ports; i++)
        rc = check_port(config, i, err);
    for (unsigned i = 0; rc == 0 && i < config->n_listeners; i++)
        rc = check_listener(config, i, err);
    return rc == 0 ? check_cpus(config, err) : rc;
}
