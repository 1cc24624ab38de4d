/* planner.c - from wishes to operations.
 *
 * Theory of operation. Every flow that may want a rule has a record, and a record is in exactly one state, which is
 * also the list it is linked in:
 *
 *     AGEING     policy exact, not old enough yet. In order of arrival, which but for a resync is order of age, so only
 *                the head is ever looked at
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

#include "index.h"

#define NONE           NB__INDEX_NONE
#define RETRY_AFTER_US 1000000 /* what a driver refused once rarely works within milliseconds */
#define ATTEMPTS_MAX   3       /* then it is a fact, not an accident */
#define FIRST_FLOWS    1024    /* records to begin with; they double as needed */
#define STEPS_PER_CALL 256     /* records that one nb_planner_next moves at most: the caller holds a lock */

enum flow_state {
    AGEING,
    READY_NEEDED,
    READY_WISHED,
    WAITING,
    PLANNED,
    INSTALLED,
    REJECTED_NEEDED,
    REJECTED_WISHED,
    COOLING,
    FAILED,
    PAUSED,
    FLOW_STATES,
};

struct flow {
    uint64_t id;
    struct nb_tuple tuple;
    uint64_t since_us, due_us;    /* due: end of AGEING or COOLING */
    struct nb_table_entry *entry; /* PLANNED, INSTALLED: its own; WAITING: the one it waits for */
    uint32_t incarnation;
    uint32_t next, prev; /* in its state's list; next also in the free list */
    uint16_t queue, home_queue;
    uint8_t state; /* enum flow_state */
    uint8_t why;   /* enum nb_why */
    uint8_t attempts;
    bool counted_rejected; /* once per flow, however often it is retried */
    uint32_t seen;         /* the last resync that saw it */
};

struct list {
    uint32_t head, tail, count;
};

struct entry_list {
    struct nb_table_entry *head, **tail;
};

struct nb_planner {
    const struct nb_profile *profile;
    struct nb_table *table;
    struct nb_planner_config config;
    struct flow *flow;
    uint32_t n_flows, free; /* records allocated, head of the free ones */
    struct nb__index by_id;
    struct list list[FLOW_STATES];
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
    *p = (struct nb_planner){.profile = profile, .table = table, .config = *config, .free = NONE};
    p->leaving.tail = &p->leaving.head;
    p->stuck.tail = &p->stuck.head;
    for (unsigned i = 0; i < FLOW_STATES; i++)
        p->list[i] = (struct list){NONE, NONE, 0};
    if (nb__index_init(&p->by_id, FIRST_FLOWS)) {
        free(p);
        return NULL;
    }
    return p;
}

void nb_planner_free(struct nb_planner *planner)
{
    if (!planner)
        return;
    nb__index_fini(&planner->by_id);
    free(planner->flow);
    free(planner);
}

/* --- records and their states ------------------------------------------------------------------------------------- */

static struct flow *flow_at(const struct nb_planner *p, uint32_t i)
{
    return &p->flow[i];
}

static uint32_t number_of(const struct nb_planner *p, const struct flow *f)
{
    return (uint32_t)(f - p->flow);
}

static void unlink_flow(struct nb_planner *p, struct flow *f)
{
    struct list *list = &p->list[f->state];

    *(f->prev == NONE ? &list->head : &flow_at(p, f->prev)->next) = f->next;
    *(f->next == NONE ? &list->tail : &flow_at(p, f->next)->prev) = f->prev;
    list->count--;
}

static void link_flow(struct nb_planner *p, struct flow *f, enum flow_state state)
{
    struct list *list = &p->list[state];
    uint32_t i = number_of(p, f);

    f->state = (uint8_t)state;
    f->prev = list->tail;
    f->next = NONE;
    *(list->tail == NONE ? &list->head : &flow_at(p, list->tail)->next) = i;
    list->tail = i;
    list->count++;
}

static void set_state(struct nb_planner *p, struct flow *f, enum flow_state state, enum nb_why why)
{
    unlink_flow(p, f);
    link_flow(p, f, state);
    f->why = (uint8_t)why;
}

struct id_key {
    const struct nb_planner *p;
    uint64_t id;
};

static bool same_id(const void *arg, uint32_t value)
{
    const struct id_key *key = arg;

    return key->p->flow[value].id == key->id;
}

static struct flow *find_flow(const struct nb_planner *p, uint64_t id)
{
    struct id_key key = {p, id};
    uint32_t i = nb__index_find(&p->by_id, nb__hash_u64(id), same_id, &key);

    return i == NONE ? NULL : flow_at(p, i);
}

static int more_flows(struct nb_planner *p)
{
    uint32_t n = p->n_flows ? p->n_flows * 2 : FIRST_FLOWS;
    struct flow *flow = reallocarray(p->flow, n, sizeof *flow);

    if (!flow)
        return -ENOMEM;
    p->flow = flow;
    for (uint32_t i = p->n_flows; i < n; i++)
        flow[i].next = i + 1 < n ? i + 1 : NONE;
    p->free = p->n_flows;
    p->n_flows = n;
    return 0;
}

