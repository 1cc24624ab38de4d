/* fake_dataplane.h - a data plane and a steering thread that are arrays, for tests of what asks them.
 *
 * Include once in a test program: it defines every function of runtime.h and steering.h that the control plane calls.
 * Flows are numbered per worker; the cursor is the number of the next one plus 1.
 */
#ifndef FAKE_DATAPLANE_H
#define FAKE_DATAPLANE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netbypass/runtime.h>

#include "steering.h"

#define FAKE_WORKERS 3

struct nb_runtime {
    unsigned flows[FAKE_WORKERS];                                              /* how many each worker has */
    void (*shape)(unsigned worker, unsigned index, struct nb_flow_info *info); /* NULL: as fake_flow makes them */
    unsigned calls;                                                            /* of nb_runtime_flows */
    unsigned busy[FAKE_WORKERS]; /* samples that a worker has new whenever it is asked, about its flows in turn */
    bool light; /* about none of its flows, but about its buckets in turn: i % 3 is bucket i's worker */
    uint64_t taken[FAKE_WORKERS], spans[FAKE_WORKERS];
    unsigned settling; /* so many moves are refused for now before the first that is not */
};

struct nb_steering {
    unsigned rules;
    bool flushed, refuses;
    unsigned restarts;
};

static struct nb_runtime fake_runtime;
static struct nb_steering fake_steering;

#define FAKE_ID(worker, index) ((uint64_t)(worker) << NB_FLOW_ID_WORKER_BIT | (index))

static inline void fake_flow(unsigned worker, unsigned index, struct nb_flow_info *info)
{
    memset(info, 0, sizeof *info);
    info->id = FAKE_ID(worker, index);
    info->key.family = NB_FAMILY_IPV4;
    info->key.local.word[0] = __builtin_bswap32(0x0a630002);
    info->key.local_port = 80;
    info->key.remote.word[0] = __builtin_bswap32(0x0a630100 + index);
    info->key.remote_port = (uint16_t)(40000 + index);
    info->worker = info->queue = info->home_queue = (uint16_t)worker;
    info->state = index % 2 ? 4 : 3;
    strcpy(info->app, "http");
}

unsigned nb_runtime_worker_count(const struct nb_runtime *rt)
{
    (void)rt;
    return FAKE_WORKERS;
}

/* The last worker does not accept. */
uint64_t nb_runtime_not_accepting(const struct nb_runtime *rt, unsigned listener)
{
    (void)rt, (void)listener;
    return UINT64_C(1) << (FAKE_WORKERS - 1);
}

unsigned nb_runtime_port_count(const struct nb_runtime *rt)
{
    (void)rt;
    return 1;
}

const char *nb_tcp_state_name(unsigned state)
{
    return state == 3 ? "established" : "fin-wait-1";
}

unsigned nb_runtime_flows(struct nb_runtime *rt, unsigned worker, uint64_t *cursor, struct nb_flow_info *out,
                          unsigned max)
{
    unsigned n = 0, at = *cursor ? (unsigned)(*cursor - 1) : 0;

    rt->calls++;
    for (; n < max && at < rt->flows[worker]; n++, at++) {
        fake_flow(worker, at, &out[n]);
        if (rt->shape)
            rt->shape(worker, at, &out[n]);
    }
    *cursor = at < rt->flows[worker] ? at + 1 : 0;
    return n;
}

int nb_runtime_flow(struct nb_runtime *rt, uint64_t id, struct nb_flow_info *out)
{
    for (unsigned worker = 0; worker < FAKE_WORKERS; worker++)
        for (unsigned i = 0; i < rt->flows[worker]; i++) {
            fake_flow(worker, i, out);
            if (rt->shape)
                rt->shape(worker, i, out);
            if (out->id == id)
                return 0;
        }
    return -ENOENT;
}

