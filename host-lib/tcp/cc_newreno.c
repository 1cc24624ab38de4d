/* cc_newreno.c - slow start and congestion avoidance (RFC 5681 §3.1), counting bytes rather than ACKs (RFC 3465), since
 * receivers that merge segments acknowledge many at once.
 */
#include "cc.h"
#include "tcb.h"

#define SLOW_START_LIMIT 2 /* segments of growth per ACK: RFC 3465 §2.2 */

const struct nb_cc *const nb_cc_algorithms[NB_CC_COUNT] = {[NB_CC_NEWRENO] = &nb_cc_newreno};

static void start(struct nb_tcb *tcb, uint64_t now_us)
{
    (void)now_us;
    tcb->cc_acked = 0;
}

/* RFC 3465 §2.3: while what a time-out made us send again is being acknowledged, L is one segment. */
static uint32_t slow_start_limit(const struct nb_tcb *tcb)
{
    return seq_lt(tcb->snd_una, tcb->recover) ? tcb->mss : (uint32_t)SLOW_START_LIMIT * tcb->mss;
}

static void slow_start(struct nb_tcb *tcb, uint32_t acked)
{
    uint32_t limit = slow_start_limit(tcb);
    tcb->cwnd += acked < limit ? acked : limit;
}

/* One segment for each window's worth of acknowledged bytes. */
static void congestion_avoidance(struct nb_tcb *tcb, uint32_t acked)
{
    tcb->cc_acked += acked;
    if (tcb->cc_acked < tcb->cwnd)
        return;
    tcb->cc_acked -= tcb->cwnd;
    tcb->cwnd += tcb->mss;
}

static void acked(struct nb_tcb *tcb, uint32_t n, uint64_t now_us)
{
    (void)now_us;
    if (tcb->cwnd < tcb->ssthresh)
        slow_start(tcb, n);
    else
        congestion_avoidance(tcb, n);
}

/* RFC 5681 equation (4). */
static uint32_t lost(struct nb_tcb *tcb, uint32_t in_flight, uint64_t now_us)
{
    (void)now_us;
    uint32_t two = 2u * tcb->mss;
    tcb->cc_acked = 0;
    return in_flight / 2 > two ? in_flight / 2 : two;
}

const struct nb_cc nb_cc_newreno = {.name = "newreno", .start = start, .acked = acked, .lost = lost};
