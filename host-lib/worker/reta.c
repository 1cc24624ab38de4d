/* reta.c - what a worker does while a port's indirection table changes, so that no flow is ever without a registrar.
 *
 * The steps, each done on all workers before the next begins (runtime_reta.c):
 *
 * - begin: the next table is known. From here on no flow of the port begins to move, and a worker also answers as the
 *   next home of a tuple, when asked so.
 * - (wait): until those that are on the move have settled; now every flow comes by one way.
 * - announce: every flow that will not be at home is announced to its next home. Until the end, new flows are announced
 *   as they are made, to whichever home they were not made at.
 * - hold: what comes from the wire to its next home, not being at home there yet, is parked.
 * - (write): the port's table is rewritten; packets may come by either.
 * - (drain): every queue has been seen empty of what came by the old table, and what its worker sent on has been read.
 * - switch: the next table is the table.
 * - release: what was parked is handed on, behind all that came before it.
 * - clean: old homes forget the entries that they no longer need, and TIME-WAIT records go to the new ones.
 *
 * A flow that stays at home, or comes home, loses its entry; one that leaves home gains one. If the port refuses,
 * abandon takes the place of switch, and clean takes the announcements back.
 */
#include "worker.h"

#define FLOWS_PER_CALL 256 /* looked at between two bursts: some ten microseconds */

static uint16_t next_home(const struct nb_worker *w, unsigned port, const struct nb_flow_key *key)
{
    return nb_rss_queue(&w->port[port].next, key);
}

static uint16_t home(const struct nb_worker *w, unsigned port, const struct nb_flow_key *key)
{
    return nb_rss_queue(&w->port[port].rss, key);
}

static uint16_t moves_of(struct nb_flow_ref ref)
{
    return ref.kind == NB_FLOW_TCB ? nb_tcb_moves((const struct nb_tcb *)ref.object) : 0;
}

/* A TIME-WAIT record has no incarnation of its own; no flow is number 0. */
static uint32_t incarnation_of(struct nb_flow_ref ref)
{
    return ref.kind == NB_FLOW_TCB ? nb_tcb_incarnation((const struct nb_tcb *)ref.object) : 0;
}

/* False when the ring is full. */
static bool announce(struct nb_worker *w, struct nb_flow_ref ref, uint16_t to)
{
    const struct nb_flow_key *key = &ref.object->key;
    const uint32_t incarnation = incarnation_of(ref);
    const struct nb_mail put = {
        .kind = NB_MAIL_FORWARD_PUT, .count = moves_of(ref), .flow = {.key = *key, .incarnation = incarnation}};

    if (to == w->index || nb_registry_told(&w->registry, key) == to)
        return true;
    if (!nb__mail(w, to, &put))
        return false;
    nb_registry_set_told(&w->registry, key, to, incarnation);
    return true;
}

static bool take_back(struct nb_worker *w, const struct nb_forward *f, uint16_t from)
{
    const struct nb_mail remove = {.kind = NB_MAIL_FORWARD_REMOVE,
                                   .flow = {.key = f->flow.key, .incarnation = f->incarnation}};

    return f->departed || from == w->index || nb__mail(w, from, &remove);
}

void nb__reta_begin(struct nb_worker *w, unsigned port, const uint16_t *reta, unsigned n)
{
    struct nb_worker_port *p = &w->port[port];

    p->next = p->rss;
    nb_rss_set_reta(&p->next, reta, n);
    p->reta_phase = NB_RETA_CHANGING;
    w->reta_slot = 0;
}

/* Announce flows from *slot on to their next homes. False when that has to go on later. */
static bool announce_from(struct nb_worker *w, unsigned port, uint32_t *slot)
{
    struct nb_flow_ref ref;
    uint32_t at = *slot;
    bool sent = true;

    for (unsigned i = 0; i < FLOWS_PER_CALL && sent && nb_flow_next(w->flows, &at, &ref); i++) {
        const struct nb_flow_key *key = &ref.object->key;

        if (ref.kind != NB_FLOW_FORWARD && key->port_group == port)
            sent = announce(w, ref, next_home(w, port, key));
        if (sent)
            *slot = at;
    }
    return sent && !nb_flow_next(w->flows, &at, &ref);
}

