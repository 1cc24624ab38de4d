/* output.c - what may be sent now (RFC 9293 §3.8.6, RFC 5681, RFC 1122 §4.2.3.4).
 *
 * New data leaves record by record. A record is sent when the peer's window and cwnd have room for its first segment;
 * what does not fit, or is more than one burst, is split off. Nagle's algorithm in Minshall's form and the cork hold
 * back a small last segment; a record of several segments may wait a little for a larger burst when the next ACK is
 * near.
 */
#include "output.h"

#include <rte_branch_prediction.h>

#include "core.h"
#include "tally.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "pace.h"
#include "window.h"

/* A reply that was sent within this time of the last one belongs to the same burst of writes. */
#define RECENT_WRITE_US 1000

bool nb__may_send(const struct nb_tcb *tcb)
{
    switch ((enum nb_tcp_state)tcb->state) {
    case NB_TCP_SYN_RECEIVED:
        return tcb->flags & NB_TCB_FASTOPEN; /* RFC 7413 §4.2.2 */
    case NB_TCP_ESTABLISHED:
    case NB_TCP_CLOSE_WAIT:
    case NB_TCP_FIN_WAIT_1:
    case NB_TCP_CLOSING:
    case NB_TCP_LAST_ACK:
        return true;
    case NB_TCP_CLOSED:
    case NB_TCP_SYN_SENT:
    case NB_TCP_FIN_WAIT_2:
    case NB_TCP_TIME_WAIT:
    case NB_TCP_STATE_COUNT:
        break;
    }
    return false;
}

uint16_t nb__send_mss(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    struct nb_seq_range blocks[NB_SEG_SACK_MAX];
    unsigned n = nb__sack_blocks(tcp, tcb, blocks);
    return (uint16_t)(n ? tcb->mss - (4 + 8 * n) : tcb->mss);
}

/* --- Nagle ------------------------------------------------------------------------------------ */

enum nb_nagle nb__nagle(const struct nb_tcb *tcb)
{
    const struct nb_tcp_options *o = tcb->options;
    bool nodelay = o->nodelay || tcb->flags & NB_TCB_NODELAY;
    return (enum nb_nagle)((nodelay ? NB_NAGLE_OFF : 0) | (o->cork ? NB_NAGLE_CORK : 0) |
                           (tcb->flags & NB_TCB_PUSH_NOW ? NB_NAGLE_PUSH : 0));
}

/* Does a partial segment have to wait? Minshall: only for an earlier partial one. */
static bool must_wait(const struct nb_tcb *tcb, bool partial, enum nb_nagle nagle)
{
    bool small_in_flight = seq_gt(tcb->snd_sml, tcb->snd_una) && seq_leq(tcb->snd_sml, tcb->snd_nxt);
    return partial && (nagle & NB_NAGLE_CORK || (!nagle && nb__packets_out(tcb) && small_in_flight));
}

static bool nagle_allows(const struct nb_tcb *tcb, const struct nb_tx *tx, uint16_t mss, enum nb_nagle nagle)
{
    if (nagle & NB_NAGLE_PUSH || tx->flags & NB_TX_FIN)
        return true;
    return !must_wait(tcb, nb__tx_bytes(tx) < mss, nagle);
}

/* --- how much --------------------------------------------------------------------------------- */

/* Segments that cwnd has room for, at most half of it at once, so that ACKs spread. */
static uint32_t congestion_allows(const struct nb_tcb *tcb)
{
    uint32_t out = nb__in_flight(tcb);
    if (out >= tcb->cwnd)
        return 0;
    return nb__min(nb__max(tcb->cwnd >> 1, 1), tcb->cwnd - out);
}

/* Does the peer's window take the first segment? */
static bool window_allows(const struct nb_tcb *tcb, const struct nb_tx *tx, uint16_t mss)
{
    uint32_t bytes = nb__tx_bytes(tx);
    nb_seq_t end = bytes > mss ? tx->seq + mss : tx->end;
    return seq_leq(end, nb_tcb_wnd_end(tcb));
}

/* A FIN that the window has no room for does not hold back the data before it. */
static void part_from_fin(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint16_t mss)
{
    uint32_t bytes = nb__tx_bytes(tx);
    if (!(tx->flags & NB_TX_FIN) || !bytes || bytes > mss || tx->seq + bytes != nb_tcb_wnd_end(tcb))
        return;
    if (!nb__tx_split(tcp, tcb, tx, bytes, mss))
        return;
    tx->flags |= NB_TX_PSH;
    nb__tx_next(tcp, tx)->flags &= (uint8_t)~NB_TX_PSH;
}

