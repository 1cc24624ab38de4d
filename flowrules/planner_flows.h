/* planner_flows.h - the planner's records of flows: found by id, each in one state, linked in that state's list.
 * Private to the planner.
 */
#ifndef NB_FLOWRULES_PLANNER_FLOWS_H
#define NB_FLOWRULES_PLANNER_FLOWS_H

#include <netbypass/planner.h>

#include "index.h"

#define NB__FLOW_NONE NB__INDEX_NONE

/* Lifecycle of a record; planner.c tells the story. */
enum nb__flow_state {
    NB__FLOW_AGEING,           /* policy exact, not old enough yet */
    NB__FLOW_READY_NEEDED,     /* wants its rule now: owner not home */
    NB__FLOW_READY_WISHED,     /* wants its rule now: policy */
    NB__FLOW_WAITING,          /* another rule must go first: it is that rule's successor */
    NB__FLOW_PLANNED,          /* its entry is in the table, the create is on its way */
    NB__FLOW_INSTALLED_NEEDED, /* its rule is in force */
    NB__FLOW_INSTALLED_WISHED, /* the same; the one longest without traffic is first */
    NB__FLOW_MOVE_DUE,         /* its rule is in force, and has another queue than the owner's */
    NB__FLOW_MOVING,           /* a step of its move is on its way */
    NB__FLOW_REJECTED_NEEDED,  /* no room */
    NB__FLOW_REJECTED_WISHED,
    NB__FLOW_IDLE,    /* gave its rule to one that was turned away */
    NB__FLOW_COOLING, /* refused; tried again at due_us */
    NB__FLOW_FAILED,  /* refused for good */
    NB__FLOW_PAUSED,  /* rules were flushed */
    NB__FLOW_STATES,
};

struct nb__flow {
    uint64_t id;
    struct nb_tuple tuple;
    uint64_t since_us, due_us;    /* due: end of AGEING or COOLING */
    uint64_t packets, active_us;  /* received, and when that was last seen to grow */
    uint64_t settled_us;          /* see struct nb_plan */
    struct nb_table_entry *entry; /* its own; WAITING: the one it waits for */
    struct nb_table_entry *other; /* of a move: the cover, or the new rule that entry hides */
    uint32_t incarnation;
    uint32_t next, prev; /* in its state's list; next also in the free list */
    uint32_t seen;       /* the last resync that saw it */
    uint16_t queue, home_queue;
    uint8_t state; /* enum nb__flow_state */
    uint8_t why;   /* enum nb_why */
    uint8_t attempts;
    bool counted_rejected; /* once per flow, however often it is retried */
};

/* Records have numbers, which stay when the array grows; pointers to them do not outlive nb__flows_add. */
struct nb__flows {
    struct nb__flow *flow;
    uint32_t n, free; /* records allocated; the first free one */
    struct nb__index by_id;
    struct {
        uint32_t head, tail, count;
    } list[NB__FLOW_STATES];
};

int nb__flows_init(struct nb__flows *flows); /* 0 or -ENOMEM */
void nb__flows_fini(struct nb__flows *flows);

static inline uint32_t nb__flow_number(const struct nb__flows *flows, const struct nb__flow *f)
{
    return (uint32_t)(f - flows->flow);
}

static inline struct nb__flow *nb__flow_at(const struct nb__flows *flows, uint32_t number)
{
    return number == NB__FLOW_NONE ? NULL : &flows->flow[number];
}

/* The one that has been longest in a state, or NULL. */
static inline struct nb__flow *nb__flows_first(const struct nb__flows *flows, enum nb__flow_state state)
{
    return nb__flow_at(flows, flows->list[state].head);
}

struct nb__flow *nb__flows_find(const struct nb__flows *flows, uint64_t id);

/* A record for a wish whose flow has none, READY_WISHED until the caller decides. NULL when memory is short. */
struct nb__flow *nb__flows_add(struct nb__flows *flows, const struct nb_wish *wish);
void nb__flows_remove(struct nb__flows *flows, struct nb__flow *f);

/* Put a record at the end of a state's list. */
void nb__flows_set(struct nb__flows *flows, struct nb__flow *f, enum nb__flow_state state, enum nb_why why);

/* Put it at the beginning of its state's list. */
void nb__flows_go_first(struct nb__flows *flows, struct nb__flow *f);

/* Call visit for every record; visit may set the state of that record or remove it. */
void nb__flows_each(struct nb__flows *flows, void (*visit)(void *arg, struct nb__flow *f), void *arg);

#endif
