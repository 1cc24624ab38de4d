/* planner.c - from wishes to operations.
 *
 * Theory of operation. Every flow that may want a rule has a record, and a record is in exactly one state, which is
 * also the list it is linked in:
 *
 *     AGEING     policy exact, not old enough yet. In order of arrival, which but for a resync is order of age, so only
 *                the head is ever looked at
 *     READY      wants its rule now; needed ones (owner not home) before wished ones (policy)
 *     WAITING    another rule must go first: one with its match, the one it replaces, or the one whose place it takes.
 *                It is that rule's successor
 *     PLANNED    its entry is in the table, the create is on its way
 *     INSTALLED  its rule is in force; wished ones in order of last activity, the coldest first
 *     MOVE_DUE   its rule is in force, but names the queue of a former owner
 *     MOVING     the first step of its move is on its way
 *     REJECTED   no room; one comes back to READY whenever a rule goes
 *     IDLE       gave its rule to one that was turned away; REJECTED again when packets come
 *     COOLING    the driver refused; tried again after RETRY_AFTER_US, a few times
 *     FAILED     the driver refused for good
 *     PAUSED     rules were flushed
 *
 * Flows that want no rule (at home under policy auto, or nothing the port could hold) have no record at all: their plan
 * follows from the wish.
 *
 * A rule that must go is in the list of leaving entries, which is served before any create. That order, and the wait
 * for the match, keep two rules with one match from ever being in the NIC, except where a move wants it so. An entry
 * whose create is still on its way is doomed instead, and leaves when the create is done.
 *
 * A move begins from a rule in force and takes the way of the engine's row:
 *     IN_PLACE        update
 *     SHADOWED        create the new rule, which the old one hides; destroy the old one
 *     COVERED         create a cover (a rule with this match in the engine for moves, which outranks this one); destroy
 *                     the old rule; create the new one; destroy the cover
 *     DESTROY_CREATE  destroy, create; also whenever there is no place for the other ways
 * A wish that changes during a move is looked at when the rule is in force: a new move begins from there.
 *
 * A full table: a needed flow takes the place of the coldest wished one. A wished flow waits for a place, which it gets
 * when a rule goes or when a wished one has been idle for idle_after_us: that time is the hysteresis. Operations of
 * policy are further limited to a share of time, by what the engine's row says an operation takes, so that a flood of
 * short connections neither occupies the NIC nor the steering thread; needed ones are not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netbypass/planner.h>

#include "planner_flows.h"

#define NONE           NB__FLOW_NONE
#define RETRY_AFTER_US 1000000 /* what a driver refused once rarely works within milliseconds */
#define ATTEMPTS_MAX   3       /* then it is a fact, not an accident */
#define STEPS_PER_CALL 256     /* records that one nb_planner_next moves at most: the caller holds a lock */
#define VICTIMS_LOOKED 8       /* coldest rules that are looked at for one whose place can be taken */
#define POLICY_SHARE   4       /* at most a quarter of the time goes into creates that only policy wants, */
#define POLICY_SAVE_US 250000  /* and after a quiet time so much of it at once: a second's share */

struct entry_list {
    struct nb_table_entry *head, **tail;
};

struct nb_planner {
    const struct nb_profile *profile;
    struct nb_table *table;
    struct nb_planner_config config;
    struct nb__flows flows;
    struct entry_list leaving; /* to destroy now */
    struct entry_list stuck;   /* their destroy failed: again at plan.due_us */
    bool paused;
    uint32_t resync, demoting;      /* demoting: entries that leave because they were idle */
    uint64_t saved_us, saved_at_us; /* time that policy's creates may take, and as of when */
};

/* --- life --------------------------------------------------------------------------------------------------------- */

struct nb_planner *nb_planner_new(const struct nb_profile *profile, struct nb_table *table,
                                  const struct nb_planner_config *config)
{
    struct nb_planner *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    *p = (struct nb_planner){.profile = profile, .table = table, .config = *config, .saved_us = POLICY_SAVE_US};
    p->leaving.tail = &p->leaving.head;
    p->stuck.tail = &p->stuck.head;
    if (nb__flows_init(&p->flows)) {
        free(p);
        return NULL;
    }
    return p;
}