/* How many bytes of the record to send now: whole segments, and the partial last one if it need not wait. */
static uint32_t split_point(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_tx *tx, uint16_t mss,
                            uint32_t segs, enum nb_nagle nagle)
{
    uint32_t window = nb_tcb_wnd_end(tcb) - tx->seq, most = (uint32_t)mss * segs;
    if (most <= window && tx != nb__tx_tail(tcp, tcb))
        return most;
    uint32_t needed = nb__min(nb__tx_bytes(tx), window);
    if (most <= needed)
        return most;
    uint32_t partial = needed % mss;
    return must_wait(tcb, partial != 0, nagle) ? needed - partial : needed;
}

struct limits {
    bool cwnd, rwnd;
};

/* Is it worth waiting for an ACK to send a larger burst? Only when one is near, the application writes on, and neither
 * window has much to offer. */
static bool should_defer(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_tx *tx, uint32_t burst,
                         struct limits *limited)
{
    const struct nb_tx *newest = tcb->flight ? nb__tx_at(tcp, tcb->flight->sent_tail) : NULL;
    if (tcb->recovery >= NB_TCP_RECOVERY_RECOVERY || !newest || tcp->now_us - newest->sent_us > RECENT_WRITE_US)
        return false;
    uint32_t window = nb_tcb_wnd_end(tcb) - tx->seq;
    uint32_t congestion = (tcb->cwnd - nb__in_flight(tcb)) * tcb->mss, limit = nb__min(window, congestion);
    if (limit >= burst * tcb->mss || (tx != nb__tx_tail(tcp, tcb) && limit >= nb__tx_bytes(tx)))
        return false;
    uint32_t divisor = tcp->settings.tso_win_divisor;
    uint32_t chunk =
        divisor ? (uint32_t)nb__min(tcb->snd_wnd, (uint64_t)tcb->cwnd * tcb->mss) / divisor : 3u * tcb->mss;
    const struct nb_tx *head = nb__tx_head(tcp, tcb);
    if (limit >= chunk || !head || tcp->now_us - head->sent_us < tcb->srtt_us >> 4)
        return false;
    bool by_congestion = congestion < window;
    if ((by_congestion ? congestion : window) <= nb__tx_bytes(tx)) {
        *(by_congestion ? &limited->cwnd : &limited->rwnd) = true;
        return true;
    }
    return !(tx->flags & (NB_TX_FIN | NB_TX_EOR));
}

/* --- sending a record ------------------------------------------------------------------------- */

bool nb__port_room(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcp->env.room || tcp->env.room(tcp->env.arg, &tcb->flow.key))
        return true;
    nb__tcb_stall(tcp, tcb);
    return false;
}

/* Emit the record's segments. New data stops where the port or the pool has no room for more, and the record is cut
 * there. What is sent again does not wait; if the pool ends, the rest will be found missing once more. */
static bool emit_record(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, bool new_data)
{
    nb_seq_t seq = tx->seq;
    uint32_t left = nb__tx_bytes(tx), emitted = 0;
    struct nb_seg_row row;
    /* A burst's last segment is pushed, which makes receivers that merge segments hand it on. */
    uint8_t last =
        (uint8_t)((tx->flags & NB_TX_FIN ? NB_TCP_FIN : 0) | (tx->flags & NB_TX_PSH || tx->segs > 1 ? NB_TCP_PSH : 0));
    nb__row_begin(tcp, tcb, &row);
    do {
        uint32_t n = nb__min(left, tx->mss);
        if (!nb__row_emit(tcp, tcb, &row, seq, n, n == left ? last : 0))
            break;
        emitted++;
        seq += n;
        left -= n;
    } while (left > 0 && (!new_data || nb__port_room(tcp, tcb)));
    if (left > 0 && emitted > 0 && new_data)
        nb__tx_split(tcp, tcb, tx, seq - tx->seq, tx->mss);
    return emitted > 0;
}

