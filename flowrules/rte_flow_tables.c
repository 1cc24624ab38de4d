/* rte_flow_tables.c - templates and tables: one for the connections of each protocol, made when its first rule comes.
 */
#include <errno.h>

#include <rte_errno.h>

#include "rte_flow_tables.h"

static int explain(const struct nb__tables *tables, const char *operation, const struct rte_flow_error *error,
                   struct nb_error *err)
{
    return nb__rte_flow_explain(tables->who, tables->row, operation, error, err);
}

/* Types count in a template, and masks in its items; what is not in the masks of the actions comes with each rule. */
static int make_actions(struct nb__tables *tables, unsigned which, const struct nb__dialect *d, struct nb_error *err)
{
    const struct rte_flow_actions_template_attr attr = {.ingress = 1};
    struct rte_flow_action mask[sizeof d->action / sizeof d->action[0]] = {0};
    struct rte_flow_error error = {0};

    if (tables->actions[which])
        return 0;
    for (size_t i = 0; i < sizeof mask / sizeof mask[0]; i++)
        mask[i].type = d->action[i].type;
    rte_errno = EINVAL;
    tables->actions[which] = tables->api->actions_create(tables->port_id, &attr, d->action, mask, &error);
    return tables->actions[which] ? 0 : explain(tables, "actions template", &error, err);
}

static int make_pattern(struct nb__tables *tables, struct nb__table *t, const struct nb__dialect *d,
                        struct nb_error *err)
{
    const struct rte_flow_pattern_template_attr attr = {.ingress = 1};
    struct rte_flow_error error = {0};

    if (t->pattern)
        return 0;
    rte_errno = EINVAL;
    t->pattern = tables->api->pattern_create(tables->port_id, &attr, d->item, &error);
    return t->pattern ? 0 : explain(tables, "pattern template", &error, err);
}

struct rte_flow_template_table *nb__tables_for(struct nb__tables *tables, const struct nb_rule *rule,
                                               struct nb_error *err)
{
    struct nb__table *t = rule->match.protocol == NB_RULE_TCP ? &tables->tcp : &tables->udp;
    struct rte_flow_error error = {0};
    struct nb_rule plain = *rule;
    struct nb__dialect d;

    if (t->table)
        return t->table;
    for (unsigned i = 0; i < NB__ACTIONS; i++) {
        plain.action = i == NB__TO_DROP ? NB_RULE_DROP : NB_RULE_QUEUE;
        nb__dialect_translate(&d, tables->row, &plain);
        if (make_actions(tables, i, &d, err))
            return NULL;
    }
    if (make_pattern(tables, t, &d, err))
        return NULL;
    const struct rte_flow_template_table_attr attr = {.flow_attr = d.attr, .nb_flows = tables->row->size};
    rte_errno = EINVAL;
    t->table = tables->api->table_create(tables->port_id, &attr, &t->pattern, 1, tables->actions, NB__ACTIONS, &error);
    if (!t->table)
        explain(tables, "template table", &error, err);
    return t->table;
}

static void free_table(struct nb__tables *tables, struct nb__table *t)
{
    struct rte_flow_error error;

    if (t->table)
        tables->api->table_destroy(tables->port_id, t->table, &error);
    if (t->pattern)
        tables->api->pattern_destroy(tables->port_id, t->pattern, &error);
}

/* The port frees at its close what is still in use. */
void nb__tables_free(struct nb__tables *tables)
{
    struct rte_flow_error error;

    free_table(tables, &tables->tcp);
    free_table(tables, &tables->udp);
    for (unsigned i = 0; i < NB__ACTIONS; i++)
        if (tables->actions[i])
            tables->api->actions_destroy(tables->port_id, tables->actions[i], &error);
}
