/* steering_orders.c - what operators do to rules as a whole: flush, resume, restart a port, look at every flow again.
 */
#include <errno.h>

#include "steering_core.h"

#define RESTORE_WAIT_US 10000000 /* a port that is restarted under load may always have something due */

static struct nb_steering_port *busy_port(struct nb_steering *s)
{
    for (unsigned i = 0; i < s->n_ports; i++)
        if (nb_planner_due_us(s->port[i].planner) == 0)
            return &s->port[i];
    return NULL;
}

int nb_steering_flush(struct nb_steering *s, struct nb_error *err)
{
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    s->paused = true;
    for (unsigned i = 0; i < s->n_ports; i++)
        nb_planner_pause(s->port[i].planner);
    do
        nb__steering_ask_for_turn(s);
    while (s->paused && busy_port(s));
    for (unsigned i = 0; i < s->n_ports && !rc && s->paused; i++)
        if (nb_table_used(s->port[i].table))
            rc = nb_error_set(err, -EIO, "%u rules could not be removed: %s", nb_table_used(s->port[i].table),
                              s->port[i].last_error.text);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Take the port's rules out, and wait until they are. */
static int empty_port(struct nb_steering *s, struct nb_steering_port *port, struct nb_error *err)
{
    nb_planner_pause(port->planner);
    do
        nb__steering_ask_for_turn(s);
    while (nb_planner_due_us(port->planner) == 0);
    if (nb_table_used(port->table))
        return nb_error_set(err, -EIO, "port %u: %u rules could not be removed, so it is not restarted: %s",
                            port->index, nb_table_used(port->table), port->last_error.text);
    return 0;
}

/* Drivers lose masks (ixgbe) or rules (mlx5) when a port stops, so every rule goes before and comes back after
 * (nic-facts A.5, B.6, C). Flows are served by rss or software meanwhile. Rules that take longer than RESTORE_WAIT_US
 * to come back do so without anybody waiting. */
int nb_steering_port_restart(struct nb_steering *s, unsigned index, struct nb_error *err)
{
    int rc;

    if (index >= s->n_ports)
        return nb_error_set(err, -ENOENT, "no port %u; accepted: 0 to %u", index, s->n_ports - 1);
    pthread_mutex_lock(&s->lock);
    struct nb_steering_port *port = &s->port[index];
    if (port->restarting) {
        pthread_mutex_unlock(&s->lock);
        return nb_error_set(err, -EBUSY, "port %u is being restarted", index);
    }
    port->restarting = true;
    rc = empty_port(s, port, err);
    pthread_mutex_unlock(&s->lock);

    if (!rc)
        rc = nb_runtime_port_restart(s->rt, index, err);
    pthread_mutex_lock(&s->lock);
    port->restarting = false;
    uint64_t until_us = s->world.now_us() + RESTORE_WAIT_US;
    if (!s->paused)
        nb_planner_resume(port->planner, s->world.now_us());
    do
        nb__steering_ask_for_turn(s);
    while (!s->paused && nb_planner_due_us(port->planner) == 0 && s->world.now_us() < until_us);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void nb_steering_resume(struct nb_steering *s)
{
    pthread_mutex_lock(&s->lock);
    s->paused = false;
    for (unsigned i = 0; i < s->n_ports; i++)
        if (!s->port[i].restarting)
            nb_planner_resume(s->port[i].planner, s->world.now_us());
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void nb_steering_resync(struct nb_steering *s)
{
    pthread_mutex_lock(&s->lock);
    s->resync.wanted = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}
