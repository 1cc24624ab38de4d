/* chrono.c - see chrono.h. One stopwatch, charged to one reason at a time, in milliseconds as Linux's.
 *
 * While it runs for a reason, that reason's sum lacks the time of day when it began to: adding the present one when it
 * stops makes it whole. So there is no begin to be kept.
 */
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
        *total_of(tcp, tcb, tcb->chrono) += tcp->now_ms;
    if (reason != NB_CHRONO_NONE)
        *total_of(tcp, tcb, reason) -= tcp->now_ms;
    tcb->chrono = reason & 15;
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

static uint32_t sum_ms(const struct nb_tcp *tcp, const struct nb_tcb *tcb, enum nb_chrono reason)
{
    uint32_t ms =
        reason == NB_CHRONO_BUSY ? tcb->busy_ms : nb__past(tcb)->limited_ms[reason - NB_CHRONO_RWND_LIMITED];
    return tcb->chrono == reason ? ms + tcp->now_ms : ms;
}

uint64_t nb__chrono_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb, enum nb_chrono reason)
{
    uint64_t ms = 0;
    for (enum nb_chrono r = reason; r < (reason == NB_CHRONO_BUSY ? NB_CHRONO_COUNT : reason + 1); r++)
        ms += sum_ms(tcp, tcb, r);
    return ms * 1000;
}
