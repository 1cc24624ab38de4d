/* load_meter.c - see load_meter.h. A worker's busy time is known exactly; what it went into, by its share of samples.
 */
#include "load_meter.h"

#include <string.h>

#include "steering.h"

#define COPY           256 /* samples copied at a time */
#define AWAY_FROM_HOME 8   /* an eighth of the band: below that there are many, and each is little */

/* --- gathering ---------------------------------------------------------------------------------------------------- */

static struct nb_meter_flow *slot_of(struct nb_load_meter *m, uint64_t id)
{
    uint64_t at = id * 0x9e3779b97f4a7c15 >> 32;

    for (unsigned i = 0; i < NB_METER_FLOWS; i++) {
        struct nb_meter_flow *f = &m->flow[(at + i) % NB_METER_FLOWS];

        if (f->id == 0 || f->id == id)
            return f;
    }
    return NULL;
}

static void count(struct nb_load_meter *m, unsigned worker, const struct nb_load_sample *sample)
{
    struct nb_meter_flow *f = sample->flow ? slot_of(m, sample->flow) : NULL;

    m->samples[worker]++;
    if (sample->by_bucket)
        m->bucket[sample->port][sample->bucket]++;
    if (!f)
        return;
    f->id = sample->flow;
    f->samples++;
    f->worker = (uint16_t)worker;
    f->port = sample->port;
    f->bucket = sample->bucket;
    f->by_bucket = sample->by_bucket;
}

static void take_samples(struct nb_load_meter *m, unsigned worker, bool counted)
{
    struct nb_load_sample sample[COPY];
    unsigned n;

    do {
        n = nb_runtime_load(m->rt, worker, &m->began[worker].cursor, sample, COPY);
        for (unsigned i = 0; counted && i < n; i++)
            count(m, worker, &sample[i]);
    } while (n == COPY);
}

void nb_load_meter_begin(struct nb_load_meter *m)
{
    memset(m->samples, 0, sizeof m->samples);
    memset(m->bucket, 0, sizeof m->bucket);
    memset(m->flow, 0, sizeof m->flow);
    for (unsigned i = 0; i < nb_runtime_worker_count(m->rt); i++) {
        struct nb_worker_info info;

        take_samples(m, i, false);
        nb_runtime_worker_info(m->rt, i, &info);
        m->began[i].busy_us = info.busy_us;
        m->began[i].idle_us = info.idle_us;
    }
}

void nb_load_meter_poll(struct nb_load_meter *m)
{
    for (unsigned i = 0; i < nb_runtime_worker_count(m->rt); i++)
        take_samples(m, i, true);
}

uint32_t nb_load_meter_samples(const struct nb_load_meter *m)
{
    uint32_t most = 0;

    for (unsigned i = 0; i < NB_MAX_WORKERS; i++)
        most = m->samples[i] > most ? m->samples[i] : most;
    return most;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static uint32_t worker_load(const struct nb_load_meter *m, unsigned worker)
{
    struct nb_worker_info info;
    uint64_t busy, all;

    nb_runtime_worker_info(m->rt, worker, &info);
    busy = info.busy_us - m->began[worker].busy_us;
    all = busy + info.idle_us - m->began[worker].idle_us;
    return all ? (uint32_t)(busy * NB_BALANCE_FULL / all) : 0;
}

void nb_load_meter_loads(const struct nb_load_meter *m, uint32_t load[NB_MAX_WORKERS])
{
    for (unsigned i = 0; i < nb_runtime_worker_count(m->rt); i++)
        load[i] = worker_load(m, i);
}

static uint32_t share(const struct nb_load_meter *m, const struct nb_balance_input *in, unsigned worker, uint32_t n)
{
    return m->samples[worker] ? (uint32_t)((uint64_t)in->load[worker] * n / m->samples[worker]) : 0;
}

static void add(struct nb_load_meter *m, struct nb_balance_input *in, const struct nb_balance_item *item)
{
    m->item[in->n_items++] = *item;
}

/* Heavy enough to be moved by itself? One that does not come by its bucket cannot go with it, so less will do. */
static bool is_item(uint32_t load, uint32_t band, bool by_bucket)
{
    return load && load >= (by_bucket ? band : band / AWAY_FROM_HOME);
}

/* Such a flow, if it still is where it was seen, and nobody holds it there. */
static void add_flow(struct nb_load_meter *m, struct nb_balance_input *in, struct nb_meter_flow *f)
{
    uint32_t load = share(m, in, f->worker, f->samples);
    struct nb_flow_info info;

    if (!is_item(load, in->band, f->by_bucket))
        return;
    bool is_there = nb_runtime_flow(m->rt, f->id, &info) == 0 && info.worker == f->worker;
    bool cannot_rule = is_there && !nb_steering_takes(m->steering, &info.key);
    if (f->by_bucket && cannot_rule)
        return;
    if (f->by_bucket)
        m->bucket[f->port][f->bucket] = 0; /* who moves it, moves the flow */
    if (!is_there || info.pinned_by_app || info.pinned_by_operator)
        return;
    add(m, in,
        &(struct nb_balance_item){.kind = NB_BALANCE_FLOW,
                                  .flow = f->id,
                                  .load = load,
                                  .bucket = f->bucket,
                                  .port = info.key.port_group,
                                  .worker = f->worker,
                                  .home = info.home_queue,
                                  .cannot_rule = cannot_rule});
}

/* A port's buckets. Workers that have none, of no port, are drained; one without a table spreads by rules alone. */
static void add_buckets(struct nb_load_meter *m, unsigned port, struct nb_balance_input *in)
{
    if (nb_runtime_port_info(m->rt, port, &m->port))
        return;
    for (unsigned i = 0; i < m->port.reta_size; i++) {
        unsigned worker = m->port.reta[i];

        if (worker >= in->n_workers)
            continue;
        in->away[worker] = false;
        uint32_t load = share(m, in, worker, m->bucket[port][i]);
        if (load)
            add(m, in,
                &(struct nb_balance_item){.kind = NB_BALANCE_BUCKET,
                                          .load = load,
                                          .bucket = (uint16_t)i,
                                          .port = (uint8_t)port,
                                          .worker = (uint16_t)worker});
    }
    if (m->port.reta_size == 0)
        memset(in->away, false, sizeof in->away);
}

void nb_load_meter_read(struct nb_load_meter *m, uint32_t band, unsigned rules, struct nb_balance_input *in)
{
    memset(in, 0, sizeof *in);
    in->n_workers = nb_runtime_worker_count(m->rt);
    in->item = m->item;
    in->band = band;
    in->rules = rules;
    memset(in->away, true, sizeof in->away);
    nb_load_meter_loads(m, in->load);
    for (unsigned i = 0; i < NB_METER_FLOWS; i++)
        if (m->flow[i].id)
            add_flow(m, in, &m->flow[i]);
    for (unsigned i = 0; i < nb_runtime_port_count(m->rt); i++)
        add_buckets(m, i, in);
}
