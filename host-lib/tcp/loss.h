/* loss.h - finding out what was lost, and what is done about it: what the files of loss recovery call in each other.
 *
 *   ack.c         the ACK step: what was newly acknowledged, round trips, and the order in which the rest is asked
 *   sack.c        SACK blocks against the records (RFC 2018, RFC 2883)
 *   rack.c        RACK (RFC 8985 §6) and NewReno's dupthresh: which records are lost
 *   tlp.c         tail loss probes (RFC 8985 §7)
 *   recovery.c    the recovery states and the way between them (RFC 6675 §5 in spirit, RFC 5681 §3.2)
 *   prr.c         how cwnd comes down (RFC 6937)
 *   undo.c        when it was no loss after all (RFC 3522, RFC 3708, RFC 5682)
 *   retransmit.c  sending records again
 *   rate.c        delivery rate
 */
#ifndef NB_TCP_LOSS_H
#define NB_TCP_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "seq.h"

struct nb_seg;
struct nb_tcb;
struct nb_tcp;
struct nb_tx;

/* What one ACK has brought. */
enum nb_ack_flag {
    NB_ACK_DATA = 1 << 0,          /* it carried data */
    NB_ACK_WINDOW = 1 << 1,        /* it changed the window */
    NB_ACK_DATA_ACKED = 1 << 2,    /* it acknowledged data */
    NB_ACK_RETRANS_ACKED = 1 << 3, /* some of which had been sent again */
    NB_ACK_SYN_ACKED = 1 << 4,     /* it acknowledged our SYN */
    NB_ACK_SACKED = 1 << 5,        /* it SACKed data */
    NB_ACK_ECE = 1 << 6,
    NB_ACK_LOST_RETRANS = 1 << 7,   /* it showed that a retransmission was lost */
    NB_ACK_ORIGINAL_ACKED = 1 << 8, /* something below high_seq that was sent only once was (S)ACKed */
    NB_ACK_ADVANCED = 1 << 9,       /* snd_una moved */
    NB_ACK_DSACK = 1 << 10,         /* it reported a duplicate of something we sent again */
    NB_ACK_DSACK_PROBE = 1 << 11,   /* namely of the tail loss probe */
    NB_ACK_SET_TIMER = 1 << 12,     /* the retransmission timer is to start afresh */
    NB_ACK_RENEGING = 1 << 13,      /* the first unacknowledged record was SACKed */
    NB_ACK_MAYBE_DELAYED = 1 << 14,
};
#define NB_ACK_ACKED    (NB_ACK_DATA_ACKED | NB_ACK_SYN_ACKED)
#define NB_ACK_NOT_DUP  (NB_ACK_DATA | NB_ACK_WINDOW | NB_ACK_ACKED)
#define NB_ACK_ALERT    (NB_ACK_SACKED | NB_ACK_ECE | NB_ACK_DSACK)
#define NB_ACK_PROGRESS (NB_ACK_ACKED | NB_ACK_SACKED)

/* What is sent again at the end. */
enum nb_resend { NB_RESEND_NOTHING, NB_RESEND_LOST, NB_RESEND_NEW /* F-RTO tries new data */ };

/* One delivery rate sample. */
struct nb_rate_sample {
    uint64_t prior_us;        /* of the connection when the most recent of the delivered records was sent */
    uint32_t prior_delivered; /* likewise; 0: no sample */
    uint32_t interval_us;
    uint32_t tx_in_flight, prior_lost; /* when it was sent; segments */
    uint32_t delivered, lost;          /* since then */
    uint64_t bytes_per_s;              /* 0: the time was too short to tell */
    nb_seq_t last_end;
    bool app_limited, retransmitted;
};

/* An ACK under way through the files above. */
struct nb_ack {
    const struct nb_seg *seg;
    unsigned flags; /* enum nb_ack_flag */
    nb_seq_t prior_una, prior_fack;
    uint32_t prior_packets, prior_sacked, prior_delivered, prior_lost;
    nb_seq_t reorder;                         /* the lowest first transmission that was delivered late */
    bool sack_timed;                          /* the two below are set */
    uint64_t first_sacked_us, last_sacked_us; /* when the newly SACKed were sent */
    uint32_t sack_delivered;
    int64_t rtt_us; /* for congestion control; -1: none */
    struct nb_rate_sample rate;
    enum nb_resend resend;
};

/* --- sack.c ----------------------------------------------------------------------------------- */
void nb__sack_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack);
nb_seq_t nb__fack(const struct nb_tcb *tcb);
void nb__check_reordering(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t low);

/* --- rack.c ----------------------------------------------------------------------------------- */
void nb__rack_advance(struct nb_tcp *tcp, struct nb_tcb *tcb, uint8_t marks, nb_seq_t end, uint64_t sent_us);
void nb__rack_update_window(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack);
int64_t nb__rack_remaining_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_tx *tx,
                              uint32_t window_us);

/* Mark what is lost by now. True when the reorder timer was started for the rest. */
bool nb__rack_mark_lost(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__reorder_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__mark_lost(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx);

/* Without SACK: three duplicate ACKs, or a partial ACK in recovery, mean the first record (RFC 6582). */
void nb__newreno_mark_lost(struct nb_tcp *tcp, struct nb_tcb *tcb, bool advanced);

/* --- tlp.c ------------------------------------------------------------------------------------ */
bool nb__probe_schedule(struct nb_tcp *tcp, struct nb_tcb *tcb, bool advancing_rto);
void nb__probe_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__probe_acked(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack);

/* --- recovery.c ------------------------------------------------------------------------------- */
void nb__recovery_set(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned state);
void nb__recovery_step(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, uint32_t duplicates);
void nb__enter_recovery(struct nb_tcp *tcp, struct nb_tcb *tcb, bool by_mark);
void nb__enter_loss(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__enter_cwr(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__try_keep_open(struct nb_tcp *tcp, struct nb_tcb *tcb);
bool nb__any_retransmitted(const struct nb_tcp *tcp, const struct nb_tcb *tcb);
void nb__count_delivered(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t segs, bool marked);
void nb__reno_sacks_remove(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked, bool marked);
void nb__reno_sacks_reset(struct nb_tcb *tcb);

/* Send again what is marked lost for reasons that are not the path's load. */
void nb__retransmit_uncongested(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The path takes less than we sent: everything that is too large counts as lost (not as congestion). */
void nb__simple_retransmit(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- prr.c ------------------------------------------------------------------------------------ */
void nb__reduction_begin(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__reduction_step(struct nb_tcb *tcb, uint32_t delivered, uint32_t lost, unsigned flags);
void nb__reduction_end(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- undo.c ----------------------------------------------------------------------------------- */
void nb__undo_init(struct nb_tcb *tcb);
bool nb__undo_recovery(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack);
bool nb__undo_partial(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack);
bool nb__undo_dsack(struct nb_tcp *tcp, struct nb_tcb *tcb);
bool nb__undo_loss(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack, bool frto);

/* --- retransmit.c ----------------------------------------------------------------------------- */

/* Send up to segs segments of a record again. False when it could not be (window, buffers). */
bool nb__retransmit(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t segs);
void nb__retransmit_lost(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- rate.c ----------------------------------------------------------------------------------- */
void nb__rate_delivered(struct nb_tcb *tcb, struct nb_ack *ack, struct nb_tx *tx);
void nb__rate_finish(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack);

/* All in one: this record, sent once, was all that was in flight and is delivered. */
void nb__rate_of_one(const struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_tx *tx);
void nb__rate_check_app_limited(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
