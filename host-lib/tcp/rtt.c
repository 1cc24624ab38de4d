/* rtt.c - RFC 6298 §2, as Linux refines it.
 *
 * srtt_us is kept times 8 and the deviations times 4, so that the gains of 1/8 and 1/4 are shifts. Two refinements: the
 * deviation falls slowly when a sample is smaller than expected, because a shorter round trip is no reason to expect
 * trouble; and rttvar_us, from which the time-out is made, is the largest deviation of the last round trip rather than
 * the momentary one, falling by a quarter per round. It never falls below the least time-out, so that a peer's delayed
 * ACK never looks like a loss.
 */
#include "rtt.h"

#include "core.h"
#include "minmax.h"

void nb__rtt_init(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    (void)tcp;
    tcb->rto_us = NB_RTO_INITIAL_US;
    tcb->mdev_us = NB_RTO_INITIAL_US;
    tcb->min_rtt_us = UINT32_MAX;
}

static void first_sample(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t m)
{
    tcb->srtt_us = m << 3;
    tcb->mdev_us = m << 1;
    tcb->rttvar_us = tcb->mdev_max_us = nb__max(tcb->mdev_us, tcp->settings.rto_min_us);
    tcb->rtt_seq = tcb->snd_nxt;
}

/* The deviation's new distance, scaled by 4. */
static void update_deviation(struct nb_tcb *tcb, int64_t error)
{
    int64_t change = (error < 0 ? -error : error) - (tcb->mdev_us >> 2);
    if (error < 0 && change > 0)
        change >>= 3;
    tcb->mdev_us = (uint32_t)((int64_t)tcb->mdev_us + change);
}

static void end_of_round(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->mdev_max_us < tcb->rttvar_us)
        tcb->rttvar_us -= (tcb->rttvar_us - tcb->mdev_max_us) >> 2;
    tcb->rtt_seq = tcb->snd_nxt;
    tcb->mdev_max_us = tcp->settings.rto_min_us;
}

uint32_t nb__rto_base_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    if (!tcb->srtt_us)
        return NB_RTO_INITIAL_US;
    return nb__min((tcb->srtt_us >> 3) + tcb->rttvar_us, tcp->settings.rto_max_us);
}

void nb__rtt_sample(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t measured_us)
{
    uint32_t m = nb__min(nb__max(measured_us, 1), tcp->settings.rto_max_us);
    if (!tcb->srtt_us) {
        first_sample(tcp, tcb, m);
    } else {
        int64_t error = (int64_t)m - (tcb->srtt_us >> 3);
        tcb->srtt_us = (uint32_t)nb__max((uint64_t)((int64_t)tcb->srtt_us + error), 1);
        update_deviation(tcb, error);
        if (tcb->mdev_us > tcb->mdev_max_us) {
            tcb->mdev_max_us = tcb->mdev_us;
            tcb->rttvar_us = nb__max(tcb->rttvar_us, tcb->mdev_max_us);
        }
        if (seq_gt(tcb->snd_una, tcb->rtt_seq))
            end_of_round(tcp, tcb);
    }
    tcb->rto_us = nb__rto_base_us(tcp, tcb);
}

void nb__min_rtt_sample(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t measured_us)
{
    uint16_t now_s = (uint16_t)(tcp->now_us / 1000000);
    if (measured_us > tcb->min_rtt_us && (uint16_t)(now_s - tcb->min_rtt_at) <= tcp->settings.min_rtt_window_s)
        return;
    tcb->min_rtt_us = nb__max(measured_us, 1);
    tcb->min_rtt_at = now_s;
}
