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
 *     COOLING    the driver refused; tried again after a second, a few times
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
 *
 * The files: planner_wish.c (news become states), planner_place.c (who gets a place), planner_move.c, planner_leave.c,
 * planner_time.c, planner_done.c (results become states), planner_flows.c (the records and their lists).
 */
#include <stdlib.h>

#include "planner_core.h"

/* --- life --------------------------------------------------------------------------------------------------------- */

struct nb_planner *nb_planner_new(const struct nb_profile *profile, struct nb_table *table,
                                  const struct nb_planner_config *config)
{
    struct nb_planner *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    *p =
        (struct nb_planner){.profile = profile, .table = table, .config = *config, .saved_us = NB__PLANNER_SAVE_MAX_US};
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

/* --- operations --------------------------------------------------------------------------------------------------- */

bool nb_planner_next(struct nb_planner *p, uint64_t now_us, struct nb_op *op)
{
    struct nb__flow *f;

    nb__planner_wake_due(p, now_us);
    for (int n = 0; n < NB__PLANNER_STEPS; n++) {
        if (p->leaving.head) {
            *op = (struct nb_op){.kind = NB_OP_DESTROY, .entry = nb__planner_pop(&p->leaving)};
            return true;
        }
        if (count(p, NB__FLOW_MOVE_DUE)) {
            if (nb__planner_begin_move(p, first(p, NB__FLOW_MOVE_DUE), op))
                return true;
            continue;
        }
        f = nb__planner_first_ready(p);
        if (!f)
            return false;
        if (nb__planner_place(p, f, op))
            return true;
    }
    return false;
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

bool nb_planner_takes(const struct nb_planner *p, const struct nb_tuple *tuple)
{
    const struct nb_wish away = {.tuple = *tuple, .queue = 1, .home_queue = 0};
    bool wants_rule;

    nb__planner_judge(p, &away, &wants_rule);
    return wants_rule;
}

struct nb_plan nb_planner_plan(const struct nb_planner *p, const struct nb_wish *wish)
{
    const struct nb__flow *f = nb__flows_find(&p->flows, wish->flow);
    bool wants_rule;

    if (!f) {
        enum nb_why why = nb__planner_judge(p, wish, &wants_rule);
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
        nb__planner_drop(p, f);
}

void nb_planner_resync_sweep(struct nb_planner *p)
{
    nb__flows_each(&p->flows, drop_unseen, p);
}

static void pause_flow(void *arg, struct nb__flow *f)
{
    nb__planner_replan(arg, f, 0);
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
        nb__planner_replan(p, f, now_us);
}
