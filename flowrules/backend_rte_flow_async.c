/* backend_rte_flow_async.c - rules through rte_flow's template calls (rte_flow_configure and what follows it), for
 * ports whose driver takes rules in no other way: mlx5 with hardware steering (nic-facts C).
 *
 * Theory of operation. Before the port starts, rte_flow_configure gives it one queue for operations: one, because the
 * steering thread is the only one that changes rules. When the first rule of a protocol comes, a table is made for it,
 * with the pattern of a connection and two lists of actions, QUEUE and DROP, both counted. An operation is put into the
 * queue, pushed with the others of its batch, and is done when the pull returns its completion: nothing is believed
 * before.
 *
 * A completion that does not come in time leaves the rule in doubt, so it is kept in mind: a late rule that nobody
 * waits for any more is destroyed, a late end is found by whoever asks for it again. A failed create has memory in the
 * driver that only a destroy gives back. A failed end is final, as the driver forgets the rule either way; such a rule
 * is reported as one that cannot be removed until the port is closed.
 *
 *     CREATING --done--> IN_FORCE --destroy--> ENDING --done--> (free)
 *        | failed, or nobody waits                | failed
 *        v                                        v
 *     DISCARDED --done--> (free)                STUCK
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

#include "rte_flow_tables.h"

#define FLOW_QUEUE    0
#define PULL_AT_ONCE  32   /* completions */
#define PULLS_AT_ONCE 100  /* before the first pause: hardware answers within microseconds */
#define PAUSES_MAX    5000 /* of 20 us each: 100 ms, as long as the driver waits when it flushes */

enum state { CREATING, IN_FORCE, ENDING, DISCARDED, ENDED, STUCK };

struct rule {
    struct rte_flow *flow;
    enum state state;
    struct nb_backend_job *job; /* who waits for its operation, or NULL */
    struct rule *next, *prev;   /* all of them */
    struct rule *next_discarded;
};

struct async_backend {
    struct nb_backend backend;
    struct nb_rte_flow_async_api api;
    const struct nb_profile *profile;
    char who[NB__WHO_MAX];
    uint16_t port_id, n_queues;
    struct nb__tables tables;
    struct rule *rules, *discarded; /* discarded: to be destroyed after this batch */
    unsigned outstanding;           /* operations whose completions have not come */
    unsigned waiting;               /* of these, those that a job waits for */
};

static struct async_backend *of(struct nb_backend *backend)
{
    return (struct async_backend *)backend;
}

static const struct nb_engine_profile *the_row(const struct async_backend *b)
{
    return &b->profile->engine[0];
}

static int validate(struct nb_backend *backend, const struct nb_rule *rule, struct nb_error *err)
{
    struct async_backend *b = of(backend);

    return nb__backend_judge(b->profile, b->who, b->n_queues, rule, err);
}

