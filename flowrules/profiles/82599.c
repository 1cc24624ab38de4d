/* 82599.c - Intel 82599 under DPDK 22.11's ixgbe driver (nic-facts A, nic-models 4).
 *
 * Two tables take rules for connections. Flow Director: 2046 perfect filters, because the driver always carves 64 KB
 * out of the packet buffer (A.1), IPv4 only, one mask for the whole port (A.2). 5-tuple filters: 128, and they outrank
 * Flow Director, so they are what a move can lay over a rule while it is replaced; they stay free for that.
 */
#include "profiles.h"

static const char *const drivers[] = {"net_ixgbe", NULL};

const struct nb_profile nb__profile_82599 = {
    .name = "82599 (net_ixgbe, DPDK 22.11)",
    .drivers = drivers,
    .engine =
        {
            {
                .engine = NB_ENGINE_FLOW_DIRECTOR,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size = 2046, /* A.1: 2K - 2 */
                .families = NB_FAMILIES_IPV4,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_BITWISE,
                .one_mask = true,
                .can_drop = false, /* A.3: only rules without ports can drop */
                .counts_hits = false,
                .update = NB_UPDATE_DESTROY_CREATE,
                .priority_first = 0,
                .priority_last = 0,
                .queue_last = 127,
                .quirks = NB_QUIRK_NEEDS_MARK | NB_QUIRK_PREMASK | NB_QUIRK_SILENT_FULL | NB_QUIRK_RESTART_LOSES_MASK |
                          NB_QUIRK_PRESET_ERRNO | NB_QUIRK_NO_PROTOCOL_MASK | NB_QUIRK_NO_FLUSH,
            },
            {
                .engine = NB_ENGINE_FIVE_TUPLE,
                .purpose = NB_PURPOSE_MOVES,
                .size = 128, /* A.4: IXGBE_MAX_FTQF_FILTERS */
                .families = NB_FAMILIES_IPV4,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_ALL_OR_NOTHING,
                .one_mask = false,
                .can_drop = false,
                .counts_hits = false,
                .update = NB_UPDATE_DESTROY_CREATE,
                .priority_first = 1, /* A.4: 0 and more than 7 become 1 */
                .priority_last = 7,
                .queue_last = 127,
                .quirks = NB_QUIRK_PRESET_ERRNO | NB_QUIRK_NO_FLUSH,
            },
        },
    .n_engines = 2,
    .mark_first = 1, /* A.3: 15 bits; filters are erased by bucket and mark, so each needs its own */
    .mark_last = 0x7fff,
    .rss = {.reta_size = 128, .queue_last = 15, .key_bytes = 40}, /* A.6: RETA entries have four bits */
};
