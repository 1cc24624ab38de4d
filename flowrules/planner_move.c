/* planner_move.c - a rule gets another queue, in the way that its engine's row allows. */
#include "planner_core.h"

void nb__planner_settle_installed(struct nb_planner *p, struct nb__flow *f)
{
    f->entry->why = reason(f);
    if (f->entry->rule.queue != f->queue)
        set_state(p, f, NB__FLOW_MOVE_DUE, NB_WHY_PENDING);
    else
        set_state(p, f, not_home(f) ? NB__FLOW_INSTALLED_NEEDED : NB__FLOW_INSTALLED_WISHED, f->entry->why);
}

void nb__planner_become_successor(struct nb_planner *p, struct nb__flow *f, struct nb_table_entry *e)
{
    uint32_t before = e->plan.successor;

    if (before != NONE && before != number_of(p, f))
        nb__planner_settle(p, flow_at(p, before), NB__FLOW_REJECTED_WISHED, NB_WHY_MATCH_TAKEN);
    e->plan.successor = number_of(p, f);
}

void nb__planner_end_move(struct nb_planner *p, struct nb__flow *f)
{
    if (!f->other) {
        nb__planner_settle_installed(p, f);
        return;
    }
    nb__planner_become_successor(p, f, f->other);
    nb__planner_leave(p, f->other);
    set_state(p, f, NB__FLOW_MOVING, NB_WHY_PENDING);
}

void nb__planner_break_old(struct nb_planner *p, struct nb__flow *f)
{
    nb__planner_become_successor(p, f, f->entry);
    nb__planner_leave(p, f->entry);
    set_state(p, f, NB__FLOW_WAITING, NB_WHY_PENDING);
}

/* A second rule with this match, to be created in an engine where one more is fine. False: no place for it. */
static bool begin_with_other(struct nb_planner *p, struct nb__flow *f, unsigned engine, struct nb_op *op)
{
    struct nb_rule rule;

    nb__planner_rule(&rule, &f->tuple, f->queue);
    if (nb_table_room(p->table, engine, &rule.match, 0) != NB_WHY_PENDING)
        return false;
    f->other = nb__planner_add_entry(p, f, engine, &rule);
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

    nb__planner_rule(&rule, &f->tuple, f->queue);
    const struct nb_engine_profile *row = nb_profile_engine_for(p->profile, NB_PURPOSE_MOVES, &rule, &why);
    if (!row || nb_table_find(p->table, (unsigned)(row - p->profile->engine), &rule.match))
        return false;
    return begin_with_other(p, f, (unsigned)(row - p->profile->engine), op);
}

bool nb__planner_begin_move(struct nb_planner *p, struct nb__flow *f, struct nb_op *op)
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
        nb__planner_break_old(p, f);
    return begun;
}
