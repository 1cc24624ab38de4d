/* flight.h - what is only needed while data is in flight: the scoreboard's counts, loss recovery, RACK, PRR, undo.
 *
 * A block is taken from the worker's pool when a connection that had nothing in flight sends something, and given back
 * when everything is acknowledged and nothing of this could matter any more. So an idle connection does not pay for it.
 */
#ifndef NB_TCP_FLIGHT_H
#define NB_TCP_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "../wire/segment.h"
#include "sendq.h"
#include "seq.h"

struct nb_tcb;
struct nb_tcp;

struct nb_flight {
    /* Segments. In flight are packets_out - sacked_out - lost_out + retrans_out (RFC 6675's pipe). */
    uint32_t packets_out, sacked_out, lost_out, retrans_out;
    uint32_t lost; /* ever marked lost */

    /* Recovery. */
    nb_seq_t high_seq;                   /* snd_nxt when the present recovery state was entered */
    nb_seq_t sack_high;                  /* end of the highest SACKed record; with sacked_out */
    uint32_t sack_hint;                  /* that record */
    uint32_t retransmit_hint;            /* record to go on from when sending lost ones again */
    struct nb_sendq_place send;          /* the bytes that were sent last */
    struct nb_sendq_place resend;        /* the bytes that were sent again last; since recovery began */
    uint32_t sent_head, sent_tail;       /* records in order of transmission */
    uint32_t prior_cwnd, prior_ssthresh; /* before the reduction; prior_ssthresh 0: it cannot be undone */
    uint32_t prr_delivered, prr_out;     /* RFC 6937 */
    uint64_t retrans_us;                 /* when the first retransmission of this episode was sent; 0: none */
    nb_seq_t undo_marker;                /* snd_una at the start of the episode; with undo_possible */
    int32_t undo_retrans;                /* retransmissions not yet known to be spurious; -1: none sent so far */
    bool undo_possible;
    bool frto;         /* RFC 5682: is this time-out spurious? */
    bool reneged;      /* the peer took SACKs back */
    bool resend_waits; /* for room at the port */

    /* Tail loss probe (RFC 8985 §7). */
    bool tlp, tlp_retrans; /* one is out; it was a retransmission */
    nb_seq_t tlp_high_seq;

    /* RACK (RFC 8985 §6): the most recently sent segment that was delivered. */
    uint64_t rack_sent_us;
    nb_seq_t rack_end;
    uint32_t rack_rtt_us;
    uint32_t rack_last_delivered;
    bool rack_advanced, rack_dsack_seen;

    /* Congestion window validation: was cwnd the limit? */
    bool cwnd_limited;
    nb_seq_t cwnd_usage_seq;
    uint32_t max_packets_out;

    /* Delivery rate (draft-cheng-iccrg-delivery-rate-estimation). */
    uint64_t first_sent_us, delivered_us;
    uint32_t app_limited; /* delivered when the bubble in the flow will be gone; 0: none */

    /* MTU probing (RFC 4821). */
    nb_seq_t mtu_probe_seq, mtu_probe_end;
    uint16_t mtu_probe_bytes; /* 0: none in flight */

    struct nb_seq_range sacks_seen[NB_SEG_SACK_MAX]; /* blocks of the last ACK that had any: what is not news */
    uint32_t n_sacks_seen;
};

/* Is there more to it than segments on their way: SACKs, losses, a reduction that may be undone, a probe? */
static inline bool nb__flight_is_unusual(const struct nb_flight *f)
{
    return f->sacked_out | f->lost_out | f->retrans_out | f->undo_possible | f->reneged | f->resend_waits | f->tlp |
           f->rack_dsack_seen | f->mtu_probe_bytes;
}

/* See that the TCB has one. False when the pool is empty. */
bool nb__flight_take(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Give it back if nothing in it matters; or in any case. */
void nb__flight_settle(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__flight_drop(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