/* Flows with an odd number are pinned by their application; the others move. */
int nb_runtime_move(struct nb_runtime *rt, uint64_t id, unsigned to, struct nb_move_report *report)
{
    struct nb_flow_info info;
    int rc = nb_runtime_flow(rt, id, &info);

    *report = (struct nb_move_report){.flow = id, .from = info.worker, .to = (uint16_t)to, .asked_us = 1000};
    if (rc == 0 && id % 2) {
        strcpy(report->why, "pinned: app");
        rc = -EBUSY;
    } else if (rc == 0 && rt->settling) {
        rt->settling--;
        strcpy(report->why, "busy: it has just been moved");
        rc = -EBUSY;
    }
    report->frozen_us = 1010;
    report->served_us = 1015;
    report->settled_us = 1040;
    report->forwarded = 3;
    report->parked = 2;
    return report->result = rc;
}

void nb_runtime_move_begin(struct nb_runtime *rt, uint64_t id, unsigned to, struct nb_move_ticket *ticket)
{
    memset(ticket, 0, sizeof *ticket);
    nb_runtime_move(rt, id, to, &ticket->report);
    ticket->done = 1;
}

bool nb_runtime_move_done(const struct nb_move_ticket *ticket)
{
    return ticket->done;
}

static uint16_t fake_reta[NB_RETA_MAX];

int nb_runtime_set_reta(struct nb_runtime *rt, unsigned port, const uint16_t *queue, unsigned n, struct nb_error *err)
{
    (void)rt, (void)port, (void)err;
    memcpy(fake_reta, queue, n * sizeof *queue);
    return 0;
}

int nb_runtime_pin(struct nb_runtime *rt, uint64_t id, bool on)
{
    struct nb_flow_info info;

    (void)on;
    return nb_runtime_flow(rt, id, &info);
}

void nb_steering_resync(struct nb_steering *steering)
{
    (void)steering;
}

void nb_runtime_worker_info(struct nb_runtime *rt, unsigned worker, struct nb_worker_info *info)
{
    memset(info, 0, sizeof *info);
    info->index = (uint16_t)worker;
    info->cpu = worker == 0 ? -1 : (int)worker;
    info->flows = rt->flows[worker];
    info->counter[NB_COUNTER_RX_PACKETS] = 1000 + worker;
    info->busy_us = rt->taken[worker];
    info->idle_us = 100 * rt->spans[worker] - rt->taken[worker];
}

/* The first call of a span asks for what was before; the second takes a number of samples. */
unsigned nb_runtime_load(struct nb_runtime *rt, unsigned worker, uint64_t *cursor, struct nb_load_sample *out,
                         unsigned max)
{
    unsigned n = *cursor % 2 ? rt->busy[worker] : 0;

    (*cursor)++;
    for (unsigned i = 0; i < n && i < max; i++)
        out[i] = (struct nb_load_sample){.flow = rt->light ? 0 : FAKE_ID(worker, 2 * (i % (rt->flows[worker] / 2))),
                                         .bucket = (uint16_t)(i % 2 ? worker + FAKE_WORKERS : worker),
                                         .by_bucket = rt->light};
    rt->taken[worker] += n;
    rt->spans[worker] += n != 0;
    return n;
}

