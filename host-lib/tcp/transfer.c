/* transfer.c - see transfer.h. */
#include "transfer.h"

#include <string.h>

#include <rte_mbuf.h>

#include "core.h"
#include "flight.h"
#include "stream.h"

const char *nb_transfer_obstacle(const struct nb_tcb *tcb)
{
    if (nb_tcb_gone(tcb))
        return "it has ended";
    if (tcb->pins & NB_PIN_APP)
        return "pinned: app";
    if (tcb->pins & NB_PIN_OPERATOR)
        return "pinned: operator";
    if (tcb->flags & NB_TCB_SOCKET)
        return "pinned: it belongs to a socket";
    if (tcb->state == NB_TCP_SYN_SENT)
        return "busy: it is being opened";
    if (tcb->flags & NB_TCB_FASTOPEN)
        return "busy: its handshake with Fast Open is not done";
    return NULL;
}

static uint32_t count_records(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t n = 0;
    for (const struct nb_tx *tx = nb__tx_at(tcp, tcb->txq.head); tx; tx = nb__tx_next(tcp, tx))
        n++;
    return n;
}

void nb_transfer_measure(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_transfer_size *size)
{
    *size = (struct nb_transfer_size){.records = count_records(tcp, tcb)};
    for (const struct rte_mbuf *m = tcb->sendq.head; m; m = m->next)
        size->send_mbufs++;
    nb_reasm_size(&tcp->reasm, tcb->reasm, &size->ranges, &size->reasm_mbufs);
}

/* --- a place at the target ------------------------------------------------------------------------------------------
 */

static void give_back_records(struct nb_tcp *tcp, uint32_t *head)
{
    for (struct nb_tx *tx = nb__tx_at(tcp, *head), *next; tx; tx = next) {
        next = nb__tx_next(tcp, tx);
        nb__tx_put(tcp, tx);
    }
    *head = NB_TX_NONE;
}

static bool take_records(struct nb_tcp *tcp, uint32_t n, uint32_t *head)
{
    *head = NB_TX_NONE;
    for (uint32_t i = 0; i < n; i++) {
        struct nb_tx *tx = nb__tx_get(&tcp->tx);
        if (!tx) {
            give_back_records(tcp, head);
            return false;
        }
        tx->next = *head;
        *head = (uint32_t)(tx - tcp->tx.records);
    }
    return true;
}

void nb_berth_give_back(struct nb_tcp *tcp, struct nb_berth *berth)
{
    nb_reasm_unreserve(&tcp->reasm, berth->size.reasm_mbufs, &berth->ranges);
    give_back_records(tcp, &berth->records);
    tcp->send.mbufs -= berth->size.send_mbufs;
    tcp->memory.promised -= berth->size.send_mbufs + berth->size.reasm_mbufs;
    if (berth->tcb) {
        nb__flight_drop(tcp, berth->tcb);
        nb__tcb_recycle(tcp, berth->tcb);
    }
    *berth = (struct nb_berth){.records = NB_TX_NONE, .ranges = NB_REASM_NONE};
}

bool nb_berth_take(struct nb_tcp *tcp, const struct nb_transfer_size *size, struct nb_berth *berth)
{
    *berth = (struct nb_berth){.records = NB_TX_NONE, .ranges = NB_REASM_NONE};
    if (tcp->send.mbufs + size->send_mbufs > tcp->send.mbufs_max)
        return false;
    if (!nb_reasm_reserve(&tcp->reasm, size->ranges, size->reasm_mbufs, &berth->ranges))
        return false;
    berth->size = *size;
    tcp->send.mbufs += size->send_mbufs;
    tcp->memory.promised += size->send_mbufs + size->reasm_mbufs;
    berth->tcb = nb__tcb_reserve(tcp);
    if (berth->tcb && nb__flight_take(tcp, berth->tcb) && take_records(tcp, size->records, &berth->records))
        return true;
    nb_berth_give_back(tcp, berth);
    return false;
}

/* --- leaving -------------------------------------------------------------------------------------------------------
 */

void nb_transfer_leave(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_transfer *t)
{
    nb_transfer_measure(tcp, tcb, &t->size);
    t->tcb = *tcb;
    t->source = tcp;
    tcb->sendq = (struct nb_sendq){0};
    nb__txq_init(&tcb->txq);
    tcb->flight = NULL;
    tcb->history = NULL;
    tcb->reasm = NB_REASM_NONE;
    nb__tcb_release(tcp, tcb);
}

/* The parts without their buffers. Out-of-order data is the target's from now on; it is bounded per connection. */
void nb_transfer_finish(struct nb_tcp *tcp, struct nb_transfer *t)
{
    nb__txq_free(tcp, &t->tcb);
    nb__flight_drop(tcp, &t->tcb);
    nb__history_drop(tcp, &t->tcb);
    nb_reasm_forget(&tcp->reasm, &t->tcb.reasm);
}

void nb_transfer_settle(struct nb_tcp *tcp, uint32_t send_mbufs)
{
    tcp->send.mbufs -= send_mbufs;
}

void nb_transfer_discard(struct nb_tcp *tcp, struct nb_transfer *t)
{
    nb_sendq_free(&t->tcb.sendq, &tcp->send);
    nb_reasm_free(&tcp->reasm, &t->tcb.reasm);
    nb_transfer_finish(tcp, t);
}

