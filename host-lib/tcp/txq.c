/* txq.c - see txq.h. */
#include "txq.h"

#include <sys/mman.h>

#include "core.h"
#include "flight.h"
#include "minmax.h"

/* --- pool ------------------------------------------------------------------------------------- */

bool nb__tx_pool_init(struct nb_tx_pool *pool, uint32_t capacity)
{
    void *p = mmap(NULL, (size_t)capacity * sizeof *pool->records, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    *pool = (struct nb_tx_pool){.capacity = capacity, .free_head = NB_TX_NONE};
    if (p == MAP_FAILED)
        return false;
    pool->records = p;
    return true;
}

void nb__tx_pool_fini(struct nb_tx_pool *pool)
{
    if (pool->records)
        munmap(pool->records, (size_t)pool->capacity * sizeof *pool->records);
}

struct nb_tx *nb__tx_get(struct nb_tx_pool *pool)
{
    struct nb_tx *tx = NULL;
    if (pool->free_head != NB_TX_NONE) {
        tx = &pool->records[pool->free_head];
        pool->free_head = tx->next;
    } else if (pool->fresh < pool->capacity) {
        tx = &pool->records[pool->fresh++];
    }
    return tx;
}

static uint32_t index_of(const struct nb_tcp *tcp, const struct nb_tx *tx)
{
    return (uint32_t)(tx - tcp->tx.records);
}

void nb__tx_put(struct nb_tcp *tcp, struct nb_tx *tx)
{
    tx->next = tcp->tx.free_head;
    tcp->tx.free_head = index_of(tcp, tx);
}

/* --- looking ---------------------------------------------------------------------------------- */

struct nb_tx *nb__tx_at(const struct nb_tcp *tcp, uint32_t index)
{
    return index == NB_TX_NONE ? NULL : &tcp->tx.records[index];
}

struct nb_tx *nb__tx_next(const struct nb_tcp *tcp, const struct nb_tx *tx)
{
    return nb__tx_at(tcp, tx->next);
}

struct nb_tx *nb__tx_head(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return tcb->txq.head == tcb->txq.unsent ? NULL : nb__tx_at(tcp, tcb->txq.head);
}

struct nb_tx *nb__tx_last(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    const struct nb_tx *unsent = nb__tx_unsent(tcp, tcb);
    return nb__tx_at(tcp, unsent ? unsent->prev : tcb->txq.tail);
}

struct nb_tx *nb__tx_unsent(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return nb__tx_at(tcp, tcb->txq.unsent);
}

struct nb_tx *nb__tx_tail(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return nb__tx_at(tcp, tcb->txq.tail);
}

/* --- order of transmission -------------------------------------------------------------------- */

void nb__tx_unlist(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    struct nb_flight *flight = tcb->flight;
    if (!tx->listed)
        return;
    struct nb_tx *next = nb__tx_at(tcp, tx->sent_next), *prev = nb__tx_at(tcp, tx->sent_prev);
    *(next ? &next->sent_prev : &flight->sent_tail) = tx->sent_prev;
    *(prev ? &prev->sent_next : &flight->sent_head) = tx->sent_next;
    tx->listed = false;
}

/* Put tx behind `prev`; NULL: at the front. */
static void list_behind(struct nb_tcp *tcp, struct nb_flight *flight, struct nb_tx *prev, struct nb_tx *tx)
{
    struct nb_tx *next = nb__tx_at(tcp, prev ? prev->sent_next : flight->sent_head);
    tx->sent_prev = prev ? index_of(tcp, prev) : NB_TX_NONE;
    tx->sent_next = next ? index_of(tcp, next) : NB_TX_NONE;
    *(prev ? &prev->sent_next : &flight->sent_head) = index_of(tcp, tx);
    *(next ? &next->sent_prev : &flight->sent_tail) = index_of(tcp, tx);
    tx->listed = true;
}

void nb__tx_list(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    nb__tx_unlist(tcp, tcb, tx);
    list_behind(tcp, tcb->flight, nb__tx_at(tcp, tcb->flight->sent_tail), tx);
}

/* It was all there was, so its neighbours need not be told. */
static void remove_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    nb__txq_init(&tcb->txq);
    tcb->sendq.charged_bytes -= tx->cost;
    nb__tx_put(tcp, tx);
}

void nb__tx_acked_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    if (tx->next == NB_TX_NONE)
        remove_alone(tcp, tcb, tx);
    else
        nb__tx_remove(tcp, tcb, tx);
}

void nb__tx_sent_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    struct nb_flight *f = tcb->flight;
    f->sent_head = f->sent_tail = index_of(tcp, tx);
    f->packets_out = 1;
    tx->sent_us = tx->first_sent_us = tx->delivered_us = tcp->now_us;
    tx->delivered = tcb->delivered;
    tx->in_flight = 1;
    tx->lost = 0;
    tx->segs = 1;
    tx->mss = tcb->mss;
    tx->sent_next = tx->sent_prev = NB_TX_NONE;
    tx->listed = true;
    tcb->txq.unsent = NB_TX_NONE;
}

/* --- sequence order --------------------------------------------------------------------------- */

void nb__txq_init(struct nb_txq *q)
{
    *q = (struct nb_txq){.head = NB_TX_NONE, .tail = NB_TX_NONE, .unsent = NB_TX_NONE};
}

void nb__txq_free(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    for (struct nb_tx *tx = nb__tx_at(tcp, tcb->txq.head), *next; tx; tx = next) {
        next = nb__tx_next(tcp, tx);
        nb__tx_put(tcp, tx);
    }
    nb__txq_init(&tcb->txq);
}

