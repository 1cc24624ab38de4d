/* kernel.c - NICs that the kernel owns, steered through ethtool's n-tuple rules (nic-facts E, B.7).
 *
 * We name the location of every rule, because none of these drivers chooses one. Adding a rule at a taken location
 * replaces it in ixgbe and mlx5: that is their update in place. The kernel's own accelerated RFS takes filters from
 * the same tables, so a share of them is left to it (nb_ethtool_probe).
 */
#include "profiles.h"

#define SYSTEM_CALL_US 20  /* assumed: an ioctl that waits for the NIC as ixgbe does */
#define CLASSIFY_US    100 /* assumed */

static const struct nb_device_match ixgbe[] = {{"ixgbe", 0, 0, 0, false}, {0}};

const struct nb_profile nb__profile_kernel_ixgbe = {
    .name = "82599/X540/X550 (kernel ixgbe, ethtool)",
    .devices = ixgbe,
    .dialect = NB_DIALECT_ETHTOOL,
    .engine =
        {
            {
                .engine = NB_ENGINE_NTUPLE,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size = 2046,
                .families = NB_FAMILIES_IPV4,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_BITWISE,
                .masks = NB_MASKS_ONE,
                .can_drop = true,
                .counts_hits = false,
                .no_hits = "ethtool has no counters of rules",
                .update = NB_UPDATE_IN_PLACE,
                .latency_us = SYSTEM_CALL_US,
                .queue_last = 63,
                .quirks = NB_QUIRK_ANY_ERROR | NB_QUIRK_PREMASK,
            },
        },
    .n_engines = 1,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 128, .queue_last = 15, .key_bytes = 40},
};

static const struct nb_device_match ice[] = {{"ice", 0, 0, 0, false}, {0}};

const struct nb_profile nb__profile_kernel_ice = {
    .name = "E810 (kernel ice, ethtool)",
    .devices = ice,
    .dialect = NB_DIALECT_ETHTOOL,
    .engine =
        {
            {
                .engine = NB_ENGINE_NTUPLE,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size = 14848, /* ETHTOOL_GRXCLSRLCNT says how many it really is */
                .families = NB_FAMILIES_IPV4 | NB_FAMILIES_IPV6,
                .fields = NB_FIELDS_5_TUPLE,
                .mask_rule = NB_MASK_ALL_OR_NOTHING,
                .masks = NB_MASKS_PER_TYPE,
                .can_drop = true,
                .counts_hits = false,
                .no_hits = "ethtool has no counters of rules",
                .update = NB_UPDATE_DESTROY_CREATE, /* B.7: a second rule with this match is EINVAL */
                .latency_us = 1000,                 /* assumed, as under DPDK */
                .queue_last = 255,
                .quirks = NB_QUIRK_PREMASK,
            },
        },
    .n_engines = 1,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 512, .queue_last = 255, .key_bytes = 52},
};

static const struct nb_device_match mlx5[] = {{"mlx5_core", 0, 0, 0, false}, {0}};

const struct nb_profile nb__profile_kernel_mlx5 = {
    .name = "ConnectX (kernel mlx5, ethtool)",
    .devices = mlx5,
    .dialect = NB_DIALECT_ETHTOOL,
    .engine =
        {
            {
                .engine = NB_ENGINE_NTUPLE,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size = 1024, /* E: locations from 1024 on are refused */
                .families = NB_FAMILIES_IPV4 | NB_FAMILIES_IPV6,
                .fields = NB_FIELDS_5_TUPLE | NB_FIELD_VLAN,
                .mask_rule = NB_MASK_BITWISE,
                .masks = NB_MASKS_FREE,
                .can_drop = true,
                .counts_hits = false,
                .no_hits = "ethtool has no counters of rules",
                .update = NB_UPDATE_IN_PLACE,
                .latency_us = 200, /* assumed: a firmware command */
                .queue_last = 1023,
                .quirks = NB_QUIRK_PREMASK,
            },
        },
    .n_engines = 1,
    .classify_us = CLASSIFY_US,
    .rss = {.reta_size = 256, .queue_last = 255, .key_bytes = 40},
};