/* --- arriving ------------------------------------------------------------------------------------------------------
 */

/* Copy the records, in sequence order. Each of theirs remembers in prev, which it needs no more, which of ours it
 * became. */
static void copy_records(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_berth *berth, const struct nb_transfer *t)
{
    uint32_t last = NB_TX_NONE;
    for (struct nb_tx *theirs = nb__tx_at(t->source, t->tcb.txq.head), *next; theirs; theirs = next) {
        uint32_t index = berth->records;
        struct nb_tx *tx = nb__tx_at(tcp, index);
        next = nb__tx_next(t->source, theirs);
        berth->records = tx->next;
        *tx = *theirs;
        tx->prev = last;
        tx->next = tx->sent_next = tx->sent_prev = NB_TX_NONE;
        tx->listed = false;
        theirs->prev = index;
        if (last == NB_TX_NONE)
            tcb->txq.head = index;
        else
            nb__tx_at(tcp, last)->next = index;
        last = index;
    }
    tcb->txq.tail = last;
}

/* What became of one of their records. */
static uint32_t ours(const struct nb_transfer *t, uint32_t theirs)
{
    return theirs == NB_TX_NONE ? NB_TX_NONE : nb__tx_at(t->source, theirs)->prev;
}

static void copy_flight(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_transfer *t)
{
    const struct nb_flight *theirs = t->tcb.flight;
    struct nb_flight *flight = tcb->flight;
    *flight = *theirs;
    flight->sack_hint = ours(t, theirs->sack_hint);
    flight->retransmit_hint = ours(t, theirs->retransmit_hint);
    flight->sent_head = flight->sent_tail = NB_TX_NONE;
    for (uint32_t i = theirs->sent_head; i != NB_TX_NONE; i = nb__tx_at(t->source, i)->sent_next)
        nb__tx_list(tcp, tcb, nb__tx_at(tcp, ours(t, i)));
}

/* The TCB as it was, but for what has another name or place here. */
static void copy_tcb(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_transfer *t)
{
    uint32_t generation = tcb->generation, index = tcb->index;
    struct nb_flight *flight = tcb->flight;
    *tcb = t->tcb;
    tcb->generation = generation ? generation : 1;
    tcb->index = index;
    tcb->flight = flight;
    nb__history_copy(tcp, tcb, t->tcb.history);
    tcb->flags &= ~(uint32_t)NB_TCB_LISTED;
    tcb->list_next = NB_TCB_NONE;
    tcb->hash = nb_flow_hash(tcp->config.flows, &tcb->flow.key);
    tcb->path = NB_PATH_NONE;
    tcb->timer = (struct nb_timer){0};
    tcb->state = NB_TCP_CLOSED;
    tcb->moves++;
    nb__txq_init(&tcb->txq);
}

/* Those of the same listener here: what moves has no others (nb_transfer_obstacle). */
static const struct nb_tcp_options *listeners_options(struct nb_tcp *tcp, const void *listener_user)
{
    const struct nb_listener *l = listener_user ? nb_listen_of(&tcp->listen, listener_user) : NULL;
    return l ? l->options : &nb_tcp_options_default;
}

struct nb_tcb *nb_transfer_arrive(struct nb_tcp *tcp, struct nb_berth *berth, struct nb_transfer *t,
                                  void *listener_user, uint64_t now_us)
{
    struct nb_tcb *tcb = berth->tcb;
    uint32_t hash = nb_flow_hash(tcp->config.flows, &t->tcb.flow.key);
    nb__set_now(tcp, now_us);
    tcb->flow = t->tcb.flow;
    if (!nb_flow_insert(tcp->config.flows, NB_FLOW_TCB, &tcb->flow, hash))
        return NULL;
    copy_tcb(tcp, tcb, t);
    tcb->listener_user = listener_user;
    tcb->options = listeners_options(tcp, listener_user);
    copy_records(tcp, tcb, berth, t);
    tcb->txq.unsent = ours(t, t->tcb.txq.unsent);
    if (t->tcb.flight)
        copy_flight(tcp, tcb, t);
    else
        nb__flight_drop(tcp, tcb);
    tcp->reasm.mbufs -= berth->size.reasm_mbufs; /* adopted ones count themselves */
    tcp->memory.promised -= berth->size.reasm_mbufs + t->size.send_mbufs;
    berth->size.reasm_mbufs = 0;
    tcb->reasm = nb_reasm_adopt(&tcp->reasm, &berth->ranges, &t->source->reasm, t->tcb.reasm);
    berth->size.send_mbufs -= t->size.send_mbufs;
    berth->tcb = NULL;
    nb_berth_give_back(tcp, berth);
    nb__tcb_set_state(tcp, tcb, t->tcb.state);
    tcp->live++;
    tcp->memory.kept += tcb->rcv_kept;
    nb__timers_adopt(tcp, tcb);
    nb__tcb_pend(tcp, tcb);
    return tcb;
}

void nb_transfer_buffers(const struct nb_tcp *tcp, const struct nb_tcb *tcb,
                         void (*fn)(void *arg, struct rte_mbuf *first), void *arg)
{
    fn(arg, tcb->sendq.head);
    for (uint32_t i = tcb->reasm; i != NB_REASM_NONE; i = tcp->reasm.ranges[i].next)
        fn(arg, tcp->reasm.ranges[i].first);
}
