/* planner_time.c - what time makes due: flows that come of age or are tried again, idle rules that make room, and the
 * share of the time that creates of policy may take.
 */
#include "planner_core.h"

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
    for (int n = 0; n < NB__PLANNER_STEPS && wants_place(p) && idle_at_us(p) <= now_us; n++) {
        struct nb__flow *f = first(p, NB__FLOW_INSTALLED_WISHED);
        f->entry->plan.demoted = true;
        p->demoting++;
        nb__planner_settle(p, f, NB__FLOW_IDLE, NB_WHY_IDLE);
    }
}

/* Time goes by: part of it may be taken by creates of policy. */
static void save(struct nb_planner *p, uint64_t now_us)
{
    if (now_us <= p->saved_at_us)
        return;
    p->saved_us += (now_us - p->saved_at_us) / NB__PLANNER_SHARE;
    if (p->saved_us > NB__PLANNER_SAVE_MAX_US)
        p->saved_us = NB__PLANNER_SAVE_MAX_US;
    p->saved_at_us = now_us - (now_us - p->saved_at_us) % NB__PLANNER_SHARE;
}

void nb__planner_wake_due(struct nb_planner *p, uint64_t now_us)
{
    static const enum nb__flow_state by_time[] = {NB__FLOW_AGEING, NB__FLOW_COOLING};

    for (size_t i = 0; i < sizeof by_time / sizeof by_time[0]; i++) {
        struct nb__flow *f;
        for (int n = 0; n < NB__PLANNER_STEPS && (f = first(p, by_time[i])) && f->due_us <= now_us; n++)
            nb__planner_make_ready(p, f);
    }
    while (p->stuck.head && p->stuck.head->plan.due_us <= now_us)
        nb__planner_push(&p->leaving, nb__planner_pop(&p->stuck));
    demote_idle(p, now_us);
    save(p, now_us);
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

struct nb__flow *nb__planner_first_ready(const struct nb_planner *p)
{
    if (count(p, NB__FLOW_READY_NEEDED))
        return first(p, NB__FLOW_READY_NEEDED);
    if (count(p, NB__FLOW_READY_WISHED) && p->saved_us >= policy_cost_us(p))
        return first(p, NB__FLOW_READY_WISHED);
    return NULL;
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
        due = p->saved_at_us + missing_us * NB__PLANNER_SHARE;
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
