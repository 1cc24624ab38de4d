/* gate.c - see gate.h. */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "worker.h"

#define CHAINS 256 /* by the low bits of the flow's hash */

struct parked {
    struct nb_arrival arrival;
    uint32_t next;
};

/* Touched only where used: a worker without moves pays for addresses, not for memory. */
struct nb_gates {
    uint32_t chain[CHAINS];
    uint32_t free, fresh; /* gates */
    uint32_t parked_free, parked_fresh;
    struct nb_gate gate[NB_GATES];
    struct parked parked[NB_GATE_PARKED];
};

struct nb_gates *nb_gates_new(void)
{
    struct nb_gates *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    memset(g->chain, 0xff, sizeof g->chain);
    g->free = g->parked_free = NB_GATE_NONE;
    return g;
}

void nb_gates_free(struct nb_gates *g)
{
    free(g);
}

/* --- finding -------------------------------------------------------------------------------------------------------
 */

static struct nb_gate *find(struct nb_gates *g, const struct nb_flow_key *key, uint32_t hash)
{
    for (uint32_t i = g->chain[hash % CHAINS]; i != NB_GATE_NONE; i = g->gate[i].next)
        if (g->gate[i].hash == hash && memcmp(&g->gate[i].key, key, sizeof *key) == 0)
            return &g->gate[i];
    return NULL;
}

struct nb_gate *nb__gate_of(struct nb_worker *w, const struct nb_flow_key *key)
{
    return w->n_gates ? find(w->gates, key, nb_flow_hash(w->flows, key)) : NULL;
}

struct nb_gate *nb__gate_open(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path)
{
    struct nb_gates *g = w->gates;
    uint32_t hash = nb_flow_hash(w->flows, key), index = g->free;

    if (find(g, key, hash) || (index == NB_GATE_NONE && g->fresh == NB_GATES))
        return NULL;
    if (index == NB_GATE_NONE)
        index = g->fresh++;
    else
        g->free = g->gate[index].next;
    g->gate[index] = (struct nb_gate){.key = *key,
                                      .hash = hash,
                                      .next = g->chain[hash % CHAINS],
                                      .used = true,
                                      .n = 1,
                                      .path = {path},
                                      .awaited = {UINT64_C(1) << path % 64},
                                      .until_us = w->now_us + NB_GATE_US};
    memset(g->gate[index].head, 0xff, sizeof g->gate[index].head);
    g->chain[hash % CHAINS] = index;
    w->n_gates++;
    w->moving = true;
    return &g->gate[index];
}

bool nb__gate_push(struct nb_gate *gate, uint16_t path)
{
    if (gate->path[gate->n - 1] == path)
        return true;
    if (gate->n == NB_GATE_PATHS)
        return false;
    gate->awaited[gate->n] = UINT64_C(1) << path % 64;
    gate->path[gate->n++] = path;
    return true;
}

void nb__gate_await(struct nb_gate *gate, uint64_t workers)
{
    gate->awaited[0] = workers;
}

/* Whatever way it came by so far, and it may have been several: over the ring of a worker whose queue it reached. */
int nb__gate_open_way(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path)
{
    struct nb_gate *gate = nb__gate_of(w, key);
    uint64_t all = w->n_workers == 64 ? UINT64_MAX : (UINT64_C(1) << w->n_workers) - 1;

    if (gate)
        return -EAGAIN;
    gate = nb__gate_open(w, key, NB_GATE_ANY);
    if (!gate)
        return -ENOBUFS;
    gate->awaited[0] = all & ~(UINT64_C(1) << path);
    gate->active = gate->strict = true;
    gate->until_us = w->now_us + NB_GATE_SLOW_US;
    nb__gate_push(gate, path);
    return 0;
}

static void put_back(struct nb_worker *w, struct nb_gate *gate)
{
    struct nb_gates *g = w->gates;
    uint32_t index = (uint32_t)(gate - g->gate), *link = &g->chain[gate->hash % CHAINS];

    while (*link != index)
        link = &g->gate[*link].next;
    *link = gate->next;
    gate->used = false;
    gate->next = g->free;
    g->free = index;
    w->n_gates--;
}

/* --- handing on ----------------------------------------------------------------------------------------------------
 */

