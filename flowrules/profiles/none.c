/* none.c - ports whose drivers have no filters that we can use: every flow goes by rss, or by software. */
#include "profiles.h"

static const struct nb_device_match devices[] = {
    {"net_ring", 0, 0, 0, false},
    {"net_memif", 0, 0, 0, false},
    {"net_tap", 0, 0, 0, false},
    {"net_af_packet", 0, 0, 0, false},
    {"net_pcap", 0, 0, 0, false},
    {"net_null", 0, 0, 0, false},
    {0},
};

const struct nb_profile nb__profile_none = {
    .name = "none (no filters)",
    .devices = devices,
};
