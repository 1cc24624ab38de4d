/* runtime.c - the data plane's public face: start, stop, and what control threads may ask.
 *
 * Starting is in stages, so that nothing runs before everything is known to work: the engine is opened, every worker is
 * made on its own thread (applications may refuse), then the ports start, then the workers are let go.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "engine.h"

#define TX_DRAIN_US                                                                                                    \
    10000 /* after the last reset was given to a port: a full ring of full frames takes 600 us at 10 Gb/s */
#define FLOWS_PER_CALL 64 /* copied between two bursts: some ten microseconds */

/* --- starting and stopping -----------------------------------------------------------------------------------------
 */

static int create_thread(struct nb_runtime *rt, unsigned i, struct nb_error *err)
{
    struct nb_worker_thread *t = &rt->thread[i];
    pthread_attr_t attr;
    char name[16];
    int rc;

    *t = (struct nb_worker_thread){.rt = rt, .index = (uint16_t)i, .phase = NB_THREAD_STARTING};
    pthread_attr_init(&attr);
    if (rt->config.cpu[i] >= 0) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(rt->config.cpu[i], &set);
        pthread_attr_setaffinity_np(&attr, sizeof set, &set);
    }
    rc = pthread_create(&t->thread, &attr, nb__thread_main, t);
    pthread_attr_destroy(&attr);
    if (rc)
        return nb_error_set(err, -rc, "worker %u: no thread on CPU %d: %s", i, rt->config.cpu[i], strerror(rc));
    t->created = true;
    snprintf(name, sizeof name, "nb-worker-%u", t->index);
    pthread_setname_np(t->thread, name);
    return 0;
}

/* Until every thread has made its worker, or one could not. */
static int await_workers(struct nb_runtime *rt, struct nb_error *err)
{
    int rc = 0;

    pthread_mutex_lock(&rt->lock);
    for (unsigned i = 0; i < rt->n_workers; i++) {
        struct nb_worker_thread *t = &rt->thread[i];

        while (t->phase == NB_THREAD_STARTING)
            pthread_cond_wait(&rt->changed, &rt->lock);
        if (rc == 0 && t->phase == NB_THREAD_FAILED) {
            rc = t->err.code ? t->err.code : -EIO;
            if (err)
                *err = t->err;
        }
    }
    pthread_mutex_unlock(&rt->lock);
    return rc;
}

static void let_workers_go(struct nb_runtime *rt)
{
    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_call_desk_open(&rt->desk[i]);
    pthread_mutex_lock(&rt->lock);
    rt->wanted = NB_THREAD_RUNNING;
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
}

static void stop_threads(struct nb_runtime *rt)
{
    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_call_desk_close(&rt->desk[i]);
    pthread_mutex_lock(&rt->lock);
    atomic_store(&rt->stopping, true);
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_post_ring(rt->post, i, UINT64_C(1) << i);
    for (unsigned i = 0; i < rt->n_workers; i++)
        if (rt->thread[i].created)
            pthread_join(rt->thread[i].thread, NULL);
}

int nb_runtime_start(const struct nb_runtime_config *config, struct nb_runtime **out, struct nb_error *err)
{
    struct nb_error own = {0};
    struct nb_runtime *rt = NULL;
    int rc;

    err = err ? err : &own;
    rc = nb__engine_open(config, &rt, err);
    if (rc < 0)
        return rc;
    rt->threaded = true;
    for (unsigned i = 0; rc == 0 && i < rt->n_workers; i++)
        rc = create_thread(rt, i, err);
    if (rc == 0)
        rc = await_workers(rt, err);
    if (rc == 0)
        rc = nb__engine_start_ports(rt, err);
    if (rc < 0) {
        stop_threads(rt);
        nb__engine_close(rt);
        return rc;
    }
    let_workers_go(rt);
    *out = rt;
    return 0;
}

void nb_runtime_stop(struct nb_runtime *rt)
{
    stop_threads(rt);
    usleep(TX_DRAIN_US);
    nb__engine_close(rt);
}

