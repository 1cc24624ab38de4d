/* history.h - what a connection remembers from flight to flight beyond the TCB: its place on congestion control's
 * curve, the receive buffer that the path wants, and everything that went wrong. Connections that never filled their
 * cwnd, received little and never lost anything have none of it.
 *
 * A block is taken from the worker's pool when there is something to remember, and stays until the connection ends. The
 * pool has one for every connection, here or on its way to another worker, in memory that is not touched before it is
 * used, so taking cannot fail.
 */
#ifndef NB_TCP_HISTORY_H
#define NB_TCP_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "accecn.h"
#include "cc.h"
#include "rightsize.h"
#include "seq.h"
#include "validation.h"

struct nb_bbr;
struct nb_tcb;
struct nb_tcp;

/* What is counted in 64 bits (tally.h). Bytes are payload: received in order, sent for the first time. */
enum nb_tally { NB_TALLY_RX_BYTES, NB_TALLY_TX_BYTES, NB_TALLY_RX_PACKETS, NB_TALLY_TX_PACKETS, NB_TALLIES };

struct nb_history {
    struct nb_cc_state cc;
    struct nb_bbr *bbr;          /* bbr.h; NULL: it never used BBR */
    struct nb_pipe_ack pipe_ack; /* validation.c */
    uint64_t pace_us;            /* when the next burst may leave (pace.c) */
    uint32_t cwnd_credit;        /* segments acknowledged that have not made cwnd grow yet */
    uint16_t reorderings_seen;
    uint8_t rack_steps, rack_persist; /* RFC 8985 §6.2: reo_wnd_mult, 0 for 1; reo_wnd_persist */
    uint32_t retransmitted;           /* segments */
    uint64_t retransmitted_bytes;
    uint32_t out_of_order, dsacks, rtos, rto_recoveries, delivered_ce;
    uint32_t tally_rounds[NB_TALLIES]; /* tally.h */
    uint32_t forwarded;            /* packets that came over another worker */
    uint32_t limited_ms[2];        /* chrono.c: by the peer's window, by our buffer */
    uint16_t mtu_low, mtu_high; /* search range (RFC 4821 §7.3), see pmtu.c; 0: as at first */
    uint32_t challenge_at;         /* the last time we answered something unacceptable; 0: never */
    uint32_t syn_sent_at;          /* when that was not in the beginning; 0: it was */
    uint32_t probes_at_ms;         /* when probing a closed window began; 0: not probing */
    uint32_t md5_key;              /* a reference; 0: unsigned (md5.c) */
    uint32_t mtu_limited_s;        /* when the path was last found to take less than our port; 0: not yet */
    nb_seq_t rcv_fin;              /* the peer's FIN, ahead of a gap */
    nb_seq_t snd_up;               /* after the last urgent byte written (urgent.c) */
    struct nb_accecn accecn;       /* accecn.c */
    struct nb_rightsize rightsize; /* how large a receive buffer the path wants */
    struct nb_seq_range dsack;
    uint8_t fastopen_failure;                   /* why our SYN's data was not taken */
    bool syn_data;                              /* data travelled with a SYN and was taken */
    bool fastopen_asked, fastopen_experimental; /* our SYN had the option, the older one */
    bool from_cookie;                           /* opened by a SYN cookie's return */
};

/* The connection's, to be written to: taken if it has none yet. */
struct nb_history *nb__history(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* To be read: all zero if it has none. */
const struct nb_history *nb__past(const struct nb_tcb *tcb);

/* A connection that comes from elsewhere brings its own, or none. */
void nb__history_copy(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_history *theirs);

void nb__history_drop(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