static int explain(const struct async_backend *b, const char *operation, const struct rte_flow_error *error,
                   struct nb_error *err)
{
    return nb__rte_flow_explain(b->who, the_row(b), operation, error, err);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static struct rule *rule_new(struct async_backend *b)
{
    struct rule *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->next = b->rules;
    if (r->next)
        r->next->prev = r;
    b->rules = r;
    return r;
}

static void rule_free(struct async_backend *b, struct rule *r)
{
    *(r->prev ? &r->prev->next : &b->rules) = r->next;
    if (r->next)
        r->next->prev = r->prev;
    free(r);
}

/* Nobody wants it: it is destroyed as soon as the queue has room. */
static void discard(struct async_backend *b, struct rule *r)
{
    r->state = DISCARDED;
    r->next_discarded = b->discarded;
    b->discarded = r;
}

static void wait_for(struct async_backend *b, struct rule *r, struct nb_backend_job *job)
{
    r->job = job;
    b->waiting++;
}

static void answer(struct async_backend *b, struct rule *r, int result, const char *words)
{
    if (!r->job)
        return;
    r->job->result = result ? nb_error_set(&r->job->err, result, "%s: %s", b->who, words) : 0;
    r->job = NULL;
    b->waiting--;
}

static void create_completed(struct async_backend *b, struct rule *r, bool success)
{
    bool wanted = r->job != NULL;

    if (success && wanted) {
        r->state = IN_FORCE;
        r->job->handle = r;
    }
    answer(b, r, success ? 0 : -EIO, "the NIC did not take the rule, and its driver does not say why");
    if (!success || !wanted)
        discard(b, r);
}

static void end_completed(struct async_backend *b, struct rule *r, bool success)
{
    bool waited = r->job != NULL;

    answer(b, r, success ? 0 : -EIO, "the NIC did not remove the rule");
    r->state = success ? ENDED : STUCK;
    if (success && waited)
        rule_free(b, r);
}

static void completed(struct async_backend *b, const struct rte_flow_op_result *result)
{
    bool success = result->status == RTE_FLOW_OP_SUCCESS;
    struct rule *r = result->user_data;

    b->outstanding--;
    switch (r->state) {
    case CREATING:
        create_completed(b, r, success);
        return;
    case ENDING:
        end_completed(b, r, success);
        return;
    case DISCARDED:
        rule_free(b, r);
        return;
    case IN_FORCE:
    case ENDED:
    case STUCK:
        return; /* no operation of theirs is on its way */
    }
}

/* --- the queue ---------------------------------------------------------------------------------------------------- */

static int pull(struct async_backend *b)
{
    struct rte_flow_op_result result[PULL_AT_ONCE];
    struct rte_flow_error error = {0};

    rte_errno = EINVAL;
    int n = b->api.pull(b->port_id, FLOW_QUEUE, result, PULL_AT_ONCE, &error);
    for (int i = 0; i < n; i++)
        completed(b, &result[i]);
    return n;
}

static void push(struct async_backend *b)
{
    struct rte_flow_error error = {0};

    b->api.push(b->port_id, FLOW_QUEUE, &error);
}

/* Wait until a count has fallen so far. False: completions do not come in time, or the driver fails. */
static bool settle(struct async_backend *b, const unsigned *count, unsigned target)
{
    push(b);
    for (unsigned empty = 0; *count > target; empty++) {
        int n = pull(b);
        if (n < 0 || empty == PULLS_AT_ONCE + PAUSES_MAX)
            return false;
        if (n)
            empty = 0;
        else if (empty >= PULLS_AT_ONCE)
            b->api.pause();
    }
    return true;
}

/* A refusal that may only mean that the queue is full: there is room now, and the operation is worth trying again. */
static bool made_room(struct async_backend *b)
{
    int error = rte_errno;
    bool queue_full = error == ENOMEM || error == EAGAIN || error == EBUSY;
    bool room = queue_full && b->outstanding && settle(b, &b->outstanding, b->outstanding - 1);

    rte_errno = error;
    return room;
}

static const struct rte_flow_op_attr postponed = {.postpone = 1};

static bool put_create(struct async_backend *b, struct rte_flow_template_table *table, const struct nb_rule *rule,
                       struct rule *r, struct rte_flow_error *error)
{
    uint8_t actions = rule->action == NB_RULE_DROP ? NB__TO_DROP : NB__TO_QUEUE;
    struct nb__dialect d;