static bool transmit(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, bool new_data)
{
    if (!emit_record(tcp, tcb, tx, new_data))
        return false;
    struct nb_flight *f = tcb->flight;
    if (!f->packets_out)
        f->first_sent_us = f->delivered_us = tcp->now_us;
    tx->sent_us = tcp->now_us;
    tx->first_sent_us = f->first_sent_us;
    tx->delivered_us = f->delivered_us;
    tx->delivered = tcb->delivered;
    tx->in_flight = nb__in_flight(tcb) + tx->segs;
    tx->lost = f->lost;
    tx->app_limited = f->app_limited != 0;
    nb__tx_list(tcp, tcb, tx);
    nb__pace_sent(tcp, tcb, nb__tx_bytes(tx));
    return true;
}

bool nb__tx_transmit(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    return transmit(tcp, tcb, tx, false);
}

/* What sending data says about the conversation. */
static void note_data_sent(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    if (!nb__in_flight(tcb) && cc->event && tcb->history)
        cc->event(tcp, tcb, NB_CC_EVENT_TX_START);
    tcb->data_sent_ms = tcp->now_ms;
    nb__ack_data_sent(tcp, tcb);
}

static void note_new_data_sent(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    uint32_t before = tcb->flight->packets_out;
    tcb->snd_nxt = tx->end;
    tcb->txq.unsent = tx->next;
    tcb->flight->packets_out += tx->segs;
    nb__tally(tcp, tcb, NB_TALLY_TX_BYTES, nb__tx_bytes(tx));
    if (!before || tcb->timers & NB_TCB_TIMER_PROBE)
        nb__rto_rearm(tcp, tcb);
    if (nb__tx_bytes(tx) < (uint32_t)tx->segs * tx->mss)
        tcb->snd_sml = tx->end;
    if (tcb->flags & NB_TCB_PROGRESS)
        tcp->env.progress(tcp->env.arg, tcb);
}

bool nb__send_new(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    if (!nb__flight_take(tcp, tcb))
        return false;
    note_data_sent(tcp, tcb);
    if (!transmit(tcp, tcb, tx, true))
        return false;
    note_new_data_sent(tcp, tcb, tx);
    return true;
}

/* --- sending what may be sent ----------------------------------------------------------------- */

/* Make the first unsent record one that may go now. NULL: nothing may. */
static struct nb_tx *next_to_send(struct nb_tcp *tcp, struct nb_tcb *tcb, uint16_t mss, enum nb_nagle nagle,
                                  enum nb_send_mode mode, struct limits *limited)
{
    struct nb_tx *tx = nb__tx_unsent(tcp, tcb);
    uint32_t segs = congestion_allows(tcb);
    if (!tx)
        return NULL;
    if (!segs && tx->flags & NB_TX_FIN && nb__tx_bytes(tx) <= mss) /* the end is not worth waiting for */
        segs = 1;
    if (!segs && mode != NB_SEND_PROBE)
        return NULL;
    nb__tx_set_segs(tcb, tx, mss);
    part_from_fin(tcp, tcb, tx, mss);
    if (!window_allows(tcb, tx, mss)) {
        limited->rwnd = true;
        return NULL;
    }
    if (tx->segs == 1) {
        if (!nagle_allows(tcb, tx, mss, tx == nb__tx_tail(tcp, tcb) ? nagle : NB_NAGLE_PUSH))
            return NULL;
        return tx;
    }
    uint32_t burst = nb__burst_segs(tcp, tcb, mss);
    if (mode == NB_SEND_ALL && should_defer(tcp, tcb, tx, burst, limited))
        return NULL;
    uint32_t n = split_point(tcp, tcb, tx, mss, nb__min(nb__max(segs, 1), burst), nagle);
    if (nb__tx_bytes(tx) > n && !nb__tx_split(tcp, tcb, tx, n, mss))
        return NULL;
    return tx;
}

bool nb__send_queued(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_nagle nagle, enum nb_send_mode mode)
{
    uint16_t mss = nb__send_mss(tcp, tcb);
    uint32_t sent = 0;
    struct limits limited = {0};
    if (mode == NB_SEND_ALL)
        sent += nb__mtu_probe(tcp, tcb);
    for (struct nb_tx *tx; (tx = next_to_send(tcp, tcb, mss, nagle, mode, &limited));) {
        if ((mode != NB_SEND_PROBE && nb__pace_waits(tcp, tcb)) || !nb__port_room(tcp, tcb) ||
            !nb__send_new(tcp, tcb, tx))
            break;
        sent += tx->segs;
        if (mode != NB_SEND_ALL)
            break;
    }
    if (limited.rwnd)
        nb__chrono_start(tcp, tcb, NB_CHRONO_RWND_LIMITED);
    else
        nb__chrono_stop(tcp, tcb, NB_CHRONO_RWND_LIMITED);
    limited.cwnd |= nb__in_flight(tcb) >= tcb->cwnd;
    if (tcb->flight && (sent || limited.cwnd))
        nb__cwnd_validate(tcp, tcb, limited.cwnd);
    if (!sent)
        return !nb__packets_out(tcb) && tcb->txq.unsent != NB_TX_NONE;
    if (nb_tcb_in_reduction(tcb))
        tcb->flight->prr_out += sent;
    if (mode != NB_SEND_PROBE)
        nb__probe_schedule(tcp, tcb, false);
    return false;
}

