/* load.c - samples of a worker's time; see load.h. */
#include <rte_branch_prediction.h>

#include "engine.h"
#include "flow_table.h"
#include "load.h"

/* The segment of the turn's last batch that stands for the turn: each place of a batch has its turn. */
static const struct nb_arrival *pick(const struct nb_worker *w)
{
    return w->n_batch ? &w->batch[w->load.taken % w->n_batch] : NULL;
}

static void describe_bucket(const struct nb_worker *w, unsigned port, const struct nb_flow_key *key,
                            struct nb_load_sample *sample)
{
    const struct nb_rss *rss = &w->port[port].rss;

    if (!nb_rss_spreads(rss))
        return;
    sample->port = (uint8_t)port;
    sample->bucket = (uint16_t)(nb_rss_hash(rss, key) & (rss->reta.size - 1u));
    sample->by_bucket = rss->reta.queue[sample->bucket] == w->index;
}

static void describe_arrival(const struct nb_worker *w, const struct nb_arrival *a, struct nb_load_sample *sample)
{
    struct nb_flow_ref ref = nb_flow_find(w->flows, &a->seg.key, nb_flow_hash(w->flows, &a->seg.key));

    if (ref.kind == NB_FLOW_TCB)
        sample->flow = nb_tcb_id((const struct nb_tcb *)ref.object);
    if (a->why == NB_WHY_WIRE)
        describe_bucket(w, a->port, &a->seg.key, sample);
}

/* Nothing came: where a port is slower than we are, such turns are for what waits for it. */
static void describe_sender(const struct nb_worker *w, const struct nb_tcb *tcb, struct nb_load_sample *sample)
{
    sample->flow = nb_tcb_id(tcb);
    describe_bucket(w, nb_tcb_key(tcb)->port_group, nb_tcb_key(tcb), sample);
}

static void take(struct nb_worker *w)
{
    struct nb_load_sample sample = {0};
    const struct nb_arrival *a = pick(w);
    const struct nb_tcb *sender = nb_tcp_waiting_sender(w->tcp);

    if (a)
        describe_arrival(w, a, &sample);
    else if (sender)
        describe_sender(w, sender, &sample);
    w->load.ring[w->load.taken++ % NB_LOAD_RING] = sample;
    w->load.due_us = w->busy_us + NB_LOAD_SAMPLE_US;
}

void nb__load_add(struct nb_worker *w, uint64_t us)
{
    w->busy_us += us;
    if (unlikely(w->busy_us >= w->load.due_us))
        take(w);
}

/* --- for control threads --------------------------------------------------------------------------------------------
 */

struct copy {
    uint64_t from;
    struct nb_load_sample *out;
    unsigned n, max;
};

static void copy_samples(struct nb_worker *w, void *arg)
{
    struct copy *c = arg;
    uint64_t end = w->load.taken, oldest = end > NB_LOAD_RING ? end - NB_LOAD_RING : 0;

    if (c->from < oldest || c->from > end)
        c->from = oldest;
    for (; c->from < end && c->n < c->max; c->from++)
        c->out[c->n++] = w->load.ring[c->from % NB_LOAD_RING];
}

unsigned nb_runtime_load(struct nb_runtime *rt, unsigned worker, uint64_t *cursor, struct nb_load_sample *out,
                         unsigned max)
{
    struct copy c = {.from = *cursor, .out = out, .max = max};
    const struct nb_worker *w = worker < rt->n_workers ? rt->worker[worker] : NULL;

    /* An idle worker is left asleep: the number is a word of its own that only it writes. */
    if (!w || *(const volatile uint64_t *)&w->load.taken == *cursor)
        return 0;
    if (nb_runtime_call(rt, worker, copy_samples, &c) < 0)
        return 0;
    *cursor = c.from;
    return c.n;
}
