/* pace.c - see pace.h.
 *
 * After each burst (a record of the size nb__burst_segs() gives, about a millisecond's worth) stands the instant before
 * which the next may not leave: the burst's bytes at the pacing rate, from when this one was due. A burst that left
 * late earns half of its own time at most, so that a late timer does not slow the flow down, nor a pause make a new one
 * burst. As with Linux's fq the first segments of a connection are not paced: most have no more, and nothing is known
 * of the path. Probes and retransmission time-outs do not wait, but count.
 */
#include "pace.h"

#include "history.h"
#include "minmax.h"

#define UNPACED_SEGS 10

static uint64_t rate_of(const struct nb_tcb *tcb)
{
    uint64_t most = tcb->options->max_pacing_rate;
    return most ? nb__min(tcb->pacing_rate, most) : tcb->pacing_rate;
}

bool nb__pace_waits(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!nb__is_paced(tcp, tcb) || nb__past(tcb)->pace_us <= tcp->now_us)
        return false;
    nb__timer_start_pace(tcp, tcb);
    return true;
}

void nb__pace_sent(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t bytes)
{
    uint64_t rate = rate_of(tcb);
    if (!nb__is_paced(tcp, tcb) || rate == UINT64_MAX || tcb->data_segs_out < UNPACED_SEGS)
        return;
    struct nb_history *h = nb__history(tcp, tcb);
    uint64_t takes_us = (uint64_t)bytes * 1000000 / nb__max(rate, 1), due_us = h->pace_us;
    if (due_us < tcp->now_us) {
        takes_us -= nb__min(takes_us / 2, tcp->now_us - due_us);
        due_us = tcp->now_us;
    }
    h->pace_us = due_us + takes_us;
}