bool nb__reta_announce(struct nb_worker *w, unsigned port)
{
    bool done = announce_from(w, port, &w->reta_slot);

    nb__ring_doorbells(w);
    return done;
}

/* A flow was made while workers disagree about its home. It was made here because we are one of the two; the other must
 * know of it, whether it is the next home or, when we have switched, the old one. */
void nb__reta_flow_made(struct nb_worker *w, unsigned port, const struct nb_flow_key *key)
{
    struct nb_flow_ref ref = nb_flow_find(w->flows, key, nb_flow_hash(w->flows, key));

    if (ref.kind == NB_FLOW_NONE)
        return;
    if (!announce(w, ref, home(w, port, key)) ||
        !announce(w, ref, next_home(w, port, key)))
        w->port[port].reta_again = true;
    w->port[port].reta_again_slot = 0;
}

bool nb__reta_flow_made_for(struct nb_worker *w, unsigned port, const struct nb_flow_key *key, uint16_t its_home)
{
    struct nb_flow_ref ref = nb_flow_find(w->flows, key, nb_flow_hash(w->flows, key));

    if (ref.kind == NB_FLOW_NONE)
        return false;
    announce(w, ref, its_home);
    if (w->port[port].reta_phase != NB_RETA_STABLE)
        nb__reta_flow_made(w, port, key);
    return true;
}

/* Flows that could not be announced when they were made, because a ring was full. */
static void announce_again(struct nb_worker *w)
{
    for (unsigned i = 0; i < w->n_ports; i++) {
        struct nb_worker_port *p = &w->port[i];

        if (p->reta_again && p->reta_phase != NB_RETA_STABLE)
            p->reta_again = !announce_from(w, i, &p->reta_again_slot);
    }
}

/* --- order ---------------------------------------------------------------------------------------------------------
 */

void nb__reta_hold(struct nb_worker *w, unsigned port)
{
    struct nb_worker_port *p = &w->port[port];

    p->reta_parked = (struct nb_park_list)NB_PARK_EMPTY;
    p->reta_holds = true;
    w->n_gates++;
}

void nb__reta_release(struct nb_worker *w, unsigned port)
{
    struct nb_worker_port *p = &w->port[port];
    struct nb_arrival a;

    if (!p->reta_holds)
        return;
    p->reta_holds = false;
    w->n_gates--;
    while (nb_park_take(w->park, &p->reta_parked, &a))
        nb__deliver(w, &a);
}

