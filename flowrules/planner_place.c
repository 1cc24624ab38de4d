/* planner_place.c - places in tables: which engine takes a new rule, who is turned away, and who gives way to whom. */
#include "planner_core.h"

#define VICTIMS_LOOKED 8 /* coldest rules that are looked at for one whose place can be taken */

void nb__planner_readmit(struct nb_planner *p)
{
    static const enum nb__flow_state in_turn[] = {NB__FLOW_REJECTED_NEEDED, NB__FLOW_REJECTED_WISHED, NB__FLOW_IDLE};

    for (size_t i = 0; i < sizeof in_turn / sizeof in_turn[0]; i++) {
        if (count(p, in_turn[i])) {
            nb__planner_make_ready(p, first(p, in_turn[i]));
            return;
        }
    }
}

void nb__planner_reject(struct nb_planner *p, struct nb__flow *f, unsigned engine, enum nb_why why)
{
    if (!f->counted_rejected)
        nb_table_engine(p->table, engine)->rejected++;
    f->counted_rejected = true;
    nb__planner_settle(p, f, not_home(f) ? NB__FLOW_REJECTED_NEEDED : NB__FLOW_REJECTED_WISHED, why);
}

/* Another rule has this match. The flow waits for it to go, in the place of whoever waited before: of two flows that
 * claim one 5-tuple, the later is the living one, and the news of the earlier one's end is on its way. */
static void wait_for(struct nb_planner *p, struct nb__flow *f, struct nb_table_entry *e)
{
    nb__planner_become_successor(p, f, e);
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
        nb__planner_settle(p, victim, NB__FLOW_REJECTED_WISHED, NB_WHY_EVICTED);
        nb__planner_become_successor(p, f, e);
        f->entry = e;
        set_state(p, f, NB__FLOW_WAITING, NB_WHY_TABLE_FULL);
        return true;
    }
    return false;
}

struct nb_table_entry *nb__planner_add_entry(struct nb_planner *p, const struct nb__flow *f, unsigned engine,
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
static const struct nb_engine_profile *choose_engine(const struct nb_planner *p, const struct nb__flow *f,
                                                     const struct nb_rule *rule, unsigned *first, enum nb_why *why)
{
    static const enum nb_purpose in_turn[] = {NB_PURPOSE_CONNECTIONS, NB_PURPOSE_MOVES};
    enum nb_why here;

    for (size_t i = 0; i < sizeof in_turn / sizeof in_turn[0]; i++) {
        const struct nb_engine_profile *row = nb_profile_engine_for(p->profile, in_turn[i], rule, &here);
        if (!row)
            continue;
        unsigned engine = (unsigned)(row - p->profile->engine);
        if (f->other && f->other->engine == engine)
            continue; /* the cover of its move is there, and has the same match */
        here = nb_table_room(p->table, engine, &rule->match, kept_free(p, row, not_home(f)));
        if (here == NB_WHY_PENDING)
            return row;
        if (i == 0) {
            *first = engine;
            *why = here;
        }
    }
    return NULL;
}

bool nb__planner_place(struct nb_planner *p, struct nb__flow *f, struct nb_op *op)
{
    bool needed = not_home(f);
    struct nb_rule rule;
    enum nb_why why = NB_WHY_NO_ENGINE;
    unsigned engine = 0;

    nb__planner_rule(&rule, &f->tuple, f->queue);
    struct nb_table_entry *taken = find_match(p, f, &rule.match);
    if (taken) {
        wait_for(p, f, taken);
        return false;
    }
    const struct nb_engine_profile *row = choose_engine(p, f, &rule, &engine, &why);
    if (!row) {
        if (!(needed && why == NB_WHY_TABLE_FULL && evict_for(p, f, engine)))
            nb__planner_reject(p, f, engine, why);
        return false;
    }
    engine = (unsigned)(row - p->profile->engine);
    f->entry = nb__planner_add_entry(p, f, engine, &rule);
    if (!f->entry) {
        nb__planner_reject(p, f, engine, NB_WHY_TABLE_FULL);
        return false;
    }
    if (!needed)
        p->saved_us -= row->latency_us < p->saved_us ? row->latency_us : p->saved_us;
    set_state(p, f, NB__FLOW_PLANNED, NB_WHY_PENDING);
    *op = (struct nb_op){.kind = NB_OP_CREATE, .entry = f->entry};
    return true;
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