uint64_t nb_runtime_not_accepting(const struct nb_runtime *rt, unsigned listener)
{
    uint64_t workers = 0;

    for (unsigned i = 0; i < rt->n_workers; i++)
        workers |= (atomic_load_explicit(&rt->board->line[i].paused, memory_order_relaxed) >> listener & 1) << i;
    return workers;
}

unsigned nb_runtime_worker_count(const struct nb_runtime *rt)
{
    return rt->n_workers;
}

unsigned nb_runtime_port_count(const struct nb_runtime *rt)
{
    return rt->n_ports;
}

/* --- asking --------------------------------------------------------------------------------------------------------
 */

int nb_runtime_call(struct nb_runtime *rt, unsigned worker, void (*fn)(struct nb_worker *w, void *arg), void *arg)
{
    if (worker >= rt->n_workers)
        return -ESHUTDOWN;
    if (rt->threaded)
        return nb_call(&rt->desk[worker], rt->post, worker, fn, arg);
    for (unsigned i = 0; i < rt->n_workers; i++) {
        if (rt->n_workers > 1)
            nb_lend_enter(rt->lending, i);
        nb__read_mail(rt->worker[i]); /* as a worker does before it serves a call */
    }
    if (rt->n_workers > 1)
        nb_lend_enter(rt->lending, worker);
    fn(rt->worker[worker], arg);
    return 0;
}

struct flow_walk {
    uint32_t slot;
    struct nb_flow_info *out;
    unsigned n, max;
    bool ended;
};

void nb__describe_flow(struct nb_worker *w, struct nb_tcb *tcb, struct nb_flow_info *info)
{
    const struct nb_service *s = nb_tcb_listener_user(tcb);

    nb_tcp_describe(w->tcp, tcb, w->now_us, info);
    info->worker = w->index;
    info->home_queue = nb_rss_queue(&w->port[info->key.port_group].rss, &info->key);
    snprintf(info->app, sizeof info->app, "%s", s ? s->config->app->name : "");
}

static void copy_flows(struct nb_worker *w, void *arg)
{
    struct flow_walk *walk = arg;

    for (walk->n = 0; walk->n < walk->max; walk->n++) {
        struct nb_flow_info *info = &walk->out[walk->n];
        struct nb_tcb *tcb;

        memset(info, 0, sizeof *info);
        walk->ended = !nb_tcp_next_flow(w->tcp, &walk->slot, w->now_us, info, &tcb);
        if (walk->ended)
            return;
        nb__describe_flow(w, tcb, info);
    }
}

unsigned nb_runtime_flows(struct nb_runtime *rt, unsigned worker, uint64_t *cursor, struct nb_flow_info *out,
                          unsigned max)
{
    struct flow_walk walk = {.slot = (uint32_t)*cursor};
    unsigned n = 0;

    while (n < max && !walk.ended) {
        walk.out = out + n;
        walk.max = max - n < FLOWS_PER_CALL ? max - n : FLOWS_PER_CALL;
        walk.n = 0;
        if (nb_runtime_call(rt, worker, copy_flows, &walk) < 0)
            walk.ended = true;
        n += walk.n;
    }
    *cursor = walk.ended ? 0 : walk.slot;
    return n;
}

unsigned nb_runtime_flow_news(struct nb_runtime *rt, unsigned worker, struct nb_flow_news *out, unsigned max,
                              uint32_t *lost)
{
    struct nb_worker *w = worker < rt->n_workers ? rt->worker[worker] : NULL;
    uint32_t lost_now;

    *lost = 0;
    if (!w)
        return 0;
    lost_now = atomic_load_explicit(&w->news_lost, memory_order_relaxed);
    *lost = lost_now - rt->news_lost_seen[worker];
    rt->news_lost_seen[worker] = lost_now;
    return rte_ring_sc_dequeue_burst_elem(w->news, out, sizeof *out, max, NULL);
}

