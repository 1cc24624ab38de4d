/* cc_newreno.c - slow start and congestion avoidance as RFC 5681 §3.1 has them, counting what was acknowledged rather
 * than ACKs (RFC 3465), since receivers that merge segments acknowledge many at once.
 */
#include "cc.h"
#include "cwnd.h"
#include "hystart_plus.h"
#include "minmax.h"
#include "tcb.h"

static void start(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    (void)tcp, (void)tcb;
}

static void avoid(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked)
{
    if (!nb__cwnd_may_grow(tcp, tcb))
        return;
    if (nb__hystart_plus_applies(tcp, tcb)) {
        nb_cc_slow_start(tcb, nb__hystart_plus_growth(tcp, tcb, acked));
        return;
    }
    if (nb_tcb_in_slow_start(tcb))
        acked = nb_cc_slow_start(tcb, acked);
    if (acked)
        nb_cc_grow(tcb, tcb->cwnd, acked);
}

/* RFC 5681 equation (4), with cwnd for FlightSize: what is in flight is at most that, and only connections that use
 * their cwnd can grow it. */
static uint32_t ssthresh(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    (void)tcp;
    return nb__max(tcb->cwnd / 2, 2);
}

static uint32_t undo(struct nb_tcb *tcb)
{
    return nb__max(tcb->cwnd, nb__prior_cwnd(tcb));
}

static void sample(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t rtt_us)
{
    if (nb__hystart_plus_applies(tcp, tcb))
        nb__hystart_plus_sample(tcb, rtt_us);
}

const struct nb_cc nb_cc_newreno = {
    .name = "reno", .start = start, .avoid = avoid, .ssthresh = ssthresh, .undo = undo, .sample = sample};
