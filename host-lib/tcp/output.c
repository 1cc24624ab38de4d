/* output.c - what may be sent now (RFC 9293 §3.8.6, RFC 5681, RFC 1122 §4.2.3.4), and when an ACK is due.
 *
 * Called for each connection that something happened to, once, at the end of the burst: so one answer leaves for many
 * segments, and an ACK travels with the data the application wrote in between.
 */
#include <rte_common.h>

#include "core.h"
#include "minmax.h"

/* RFC 9293 §3.8.6.3: below half a second; 40 ms as Linux. */
#define ACK_DELAY_US 40000

/* RFC 9293 §3.8.6.3: every second full segment is acknowledged at once. */
#define FULL_SEGMENTS_UNACKED 2

struct chunk {
    unsigned n;
    bool fin;
};

static bool may_send(const struct nb_tcb *tcb)
{
    switch ((enum nb_tcp_state)tcb->state) {
    case NB_TCP_ESTABLISHED:
    case NB_TCP_CLOSE_WAIT:
    case NB_TCP_FIN_WAIT_1:
    case NB_TCP_CLOSING:
    case NB_TCP_LAST_ACK:
        return true;
    case NB_TCP_CLOSED:
    case NB_TCP_SYN_SENT:
    case NB_TCP_SYN_RECEIVED:
    case NB_TCP_FIN_WAIT_2:
    case NB_TCP_TIME_WAIT:
    case NB_TCP_STATE_COUNT:
        break;
    }
    return false;
}

/* cwnd, and a segment more for each of the first two duplicate ACKs (limited transmit, RFC 3042). */
static uint32_t congestion_allows(const struct nb_tcb *tcb)
{
    bool limited_transmit = tcb->dup_acks < 3 && !(tcb->flags & NB_TCB_FAST_RECOVERY);
    return tcb->cwnd + (limited_transmit ? (uint32_t)tcb->dup_acks * tcb->mss : 0);
}

/* Nagle's algorithm in Minshall's form: a small segment waits only for an earlier small one. */
static bool nagle_allows(const struct nb_tcb *tcb)
{
    return tcb->flags & NB_TCB_NODELAY || seq_leq(tcb->snd_sml, tcb->snd_una);
}

/* Sender's silly window avoidance (RFC 9293 §3.8.6.2.1), for a chunk of the data bytes that wait. */
static bool worth_sending(const struct nb_tcb *tcb, const struct chunk *c, uint32_t data)
{
    if (c->n == tcb->mss || c->fin)
        return true;
    if (seq_lt(tcb->snd_nxt, tcb->snd_max)) /* it went out like this before */
        return true;
    if (c->n == data && nagle_allows(tcb))
        return true;
    return c->n > 0 && c->n >= ((uint32_t)tcb->max_snd_wnd << tcb->snd_scale) / 2;
}

static bool next_chunk(const struct nb_tcb *tcb, struct chunk *c)
{
    uint32_t window = nb__min(congestion_allows(tcb), tcb->snd_wnd);
    uint32_t in_flight = tcb->snd_nxt - tcb->snd_una;
    if (tcb->snd_nxt == nb_tcb_last_seq(tcb) || in_flight >= window)
        return false;
    uint32_t room = window - in_flight;
    uint32_t data = tcb->snd_end - tcb->snd_nxt;
    c->n = nb__min(nb__min(data, room), tcb->mss);
    c->fin = tcb->flags & NB_TCB_FIN_QUEUED && c->n == data && c->n < room;
    return worth_sending(tcb, c, data);
}

/* Karn's algorithm (RFC 6298 §3): only what is sent for the first time is timed. */
static void time_segment(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t end)
{
    if (tcb->flags & NB_TCB_RTT_TIMING)
        return;
    tcb->flags |= NB_TCB_RTT_TIMING;
    tcb->rtt_seq = end;
    tcb->rtt_at = nb__now32(tcp);
}

static void note_retransmission(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->flags &= ~(uint32_t)NB_TCB_RTT_TIMING;
    tcb->retransmitted++;
    nb__count(tcp, NB_COUNTER_RETRANSMITTED);
}

