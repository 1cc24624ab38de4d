/* fake_templates.h - rte_flow's template calls as mlx5 with hardware steering answers them in DPDK 22.11, and as
 * rte_flow.c itself checks them (nic-facts C).
 *
 * Written before the backend. It refuses what they refuse: configure on a started port, templates before configure,
 * another order of items than the template's, a full queue (ENOMEM), the end of a rule that is still being made
 * (EBUSY), templates and tables that are in use (EBUSY). A postponed operation stays where it is until the push, and
 * nothing is done before the pull that returns its completion, which may come late, and with an error: then mlx5 keeps
 * the memory of the rule until it is destroyed.
 */
#ifndef NB_TESTS_FAKE_TEMPLATES_H
#define NB_TESTS_FAKE_TEMPLATES_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_flow.h>

#include <netbypass/templates.h>

#define FAKE_PORT  3
#define FAKE_FLOWS 64
#define FAKE_ITEMS 5

struct rte_flow_pattern_template {
    enum rte_flow_item_type type[FAKE_ITEMS];
    bool used;
    unsigned tables;
};

struct rte_flow_actions_template {
    enum rte_flow_action_type type[FAKE_ITEMS];
    bool used;
    unsigned tables;
};

struct rte_flow_template_table {
    struct rte_flow_pattern_template *pattern;
    struct rte_flow_actions_template *actions[2];
    unsigned n_actions, n_flows, size;
    uint32_t group;
    bool used;
};

enum fake_flow_state { FAKE_FREE, FAKE_CREATING, FAKE_IN_FORCE, FAKE_FAILED, FAKE_DESTROYING };

struct rte_flow {
    enum fake_flow_state state;
    struct rte_flow_template_table *table;
    struct rte_flow_item_ipv4 ip;
    struct rte_flow_item_tcp tcp;
    uint16_t queue;
    bool drop, pushed, fails;
    void *user_data;
    uint64_t order; /* of its operation */
};

static struct {
    bool speaks_templates, configured, started;
    unsigned n_queues, queue_size, outstanding, counters, max_counters;
    struct rte_flow_pattern_template pattern[4];
    struct rte_flow_actions_template actions[4];
    struct rte_flow_template_table table[4];
    struct rte_flow flow[FAKE_FLOWS];
    unsigned late; /* pulls that return nothing first */
    unsigned fail; /* so many completions have an error */
    unsigned pushes, pauses;
    bool pull_fails;
    uint64_t order;
} fake;

static int fake_refuse(struct rte_flow_error *error, int value, const char *message)
{
    rte_errno = value;
    *error = (struct rte_flow_error){.type = RTE_FLOW_ERROR_TYPE_UNSPECIFIED, .message = message};
    return -value;
}

static void *fake_null(struct rte_flow_error *error, int value, const char *message)
{
    fake_refuse(error, value, message);
    return NULL;
}

/* --- before the port is started ----------------------------------------------------------------------------------- */

static int fake_info_get(uint16_t port_id, struct rte_flow_port_info *port, struct rte_flow_queue_info *queue,
                         struct rte_flow_error *error)
{
    (void)port_id;
    if (!fake.speaks_templates)
        return fake_refuse(error, ENOTSUP, "info get with incorrect steering mode");
    *port = (struct rte_flow_port_info){.max_nb_queues = UINT32_MAX, .max_nb_counters = fake.max_counters};
    *queue = (struct rte_flow_queue_info){.max_size = UINT32_MAX};
    return 0;
}

static int fake_configure(uint16_t port_id, const struct rte_flow_port_attr *attr, uint16_t n,
                          const struct rte_flow_queue_attr *queue[], struct rte_flow_error *error)
{
    (void)port_id;
    if (fake.started || !n || attr->nb_counters > fake.max_counters)
        return fake_refuse(error, EINVAL, "Invalid argument");
    if (!fake.speaks_templates)
        return fake_refuse(error, ENOTSUP, "port configure with incorrect steering mode");
    fake.configured = true;
    fake.n_queues = n;
    fake.queue_size = queue[0]->size;
    fake.counters = attr->nb_counters;
    return 0;
}

/* --- templates ---------------------------------------------------------------------------------------------------- */

static struct rte_flow_pattern_template *fake_pattern_create(uint16_t port_id,
                                                             const struct rte_flow_pattern_template_attr *attr,
                                                             const struct rte_flow_item item[],
                                                             struct rte_flow_error *error)
{
    struct rte_flow_pattern_template *t = fake.pattern;

    (void)port_id;
    if (!fake.configured)
        return fake_null(error, EINVAL, "Flow engine is not configured");
    while (t < fake.pattern + 4 && t->used)
        t++;
    if (!attr->ingress || t == fake.pattern + 4)
        return fake_null(error, EINVAL, "pattern template");
    *t = (struct rte_flow_pattern_template){.used = true};
    for (unsigned i = 0; i < FAKE_ITEMS && item[i].type != RTE_FLOW_ITEM_TYPE_END; i++) {
        if (item[i].type == RTE_FLOW_ITEM_TYPE_IPV6)
            return fake_null(error, ENOTSUP, "cannot create match template");
        t->type[i] = item[i].type;
    }
    return t;
}