    nb__dialect_translate(&d, the_row(b), rule);
    do {
        rte_errno = EINVAL;
        r->flow = b->api.create(b->port_id, FLOW_QUEUE, &postponed, table, d.item, 0, d.action, actions, r, error);
    } while (!r->flow && made_room(b));
    b->outstanding += r->flow != NULL;
    return r->flow != NULL;
}

static bool put_end(struct async_backend *b, struct rule *r, struct rte_flow_error *error)
{
    int rc;

    do {
        rte_errno = EINVAL;
        rc = b->api.destroy(b->port_id, FLOW_QUEUE, &postponed, r->flow, r, error);
    } while (rc && made_room(b));
    b->outstanding += rc == 0;
    return rc == 0;
}

static void put_discarded(struct async_backend *b)
{
    struct rte_flow_error error = {0};

    while (b->discarded) {
        struct rule *r = b->discarded;
        b->discarded = r->next_discarded;
        if (!put_end(b, r, &error))
            r->state = STUCK;
    }
    push(b);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void begin_create(struct async_backend *b, struct nb_backend_job *job)
{
    struct rte_flow_template_table *table = NULL;
    struct rte_flow_error error = {0};
    struct rule *r = NULL;

    job->result = validate(&b->backend, job->rule, &job->err);
    if (!job->result && !(table = nb__tables_for(&b->tables, job->rule, &job->err)))
        job->result = job->err.code;
    if (!job->result && !(r = rule_new(b)))
        job->result = nb_error_set(&job->err, -ENOMEM, "%s: no memory for a rule", b->who);
    if (job->result)
        return;
    if (put_create(b, table, job->rule, r, &error)) {
        wait_for(b, r, job);
        return;
    }
    job->result = explain(b, "create", &error, &job->err);
    rule_free(b, r);
}

static void begin_end(struct async_backend *b, struct nb_backend_job *job)
{
    struct rte_flow_error error = {0};
    struct rule *r = job->handle;

    job->result = 0;
    switch (r->state) {
    case IN_FORCE:
        if (!put_end(b, r, &error)) {
            job->result = explain(b, "destroy", &error, &job->err);
            return;
        }
        r->state = ENDING;
        wait_for(b, r, job);
        return;
    case ENDING: /* nobody waited long enough */
        wait_for(b, r, job);
        return;
    case ENDED: /* late, while nobody waited */
        rule_free(b, r);
        return;
    case CREATING:
    case DISCARDED:
    case STUCK:
        job->result = nb_error_set(&job->err, -EIO, "%s: %s", b->who,
                                   "the NIC did not remove the rule when it was told, and its driver has forgotten it");
        return;
    }
}

/* Nobody waits any longer; what becomes of their rules is looked at when it is known. */
static void give_up(struct async_backend *b)
{
    for (struct rule *r = b->rules; r; r = r->next)
        answer(b, r, -ETIMEDOUT, "the NIC did not complete the operation in time");
}

static void batch(struct nb_backend *backend, struct nb_backend_job *job, unsigned n)
{
    struct async_backend *b = of(backend);

    for (unsigned i = 0; i < n; i++) {
        if (job[i].destroy)
            begin_end(b, &job[i]);
        else
            begin_create(b, &job[i]);
    }
    if (!settle(b, &b->waiting, 0))
        give_up(b);
    put_discarded(b);
}

static int create(struct nb_backend *backend, const struct nb_rule *rule, void **handle, struct nb_error *err)
{
    struct nb_backend_job job = {.rule = rule};

    batch(backend, &job, 1);
    if (job.result && err)
        *err = job.err;
    else if (!job.result)
        *handle = job.handle;
    return job.result;
}

static int destroy(struct nb_backend *backend, const struct nb_rule *rule, void *handle, struct nb_error *err)
{
    struct nb_backend_job job = {.destroy = true, .rule = rule, .handle = handle};

    batch(backend, &job, 1);
    if (job.result && err)
        *err = job.err;
    return job.result;
}

static int64_t hits(struct nb_backend *backend, const struct nb_rule *rule, void *handle)
{
    struct async_backend *b = of(backend);
    struct rule *r = handle;

    (void)rule;
    return the_row(b)->counts_hits && r->state == IN_FORCE ? nb__rte_flow_hits(b->api.query, b->port_id, r->flow) : -1;
}

/* A rule whose counter can be read is there; no rule can be read back. */
static enum nb_seen look(struct nb_backend *backend, const struct nb_rule *rule, void *handle)
{
    const struct rule *r = handle;

    if (!the_row(of(backend))->counts_hits || r->state != IN_FORCE)
        return NB_SEEN_UNKNOWN;
    return hits(backend, rule, handle) >= 0 ? NB_SEEN_THERE : NB_SEEN_MISSING;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* Tables with rules in them stay with the port, which frees them when it is closed. */
static void backend_free(struct nb_backend *backend)
{
    struct async_backend *b = of(backend);

    if (settle(b, &b->outstanding, 0)) {
        put_discarded(b);
        settle(b, &b->outstanding, 0);
    }
    nb__tables_free(&b->tables);
    while (b->rules)
        rule_free(b, b->rules);
    free(b);
}

static const struct nb_backend_ops async_ops = {
    .name = "rte_flow templates",
    .validate = validate,
    .create = create,
    .destroy = destroy,
    .batch = batch,
    .look = look,
    .hits = hits,
    .free = backend_free,
};

struct nb_backend *nb_backend_rte_flow_async_new(uint16_t port_id, uint16_t n_queues, const struct nb_profile *profile,
                                                 const struct nb_rte_flow_async_api *api)
{
    struct async_backend *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    *b = (struct async_backend){
        .backend = {&async_ops}, .api = *api, .profile = profile, .port_id = port_id, .n_queues = n_queues};
    snprintf(b->who, sizeof b->who, "port %u", port_id);
    b->tables = (struct nb__tables){.api = &b->api, .row = the_row(b), .who = b->who, .port_id = port_id};
    return &b->backend;
}
