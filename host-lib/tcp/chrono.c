/* chrono.c - see chrono.h. One stopwatch, charged to one reason at a time. */
#include "chrono.h"

#include "core.h"

static void charge_to(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_chrono reason)
{
    if (tcb->chrono != NB_CHRONO_NONE)
        tcb->chrono_us[tcb->chrono - 1] += tcp->now_us - tcb->chrono_start_us;
    tcb->chrono_start_us = tcp->now_us;
    tcb->chrono = (uint8_t)reason;
}

void nb__chrono_start(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_chrono reason)
{
    if (reason > tcb->chrono)
        charge_to(tcp, tcb, reason);
}

void nb__chrono_stop(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_chrono reason)
{
    bool idle = tcb->txq.head == NB_TX_NONE;
    if (idle)
        charge_to(tcp, tcb, NB_CHRONO_NONE);
    else if (reason == tcb->chrono)
        charge_to(tcp, tcb, NB_CHRONO_BUSY);
}

uint64_t nb__chrono_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb, enum nb_chrono reason)
{
    uint64_t sum = 0;
    for (unsigned i = reason; i < NB_CHRONO_COUNT; i++) {
        if (i == reason || reason == NB_CHRONO_BUSY)
            sum += tcb->chrono_us[i - 1] + (tcb->chrono == i ? tcp->now_us - tcb->chrono_start_us : 0);
    }
    return sum;
}
