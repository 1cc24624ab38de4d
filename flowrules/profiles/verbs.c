/* verbs.c - RAW_PACKET queue pairs of a ConnectX through libibverbs (nic-facts F).
 *
 * The kernel's driver adds each rule by a firmware command. A rule has one queue pair for life: another one means
 * destroy and create.
 */
#include "profiles.h"

static const struct nb_device_match devices[] = {{"verbs", 0, 0, 0, false}, {0}};

const struct nb_profile nb__profile_verbs = {
    .name = "ConnectX (verbs)",
    .devices = devices,
    .dialect = NB_DIALECT_VERBS,
    .engine =
        {
            {
                .engine = NB_ENGINE_VERBS,
                .purpose = NB_PURPOSE_CONNECTIONS,
                .size =
                    65536, /* Linux: drivers/infiniband/hw/mlx5/fs.c, MLX5_FS_MAX_ENTRIES, or what the firmware has */
                .families = NB_FAMILIES_IPV4 | NB_FAMILIES_IPV6,
                .fields = NB_FIELDS_5_TUPLE | NB_FIELD_VLAN,
                .mask_rule = NB_MASK_BITWISE, /* mlx5; the manual page promises whole or none only */
                .masks = NB_MASKS_FREE,
                .can_drop = true,
                .counts_hits = false,
                .no_hits = "no counter is put on verbs rules",
                .update = NB_UPDATE_DESTROY_CREATE, /* two rules with one match and priority: undefined by the manual */
                .priority_first = 0,
                .priority_last = 7, /* 8 or 16 by firmware; lower wins */
                .latency_us = 200,  /* assumed: a firmware command */
                .queue_last = 1023,
                .quirks = NB_QUIRK_NO_MEMORY_IS_FULL | NB_QUIRK_PREMASK,
            },
        },
    .n_engines = 1,
    .classify_us = 100, /* assumed */
    .rss = {.reta_size = 512, .queue_last = 511, .key_bytes = 40},
};
