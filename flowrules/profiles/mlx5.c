/* mlx5.c - NVIDIA ConnectX-5 and later under DPDK 22.11's mlx5 driver (nic-facts C).
 *
 * Rules go to group 1, which the driver itself programs; group 0 is the firmware's and slow, and a second rule with one
 * match may send packets twice there. In group 1 a second rule with one match is hidden until the first is destroyed:
 * that is how a rule gets another queue without a gap. Masks are free, hits are counted.
 *
 * With dv_flow_en=2 (hardware steering, ConnectX-6 Dx and later) 22.11 takes rules through rte_flow's template calls
 * only. Such a port says so of itself, by answering rte_flow_info_get, and has a profile of its own: a table of fixed
 * size, made for whole 5-tuples over IPv4 ("IPv6 5-tuple matching not supported", "partial match with item template not
 * supported": DPDK's mlx5.rst), and nothing promised for a second rule with one match.
 */
#include "profiles.h"

#define RULES_MAX     4194304 /* C: "millions", no limit is exposed; ENOMEM says when it is full */
#define PRIORITY_LAST 21843   /* C: mlx5_get_lowest_priority, groups from 1 */
#define CLASSIFY_US   100     /* assumed */

static const struct nb_device_match devices[] = {{"mlx5_pci", 0, 0, 0, false}, {"net_mlx5", 0, 0, 0, false}, {0}};

const struct nb_profile nb__profile_connectx = {
    .name = "ConnectX-5/6/7 (mlx5, DPDK 22.11)",
    .devices = devices,
    .dialect = NB_DIALECT_RTE_FLOW,
    .engine =
        {
            {
                .engine = NB_ENGINE_STEERING,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size = RULES_MAX,
                .families = NB_FAMILIES_IPV4 | NB_FAMILIES_IPV6,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_BITWISE,
                .masks = NB_MASKS_FREE,
                .can_drop = true,
                .counts_hits = true,
                .update = NB_UPDATE_SHADOWED,
                .priority_first = 0,
                .priority_last = PRIORITY_LAST,
                .group = 1,
                .latency_us = 10, /* assumed; mlx5.rst claims more than a million a second with Direct Rules */
                .queue_last = 1023,
                .group_max = NB_RULE_GROUP_MAX, /* C: it takes 512, a rule's text names no more */
                .quirks = NB_QUIRK_PRESET_ERRNO | NB_QUIRK_NO_MEMORY_IS_FULL | NB_QUIRK_STOP_DROPS_RULES,
            },
        },
    .n_engines = 1,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 512, .queue_last = 511, .key_bytes = 40},
};

#define TEMPLATE_RULES 65536 /* ours to choose: the NIC takes memory for all of them when the table is made */

static const struct nb_device_match with_templates[] = {
    {"mlx5_pci", .templates = true},
    {"net_mlx5", .templates = true},
    {0},
};

const struct nb_profile nb__profile_connectx_hws = {
    .name = "ConnectX-6 Dx/7 (mlx5 dv_flow_en=2, DPDK 22.11)",
    .devices = with_templates,
    .dialect = NB_DIALECT_RTE_FLOW_ASYNC,
    .engine =
        {
            {
                .engine = NB_ENGINE_STEERING,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size = TEMPLATE_RULES,
                .families = NB_FAMILIES_IPV4,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_EVERY_FIELD,
                .masks = NB_MASKS_FREE,
                .can_drop = true,
                .counts_hits = true,
                .update = NB_UPDATE_DESTROY_CREATE, /* rte_flow_actions_update came with 23.07 (D) */
                .group = 1,
                .latency_us = 10, /* assumed: a push, and the completion of one rule */
                .queue_last = 1023,
                .quirks = NB_QUIRK_PRESET_ERRNO | NB_QUIRK_NO_MEMORY_IS_FULL | NB_QUIRK_STOP_DROPS_RULES |
                          NB_QUIRK_NO_PROTOCOL_MASK,
            },
        },
    .n_engines = 1,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 512, .queue_last = 511, .key_bytes = 40},
};