/* --- sending the usual ------------------------------------------------------------------------ */

/* What nearly every request and response is: one record that fits a segment and the window, nothing else in flight or
 * queued. Then neither Nagle, cwnd nor bursts are in question. */
static bool is_alone(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_tx *tx, enum nb_nagle nagle)
{
    return !tcb->flight && tcb->txq.head == tcb->txq.unsent && tcb->txq.tail == tcb->txq.unsent &&
           nb__tx_bytes(tx) <= tcb->mss && seq_leq(tx->end, nb_tcb_wnd_end(tcb)) && !(nagle & NB_NAGLE_CORK) &&
           tcb->reasm == NB_REASM_NONE && !(tcb->flags & NB_TCB_DSACK) && !tcp->settings.mtu_probing &&
           !nb__is_paced(tcp, tcb);
}

/* The same as nb__send_queued(), with what is known then. False: nothing could be sent. */
static bool send_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    uint32_t n = nb__tx_bytes(tx);
    uint8_t flags = (uint8_t)((tx->flags & NB_TX_FIN ? NB_TCP_FIN : 0) | (tx->flags & NB_TX_PSH ? NB_TCP_PSH : 0));
    if (!nb__port_room(tcp, tcb) || !nb__flight_take(tcp, tcb) || !nb__emit_data(tcp, tcb, tx->seq, n, flags))
        return false;
    if (cc->event && tcb->history)
        cc->event(tcp, tcb, NB_CC_EVENT_TX_START);
    tcb->data_sent_ms = tcp->now_ms;
    nb__ack_data_sent(tcp, tcb);
    nb__tx_sent_alone(tcp, tcb, tx);
    tcb->snd_nxt = tx->end;
    nb__tally(tcp, tcb, NB_TALLY_TX_BYTES, n);
    if (n < tcb->mss)
        tcb->snd_sml = tx->end;
    if (tcb->flags & NB_TCB_PROGRESS)
        tcp->env.progress(tcp->env.arg, tcb);
    if (unlikely(tcb->chrono == NB_CHRONO_RWND_LIMITED))
        nb__chrono_stop(tcp, tcb, NB_CHRONO_RWND_LIMITED);
    nb__cwnd_validate_one(tcp, tcb);
    if (!nb__probe_schedule(tcp, tcb, true))
        nb__rto_rearm(tcp, tcb);
    return true;
}

void nb__push(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_nagle nagle)
{
    struct nb_tx *tx = nb__tx_unsent(tcp, tcb);
    if (!tx || !nb__may_send(tcb))
        return;
    if (is_alone(tcp, tcb, tx, nagle) && send_alone(tcp, tcb, tx))
        return;
    /* Nothing under way whose ACK would call us again: the window is closed, too small to be worth it, or we are out of
     * buffers. Room at the port comes by itself, but the user may not want to wait for it. */
    if (nb__send_queued(tcp, tcb, nagle, NB_SEND_ALL) && !(tcb->timers & (NB_TCB_TIMERS_SEND | NB_TCB_TIMER_PACE)) &&
        (nb__port_room(tcp, tcb) || tcb->options->user_timeout_ms))
        nb__persist_start(tcp, tcb);
}

void nb__output(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->flags & NB_TCB_FIN_QUEUED && tcb->txq.tail == NB_TX_NONE && seq_leq(tcb->snd_nxt, tcb->snd_end))
        nb__record_fin(tcp, tcb); /* there was no record when it was queued */
    if (tcb->flight && tcb->flight->resend_waits)
        nb__retransmit_lost(tcp, tcb);
    nb__push(tcp, tcb, nb__nagle(tcb));
    if (nb__may_send(tcb) || tcb->state == NB_TCP_FIN_WAIT_2)
        nb__acknowledge(tcp, tcb);
}
