/* txq.h - transmission records: which bytes of the send queue go, or went, out together, and what became of them.
 *
 * A record is a run of sequence numbers that was written together and is sent as one burst of segments. Records lie in
 * sequence order from snd_una to the end of what was written; `unsent` is the first that was never transmitted. A
 * record in flight knows when it was last sent and whether it was SACKed, believed lost, or sent again; those are also
 * in a list by time of transmission, for RACK. Records say which bytes; the bytes themselves are in the send queue.
 *
 * Splitting keeps all of that. Counts of segments in flight are kept in struct nb_flight, and only functions here and
 * in the scoreboard's files (sack.c, rack.c, retransmit.c, ack.c) change them together with the marks.
 */
#ifndef NB_TCP_TXQ_H
#define NB_TCP_TXQ_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "seq.h"

struct nb_flight;
struct nb_tcb;
struct nb_tcp;

#define NB_TX_NONE UINT32_MAX

/* What Linux charges a send buffer for each packet beside its bytes. Charging the same makes SO_SNDBUF mean the same to
 * programs; what a record and its mbufs cost here is less. */
#define NB_TX_OVERHEAD_BYTES 896

enum nb_tx_flag {
    NB_TX_FIN = 1 << 0,
    NB_TX_PSH = 1 << 1,
    NB_TX_EOR = 1 << 2,    /* nothing may be joined behind it (MSG_EOR) */
    NB_TX_PIECES = 1 << 3, /* written in pieces that count (MSG_ZEROCOPY) */
    NB_TX_PROBE = 1 << 4,  /* larger than the MSS, to try the path (RFC 4821) */
};

enum nb_tx_mark {
    NB_TX_SACKED = 1 << 0,
    NB_TX_LOST = 1 << 1,
    NB_TX_RETRANS = 1 << 2, /* a retransmission is in flight */
    NB_TX_EVER_RETRANS = 1 << 3,
};

struct nb_tx {
    uint32_t next, prev;           /* sequence order; next also links free records */
    uint32_t sent_next, sent_prev; /* order of transmission, while in flight and not SACKed */
    nb_seq_t seq, end;             /* end counts a FIN */
    uint64_t sent_us;
    uint64_t delivered_us, first_sent_us; /* of the connection when this was sent (draft-cheng-iccrg-delivery-rate) */
    uint32_t delivered;
    uint32_t in_flight, lost; /* segments: with this one; ever marked lost in this flight before */
    uint32_t cost;            /* charged to the send buffer */
    uint16_t segs;            /* at that many bytes each: */
    uint16_t mss;
    uint8_t flags, marks;
    uint8_t pieces;
    bool app_limited : 1, listed : 1; /* listed: in the order of transmission */
};

struct nb_tx_pool {
    struct nb_tx *records;
    uint32_t capacity, fresh, free_head;
};

struct nb_txq {
    uint32_t head, tail, unsent;
};

static_assert(sizeof(struct nb_tx) == 72, "there is one for each buffer");

bool nb__tx_pool_init(struct nb_tx_pool *pool, uint32_t capacity);
void nb__tx_pool_fini(struct nb_tx_pool *pool);

/* A record for whatever purpose, linked through next by whoever holds it; NULL: the pool is empty. And back. */
struct nb_tx *nb__tx_get(struct nb_tx_pool *pool);
void nb__tx_put(struct nb_tcp *tcp, struct nb_tx *tx);

void nb__txq_init(struct nb_txq *q);
void nb__txq_free(struct nb_tcp *tcp, struct nb_tcb *tcb);

static inline uint32_t nb__tx_bytes(const struct nb_tx *tx)
{
    return tx->end - tx->seq - ((tx->flags & NB_TX_FIN) != 0);
}

/* By index; NULL for NB_TX_NONE. */
struct nb_tx *nb__tx_at(const struct nb_tcp *tcp, uint32_t index);
struct nb_tx *nb__tx_next(const struct nb_tcp *tcp, const struct nb_tx *tx);
struct nb_tx *nb__tx_head(const struct nb_tcp *tcp, const struct nb_tcb *tcb);   /* first in flight; NULL: none */
struct nb_tx *nb__tx_last(const struct nb_tcp *tcp, const struct nb_tcb *tcb);   /* last in flight */
struct nb_tx *nb__tx_unsent(const struct nb_tcp *tcp, const struct nb_tcb *tcb); /* first never sent */
struct nb_tx *nb__tx_tail(const struct nb_tcp *tcp, const struct nb_tcb *tcb);   /* last of all */

/* A new empty record at the end of what was written; NULL when the pool is empty. */
struct nb_tx *nb__tx_append(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Cut tx after its first n bytes; the rest is a record of its own behind it. False when the pool is empty. */
bool nb__tx_split(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t n, uint16_t mss);

/* Join tx with the record behind it; the caller has seen to it that both are of a kind. */
void nb__tx_join(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

/* Drop the first n bytes of tx, which were acknowledged. */
void nb__tx_trim(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t n);

/* Take a record out and free it. */
void nb__tx_remove(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

/* How many segments of mss the record takes. Counts in flight follow if it is in flight. */
void nb__tx_set_segs(struct nb_tcb *tcb, struct nb_tx *tx, uint16_t mss);

/* The only record in flight was acknowledged, and the flight ends. */
void nb__tx_acked_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

/* The only record was sent just now, as one segment, on a fresh flight. */
void nb__tx_sent_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

/* Order of transmission: tx was sent just now, or is no longer of interest. */
void nb__tx_list(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);
void nb__tx_unlist(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

#endif