int nb_runtime_port_info(struct nb_runtime *rt, unsigned port, struct nb_port_info *info)
{
    (void)rt;
    memset(info, 0, sizeof *info);
    if (port != 0)
        return -ENODEV;
    strcpy(info->device, "0000:01:00.0");
    strcpy(info->driver, "net_ixgbe");
    memcpy(info->mac, "\x02\x00\x00\xab\xcd\xef", 6);
    info->n_addresses = 2;
    info->address[0].is = (struct nb_port_address){
        .address = {{__builtin_bswap32(0x0a630002)}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    info->address[0].state = "usable";
    info->address[1].is =
        (struct nb_port_address){.address = {{__builtin_bswap32(0xfd990000), 0, 0, __builtin_bswap32(2)}},
                                 .family = NB_FAMILY_IPV6,
                                 .prefix_bits = 64};
    info->address[1].state = "tentative";
    info->queues = FAKE_WORKERS;
    info->reta_size = 4;
    info->reta[1] = 1;
    info->reta[2] = 2;
    memcpy(info->rss_key, "\x6d\x5a\x00", 3);
    info->rss_key_bytes = 3;
    return 0;
}

#define FAKE_NAME(id, name, sentence) name,
#define FAKE_HELP(id, name, sentence) sentence,

const char *nb_counter_name(enum nb_counter counter)
{
    static const char *const names[] = {NB_COUNTER_LIST(FAKE_NAME)};
    return names[counter];
}

const char *nb_counter_help(enum nb_counter counter)
{
    static const char *const help[] = {NB_COUNTER_LIST(FAKE_HELP)};
    return help[counter];
}

const char *nb_method_name(enum nb_method method)
{
    return (const char *const[]){"rss", "mask", "exact", "software"}[method];
}

void nb_steering_flow(struct nb_steering *steering, const struct nb_flow_info *flow, struct nb_steering_flow *out)
{
    (void)steering;
    bool ruled = flow->id % 5 == 0;

    *out = (struct nb_steering_flow){.method = ruled ? NB_METHOD_EXACT : NB_METHOD_RSS, .rule = ruled ? 7 : -1};
    strcpy(out->why, ruled ? "policy exact" : "home queue");
}

unsigned nb_steering_rules(struct nb_steering *steering, int64_t *cursor, struct nb_rule_info *out, unsigned max)
{
    unsigned n = 0;

    for (; n < max && *cursor < (int64_t)steering->rules; n++, ++*cursor) {
        out[n] = (struct nb_rule_info){.id = *cursor, .port = 0, .queue = 2, .hits = -1, .flow = 5};
        strcpy(out[n].engine, "flow-director");
        strcpy(out[n].match, "tcp 10.99.1.0:40000 -> 10.99.0.2:80");
        strcpy(out[n].why, "policy exact");
    }
    return n;
}

bool nb_steering_takes(struct nb_steering *steering, const struct nb_flow_key *flow)
{
    (void)steering;
    return flow->family == NB_FAMILY_IPV4;
}

unsigned nb_steering_tables(struct nb_steering *steering, struct nb_table_info *out, unsigned max)
{
    if (max == 0)
        return 0;
    out[0] = (struct nb_table_info){.used = steering->rules, .max = 2046, .device_used = -1};
    strcpy(out[0].engine, "flow-director");
    return 1;
}

int nb_steering_flush(struct nb_steering *steering, struct nb_error *err)
{
    if (steering->refuses)
        return nb_error_set(err, -EIO, "port 0: the driver refused to remove rule 3");
    steering->flushed = true;
    return 0;
}

void nb_steering_resume(struct nb_steering *steering)
{
    steering->flushed = false;
}

void nb_steering_audit(struct nb_steering *steering, struct nb_audit_report *report)
{
    *report = (struct nb_audit_report){.n_engines = 1, .n_findings = steering->rules != 0};
    report->engine[0] = (struct nb_audit_info){.rules = steering->rules, .orphans = 1, .device_used = -1};
    strcpy(report->engine[0].engine, "flow-director");
    strcpy(report->engine[0].witness, "count only");
    report->finding[0] = (struct nb_finding_info){.rule = -1};
    strcpy(report->finding[0].kind, "orphan");
}

int nb_steering_port_restart(struct nb_steering *steering, unsigned port, struct nb_error *err)
{
    if (steering->refuses)
        return nb_error_set(err, -EIO, "port %u: the driver refused", port);
    steering->restarts++;
    return 0;
}

void nb_runtime_config_init(struct nb_runtime_config *config)
{
    memset(config, 0, sizeof *config);
}

#endif
