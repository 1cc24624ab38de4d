/* tcb.h - the transmission control block (RFC 9293 §3.3.1): everything one connection is.
 *
 * Laid out by use. The first four cache lines are all that in-order data, its acknowledgement and the answer touch; the
 * rest is for opening, closing, losing and looking in. RFC variables keep their names (snd_una is SND.UNA). Instants
 * are the low 32 bits of the worker's microseconds: good for spans up to half an hour, which every timer here is well
 * below.
 */
#ifndef NB_TCP_TCB_H
#define NB_TCP_TCB_H

#include <stddef.h>
#include <stdint.h>

#include "../worker/flow_table.h"
#include "../worker/timer_wheel.h"
#include "sendq.h"
#include "seq.h"
#include "tcp.h"

enum nb_tcb_flag {
    NB_TCB_TIMESTAMPS = 1 << 0,     /* both ends agreed (RFC 7323 §3.2) */
    NB_TCB_SACK = 1 << 1,           /* the peer reads SACK blocks (RFC 2018 §2) */
    NB_TCB_ACTIVE = 1 << 2,         /* opened by us */
    NB_TCB_KNOWN = 1 << 3,          /* the application knows of it: it is owed a closed event */
    NB_TCB_LISTED = 1 << 4,         /* in one of the lists that nb_tcp_flush walks */
    NB_TCB_ACK_NOW = 1 << 5,        /* an ACK must leave at the end of the burst */
    NB_TCB_FIN_QUEUED = 1 << 6,     /* our FIN follows the last byte of the send queue */
    NB_TCB_APP_CLOSED = 1 << 7,     /* the application reads no more */
    NB_TCB_WANT_WRITABLE = 1 << 8,  /* a write came up short */
    NB_TCB_NODELAY = 1 << 9,        /* Nagle's algorithm is off */
    NB_TCB_RTT_TIMING = 1 << 10,    /* the segment that ends at rtt_seq is being timed */
    NB_TCB_FAST_RECOVERY = 1 << 11, /* between the third duplicate ACK and `recover` (RFC 6582) */
    NB_TCB_PARTIAL_ACK = 1 << 12,   /* a partial ACK was seen in this recovery */
    NB_TCB_PEER_FIN = 1 << 13,      /* rcv_fin is known, its data may not be complete */
    NB_TCB_SYN_LOST = 1 << 14,      /* our SYN or SYN-ACK was sent more than once */
    NB_TCB_WSCALE = 1 << 15,        /* windows are scaled (RFC 7323 §2.2) */
    NB_TCB_ENDING = 1 << 16,        /* the closed event is being delivered: nothing can be asked any more */
};

/* What the one timer of a connection may stand for. RTO, PERSIST and LINGER exclude each other and share a deadline. */
enum nb_tcb_timer {
    NB_TCB_TIMER_RTO = 1 << 0,     /* something is unacknowledged (RFC 6298) */
    NB_TCB_TIMER_PERSIST = 1 << 1, /* something is unsent and nothing in flight (RFC 9293 §3.8.6.1) */
    NB_TCB_TIMER_LINGER = 1 << 2,  /* FIN-WAIT-2 that the application has left */
    NB_TCB_TIMER_ACK = 1 << 3,     /* a delayed ACK (RFC 9293 §3.8.6.3) */
};
#define NB_TCB_TIMERS_SEND (NB_TCB_TIMER_RTO | NB_TCB_TIMER_PERSIST | NB_TCB_TIMER_LINGER)

#define NB_TCB_NONE UINT32_MAX /* no index */

struct nb_tcb {
    /* --- line 0: who it is, what is expected */
    struct nb_flow_object flow;
    uint8_t state; /* enum nb_tcp_state; CLOSED: the slot is free or about to be */
    uint8_t snd_scale, rcv_scale;
    uint8_t dup_acks;
    uint32_t flags; /* enum nb_tcb_flag */
    nb_seq_t rcv_nxt;
    nb_seq_t snd_una;
    nb_seq_t snd_max; /* the highest snd_nxt there was: snd_nxt goes back when a time-out makes us send again */
    uint32_t ts_recent;