/* Racy on purpose: each number is a word of its own that only the worker writes. */
void nb_runtime_worker_info(struct nb_runtime *rt, unsigned worker, struct nb_worker_info *info)
{
    const struct nb_worker *w = worker < rt->n_workers ? rt->worker[worker] : NULL;
    const volatile uint64_t *counters;

    if (!w) {
        *info = (struct nb_worker_info){.index = (uint16_t)worker, .cpu = -1};
        return;
    }
    counters = w->counters;
    *info = (struct nb_worker_info){
        .index = (uint16_t)worker,
        .cpu = rt->config.cpu[worker],
        .flows = nb_tcp_connections(w->tcp),
        .half_open = nb_tcp_half_open(w->tcp),
        .time_wait = nb_tcp_time_waits(w->tcp),
        .busy_us = *(const volatile uint64_t *)&w->busy_us,
        .idle_us = *(const volatile uint64_t *)&w->idle_us,
        .sleeps = *(const volatile uint64_t *)&w->sleeps,
        .foreign_mbufs = nb_lend_held(rt->lending, worker),
    };
    for (unsigned i = 0; i < NB_COUNTER_COUNT; i++)
        info->counter[i] = counters[i];
    info->counter[NB_COUNTER_BUFFERS_RETURNED] = rt->lending->account[worker].returned;
    info->counter[NB_COUNTER_RETURN_RING_FULL] = rt->lending->account[worker].ring_full;
}

/* As the speaker has them: it is the one that finds conflicts. */
static void fill_addresses(const struct nb_net_port *net, struct nb_port_info *info)
{
    static const char *const names[] = {
        [NB_ADDRESS_TENTATIVE] = "tentative", [NB_ADDRESS_USABLE] = "usable", [NB_ADDRESS_CONFLICT] = "conflict"};

    info->n_addresses = net->n_addresses;
    for (unsigned i = 0; i < net->n_addresses; i++) {
        const struct nb_net_address *a = &net->address[i];

        info->address[i].is =
            (struct nb_port_address){.address = a->address, .family = a->family, .prefix_bits = a->prefix_bits};
        info->address[i].state = names[*(const volatile uint8_t *)&a->state];
    }
}

int nb_runtime_port_info(struct nb_runtime *rt, unsigned port, struct nb_port_info *info)
{
    if (port >= rt->n_ports)
        return -ENOENT;
    pthread_mutex_lock(&rt->lock);
    nb_port_info(&rt->port[port], info);
    fill_addresses(&rt->worker[0]->net.port[port], info);
    pthread_mutex_unlock(&rt->lock);
    for (unsigned i = 0; i < rt->n_workers; i++)
        info->rss_untrusted |= *(const volatile bool *)&rt->worker[i]->port[port].rss_untrusted;
    return 0;
}

/* --- restart -------------------------------------------------------------------------------------------------------
 */

struct port_step {
    unsigned port;
    bool stopped;
};

static void set_stopped(struct nb_worker *w, void *arg)
{
    struct port_step *s = arg;

    w->port[s->port].stopped = s->stopped;
}

/* A call is served between two turns: when all have returned, no worker is inside the driver. */
static void tell_workers(struct nb_runtime *rt, unsigned port, bool stopped)
{
    struct port_step s = {.port = port, .stopped = stopped};

    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_runtime_call(rt, i, set_stopped, &s);
}

int nb_runtime_port_restart(struct nb_runtime *rt, unsigned port, struct nb_error *err)
{
    int rc;

    if (port >= rt->n_ports)
        return nb_error_set(err, -ENOENT, "port %u: there are %u ports, 0 to %u", port, rt->n_ports, rt->n_ports - 1);
    tell_workers(rt, port, true);
    pthread_mutex_lock(&rt->lock);
    rc = nb_port_restart(&rt->port[port], err);
    pthread_mutex_unlock(&rt->lock);
    if (rc == 0)
        tell_workers(rt, port, false);
    return rc;
}
