/* pace.c - see pace.h.
 *
 * After each burst (a record of the size nb__burst_segs() gives, about a millisecond's worth) stands the instant before
 * which the next may not leave: the burst's bytes at the pacing rate, from when this one was due. What is sent late
 * earns half of a full burst's time at most, so that a late timer does not slow the flow down, nor a pause make a new
 * one burst. It may be less than a burst that is late: a single segment, sent again, takes less time than looks are
 * apart. As with Linux's fq the first segments of a connection are not paced: most have no more, and nothing is known
 * of the path. Probes and retransmission time-outs do not wait, but count.
 */
#include "pace.h"

#include "cwnd.h"
#include "history.h"
#include "minmax.h"

#define UNPACED_SEGS 10
#define BURST_US     1000 /* that the user's bound may not turn into much longer */

static uint64_t takes_us(uint32_t bytes, uint64_t rate)
{
    return (uint64_t)bytes * 1000000 / nb__max(rate, 1);
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
    if (!nb__is_paced(tcp, tcb) || tcb->data_segs_out < UNPACED_SEGS)
        return;
    uint64_t rate = nb__pacing_rate(tcp, tcb);
    if (rate == UINT64_MAX)
        return;
    struct nb_history *h = nb__history(tcp, tcb);
    uint64_t due_us = h->pace_us;
    if (due_us < tcp->now_us) {
        uint64_t burst_us = nb__min(takes_us(nb__burst_segs(tcp, tcb, tcb->mss) * tcb->mss, rate), BURST_US),
                 most = nb__max(takes_us(bytes, rate), burst_us) / 2;
        due_us = nb__max(due_us, tcp->now_us - nb__min(most, tcp->now_us));
    }
    h->pace_us = due_us + takes_us(bytes, rate);
}
