/* rules.h - what rules cost, measured by one program in several modes; each run prints one line of JSON.
 *
 *     rules planner      plans on a table of a million flows: the planner and the shadow table alone
 *     rules rte_flow     a rule's life through the real DPDK driver of port 0; run it under nicsim or on a NIC
 *     rules templates    the same through a backend and a device that answers at once: what we add ourselves
 *     rules ethtool
 *     rules verbs
 */
#ifndef NB_BENCH_RULES_H
#define NB_BENCH_RULES_H

#include <netbypass/backend.h>
#include <netbypass/planner.h>

#define BENCH_QUEUES 4

/* A device below a backend. On failure they end the program with a message. */
struct nb_backend *bench_port_open(struct nb_profile *profile); /* port.c: DPDK's port 0, started */
struct nb_backend *bench_templates_open(struct nb_profile *profile);
struct nb_backend *bench_ethtool_open(struct nb_profile *profile);
struct nb_backend *bench_verbs_open(struct nb_profile *profile);

int bench_planner(void);

_Noreturn void bench_fail(const char *what);
double bench_cpu_us(void); /* of this process: other programs matter less */

#endif
