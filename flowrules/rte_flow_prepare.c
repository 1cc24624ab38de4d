/* rte_flow_prepare.c - rte_flow_configure, for ports whose rules go through template calls; and the real calls.
 *
 * The call is for a port that is configured and not started (rte_flow.c checks), so it comes from whoever starts ports,
 * long before the first rule. It stays in force when the port is stopped and started again.
 */
#include <errno.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include <netbypass/templates.h>

#include "rte_flow_core.h"

#define PAUSE_US 20

static void pause_a_little(void)
{
    rte_delay_us_sleep(PAUSE_US);
}

struct nb_rte_flow_async_api nb_rte_flow_async_api_real(void)
{
    return (struct nb_rte_flow_async_api){
        .info_get = rte_flow_info_get,
        .configure = rte_flow_configure,
        .pattern_create = rte_flow_pattern_template_create,
        .pattern_destroy = rte_flow_pattern_template_destroy,
        .actions_create = rte_flow_actions_template_create,
        .actions_destroy = rte_flow_actions_template_destroy,
        .table_create = rte_flow_template_table_create,
        .table_destroy = rte_flow_template_table_destroy,
        .create = rte_flow_async_create,
        .destroy = rte_flow_async_destroy,
        .push = rte_flow_push,
        .pull = rte_flow_pull,
        .query = rte_flow_query,
        .pause = pause_a_little,
    };
}

/* A counter for every rule, or as many as there are: a create that gets none fails, and says so. */
int nb_rte_flow_prepare(uint16_t port_id, const struct nb_profile *profile, const struct nb_rte_flow_async_api *api,
                        struct nb_error *err)
{
    const struct nb_engine_profile *row = &profile->engine[0];
    const struct rte_flow_queue_attr queue = {.size = NB__FLOW_QUEUE_SIZE}, *queues[] = {&queue};
    struct rte_flow_port_info can = {0};
    struct rte_flow_queue_info queue_can = {0};
    struct rte_flow_error error = {0};
    struct rte_flow_port_attr attr = {0};
    char who[NB__WHO_MAX];

    if (profile->dialect != NB_DIALECT_RTE_FLOW_ASYNC)
        return 0;
    snprintf(who, sizeof who, "port %u", port_id);
    rte_errno = EINVAL;
    if (api->info_get(port_id, &can, &queue_can, &error))
        return nb__rte_flow_explain(who, row, "asking for its flow engine", &error, err);
    if (row->counts_hits)
        attr.nb_counters = row->size < can.max_nb_counters ? row->size : can.max_nb_counters;
    rte_errno = EINVAL;
    if (api->configure(port_id, &attr, 1, queues, &error))
        return nb__rte_flow_explain(who, row, "rte_flow_configure", &error, err);
    return 0;
}
