/* dpdk.h - DPDK's environment layer, started with what the configuration says. */
#ifndef NB_DAEMON_DPDK_H
#define NB_DAEMON_DPDK_H

#include "config.h"

#define NB_DPDK_ARGS_MAX (NB_CONFIG_EAL_MAX + 2 * NB_MAX_PORTS + 12)
#define NB_DPDK_ARG_ROOM 512

struct nb_dpdk_args {
    char text[NB_DPDK_ARGS_MAX][NB_DPDK_ARG_ROOM];
    unsigned n;
};

/* The arguments for rte_eal_init that a configuration stands for. `cpus` is the list of CPUs we may use, as "0-3";
 * `hugepages` says whether there are some to be had. */
void nb_dpdk_arguments(const struct nb_config *config, unsigned n_workers, const char *cpus, bool hugepages,
                       struct nb_dpdk_args *args);

/* Start DPDK and see that every configured port is there. Returns 0 or a negative errno with *err. */
int nb_dpdk_start(const struct nb_config *config, unsigned n_workers, struct nb_error *err);
void nb_dpdk_stop(void);

#endif
