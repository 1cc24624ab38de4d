/* config.c - defaults and checks of the runtime configuration: everything that can be said without touching a device.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_common.h>

#include "../net/port.h"
#include "../wire/ipv4.h"
#include "../wire/ipv6.h"
#include "config.h"

#define BBR_LOSS_PERCENT_MAX 50u /* half of what is sent: beyond it nothing would be congestion */

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
        .send_buffer_bytes = 4 << 20,
        .recv_buffer_bytes = 16 << 20,
        .mbufs = 8192,
        .memory_pressure = 50,
        .memory_high = 75,
    };
    config->idle_sleep_us = 100;
}

struct nb_address_text nb__address_text(uint8_t family, const struct nb_addr *address)
{
    struct nb_address_text t;

    inet_ntop(family == NB_FAMILY_IPV6 ? AF_INET6 : AF_INET, address->word, t.text, sizeof t.text);
    return t;
}

/* --- ports ---------------------------------------------------------------------------------------------------------
 */

static unsigned family_bits(uint8_t family)
{
    return family == NB_FAMILY_IPV6 ? 128 : 32;
}

/* Can a host have this address, in this network? */
static bool is_for_host(const struct nb_port_address *a)
{
    const struct nb_route r = {.address = a->address.word[0], .netmask = nb_netmask(RTE_MIN(a->prefix_bits, 32u))};

    if (a->family == NB_FAMILY_IPV6)
        return !nb_ipv6_is_martian(&a->address);
    return !(a->address.word[1] | a->address.word[2] | a->address.word[3]) && !nb_ipv4_is_martian(r.address) &&
           !nb_route_is_broadcast(&r, r.address);
}

static int check_address(const struct nb_port_config *p, const struct nb_port_address *a, struct nb_error *err)
{
    if (a->family != NB_FAMILY_IPV4 && a->family != NB_FAMILY_IPV6)
        return nb_error_set(err, -EAFNOSUPPORT, "port %s: an address of family %u: 4 and 6 are accepted", p->device,
                            a->family);
    if (a->prefix_bits > family_bits(a->family))
        return nb_error_set(err, -EINVAL, "port %s: prefix of %u bits: 0 to %u are accepted", p->device, a->prefix_bits,
                            family_bits(a->family));
    if (!is_for_host(a))
        return nb_error_set(err, -EINVAL, "port %s: %s/%u is no address for a host", p->device,
                            nb__address_text(a->family, &a->address).text, a->prefix_bits);
    if (a->family == NB_FAMILY_IPV6 && nb__config_mtu(p) < NB_IPV6_MTU_MIN)
        return nb_error_set(err, -EINVAL, "port %s: MTU %u: IPv6 needs %u at least (RFC 8200 section 5)", p->device,
                            nb__config_mtu(p), NB_IPV6_MTU_MIN);
    return 0;
}

/* Its addresses as the network layer will have them; which MAC address it is does not matter here. */
static int read_addresses(const struct nb_port_config *p, struct nb_net_port *net, struct nb_error *err)
{
    if (p->n_addresses < 1 || p->n_addresses > NB_PORT_ADDRESSES_MAX)
        return nb_error_set(err, -EINVAL, "port %s: %u addresses: 1 to %u are accepted", p->device, p->n_addresses,
                            NB_PORT_ADDRESSES_MAX);
    for (unsigned i = 0; i < p->n_addresses; i++) {
        int rc = check_address(p, &p->address[i], err);

        if (rc < 0)
            return rc;
        nb_net_port_add(net, p->address[i].family, &p->address[i].address, p->address[i].prefix_bits);
    }
    return 0;
}

/* Are all its addresses alone in their networks? Then the gateway is a neighbour by decree, as clouds do it. */
static bool is_lone(const struct nb_port_config *p, uint8_t family)
{
    for (unsigned i = 0; i < p->n_addresses; i++)
        if (p->address[i].family == family && p->address[i].prefix_bits < family_bits(family))
            return false;
    return true;
}

static int check_gateway(const struct nb_port_config *p, const struct nb_net_port *net, uint8_t family,
                         struct nb_error *err)
{
    const struct nb_addr *gateway = family == NB_FAMILY_IPV4 ? &p->gateway : &p->gateway6;

    if (nb_addr_is_zero(gateway) || (nb_net_port_speaks(net, family) && is_lone(p, family)) ||
        nb_net_port_is_neighbour(net, family, gateway))
        return 0;
    return nb_error_set(err, -EINVAL, "port %s: gateway %s is not a neighbour in any of its networks", p->device,
                        nb__address_text(family, gateway).text);
}

/* The port before this one that has the address already. */
static const struct nb_port_config *owner_of(const struct nb_runtime_config *config, unsigned before,
                                             const struct nb_port_address *a)
{
    for (unsigned i = 0; i < before; i++)
        for (unsigned k = 0; k < config->port[i].n_addresses; k++)
            if (config->port[i].address[k].family == a->family &&
                nb_addr_equal(&config->port[i].address[k].address, &a->address))
                return &config->port[i];
    return NULL;
}

