/* seq.h - TCP sequence numbers: 32 bits that wrap (RFC 9293 §3.4). Arithmetic only through these helpers. */
#ifndef NB_TCP_SEQ_H
#define NB_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t nb_seq_t;

/* Sequence numbers left to right - 1 (RFC 2018 §3: the edges of a block). */
struct nb_seq_range {
    nb_seq_t left, right;
};

static inline bool seq_lt(nb_seq_t a, nb_seq_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool seq_leq(nb_seq_t a, nb_seq_t b)
{
    return (int32_t)(a - b) <= 0;
}

static inline bool seq_gt(nb_seq_t a, nb_seq_t b)
{
    return (int32_t)(a - b) > 0;
}

static inline bool seq_geq(nb_seq_t a, nb_seq_t b)
{
    return (int32_t)(a - b) >= 0;
}

static inline nb_seq_t seq_max(nb_seq_t a, nb_seq_t b)
{
    return seq_gt(a, b) ? a : b;
}

static inline nb_seq_t seq_min(nb_seq_t a, nb_seq_t b)
{
    return seq_lt(a, b) ? a : b;
}

/* Is s in [left, left + size)? */
static inline bool seq_in(nb_seq_t s, nb_seq_t left, uint32_t size)
{
    return s - left < size;
}

#endif
