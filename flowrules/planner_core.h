/* planner_core.h - what the planner's files share: its struct, and the steps that one of them does for the others.
 * planner.c tells the story.
 */
#ifndef NB_FLOWRULES_PLANNER_CORE_H
#define NB_FLOWRULES_PLANNER_CORE_H

#include <netbypass/planner.h>

#include "planner_flows.h"

#define NONE                    NB__FLOW_NONE
#define NB__PLANNER_RETRY_US    1000000 /* what a driver refused once rarely works within milliseconds */
#define NB__PLANNER_STEPS       256     /* records that one nb_planner_next moves at most: the caller holds a lock */
#define NB__PLANNER_SHARE       4       /* at most a quarter of the time goes into creates that only policy wants, */
#define NB__PLANNER_SAVE_MAX_US 250000  /* and after a quiet time so much of it at once: a second's share */

struct nb__entry_list {
    struct nb_table_entry *head, **tail;
};

struct nb_planner {
    const struct nb_profile *profile;
    struct nb_table *table;
    struct nb_planner_config config;
    struct nb__flows flows;
    struct nb__entry_list leaving; /* to destroy now */
    struct nb__entry_list stuck;   /* their destroy failed: again at plan.due_us */
    bool paused;
    uint32_t resync, demoting;      /* demoting: entries that leave because they were idle */
    uint64_t saved_us, saved_at_us; /* time that policy's creates may take, and as of when */
};

/* --- records, by number and by state ------------------------------------------------------------------------------ */

static inline struct nb__flow *flow_at(const struct nb_planner *p, uint32_t number)
{
    return nb__flow_at(&p->flows, number);
}

static inline uint32_t number_of(const struct nb_planner *p, const struct nb__flow *f)
{
    return nb__flow_number(&p->flows, f);
}

static inline uint32_t count(const struct nb_planner *p, enum nb__flow_state state)
{
    return p->flows.list[state].count;
}

static inline struct nb__flow *first(const struct nb_planner *p, enum nb__flow_state state)
{
    return nb__flows_first(&p->flows, state);
}

static inline void set_state(struct nb_planner *p, struct nb__flow *f, enum nb__flow_state state, enum nb_why why)
{
    nb__flows_set(&p->flows, f, state, why);
}

static inline bool not_home(const struct nb__flow *f)
{
    return f->queue != f->home_queue;
}

/* What a flow's rule is there for. */
static inline enum nb_why reason(const struct nb__flow *f)
{
    return not_home(f) ? NB_WHY_NOT_HOME : NB_WHY_POLICY_EXACT;
}

/* --- planner_leave.c ---------------------------------------------------------------------------------------------- */

void nb__planner_push(struct nb__entry_list *list, struct nb_table_entry *e);
struct nb_table_entry *nb__planner_pop(struct nb__entry_list *list);

/* The entry serves nobody any more and is destroyed next; one that is being created, when that is done. */
void nb__planner_leave(struct nb_planner *p, struct nb_table_entry *e);

/* The flow stays without a rule for now. */
void nb__planner_settle(struct nb_planner *p, struct nb__flow *f, enum nb__flow_state state, enum nb_why why);
void nb__planner_drop(struct nb_planner *p, struct nb__flow *f);

/* --- planner_wish.c ----------------------------------------------------------------------------------------------- */

/* The rule that serves a flow with this tuple. */
void nb__planner_rule(struct nb_rule *rule, const struct nb_tuple *tuple, uint16_t queue);

/* Does policy give such a flow a rule, and could the port hold it? The reason, and whether to keep a record. */
enum nb_why nb__planner_judge(const struct nb_planner *p, const struct nb_wish *wish, bool *wants_rule);
void nb__planner_make_ready(struct nb_planner *p, struct nb__flow *f);

/* Decide anew what becomes of a record that wants a rule. */
void nb__planner_replan(struct nb_planner *p, struct nb__flow *f, uint64_t now_us);

/* --- planner_place.c ---------------------------------------------------------------------------------------------- */

/* Give the room that a rule left to one of those that were turned away. */
void nb__planner_readmit(struct nb_planner *p);
void nb__planner_reject(struct nb_planner *p, struct nb__flow *f, unsigned engine, enum nb_why why);

/* A new entry of the table for the flow, planned. NULL when memory is short. */
struct nb_table_entry *nb__planner_add_entry(struct nb_planner *p, const struct nb__flow *f, unsigned engine,
                                             const struct nb_rule *rule);

/* Find a place for a READY flow's rule. True: op is its create. False: it is in another state now. */
bool nb__planner_place(struct nb_planner *p, struct nb__flow *f, struct nb_op *op);

/* --- planner_move.c ----------------------------------------------------------------------------------------------- */

/* The flow's rule is in force: is it the right one? */
void nb__planner_settle_installed(struct nb_planner *p, struct nb__flow *f);

/* The flow becomes the one that waits for the entry to go. A later flow that waited for its match is turned away: the
 * end of this one is on its way. */
void nb__planner_become_successor(struct nb_planner *p, struct nb__flow *f, struct nb_table_entry *e);

/* The first step of a move. True: it is op. False: there is another operation to do first, or none. */
bool nb__planner_begin_move(struct nb_planner *p, struct nb__flow *f, struct nb_op *op);

/* The old rule goes, and the flow gets its new one, or the one that is hidden so far, when it has gone. */
void nb__planner_break_old(struct nb_planner *p, struct nb__flow *f);

/* The flow's own rule is in force, but for the second one of its move, which has to go first. */
void nb__planner_end_move(struct nb_planner *p, struct nb__flow *f);

/* --- planner_time.c ----------------------------------------------------------------------------------------------- */

/* Bring back what time alone has made due. */
void nb__planner_wake_due(struct nb_planner *p, uint64_t now_us);

/* The flow whose rule is to be made next, or NULL: none, or none that policy has time for. */
struct nb__flow *nb__planner_first_ready(const struct nb_planner *p);

#endif
