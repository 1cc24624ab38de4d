/* timers.c - the one timer of a connection, and what it may stand for.
 *
 * Theory of operation. The deadlines are fields of the TCB; the wheel's node only promises to fire no later than the
 * earliest. Moving a deadline away, which every ACK does, is one store: the node fires at the old time, finds nothing
 * due and goes to sleep until the earliest deadline that is left. So a busy connection touches the wheel a few times a
 * second, and an idle one not at all.
 */
#include <rte_common.h>

#include "core.h"
#include "minmax.h"
#include "rtt.h"

/* How often we try before we give up. RFC 9293 §3.8.3 (R2) asks for at least 100 s, for a SYN three minutes; these are
 * Linux's numbers, which give 127 s for a SYN and 15 minutes for data at the least RTO. */
#define SYN_RETRIES     6
#define SYN_ACK_RETRIES 5
#define DATA_RETRIES    15
#define ORPHAN_RETRIES  8 /* nobody waits for the outcome any more */

/* An application that has closed does not wait for its peer longer than this, as Linux's tcp_fin_timeout. */
#define FIN_WAIT_2_US 60000000

static bool due(uint32_t at, uint32_t now)
{
    return (int32_t)(at - now) <= 0;
}

/* See that the node fires no later than `after_us` from now. */
static void arm_node(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t after_us)
{
    uint64_t deadline_us = tcp->now_us + after_us;
    if (!nb_timer_armed(&tcb->timer) || deadline_us < tcb->timer.deadline_us)
        nb_timer_arm(&tcp->wheel, &tcb->timer, deadline_us);
}

void nb__timer_start(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_tcb_timer timer, uint32_t after_us)
{
    uint32_t at = nb__now32(tcp) + after_us;
    if (timer == NB_TCB_TIMER_ACK) {
        tcb->ack_at = at;
    } else {
        tcb->timers &= (uint8_t)~NB_TCB_TIMERS_SEND;
        tcb->send_at = at;
    }
    tcb->timers |= (uint8_t)timer;
    arm_node(tcp, tcb, after_us);
}

void nb__timer_stop(struct nb_tcb *tcb, unsigned timers)
{
    tcb->timers &= (uint8_t)~timers;
}

uint32_t nb__rto_us(const struct nb_tcb *tcb)
{
    uint64_t rto_us = (uint64_t)tcb->rto_us << nb__min(tcb->backoff, 16);
    return nb__min(rto_us, NB_RTO_MAX_US);
}

void nb__fin_wait_2_linger(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->state == NB_TCP_FIN_WAIT_2 && tcb->flags & NB_TCB_APP_CLOSED)
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_LINGER, FIN_WAIT_2_US);
}

static unsigned retries_allowed(const struct nb_tcb *tcb)
{
    if (tcb->state == NB_TCP_SYN_SENT)
        return SYN_RETRIES;
    if (tcb->state == NB_TCP_SYN_RECEIVED)
        return SYN_ACK_RETRIES;
    return tcb->flags & NB_TCB_APP_CLOSED ? ORPHAN_RETRIES : DATA_RETRIES;
}

static void syn_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->flags |= NB_TCB_SYN_LOST;
    tcb->flags &= ~(uint32_t)NB_TCB_RTT_TIMING;
    tcb->retransmitted++;
    nb__count(tcp, NB_COUNTER_RETRANSMITTED);
    nb__emit_syn(tcp, tcb);
}

/* RFC 6298 §5.4 to 5.6. */
static void retransmission_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    bool opening = tcb->state == NB_TCP_SYN_SENT || tcb->state == NB_TCP_SYN_RECEIVED;
    if (tcb->retransmits >= retries_allowed(tcb)) {
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
        return;
    }
    if (!opening)
        nb__recovery_timeout(tcp, tcb);
    tcb->retransmits++;
    tcb->backoff++;
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, nb__rto_us(tcb));
    if (opening)
        syn_timeout(tcp, tcb);
    else
        nb__output(tcp, tcb);
}

/* RFC 9293 §3.8.6.1. A peer that answers probes may keep its window closed for as long as it likes. The timer also runs
 * when a lack of buffers stopped the application or us. */
static void persist_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__offer_room(tcp, tcb);
    if (tcb->state == NB_TCP_CLOSED || tcb->snd_nxt == nb_tcb_last_seq(tcb) || tcb->timers & NB_TCB_TIMERS_SEND)
        return;
    if (tcb->retransmits >= retries_allowed(tcb)) {
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
        return;
    }
    if (nb__probe(tcp, tcb)) /* data is under way, its own timer runs */
        return;
    tcb->retransmits++;
    tcb->backoff++;
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_PERSIST, nb__rto_us(tcb));
}

static void send_timer_fires(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    unsigned timer = tcb->timers & NB_TCB_TIMERS_SEND;
    tcb->timers &= (uint8_t)~NB_TCB_TIMERS_SEND;
    if (timer == NB_TCB_TIMER_RTO)
        retransmission_timeout(tcp, tcb);
    else if (timer == NB_TCB_TIMER_PERSIST)
        persist_timeout(tcp, tcb);
    else if (timer == NB_TCB_TIMER_LINGER)
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
}

/* Sleep until the earliest deadline that is left. */
static void arm_for_earliest(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t now = nb__now32(tcp);
    if (tcb->timers & NB_TCB_TIMERS_SEND)
        arm_node(tcp, tcb, due(tcb->send_at, now) ? 0 : tcb->send_at - now);
    if (tcb->timers & NB_TCB_TIMER_ACK)
        arm_node(tcp, tcb, due(tcb->ack_at, now) ? 0 : tcb->ack_at - now);
}

void nb__timer_fire(void *arg, struct nb_timer *timer)
{
    struct nb_tcp *tcp = arg;
    struct nb_tcb *tcb = container_of(timer, struct nb_tcb, timer);
    uint32_t now = nb__now32(tcp);
    if (tcb->timers & NB_TCB_TIMER_ACK && due(tcb->ack_at, now)) {
        tcb->timers &= (uint8_t)~NB_TCB_TIMER_ACK;
        tcb->flags |= NB_TCB_ACK_NOW;
        nb__tcb_pend(tcp, tcb);
    }
    if (tcb->timers & NB_TCB_TIMERS_SEND && due(tcb->send_at, now))
        send_timer_fires(tcp, tcb);
    if (tcb->state != NB_TCP_CLOSED)
        arm_for_earliest(tcp, tcb);
}
