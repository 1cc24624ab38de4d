/* random.h - the simulator's random numbers: small, fast, the same on every machine for one seed (SplitMix64). */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 to n - 1, n at most 2^32: the product's high half, whose bias is below 2^-32. */
static inline uint32_t sim_random_below(struct sim_random *r, uint32_t n)
{
    return (sim_random_next(r) >> 32) * n >> 32;
}

#endif
