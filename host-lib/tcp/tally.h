/* tally.h - what a connection has sent and received, counted in 64 bits: the low 32 in the TCB, and in its history how
 * often they came round, which few connections live to see.
 */
#ifndef NB_TCP_TALLY_H
#define NB_TCP_TALLY_H

#include "core.h"

static inline void nb__tally(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_tally what, uint32_t n)
{
    if (unlikely(__builtin_add_overflow(tcb->tally[what], n, &tcb->tally[what])))
        nb__history(tcp, tcb)->tally_rounds[what]++;
}

static inline uint64_t nb__tallied(const struct nb_tcb *tcb, enum nb_tally what)
{
    return (uint64_t)nb__past(tcb)->tally_rounds[what] << 32 | tcb->tally[what];
}

#endif
