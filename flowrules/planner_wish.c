/* planner_wish.c - what a flow should have: news of flows become the states that planner.c describes. */
#include <errno.h>
#include <string.h>

#include "planner_core.h"

void nb__planner_rule(struct nb_rule *rule, const struct nb_tuple *tuple, uint16_t queue)
{
    memset(rule, 0, sizeof *rule);
    nb_match_exact(&rule->match, tuple);
    rule->action = NB_RULE_QUEUE;
    rule->queue = queue;
}

enum nb_why nb__planner_judge(const struct nb_planner *p, const struct nb_wish *wish, bool *wants_rule)
{
    struct nb_rule rule;
    enum nb_why why;

    *wants_rule = false;
    if (p->config.policy == NB_POLICY_AUTO && wish->queue == wish->home_queue)
        return NB_WHY_HOME;
    nb__planner_rule(&rule, &wish->tuple, wish->queue);
    if (!nb_profile_engine_for(p->profile, NB_PURPOSE_CONNECTIONS, &rule, &why))
        return why;
    *wants_rule = true;
    return wish->queue != wish->home_queue ? NB_WHY_NOT_HOME : NB_WHY_POLICY_EXACT;
}

void nb__planner_make_ready(struct nb_planner *p, struct nb__flow *f)
{
    set_state(p, f, not_home(f) ? NB__FLOW_READY_NEEDED : NB__FLOW_READY_WISHED, NB_WHY_PENDING);
}

void nb__planner_replan(struct nb_planner *p, struct nb__flow *f, uint64_t now_us)
{
    if (p->paused) {
        nb__planner_settle(p, f, NB__FLOW_PAUSED, NB_WHY_FLUSHED);
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
        nb__planner_settle_installed(p, f);
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
    if (!not_home(f) && f->due_us > now_us)
        set_state(p, f, NB__FLOW_AGEING, NB_WHY_YOUNG);
    else
        nb__planner_make_ready(p, f);
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
    nb__planner_judge(p, wish, &wants_rule);
    if (!wants_rule) {
        if (f)
            nb__planner_drop(p, f);
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
    nb__planner_replan(p, f, now_us);
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
        nb__planner_make_ready(p, f);
}

void nb_planner_gone(struct nb_planner *p, uint64_t flow, uint32_t incarnation)
{
    struct nb__flow *f = nb__flows_find(&p->flows, flow);

    if (f && !older(incarnation, f->incarnation))
        nb__planner_drop(p, f);
}
