/* moves_seeds.c - see moves_seeds.h. */
#include <stdio.h>
#include <stdlib.h>

#include "moves_seeds.h"
#include "random.h"

#define OF_A_KIND 1000000 /* seeds at most: the number of a seed tells its kind */

static struct world_options options_for(uint64_t seed)
{
    uint64_t state = rng_mix(seed);

    return (struct world_options){
        .seed = seed,
        .conns = RNG_PICK(&state, 1, 2, 5, 12),
        .bytes_max = RNG_PICK(&state, 300, 20000, 100000, 300000),
        .moves_permille = RNG_PICK(&state, 20, 100, 500, 900),
        .asleep_permille = RNG_PICK(&state, 0, 0, 10, 50),
        .asleep_us = RNG_PICK(&state, 50, 300, 1500),
        .rx_write_us = RNG_PICK(&state, 0, 5, 100, 800),
        .link_us = RNG_PICK(&state, 5, 50, 500),
        .frame_ns = RNG_PICK(&state, 0, 0, 12310),
        .tx_ring = RNG_PICK(&state, 64, 64, 16),
        .hold_permille = RNG_PICK(&state, 0, 100, 600),
        .pin_permille = RNG_PICK(&state, 0, 0, 50),
    };
}

static void add(struct world_result *sum, const struct world_result *r)
{
    sum->moves += r->moves;
    sum->refused += r->refused;
    sum->tables += r->tables;
    sum->restarts += r->restarts;
    sum->half_open += r->half_open;
    sum->granted += r->granted;
    sum->reused += r->reused;
    sum->forwarded += r->forwarded;
    sum->parked += r->parked;
    sum->reordered += r->reordered;
    sum->ruled += r->ruled;
    sum->returned = r->returned;
    sum->trace = rng_mix(sum->trace ^ r->trace);
    if (r->longest_us > sum->longest_us)
        sum->longest_us = r->longest_us;
}

/* In one world. */
static bool run_some(const struct world_seeds *seeds, uint64_t first, uint64_t n, struct world_result *sum)
{
    struct world *w = world_new(seeds->workers, seeds->port);
    bool well = true;

    for (uint64_t seed = first; well && seed < first + n; seed++) {
        struct world_options o = options_for(seed);
        struct world_result r;

        if (seeds->shape)
            seeds->shape(&o);
        well = world_run(w, &o, &r);
        if (well)
            add(sum, &r);
        else
            *sum = r;
    }
    if (well) /* else it is not fit for that */
        world_free(w);
    return well;
}

bool world_run_seeds(const struct world_seeds *seeds, struct world_result *sum)
{
    const char *only = getenv("SIM_SEED");
    uint64_t n = seeds->n, first = seeds->first;
    bool well = true;

    *sum = (struct world_result){0};
    if (only) {
        first = (uint64_t)atoll(only);
        n = first >= seeds->first && first < seeds->first + OF_A_KIND;
    }
    for (uint64_t i = 0; well && i < n; i += WORLD_RUNS)
        well = run_some(seeds, first + i, n - i < WORLD_RUNS ? n - i : WORLD_RUNS, sum);
    return well;
}

void world_tell(const struct world_seeds *seeds, const struct world_result *sum)
{
    unsigned asked = sum->moves + sum->refused;

    printf("%u workers: %u moves (%u%% of those asked for), %u tables, %u restarts, longest %llu us; forwarded %llu, "
           "parked %llu, by rule %llu, lost 0, reordered %llu\n",
           seeds->workers, sum->moves, asked ? 100 * sum->moves / asked : 0, sum->tables, sum->restarts,
           (unsigned long long)sum->longest_us, (unsigned long long)sum->forwarded, (unsigned long long)sum->parked,
           (unsigned long long)sum->ruled, (unsigned long long)sum->reordered);
    printf("  half-open flows: %u moves; opened by the server: %u, over old tuples: %u; buffers returned: %llu\n",
           sum->half_open, sum->granted, sum->reused, (unsigned long long)sum->returned);
    fflush(stdout);
}
