/* ice.c - Intel E810 under DPDK 22.11's ice driver (nic-facts B).
 *
 * Flow Director takes a rule per connection when the rule carries a MARK; without one the driver puts it into the
 * switch (B.2). All rules of one flow type share their set of fields, and the masks are whole or none (B.3). The switch
 * takes masked ports, one recipe per set of masks, 64 recipes for the whole device (B.4).
 */
#include "profiles.h"

static const struct nb_device_match devices[] = {{"net_ice", 0, 0, 0, false}, {0}};

const struct nb_profile nb__profile_e810 = {
    .name = "E810 (net_ice, DPDK 22.11)",
    .devices = devices,
    .dialect = NB_DIALECT_RTE_FLOW,
    .engine =
        {
            {
                .engine = NB_ENGINE_FLOW_DIRECTOR,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size =
                    14848, /* B.1: 14K shared by the device and 512 of the port's own; the NIC says when it is full */
                .families = NB_FAMILIES_IPV4 | NB_FAMILIES_IPV6,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_ALL_OR_NOTHING,
                .masks = NB_MASKS_PER_TYPE,
                .can_drop = true,
                .counts_hits = false,
                .no_hits = "256 counters for thousands of rules", /* a COUNT action takes one of 256 counters (B.1): not
                                                                     spent on connections */
                .update = NB_UPDATE_DESTROY_CREATE,               /* B.2: a second rule with this match is refused */
                .priority_first = 0,
                .priority_last = 0,
                .latency_us = 1000, /* assumed; polled every microsecond, 10 ms at the longest (ICE_FDIR_MAX_WAIT_US) */
                .queue_last = 255,
                .group_max = NB_RULE_GROUP_MAX, /* B.3 */
                .quirks = NB_QUIRK_SAYS_IN_WORDS | NB_QUIRK_REGIONS | NB_QUIRK_NEEDS_MARK | NB_QUIRK_PRESET_ERRNO |
                          NB_QUIRK_NO_PROTOCOL_MASK | NB_QUIRK_PREMASK,
            },
            {
                .engine = NB_ENGINE_SWITCH,
                .purpose = NB_PURPOSE_MASKS,
                .size = 512, /* assumed: not exposed (B.4); it scales poorly, so no more are asked for */
                .families = NB_FAMILIES_IPV4 | NB_FAMILIES_IPV6,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_BITWISE,
                .masks = NB_MASKS_FREE,
                .can_drop = true,
                .counts_hits = false,
                .no_hits = "the switch has no counters of rules",
                .update = NB_UPDATE_DESTROY_CREATE,
                .priority_first = 0,
                .priority_last = 1,
                .latency_us = 5000, /* assumed: an AdminQ command */
                .queue_last = 255,
                .group_max = NB_RULE_GROUP_MAX, /* B.2 */
                .quirks = NB_QUIRK_PRESET_ERRNO | NB_QUIRK_PREMASK | NB_QUIRK_REGIONS,
            },
        },
    .n_engines = 2,
    .mark_first = 1,
    .mark_last = 0xffffff, /* 32 bits, of which no more are needed */
    .classify_us = 100,    /* assumed */
    .rss = {.reta_size = 512, .queue_last = 255, .key_bytes = 52},
};
