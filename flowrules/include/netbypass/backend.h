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

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/error.h>
#include <netbypass/profile.h>

struct nb_backend;

/* One operation of a batch. */
struct nb_backend_job {
    bool destroy; /* else create */
    const struct nb_rule *rule;
    void *handle; /* to destroy; of the rule that was created */
    int result;   /* 0 or a negative errno, with words in err */
    struct nb_error err;
};

enum nb_seen { NB_SEEN_UNKNOWN /* it cannot say */, NB_SEEN_THERE, NB_SEEN_MISSING, NB_SEEN_DIFFERENT };

struct nb_backend_ops {
    const char *name;

    /* Would create accept it, by all that is known without asking the device? rule->engine names an engine. */
    int (*validate)(struct nb_backend *backend, const struct nb_rule *rule, struct nb_error *err);

    int (*create)(struct nb_backend *backend, const struct nb_rule *rule, void **handle, struct nb_error *err);

    /* rule: as it was created. The handle is dead afterwards, unless the result is another than 0 and -ENOENT. */
    int (*destroy)(struct nb_backend *backend, const struct nb_rule *rule, void *handle, struct nb_error *err);

    /* Give a rule another queue without a gap; NULL where the device cannot. On failure the rule is as it was. */
    int (*update)(struct nb_backend *backend, const struct nb_rule *rule, void *handle, uint16_t queue,
                  struct nb_error *err);

    /* Carry out n operations, none of which depends on another; NULL where that is no faster than one by one. A backend
     * that has it has no update. */
    void (*batch)(struct nb_backend *backend, struct nb_backend_job *job, unsigned n);

    /* What follows but `free` is NULL where the device cannot be asked. The calls below ask where it can. */

    /* How many rules the device itself counts in an engine, -1 where it cannot say. */
    int64_t (*device_used)(struct nb_backend *backend, enum nb_engine engine);

    /* Is the rule in the device as we believe? Asks the device. */
    enum nb_seen (*look)(struct nb_backend *backend, const struct nb_rule *rule, void *handle);

    /* Call see() for every rule that the device itself has in an engine, with the handle that it has or would have as
     * ours, and in words. */
    int (*walk)(struct nb_backend *backend, enum nb_engine engine,
                void (*see)(void *arg, void *handle, const char *words), void *arg, struct nb_error *err);

    /* Packets that hit the rule, -1 where the device does not count. */
    int64_t (*hits)(struct nb_backend *backend, const struct nb_rule *rule, void *handle);

    /* Free the backend; it leaves the device's rules alone. */
    void (*free)(struct nb_backend *backend);
};

struct nb_backend {
    const struct nb_backend_ops *ops;
};

static inline int64_t nb_backend_device_used(struct nb_backend *backend, enum nb_engine engine)
{
    return backend->ops->device_used ? backend->ops->device_used(backend, engine) : -1;
}

static inline enum nb_seen nb_backend_look(struct nb_backend *backend, const struct nb_rule *rule, void *handle)
{
    return backend->ops->look ? backend->ops->look(backend, rule, handle) : NB_SEEN_UNKNOWN;
}

static inline int64_t nb_backend_hits(struct nb_backend *backend, const struct nb_rule *rule, void *handle)
{
    return backend->ops->hits ? backend->ops->hits(backend, rule, handle) : -1;
}

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

    /* Where rules count their hits; else it may be NULL. */
    int (*query)(uint16_t port_id, struct rte_flow *flow, const struct rte_flow_action *action, void *data,
                 struct rte_flow_error *error);

    /* The driver's own Flow Director statistics; NULL where the driver has none. */
    int (*fdir_stats)(uint16_t port_id, struct rte_eth_fdir_stats *stats);
};

/* The real calls for a driver; fdir_stats is found in the driver that EAL has loaded. */
struct nb_rte_flow_api nb_rte_flow_api_real(const char *driver);

/* A backend for a started port with queues 0..n_queues-1. NULL when memory is short. */
struct nb_backend *nb_backend_rte_flow_new(uint16_t port_id, uint16_t n_queues, const struct nb_profile *profile,
                                           const struct nb_rte_flow_api *api);

/* --- ethtool: NICs that the kernel owns --------------------------------------------------------------------------- */

/* SIOCETHTOOL for an interface: data is one of the structs of <linux/ethtool.h>. Returns 0 or a negative errno. */
struct nb_ethtool_api {
    int (*call)(void *arg, const char *interface, void *data);
    void *arg;
};
struct nb_ethtool_api nb_ethtool_api_real(void);

