/* moves_seeds.h - runs of the moves world from seeds: what a seed makes of it, and many of them one after the other.
 * SIM_SEED=n runs that one alone.
 */
#ifndef SUPPORT_MOVES_SEEDS_H
#define SUPPORT_MOVES_SEEDS_H

#include "moves_world.h"

/* A kind of trouble: how many seeds of it, and where they begin. */
struct world_seeds {
    const struct world_port *port;
    unsigned workers;
    uint64_t n, first;
    void (*shape)(struct world_options *o); /* what is added to what a seed makes; NULL: nothing */
};

/* Run them. *sum is of all; false with sum->why at the first seed that went wrong. */
bool world_run_seeds(const struct world_seeds *seeds, struct world_result *sum);

/* One line about it. */
void world_tell(const struct world_seeds *seeds, const struct world_result *sum);

#endif
