/* runtime_reta.c - the indirection table of a port changes, with all workers and the NIC; the steps are explained in
 * reta.c. A change is a list of steps, each done by one worker after the other; a caller that is a test may do
 * something between any two.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine.h"

#define RETRY_NS    50000   /* a worker that has not finished a step is asked again */
#define QUIET_US    2000000 /* flows that are on the move have settled by then, or there is something wrong */
#define DRAIN_US    100000  /* a queue that cannot be emptied, for want of buffers, is not waited for longer */
#define CLASSIFY_US 1000    /* more than any NIC takes from choosing a queue to memory; segments wait for it */

/* True: this worker is done. */
typedef bool step_fn(struct nb_worker *w, struct nb_reta_change *c);

static bool begin(struct nb_worker *w, struct nb_reta_change *c)
{
    nb__reta_begin(w, c->port, c->reta, c->n);
    return true;
}

static bool quiet(struct nb_worker *w, struct nb_reta_change *c)
{
    if (!nb__moves_on_port(w, c->port))
        return true;
    if (!c->quiet_by_us)
        c->quiet_by_us = w->now_us + QUIET_US;
    if (w->now_us >= c->quiet_by_us)
        c->rc = -EBUSY;
    return c->rc < 0;
}

static bool announce(struct nb_worker *w, struct nb_reta_change *c)
{
    return c->rc < 0 || nb__reta_announce(w, c->port);
}

/* Nothing, but a call is served after the mail was read: whatever was sent is known now. */
static bool read_mail(struct nb_worker *w, struct nb_reta_change *c)
{
    (void)w, (void)c;
    return true;
}

static bool hold(struct nb_worker *w, struct nb_reta_change *c)
{
    nb__reta_hold(w, c->port);
    return true;
}

static bool ask_to_drain(struct nb_worker *w, struct nb_reta_change *c)
{
    nb__fence_drain(w, c->port, c->written_us + CLASSIFY_US);
    return true;
}

static bool drain(struct nb_worker *w, struct nb_reta_change *c)
{
    return nb__fence_drained(w, c->port) || w->now_us >= c->written_us + DRAIN_US;
}

static bool end(struct nb_worker *w, struct nb_reta_change *c)
{
    if (c->rc == 0)
        nb__reta_switch(w, c->port);
    else
        nb__reta_abandon(w, c->port);
    return true;
}

static bool release(struct nb_worker *w, struct nb_reta_change *c)
{
    nb__reta_release(w, c->port);
    return true;
}

static bool clean(struct nb_worker *w, struct nb_reta_change *c)
{
    return nb__reta_clean(w, c->port);
}

/* NULL: the NIC's turn. */
static step_fn *const steps[] = {begin, quiet,     announce, read_mail, hold,      NULL,  ask_to_drain,
                                 drain, read_mail, end,      release,   read_mail, clean, read_mail};

static void write_table(struct nb_reta_change *c)
{
    struct nb_runtime *rt = c->rt;

    pthread_mutex_lock(&rt->lock);
    if (c->rc == 0)
        c->rc = nb_port_set_reta(&rt->port[c->port], c->reta, c->n, c->err);
    else
        nb_error_set(c->err, c->rc, "port %u: flows are on the move, and do not settle", c->port);
    pthread_mutex_unlock(&rt->lock);
    c->written_us = nb__now_us(rt);
}

static void call(struct nb_worker *w, void *arg)
{
    struct nb_reta_change *c = arg;

    c->done = steps[c->step](w, c);
    nb__ring_doorbells(w);
}

int nb__reta_change_init(struct nb_reta_change *c, struct nb_runtime *rt, unsigned port, const uint16_t *queue,
                         unsigned n, struct nb_error *err)
{
    if (port >= rt->n_ports)
        return nb_error_set(err, -ENOENT, "port %u: there are %u ports, 0 to %u", port, rt->n_ports, rt->n_ports - 1);
    *c = (struct nb_reta_change){.rt = rt, .port = port, .n = n, .err = err};
    memcpy(c->reta, queue, RTE_MIN(n, (unsigned)NB_RETA_MAX) * sizeof queue[0]);
    return nb_port_check_reta(&rt->port[port], queue, n, err);
}

/* A worker that is gone has nothing to do. */
bool nb__reta_change_step(struct nb_reta_change *c)
{
    c->done = true;
    if (!steps[c->step]) {
        write_table(c);
        c->step++;
        return false;
    }
    if (nb_runtime_call(c->rt, c->worker, call, c) < 0)
        c->done = true;
    if (c->done && ++c->worker == c->rt->n_workers) {
        c->worker = 0;
        c->step++;
    }
    return c->step == RTE_DIM(steps);
}

int nb_runtime_set_reta(struct nb_runtime *rt, unsigned port, const uint16_t *queue, unsigned n, struct nb_error *err)
{
    const struct timespec pause = {.tv_nsec = RETRY_NS};
    struct nb_reta_change c;
    int rc = nb__reta_change_init(&c, rt, port, queue, n, err);

    if (rc < 0)
        return rc;
    while (!nb__reta_change_step(&c))
        if (!c.done && rt->threaded)
            nanosleep(&pause, NULL);
        else if (!c.done)
            nb__engine_step(rt, nb__now_us(rt) + 1);
    return c.rc;
}
