/* rte_flow_tables.h - the tables that rules through template calls are made from. */
#ifndef NB_FLOWRULES_RTE_FLOW_TABLES_H
#define NB_FLOWRULES_RTE_FLOW_TABLES_H

#include <netbypass/templates.h>

#include "rte_flow_core.h"

enum { NB__TO_QUEUE, NB__TO_DROP, NB__ACTIONS }; /* lists of actions, by their place in every table */

struct nb__table { /* for connections of one protocol */
    struct rte_flow_pattern_template *pattern;
    struct rte_flow_template_table *table;
};

struct nb__tables {
    const struct nb_rte_flow_async_api *api;
    const struct nb_engine_profile *row;
    const char *who;
    uint16_t port_id;
    struct rte_flow_actions_template *actions[NB__ACTIONS];
    struct nb__table tcp, udp;
};

/* The table for such a rule, made with the first of them. NULL with *err filled. */
struct rte_flow_template_table *nb__tables_for(struct nb__tables *tables, const struct nb_rule *rule,
                                               struct nb_error *err);
void nb__tables_free(struct nb__tables *tables);

#endif