static int fake_pattern_destroy(uint16_t port_id, struct rte_flow_pattern_template *t, struct rte_flow_error *error)
{
    (void)port_id;
    if (t->tables)
        return fake_refuse(error, EBUSY, "item template is in use");
    t->used = false;
    return 0;
}

static struct rte_flow_actions_template *fake_actions_create(uint16_t port_id,
                                                             const struct rte_flow_actions_template_attr *attr,
                                                             const struct rte_flow_action action[],
                                                             const struct rte_flow_action mask[],
                                                             struct rte_flow_error *error)
{
    struct rte_flow_actions_template *t = fake.actions;

    (void)port_id;
    if (!fake.configured)
        return fake_null(error, EINVAL, "Flow engine is not configured");
    while (t < fake.actions + 4 && t->used)
        t++;
    if (!attr->ingress || t == fake.actions + 4)
        return fake_null(error, EINVAL, "actions template");
    *t = (struct rte_flow_actions_template){.used = true};
    for (unsigned i = 0; i < FAKE_ITEMS && action[i].type != RTE_FLOW_ACTION_TYPE_END; i++) {
        if (mask[i].type != action[i].type)
            return fake_null(error, EINVAL, "mask and action differ");
        t->type[i] = action[i].type;
    }
    return t;
}

static int fake_actions_destroy(uint16_t port_id, struct rte_flow_actions_template *t, struct rte_flow_error *error)
{
    (void)port_id;
    if (t->tables)
        return fake_refuse(error, EBUSY, "action template is in use");
    t->used = false;
    return 0;
}

static struct rte_flow_template_table *
fake_table_create(uint16_t port_id, const struct rte_flow_template_table_attr *attr,
                  struct rte_flow_pattern_template *pattern[], uint8_t n_patterns,
                  struct rte_flow_actions_template *actions[], uint8_t n_actions, struct rte_flow_error *error)
{
    struct rte_flow_template_table *t = fake.table;

    (void)port_id;
    while (t < fake.table + 4 && t->used)
        t++;
    if (n_patterns != 1 || n_actions > 2 || !attr->flow_attr.ingress || !attr->nb_flows || t == fake.table + 4)
        return fake_null(error, EINVAL, "Failed to create template table");
    *t = (struct rte_flow_template_table){.used = true,
                                          .pattern = pattern[0],
                                          .n_actions = n_actions,
                                          .group = attr->flow_attr.group,
                                          .size = attr->nb_flows};
    pattern[0]->tables++;
    for (unsigned i = 0; i < n_actions; i++)
        (t->actions[i] = actions[i])->tables++;
    return t;
}

