/* eal_args.h - the arguments of rte_eal_init, completed so that DPDK starts on a machine without hugepages or root.
 */
#ifndef SIM_EAL_ARGS_H
#define SIM_EAL_ARGS_H

#include "error.h"

#include <stdbool.h>

/* What of this machine decides. */
struct sim_eal_facts {
    bool hugepages;          /* free ones, on a mounted hugetlbfs we may write to */
    bool physical_addresses; /* this process may learn them */
};

#define SIM_EAL_ADDED_MAX 4

/* Options to insert behind argv[0], strings of static storage. Returns how many (0 to SIM_EAL_ADDED_MAX), or -EINVAL
 * with words when the given ones cannot work on a simulated NIC. */
int sim_eal_args_added(int argc, char *const *argv, const struct sim_eal_facts *facts,
                       const char *added[SIM_EAL_ADDED_MAX], struct sim_error *err);

/* Look at this machine. */
struct sim_eal_facts sim_eal_facts_find(void);

#endif
