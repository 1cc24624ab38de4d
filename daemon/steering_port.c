/* steering_port.c - plans of one port become rules in its NIC. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "steering_port.h"

#define RFS_HEADROOM 64 /* places of a kernel-owned NIC's table that its accelerated RFS may use */

/* AF_XDP: the kernel's driver takes the rules, so it is the one that matters. One that takes none is fine too. */
static void look_into_kernel(struct nb_steering_port *port, const struct nb_ethtool_api *api, struct nb_device *device)
{
    char interface[sizeof device->interface];
    struct nb_error err;

    memcpy(interface, device->interface, sizeof interface);
    if (nb_ethtool_describe(interface, api, RFS_HEADROOM, port->kernel_driver, device, &err) ||
        (nb_profile_for_device(device)->n_engines && nb_ethtool_set_ntuple(interface, api, true, &err))) {
        nb_log(NB_LOG_WARNING, "port %u: no steering rules: %s", port->index, err.text);
        *device = (struct nb_device){.driver = ""};
    }
    memcpy(device->interface, interface, sizeof interface);
}

static struct nb_backend *make_backend(const struct nb_steering_port *port, const struct nb_port_info *info,
                                       const struct nb_device *device, const struct nb_steering_apis *api,
                                       struct nb_error *err)
{
    struct nb_backend *backend;

    if (port->profile.dialect == NB_DIALECT_ETHTOOL)
        return nb_backend_ethtool_new(device->interface, &port->profile, &api->ethtool, err);
    backend = nb_backend_rte_flow_new(info->port_id, info->queues, &port->profile, &api->rte_flow);
    if (!backend)
        nb_error_set(err, -ENOMEM, "port %u: no memory for its rules", port->index);
    return backend;
}

int nb__steering_port_open(struct nb_steering_port *port, uint16_t index, const struct nb_port_info *info,
                           const struct nb_device *device, const struct nb_planner_config *config,
                           const struct nb_steering_apis *api, uint64_t seed, int64_t *next_rule_id,
                           struct nb_error *err)
{
    struct nb_device known = *device;

    *port = (struct nb_steering_port){.index = index};
    if (known.interface[0])
        look_into_kernel(port, &api->ethtool, &known);
    nb_profile_probe(&known, &port->profile);
    port->table = nb_table_new(&port->profile, seed, next_rule_id);
    if (port->table)
        port->planner = nb_planner_new(&port->profile, port->table, config);
    if (!port->planner) {
        nb__steering_port_close(port);
        return nb_error_set(err, -ENOMEM, "port %u: no memory for its steering table", index);
    }
    port->backend = make_backend(port, info, &known, api, err);
    if (!port->backend) {
        nb__steering_port_close(port);
        return -EIO;
    }
    nb_log(NB_LOG_INFO, "port %u (%s): steering profile %s", index, info->device, port->profile.name);
    return 0;
}

void nb__steering_port_close(struct nb_steering_port *port)
{
    if (port->backend)
        port->backend->ops->free(port->backend);
    nb_planner_free(port->planner);
    nb_table_free(port->table);
    *port = (struct nb_steering_port){0};
}

/* The log gets the 1st, 2nd, 4th, 8th ... refusal: enough to know, and a NIC in trouble does not flood it. */
static void report(struct nb_steering_port *port, const struct nb_op *op, const struct nb_error *err)
{
    char rule[NB_RULE_TEXT_BYTES];

    port->last_error = *err;
    port->refusals++;
    if (port->refusals & (port->refusals - 1))
        return;
    nb_rule_print(&op->entry->rule, rule, sizeof rule);
    nb_log(NB_LOG_WARNING, "%s: %s (%llu such refusals so far)", rule, err->text, (unsigned long long)port->refusals);
}

/* Carry out one operation, without the lock: the entry stays as it is until nb_planner_done. */
static int carry_out(struct nb_steering_port *port, const struct nb_op *op, void **handle, struct nb_error *err)
{
    const struct nb_backend_ops *ops = port->backend->ops;

    switch (op->kind) {
    case NB_OP_CREATE:
        return ops->create(port->backend, &op->entry->rule, handle, err);
    case NB_OP_DESTROY:
        return ops->destroy(port->backend, &op->entry->rule, op->entry->handle, err);
    case NB_OP_UPDATE:
        return ops->update(port->backend, &op->entry->rule, op->entry->handle, op->queue, err);
    }
    return -EINVAL;
}

unsigned nb__steering_port_apply(struct nb_steering_port *port, pthread_mutex_t *lock, uint64_t now_us, unsigned max)
{
    unsigned n = 0;
    struct nb_op op;

    for (; n < max && nb_planner_next(port->planner, now_us, &op); n++) {
        struct nb_error err = {0};
        void *handle = NULL;
        pthread_mutex_unlock(lock);
        int result = carry_out(port, &op, &handle, &err);
        pthread_mutex_lock(lock);
        if (result)
            report(port, &op, &err);
        nb_planner_done(port->planner, &op, result, handle, now_us);
    }
    return n;
}

void nb__steering_port_count(struct nb_steering_port *port, pthread_mutex_t *lock)
{
    for (unsigned i = 0; i < port->profile.n_engines; i++) {
        pthread_mutex_unlock(lock);
        int64_t used = nb_backend_device_used(port->backend, port->profile.engine[i].engine);
        pthread_mutex_lock(lock);
        port->device_used[i] = used;
    }
}