/* A new record, linked as READY: the caller decides at once. NULL when memory is short. */
static struct flow *add_flow(struct nb_planner *p, const struct nb_wish *wish)
{
    if (p->free == NONE && more_flows(p))
        return NULL;
    if (nb__index_add(&p->by_id, nb__hash_u64(wish->flow), p->free))
        return NULL;
    struct flow *f = flow_at(p, p->free);
    p->free = f->next;
    *f = (struct flow){.id = wish->flow, .tuple = wish->tuple, .since_us = wish->since_us};
    link_flow(p, f, READY_WISHED);
    return f;
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
static void let_go(struct nb_planner *p, struct flow *f)
{
    if (!f->entry)
        return;
    if (f->state == WAITING)
        f->entry->plan.successor = NONE;
    else
        leave(p, f->entry);
    f->entry = NULL;
}

static void drop_flow(struct nb_planner *p, struct flow *f)
{
    uint32_t i = number_of(p, f);

    let_go(p, f);
    unlink_flow(p, f);
    nb__index_remove(&p->by_id, nb__hash_u64(f->id), i);
    f->next = p->free;
    p->free = i;
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

static enum nb_why reason(const struct flow *f)
{
    return f->queue != f->home_queue ? NB_WHY_NOT_HOME : NB_WHY_POLICY_EXACT;
}

static void make_ready(struct nb_planner *p, struct flow *f)
{
    set_state(p, f, f->queue != f->home_queue ? READY_NEEDED : READY_WISHED, NB_WHY_PENDING);
}

/* Decide anew what becomes of a record that wants a rule. */
static void replan(struct nb_planner *p, struct flow *f, uint64_t now_us)
{
    bool has_rule = f->state == PLANNED || f->state == INSTALLED;

    if (!p->paused && has_rule && f->entry->rule.queue == f->queue) {
        f->entry->why = reason(f);
        f->why = (uint8_t)f->entry->why;
        return;
    }
    let_go(p, f);
    if (p->paused) {
        set_state(p, f, PAUSED, NB_WHY_FLUSHED);
        return;
    }
    f->due_us = f->since_us + p->config.exact_after_us;
    if (f->queue == f->home_queue && f->due_us > now_us)
        set_state(p, f, AGEING, NB_WHY_YOUNG);
    else
        make_ready(p, f);
}

static bool older(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

int nb_planner_wish(struct nb_planner *p, const struct nb_wish *wish, uint64_t now_us)
{
    struct flow *f = find_flow(p, wish->flow);
    bool wants_rule, is_new = !f;

    if (f && older(wish->incarnation, f->incarnation))
        return 0;
    judge(p, wish, &wants_rule);
    if (!wants_rule) {
        if (f)
            drop_flow(p, f);
        return 0;
    }
    if (is_new && !(f = add_flow(p, wish)))
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
    struct flow *f = find_flow(p, flow);

    if (f && !older(incarnation, f->incarnation))
        drop_flow(p, f);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

/* Give the room that a rule left to one of those that were turned away. */
static void readmit(struct nb_planner *p)
{
    static const enum flow_state in_turn[] = {REJECTED_NEEDED, REJECTED_WISHED};

    for (size_t i = 0; i < sizeof in_turn / sizeof in_turn[0]; i++) {
        if (p->list[in_turn[i]].count) {
            make_ready(p, flow_at(p, p->list[in_turn[i]].head));
            return;
        }
    }
}

static void reject(struct nb_planner *p, struct flow *f, unsigned engine, enum nb_why why)
{
    if (!f->counted_rejected)
        nb_table_engine(p->table, engine)->rejected++;
    f->counted_rejected = true;
    set_state(p, f, f->queue != f->home_queue ? REJECTED_NEEDED : REJECTED_WISHED, why);
}

/* Another rule has this match. The flow waits for it to go, in the place of whoever waited before: of two flows that
 * claim one 5-tuple, the later is the living one, and the news of the earlier one's end is on its way. */
static void wait_for(struct nb_planner *p, struct flow *f, struct nb_table_entry *e)
{
    uint32_t before = e->plan.successor;

    if (before != NONE) {
        flow_at(p, before)->entry = NULL;
        set_state(p, flow_at(p, before), REJECTED_WISHED, NB_WHY_MATCH_TAKEN);
    }
    e->plan.successor = number_of(p, f);
    f->entry = e;
    set_state(p, f, WAITING, NB_WHY_MATCH_TAKEN);
}

/* Find a place for a READY flow's rule. True: op is its create. False: it is in another state now. */
static bool place(struct nb_planner *p, struct flow *f, struct nb_op *op)
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
    f->entry->plan.flow = number_of(p, f);
    f->entry->plan.successor = NONE;
    set_state(p, f, PLANNED, NB_WHY_PENDING);
    *op = (struct nb_op){NB_OP_CREATE, f->entry};
    return true;
}

/* Bring back what time alone has made due. */
static void wake_due(struct nb_planner *p, uint64_t now_us)
{
    static const enum flow_state by_time[] = {AGEING, COOLING};

    for (size_t i = 0; i < sizeof by_time / sizeof by_time[0]; i++) {
        struct list *list = &p->list[by_time[i]];
        for (int n = 0; n < STEPS_PER_CALL && list->count && flow_at(p, list->head)->due_us <= now_us; n++)
            make_ready(p, flow_at(p, list->head));
    }
    while (p->stuck.head && p->stuck.head->plan.due_us <= now_us)
        push_entry(&p->leaving, pop_entry(&p->stuck));
}

static struct flow *first_ready(const struct nb_planner *p)
{
    for (enum flow_state s = READY_NEEDED; s <= READY_WISHED; s++)
        if (p->list[s].count)
            return flow_at(p, p->list[s].head);
    return NULL;
}

bool nb_planner_next(struct nb_planner *p, uint64_t now_us, struct nb_op *op)
{
    struct flow *f;

    wake_due(p, now_us);
    if (p->leaving.head) {
        *op = (struct nb_op){NB_OP_DESTROY, pop_entry(&p->leaving)};
        return true;
    }
    for (int n = 0; n < STEPS_PER_CALL && (f = first_ready(p)); n++)
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
    struct flow *f = e->plan.flow == NONE ? NULL : flow_at(p, e->plan.flow);

    nb_table_engine(p->table, e->engine)->failed++;
    if (f) {
        f->entry = NULL;
        f->due_us = now_us + RETRY_AFTER_US;
        set_state(p, f, ++f->attempts < ATTEMPTS_MAX ? COOLING : FAILED, why_refused(result));
    }
    entry_out(p, e);
    readmit(p);
}

/* The device was full before our count was. Its word holds until one of our rules goes. */
static void create_met_full_table(struct nb_planner *p, struct nb_table_entry *e)
{
    struct nb_table_engine *row = nb_table_engine(p->table, e->engine);
    struct flow *f = e->plan.flow == NONE ? NULL : flow_at(p, e->plan.flow);

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
        set_state(p, flow_at(p, e->plan.flow), INSTALLED, e->why);
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

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t nb_planner_due_us(const struct nb_planner *p)
{
    uint64_t due = UINT64_MAX;

    if (p->leaving.head || p->list[READY_NEEDED].count || p->list[READY_WISHED].count)
        return 0;
    if (p->list[AGEING].count)
        due = earlier(due, flow_at(p, p->list[AGEING].head)->due_us);
    if (p->list[COOLING].count)
        due = earlier(due, flow_at(p, p->list[COOLING].head)->due_us);
    if (p->stuck.head)
        due = earlier(due, p->stuck.head->plan.due_us);
    return due;
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

struct nb_plan nb_planner_plan(const struct nb_planner *p, const struct nb_wish *wish)
{
    const struct flow *f = find_flow(p, wish->flow);
    bool wants_rule;

    if (!f) {
        enum nb_why why = judge(p, wish, &wants_rule);
        return (struct nb_plan){false, -1, wants_rule ? NB_WHY_UNKNOWN : why};
    }
    bool installed = f->state == INSTALLED;
    return (struct nb_plan){installed, installed ? f->entry->id : -1, (enum nb_why)f->why};
}

/* --- everything at once ------------------------------------------------------------------------------------------- */

/* Call visit for every record; visit may move or drop that record. */
static void each_flow(struct nb_planner *p, void (*visit)(struct nb_planner *p, struct flow *f))
{
    for (unsigned s = 0; s < FLOW_STATES; s++) {
        uint32_t i = p->list[s].head;
        for (uint32_t n = p->list[s].count; n; n--) {
            uint32_t next = flow_at(p, i)->next;
            visit(p, flow_at(p, i));
            i = next;
        }
    }
}

void nb_planner_resync_begin(struct nb_planner *p)
{
    p->resync++;
}

static void drop_unseen(struct nb_planner *p, struct flow *f)
{
    if (f->seen != p->resync)
        drop_flow(p, f);
}

void nb_planner_resync_sweep(struct nb_planner *p)
{
    each_flow(p, drop_unseen);
}

static void pause_flow(struct nb_planner *p, struct flow *f)
{
    replan(p, f, 0);
}

void nb_planner_pause(struct nb_planner *p)
{
    p->paused = true;
    each_flow(p, pause_flow);
}

void nb_planner_resume(struct nb_planner *p, uint64_t now_us)
{
    p->paused = false;
    struct list *paused = &p->list[PAUSED];
    for (uint32_t n = paused->count; n; n--)
        replan(p, flow_at(p, paused->head), now_us);
}
