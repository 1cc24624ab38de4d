/* random_tuple.h - tuples for property tests of RSS. */
#ifndef NB_TESTS_RANDOM_TUPLE_H
#define NB_TESTS_RANDOM_TUPLE_H

#include <netinet/in.h>

#include <netbypass/rss.h>

#include "random.h"

static inline struct nb_tuple rng_tuple(struct rng *r, uint8_t family)
{
    struct nb_tuple t = {.family = family, .protocol = IPPROTO_TCP};

    rng_fill(r, t.src, family == 6 ? 16 : 4);
    rng_fill(r, t.dst, family == 6 ? 16 : 4);
    t.src_port = (uint16_t)rng_next(r);
    t.dst_port = (uint16_t)rng_next(r);
    return t;
}

#endif