/* When there is no more place, all are handed on at once, and order is not kept. */
bool nb__reta_holds(struct nb_worker *w, const struct nb_arrival *a)
{
    struct nb_worker_port *p = &w->port[a->port];
    const struct nb_rss *next = p->reta_phase == NB_RETA_CHANGING ? &p->next : &p->rss;
    const struct nb_rss *last = p->reta_phase == NB_RETA_CHANGING ? &p->rss : &p->next;

    if (!p->reta_holds || a->why != NB_WHY_WIRE || nb_rss_queue(next, &a->seg.key) != w->index ||
        nb_rss_queue(last, &a->seg.key) == w->index)
        return false;
    if (nb_park_put(w->park, &p->reta_parked, a)) {
        w->counters[NB_COUNTER_MOVE_PARKED]++;
        return true;
    }
    w->counters[NB_COUNTER_MOVE_REORDERED]++;
    nb__reta_release(w, a->port);
    return false;
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

void nb__reta_switch(struct nb_worker *w, unsigned port)
{
    struct nb_worker_port *p = &w->port[port];
    struct nb_rss old = p->rss;

    p->rss = p->next;
    p->next = old;
    p->reta_phase = NB_RETA_CHANGED;
    w->reta_away = NB_REGISTRY_NONE;
}

void nb__reta_abandon(struct nb_worker *w, unsigned port)
{
    w->port[port].reta_phase = NB_RETA_CHANGED;
    w->reta_away = NB_REGISTRY_NONE;
}

/* What becomes of a flow of ours that we told a home of: its old home forgets it, and if it has ended its record goes
 * to the new one. False: a ring is full. */
static bool clean_one(struct nb_worker *w, const struct nb_forward *f, bool *forget)
{
    const struct nb_flow_key *key = &f->flow.key;
    uint16_t now = home(w, key->port_group, key), before = next_home(w, key->port_group, key);
    enum nb_record_sent record;

    if (now != before && !take_back(w, f, before))
        return false;
    if (!f->departed)
        nb_registry_set_told(&w->registry, key, now, f->incarnation);
    record = nb__record_goes_home(w, key, now, true);
    *forget = now == w->index || record == NB_RECORD_GONE;
    return record != NB_RECORD_WAITS;
}

bool nb__reta_clean(struct nb_worker *w, unsigned port)
{
    const struct nb_forward *f;
    bool sent = true;

    for (unsigned i = 0; i < FLOWS_PER_CALL && (f = nb_registry_away_at(&w->registry, &w->reta_away)); i++) {
        bool forget = false;

        if (f->flow.key.port_group == port)
            sent = clean_one(w, f, &forget);
        if (!sent)
            break;
        nb_registry_away_step(&w->registry, &w->reta_away, forget);
    }
    nb__ring_doorbells(w);
    if (!sent || nb_registry_away_at(&w->registry, &w->reta_away))
        return false;
    w->port[port].reta_phase = NB_RETA_STABLE;
    w->settled_at_us = w->now_us + NB_SETTLE_US;
    w->registry.sweep = NB_REGISTRY_NONE;
    return true;
}

static bool is_changing(const struct nb_worker *w)
{
    for (unsigned i = 0; i < w->n_ports; i++)
        if (w->port[i].reta_phase != NB_RETA_STABLE)
            return true;
    return false;
}

/* The next flow that we told a home of: has it ended, or is there only its record, which goes home? False: that is all
 * for now. */
static bool sweep_one(struct nb_worker *w)
{
    struct nb_registry *r = &w->registry;
    const struct nb_forward *f = nb_registry_away_at(r, &r->sweep);
    enum nb_record_sent record;
    struct nb_flow_ref ref;

    if (!f) {
        r->sweep = NB_REGISTRY_NONE;
        return false;
    }
    record = nb__record_goes_home(w, &f->flow.key, home(w, f->flow.key.port_group, &f->flow.key), false);
    if (record != NB_RECORD_STAYS) {
        nb_registry_away_step(r, &r->sweep, record == NB_RECORD_GONE);
        return record == NB_RECORD_GONE;
    }
    ref = nb_flow_find(r->flows, &f->flow.key, nb_flow_hash(r->flows, &f->flow.key));
    if (ref.kind == NB_FLOW_TCB || ref.kind == NB_FLOW_TIME_WAIT)
        nb_registry_away_step(r, &r->sweep, false);
    else if (take_back(w, f, f->owner))
        nb_registry_away_step(r, &r->sweep, true);
    else
        return false;
    return true;
}

static void sweep(struct nb_worker *w)
{
    unsigned n = 1 + nb_flow_count(w->registry.away) / NB_SWEEP_PARTS;

    w->sweep_at_us = w->now_us + NB_SWEEP_US;
    while (n > 0 && sweep_one(w))
        n--;
}

void nb__reta_tend(struct nb_worker *w)
{
    if (is_changing(w))
        announce_again(w);
    else if (w->registry.away_first != NB_REGISTRY_NONE && w->now_us >= w->sweep_at_us)
        sweep(w);
}
