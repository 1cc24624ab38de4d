/* random.h - a seeded generator for property tests: same seed, same test. */
#ifndef NB_TESTS_RANDOM_H
#define NB_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rng {
    uint64_t state;
};

#define RNG_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t rng_mix(uint64_t x) /* splitmix64, of which this is a step */
{
    x += RNG_STEP;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t x = rng_mix(r->state);
    r->state += RNG_STEP;
    return x;
}

/* One of these, by what a seed was mixed to so far. */
static inline uint32_t rng_pick(uint64_t *mixed, const uint32_t *of, unsigned n)
{
    *mixed = rng_mix(*mixed);
    return of[*mixed % n];
}
#define RNG_PICK(mixed, ...)                                                                                           \
    rng_pick(mixed, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(rng_next(r) % n);
}

static inline void rng_fill(struct rng *r, void *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)rng_next(r);
}

#endif
