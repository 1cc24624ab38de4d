/* steering_port.c - plans of one port become rules in its NIC. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "steering_port.h"

#define BATCH        32 /* operations that a device gets at once, where it takes several */
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

static struct nb_backend *make_backend(const struct nb_steering_port *port, const struct nb_port_info *info,
                                       const struct nb_device *device, const struct nb_steering_apis *api,
                                       struct nb_error *err)
{
    struct nb_backend *backend;

    if (port->profile.dialect == NB_DIALECT_ETHTOOL)
        return make_ethtool_backend(port, device, api, err);
    if (port->profile.dialect == NB_DIALECT_RTE_FLOW_ASYNC)
        backend = nb_backend_rte_flow_async_new(info->port_id, info->queues, &port->profile, &api->templates);
    else
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

/* An operation on its way to the device; the entry stays as it is until nb_planner_done. */
struct step {
    struct nb_op op;
    struct nb_backend_job job;
};

static void carry_out(struct nb_steering_port *port, struct step *step)
{
    const struct nb_backend_ops *ops = port->backend->ops;
    struct nb_backend_job *job = &step->job;

    switch (step->op.kind) {
    case NB_OP_CREATE:
        job->result = ops->create(port->backend, job->rule, &job->handle, &job->err);
        return;
    case NB_OP_DESTROY:
        job->result = ops->destroy(port->backend, job->rule, job->handle, &job->err);
        return;
    case NB_OP_UPDATE:
        job->result = ops->update(port->backend, job->rule, job->handle, step->op.queue, &job->err);
        return;
    }
}

/* What is due, as much as the backend takes at once. Operations that are due together do not depend on each other. */
static unsigned take_steps(struct nb_steering_port *port, uint64_t now_us, struct step *step, unsigned max)
{
    unsigned n = 0, most = port->backend->ops->batch ? BATCH : 1;

    for (; n < max && n < most && nb_planner_next(port->planner, now_us, &step[n].op); n++)
        step[n].job = (struct nb_backend_job){.destroy = step[n].op.kind == NB_OP_DESTROY,
                                              .rule = &step[n].op.entry->rule,
                                              .handle = step[n].op.entry->handle};
    return n;
}

/* Without the lock: the device may take its time. */
static void carry_out_all(struct nb_steering_port *port, struct step *step, unsigned n)
{
    struct nb_backend_job job[BATCH];

    if (!port->backend->ops->batch) {
        for (unsigned i = 0; i < n; i++)
            carry_out(port, &step[i]);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        job[i] = step[i].job;
    port->backend->ops->batch(port->backend, job, n);
    for (unsigned i = 0; i < n; i++)
        step[i].job = job[i];
}

unsigned nb__steering_port_apply(struct nb_steering_port *port, pthread_mutex_t *lock, uint64_t now_us, unsigned max)
{
    struct step step[BATCH];
    unsigned done = 0, n;

    for (; done < max && (n = take_steps(port, now_us, step, max - done)); done += n) {
        pthread_mutex_unlock(lock);
        carry_out_all(port, step, n);
        pthread_mutex_lock(lock);
        for (unsigned i = 0; i < n; i++) {
            if (step[i].job.result)
                report(port, &step[i].op, &step[i].job.err);
            nb_planner_done(port->planner, &step[i].op, step[i].job.result, step[i].job.handle, now_us);
        }
    }
    return done;
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
