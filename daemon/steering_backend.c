/* steering_backend.c - through what a port's rules go: what the configuration says, or what fits the port.
 *
 * A port whose NIC the kernel owns (AF_XDP) is steered through ethtool, any other through rte_flow. Verbs rules end at
 * RAW_PACKET queue pairs, and steer nothing unless those are what the workers poll: DPDK's drivers keep theirs to
 * themselves, so only a program that brings its own can choose verbs. What was chosen by name and does not work is an
 * error, what was chosen by us is a port without rules.
 */
#include <errno.h>
#include <string.h>

#include <net/if.h>

#include "log.h"
#include "steering_port.h"

#define RFS_HEADROOM 64 /* places of a kernel-owned NIC's table that its accelerated RFS may use */

static const char *const way_name[] = {[NB_RULES_AUTO] = "auto",
                                       [NB_RULES_RTE_FLOW] = "rte_flow",
                                       [NB_RULES_ETHTOOL] = "ethtool",
                                       [NB_RULES_VERBS] = "verbs",
                                       [NB_RULES_NONE] = "none"};

static int refuse(const struct nb_steering_port *port, enum nb_rules_through way, const char *why, struct nb_error *err)
{
    return nb_error_set(err, -ENOTSUP, "port %u: rules_through: %s: %s; accepted for it: auto, none", port->index,
                        way_name[way], why);
}

/* The kernel's driver takes the rules, so it is the one that matters. */
static int look_into_kernel(struct nb_steering_port *port, const struct nb_ethtool_api *api, struct nb_device *device,
                            struct nb_error *err)
{
    char interface[sizeof device->interface];
    int rc;

    memcpy(interface, device->interface, sizeof interface);
    rc = nb_ethtool_describe(interface, api, RFS_HEADROOM, port->kernel_driver, device, err);
    if (!rc && nb_profile_for_device(device)->n_engines)
        rc = nb_ethtool_set_ntuple(interface, api, true, err);
    memcpy(device->interface, interface, sizeof interface);
    return rc;
}

static void without_rules(struct nb_device *device)
{
    *device = (struct nb_device){.driver = ""};
}

static int choose_ethtool(struct nb_steering_port *port, const struct nb_steering_apis *api, struct nb_device *device,
                          struct nb_error *err)
{
    if (!device->interface[0])
        return refuse(port, NB_RULES_ETHTOOL, "the kernel does not own its NIC (only AF_XDP leaves it that)", err);
    int rc = look_into_kernel(port, &api->ethtool, device, err);
    if (rc)
        return rc;
    if (!nb_profile_for_device(device)->n_engines)
        return refuse(port, NB_RULES_ETHTOOL, "its kernel driver takes no rules that we know of", err);
    return 0;
}

static int choose_auto(struct nb_steering_port *port, const struct nb_steering_apis *api, struct nb_device *device)
{
    struct nb_error err;

    if (device->interface[0] && look_into_kernel(port, &api->ethtool, device, &err)) {
        nb_log(NB_LOG_WARNING, "port %u: no steering rules: %s", port->index, err.text);
        without_rules(device);
    }
    return 0;
}

static int choose(struct nb_steering_port *port, const struct nb_port_info *info, const struct nb_steering_apis *api,
                  struct nb_device *device, struct nb_error *err)
{
    enum nb_dialect dialect = nb_profile_for_device(device)->dialect;

    switch (api->through) {
    case NB_RULES_AUTO:
        return choose_auto(port, api, device);
    case NB_RULES_RTE_FLOW:
        if (dialect != NB_DIALECT_RTE_FLOW && dialect != NB_DIALECT_RTE_FLOW_ASYNC)
            return refuse(port, NB_RULES_RTE_FLOW, "its driver takes no rules that we know of", err);
        return 0;
    case NB_RULES_ETHTOOL:
        return choose_ethtool(port, api, device, err);
    case NB_RULES_VERBS:
        if (!api->verbs || api->verbs->n < info->queues)
            return refuse(port, NB_RULES_VERBS, "its workers poll no RAW_PACKET queue pairs that rules could name",
                          err);
        *device = (struct nb_device){.driver = "verbs", .queues = (uint16_t)api->verbs->n};
        return 0;
    case NB_RULES_NONE:
        without_rules(device);
        return 0;
    }
    return -EINVAL;
}

int nb__steering_choose(struct nb_steering_port *port, const struct nb_port_info *info,
                        const struct nb_steering_apis *api, struct nb_device *device, struct nb_error *err)
{
    int rc = choose(port, info, api, device, err);

    if (!rc)
        nb_profile_probe(device, &port->profile);
    return rc;
}

/* Rules that the kernel keeps are remembered in a file, for the run after a crash. */
static struct nb_backend *make_ethtool_backend(const struct nb_steering_port *port, const struct nb_device *device,
                                               const struct nb_steering_apis *api, struct nb_error *err)
{
    bool remembers = api->state_folder && *api->state_folder;
    struct nb_backend *backend;
    char memory[256];

    snprintf(memory, sizeof memory, "%s/ethtool-%s.rules", remembers ? api->state_folder : "", device->interface);
    backend = nb_backend_ethtool_new(device->interface, &port->profile, &api->ethtool, remembers ? memory : NULL, err);
    if (backend && nb_backend_ethtool_cleaned(backend))
        nb_log(NB_LOG_NOTICE, "port %u (%s): %u rules that a former run left were deleted", port->index,
               device->interface, nb_backend_ethtool_cleaned(backend));
    return backend;
}

struct nb_backend *nb__steering_backend(const struct nb_steering_port *port, const struct nb_port_info *info,
                                        const struct nb_device *device, const struct nb_steering_apis *api,
                                        struct nb_error *err)
{
    struct nb_backend *backend;

    if (port->profile.dialect == NB_DIALECT_ETHTOOL)
        return make_ethtool_backend(port, device, api, err);
    if (port->profile.dialect == NB_DIALECT_VERBS)
        backend = nb_backend_verbs_new(api->verbs, &port->profile);
    else if (port->profile.dialect == NB_DIALECT_RTE_FLOW_ASYNC)
        backend = nb_backend_rte_flow_async_new(info->port_id, info->queues, &port->profile, &api->templates);
    else
        backend = nb_backend_rte_flow_new(info->port_id, info->queues, &port->profile, &api->rte_flow);
    if (!backend)
        nb_error_set(err, -ENOMEM, "port %u: no memory for its rules", port->index);
    return backend;
}
