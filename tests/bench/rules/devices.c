/* devices.c - devices that answer at once, below the backends that no simulated NIC is there for: what is measured with
 * them is what our own code adds to a rule.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>
#include <linux/ethtool.h>
#include <rte_flow.h>

#include <netbypass/templates.h>

#include "rules.h"

/* --- ethtool ------------------------------------------------------------------------------------------------------ */

#define PLACES 2046

static struct ethtool_rx_flow_spec rule_at[PLACES];
static uint32_t n_rules;

static int change(struct ethtool_rxnfc *nfc)
{
    struct ethtool_rx_flow_spec *place = &rule_at[nfc->fs.location];

    if (nfc->cmd == ETHTOOL_GRXCLSRULE && !place->flow_type)
        return -EINVAL;
    if (nfc->cmd == ETHTOOL_GRXCLSRULE)
        nfc->fs = *place;
    if (nfc->cmd == ETHTOOL_SRXCLSRLINS) {
        n_rules += !place->flow_type;
        *place = nfc->fs;
    }
    if (nfc->cmd == ETHTOOL_SRXCLSRLDEL) {
        n_rules -= place->flow_type != 0;
        *place = (struct ethtool_rx_flow_spec){0};
    }
    return 0;
}

static int ethtool_call(void *arg, const char *interface, void *data)
{
    struct ethtool_rxnfc *nfc = data;

    (void)arg, (void)interface;
    switch (nfc->cmd) {
    case ETHTOOL_GRXCLSRLCNT:
    case ETHTOOL_GRXCLSRLALL:
        nfc->rule_cnt = n_rules;
        nfc->data = PLACES;
        return 0;
    case ETHTOOL_GRXRINGS:
        nfc->data = BENCH_QUEUES;
        return 0;
    case ETHTOOL_GRXCLSRULE:
    case ETHTOOL_SRXCLSRLINS:
    case ETHTOOL_SRXCLSRLDEL:
        return nfc->fs.location < PLACES ? change(nfc) : -EINVAL;
    default:
        return -EOPNOTSUPP;
    }
}

struct nb_backend *bench_ethtool_open(struct nb_profile *profile)
{
    static const struct nb_ethtool_api api = {.call = ethtool_call};
    struct nb_error err;

    *profile = *nb_profile_for_driver("ixgbe");
    struct nb_backend *backend = nb_backend_ethtool_new("bench0", profile, &api, NULL, &err);
    if (!backend)
        bench_fail(err.text);
    return backend;
}

/* --- verbs -------------------------------------------------------------------------------------------------------- */

static struct ibv_flow *create_flow(struct ibv_qp *qp, struct ibv_flow_attr *attr)
{
    struct ibv_flow *flow = malloc(sizeof *flow);

    (void)attr;
    if (flow)
        flow->context = qp->context;
    return flow;
}

static int destroy_flow(struct ibv_flow *flow)
{
    free(flow);
    return 0;
}

struct nb_backend *bench_verbs_open(struct nb_profile *profile)
{
    static struct verbs_context context = {
        .sz = sizeof context, .ibv_create_flow = create_flow, .ibv_destroy_flow = destroy_flow};
    static struct ibv_qp qp[BENCH_QUEUES];
    static struct nb_verbs_queues queues = {.n = BENCH_QUEUES, .port = 1};

    context.context.abi_compat = __VERBS_ABI_IS_EXTENDED;
    for (unsigned i = 0; i < BENCH_QUEUES; i++) {
        qp[i].context = &context.context;
        queues.qp[i] = &qp[i];
    }
    *profile = *nb_profile_for_driver("verbs");
    return nb_backend_verbs_new(&queues, profile);
}

/* --- rte_flow's template calls ------------------------------------------------------------------------------------ */

static void *waiting[64]; /* user data of what is not pulled yet */
static int n_waiting;
static char something[1]; /* that a template or a rule can point to */

static struct rte_flow_pattern_template *make_pattern(uint16_t port, const struct rte_flow_pattern_template_attr *attr,
                                                      const struct rte_flow_item *items, struct rte_flow_error *error)
{
    (void)port, (void)attr, (void)items, (void)error;
    return (void *)something;
}

static int drop_pattern(uint16_t port, struct rte_flow_pattern_template *pattern, struct rte_flow_error *error)
{
    (void)port, (void)pattern, (void)error;
    return 0;
}

static struct rte_flow_actions_template *make_actions(uint16_t port, const struct rte_flow_actions_template_attr *attr,
                                                      const struct rte_flow_action *actions,
                                                      const struct rte_flow_action *masks, struct rte_flow_error *error)
{
    (void)port, (void)attr, (void)actions, (void)masks, (void)error;
    return (void *)something;
}

static int drop_actions(uint16_t port, struct rte_flow_actions_template *actions, struct rte_flow_error *error)
{
    (void)port, (void)actions, (void)error;
    return 0;
}

static struct rte_flow_template_table *make_table(uint16_t port, const struct rte_flow_template_table_attr *attr,
                                                  struct rte_flow_pattern_template **patterns, uint8_t n_patterns,
                                                  struct rte_flow_actions_template **actions, uint8_t n_actions,
                                                  struct rte_flow_error *error)
{
    (void)port, (void)attr, (void)patterns, (void)n_patterns, (void)actions, (void)n_actions, (void)error;
    return (void *)something;
}

static int drop_table(uint16_t port, struct rte_flow_template_table *table, struct rte_flow_error *error)
{
    (void)port, (void)table, (void)error;
    return 0;
}

static struct rte_flow *put_create(uint16_t port, uint32_t queue, const struct rte_flow_op_attr *attr,
                                   struct rte_flow_template_table *table, const struct rte_flow_item *items,
                                   uint8_t pattern, const struct rte_flow_action *actions, uint8_t which,
                                   void *user_data, struct rte_flow_error *error)
{
    (void)port, (void)queue, (void)attr, (void)table, (void)items, (void)pattern, (void)actions, (void)which,
        (void)error;
    waiting[n_waiting++] = user_data;
    return (void *)something;
}

static int put_destroy(uint16_t port, uint32_t queue, const struct rte_flow_op_attr *attr, struct rte_flow *flow,
                       void *user_data, struct rte_flow_error *error)
{
    (void)port, (void)queue, (void)attr, (void)flow, (void)error;
    waiting[n_waiting++] = user_data;
    return 0;
}

static int push(uint16_t port, uint32_t queue, struct rte_flow_error *error)
{
    (void)port, (void)queue, (void)error;
    return 0;
}

static int pull(uint16_t port, uint32_t queue, struct rte_flow_op_result *result, uint16_t max,
                struct rte_flow_error *error)
{
    int n = 0;

    (void)port, (void)queue, (void)error;
    while (n < max && n_waiting)
        result[n++] = (struct rte_flow_op_result){RTE_FLOW_OP_SUCCESS, waiting[--n_waiting]};
    return n;
}

struct nb_backend *bench_templates_open(struct nb_profile *profile)
{
    static const struct nb_rte_flow_async_api api = {
        .pattern_create = make_pattern,
        .pattern_destroy = drop_pattern,
        .actions_create = make_actions,
        .actions_destroy = drop_actions,
        .table_create = make_table,
        .table_destroy = drop_table,
        .create = put_create,
        .destroy = put_destroy,
        .push = push,
        .pull = pull,
    };

    *profile = *nb_profile_for_device(&(struct nb_device){.driver = "mlx5_pci", .templates = true});
    return nb_backend_rte_flow_async_new(0, BENCH_QUEUES, profile, &api);
}
