/* retransmit.c - sending records again. */
#include "core.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"
#include "pace.h"

/* May the record behind be sent in one segment with this one? */
static bool may_join(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_tx *tx, uint32_t room)
{
    const struct nb_tx *next = nb__tx_next(tcp, tx);
    return next && seq_lt(next->seq, tcb->snd_nxt) && tx->segs == 1 && next->segs == 1 &&
           !(tx->flags & (NB_TX_EOR | NB_TX_FIN | NB_TX_PIECES)) && !(next->flags & NB_TX_PIECES) &&
           !((tx->marks | next->marks) & NB_TX_SACKED) && nb__tx_bytes(tx) + nb__tx_bytes(next) <= room &&
           seq_leq(next->end, nb_tcb_wnd_end(tcb));
}

/* Small records that follow one another are sent again as one. */
static void join_small(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t room)
{
    while (nb__tx_bytes(tx) < room && may_join(tcp, tcb, tx, room))
        nb__tx_join(tcp, tcb, tx);
}

/* Bytes that may be sent again: what the peer's window takes, in whole segments. A window that was shrunk to nothing is
 * probed with one segment of the oldest data. 0: none. */
static uint32_t window_takes(const struct nb_tcb *tcb, const struct nb_tx *tx, uint32_t wanted, uint16_t mss)
{
    int32_t window = (int32_t)(nb_tcb_wnd_end(tcb) - tx->seq);
    if (window <= 0) {
        if (tx->seq != tcb->snd_una)
            return 0;
        window = mss;
    }
    if (wanted <= (uint32_t)window)
        return wanted;
    uint32_t whole = (uint32_t)window / mss * mss;
    return whole ? whole : (uint32_t)window;
}

/* Bring the record into the shape it is to be sent in. */
static bool shape(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t segs)
{
    uint16_t mss = nb__send_mss(tcp, tcb);
    if (seq_lt(tx->seq, tcb->snd_una))
        nb__tx_trim(tcp, tcb, tx, tcb->snd_una - tx->seq);
    uint32_t bytes = window_takes(tcb, tx, segs * mss, mss);
    if (!bytes)
        return false;
    if (nb__tx_bytes(tx) > bytes)
        return nb__tx_split(tcp, tcb, tx, bytes, mss);
    nb__tx_set_segs(tcb, tx, mss);
    join_small(tcp, tcb, tx, nb__min(bytes, mss));
    return true;
}

static void account(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    struct nb_history *h = nb__history(tcp, tcb);
    h->retransmitted += tx->segs;
    h->retransmitted_bytes += nb__tx_bytes(tx);
    tcp->counters[NB_COUNTER_RETRANSMITTED] += tx->segs;
    tcb->data_sent_ms = tcp->now_ms;
}

/* Send it, whatever that means for recovery: a tail loss probe means nothing. */
bool nb__resend(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t segs)
{
    tcb->flight->resend_waits = !nb__port_room(tcp, tcb);
    if (tcb->flight->resend_waits)
        return false;
    tcb->flight->mtu_probe_bytes = 0; /* whatever it was lost for, it says nothing about the size */
    if (!shape(tcp, tcb, tx, segs))
        return false;
    tx->marks |= NB_TX_EVER_RETRANS;
    account(tcp, tcb, tx);
    return nb__tx_transmit(tcp, tcb, tx);
}

bool nb__retransmit(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t segs)
{
    struct nb_flight *f = tcb->flight;
    bool sent = nb__resend(tcp, tcb, tx, segs);
    if (sent) {
        tx->marks |= NB_TX_RETRANS;
        f->retrans_out += tx->segs;
    }
    if (!f->retrans_us)
        f->retrans_us = tcp->now_us;
    f->undo_retrans = (f->undo_retrans < 0 ? 0 : f->undo_retrans) + tx->segs;
    return sent;
}

/* Lost records again, as far as cwnd allows, lowest first. */
void nb__retransmit_lost(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    if (!f || !f->packets_out)
        return;
    uint32_t burst = nb__burst_segs(tcp, tcb, nb__send_mss(tcp, tcb));
    struct nb_tx *head = nb__tx_head(tcp, tcb), *tx = nb__tx_at(tcp, f->retransmit_hint), *hole = NULL;
    bool rearm = false;
    for (tx = tx ? tx : head; tx && seq_lt(tx->seq, tcb->snd_nxt); tx = nb__tx_next(tcp, tx)) {
        if (!hole)
            f->retransmit_hint = (uint32_t)(tx - tcp->tx.records);
        uint32_t out = nb__in_flight(tcb);
        if (out >= tcb->cwnd || f->retrans_out >= f->lost_out)
            break;
        if (!(tx->marks & NB_TX_LOST)) {
            if (!hole && !(tx->marks & (NB_TX_SACKED | NB_TX_RETRANS)))
                hole = tx;
            continue;
        }
        if (tx->marks & (NB_TX_SACKED | NB_TX_RETRANS))
            continue;
        f->resend_waits = nb__pace_waits(tcp, tcb);
        if (f->resend_waits || !nb__retransmit(tcp, tcb, tx, nb__min(tcb->cwnd - out, burst)))
            break;
        if (nb_tcb_in_reduction(tcb))
            f->prr_out += tx->segs;
        rearm |= tx == head && !(tcb->timers & NB_TCB_TIMER_REORDER);
    }
    if (rearm)
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, tcb->rto_us);
}
