/* none.c - ports whose drivers have no filters that we can use: every flow goes by rss, or by software. */
#include "profiles.h"

static const char *const drivers[] = {"net_ring", "net_memif", "net_tap", "net_af_packet",
                                      "net_pcap", "net_null",  NULL};

const struct nb_profile nb__profile_none = {
    .name = "none (no filters)",
    .drivers = drivers,
};
