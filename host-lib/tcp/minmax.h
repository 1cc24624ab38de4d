/* minmax.h - the smaller and the larger of two unsigned numbers. */
#ifndef NB_TCP_MINMAX_H
#define NB_TCP_MINMAX_H

#include <stdint.h>

static inline uint64_t nb__min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t nb__max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
