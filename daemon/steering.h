/* steering.h - the steering thread: the only writer of rules in the NIC.
 *
 * Takes flow news from every worker (runtime.h), asks the planner (flowrules) which rules should be in force, applies
 * its operations through the port's backend, and keeps the shadow table. Started after the runtime, stopped before it.
 * The asking calls may come from any control thread; they take the steering thread's lock for a bounded copy.
 */
#ifndef NB_DAEMON_STEERING_H
#define NB_DAEMON_STEERING_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/error.h>
#include <netbypass/runtime.h>

enum nb_steering_policy {
    NB_STEERING_AUTO,  /* a rule only where RSS alone would not reach the owner */
    NB_STEERING_EXACT, /* besides, a rule for every connection that lives longer than exact_after_ms */
};

/* How a flow reaches its owner (DESIGN: words). */
enum nb_method { NB_METHOD_RSS, NB_METHOD_MASK, NB_METHOD_EXACT, NB_METHOD_SOFTWARE };
const char *nb_method_name(enum nb_method method);

/* Through what a port's rules reach its NIC. */
enum nb_rules_through {
    NB_RULES_AUTO, /* what fits the port: ethtool where the kernel owns the NIC, else rte_flow */
    NB_RULES_RTE_FLOW,
    NB_RULES_ETHTOOL,
    NB_RULES_VERBS, /* for programs that bring the queue pairs */
    NB_RULES_NONE,
};

#define NB_STEERING_FOLDER_MAX 200

struct nb_verbs_queues;

struct nb_steering_config {
    enum nb_steering_policy policy;
    uint32_t exact_after_ms; /* under EXACT: how long a connection must have lived; 0 = at once */
    uint32_t reserved_rules; /* of the exact table, kept free */
    uint32_t spill_rules;    /* of the table for moves, that connections may have when theirs is full */
    enum nb_rules_through through[NB_MAX_PORTS];
    const struct nb_verbs_queues *verbs[NB_MAX_PORTS]; /* RAW_PACKET queue pairs that its workers poll; NULL: none */
    char state_folder[NB_STEERING_FOLDER_MAX];         /* for what must outlive a crash; "": nothing does */
};

struct nb_steering;

/* For nb_runtime_config.before_start: what a driver must be told of rules while its port is configured and not started.
 */
int nb_steering_prepare_port(uint16_t port_id, const char *driver, struct nb_error *err);

int nb_steering_start(struct nb_runtime *rt, const struct nb_steering_config *config, struct nb_steering **steering,
                      struct nb_error *err);

/* Removes every rule from the NIC, then stops the thread. */
void nb_steering_stop(struct nb_steering *steering);

/* What steering knows of a flow. */
struct nb_steering_flow {
    enum nb_method method;
    int64_t rule; /* id of its rule, -1: none */
    char why[64]; /* "home queue", "policy exact", "table full", "not supported by the port", ... */
};

/* Fills *out for a flow (id and home queue as nb_runtime_flows gave them); never fails: a flow that steering has not
 * heard of is on `rss` or `software` by its home queue alone. */
void nb_steering_flow(struct nb_steering *steering, const struct nb_flow_info *flow, struct nb_steering_flow *out);

struct nb_rule_info {
    int64_t id; /* stable while the rule is installed; `rule list` shows it, flows refer to it */
    uint16_t port;
    char engine[24]; /* "flow-director", "5-tuple", ... */
    char match[128]; /* text form: tcp 10.0.0.1:1000 -> 10.0.0.2:80 */
    uint16_t queue;
    uint32_t mark;
    char why[64];
    uint64_t flow; /* id of the flow it serves, 0: none */
    uint64_t age_us;
    int64_t hits;     /* -1: not known */
    char no_hits[64]; /* why not, "" where hits are counted */
};

/* Copy rules with id >= *cursor in order of id to out[0..max), advance *cursor past them. Returns the number. */
unsigned nb_steering_rules(struct nb_steering *steering, int64_t *cursor, struct nb_rule_info *out, unsigned max);

struct nb_table_info {
    uint16_t port;
    char engine[24];
    uint32_t used, max;
    uint64_t rejected; /* wishes turned away because the table was full, since start */
    uint64_t failed;   /* operations the driver or the NIC refused, since start */
    uint64_t added, removed;
    int64_t device_used; /* as the device itself counts, -1 where it cannot say */
    char profile[64];    /* the profile in force: "82599 (net_ixgbe, DPDK 22.11)" */
};

/* One row per port and engine. Returns the number copied. */
unsigned nb_steering_tables(struct nb_steering *steering, struct nb_table_info *out, unsigned max);

/* Can this flow have an exact rule of its own, by its port's profile? How full the table is does not matter. */
bool nb_steering_takes(struct nb_steering *steering, const struct nb_flow_key *flow);

/* Remove every rule (all ports) and keep none until nb_steering_resume: flows go on by rss or software. */
int nb_steering_flush(struct nb_steering *steering, struct nb_error *err);
void nb_steering_resume(struct nb_steering *steering);

/* Stop and start a port, with its rules taken out before and put back after, in the order that its driver needs. */
int nb_steering_port_restart(struct nb_steering *steering, unsigned port, struct nb_error *err);

/* --- audit: are the rules in the devices the ones we believe to be there? ---------------------------------------- */

struct nb_audit_info { /* one engine */
    uint16_t port;
    char engine[24];
    uint64_t rules, confirmed, missing, mismatched, orphans;
    int64_t device_used;
    char witness[32]; /* what the device could tell: "every rule, both ways", "our rules", "count only", "none" */
};

struct nb_finding_info {
    uint16_t port;
    char engine[24], kind[16];
    int64_t rule; /* id, -1: none of ours */
    char words[192];
};

#define NB_AUDIT_ENGINES_MAX 32 /* NB_MAX_PORTS with four engines each */
#define NB_AUDIT_REPORT_MAX  128

struct nb_audit_report {
    struct nb_audit_info engine[NB_AUDIT_ENGINES_MAX];
    struct nb_finding_info finding[NB_AUDIT_REPORT_MAX]; /* the first ones; the engines' numbers count all */
    unsigned n_engines, n_findings;
};

/* Compare, now, every table with its device. */
void nb_steering_audit(struct nb_steering *steering, struct nb_audit_report *report);

/* Look at every flow again, soon and in portions: after the RETA was rewritten, flows have other home queues. */
void nb_steering_resync(struct nb_steering *steering);

#endif