void nb_planner_free(struct nb_planner *planner)
{
    if (!planner)
        return;
    nb__flows_fini(&planner->flows);
    free(planner);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static struct nb__flow *flow_at(const struct nb_planner *p, uint32_t number)
{
    return nb__flow_at(&p->flows, number);
}

static uint32_t number_of(const struct nb_planner *p, const struct nb__flow *f)
{
    return nb__flow_number(&p->flows, f);
}

static uint32_t count(const struct nb_planner *p, enum nb__flow_state state)
{
    return p->flows.list[state].count;
}

static struct nb__flow *first(const struct nb_planner *p, enum nb__flow_state state)
{
    return nb__flows_first(&p->flows, state);
}

static void set_state(struct nb_planner *p, struct nb__flow *f, enum nb__flow_state state, enum nb_why why)
{
    nb__flows_set(&p->flows, f, state, why);
}

/* --- rules that must go ------------------------------------------------------------------------------------------- */

static void push_entry(struct entry_list *list, struct nb_table_entry *e)
{
    e->plan.next = NULL;
    *list->tail = e;
    list->tail = &e->plan.next;
}

static struct nb_table_entry *pop_entry(struct entry_list *list)
{
    struct nb_table_entry *e = list->head;

    list->head = e->plan.next;
    if (!list->head)
        list->tail = &list->head;
    return e;
}

static void leave(struct nb_planner *p, struct nb_table_entry *e)
{
    e->plan.flow = NONE;
    if (e->state == NB_ENTRY_PLANNED) {
        e->plan.doomed = true;
        return;
    }
    e->state = NB_ENTRY_LEAVING;
    push_entry(&p->leaving, e);
}

/* Part the flow from its move's second rule, or from the end of it. */
static void let_go_of_other(struct nb_planner *p, struct nb__flow *f)
{
    if (f->other && f->other->state == NB_ENTRY_LEAVING)
        f->other->plan.successor = NONE;
    else if (f->other)
        leave(p, f->other);
    f->other = NULL;
}

/* Part the flow from its rules, or from the one it waits for. */
static void let_go(struct nb_planner *p, struct nb__flow *f)
{
    let_go_of_other(p, f);
    if (!f->entry)
        return;
    if (f->state == NB__FLOW_WAITING)
        f->entry->plan.successor = NONE;
    else
        leave(p, f->entry);
    f->entry = NULL;
}

/* The flow stays without a rule for now. */
static void settle(struct nb_planner *p, struct nb__flow *f, enum nb__flow_state state, enum nb_why why)
{
    let_go(p, f);
    set_state(p, f, state, why);
}

static void drop_flow(struct nb_planner *p, struct nb__flow *f)
{
    let_go(p, f);
    nb__flows_remove(&p->flows, f);
}

/* --- what a flow should have -------------------------------------------------------------------------------------- */

static void exact_rule(struct nb_rule *rule, const struct nb_tuple *tuple, uint16_t queue)
{
    memset(rule, 0, sizeof *rule);
    nb_match_exact(&rule->match, tuple);
    rule->action = NB_RULE_QUEUE;
    rule->queue = queue;
}

static bool not_home(const struct nb_wish *wish)
{
    return wish->queue != wish->home_queue;
}

/* Does policy give such a flow a rule, and could the port hold it? The reason, and whether to keep a record. */
static enum nb_why judge(const struct nb_planner *p, const struct nb_wish *wish, bool *wants_rule)
{
    struct nb_rule rule;
    enum nb_why why;

    *wants_rule = false;
    if (p->config.policy == NB_POLICY_AUTO && !not_home(wish))
        return NB_WHY_HOME;
    exact_rule(&rule, &wish->tuple, wish->queue);
    if (!nb_profile_engine_for(p->profile, NB_PURPOSE_CONNECTIONS, &rule, &why))
        return why;
    *wants_rule = true;
    return not_home(wish) ? NB_WHY_NOT_HOME : NB_WHY_POLICY_EXACT;
}

static enum nb_why reason(const struct nb__flow *f)
{
    return f->queue != f->home_queue ? NB_WHY_NOT_HOME : NB_WHY_POLICY_EXACT;
}

static void make_ready(struct nb_planner *p, struct nb__flow *f)
{
    set_state(p, f, f->queue != f->home_queue ? NB__FLOW_READY_NEEDED : NB__FLOW_READY_WISHED, NB_WHY_PENDING);
}

/* The flow's rule is in force: is it the right one? */
static void settle_installed(struct nb_planner *p, struct nb__flow *f)
{
    f->entry->why = reason(f);
    if (f->entry->rule.queue != f->queue)
        set_state(p, f, NB__FLOW_MOVE_DUE, NB_WHY_PENDING);
    else
        set_state(p, f, f->queue != f->home_queue ? NB__FLOW_INSTALLED_NEEDED : NB__FLOW_INSTALLED_WISHED,
                  f->entry->why);
}

/* The flow becomes the one that waits for the entry to go. A later flow that waited for its match is turned away: the
 * end of this one is on its way. */
static void become_successor(struct nb_planner *p, struct nb__flow *f, struct nb_table_entry *e)
{
    uint32_t before = e->plan.successor;

    if (before != NONE && before != number_of(p, f))
        settle(p, flow_at(p, before), NB__FLOW_REJECTED_WISHED, NB_WHY_MATCH_TAKEN);
    e->plan.successor = number_of(p, f);
}

/* The flow's own rule is in force, but for the second one of its move, which has to go first. */
static void end_move(struct nb_planner *p, struct nb__flow *f)
{
    if (!f->other) {
        settle_installed(p, f);
        return;
    }
    become_successor(p, f, f->other);
    leave(p, f->other);
    set_state(p, f, NB__FLOW_MOVING, NB_WHY_PENDING);
}

/* Decide anew what becomes of a record that wants a rule. */
static void replan(struct nb_planner *p, struct nb__flow *f, uint64_t now_us)
{
    if (p->paused) {
        settle(p, f, NB__FLOW_PAUSED, NB_WHY_FLUSHED);
        return;
    }
    switch ((enum nb__flow_state)f->state) {
    case NB__FLOW_WAITING:
    case NB__FLOW_PLANNED:
    case NB__FLOW_MOVING:
        return; /* what is wished when that is done counts */
    case NB__FLOW_INSTALLED_NEEDED:
    case NB__FLOW_INSTALLED_WISHED:
    case NB__FLOW_MOVE_DUE:
        settle_installed(p, f);
        return;
    case NB__FLOW_AGEING:
    case NB__FLOW_READY_NEEDED:
    case NB__FLOW_READY_WISHED:
    case NB__FLOW_REJECTED_NEEDED:
    case NB__FLOW_REJECTED_WISHED:
    case NB__FLOW_IDLE:
    case NB__FLOW_COOLING:
    case NB__FLOW_FAILED:
    case NB__FLOW_PAUSED:
    case NB__FLOW_STATES:
        break;
    }
    f->due_us = f->since_us + p->config.exact_after_us;
    if (f->queue == f->home_queue && f->due_us > now_us)
        set_state(p, f, NB__FLOW_AGEING, NB_WHY_YOUNG);
    else
        make_ready(p, f);
}

static bool older(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

int nb_planner_wish(struct nb_planner *p, const struct nb_wish *wish, uint64_t now_us)
{
    struct nb__flow *f = nb__flows_find(&p->flows, wish->flow);
    bool wants_rule, is_new = !f;

    if (f && older(wish->incarnation, f->incarnation))
        return 0;
    judge(p, wish, &wants_rule);
    if (!wants_rule) {
        if (f)
            drop_flow(p, f);
        return 0;
    }
    if (is_new && !(f = nb__flows_add(&p->flows, wish)))
        return -ENOMEM;
    bool same =
        !is_new && f->queue == wish->queue && f->home_queue == wish->home_queue && f->incarnation == wish->incarnation;
    f->seen = p->resync;
    if (same)
        return 0;
    f->incarnation = wish->incarnation;
    f->queue = wish->queue;
    f->home_queue = wish->home_queue;
    f->attempts = 0;
    if (is_new)
        f->active_us = now_us;
    replan(p, f, now_us);
    return 0;
}

void nb_planner_traffic(struct nb_planner *p, uint64_t flow, uint64_t packets, uint64_t now_us)
{
    struct nb__flow *f = nb__flows_find(&p->flows, flow);

    if (!f || f->packets == packets)
        return;
    f->packets = packets;
    f->active_us = now_us;
    if (f->state == NB__FLOW_INSTALLED_WISHED)
        set_state(p, f, NB__FLOW_INSTALLED_WISHED, (enum nb_why)f->why); /* now the warmest */
    else if (f->state == NB__FLOW_IDLE)
        make_ready(p, f);
}

void nb_planner_gone(struct nb_planner *p, uint64_t flow, uint32_t incarnation)
{
    struct nb__flow *f = nb__flows_find(&p->flows, flow);

    if (f && !older(incarnation, f->incarnation))
        drop_flow(p, f);
}

/* --- places ------------------------------------------------------------------------------------------------------- */

/* Give the room that a rule left to one of those that were turned away. */
static void readmit(struct nb_planner *p)
{
    static const enum nb__flow_state in_turn[] = {NB__FLOW_REJECTED_NEEDED, NB__FLOW_REJECTED_WISHED, NB__FLOW_IDLE};

    for (size_t i = 0; i < sizeof in_turn / sizeof in_turn[0]; i++) {
        if (count(p, in_turn[i])) {
            make_ready(p, first(p, in_turn[i]));
            return;
        }
    }
}

static void reject(struct nb_planner *p, struct nb__flow *f, unsigned engine, enum nb_why why)
{
    if (!f->counted_rejected)
        nb_table_engine(p->table, engine)->rejected++;
    f->counted_rejected = true;
    settle(p, f, f->queue != f->home_queue ? NB__FLOW_REJECTED_NEEDED : NB__FLOW_REJECTED_WISHED, why);
}

/* Another rule has this match. The flow waits for it to go, in the place of whoever waited before: of two flows that
 * claim one 5-tuple, the later is the living one, and the news of the earlier one's end is on its way. */
static void wait_for(struct nb_planner *p, struct nb__flow *f, struct nb_table_entry *e)
{
    become_successor(p, f, e);
    f->entry = e;
    set_state(p, f, NB__FLOW_WAITING, NB_WHY_MATCH_TAKEN);
}

static struct nb_table_entry *find_match(const struct nb_planner *p, const struct nb__flow *f,
                                         const struct nb_match *match)
{
    for (unsigned i = 0; i < p->profile->n_engines; i++) {
        struct nb_table_entry *e = nb_table_find(p->table, i, match);
        if (e && e != f->other)
            return e;
    }
    return NULL;
}

/* The table is full: the flow gets the place of the coldest rule that only policy wants. False: there is none. */
static bool evict_for(struct nb_planner *p, struct nb__flow *f, unsigned engine)
{
    uint32_t i = p->flows.list[NB__FLOW_INSTALLED_WISHED].head;

    for (int n = 0; n < VICTIMS_LOOKED && i != NONE; n++, i = flow_at(p, i)->next) {
        struct nb__flow *victim = flow_at(p, i);
        struct nb_table_entry *e = victim->entry;
        if (e->engine != engine || e->plan.successor != NONE)
            continue;
        settle(p, victim, NB__FLOW_REJECTED_WISHED, NB_WHY_EVICTED);
        become_successor(p, f, e);
        f->entry = e;
        set_state(p, f, NB__FLOW_WAITING, NB_WHY_TABLE_FULL);
        return true;
    }
    return false;
}

static struct nb_table_entry *add_entry(struct nb_planner *p, const struct nb__flow *f, unsigned engine,
                                        const struct nb_rule *rule)
{
    struct nb_table_entry *e = nb_table_add(p->table, engine, rule, f->id, reason(f));

    if (e) {
        e->plan.flow = number_of(p, f);
        e->plan.successor = NONE;
    }
    return e;
}

/* How many places of an engine a rule for a connection must leave free. */
static uint32_t kept_free(const struct nb_planner *p, const struct nb_engine_profile *row, bool needed)
{
    if (row->purpose == NB_PURPOSE_MOVES)
        return row->size - (p->config.spill < row->size ? p->config.spill : row->size);
    return needed ? 0 : p->config.reserve;
}

/* The engine that takes the rule now, or NULL and why none does; *first is the one meant for it. */
static const struct nb_engine_profile *choose_engine(const struct nb_planner *p, const struct nb_rule *rule,
                                                     bool needed, unsigned *first, enum nb_why *why)
{
    static const enum nb_purpose in_turn[] = {NB_PURPOSE_CONNECTIONS, NB_PURPOSE_MOVES};
    enum nb_why here;

    for (size_t i = 0; i < sizeof in_turn / sizeof in_turn[0]; i++) {
        const struct nb_engine_profile *row = nb_profile_engine_for(p->profile, in_turn[i], rule, &here);
        if (!row)
            continue;
        unsigned engine = (unsigned)(row - p->profile->engine);
        here = nb_table_room(p->table, engine, &rule->match, kept_free(p, row, needed));
        if (here == NB_WHY_PENDING)
            return row;
        if (i == 0) {
            *first = engine;
            *why = here;
        }
    }
    return NULL;
}

/* Find a place for a READY flow's rule. True: op is its create. False: it is in another state now. */
static bool place(struct nb_planner *p, struct nb__flow *f, struct nb_op *op)
{
    bool needed = f->queue != f->home_queue;
    struct nb_rule rule;
    enum nb_why why = NB_WHY_NO_ENGINE;
    unsigned engine = 0;

    exact_rule(&rule, &f->tuple, f->queue);
    struct nb_table_entry *taken = find_match(p, f, &rule.match);
    if (taken) {
        wait_for(p, f, taken);
        return false;
    }
    const struct nb_engine_profile *row = choose_engine(p, &rule, needed, &engine, &why);
    if (!row) {
        if (!(needed && why == NB_WHY_TABLE_FULL && evict_for(p, f, engine)))
            reject(p, f, engine, why);
        return false;
    }
    engine = (unsigned)(row - p->profile->engine);
    f->entry = add_entry(p, f, engine, &rule);
    if (!f->entry) {
        reject(p, f, engine, NB_WHY_TABLE_FULL);
        return false;
    }
    if (!needed)
        p->saved_us -= row->latency_us < p->saved_us ? row->latency_us : p->saved_us;
    set_state(p, f, NB__FLOW_PLANNED, NB_WHY_PENDING);
    *op = (struct nb_op){.kind = NB_OP_CREATE, .entry = f->entry};
    return true;
}

/* --- moves -------------------------------------------------------------------------------------------------------- */

/* The old rule goes, and the flow gets its new one, or the one that is hidden so far, when it has gone. */
static void break_old(struct nb_planner *p, struct nb__flow *f)
{
    become_successor(p, f, f->entry);
    leave(p, f->entry);
    set_state(p, f, NB__FLOW_WAITING, NB_WHY_PENDING);
}

/* A second rule with this match, to be created in an engine where one more is fine. False: no place for it. */
static bool begin_with_other(struct nb_planner *p, struct nb__flow *f, unsigned engine, struct nb_op *op)
{
    struct nb_rule rule;

    exact_rule(&rule, &f->tuple, f->queue);
    if (nb_table_room(p->table, engine, &rule.match, 0) != NB_WHY_PENDING)
        return false;
    f->other = add_entry(p, f, engine, &rule);
    if (!f->other)
        return false;
    set_state(p, f, NB__FLOW_MOVING, NB_WHY_PENDING);
    *op = (struct nb_op){.kind = NB_OP_CREATE, .entry = f->other};
    return true;
}

static bool begin_covered(struct nb_planner *p, struct nb__flow *f, struct nb_op *op)
{
    struct nb_rule rule;
    enum nb_why why;

    exact_rule(&rule, &f->tuple, f->queue);
    const struct nb_engine_profile *row = nb_profile_engine_for(p->profile, NB_PURPOSE_MOVES, &rule, &why);
    if (!row || nb_table_find(p->table, (unsigned)(row - p->profile->engine), &rule.match))
        return false;
    return begin_with_other(p, f, (unsigned)(row - p->profile->engine), op);
}

/* The first step of a move. True: it is op. False: there is another operation to do first, or none. */
static bool begin_move(struct nb_planner *p, struct nb__flow *f, struct nb_op *op)
{
    bool begun = false;

    switch (p->profile->engine[f->entry->engine].update) {
    case NB_UPDATE_IN_PLACE:
        set_state(p, f, NB__FLOW_MOVING, NB_WHY_PENDING);
        *op = (struct nb_op){.kind = NB_OP_UPDATE, .entry = f->entry, .queue = f->queue};
        return true;
    case NB_UPDATE_SHADOWED:
        begun = begin_with_other(p, f, f->entry->engine, op);
        break;
    case NB_UPDATE_COVERED:
        begun = begin_covered(p, f, op);
        break;
    case NB_UPDATE_DESTROY_CREATE:
        break;
    }
    if (!begun)
        break_old(p, f);
    return begun;
}

/* Someone was turned away or gave way, or an engine for connections is three quarters full. */
bool nb_planner_scarce(const struct nb_planner *p)
{
    if (count(p, NB__FLOW_REJECTED_NEEDED) || count(p, NB__FLOW_REJECTED_WISHED) || count(p, NB__FLOW_IDLE))
        return true;
    for (unsigned i = 0; i < p->profile->n_engines; i++) {
        const struct nb_table_engine *row = nb_table_engine(p->table, i);
        if (row->profile->purpose == NB_PURPOSE_CONNECTIONS && row->used >= row->profile->size / 4 * 3)
            return count(p, NB__FLOW_INSTALLED_WISHED) != 0;
    }
    return false;
}

/* --- what time makes due ------------------------------------------------------------------------------------------ */

static bool wants_place(const struct nb_planner *p)
{
    return p->config.idle_after_us && count(p, NB__FLOW_INSTALLED_WISHED) &&
           count(p, NB__FLOW_REJECTED_WISHED) > p->demoting;
}

static uint64_t idle_at_us(const struct nb_planner *p)
{
    return first(p, NB__FLOW_INSTALLED_WISHED)->active_us + p->config.idle_after_us;
}

/* Rules that were idle for long make room for flows that were turned away, one for one. */
static void demote_idle(struct nb_planner *p, uint64_t now_us)
{
    for (int n = 0; n < STEPS_PER_CALL && wants_place(p) && idle_at_us(p) <= now_us; n++) {
        struct nb__flow *f = first(p, NB__FLOW_INSTALLED_WISHED);
        f->entry->plan.demoted = true;
        p->demoting++;
        settle(p, f, NB__FLOW_IDLE, NB_WHY_IDLE);
    }
}

/* Bring back what time alone has made due. */
static void wake_due(struct nb_planner *p, uint64_t now_us)
{
    static const enum nb__flow_state by_time[] = {NB__FLOW_AGEING, NB__FLOW_COOLING};

    for (size_t i = 0; i < sizeof by_time / sizeof by_time[0]; i++) {
        struct nb__flow *f;
        for (int n = 0; n < STEPS_PER_CALL && (f = first(p, by_time[i])) && f->due_us <= now_us; n++)
            make_ready(p, f);
    }
    while (p->stuck.head && p->stuck.head->plan.due_us <= now_us)
        push_entry(&p->leaving, pop_entry(&p->stuck));
    demote_idle(p, now_us);
}

/* What a create of policy's may cost at most: the slowest engine's operation. */
static uint32_t policy_cost_us(const struct nb_planner *p)
{
    uint32_t cost = 0;

    for (unsigned i = 0; i < p->profile->n_engines; i++)
        if (p->profile->engine[i].purpose == NB_PURPOSE_CONNECTIONS && p->profile->engine[i].latency_us > cost)
            cost = p->profile->engine[i].latency_us;
    return cost;
}

static void save(struct nb_planner *p, uint64_t now_us)
{
    if (now_us <= p->saved_at_us)
        return;
    p->saved_us += (now_us - p->saved_at_us) / POLICY_SHARE;
    if (p->saved_us > POLICY_SAVE_US)
        p->saved_us = POLICY_SAVE_US;
    p->saved_at_us = now_us - (now_us - p->saved_at_us) % POLICY_SHARE;
}

static struct nb__flow *first_ready(const struct nb_planner *p)
{
    if (count(p, NB__FLOW_READY_NEEDED))
        return first(p, NB__FLOW_READY_NEEDED);
    if (count(p, NB__FLOW_READY_WISHED) && p->saved_us >= policy_cost_us(p))
        return first(p, NB__FLOW_READY_WISHED);
    return NULL;
}

/* --- operations --------------------------------------------------------------------------------------------------- */

bool nb_planner_next(struct nb_planner *p, uint64_t now_us, struct nb_op *op)
{
    struct nb__flow *f;

    wake_due(p, now_us);
    save(p, now_us);
    for (int n = 0; n < STEPS_PER_CALL; n++) {
        if (p->leaving.head) {
            *op = (struct nb_op){.kind = NB_OP_DESTROY, .entry = pop_entry(&p->leaving)};
            return true;
        }
        if (count(p, NB__FLOW_MOVE_DUE)) {
            if (begin_move(p, first(p, NB__FLOW_MOVE_DUE), op))
                return true;
            continue;
        }
        f = first_ready(p);
        if (!f)
            return false;
        if (place(p, f, op))
            return true;
    }
    return false;
}

static enum nb_why why_refused(int result)
{
    switch (result) {
    case -EEXIST:
        return NB_WHY_DUPLICATE;
    case -EXDEV:
        return NB_WHY_OTHER_MASK;
    case -ETIMEDOUT:
        return NB_WHY_TIMED_OUT;
    default:
        return NB_WHY_REFUSED;
    }
}

/* The rule that the flow waited for is going now. */
static void succeed(struct nb_planner *p, struct nb__flow *f, const struct nb_table_entry *e)
{
    if (f->other == e) { /* the end of a move */
        f->other = NULL;
        settle_installed(p, f);
        return;
    }
    f->entry = NULL;
    if (f->other && f->other->engine == e->engine) { /* what it hid is in force now */
        f->entry = f->other;
        f->other = NULL;
        settle_installed(p, f);
    } else {
        make_ready(p, f);
        nb__flows_go_first(&p->flows, f); /* the place is for this flow */
    }
}

/* The NIC does not have the entry: its place, its mark and its match are free for others. True: a successor waited. */
static bool entry_out(struct nb_planner *p, struct nb_table_entry *e, uint64_t now_us)
{
    uint32_t successor = e->plan.successor;

    p->demoting -= e->plan.demoted;
    if (successor != NONE) {
        flow_at(p, successor)->settled_us = now_us + p->profile->classify_us;
        succeed(p, flow_at(p, successor), e);
    }
    nb_table_remove(p->table, e);
    return successor != NONE;
}

static void destroy_done(struct nb_planner *p, struct nb_table_entry *e, int result, uint64_t now_us)
{
    if (result)
        nb_table_engine(p->table, e->engine)->failed++;
    if (!result || result == -ENOENT) {
        if (!entry_out(p, e, now_us))
            readmit(p);
        return;
    }
    e->why = why_refused(result);
    e->plan.due_us = now_us + RETRY_AFTER_US;
    push_entry(&p->stuck, e);
}

/* The flow whose operation on this entry was on its way, if it still cares. */
static struct nb__flow *flow_of(const struct nb_planner *p, const struct nb_table_entry *e)
{
    return e->plan.flow == NONE ? NULL : flow_at(p, e->plan.flow);
}

/* The first step of a move with two rules is done, or could not be. */
static void other_done(struct nb_planner *p, struct nb__flow *f, int result, void *handle, uint64_t now_us)
{
    struct nb_table_entry *other = f->other;

    if (!result) {
        nb_table_installed(p->table, other, handle, now_us);
    } else {
        nb_table_engine(p->table, other->engine)->failed += result != -ENOSPC;
        f->other = NULL;
        entry_out(p, other, now_us);
    }
    if (f->entry->rule.queue == f->queue) /* it was moved back meanwhile */
        end_move(p, f);
    else
        break_old(p, f);
}

static void create_refused(struct nb_planner *p, struct nb_table_entry *e, int result, uint64_t now_us)
{
    struct nb__flow *f = flow_of(p, e);

    nb_table_engine(p->table, e->engine)->failed++;
    if (f) {
        f->entry = NULL;
        f->due_us = now_us + RETRY_AFTER_US;
        settle(p, f, ++f->attempts < ATTEMPTS_MAX ? NB__FLOW_COOLING : NB__FLOW_FAILED, why_refused(result));
    }
    if (!entry_out(p, e, now_us))
        readmit(p);
}

/* The device was full before our count was. Its word holds until one of our rules goes. */
static void create_met_full_table(struct nb_planner *p, struct nb_table_entry *e, uint64_t now_us)
{
    struct nb_table_engine *row = nb_table_engine(p->table, e->engine);
    struct nb__flow *f = flow_of(p, e);

    if (f) {
        f->entry = NULL;
        reject(p, f, e->engine, NB_WHY_TABLE_FULL);
    }
    row->full = row->used > 1; /* without another rule there is none whose going could make room */
    entry_out(p, e, now_us);
}

static void create_done(struct nb_planner *p, struct nb_table_entry *e, void *handle, uint64_t now_us)
{
    struct nb__flow *f = flow_of(p, e);

    nb_table_installed(p->table, e, handle, now_us);
    if (f) {
        f->settled_us = now_us + p->profile->classify_us;
        end_move(p, f);
    } else {
        leave(p, e);
    }
    if (nb_table_room(p->table, e->engine, &e->rule.match, p->config.reserve) == NB_WHY_PENDING)
        readmit(p);
}

static void update_done(struct nb_planner *p, const struct nb_op *op, int result, uint64_t now_us)
{
    struct nb_table_entry *e = op->entry;
    struct nb__flow *f = flow_of(p, e);

    if (result)
        nb_table_engine(p->table, e->engine)->failed++;
    else
        e->rule.queue = op->queue;
    if (!f)
        return;
    f->settled_us = now_us + p->profile->classify_us;
    if (result)
        break_old(p, f);
    else
        settle_installed(p, f);
}

void nb_planner_done(struct nb_planner *p, const struct nb_op *op, int result, void *handle, uint64_t now_us)
{
    struct nb__flow *f = flow_of(p, op->entry);

    switch (op->kind) {
    case NB_OP_CREATE:
        if (f && f->other == op->entry)
            other_done(p, f, result, handle, now_us);
        else if (!result)
            create_done(p, op->entry, handle, now_us);
        else if (result == -ENOSPC)
            create_met_full_table(p, op->entry, now_us);
        else
            create_refused(p, op->entry, result, now_us);
        return;
    case NB_OP_DESTROY:
        destroy_done(p, op->entry, result, now_us);
        return;
    case NB_OP_UPDATE:
        update_done(p, op, result, now_us);
        return;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t nb_planner_due_us(const struct nb_planner *p)
{
    uint64_t due = UINT64_MAX;

    if (p->leaving.head || count(p, NB__FLOW_MOVE_DUE) || count(p, NB__FLOW_READY_NEEDED))
        return 0;
    if (count(p, NB__FLOW_READY_WISHED)) {
        uint64_t missing_us = policy_cost_us(p) > p->saved_us ? policy_cost_us(p) - p->saved_us : 0;
        if (!missing_us)
            return 0;
        due = p->saved_at_us + missing_us * POLICY_SHARE;
    }
    if (wants_place(p))
        due = earlier(due, idle_at_us(p));
    if (count(p, NB__FLOW_AGEING))
        due = earlier(due, first(p, NB__FLOW_AGEING)->due_us);
    if (count(p, NB__FLOW_COOLING))
        due = earlier(due, first(p, NB__FLOW_COOLING)->due_us);
    if (p->stuck.head)
        due = earlier(due, p->stuck.head->plan.due_us);
    return due;
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

struct nb_plan nb_planner_plan(const struct nb_planner *p, const struct nb_wish *wish)
{
    const struct nb__flow *f = nb__flows_find(&p->flows, wish->flow);
    bool wants_rule;

    if (!f) {
        enum nb_why why = judge(p, wish, &wants_rule);
        return (struct nb_plan){.rule = -1, .why = wants_rule ? NB_WHY_UNKNOWN : why};
    }
    if (f->state != NB__FLOW_INSTALLED_NEEDED && f->state != NB__FLOW_INSTALLED_WISHED)
        return (struct nb_plan){.rule = -1, .why = (enum nb_why)f->why};
    return (struct nb_plan){true, f->entry->id, (enum nb_why)f->why, f->settled_us};
}

/* --- everything at once ------------------------------------------------------------------------------------------- */

void nb_planner_resync_begin(struct nb_planner *p)
{
    p->resync++;
}

static void drop_unseen(void *arg, struct nb__flow *f)
{
    struct nb_planner *p = arg;

    if (f->seen != p->resync)
        drop_flow(p, f);
}

void nb_planner_resync_sweep(struct nb_planner *p)
{
    nb__flows_each(&p->flows, drop_unseen, p);
}

static void pause_flow(void *arg, struct nb__flow *f)
{
    replan(arg, f, 0);
}

void nb_planner_pause(struct nb_planner *p)
{
    p->paused = true;
    nb__flows_each(&p->flows, pause_flow, p);
}

void nb_planner_resume(struct nb_planner *p, uint64_t now_us)
{
    struct nb__flow *f;

    p->paused = false;
    while ((f = first(p, NB__FLOW_PAUSED)))
        replan(p, f, now_us);
}
