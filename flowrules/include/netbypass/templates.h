/* templates.h - the backend for ports whose driver takes rules through rte_flow's template calls and no others.
 *
 * Order of life: nb_rte_flow_prepare while the port is configured and not started; the port starts;
 * nb_backend_rte_flow_async_new.
 */
#ifndef NETBYPASS_TEMPLATES_H
#define NETBYPASS_TEMPLATES_H

#include <netbypass/backend.h>

struct rte_flow_actions_template;
struct rte_flow_actions_template_attr;
struct rte_flow_op_attr;
struct rte_flow_op_result;
struct rte_flow_pattern_template;
struct rte_flow_pattern_template_attr;
struct rte_flow_port_attr;
struct rte_flow_port_info;
struct rte_flow_queue_attr;
struct rte_flow_queue_info;
struct rte_flow_template_table;
struct rte_flow_template_table_attr;

/* The DPDK calls that backend makes: the real ones, or a test's. */
struct nb_rte_flow_async_api {
    int (*info_get)(uint16_t port_id, struct rte_flow_port_info *port, struct rte_flow_queue_info *queue,
                    struct rte_flow_error *error);
    int (*configure)(uint16_t port_id, const struct rte_flow_port_attr *port, uint16_t n_queues,
                     const struct rte_flow_queue_attr *queue[], struct rte_flow_error *error);
    struct rte_flow_pattern_template *(*pattern_create)(uint16_t port_id,
                                                        const struct rte_flow_pattern_template_attr *attr,
                                                        const struct rte_flow_item *pattern,
                                                        struct rte_flow_error *error);
    int (*pattern_destroy)(uint16_t port_id, struct rte_flow_pattern_template *pattern, struct rte_flow_error *error);
    struct rte_flow_actions_template *(*actions_create)(uint16_t port_id,
                                                        const struct rte_flow_actions_template_attr *attr,
                                                        const struct rte_flow_action *actions,
                                                        const struct rte_flow_action *masks,
                                                        struct rte_flow_error *error);
    int (*actions_destroy)(uint16_t port_id, struct rte_flow_actions_template *actions, struct rte_flow_error *error);
    struct rte_flow_template_table *(*table_create)(uint16_t port_id, const struct rte_flow_template_table_attr *attr,
                                                    struct rte_flow_pattern_template *patterns[], uint8_t n_patterns,
                                                    struct rte_flow_actions_template *actions[], uint8_t n_actions,
                                                    struct rte_flow_error *error);
    int (*table_destroy)(uint16_t port_id, struct rte_flow_template_table *table, struct rte_flow_error *error);
    struct rte_flow *(*create)(uint16_t port_id, uint32_t queue, const struct rte_flow_op_attr *attr,
                               struct rte_flow_template_table *table, const struct rte_flow_item *items,
                               uint8_t pattern, const struct rte_flow_action *actions, uint8_t which_actions,
                               void *user_data, struct rte_flow_error *error);
    int (*destroy)(uint16_t port_id, uint32_t queue, const struct rte_flow_op_attr *attr, struct rte_flow *flow,
                   void *user_data, struct rte_flow_error *error);
    int (*push)(uint16_t port_id, uint32_t queue, struct rte_flow_error *error);
    int (*pull)(uint16_t port_id, uint32_t queue, struct rte_flow_op_result *result, uint16_t max,
                struct rte_flow_error *error);
    int (*query)(uint16_t port_id, struct rte_flow *flow, const struct rte_flow_action *action, void *data,
                 struct rte_flow_error *error);
    void (*pause)(void); /* for some microseconds */
};
struct nb_rte_flow_async_api nb_rte_flow_async_api_real(void);

/* For a port that is configured and not yet started: where its driver takes rules through template calls (then the
 * profile says so), configure its flow engine. Returns 0 where there is nothing to do, too. */
int nb_rte_flow_prepare(uint16_t port_id, const struct nb_profile *profile, const struct nb_rte_flow_async_api *api,
                        struct nb_error *err);

/* A backend for a port that was prepared and started. NULL when memory is short. */
struct nb_backend *nb_backend_rte_flow_async_new(uint16_t port_id, uint16_t n_queues, const struct nb_profile *profile,
                                                 const struct nb_rte_flow_async_api *api);

#endif
