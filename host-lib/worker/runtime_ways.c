/* runtime_ways.c - the NIC is about to bring a flow to another queue, or has begun to: what workers must know so that
 * its segments stay in order. Calls of the one steering thread, before and after each operation on a rule that matters.
 *
 * A flow's owner, whoever that is, parks what arrived at the new queue until the queues of all other workers have been
 * seen empty (gate.h, fence.h). It does not matter at which of them it really arrived: looking at a queue that never
 * had the flow costs nothing but the look.
 */
#include <errno.h>
#include <time.h>

#include "engine.h"

#define SETTLE_TRIES 20 /* a flow that has just been moved settles within some milliseconds */
#define SETTLE_NS    1000000

struct open {
    struct nb_way *way;
    int result;
};

static const struct nb_tcb *find(const struct nb_worker *w, const struct nb_way *way)
{
    struct nb_flow_ref ref = nb_flow_find(w->flows, &way->key, nb_flow_hash(w->flows, &way->key));
    const struct nb_tcb *tcb = ref.kind == NB_FLOW_TCB ? (const struct nb_tcb *)ref.object : NULL;

    return tcb && nb_tcb_id(tcb) == way->flow ? tcb : NULL;
}

/* With numbers for the queues, as the table has them now. */
static struct nb_way named(const struct nb_worker *w, const struct nb_way *way)
{
    uint16_t home = nb_rss_queue(&w->port[way->key.port_group].rss, &way->key);
    struct nb_way n = *way;

    n.from = way->from == NB_WAY_HOME ? home : way->from;
    n.to = way->to == NB_WAY_HOME ? home : way->to;
    return n;
}

/* On a worker that may own the flow. A way that is not opened stays as it was asked for: the next try may find another
 * table. */
static void open_gate(struct nb_worker *w, void *arg)
{
    struct open *open = arg;
    struct nb_way *way = open->way, opened;

    open->result = -ENOENT;
    if (!find(w, way))
        return;
    way->owner = w->index;
    if (w->port[way->key.port_group].reta_phase != NB_RETA_STABLE) { /* where home is, is just changing */
        open->result = -EAGAIN;
        return;
    }
    opened = named(w, way);
    if (opened.from != opened.to)
        open->result = nb__gate_open_way(w, &way->key, opened.to);
    if (open->result == 0)
        *way = opened;
}

/* Most flows that get a rule own the queue that it names; any may have moved on. -EAGAIN: it has a gate, or was between
 * two workers. */
static int open_anywhere(struct nb_runtime *rt, struct nb_way *way)
{
    unsigned first = way->to < rt->n_workers ? way->to : way->from < rt->n_workers ? way->from : 0;
    struct open open = {.way = way, .result = -ENOENT};

    way->owner = UINT16_MAX;
    for (unsigned i = 0; i < rt->n_workers && way->owner == UINT16_MAX; i++) {
        int rc = nb_runtime_call(rt, (first + i) % rt->n_workers, open_gate, &open);

        if (rc < 0)
            return rc;
    }
    return way->owner == UINT16_MAX ? -EAGAIN : open.result;
}

int nb_runtime_way_opens(struct nb_runtime *rt, struct nb_way *way)
{
    const struct timespec pause = {.tv_nsec = SETTLE_NS};
    int rc = open_anywhere(rt, way);

    for (unsigned i = 0; i < SETTLE_TRIES && rc == -EAGAIN && rt->threaded; i++) {
        nanosleep(&pause, NULL);
        rc = open_anywhere(rt, way);
    }
    return rc == -EAGAIN && way->owner == UINT16_MAX ? -ENOENT : rc;
}

struct ask {
    const struct nb_way *way;
    uint64_t not_before_us;
    bool asked;
};

/* Of the clock that all workers read; of one that sleeps, what it read last is old. */
uint64_t nb__now_us(const struct nb_runtime *rt)
{
    uint64_t now_us = 0;

    if (rt->threaded)
        return nb__clock_us(&rt->clock);
    for (unsigned i = 0; i < rt->n_workers; i++)
        now_us = RTE_MAX(now_us, rt->worker[i]->now_us);
    return now_us;
}

static void ask_fence(struct nb_worker *w, void *arg)
{
    struct ask *ask = arg;

    ask->asked = nb__fence_ask(w, &ask->way->key, ask->way->owner, ask->not_before_us);
}

void nb_runtime_way_opened(struct nb_runtime *rt, const struct nb_way *way, uint32_t classify_us)
{
    struct ask ask = {.way = way, .not_before_us = nb__now_us(rt) + classify_us};

    for (unsigned i = 0; i < rt->n_workers; i++)
        if (i != way->to)
            nb_runtime_call(rt, i, ask_fence, &ask);
}