static void release_stage(struct nb_worker *w, struct nb_gate *gate, unsigned stage)
{
    struct nb_gates *g = w->gates;

    while (gate->head[stage] != NB_GATE_NONE) {
        struct parked *p = &g->parked[gate->head[stage]];
        struct nb_arrival a = p->arrival;
        uint32_t index = gate->head[stage];

        gate->head[stage] = p->next;
        p->next = g->parked_free;
        g->parked_free = index;
        nb__deliver(w, &a);
    }
}

static void release_held(struct nb_worker *w, struct nb_gate *gate)
{
    uint32_t path = NB_PATH_NONE;

    if (!gate->holding)
        return;
    gate->holding = false;
    w->n_holding--;
    for (unsigned i = 0; i < gate->n_held; i++)
        nb_net_output(&w->net, gate->key.port_group, gate->key.family, &gate->key.remote, &path, gate->held[i],
                      w->now_us);
    gate->n_held = 0;
}

static void report(struct nb_worker *w, struct nb_gate *gate)
{
    struct nb_move_ticket *ticket = gate->ticket;

    gate->ticket = NULL;
    if (!ticket)
        return;
    gate->report.settled_us = w->now_us;
    ticket->report = gate->report;
    atomic_store_explicit(&ticket->done, 1, memory_order_release);
}

/* Nothing left to wait for? */
static void settle(struct nb_worker *w, struct nb_gate *gate)
{
    if (gate->at < gate->n - 1 || gate->holding || !gate->active)
        return;
    report(w, gate);
    if (!gate->forced)
        put_back(w, gate);
}

static void advance(struct nb_worker *w, struct nb_gate *gate)
{
    gate->at++;
    gate->until_us = w->now_us + NB_GATE_US;
    release_stage(w, gate, gate->at);
}

void nb__gate_look(struct nb_worker *w, struct nb_gate *gate)
{
    while (gate->at < gate->n - 1 && gate->awaited[gate->at] == 0)
        advance(w, gate);
    settle(w, gate);
}

/* A bound was reached: as if all fences had come. */
static void force(struct nb_worker *w, struct nb_gate *gate)
{
    gate->forced = true;
    while (gate->at < gate->n - 1)
        advance(w, gate);
    gate->until_us = w->now_us + NB_GATE_LATE_US;
    settle(w, gate);
}

/* --- segments in ---------------------------------------------------------------------------------------------------
 */

static uint32_t parked_get(struct nb_gates *g)
{
    uint32_t index = g->parked_free;

    if (index != NB_GATE_NONE)
        g->parked_free = g->parked[index].next;
    else if (g->parked_fresh < NB_GATE_PARKED)
        index = g->parked_fresh++;
    return index;
}

/* False: there is no place. */
static bool park(struct nb_worker *w, struct nb_gate *gate, unsigned stage, const struct nb_arrival *a)
{
    struct nb_gates *g = w->gates;
    uint32_t index = parked_get(g);

    if (index == NB_GATE_NONE)
        return false;
    g->parked[index].arrival = *a;
    g->parked[index].next = NB_GATE_NONE;
    if (gate->head[stage] == NB_GATE_NONE)
        gate->head[stage] = index;
    else
        g->parked[gate->tail[stage]].next = index;
    gate->tail[stage] = index;
    gate->report.parked++;
    if (gate->until_us > w->now_us + NB_GATE_US) /* the NIC has done it: now it counts */
        gate->until_us = w->now_us + NB_GATE_US;
    w->counters[NB_COUNTER_MOVE_PARKED]++;
    return true;
}

/* The stage of a path; the last one for a path that nobody expects: it can only be newer. */
static unsigned stage_of(const struct nb_gate *gate, uint16_t path)
{
    for (unsigned i = gate->n; i-- > 0;)
        if (gate->path[i] == path)
            return i;
    for (unsigned i = 0; i < gate->n; i++)
        if (gate->path[i] == NB_GATE_ANY)
            return i;
    return gate->n - 1;
}

/* Before the flow is ours, what comes for it as its owner was sent by its home, which knows already. */
static bool concerns(const struct nb_gate *gate, const struct nb_arrival *a)
{
    return gate->active || a->why == NB_WHY_OWNER;
}

