/* backend.h - how rules get into a device: one struct of operations for rte_flow, ethtool and verbs alike.
 *
 * A backend translates a neutral rule into its device's dialect, applies it, and says the truth about the result: where
 * the device can be asked whether it has the rule, it is asked before success is reported. It keeps no list of rules;
 * the shadow table does. Used by one thread at a time.
 *
 * Results are 0 or a negative errno with a sentence in *err. Some codes mean the same from every backend:
 *     -ENOSPC  the table is full          -EEXIST  the device has a rule with this match already
 *     -EXDEV   rules with another mask are in force, and the table has room for one mask only
 *     -ENOENT  (destroy) the device did not have the rule      -ETIMEDOUT  it did not complete the command
 */
#ifndef NETBYPASS_BACKEND_H
#define NETBYPASS_BACKEND_H

#include <stdint.h>

#include <netbypass/error.h>
#include <netbypass/profile.h>

struct nb_backend;

struct nb_backend_ops {
    const char *name;

    /* Would create accept it, by all that is known without asking the device? rule->engine names an engine. */
    int (*validate)(struct nb_backend *backend, const struct nb_rule *rule, struct nb_error *err);

    int (*create)(struct nb_backend *backend, const struct nb_rule *rule, void **handle, struct nb_error *err);

    /* rule: as it was created. The handle is dead afterwards, unless the result is another than 0 and -ENOENT. */
    int (*destroy)(struct nb_backend *backend, const struct nb_rule *rule, void *handle, struct nb_error *err);

    /* How many rules the device itself counts in an engine, -1 where it cannot say. */
    int64_t (*device_used)(struct nb_backend *backend, enum nb_engine engine);

    /* Packets that hit the rule, -1 where the device does not count. */
    int64_t (*hits)(struct nb_backend *backend, const struct nb_rule *rule, void *handle);

    /* Free the backend; it leaves the device's rules alone. */
    void (*free)(struct nb_backend *backend);
};

struct nb_backend {
    const struct nb_backend_ops *ops;
};

/* --- rte_flow ----------------------------------------------------------------------------------------------------- */

struct rte_eth_fdir_stats;
struct rte_flow;
struct rte_flow_action;
struct rte_flow_attr;
struct rte_flow_error;
struct rte_flow_item;

/* The DPDK calls the backend makes: the real ones, or a test's. */
struct nb_rte_flow_api {
    struct rte_flow *(*create)(uint16_t port_id, const struct rte_flow_attr *attr, const struct rte_flow_item *pattern,
                               const struct rte_flow_action *actions, struct rte_flow_error *error);
    int (*destroy)(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error);

    /* The driver's own Flow Director statistics; NULL where the driver has none. */
    int (*fdir_stats)(uint16_t port_id, struct rte_eth_fdir_stats *stats);
};

/* The real calls for a driver; fdir_stats is found in the driver that EAL has loaded. */
struct nb_rte_flow_api nb_rte_flow_api_real(const char *driver);

/* A backend for a started port with queues 0..n_queues-1. NULL when memory is short. */
struct nb_backend *nb_backend_rte_flow_new(uint16_t port_id, uint16_t n_queues, const struct nb_profile *profile,
                                           const struct nb_rte_flow_api *api);

#endif