static void insert_behind(struct nb_tcp *tcp, struct nb_txq *q, struct nb_tx *prev, struct nb_tx *tx)
{
    struct nb_tx *next = nb__tx_at(tcp, prev ? prev->next : q->head);
    tx->prev = prev ? index_of(tcp, prev) : NB_TX_NONE;
    tx->next = next ? index_of(tcp, next) : NB_TX_NONE;
    *(prev ? &prev->next : &q->head) = index_of(tcp, tx);
    *(next ? &next->prev : &q->tail) = index_of(tcp, tx);
}

struct nb_tx *nb__tx_append(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *tx = nb__tx_get(&tcp->tx);
    if (!tx)
        return NULL;
    *tx = (struct nb_tx){
        .next = NB_TX_NONE, .prev = NB_TX_NONE, .seq = tcb->snd_end, .end = tcb->snd_end, .cost = NB_TX_OVERHEAD_BYTES};
    uint32_t index = index_of(tcp, tx);
    if (tcb->txq.head == NB_TX_NONE)
        tcb->txq.head = tcb->txq.tail = index;
    else
        insert_behind(tcp, &tcb->txq, nb__tx_tail(tcp, tcb), tx);
    if (tcb->txq.unsent == NB_TX_NONE)
        tcb->txq.unsent = index;
    tcb->sendq.charged_bytes += tx->cost;
    return tx;
}

static void forget(struct nb_flight *flight, uint32_t index)
{
    if (!flight)
        return;
    if (flight->retransmit_hint == index)
        flight->retransmit_hint = NB_TX_NONE;
    if (flight->sack_hint == index)
        flight->sack_hint = NB_TX_NONE;
}

void nb__tx_remove(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    struct nb_txq *q = &tcb->txq;
    struct nb_tx *next = nb__tx_at(tcp, tx->next), *prev = nb__tx_at(tcp, tx->prev);
    nb__tx_unlist(tcp, tcb, tx);
    forget(tcb->flight, index_of(tcp, tx));
    if (q->unsent == index_of(tcp, tx))
        q->unsent = tx->next;
    *(next ? &next->prev : &q->tail) = tx->prev;
    *(prev ? &prev->next : &q->head) = tx->next;
    tcb->sendq.charged_bytes -= tx->cost;
    nb__tx_put(tcp, tx);
}

/* --- counts ----------------------------------------------------------------------------------- */

static void adjust_counts(struct nb_flight *flight, const struct nb_tx *tx, int fewer)
{
    flight->packets_out -= (uint32_t)fewer;
    if (tx->marks & NB_TX_SACKED)
        flight->sacked_out -= (uint32_t)fewer;
    if (tx->marks & NB_TX_RETRANS)
        flight->retrans_out -= (uint32_t)fewer;
    if (tx->marks & NB_TX_LOST)
        flight->lost_out -= (uint32_t)fewer;
}

static uint16_t segs_for(uint32_t bytes, uint16_t mss)
{
    return bytes <= mss ? 1 : (uint16_t)((bytes + mss - 1) / mss);
}

static bool in_flight(const struct nb_tcb *tcb, const struct nb_tx *tx)
{
    return seq_lt(tx->seq, tcb->snd_nxt);
}

void nb__tx_set_segs(struct nb_tcb *tcb, struct nb_tx *tx, uint16_t mss)
{
    uint16_t before = tx->segs;
    tx->mss = mss;
    tx->segs = segs_for(nb__tx_bytes(tx), mss);
    if (in_flight(tcb, tx) && tcb->flight)
        adjust_counts(tcb->flight, tx, before - tx->segs);
}

bool nb__tx_split(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t n, uint16_t mss)
{
    struct nb_tx *rest = nb__tx_get(&tcp->tx);
    if (!rest)
        return false;
    *rest = *tx;
    rest->listed = false;
    rest->seq = tx->end = tx->seq + n;
    tx->flags &= (uint8_t) ~(NB_TX_FIN | NB_TX_PSH | NB_TX_EOR);
    rest->cost = NB_TX_OVERHEAD_BYTES + nb__tx_bytes(rest);
    tx->cost -= nb__tx_bytes(rest);
    tcb->sendq.charged_bytes += NB_TX_OVERHEAD_BYTES;
    insert_behind(tcp, &tcb->txq, tx, rest);
    bool flying = in_flight(tcb, tx);
    uint16_t before = tx->segs;
    tx->mss = rest->mss = mss;
    tx->segs = segs_for(nb__tx_bytes(tx), mss);
    rest->segs = segs_for(nb__tx_bytes(rest), mss);
    if (flying && tcb->flight)
        adjust_counts(tcb->flight, tx, before - tx->segs - rest->segs);
    if (tx->listed)
        list_behind(tcp, tcb->flight, tx, rest);
    return true;
}

void nb__tx_join(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx)
{
    struct nb_tx *rest = nb__tx_next(tcp, tx);
    uint32_t bytes = nb__tx_bytes(rest);
    bool sent = in_flight(tcb, rest); /* a probe for the MTU joins what was not, and has no segments yet */
    if (sent)
        adjust_counts(tcb->flight, rest, rest->segs);
    tx->end = rest->end;
    tx->flags |= rest->flags;
    tx->marks |= rest->marks & NB_TX_EVER_RETRANS;
    tx->cost += bytes;
    tcb->sendq.charged_bytes += bytes;
    nb__tx_remove(tcp, tcb, rest);
    if (sent)
        nb__tx_set_segs(tcb, tx, tx->mss);
}

void nb__tx_trim(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t n)
{
    (void)tcp;
    tx->seq += n;
    tx->cost -= n;
    tcb->sendq.charged_bytes -= n;
    nb__tx_set_segs(tcb, tx, tx->mss);
}
