/* planner.c - from wishes to operations.
 *
 * Theory of operation. Every flow that may want a rule has a record, and a record is in exactly one state, which is
 * also the list it is linked in:
 *
 *     AGEING     policy exact, not old enough yet. In order of arrival, which but for a resync is order of age, so only
 *                the first is ever looked at
 *     READY      wants its rule now; needed ones (owner not home) before wished ones (policy)
 *     WAITING    another rule still holds its match: it is that rule's successor
 *     PLANNED    its entry is in the table, the create is on its way
 *     INSTALLED  its rule is in force
 *     REJECTED   no room; one comes back to READY whenever a rule goes
 *     COOLING    the driver refused; tried again after RETRY_AFTER_US, a few times
 *     FAILED     the driver refused for good
 *     PAUSED     rules were flushed
 *
 * Flows that want no rule (at home under policy auto, or nothing the port could hold) have no record at all: their plan
 * follows from the wish.
 *
 * A rule that must go is in the list of leaving entries, which is served before any create. That order, and the wait
 * for the match, keep two rules with one match from ever being in the NIC. An entry whose create is still on its way is
 * doomed instead, and leaves when the create is done.
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
    uint32_t resync;
};

/* --- life --------------------------------------------------------------------------------------------------------- */

struct nb_planner *nb_planner_new(const struct nb_profile *profile, struct nb_table *table,
                                  const struct nb_planner_config *config)
{
    struct nb_planner *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    *p = (struct nb_planner){.profile = profile, .table = table, .config = *config};
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

/* Part the flow from its rule, or from the one it waits for. */
static void let_go(struct nb_planner *p, struct nb__flow *f)
{
    if (!f->entry)
        return;
    if (f->state == NB__FLOW_WAITING)
        f->entry->plan.successor = NONE;
    else
        leave(p, f->entry);
    f->entry = NULL;
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

/* Decide anew what becomes of a record that wants a rule. */
static void replan(struct nb_planner *p, struct nb__flow *f, uint64_t now_us)
{
    bool has_rule = f->state == NB__FLOW_PLANNED || f->state == NB__FLOW_INSTALLED;

    if (!p->paused && has_rule && f->entry->rule.queue == f->queue) {
        f->entry->why = reason(f);
        f->why = (uint8_t)f->entry->why;
        return;
    }
    let_go(p, f);
    if (p->paused) {
        set_state(p, f, NB__FLOW_PAUSED, NB_WHY_FLUSHED);
        return;
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
    replan(p, f, now_us);
    return 0;
}

void nb_planner_gone(struct nb_planner *p, uint64_t flow, uint32_t incarnation)
{
    struct nb__flow *f = nb__flows_find(&p->flows, flow);

    if (f && !older(incarnation, f->incarnation))
        drop_flow(p, f);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static struct nb__flow *first_of(const struct nb_planner *p, enum nb__flow_state needed, enum nb__flow_state wished)
{
    struct nb__flow *f = nb__flows_first(&p->flows, needed);

    return f ? f : nb__flows_first(&p->flows, wished);
}

/* Give the room that a rule left to one of those that were turned away. */
static void readmit(struct nb_planner *p)
{
    struct nb__flow *f = first_of(p, NB__FLOW_REJECTED_NEEDED, NB__FLOW_REJECTED_WISHED);

    if (f)
        make_ready(p, f);
}

static void reject(struct nb_planner *p, struct nb__flow *f, unsigned engine, enum nb_why why)
{
    if (!f->counted_rejected)
        nb_table_engine(p->table, engine)->rejected++;
    f->counted_rejected = true;
    set_state(p, f, f->queue != f->home_queue ? NB__FLOW_REJECTED_NEEDED : NB__FLOW_REJECTED_WISHED, why);
}

/* Another rule has this match. The flow waits for it to go, in the place of whoever waited before: of two flows that
 * claim one 5-tuple, the later is the living one, and the news of the earlier one's end is on its way. */
static void wait_for(struct nb_planner *p, struct nb__flow *f, struct nb_table_entry *e)
{
    uint32_t before = e->plan.successor;

    if (before != NONE) {
        flow_at(p, before)->entry = NULL;
        set_state(p, flow_at(p, before), NB__FLOW_REJECTED_WISHED, NB_WHY_MATCH_TAKEN);
    }
    e->plan.successor = nb__flow_number(&p->flows, f);
    f->entry = e;
    set_state(p, f, NB__FLOW_WAITING, NB_WHY_MATCH_TAKEN);
}

/* Find a place for a READY flow's rule. True: op is its create. False: it is in another state now. */
static bool place(struct nb_planner *p, struct nb__flow *f, struct nb_op *op)
{
    bool needed = f->queue != f->home_queue;
    struct nb_rule rule;
    enum nb_why why;

    exact_rule(&rule, &f->tuple, f->queue);
    const struct nb_engine_profile *row = nb_profile_engine_for(p->profile, NB_PURPOSE_CONNECTIONS, &rule, &why);
    unsigned engine = (unsigned)(row - p->profile->engine);
    struct nb_table_entry *taken = nb_table_find(p->table, engine, &rule.match);
    if (taken) {
        wait_for(p, f, taken);
        return false;
    }
    why = nb_table_room(p->table, engine, &rule.match, needed ? 0 : p->config.reserve);
    if (why != NB_WHY_PENDING) {
        reject(p, f, engine, why);
        return false;
    }
    f->entry = nb_table_add(p->table, engine, &rule, f->id, reason(f));
    if (!f->entry) {
        reject(p, f, engine, NB_WHY_TABLE_FULL);
        return false;
    }
    f->entry->plan.flow = nb__flow_number(&p->flows, f);
    f->entry->plan.successor = NONE;
    set_state(p, f, NB__FLOW_PLANNED, NB_WHY_PENDING);
    *op = (struct nb_op){NB_OP_CREATE, f->entry};
    return true;
}

static void wake_due_in(struct nb_planner *p, enum nb__flow_state state, uint64_t now_us)
{
    struct nb__flow *f;

    for (int n = 0; n < STEPS_PER_CALL && (f = nb__flows_first(&p->flows, state)) && f->due_us <= now_us; n++)
        make_ready(p, f);
}

/* Bring back what time alone has made due. */
static void wake_due(struct nb_planner *p, uint64_t now_us)
{
    wake_due_in(p, NB__FLOW_AGEING, now_us);
    wake_due_in(p, NB__FLOW_COOLING, now_us);
    while (p->stuck.head && p->stuck.head->plan.due_us <= now_us)
        push_entry(&p->leaving, pop_entry(&p->stuck));
}

bool nb_planner_next(struct nb_planner *p, uint64_t now_us, struct nb_op *op)
{
    struct nb__flow *f;

    wake_due(p, now_us);
    if (p->leaving.head) {
        *op = (struct nb_op){NB_OP_DESTROY, pop_entry(&p->leaving)};
        return true;
    }
    for (int n = 0; n < STEPS_PER_CALL && (f = first_of(p, NB__FLOW_READY_NEEDED, NB__FLOW_READY_WISHED)); n++)
        if (place(p, f, op))
            return true;
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

/* The NIC does not have the entry: its place, its mark and its match are free for others. */
static void entry_out(struct nb_planner *p, struct nb_table_entry *e)
{
    uint32_t successor = e->plan.successor;

    nb_table_remove(p->table, e);
    if (successor != NONE) {
        flow_at(p, successor)->entry = NULL;
        make_ready(p, flow_at(p, successor));
    }
}

static void destroy_done(struct nb_planner *p, struct nb_table_entry *e, int result, uint64_t now_us)
{
    if (result)
        nb_table_engine(p->table, e->engine)->failed++;
    if (!result || result == -ENOENT) {
        entry_out(p, e);
        readmit(p);
        return;
    }
    e->why = why_refused(result);
    e->plan.due_us = now_us + RETRY_AFTER_US;
    push_entry(&p->stuck, e);
}

static void create_refused(struct nb_planner *p, struct nb_table_entry *e, int result, uint64_t now_us)
{
    struct nb__flow *f = e->plan.flow == NONE ? NULL : flow_at(p, e->plan.flow);

    nb_table_engine(p->table, e->engine)->failed++;
    if (f) {
        f->entry = NULL;
        f->due_us = now_us + RETRY_AFTER_US;
        set_state(p, f, ++f->attempts < ATTEMPTS_MAX ? NB__FLOW_COOLING : NB__FLOW_FAILED, why_refused(result));
    }
    entry_out(p, e);
    readmit(p);
}

/* The device was full before our count was. Its word holds until one of our rules goes. */
static void create_met_full_table(struct nb_planner *p, struct nb_table_entry *e)
{
    struct nb_table_engine *row = nb_table_engine(p->table, e->engine);
    struct nb__flow *f = e->plan.flow == NONE ? NULL : flow_at(p, e->plan.flow);

    if (f) {
        f->entry = NULL;
        reject(p, f, e->engine, NB_WHY_TABLE_FULL);
    }
    row->full = row->used > 1; /* without another rule there is none whose going could make room */
    entry_out(p, e);
}

static void create_done(struct nb_planner *p, struct nb_table_entry *e, void *handle, uint64_t now_us)
{
    nb_table_installed(p->table, e, handle, now_us);
    if (e->plan.doomed)
        leave(p, e);
    else
        set_state(p, flow_at(p, e->plan.flow), NB__FLOW_INSTALLED, e->why);
    if (nb_table_room(p->table, e->engine, &e->rule.match, p->config.reserve) == NB_WHY_PENDING)
        readmit(p);
}

void nb_planner_done(struct nb_planner *p, const struct nb_op *op, int result, void *handle, uint64_t now_us)
{
    switch (op->kind) {
    case NB_OP_CREATE:
        if (!result)
            create_done(p, op->entry, handle, now_us);
        else if (result == -ENOSPC)
            create_met_full_table(p, op->entry);
        else
            create_refused(p, op->entry, result, now_us);
        return;
    case NB_OP_DESTROY:
        destroy_done(p, op->entry, result, now_us);
        return;
    }
}

static uint64_t first_due_us(const struct nb_planner *p, enum nb__flow_state state)
{
    const struct nb__flow *f = nb__flows_first(&p->flows, state);

    return f ? f->due_us : UINT64_MAX;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t nb_planner_due_us(const struct nb_planner *p)
{
    uint64_t flows_us = earlier(first_due_us(p, NB__FLOW_AGEING), first_due_us(p, NB__FLOW_COOLING));

    if (p->leaving.head || first_of(p, NB__FLOW_READY_NEEDED, NB__FLOW_READY_WISHED))
        return 0;
    return earlier(flows_us, p->stuck.head ? p->stuck.head->plan.due_us : UINT64_MAX);
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

struct nb_plan nb_planner_plan(const struct nb_planner *p, const struct nb_wish *wish)
{
    const struct nb__flow *f = nb__flows_find(&p->flows, wish->flow);
    bool wants_rule;

    if (!f) {
        enum nb_why why = judge(p, wish, &wants_rule);
        return (struct nb_plan){false, -1, wants_rule ? NB_WHY_UNKNOWN : why};
    }
    bool installed = f->state == NB__FLOW_INSTALLED;
    return (struct nb_plan){installed, installed ? f->entry->id : -1, (enum nb_why)f->why};
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
    while ((f = nb__flows_first(&p->flows, NB__FLOW_PAUSED)))
        replan(p, f, now_us);
}
