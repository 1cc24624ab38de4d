/* cwnd.c - see cwnd.h. */
#include "cwnd.h"

#include <rte_branch_prediction.h>

#include "core.h"
#include "flight.h"
#include "minmax.h"

#define BURST_BYTES_MAX 65215 /* an IP packet's worth less headers, the largest a port takes for segmentation */
#define BURST_US_MAX    1000
#define BURST_SHIFT     10 /* a burst is 1/1024 s of the rate */

uint32_t nb__packets_out(const struct nb_tcb *tcb)
{
    return tcb->flight ? tcb->flight->packets_out : 0;
}

uint32_t nb__in_flight(const struct nb_tcb *tcb)
{
    const struct nb_flight *f = tcb->flight;
    return f ? f->packets_out - f->sacked_out - f->lost_out + f->retrans_out : 0;
}

uint32_t nb__prior_cwnd(const struct nb_tcb *tcb)
{
    return tcb->flight ? tcb->flight->prior_cwnd : 0;
}

uint32_t nb__current_ssthresh(const struct nb_tcb *tcb)
{
    if (nb_tcb_in_reduction(tcb))
        return tcb->ssthresh;
    return nb__max(tcb->ssthresh, (tcb->cwnd >> 1) + (tcb->cwnd >> 2));
}

/* --- validation ------------------------------------------------------------------------------- */

bool nb__cwnd_is_limiting(const struct nb_tcb *tcb)
{
    const struct nb_flight *f = tcb->flight;
    if (!f || f->cwnd_limited)
        return f != NULL;
    /* In slow start cwnd may grow to twice what was in use. */
    return nb_tcb_in_slow_start(tcb) && tcb->cwnd < 2 * f->max_packets_out;
}

static bool validates_pipe_ack(const struct nb_tcp *tcp)
{
    return tcp->settings.cwnd_validation == NB_VALIDATION_PIPE_ACK;
}

bool nb__cwnd_may_grow(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return unlikely(validates_pipe_ack(tcp)) ? nb__validated(tcb) : nb__cwnd_is_limiting(tcb);
}

/* RFC 2861 §3.2: for a whole RTO the application did not fill the window. */
static void application_limited(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (validates_pipe_ack(tcp)) {
        nb__validation_expire(tcp, tcb);
    } else if (tcb->recovery == NB_TCP_RECOVERY_OPEN && !(tcb->flags & NB_TCB_WANT_WRITABLE)) {
        uint32_t used = nb__max(tcb->cwnd_used, NB_INITIAL_CWND);
        if (used < tcb->cwnd) {
            tcb->ssthresh = nb__current_ssthresh(tcb);
            tcb->cwnd = (tcb->cwnd + used) >> 1;
        }
        tcb->cwnd_used = 0;
    }
    tcb->cwnd_stamp_ms = tcp->now_ms;
}

static void in_use(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->cwnd_used = 0;
    tcb->cwnd_stamp_ms = tcp->now_ms;
}

/* The flight does not fill the window. */
static inline void not_in_use(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t packets_out)
{
    tcb->cwnd_used = nb__max(tcb->cwnd_used, packets_out);
    if (tcp->settings.slow_start_after_idle && tcp->now_ms - tcb->cwnd_stamp_ms >= tcb->rto_us / 1000 &&
        !nb_cc_controls(tcb))
        application_limited(tcp, tcb);
    if (tcb->flags & NB_TCB_WANT_WRITABLE && tcb->txq.unsent == NB_TX_NONE)
        nb__chrono_start(tcp, tcb, NB_CHRONO_SNDBUF_LIMITED);
}

void nb__cwnd_validate_one(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    bool limited = tcb->cwnd <= 1;
    tcb->flight->cwnd_limited = limited;
    tcb->flight->max_packets_out = 1;
    tcb->flight->cwnd_usage_seq = tcb->snd_nxt;
    if (limited)
        in_use(tcp, tcb);
    else
        not_in_use(tcp, tcb, 1);
}

void nb__cwnd_validate(struct nb_tcp *tcp, struct nb_tcb *tcb, bool limited)
{
    struct nb_flight *f = tcb->flight;
    /* The flight's strongest sign of a full window counts until the flight is acknowledged. */
    if (seq_geq(tcb->snd_una, f->cwnd_usage_seq) || limited ||
        (!f->cwnd_limited && f->packets_out > f->max_packets_out)) {
        f->cwnd_limited = limited;
        f->max_packets_out = f->packets_out;
        f->cwnd_usage_seq = tcb->snd_nxt;
    }
    if (nb__cwnd_is_limiting(tcb))
        in_use(tcp, tcb);
    else
        not_in_use(tcp, tcb, f->packets_out);
}

void nb__cwnd_after_idle(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcp->settings.slow_start_after_idle || nb__packets_out(tcb))
        return;
    int64_t idle_us = (int64_t)(uint32_t)(tcp->now_ms - tcb->data_sent_ms) * 1000;
    if (idle_us <= tcb->rto_us || nb_cc_controls(tcb))
        return;
    if (validates_pipe_ack(tcp)) {
        nb__validation_expire(tcp, tcb);
        return;
    }
    uint32_t restart = nb__min(NB_INITIAL_CWND, tcb->cwnd), cwnd = tcb->cwnd;
    tcb->ssthresh = nb__current_ssthresh(tcb);
    while ((idle_us -= tcb->rto_us) > 0 && cwnd > restart)
        cwnd >>= 1;
    tcb->cwnd = nb__max(cwnd, restart);
    tcb->cwnd_stamp_ms = tcp->now_ms;
    tcb->cwnd_used = 0;
}

/* --- rate ------------------------------------------------------------------------------------- */

static uint64_t rate_of_window(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    const struct nb_tcp_settings *s = &tcp->settings;
    uint32_t ratio = tcb->cwnd < tcb->ssthresh / 2 ? s->pacing_ss_ratio : s->pacing_ca_ratio;
    uint64_t window = (uint64_t)tcb->mss * nb__max(tcb->cwnd, nb__packets_out(tcb));
    return tcb->srtt_us ? window * ratio * (1000000 / 100) * 8 / tcb->srtt_us : UINT64_MAX;
}

uint64_t nb__pacing_rate(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    const struct nb_bbr *bbr = nb_cc_controls(tcb) ? nb__past(tcb)->bbr : NULL;
    uint64_t rate = bbr ? bbr->pacing_rate : rate_of_window(tcp, tcb), most = tcb->options->max_pacing_rate;
    return most ? nb__min(rate, most) : rate;
}

uint32_t nb__burst_segs(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint16_t mss)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    if (cc->burst_segs && tcb->history)
        return cc->burst_segs(tcb);
    /* Within a data centre, larger bursts do no harm. */
    uint32_t shift = tcb->min_rtt_us >> tcp->settings.tso_rtt_log;
    uint64_t bytes = shift == 0 ? 0 : nb__min(nb__pacing_rate(tcp, tcb) >> BURST_SHIFT, BURST_BYTES_MAX);
    if (shift < 32)
        bytes += (uint32_t)BURST_BYTES_MAX >> shift;
    bytes = nb__min(bytes, BURST_BYTES_MAX);
    return nb__max(bytes / mss, tcp->settings.min_tso_segs);
}

uint32_t nb__burst_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return (uint32_t)nb__min(BURST_US_MAX, 4ull * BURST_BYTES_MAX * 1000000 / nb__max(nb__pacing_rate(tcp, tcb), 1));
}