bool nb__gate_parks(struct nb_worker *w, const struct nb_arrival *a)
{
    struct nb_gate *gate = find(w->gates, &a->seg.key, a->seg.hash);
    uint16_t path = a->why == NB_WHY_WIRE ? w->index : a->from;
    unsigned stage;

    if (!gate || !concerns(gate, a))
        return false;
    stage = stage_of(gate, path);
    if (stage > gate->at) {
        if (park(w, gate, stage, a))
            return true;
        force(w, gate);
        return false;
    }
    gate->report.forwarded += path == gate->path[0] && path != w->index;
    if (stage < gate->at && (gate->forced || gate->strict)) {
        gate->report.reordered++;
        w->counters[NB_COUNTER_MOVE_REORDERED]++;
    }
    return false;
}

void nb__gate_fence(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path, uint32_t lost)
{
    struct nb_gate *gate = nb__gate_of(w, key);

    if (!gate)
        return;
    gate->report.lost += lost;
    if (!gate->forced && gate->at < gate->n - 1) {
        gate->awaited[gate->at] &= ~(UINT64_C(1) << path);
        if (gate->awaited[gate->at] == 0) {
            advance(w, gate);
            settle(w, gate);
        }
    } else if (gate->forced) { /* now nothing can come late any more */
        report(w, gate);
        put_back(w, gate);
    }
}

/* --- packets out ---------------------------------------------------------------------------------------------------
 */

void nb__gate_hold(struct nb_worker *w, struct nb_gate *gate, uint64_t until_us)
{
    if (until_us <= w->now_us)
        return;
    gate->holding = true;
    gate->hold_until_us = until_us;
    w->n_holding++;
}

void nb__gate_drained(struct nb_worker *w, const struct nb_flow_key *key, uint64_t by_us)
{
    struct nb_gate *gate = nb__gate_of(w, key);

    if (gate && gate->holding)
        gate->hold_until_us = by_us;
}

bool nb__gate_closed_for(struct nb_worker *w, const struct nb_flow_key *key)
{
    const struct nb_gate *gate = nb__gate_of(w, key);

    return gate && gate->holding;
}

bool nb__gate_holds(struct nb_worker *w, const struct nb_flow_key *key, struct rte_mbuf *packet)
{
    struct nb_gate *gate = nb__gate_of(w, key);

    if (!gate || !gate->holding)
        return false;
    if (gate->n_held == NB_GATE_HELD) { /* answers cannot wait any longer; they go, in order */
        release_held(w, gate);
        return false;
    }
    gate->held[gate->n_held++] = packet;
    return true;
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

void nb__gate_drop(struct nb_worker *w, struct nb_gate *gate)
{
    gate->at = gate->n - 1;
    for (unsigned i = 0; i < gate->n; i++)
        release_stage(w, gate, i);
    release_held(w, gate);
    put_back(w, gate);
}

void nb__gates_stop(struct nb_worker *w)
{
    struct nb_gates *g = w->gates;

    for (uint32_t i = 0; g && i < g->fresh; i++) {
        struct nb_gate *gate = &g->gate[i];

        if (!gate->used)
            continue;
        report(w, gate);
        nb__gate_drop(w, gate);
    }
}

static void tend(struct nb_worker *w, struct nb_gate *gate)
{
    if (gate->holding && w->now_us >= gate->hold_until_us) {
        release_held(w, gate);
        settle(w, gate);
    } else if (gate->active && w->now_us >= gate->until_us) {
        if (gate->forced)
            put_back(w, gate);
        else
            force(w, gate);
    }
}

void nb__gates_tend(struct nb_worker *w)
{
    for (uint32_t i = 0; i < w->gates->fresh; i++)
        if (w->gates->gate[i].used)
            tend(w, &w->gates->gate[i]);
}

uint64_t nb__gates_next_us(const struct nb_worker *w)
{
    uint64_t next_us = UINT64_MAX;

    for (uint32_t i = 0; w->n_gates && i < w->gates->fresh; i++) {
        const struct nb_gate *gate = &w->gates->gate[i];

        if (gate->used && gate->holding && gate->hold_until_us < next_us)
            next_us = gate->hold_until_us;
        if (gate->used && gate->active && gate->until_us < next_us)
            next_us = gate->until_us;
    }
    return next_us;
}