static int check_differs(const struct nb_runtime_config *config, unsigned i, struct nb_error *err)
{
    const struct nb_port_config *p = &config->port[i], *other;

    for (unsigned k = 0; k < i; k++)
        if (strcmp(config->port[k].device, p->device) == 0)
            return nb_error_set(err, -EINVAL, "port %s: named twice", p->device);
    for (unsigned k = 0; k < p->n_addresses; k++)
        if ((other = owner_of(config, i, &p->address[k])))
            return nb_error_set(err, -EINVAL, "port %s: port %s has address %s already", p->device, other->device,
                                nb__address_text(p->address[k].family, &p->address[k].address).text);
    return 0;
}

static int check_port(const struct nb_runtime_config *config, unsigned i, struct nb_error *err)
{
    const struct nb_port_config *p = &config->port[i];
    struct nb_net_port net = {0};
    int rc;

    if (!p->device[0] || !memchr(p->device, 0, sizeof p->device))
        return nb_error_set(err, -EINVAL, "port %u: no device named", i);
    if (p->mtu_bytes && (p->mtu_bytes < NB_MTU_MIN || p->mtu_bytes > NB_MTU_MAX))
        return nb_error_set(err, -EINVAL, "port %s: MTU %u: %u to %u bytes are accepted", p->device, p->mtu_bytes,
                            NB_MTU_MIN, NB_MTU_MAX);
    if (p->vlan > NB_VLAN_MAX)
        return nb_error_set(err, -EINVAL, "port %s: VLAN %u: 1 to %u are accepted, 0 is none", p->device, p->vlan,
                            NB_VLAN_MAX);
    rc = read_addresses(p, &net, err);
    if (rc == 0)
        rc = check_differs(config, i, err);
    if (rc == 0)
        rc = check_gateway(p, &net, NB_FAMILY_IPV4, err);
    return rc == 0 ? check_gateway(p, &net, NB_FAMILY_IPV6, err) : rc;
}

/* --- the rest ------------------------------------------------------------------------------------------------------
 */

static int check_listener(const struct nb_runtime_config *config, unsigned i, struct nb_error *err)
{
    const struct nb_listener_config *l = &config->listener[i];
    const struct nb_port_address a = {.address = l->address, .family = nb__config_family(l)};

    if (!l->app || !l->app->name)
        return nb_error_set(err, -EINVAL, "listener %u: no application", i);
    if (l->app->abi != NB_APP_ABI)
        return nb_error_set(err, -EINVAL, "application %s: built for interface version %u, this is version %u",
                            l->app->name, l->app->abi, NB_APP_ABI);
    if (!l->tcp_port && !l->app->on_connected)
        return nb_error_set(err, -EINVAL, "application %s: nowhere to listen, and it makes no connections",
                            l->app->name);
    if (l->distribution == NB_DISTRIBUTE_APPLICATION && !l->app->choose_worker)
        return nb_error_set(err, -EINVAL,
                            "application %s does not choose workers for its connections; accepted: home, least_loaded, "
                            "round_robin",
                            l->app->name);
    if (nb_addr_is_zero(&a.address) || owner_of(config, config->n_ports, &a))
        return 0;
    return nb_error_set(err, -EADDRNOTAVAIL, "listener %s: %s is not the address of a port", l->app->name,
                        nb__address_text(a.family, &a.address).text);
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

static int check_choices(const struct nb_tcp_choices *c, struct nb_error *err)
{
    if (c->bbr_loss_percent > BBR_LOSS_PERCENT_MAX)
        return nb_error_set(err, -EINVAL, "tcp: BBR's loss tolerance of %u %% is above %u", c->bbr_loss_percent,
                            BBR_LOSS_PERCENT_MAX);
    if (c->congestion_control > NB_CONGESTION_BBR || c->slow_start > NB_SLOW_START_PLAIN || c->ecn > NB_ECN_ACCURATE_WHEN_ASKED ||
        c->window_validation > NB_VALIDATE_PIPE_ACK)
        return nb_error_set(err, -EINVAL,
                            "tcp: congestion control %d, slow start %d, ECN %d or window validation %d is not one of "
                            "runtime.h",
                            (int)c->congestion_control, (int)c->slow_start, (int)c->ecn, (int)c->window_validation);
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
    if (l->memory_high > NB_MEMORY_HIGH_MAX || (l->memory_high && l->memory_pressure > l->memory_high))
        return nb_error_set(
            err, -EINVAL, "limits: memory_pressure %u and memory_high %u: percents in this order up to %u are accepted",
            l->memory_pressure, l->memory_high, NB_MEMORY_HIGH_MAX);
    return 0;
}

int nb__config_check(const struct nb_runtime_config *config, struct nb_error *err)
{
    int rc = check_counts(config, err);

    if (rc == 0)
        rc = check_choices(&config->tcp, err);
    for (unsigned i = 0; rc == 0 && i < config->n_ports; i++)
        rc = check_port(config, i, err);
    for (unsigned i = 0; rc == 0 && i < config->n_listeners; i++)
        rc = check_listener(config, i, err);
    return rc == 0 ? check_cpus(config, err) : rc;
}