static int fake_table_destroy(uint16_t port_id, struct rte_flow_template_table *t, struct rte_flow_error *error)
{
    (void)port_id;
    if (t->n_flows)
        return fake_refuse(error, EBUSY, "table in use");
    t->pattern->tables--;
    for (unsigned i = 0; i < t->n_actions; i++)
        t->actions[i]->tables--;
    t->used = false;
    return 0;
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static int fake_enqueue(struct rte_flow *f, enum fake_flow_state state, const struct rte_flow_op_attr *attr,
                        void *user_data)
{
    f->state = state;
    f->user_data = user_data;
    f->pushed = !attr->postpone;
    f->order = ++fake.order;
    f->fails = fake.fail != 0;
    fake.fail -= f->fails;
    fake.outstanding++;
    return 0;
}

static bool fake_fits(const struct rte_flow_template_table *t, const struct rte_flow_item item[],
                      const struct rte_flow_action action[], uint8_t which)
{
    for (unsigned i = 0; t->pattern->type[i] != RTE_FLOW_ITEM_TYPE_END; i++)
        if (item[i].type != t->pattern->type[i])
            return false;
    for (unsigned i = 0; t->actions[which]->type[i] != RTE_FLOW_ACTION_TYPE_END; i++)
        if (action[i].type != t->actions[which]->type[i])
            return false;
    return true;
}

static struct rte_flow *fake_async_create(uint16_t port_id, uint32_t queue, const struct rte_flow_op_attr *attr,
                                          struct rte_flow_template_table *table, const struct rte_flow_item item[],
                                          uint8_t pattern, const struct rte_flow_action action[], uint8_t actions,
                                          void *user_data, struct rte_flow_error *error)
{
    struct rte_flow *f = fake.flow;

    (void)port_id;
    if (queue >= fake.n_queues || !fake.started || pattern || actions >= table->n_actions ||
        !fake_fits(table, item, action, actions))
        return fake_null(error, EINVAL, "fail to create rte flow");
    while (f < fake.flow + FAKE_FLOWS && f->state != FAKE_FREE)
        f++;
    if (fake.outstanding == fake.queue_size || table->n_flows == table->size || f == fake.flow + FAKE_FLOWS)
        return fake_null(error, ENOMEM, "fail to create rte flow");
    *f = (struct rte_flow){.table = table, .drop = action[0].type == RTE_FLOW_ACTION_TYPE_DROP};
    f->ip = *(const struct rte_flow_item_ipv4 *)item[1].spec;
    f->tcp = *(const struct rte_flow_item_tcp *)item[2].spec;
    if (!f->drop)
        f->queue = ((const struct rte_flow_action_queue *)action[0].conf)->index;
    table->n_flows++;
    fake_enqueue(f, FAKE_CREATING, attr, user_data);
    return f;
}

static int fake_async_destroy(uint16_t port_id, uint32_t queue, const struct rte_flow_op_attr *attr, struct rte_flow *f,
                              void *user_data, struct rte_flow_error *error)
{
    (void)port_id;
    if (queue >= fake.n_queues)
        return fake_refuse(error, EINVAL, "fail to destroy rte flow");
    if (fake.outstanding == fake.queue_size)
        return fake_refuse(error, ENOMEM, "fail to destroy rte flow");
    if (f->state != FAKE_IN_FORCE && f->state != FAKE_FAILED)
        return fake_refuse(error, EBUSY, "fail to destroy rte flow");
    return fake_enqueue(f, FAKE_DESTROYING, attr, user_data);
}

static int fake_push(uint16_t port_id, uint32_t queue, struct rte_flow_error *error)
{
    (void)port_id, (void)queue, (void)error;
    fake.pushes++;
    for (struct rte_flow *f = fake.flow; f < fake.flow + FAKE_FLOWS; f++)
        f->pushed |= f->state == FAKE_CREATING || f->state == FAKE_DESTROYING;
    return 0;
}

static struct rte_flow *fake_oldest(void)
{
    struct rte_flow *oldest = NULL;

    for (struct rte_flow *f = fake.flow; f < fake.flow + FAKE_FLOWS; f++)
        if ((f->state == FAKE_CREATING || f->state == FAKE_DESTROYING) && f->pushed &&
            (!oldest || f->order < oldest->order))
            oldest = f;
    return oldest;
}

/* mlx5 frees a rule with the completion of its end, whatever that says. */
static void fake_complete(struct rte_flow *f, struct rte_flow_op_result *result)
{
    result->status = f->fails ? RTE_FLOW_OP_ERROR : RTE_FLOW_OP_SUCCESS;
    result->user_data = f->user_data;
    fake.outstanding--;
    if (f->state == FAKE_CREATING) {
        f->state = f->fails ? FAKE_FAILED : FAKE_IN_FORCE;
        return;
    }
    f->state = FAKE_FREE;
    f->table->n_flows--;
}

static int fake_pull(uint16_t port_id, uint32_t queue, struct rte_flow_op_result result[], uint16_t max,
                     struct rte_flow_error *error)
{
    struct rte_flow *f;
    int n = 0;

    (void)port_id;
    if (queue >= fake.n_queues || fake.pull_fails)
        return fake_refuse(error, EIO, "fail to query flow queue");
    if (fake.late && fake.late--)
        return 0;
    while (n < max && (f = fake_oldest()))
        fake_complete(f, &result[n++]);
    return n;
}

static int fake_query(uint16_t port_id, struct rte_flow *f, const struct rte_flow_action *action, void *data,
                      struct rte_flow_error *error)
{
    struct rte_flow_query_count *count = data;

    (void)port_id, (void)action;
    if (f->state != FAKE_IN_FORCE)
        return fake_refuse(error, EINVAL, "counter are not available");
    *count = (struct rte_flow_query_count){.hits_set = 1, .hits = 42};
    return 0;
}

static void fake_pause(void)
{
    fake.pauses++;
}

static const struct nb_rte_flow_async_api fake_api = {
    .info_get = fake_info_get,
    .configure = fake_configure,
    .pattern_create = fake_pattern_create,
    .pattern_destroy = fake_pattern_destroy,
    .actions_create = fake_actions_create,
    .actions_destroy = fake_actions_destroy,
    .table_create = fake_table_create,
    .table_destroy = fake_table_destroy,
    .create = fake_async_create,
    .destroy = fake_async_destroy,
    .push = fake_push,
    .pull = fake_pull,
    .query = fake_query,
    .pause = fake_pause,
};

static unsigned fake_count(enum fake_flow_state state)
{
    unsigned n = 0;

    for (struct rte_flow *f = fake.flow; f < fake.flow + FAKE_FLOWS; f++)
        n += f->state == state;
    return n;
}

static void fake_reset(void)
{
    memset(&fake, 0, sizeof fake);
    fake.speaks_templates = true;
    fake.max_counters = 1 << 20;
}

#endif