    /* --- line 1: windows */
    nb_seq_t snd_nxt;
    nb_seq_t snd_end; /* after the last byte in the send queue; a queued FIN has this number */
    nb_seq_t snd_wl1;
    uint32_t snd_wnd, cwnd;
    nb_seq_t rcv_adv;       /* the right edge of the window the peer was told */
    nb_seq_t rcv_acked;     /* the last acknowledgement sent (RFC 7323: Last.ACK.sent) */
    uint32_t rcv_unread;    /* bytes delivered and not consumed */
    uint32_t ts_offset;     /* our timestamps are milliseconds plus this */
    uint32_t list_next;     /* index, in a nb_tcb_list; in the free list when free */
    uint16_t mss;           /* payload of a full segment: options are already taken off */
    uint16_t rcv_mss;       /* the largest payload the peer has sent */
    uint16_t max_snd_wnd;   /* largest window field seen, unscaled */
    uint16_t ts_recent_age; /* when ts_recent was taken, see input.c */
    uint8_t timers;         /* enum nb_tcb_timer: which deadlines count */
    uint8_t quick_acks;     /* so many ACKs are still sent without delay */
    uint8_t backoff;        /* doublings of the RTO */
    uint8_t retransmits;    /* time-outs, or probes, in a row without an answer */
    uint32_t reasm;         /* first out-of-order range, NB_TCB_NONE */
    uint32_t path;          /* env->output's */
    uint32_t ssthresh;

    /* --- line 2: sending */
    struct nb_sendq sendq;
    uint32_t send_at; /* deadline of NB_TCB_TIMERS_SEND */
    uint32_t ack_at;  /* deadline of NB_TCB_TIMER_ACK */
    nb_seq_t rtt_seq;
    uint32_t rtt_at;
    uint32_t challenge_at; /* the last time we answered something unacceptable */
    uint32_t cc_acked;     /* congestion avoidance: bytes acknowledged since cwnd last grew */
    uint32_t rto_us;       /* before backoff */
    nb_seq_t snd_sml;      /* end of the last small segment sent (Minshall) */

    /* --- line 3: time, application, counts */
    struct nb_timer timer;
    void *user;
    uint64_t rx_packets, tx_packets;
    uint64_t rx_bytes, tx_bytes; /* payload; rx in order, tx first transmissions */

    /* --- cold */
    uint32_t generation;
    uint32_t hash;
    uint32_t srtt_us, rttvar_us;
    nb_seq_t iss, irs;
    nb_seq_t recover; /* RFC 6582 §3.2 */
    uint64_t id;
    uint64_t created_us;
    uint32_t sent_at; /* the last time data was sent */
    nb_seq_t rcv_fin;
    uint32_t retransmitted; /* segments */
    uint64_t forwarded;     /* packets that came over another worker */
    void *listener_user;    /* NULL with NB_TCB_ACTIVE */
    uint32_t index;         /* of the slot */
    uint16_t queue;         /* the last packet's */
    uint8_t cc;             /* enum nb_cc_algorithm */
} __attribute__((aligned(64)));

static_assert(offsetof(struct nb_tcb, snd_nxt) == 64, "line 0");
static_assert(offsetof(struct nb_tcb, sendq) == 128, "line 1");
static_assert(offsetof(struct nb_tcb, timer) == 192, "line 2");
static_assert(offsetof(struct nb_tcb, generation) == 256, "the hot part is four cache lines");
static_assert(sizeof(struct nb_tcb) <= 384, "with two flow table slots and a socket this stays below 512 bytes");

/* Is there nothing left that could be asked of it? */
static inline bool nb_tcb_gone(const struct nb_tcb *tcb)
{
    return tcb->state == NB_TCP_CLOSED || tcb->flags & NB_TCB_ENDING;
}

/* Has something of ours not been acknowledged? */
static inline bool nb_tcb_outstanding(const struct nb_tcb *tcb)
{
    return tcb->snd_max != tcb->snd_una;
}

/* Where our sequence space ends: after the last byte, or the FIN that follows it. */
static inline nb_seq_t nb_tcb_last_seq(const struct nb_tcb *tcb)
{
    return tcb->snd_end + ((tcb->flags & NB_TCB_FIN_QUEUED) != 0);
}

static inline bool nb_tcb_fin_acked(const struct nb_tcb *tcb)
{
    return tcb->flags & NB_TCB_FIN_QUEUED && tcb->snd_una == tcb->snd_end + 1;
}

/* The window we last offered, as it stands now. */
static inline uint32_t nb_tcb_rcv_wnd(const struct nb_tcb *tcb)
{
    return tcb->rcv_adv - tcb->rcv_nxt;
}

#endif
