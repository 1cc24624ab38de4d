/* load_meter.h - how busy each worker is, and with what: the workers' samples (runtime.h) over a span of time, as the
 * planner of the rebalancer wants to have them.
 *
 * Not for several threads at a time. Life: init, then any number of spans: begin, poll at least every
 * NB_METER_POLL_MS, read.
 */
#ifndef NB_DAEMON_LOAD_METER_H
#define NB_DAEMON_LOAD_METER_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

#include "balance.h"

#define NB_METER_POLL_MS   40   /* a worker's ring holds 51 ms of work */
#define NB_METER_FLOWS     4096 /* flows seen in a span, a power of two; beyond it they count as their buckets */
#define NB_METER_ITEMS_MAX (NB_METER_FLOWS + NB_MAX_PORTS * NB_RETA_MAX)

struct nb_steering;

struct nb_meter_flow {
    uint64_t id; /* 0: a free slot */
    uint32_t samples;
    uint16_t worker, bucket;
    uint8_t port;
    bool by_bucket;
};

struct nb_load_meter {
    struct nb_runtime *rt;
    struct nb_steering *steering; /* knows which flows can have a rule */
    struct {
        uint64_t busy_us, idle_us, cursor;
    } began[NB_MAX_WORKERS];
    uint32_t samples[NB_MAX_WORKERS];
    uint32_t bucket[NB_MAX_PORTS][NB_RETA_MAX];
    struct nb_meter_flow flow[NB_METER_FLOWS];
    struct nb_port_info port; /* while items are made */
    struct nb_balance_item item[NB_METER_ITEMS_MAX];
};

/* What was done from here on counts. */
void nb_load_meter_begin(struct nb_load_meter *meter);
void nb_load_meter_poll(struct nb_load_meter *meter);

/* Samples of the worker that has most. */
uint32_t nb_load_meter_samples(const struct nb_load_meter *meter);

/* How busy each worker was in the span up to now. */
void nb_load_meter_loads(const struct nb_load_meter *meter, uint32_t load[NB_MAX_WORKERS]);

/* The span up to now. in->item points into the meter. A flow is an item of its own when its load is at least the band
 * and it may move; its bucket is none, then. So is one away from home, which no bucket takes along, when it is an
 * eighth of that. A flow for which its port takes no rule stays with its bucket. Everything else are buckets. `rules`
 * is how many may be added. */
void nb_load_meter_read(struct nb_load_meter *meter, uint32_t band, unsigned rules, struct nb_balance_input *in);

#endif
