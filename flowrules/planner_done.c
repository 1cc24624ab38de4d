/* planner_done.c - what becomes of flows and entries when an operation has ended. */
#include <errno.h>

#include "planner_core.h"

#define ATTEMPTS_MAX 3 /* creates of one flow that a driver refuses: then it is a fact, not an accident */

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
        nb__planner_settle_installed(p, f);
        return;
    }
    f->entry = NULL;
    if (f->other && f->other->engine == e->engine) { /* what it hid is in force now */
        f->entry = f->other;
        f->other = NULL;
        nb__planner_settle_installed(p, f);
    } else {
        nb__planner_make_ready(p, f);
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
            nb__planner_readmit(p);
        return;
    }
    e->why = why_refused(result);
    e->plan.due_us = now_us + NB__PLANNER_RETRY_US;
    nb__planner_push(&p->stuck, e);
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
        nb__planner_end_move(p, f);
    else
        nb__planner_break_old(p, f);
}

static void create_refused(struct nb_planner *p, struct nb_table_entry *e, int result, uint64_t now_us)
{
    struct nb__flow *f = flow_of(p, e);

    nb_table_engine(p->table, e->engine)->failed++;
    if (f) {
        f->entry = NULL;
        f->due_us = now_us + NB__PLANNER_RETRY_US;
        nb__planner_settle(p, f, ++f->attempts < ATTEMPTS_MAX ? NB__FLOW_COOLING : NB__FLOW_FAILED,
                           why_refused(result));
    }
    if (!entry_out(p, e, now_us))
        nb__planner_readmit(p);
}

/* The device was full before our count was. Its word holds until one of our rules goes. */
static void create_met_full_table(struct nb_planner *p, struct nb_table_entry *e, uint64_t now_us)
{
    struct nb_table_engine *row = nb_table_engine(p->table, e->engine);
    struct nb__flow *f = flow_of(p, e);

    if (f) {
        f->entry = NULL;
        nb__planner_reject(p, f, e->engine, NB_WHY_TABLE_FULL);
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
        nb__planner_end_move(p, f);
    } else {
        nb__planner_leave(p, e);
    }
    if (nb_table_room(p->table, e->engine, &e->rule.match, p->config.reserve) == NB_WHY_PENDING)
        nb__planner_readmit(p);
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
        nb__planner_break_old(p, f);
    else
        nb__planner_settle_installed(p, f);
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
