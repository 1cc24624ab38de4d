/* chrono.c - see chrono.h. One stopwatch, charged to one reason at a time, in milliseconds as Linux's. */
#include "chrono.h"

#include "core.h"

static uint32_t *total_of(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_chrono reason)
{
    return reason == NB_CHRONO_BUSY ? &tcb->busy_ms
                                    : &nb__history(tcp, tcb)->limited_ms[reason - NB_CHRONO_RWND_LIMITED];
}

static void charge_to(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_chrono reason)
{
    if (tcb->chrono != NB_CHRONO_NONE)
        *total_of(tcp, tcb, tcb->chrono) += tcp->now_ms - tcb->chrono_start_ms;
    tcb->chrono_start_ms = tcp->now_ms;
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
    const uint32_t *limited_ms = nb__past(tcb)->limited_ms;
    uint32_t running_ms = tcp->now_ms - tcb->chrono_start_ms;
    uint64_t ms = tcb->chrono == reason || (reason == NB_CHRONO_BUSY && tcb->chrono) ? running_ms : 0;
    if (reason == NB_CHRONO_BUSY)
        ms += (uint64_t)tcb->busy_ms + limited_ms[0] + limited_ms[1];
    else
        ms += limited_ms[reason - NB_CHRONO_RWND_LIMITED];
    return ms * 1000;
}
