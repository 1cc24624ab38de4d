/* runtime_ways.c - the NIC is about to bring a flow by another way, or has begun to: what workers must know so that its
 * segments stay in order. Calls of the one steering thread, before and after each operation on a rule that matters.
 *
 * A flow's owner parks what comes by the new way until the queues of all workers that it could have come by before have
 * been seen empty (gate.h, fence.h). It does not matter by which of them it really came: looking at a queue that never
 * had the flow costs nothing but the look.
 */
#include <errno.h>
#include <time.h>

#include "engine.h"

#define SETTLE_TRIES 20 /* a flow that has just been transferred settles within some milliseconds */
#define SETTLE_NS    1000000

struct way {
    const struct nb_flow_key *key;
    uint64_t id;
    uint16_t home;
    int result;
};

static struct nb_tcb *find(struct nb_worker *w, const struct way *way)
{
    struct nb_flow_ref ref = nb_flow_find(w->flows, way->key, nb_flow_hash(w->flows, way->key));
    struct nb_tcb *tcb = ref.kind == NB_FLOW_TCB ? (struct nb_tcb *)ref.object : NULL;

    return tcb && nb_tcb_id(tcb) == way->id ? tcb : NULL;
}

/* On the worker that is thought to own it. */
static void open_gate(struct nb_worker *w, void *arg)
{
    struct way *way = arg;

    way->home = nb_rss_queue(&w->port[way->key->port_group].rss, way->key);
    way->result = find(w, way) ? nb__gate_open_way(w, way->key, w->index) : -ENOENT;
}

/* It owns the flow, and the flow comes to its own queue from now on. -ENOENT: it does not. */
static int open_at(struct nb_runtime *rt, unsigned worker, struct way *way)
{
    const struct timespec pause = {.tv_nsec = SETTLE_NS};
    int rc;

    for (unsigned i = 0; i < SETTLE_TRIES; i++) {
        rc = nb_runtime_call(rt, worker, open_gate, way);
        if (rc < 0 || way->result != -EAGAIN || !rt->threaded)
            break;
        nanosleep(&pause, NULL);
    }
    return rc < 0 ? rc : way->result;
}

int nb_runtime_way_opens(struct nb_runtime *rt, const struct nb_flow_key *key, uint64_t id, unsigned queue, bool goes)
{
    struct way way = {.key = key, .id = id};
    int rc = open_at(rt, queue, &way);

    if (!goes)
        return rc == 0 ? (int)queue : rc;
    if (rc != -ENOENT || way.home == queue) /* its rule goes, and it stays with the rule's queue: no other way */
        return -ENOENT;
    rc = open_at(rt, way.home, &way);
    return rc == 0 ? way.home : rc;
}

struct ask {
    const struct nb_flow_key *key;
    uint16_t to;
    uint64_t not_before_us;
    bool asked;
};

/* Of the clock that all workers read; of one that sleeps, what it read last is old. */
static uint64_t clock_us(const struct nb_runtime *rt)
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

    ask->asked = nb__fence_ask(w, ask->key, ask->to, ask->not_before_us);
}

void nb_runtime_way_opened(struct nb_runtime *rt, const struct nb_flow_key *key, unsigned owner, uint32_t classify_us)
{
    struct ask ask = {.key = key, .to = (uint16_t)owner, .not_before_us = clock_us(rt) + classify_us};

    for (unsigned i = 0; i < rt->n_workers; i++)
        if (i != owner)
            nb_runtime_call(rt, i, ask_fence, &ask);
}
