/* planner.h - which rules should be in force: from wishes to an ordered stream of operations.
 *
 * The planner is a function of profile, table and wishes. It touches no NIC and reads no clock: time comes in as an
 * argument, operations go out one by one, and their results come back. One planner serves one port; the steering thread
 * is its only user.
 *
 *     nb_planner_wish / _gone      news of flows, coalesced: only what is wished when the operation is due counts
 *     nb_planner_next              the next operation, destroys before creates
 *     nb_planner_traffic           which flows are active, for choosing whose rule goes when the table is full
 *     nb_planner_done              what became of it
 *
 * Every call costs amortised constant time, whatever the number of flows; the exceptions are operator actions and
 * resyncs (sweep, pause, resume), which visit every flow once.
 */
#ifndef NETBYPASS_PLANNER_H
#define NETBYPASS_PLANNER_H

#include <netbypass/table.h>

enum nb_policy {
    NB_POLICY_AUTO,  /* a rule only where RSS does not reach the owner */
    NB_POLICY_EXACT, /* besides, a rule for every connection older than exact_after_us, while the table lasts */
};

struct nb_planner_config {
    enum nb_policy policy;
    uint64_t exact_after_us;
    uint32_t reserve;       /* places of a table that only flows which are not at home may use */
    uint32_t spill;         /* places of the engine for moves that connections may use when theirs is full */
    uint64_t idle_after_us; /* a flow at home without a packet for so long gives its rule to one that waits; 0: never */
};

/* How a flow should be served: news of a flow, as the steering thread has it. */
struct nb_wish {
    uint64_t flow;        /* id, unique */
    uint32_t incarnation; /* a wish or an end of an older incarnation than the known one is stale and ignored */
    struct nb_tuple tuple;
    uint16_t queue; /* the owner's */
    uint16_t home_queue;
    uint64_t since_us; /* established since */
};

enum nb_op_kind { NB_OP_CREATE, NB_OP_DESTROY, NB_OP_UPDATE };

/* Carry out in the order given; entry is valid until its nb_planner_done. */
struct nb_op {
    enum nb_op_kind kind;
    struct nb_table_entry *entry; /* rule to create; rule and handle to destroy or to update */
    uint16_t queue;               /* of an update: the new one */
};

/* What the planner knows of a flow. */
struct nb_plan {
    bool installed; /* its rule is in force: method exact. Else rss or software, as its home queue says */
    int64_t rule;   /* id, -1: none */
    enum nb_why why;
    uint64_t settled_us; /* installed: packets whose queue was chosen before the rule are in memory since then */
};

struct nb_planner;

/* profile and table must outlive the planner; the table was made for the profile. NULL when memory is short. */
struct nb_planner *nb_planner_new(const struct nb_profile *profile, struct nb_table *table,
                                  const struct nb_planner_config *config);
void nb_planner_free(struct nb_planner *planner);

/* A flow is new, or its owner or home changed. Returns 0, or -ENOMEM: then the flow stays without a rule. */
int nb_planner_wish(struct nb_planner *planner, const struct nb_wish *wish, uint64_t now_us);

/* A flow ended: its rule goes. Unknown flows are fine. */
void nb_planner_gone(struct nb_planner *planner, uint64_t flow, uint32_t incarnation);

/* What the flow received so far, told now and then: of flows at home, those idle the longest lose their rules first. */
void nb_planner_traffic(struct nb_planner *planner, uint64_t flow, uint64_t packets, uint64_t now_us);

/* Are places so few that it matters who is told by nb_planner_traffic? */
bool nb_planner_scarce(const struct nb_planner *planner);

/* The next operation due at now_us. False: nothing to do before nb_planner_due_us(). */
bool nb_planner_next(struct nb_planner *planner, uint64_t now_us, struct nb_op *op);

/* The operation ended: 0 (with the handle of a created rule) or the backend's negative errno. -ENOSPC: the device is
 * full. -ENOENT on a destroy: the device did not have the rule. */
void nb_planner_done(struct nb_planner *planner, const struct nb_op *op, int result, void *handle, uint64_t now_us);

/* When time alone makes an operation due: 0 now, UINT64_MAX never. */
uint64_t nb_planner_due_us(const struct nb_planner *planner);

/* The plan for a flow; flow, tuple, queue and home_queue of the wish are read. Known to the planner or not. */
struct nb_plan nb_planner_plan(const struct nb_planner *planner, const struct nb_wish *wish);

/* Would a flow with this tuple have a rule, away from home and with room in the table? By the profile alone, which does
 * not change: any thread may ask. */
bool nb_planner_takes(const struct nb_planner *planner, const struct nb_tuple *tuple);

/* Resync after lost news: begin, wish every flow that lives, sweep: flows not wished since are gone. */
void nb_planner_resync_begin(struct nb_planner *planner);
void nb_planner_resync_sweep(struct nb_planner *planner);

/* Take every rule out, and make none until resume. */
void nb_planner_pause(struct nb_planner *planner);
void nb_planner_resume(struct nb_planner *planner, uint64_t now_us);

#endif