/* snd_nxt moves over what was just sent. */
static void account(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct chunk *c)
{
    nb_seq_t end = tcb->snd_nxt + c->n + c->fin;
    if (seq_lt(tcb->snd_nxt, tcb->snd_max)) {
        note_retransmission(tcp, tcb);
    } else {
        time_segment(tcp, tcb, end);
        tcb->tx_bytes += c->n;
    }
    if (c->n < tcb->mss)
        tcb->snd_sml = end;
    tcb->snd_nxt = end;
    tcb->snd_max = seq_max(tcb->snd_max, end);
    tcb->sent_at = nb__now32(tcp);
    if (!(tcb->timers & NB_TCB_TIMER_RTO))
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, nb__rto_us(tcb));
}

static bool send_chunk(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct chunk *c)
{
    uint8_t flags = (c->fin ? NB_TCP_FIN : 0) | (c->n && tcb->snd_nxt + c->n == tcb->snd_end ? NB_TCP_PSH : 0);
    /* Data that answers is an ACK's best carrier: who converses is not in a hurry for bare ones. */
    if (tcb->rcv_acked != tcb->rcv_nxt)
        tcb->quick_acks = 0;
    if (!nb__emit_data(tcp, tcb, tcb->snd_nxt, c->n, flags))
        return false;
    account(tcp, tcb, c);
    return true;
}

/* RFC 5681 §4.1: after a pause longer than the RTO, ACKs no longer say what the path can take. */
static void restart_after_idle(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->snd_max == tcb->snd_una && nb__now32(tcp) - tcb->sent_at > tcb->rto_us)
        tcb->cwnd = nb__min(tcb->cwnd, nb__initial_window(tcb->mss));
}

static bool has_room(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return !tcp->env.room || tcp->env.room(tcp->env.arg, &tcb->flow.key);
}

static void send_what_fits(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct chunk c;
    if (tcb->snd_nxt == nb_tcb_last_seq(tcb))
        return;
    restart_after_idle(tcp, tcb);
    while (next_chunk(tcb, &c)) {
        if (!has_room(tcp, tcb)) {
            nb__tcb_stall(tcp, tcb);
            return;
        }
        if (!send_chunk(tcp, tcb, &c))
            break;
    }
    /* Nothing under way whose ACK would call us again: the window is closed, too small to be worth it, or we are out of
     * buffers. */
    if (tcb->snd_nxt == tcb->snd_una && !(tcb->timers & NB_TCB_TIMER_PERSIST))
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_PERSIST, nb__rto_us(tcb));
}

static bool ack_is_due(const struct nb_tcb *tcb)
{
    uint32_t unacked = tcb->rcv_nxt - tcb->rcv_acked;
    if (tcb->flags & NB_TCB_ACK_NOW)
        return true;
    return unacked && (tcb->quick_acks || unacked >= (uint32_t)FULL_SEGMENTS_UNACKED * tcb->rcv_mss);
}

static void acknowledge(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (ack_is_due(tcb)) {
        tcb->quick_acks -= tcb->quick_acks > 0;
        nb__emit_ack(tcp, tcb, tcb->snd_max);
    }
    /* Not due yet, or there was no buffer for it. */
    if (tcb->rcv_nxt != tcb->rcv_acked && !(tcb->timers & NB_TCB_TIMER_ACK))
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_ACK, ACK_DELAY_US);
}

void nb__output(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (may_send(tcb))
        send_what_fits(tcp, tcb);
    if (may_send(tcb) || tcb->state == NB_TCP_FIN_WAIT_2)
        acknowledge(tcp, tcb);
}

void nb__retransmit_head(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t data = seq_gt(tcb->snd_end, tcb->snd_una) ? tcb->snd_end - tcb->snd_una : 0;
    struct chunk c = {.n = nb__min(data, tcb->mss)};
    c.fin = c.n == data && seq_gt(tcb->snd_max, tcb->snd_end);
    if (!c.n && !c.fin)
        return;
    note_retransmission(tcp, tcb);
    nb__emit_data(tcp, tcb, tcb->snd_una, c.n, c.fin ? NB_TCP_FIN : 0);
    tcb->sent_at = nb__now32(tcp);
}

bool nb__probe(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t data = tcb->snd_end - tcb->snd_nxt;
    struct chunk c = {.n = nb__min(nb__min(data, tcb->snd_wnd), tcb->mss)};
    c.fin = tcb->flags & NB_TCB_FIN_QUEUED && c.n == data && c.n < tcb->snd_wnd;
    if (c.n || c.fin)
        return send_chunk(tcp, tcb, &c);
    nb__emit_ack(tcp, tcb, tcb->snd_una - 1);
    return false;
}
