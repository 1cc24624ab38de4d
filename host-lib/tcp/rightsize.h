/* rightsize.h - the receive buffer follows the path. */
#ifndef NB_TCP_RIGHTSIZE_H
#define NB_TCP_RIGHTSIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "seq.h"

struct nb_seg;
struct nb_tcb;
struct nb_tcp;

/* What it takes; part of struct nb_history, since only connections that receive much need it. */
struct nb_rightsize {
    uint32_t seen_at;      /* the last burst that was looked at */
    uint32_t rtt_us;       /* as the receiver sees it, times 8; 0: not measured yet */
    uint32_t rtt_at;       /* a measurement by window began then, */
    nb_seq_t rtt_seq;      /* and ends when this has arrived */
    uint32_t ts_echo;      /* the last echo that was measured */
    uint32_t copied_bytes; /* what the application took in a round trip; 0: nothing was counted yet */
    uint32_t copied_at;    /* when counting began, */
    nb_seq_t copied_seq;   /* and up to where the application had read */
};

/* From so many bytes on a connection may be one that receives much: less than the ten segments that a sender begins
 * with, so that its second round trip is counted whole. */
#define NB_RIGHTSIZE_FROM_BYTES 8192

/* What the application took in a round trip: of this connection, as far as that is known. */
uint32_t nb__rightsize_copied(const struct nb_tcb *tcb);

/* A full segment of data has arrived on such a connection, and what is in order of it is not delivered yet. */
void nb__rightsize(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

#endif
