/* ixgbe.c - Intel 82599, X540 and X550 under DPDK 22.11's ixgbe driver (nic-facts A, nic-models 4).
 *
 * Two tables take rules for connections. Flow Director: 2046 perfect filters, because the driver always carves 64 KB
 * out of the packet buffer (A.1), IPv4 only, one mask for the whole port (A.2). 5-tuple filters: 128, and they outrank
 * Flow Director, so they are what a move can lay over a rule while it is replaced; they stay free for that.
 *
 * One driver serves three generations, so its name alone does not tell them apart: PCI ids do, and the RETA's size
 * where they are not known. X540 and X550 have the driver's limits in common with the 82599; what differs was read in
 * the driver and not tried on such a NIC.
 */
#include "profiles.h"

#define FLOW_DIRECTOR(drop)                                                                                            \
    {                                                                                                                  \
        .engine = NB_ENGINE_FLOW_DIRECTOR, .purpose = NB_PURPOSE_CONNECTIONS, .size = 2046, /* A.1: 2K - 2 */          \
            .families = NB_FAMILIES_IPV4, .fields = NB_FIELDS_5_TUPLE, .mask_rule = NB_MASK_BITWISE,                   \
        .masks = NB_MASKS_ONE, .can_drop = (drop), .counts_hits = false,                                               \
        .no_hits = "the driver has no counters of rules", .update = NB_UPDATE_COVERED,                                 \
        .latency_us = 20, /* assumed: a dozen registers, and one or two polls of FDIRCMD, 10 us apart (A.5) */         \
            .queue_last = 127,                                                                                         \
        .quirks = NB_QUIRK_NEEDS_MARK | NB_QUIRK_PREMASK | NB_QUIRK_SILENT_FULL | NB_QUIRK_RESTART_LOSES_MASK |        \
                  NB_QUIRK_PRESET_ERRNO | NB_QUIRK_NO_PROTOCOL_MASK | NB_QUIRK_NO_FLUSH,                               \
    }

#define FIVE_TUPLE                                                                                                     \
    {                                                                                                                  \
        .engine = NB_ENGINE_FIVE_TUPLE, .purpose = NB_PURPOSE_MOVES, .size = 128, /* A.4: IXGBE_MAX_FTQF_FILTERS */    \
            .families = NB_FAMILIES_IPV4, .fields = NB_FIELDS_5_TUPLE, .mask_rule = NB_MASK_ALL_OR_NOTHING,            \
        .masks = NB_MASKS_FREE, .can_drop = false, .counts_hits = false,                                               \
        .no_hits = "the driver has no counters of rules", .update = NB_UPDATE_DESTROY_CREATE,                          \
        .priority_first = 1, /* A.4: 0 and more than 7 become 1 */                                                     \
            .priority_last = 7, .latency_us = 10, .queue_last = 127,                                                   \
        .quirks = NB_QUIRK_PRESET_ERRNO | NB_QUIRK_NO_FLUSH,                                                           \
    }

#define MARK_FIRST  1 /* A.3: 15 bits; filters are erased by bucket and mark, so each needs its own */
#define MARK_LAST   0x7fff
#define CLASSIFY_US 100 /* assumed: a 512 KB packet buffer drains in 420 us at 10 Gb/s, 1/4 of it is one queue's */

static const struct nb_device_match is_82599[] = {
    {"net_ixgbe", INTEL, 0x10f7, 0, false}, /* KX4 */
    {"net_ixgbe", INTEL, 0x1507, 0, false}, /* SFP+, embedded */
    {"net_ixgbe", INTEL, 0x10f8, 0, false}, /* combined backplane */
    {"net_ixgbe", INTEL, 0x10f9, 0, false}, /* CX4 */
    {"net_ixgbe", INTEL, 0x10fb, 0, false}, /* SFI/SFP+ */
    {"net_ixgbe", INTEL, 0x10fc, 0, false}, /* XAUI */
    {"net_ixgbe", INTEL, 0x1514, 0, false}, /* KX4, mezzanine */
    {"net_ixgbe", INTEL, 0x1517, 0, false}, /* KR */
    {"net_ixgbe", INTEL, 0x151c, 0, false}, /* 10GBASE-T */
    {"net_ixgbe", INTEL, 0x1529, 0, false}, /* FCoE backplane */
    {"net_ixgbe", INTEL, 0x152a, 0, false}, /* FCoE SFP+ */
    {"net_ixgbe", INTEL, 0x154a, 0, false}, /* four ports */
    {"net_ixgbe", INTEL, 0x154d, 0, false}, /* SFP+, second edition */
    {"net_ixgbe", INTEL, 0x1557, 0, false}, /* EN, SFP+ */
    {"net_ixgbe", INTEL, 0x1558, 0, false}, /* QSFP+ */
    {0},
};

const struct nb_profile nb__profile_82599 = {
    .name = "82599 (net_ixgbe, DPDK 22.11)",
    .devices = is_82599,
    .dialect = NB_DIALECT_RTE_FLOW,
    .engine = {FLOW_DIRECTOR(false) /* A.3: only rules without ports can drop */, FIVE_TUPLE},
    .n_engines = 2,
    .mark_first = MARK_FIRST,
    .mark_last = MARK_LAST,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 128, .queue_last = 15, .key_bytes = 40}, /* A.6: RETA entries have four bits */
};

static const struct nb_device_match is_x550[] = {
    {"net_ixgbe", INTEL, 0x1563, 0, false},
    {"net_ixgbe", INTEL, 0x15d1, 0, false}, /* X550T */
    {"net_ixgbe", 0, 0, 512, false},        /* A.6: nobody else has so large a RETA */
    {0},
};

const struct nb_profile nb__profile_x550 = {
    .name = "X550 (net_ixgbe, DPDK 22.11)",
    .devices = is_x550,
    .dialect = NB_DIALECT_RTE_FLOW,
    .engine = {FLOW_DIRECTOR(true), FIVE_TUPLE},
    .n_engines = 2,
    .mark_first = MARK_FIRST,
    .mark_last = MARK_LAST,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 512, .queue_last = 63, .key_bytes = 40},
};

static const struct nb_device_match is_x540[] = {
    {"net_ixgbe", INTEL, 0x1528, 0, false},
    {"net_ixgbe", INTEL, 0x1560, 0, false},
    {0},
};

const struct nb_profile nb__profile_x540 = {
    .name = "X540 (net_ixgbe, DPDK 22.11)",
    .devices = is_x540,
    .dialect = NB_DIALECT_RTE_FLOW,
    .engine = {FLOW_DIRECTOR(true), FIVE_TUPLE},
    .n_engines = 2,
    .mark_first = MARK_FIRST,
    .mark_last = MARK_LAST,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 128, .queue_last = 15, .key_bytes = 40},
};
