/* thread.c - the thread that drives a worker: the clock, and sleeping when there is nothing to do.
 *
 * The clock is read once per turn. A worker that has had nothing to do for a while sleeps, half as long as it has been
 * quiet already, so that the first packets of a burst after a pause wait least; never longer than the configuration
 * says while connections are open, and never past the next timer. Rings and control calls wake it (mail.h); packets do
 * not, hence the bound.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "engine.h"

#define SPIN_US       20   /* quiet for less than this, a worker polls: a sleep and its wake-up cost about as much */
#define SLEEP_IDLE_US 1000 /* longest sleep without open connections: what the first SYN or a ping may wait */

void nb__clock_init(struct nb_clock *clock)
{
    clock->start = rte_rdtsc();
    clock->mult = (uint64_t)(((unsigned __int128)1000000 << 32) / rte_get_tsc_hz());
}

uint64_t nb__clock_us(const struct nb_clock *clock)
{
    return (uint64_t)(((unsigned __int128)(rte_rdtsc() - clock->start) * clock->mult) >> 32);
}

/* How long to sleep after `quiet_us` of nothing; 0: not at all. */
static uint64_t sleep_us(const struct nb_worker *w, uint32_t idle_sleep_us, uint64_t quiet_us)
{
    uint64_t most = nb_tcp_connections(w->tcp) ? idle_sleep_us : RTE_MAX(idle_sleep_us, (uint32_t)SLEEP_IDLE_US);
    uint64_t next_us = nb_worker_next_us(w);

    if (idle_sleep_us == 0 || quiet_us < SPIN_US || next_us <= w->now_us)
        return 0;
    most = RTE_MIN(most, next_us - w->now_us);
    return RTE_MIN(most, quiet_us / 2);
}

static void loop(struct nb_runtime *rt, struct nb_worker *w)
{
    uint64_t before_us = nb__clock_us(&rt->clock), quiet_since_us = before_us;
    bool worked = false;

    while (!atomic_load_explicit(&rt->stopping, memory_order_relaxed)) {
        uint64_t now_us = nb__clock_us(&rt->clock), us;

        if (worked)
            nb__load_add(w, now_us - before_us);
        else
            w->idle_us += now_us - before_us;
        before_us = now_us;
        worked = nb_worker_step(w, now_us);
        if (worked) {
            quiet_since_us = now_us;
            continue;
        }
        us = sleep_us(w, rt->config.idle_sleep_us, now_us - quiet_since_us);
        if (us == 0) {
            rte_pause();
            continue;
        }
        w->sleeps++;
        nb_post_sleep(w->post, w->index, us);
    }
}

static void set_phase(struct nb_worker_thread *t, enum nb_thread_phase phase)
{
    pthread_mutex_lock(&t->rt->lock);
    t->phase = phase;
    pthread_cond_broadcast(&t->rt->changed);
    pthread_mutex_unlock(&t->rt->lock);
}

/* False: the runtime was given up. */
static bool wait_for_ports(struct nb_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    while (rt->wanted != NB_THREAD_RUNNING && !atomic_load(&rt->stopping))
        pthread_cond_wait(&rt->changed, &rt->lock);
    pthread_mutex_unlock(&rt->lock);
    return !atomic_load(&rt->stopping);
}

/* Pool caches belong to DPDK's lcores, so the thread becomes one. */
static int become_lcore(struct nb_worker_thread *t)
{
    if (rte_thread_register() < 0)
        return nb_error_set(&t->err, -rte_errno, "worker %u: DPDK has no lcore number left for it: %s", t->index,
                            rte_strerror(rte_errno));
    nb_lend_thread(t->rt->lending, t->index, rte_lcore_id());
    nb_lend_enter(t->rt->lending, t->index);
    return 0;
}

void *nb__thread_main(void *thread)
{
    struct nb_worker_thread *t = thread;
    struct nb_runtime *rt = t->rt;
    bool made = false;

    prctl(PR_SET_TIMERSLACK, 1); /* nanosecond: sleeps end when they should */
    if (become_lcore(t) == 0)
        made = nb__engine_make_worker(rt, t->index, nb__clock_us(&rt->clock), &t->err) == 0;
    set_phase(t, made ? NB_THREAD_READY : NB_THREAD_FAILED);
    if (made) {
        if (wait_for_ports(rt)) {
            nb_worker_begin(rt->worker[t->index], nb__clock_us(&rt->clock));
            loop(rt, rt->worker[t->index]);
        }
        nb_worker_stop(rt->worker[t->index], nb__clock_us(&rt->clock));
    }
    rte_thread_unregister();
    return NULL;
}
