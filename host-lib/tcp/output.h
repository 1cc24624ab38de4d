/* output.h - sending new data. */
#ifndef NB_TCP_OUTPUT_H
#define NB_TCP_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "../wire/segment_plain.h"

struct nb_tcb;
struct nb_tcp;
struct nb_tx;

/* What holds a small segment back. */
enum nb_nagle {
    NB_NAGLE_ON = 0,        /* an earlier small one in flight (RFC 9293 §3.7.4) */
    NB_NAGLE_OFF = 1 << 0,  /* nothing: TCP_NODELAY */
    NB_NAGLE_CORK = 1 << 1, /* everything: TCP_CORK, MSG_MORE */
    NB_NAGLE_PUSH = 1 << 2, /* nothing, this time */
};

enum nb_send_mode {
    NB_SEND_ALL,   /* as much as may */
    NB_SEND_ONE,   /* one burst, from within a long write */
    NB_SEND_PROBE, /* one segment, beyond cwnd: a tail loss probe */
};

/* May data leave in this state? */
bool nb__may_send(const struct nb_tcb *tcb);

/* Payload of a segment that is sent now: SACK blocks for the peer take some of it. */
uint16_t nb__send_mss(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

enum nb_nagle nb__nagle(const struct nb_tcb *tcb);

/* Is there room at the port? If not, the connection is tried again when a later burst ends. */
bool nb__port_room(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Send queued data. True when there is some, none may be sent and none is in flight: then somebody has to ask again. */
bool nb__send_queued(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_nagle nagle, enum nb_send_mode mode);

/* emit.c: segments of one record, sent one after the other with nothing in between that changes the TCB: their headers
 * are made once if they are plain (segment_plain.h). nb__row_emit is else what nb__emit_data is. */
struct nb_seg_row {
    bool plain;
    struct nb_seg_headers headers;
};

void nb__row_begin(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg_row *row);
bool nb__row_emit(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg_row *row, nb_seq_t seq, unsigned n,
                  uint8_t flags);

/* The same, and probing starts where it says so. */
void nb__push(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_nagle nagle);

/* Send the first unsent record as it is. False when buffers are short: it stays unsent. */
bool nb__send_new(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

/* Emit the segments of a record and note the time; its counts and marks are the caller's business. */
bool nb__tx_transmit(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

/* The end of a burst: send what may be sent, then an ACK if one is due and nothing carried it. */
void nb__output(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
