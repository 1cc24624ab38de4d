/* steering_port.h - one port's steering: its profile, shadow table, planner and backend, and the step that turns plans
 * into rules. Private to the steering thread's files.
 */
#ifndef NB_DAEMON_STEERING_PORT_H
#define NB_DAEMON_STEERING_PORT_H

#include <pthread.h>

#include <netbypass/audit.h>
#include <netbypass/planner.h>
#include <netbypass/runtime.h>
#include <netbypass/templates.h>

#include "steering.h"

struct nb_steering_apis {
    struct nb_rte_flow_api rte_flow;
    struct nb_rte_flow_async_api templates;
    struct nb_ethtool_api ethtool;
    const char *state_folder; /* for what must outlive a crash; NULL or "": nothing does */
    enum nb_rules_through through;
    const struct nb_verbs_queues *verbs; /* that the port's workers poll, or NULL */
};

struct nb_steering_port {
    uint16_t index; /* of the runtime's ports, and the port group its flows carry */
    struct nb_profile profile;
    char kernel_driver[NB_ETHTOOL_DRIVER_MAX]; /* of a port that DPDK shares with the kernel */
    struct nb_table *table;
    struct nb_planner *planner;
    struct nb_backend *backend;
    int64_t device_used[NB_PROFILE_ENGINES];   /* when last asked */
    struct nb_audit audit[NB_PROFILE_ENGINES]; /* the last one */
    bool restarting;
    struct nb_runtime *runtime; /* whose flows are told when their way changes; NULL in tests of the port alone */
    uint64_t refusals;          /* operations that went wrong, for sparing the log */
    struct nb_error last_error;
};

/* info: as the runtime describes the port; device: as DPDK does. The struct must stay where it is. Returns 0 or a
 * negative errno with *err filled and nothing kept. */
int nb__steering_port_open(struct nb_steering_port *port, uint16_t index, const struct nb_port_info *info,
                           const struct nb_device *device, const struct nb_planner_config *config,
                           const struct nb_steering_apis *api, uint64_t seed, int64_t *next_rule_id,
                           struct nb_error *err);

/* Through what its rules go (steering_backend.c): makes *device what they are for, and port->profile that one's.
 * Returns 0, or a negative errno with *err filled where the configuration wants what the port cannot. */
int nb__steering_choose(struct nb_steering_port *port, const struct nb_port_info *info,
                        const struct nb_steering_apis *api, struct nb_device *device, struct nb_error *err);
struct nb_backend *nb__steering_backend(const struct nb_steering_port *port, const struct nb_port_info *info,
                                        const struct nb_device *device, const struct nb_steering_apis *api,
                                        struct nb_error *err);

/* A flow's way changes with an operation (steering_way.c): before (false: nobody need know), and after. Without the
 * lock. */
bool nb__steering_way_opens(const struct nb_steering_port *port, const struct nb_op *op, struct nb_way *way);
void nb__steering_way_opened(const struct nb_steering_port *port, const struct nb_way *way);

/* Frees what open made; the device's rules must be gone already. */
void nb__steering_port_close(struct nb_steering_port *port);

/* Apply up to max operations that are due. The lock covers table and planner and is held by the caller; it is let go
 * while the device works. Returns the number applied. */
unsigned nb__steering_port_apply(struct nb_steering_port *port, pthread_mutex_t *lock, uint64_t now_us, unsigned max);

/* Ask the device how many rules it has. Same rule for the lock. */
void nb__steering_port_count(struct nb_steering_port *port, pthread_mutex_t *lock);

/* Compare with the device. Same rule for the lock. */
void nb__steering_port_audit(struct nb_steering_port *port, pthread_mutex_t *lock);

#endif
