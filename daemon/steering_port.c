/* steering_port.c - plans of one port become rules in its NIC. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "steering_port.h"

#define BATCH 32 /* operations that a device gets at once, where it takes several */

int nb__steering_port_open(struct nb_steering_port *port, uint16_t index, const struct nb_port_info *info,
                           const struct nb_device *device, const struct nb_planner_config *config,
                           const struct nb_steering_apis *api, uint64_t seed, int64_t *next_rule_id,
                           struct nb_error *err)
{
    struct nb_device known = *device;

    *port = (struct nb_steering_port){.index = index};
    int rc = nb__steering_choose(port, info, api, &known, err);
    if (rc)
        return rc;
    port->table = nb_table_new(&port->profile, seed, next_rule_id);
    if (port->table)
        port->planner = nb_planner_new(&port->profile, port->table, config);
    if (!port->planner) {
        nb__steering_port_close(port);
        return nb_error_set(err, -ENOMEM, "port %u: no memory for its steering table", index);
    }
    port->backend = nb__steering_backend(port, info, &known, api, err);
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
    bool way_changes;
    struct nb_way way;
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
        for (unsigned i = 0; i < n; i++)
            step[i].way_changes = nb__steering_way_opens(port, &step[i].op, &step[i].way);
        carry_out_all(port, step, n);
        for (unsigned i = 0; i < n; i++)
            if (step[i].way_changes)
                nb__steering_way_opened(port, &step[i].way);
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
