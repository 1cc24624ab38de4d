/* profile.h - what a NIC can do with rules, as data: one table per NIC and driver release.
 *
 * The planner and the backends read rows, they have no branch per NIC. Where a row records a trap of hardware or driver
 * its comment says which fact it is (reference: nic-facts).
 */
#ifndef NETBYPASS_PROFILE_H
#define NETBYPASS_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/rule.h>

/* Why a flow is steered as it is, or why it has no rule; a rule's entry says why it is there. */
#define NB_WHY_LIST(X)                                                                                                 \
    X(HOME, "home queue")                                                                                              \
    X(NOT_HOME, "owner is not home")                                                                                   \
    X(POLICY_EXACT, "policy exact")                                                                                    \
    X(YOUNG, "younger than exact_after")                                                                               \
    X(PENDING, "rule on its way")                                                                                      \
    X(UNKNOWN, "not reported to steering yet")                                                                         \
    X(TABLE_FULL, "table full")                                                                                        \
    X(RESERVED, "the rest of the table is reserved")                                                                   \
    X(OTHER_MASK, "the table holds rules with another mask")                                                           \
    X(MATCH_TAKEN, "another flow's rule has this match")                                                               \
    X(DUPLICATE, "the driver has a rule with this match already")                                                      \
    X(TIMED_OUT, "the NIC did not complete the command")                                                               \
    X(REFUSED, "refused by the driver")                                                                                \
    X(FLUSHED, "rules were flushed")                                                                                   \
    X(NO_ENGINE, "not supported by the port: it has no filters")                                                       \
    X(NO_IPV4, "not supported by the port: no IPv4 filters")                                                           \
    X(NO_IPV6, "not supported by the port: no IPv6 filters")                                                           \
    X(NO_FIELD, "not supported by the port: no filter on this field")                                                  \
    X(NO_PARTIAL_MASK, "not supported by the port: masks are all or nothing")                                          \
    X(NO_ACTION, "not supported by the port: no such action")                                                          \
    X(NO_QUEUE, "not supported by the port: queue out of reach")
#define NB_WHY_ENUM(id, text) NB_WHY_##id,
enum nb_why { NB_WHY_LIST(NB_WHY_ENUM) NB_WHY_COUNT };
#undef NB_WHY_ENUM

const char *nb_why_text(enum nb_why why);

enum nb_field {
    NB_FIELD_SRC = 1 << 0,
    NB_FIELD_DST = 1 << 1,
    NB_FIELD_SRC_PORT = 1 << 2,
    NB_FIELD_DST_PORT = 1 << 3,
    NB_FIELD_PROTOCOL = 1 << 4,
    NB_FIELD_VLAN = 1 << 5,
};
#define NB_FIELDS_5_TUPLE (NB_FIELD_SRC | NB_FIELD_DST | NB_FIELD_SRC_PORT | NB_FIELD_DST_PORT | NB_FIELD_PROTOCOL)

enum nb_families { NB_FAMILIES_IPV4 = 1 << 0, NB_FAMILIES_IPV6 = 1 << 1 };

enum nb_mask_rule {
    NB_MASK_ALL_OR_NOTHING, /* a field counts whole or not at all */
    NB_MASK_BITWISE,        /* any bits */
};

/* How a rule gets another queue. */
enum nb_update {
    NB_UPDATE_DESTROY_CREATE, /* with a gap in which packets fall to RSS */
    NB_UPDATE_SHADOWED,       /* create the new beside the old, then destroy the old */
    NB_UPDATE_IN_PLACE,
};

enum nb_purpose {
    NB_PURPOSE_CONNECTIONS, /* one rule per connection */
    NB_PURPOSE_MOVES,       /* kept for rules that live for the length of a move */
};

enum nb_quirk {
    NB_QUIRK_NEEDS_MARK = 1 << 0,         /* a rule without MARK goes to another engine, or deletes the wrong filter */
    NB_QUIRK_PREMASK = 1 << 1,            /* the driver programs values as given: mask them first */
    NB_QUIRK_SILENT_FULL = 1 << 2,        /* create succeeds on a full table: count, and ask the statistics */
    NB_QUIRK_RESTART_LOSES_MASK = 1 << 3, /* destroy every rule before the port stops, create them again after start */
    NB_QUIRK_PRESET_ERRNO = 1 << 4,       /* reject paths return rte_errno without setting it */
    NB_QUIRK_NO_PROTOCOL_MASK = 1 << 5,   /* protocol comes from the TCP or UDP item, its IP mask must be 0 */
    NB_QUIRK_NO_FLUSH = 1 << 6,           /* flush keeps the mask and frees other ports' rules: destroy one by one */
};

struct nb_engine_profile {
    enum nb_engine engine;
    enum nb_purpose purpose;
    uint32_t size;    /* rules */
    uint8_t families; /* enum nb_families */
    uint8_t fields;   /* enum nb_field */
    enum nb_mask_rule mask_rule;
    bool one_mask; /* all rules of the table share one set of masks */
    bool can_drop;
    bool counts_hits;
    enum nb_update update;
    uint32_t priority_first, priority_last; /* as the driver takes them */
    uint32_t queue_last;                    /* highest queue a rule can name */
    uint32_t quirks;                        /* enum nb_quirk */
};

#define NB_PROFILE_ENGINES 4

struct nb_profile {
    const char *name;           /* as shown: NIC, driver, release */
    const char *const *drivers; /* names of DPDK drivers, NULL at the end */
    struct nb_engine_profile engine[NB_PROFILE_ENGINES];
    unsigned n_engines;
    uint32_t mark_first, mark_last; /* marks a rule may carry, unique per port; 0, 0: none */
    struct {
        uint16_t reta_size;  /* 0: no RSS */
        uint16_t queue_last; /* highest queue RSS reaches */
        uint8_t key_bytes;
    } rss;
};

/* The profile of a DPDK driver by name; `none` for drivers without one, never NULL. */
const struct nb_profile *nb_profile_for_driver(const char *driver);

/* Can this engine hold such a rule? NB_WHY_PENDING when it can, else the reason. */
enum nb_why nb_engine_accepts(const struct nb_engine_profile *engine, const struct nb_rule *rule);

/* The first engine of that purpose that could hold the rule, or NULL and the reason. */
const struct nb_engine_profile *nb_profile_engine_for(const struct nb_profile *profile, enum nb_purpose purpose,
                                                      const struct nb_rule *rule, enum nb_why *why);

#endif
