/* recovery.c - what losses do: fast retransmit and fast recovery (RFC 5681 §3.2, RFC 6582), and the time-out's part.
 *
 * snd_nxt never goes back except at a time-out, from where everything unacknowledged is sent again as cwnd allows;
 * `recover` then keeps duplicate ACKs of that from being taken for new losses (RFC 6582 §3.2 step 1 and §4).
 */
#include <rte_common.h>

#include "core.h"
#include "minmax.h"

#define DUPLICATES_MEAN_LOSS 3 /* RFC 5681 §3.2 */

/* RFC 6928 */
#define INITIAL_WINDOW_SEGMENTS 10
#define INITIAL_WINDOW_BYTES    14600

uint32_t nb__initial_window(uint16_t mss)
{
    return nb__min(INITIAL_WINDOW_SEGMENTS * mss, nb__max(2u * mss, INITIAL_WINDOW_BYTES));
}

static uint32_t in_flight(const struct nb_tcb *tcb)
{
    return tcb->snd_nxt - tcb->snd_una;
}

static void enter_fast_recovery(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->ssthresh = nb_cc_algorithms[tcb->cc]->lost(tcb, in_flight(tcb), tcp->now_us);
    tcb->recover = tcb->snd_max;
    tcb->flags |= NB_TCB_FAST_RECOVERY;
    tcb->flags &= ~(uint32_t)NB_TCB_PARTIAL_ACK;
    tcb->cwnd = tcb->ssthresh + DUPLICATES_MEAN_LOSS * (uint32_t)tcb->mss;
    nb__retransmit_head(tcp, tcb);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, nb__rto_us(tcb));
}

void nb__duplicate_ack(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__tcb_pend(tcp, tcb); /* a segment has left the network: another may follow */
    if (tcb->flags & NB_TCB_FAST_RECOVERY) {
        tcb->cwnd += tcb->mss;
        return;
    }
    if (tcb->dup_acks < DUPLICATES_MEAN_LOSS)
        tcb->dup_acks++;
    else
        return;
    /* RFC 6582 §3.2 step 2: not for what an earlier recovery or time-out has already sent again */
    if (tcb->dup_acks == DUPLICATES_MEAN_LOSS && seq_gt(tcb->snd_una, tcb->recover))
        enter_fast_recovery(tcp, tcb);
}

/* RFC 6582 §3.2 step 3, the ACK that covers `recover`. */
static void leave_fast_recovery(struct nb_tcb *tcb)
{
    uint32_t flight = nb__max(in_flight(tcb), tcb->mss);
    tcb->cwnd = nb__min(tcb->ssthresh, flight + tcb->mss);
    tcb->flags &= ~(uint32_t)(NB_TCB_FAST_RECOVERY | NB_TCB_PARTIAL_ACK);
}

/* RFC 6582 §3.2 step 3, an ACK short of `recover`: the next segment is missing too. */
static void partial_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked)
{
    nb__retransmit_head(tcp, tcb);
    tcb->cwnd = tcb->cwnd > acked ? tcb->cwnd - acked : 0;
    if (acked >= tcb->mss)
        tcb->cwnd += tcb->mss;
    tcb->cwnd = nb__max(tcb->cwnd, tcb->mss);
    tcb->flags |= NB_TCB_PARTIAL_ACK;
}

void nb__recovery_acked(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked, bool limited)
{
    tcb->dup_acks = 0;
    if (!(tcb->flags & NB_TCB_FAST_RECOVERY)) {
        if (limited)
            nb_cc_algorithms[tcb->cc]->acked(tcb, acked, tcp->now_us);
    } else if (seq_geq(tcb->snd_una, tcb->recover)) {
        leave_fast_recovery(tcb);
    } else {
        partial_ack(tcp, tcb, acked);
    }
}

void nb__recovery_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->retransmits == 0) /* RFC 5681 §3.1: once for one loss, not for its repetitions */
        tcb->ssthresh = nb_cc_algorithms[tcb->cc]->lost(tcb, in_flight(tcb), tcp->now_us);
    tcb->cwnd = tcb->mss;
    tcb->recover = tcb->snd_max;
    tcb->flags &= ~(uint32_t)(NB_TCB_FAST_RECOVERY | NB_TCB_PARTIAL_ACK | NB_TCB_RTT_TIMING);
    tcb->dup_acks = 0;
    tcb->snd_nxt = tcb->snd_una;
}
