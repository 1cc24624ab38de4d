/* gate.c - see gate.h. */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "worker.h"

#define CHAINS 256 /* by the low bits of the flow's hash */

/* Touched only where used: a worker without moves pays for addresses, not for memory. */
struct nb_gates {
    uint32_t chain[CHAINS];
    uint32_t free, fresh; /* gates */
    struct nb_gate gate[NB_GATES];
};

struct nb_gates *nb_gates_new(void)
{
    struct nb_gates *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    memset(g->chain, 0xff, sizeof g->chain);
    g->free = NB_GATE_NONE;
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

static uint64_t bit(uint16_t worker)
{
    return UINT64_C(1) << worker;
}

struct nb_gate *nb__gate_open(struct nb_worker *w, const struct nb_flow_key *key, uint16_t path, uint16_t next)
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
                                      .n = 2,
                                      .path = {path, next},
                                      .until_us = w->now_us + NB_GATE_US};
    for (unsigned i = 0; i < NB_GATE_PATHS; i++)
        g->gate[index].parked[i] = (struct nb_park_list)NB_PARK_EMPTY;
    g->chain[hash % CHAINS] = index;
    w->n_gates++;
    w->moving = true;
    return &g->gate[index];
}

void nb__gate_await(struct nb_gate *gate, uint64_t workers)
{
    gate->awaited[0] = workers;
}

void nb__gate_await_home(struct nb_gate *gate, uint16_t home, uint32_t incarnation, uint16_t moves)
{
    gate->path[gate->n++] = home;
    gate->awaited[1] = bit(home);
    gate->home_owed = true;
    gate->incarnation = incarnation;
    gate->moves = moves;
}

int nb__gate_open_way(struct nb_worker *w, const struct nb_flow_key *key, uint16_t queue)
{
    struct nb_gate *gate = nb__gate_of(w, key);
    uint64_t all = w->n_workers == 64 ? UINT64_MAX : bit(w->n_workers) - 1;

    if (gate)
        return -EAGAIN;
    gate = nb__gate_open(w, key, NB_GATE_ANY, queue);
    if (!gate)
        return -ENOBUFS;
    nb__gate_await(gate, all & ~bit(queue));
    gate->active = gate->strict = true;
    gate->until_us = w->now_us + NB_GATE_SLOW_US;
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
    struct nb_arrival a;

    while (nb_park_take(w->park, &gate->parked[stage], &a))
        nb__deliver(w, &a);
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

static bool has_ended(const struct nb_worker *w, const struct nb_gate *gate)
{
    enum nb_flow_kind kind = nb_flow_find(w->flows, &gate->key, gate->hash).kind;

    return kind != NB_FLOW_TCB && kind != NB_FLOW_TIME_WAIT;
}

/* It answers with a fence; there is nothing to tell of a flow that has ended. Owed when the ring is full. */
static void tell_home(struct nb_worker *w, struct nb_gate *gate)
{
    const struct nb_mail mail = {
        .kind = NB_MAIL_MOVE_HOME, .count = gate->moves, .flow = {.key = gate->key, .incarnation = gate->incarnation}};

    if (has_ended(w, gate)) {
        gate->home_owed = false;
        gate->awaited[1] = 0;
    } else {
        gate->home_owed = !nb__mail(w, gate->path[2], &mail);
    }
}

/* Nothing left to wait for? */
static void settle(struct nb_worker *w, struct nb_gate *gate)
{
    if (gate->at < gate->n - 1 || gate->holding || !gate->active || gate->home_owed)
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
    if (gate->home_owed)
        tell_home(w, gate);
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

/* False: there is no place. */
static bool park(struct nb_worker *w, struct nb_gate *gate, unsigned stage, const struct nb_arrival *a)
{
    if (!nb_park_put(w->park, &gate->parked[stage], a))
        return false;
    gate->report.parked++;
    if (gate->until_us > w->now_us + NB_GATE_US) /* the NIC has done it: now it counts */
        gate->until_us = w->now_us + NB_GATE_US;
    w->counters[NB_COUNTER_MOVE_PARKED]++;
    return true;
}

/* Every gate has a path for any. */
static unsigned stage_of(const struct nb_gate *gate, uint16_t path)
{
    unsigned any = 0;

    for (unsigned i = 0; i < gate->n; i++) {
        if (gate->path[i] == path)
            return i;
        if (gate->path[i] == NB_GATE_ANY)
            any = i;
    }
    return any;
}

bool nb__gate_parks(struct nb_worker *w, const struct nb_arrival *a)
{
    struct nb_gate *gate = find(w->gates, &a->seg.key, a->seg.hash);
    uint16_t path;
    unsigned stage;

    if (!gate || !gate->active)
        return false;
    path = gate->strict ? a->queue : a->why == NB_WHY_WIRE ? w->index : a->from;
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

void nb__gate_fence(struct nb_worker *w, const struct nb_flow_key *key, uint16_t origin, uint32_t lost)
{
    struct nb_gate *gate = nb__gate_of(w, key);

    if (!gate)
        return;
    gate->report.lost += lost;
    for (unsigned i = gate->at; i < gate->n - 1u; i++)
        gate->awaited[i] &= ~bit(origin);
    if (!gate->forced) {
        nb__gate_look(w, gate);
    } else if (!gate->home_owed) { /* now nothing can come late any more */
        report(w, gate);
        release_held(w, gate);
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
    report(w, gate);
    put_back(w, gate);
}

void nb__gates_stop(struct nb_worker *w)
{
    struct nb_gates *g = w->gates;

    for (uint32_t i = 0; g && i < g->fresh; i++) {
        struct nb_gate *gate = &g->gate[i];

        if (gate->used)
            nb__gate_drop(w, gate);
    }
}

bool nb__gates_on_port(const struct nb_worker *w, unsigned port)
{
    for (uint32_t i = 0; i < w->gates->fresh; i++)
        if (w->gates->gate[i].used && w->gates->gate[i].key.port_group == port)
            return true;
    return false;
}

static void tend(struct nb_worker *w, struct nb_gate *gate)
{
    if (gate->holding && w->now_us >= gate->hold_until_us) {
        release_held(w, gate);
        settle(w, gate);
        return;
    }
    if (!gate->active)
        return;
    if (gate->home_owed && gate->at > 0)
        tell_home(w, gate);
    if (w->now_us < gate->until_us)
        nb__gate_look(w, gate);
    else if (!gate->forced)
        force(w, gate);
    else if (!gate->home_owed) /* whatever the time: home must know, or it goes on sending segments elsewhere */
        nb__gate_drop(w, gate);
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
        if (gate->used && gate->home_owed && gate->at > 0)
            return w->now_us + NB_TX_RETRY_US;
    }
    return next_us;
}