#define NB_ETHTOOL_DRIVER_MAX 32 /* ETHTOOL_BUSINFO_LEN: what struct ethtool_drvinfo has room for */

/* What the interface says of itself; `headroom` places of its table are left to accelerated RFS. The name of the driver
 * is put into `driver`, which *device then points to. */
int nb_ethtool_describe(const char *interface, const struct nb_ethtool_api *api, uint32_t headroom,
                        char driver[NB_ETHTOOL_DRIVER_MAX], struct nb_device *device, struct nb_error *err);

/* Switch the ntuple feature, and look whether the driver did it. ixgbe resets the port; ice needs it for any rule. */
int nb_ethtool_set_ntuple(const char *interface, const struct nb_ethtool_api *api, bool on, struct nb_error *err);

/* A backend with the locations 0..size-1 of the profile, but for those taken already: whoever put rules there keeps
 * them. memory: a file that remembers which rules are ours, so that a run after a crash finds and deletes what the one
 * before left; NULL: none. NULL with *err filled when the interface does not answer, memory is short, or another process
 * has that file. */
struct nb_backend *nb_backend_ethtool_new(const char *interface, const struct nb_profile *profile,
                                          const struct nb_ethtool_api *api, const char *memory, struct nb_error *err);

/* How many rules of a former run were deleted. */
uint32_t nb_backend_ethtool_cleaned(const struct nb_backend *backend);

#define NB_ETHTOOL_RETA_MAX 2048
#define NB_ETHTOOL_KEY_MAX  256

struct nb_ethtool_rss {
    uint32_t reta[NB_ETHTOOL_RETA_MAX];
    uint32_t reta_size; /* for set, 0: leave it */
    uint8_t key[NB_ETHTOOL_KEY_MAX];
    uint32_t key_bytes; /* for set, 0: leave it */
};
int nb_ethtool_rss_get(const char *interface, const struct nb_ethtool_api *api, struct nb_ethtool_rss *rss,
                       struct nb_error *err);

/* Write, read back, and fail with -EIO when the driver has something else than it was given. */
int nb_ethtool_rss_set(const char *interface, const struct nb_ethtool_api *api, const struct nb_ethtool_rss *rss,
                       struct nb_error *err);

/* --- verbs: RAW_PACKET queue pairs of a ConnectX ------------------------------------------------------------------ */

struct ibv_comp_channel;
struct ibv_context;
struct ibv_cq;
struct ibv_pd;
struct ibv_qp;
struct ibv_qp_attr;
struct ibv_qp_init_attr;

/* The calls of libibverbs that are calls: the others are inline and go through the context, which tests make. */
struct nb_verbs_api {
    struct ibv_pd *(*alloc_pd)(struct ibv_context *context);
    int (*dealloc_pd)(struct ibv_pd *pd);
    struct ibv_cq *(*create_cq)(struct ibv_context *context, int entries, void *arg, struct ibv_comp_channel *channel,
                                int vector);
    int (*destroy_cq)(struct ibv_cq *cq);
    struct ibv_qp *(*create_qp)(struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
    int (*modify_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask);
    int (*destroy_qp)(struct ibv_qp *qp);
};
struct nb_verbs_api nb_verbs_api_real(void);

#define NB_VERBS_QUEUES_MAX 64

/* A RAW_PACKET queue pair per queue, ready to receive. */
struct nb_verbs_queues {
    struct nb_verbs_api api;
    struct ibv_pd *pd;
    struct ibv_cq *cq[NB_VERBS_QUEUES_MAX];
    struct ibv_qp *qp[NB_VERBS_QUEUES_MAX];
    unsigned n;
    uint8_t port; /* of the device, from 1 */
};

/* depth: work requests of each queue. Returns 0, or a negative errno with *err filled and nothing left behind. */
int nb_verbs_open(struct nb_verbs_queues *queues, struct ibv_context *context, const struct nb_verbs_api *api,
                  uint8_t port, unsigned n_queues, unsigned depth, struct nb_error *err);
void nb_verbs_close(struct nb_verbs_queues *queues); /* rules must be gone */

/* queues must outlive the backend. NULL when memory is short. */
struct nb_backend *nb_backend_verbs_new(const struct nb_verbs_queues *queues, const struct nb_profile *profile);

#endif
