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
    X(EVICTED, "its place went to a flow that is not at home")                                                         \
    X(IDLE, "idle: its place went to a busier flow")                                                                   \
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
    X(NO_SHORT_MATCH, "not supported by the port: every field must be matched")                                        \
    X(NO_ACTION, "not supported by the port: no such action")                                                          \
    X(NO_QUEUE, "not supported by the port: queue out of reach")                                                       \
    X(NO_GROUP, "not supported by the port: no such group of queues")
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
    NB_MASK_EVERY_FIELD,    /* every field that there is, whole: the table is made for that */
};

/* Which rules of a table must have the same masks. */
enum nb_mask_sharing {
    NB_MASKS_FREE,     /* none */
    NB_MASKS_PER_TYPE, /* those of one family and protocol; and a family's rules with and without one exclude each other
                        */
    NB_MASKS_ONE,      /* all */
};

/* How a rule gets another queue. */
enum nb_update {
    NB_UPDATE_DESTROY_CREATE, /* with a gap in which packets fall to RSS */
    NB_UPDATE_COVERED,        /* the same, under a rule of the engine for moves, which outranks this one */
    NB_UPDATE_SHADOWED,       /* create the new beside the old, then destroy the old, which hides it until then */
    NB_UPDATE_IN_PLACE,       /* one operation */
};

enum nb_purpose {
    NB_PURPOSE_CONNECTIONS, /* one rule per connection */
    NB_PURPOSE_MOVES,       /* kept for rules that live for the length of a move */
    NB_PURPOSE_MASKS,       /* for rules with partial masks, which the engine for connections cannot have */
};

/* Traps of hardware and drivers. PREMASK, PRESET_ERRNO, NO_FLUSH and ANY_ERROR need no code that reads them,
 * because every device is treated as if it had them; nor do RESTART_LOSES_MASK and STOP_DROPS_RULES, because rules go
 * before any port stops. They are in the rows since that is where a reader looks for what a device is like. */
enum nb_quirk {
    NB_QUIRK_NEEDS_MARK = 1 << 0,         /* a rule without MARK goes to another engine, or deletes the wrong filter */
    NB_QUIRK_PREMASK = 1 << 1,            /* the driver programs values as given: mask them first */
    NB_QUIRK_SILENT_FULL = 1 << 2,        /* create succeeds on a full table: count, and ask the statistics */
    NB_QUIRK_RESTART_LOSES_MASK = 1 << 3, /* destroy every rule before the port stops, create them again after start */
    NB_QUIRK_PRESET_ERRNO = 1 << 4,       /* reject paths return rte_errno without setting it */
    NB_QUIRK_NO_PROTOCOL_MASK = 1 << 5,   /* protocol comes from the TCP or UDP item, its IP mask must be 0 */
    NB_QUIRK_NO_FLUSH = 1 << 6,           /* flush keeps the mask and frees other ports' rules: destroy one by one */
    NB_QUIRK_NO_MEMORY_IS_FULL = 1 << 7,  /* a full table is reported as lack of memory */
    NB_QUIRK_ANY_ERROR = 1 << 8,          /* every failure is EINVAL: the reason must be found out, not read */
    NB_QUIRK_STOP_DROPS_RULES = 1 << 9,   /* stopping the port removes every rule, and handles dangle */
    NB_QUIRK_SAYS_IN_WORDS = 1 << 10,     /* what EINVAL means is in the error's message only */
    NB_QUIRK_REGIONS = 1 << 11,           /* a group has 2, 4, 8 ... queues and hashes as the port does */
};

struct nb_engine_profile {
    enum nb_engine engine;
    enum nb_purpose purpose;
    uint32_t size;    /* rules */
    uint8_t families; /* enum nb_families */
    uint8_t fields;   /* enum nb_field */
    enum nb_mask_rule mask_rule;
    enum nb_mask_sharing masks;
    bool can_drop;
    bool counts_hits;    /* per rule, and the driver can be asked */
    const char *no_hits; /* else why not */
    enum nb_update update;
    uint32_t priority_first, priority_last; /* as the driver takes them */
    uint32_t group;                         /* rte_flow's */
    uint32_t latency_us;                    /* what one operation usually takes, and the steering thread waits */
    uint32_t queue_last;                    /* highest queue a rule can name */
    uint16_t group_max;                     /* queues in a group that a rule can name; 0: none such */
    uint32_t quirks;                        /* enum nb_quirk */
};

#define NB_PROFILE_ENGINES 4

/* Through what rules reach the NIC: which backend. */
enum nb_dialect {
    NB_DIALECT_NONE,
    NB_DIALECT_RTE_FLOW,
    NB_DIALECT_RTE_FLOW_ASYNC,
    NB_DIALECT_ETHTOOL,
    NB_DIALECT_VERBS
};

/* What a device says of itself. 0: it does not say. */
struct nb_device {
    const char *driver; /* "net_ixgbe" under DPDK, "ixgbe" in the kernel, "verbs" for rules through libibverbs */
    uint16_t vendor_id, device_id;
    uint16_t reta_size;
    uint16_t queues;     /* receive queues in use */
    bool templates;      /* rules go through rte_flow's template calls (and no others) */
    uint32_t table_size; /* rules that its table for connections holds */
    char interface[16];  /* the kernel's, of a port that DPDK shares with it (AF_XDP): rules go through ethtool */
};

/* A kind of device; 0: any. The first match in the list of profiles counts. */
struct nb_device_match {
    const char *driver; /* NULL ends a list */
    uint16_t vendor_id, device_id;
    uint16_t reta_size;
    bool templates; /* only a device that says so of itself */
};

struct nb_profile {
    const char *name; /* as shown: NIC, driver, release */
    const struct nb_device_match *devices;
    enum nb_dialect dialect;
    struct nb_engine_profile engine[NB_PROFILE_ENGINES];
    unsigned n_engines;
    uint32_t mark_first, mark_last; /* marks a rule may carry, unique per port; 0, 0: none */
    uint32_t classify_us;           /* a packet is in memory at the latest so long after its queue was chosen */
    struct {
        uint16_t reta_size;  /* 0: no RSS */
        uint16_t queue_last; /* highest queue RSS reaches */
        uint8_t key_bytes;
    } rss;
};

/* All profiles, `none` last; NULL past the end. */
const struct nb_profile *nb_profile_at(unsigned index);

/* The profile for what is known of a device; `none` where no profile is meant for it, never NULL. */
const struct nb_profile *nb_profile_for_device(const struct nb_device *device);

/* The same where only the driver's name is known. */
const struct nb_profile *nb_profile_for_driver(const char *driver);

/* A profile of one's own for this device: its kind's, with what the device itself says in place of what we assume. */
void nb_profile_probe(const struct nb_device *device, struct nb_profile *profile);

/* What DPDK says of a port, for nb_profile_probe. driver stays the caller's. */
void nb_device_of_port(uint16_t port_id, const char *driver, struct nb_device *device);

/* Can this engine hold such a rule? NB_WHY_PENDING when it can, else the reason. */
enum nb_why nb_engine_accepts(const struct nb_engine_profile *engine, const struct nb_rule *rule);

/* The first engine of that purpose that could hold the rule, or NULL and the reason. */
const struct nb_engine_profile *nb_profile_engine_for(const struct nb_profile *profile, enum nb_purpose purpose,
                                                      const struct nb_rule *rule, enum nb_why *why);

#endif
