/* planner_leave.c - rules that must go, and flows that part from theirs. */
#include "planner_core.h"

void nb__planner_push(struct nb__entry_list *list, struct nb_table_entry *e)
{
    e->plan.next = NULL;
    *list->tail = e;
    list->tail = &e->plan.next;
}

struct nb_table_entry *nb__planner_pop(struct nb__entry_list *list)
{
    struct nb_table_entry *e = list->head;

    list->head = e->plan.next;
    if (!list->head)
        list->tail = &list->head;
    return e;
}

void nb__planner_leave(struct nb_planner *p, struct nb_table_entry *e)
{
    e->plan.flow = NONE;
    if (e->state == NB_ENTRY_PLANNED) {
        e->plan.doomed = true;
        return;
    }
    e->state = NB_ENTRY_LEAVING;
    nb__planner_push(&p->leaving, e);
}

/* Part the flow from its move's second rule, or from the end of it. */
static void let_go_of_other(struct nb_planner *p, struct nb__flow *f)
{
    if (f->other && f->other->state == NB_ENTRY_LEAVING)
        f->other->plan.successor = NONE;
    else if (f->other)
        nb__planner_leave(p, f->other);
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
        nb__planner_leave(p, f->entry);
    f->entry = NULL;
}

void nb__planner_settle(struct nb_planner *p, struct nb__flow *f, enum nb__flow_state state, enum nb_why why)
{
    let_go(p, f);
    set_state(p, f, state, why);
}

void nb__planner_drop(struct nb_planner *p, struct nb__flow *f)
{
    let_go(p, f);
    nb__flows_remove(&p->flows, f);
}
