/* tcb.h - the transmission control block (RFC 9293 §3.3.1): everything an idle connection is.
 *
 * What only data in flight needs is in flight.h, what is remembered of trouble in history.h; those blocks are taken
 * when that happens. RFC variables keep their names (snd_una is SND.UNA). Instants named _at are the low 32 bits of the
 * worker's microseconds, good for spans up to half an hour; what may lie back longer is named _ms and counts
 * milliseconds, good for weeks.
 */
#ifndef NB_TCP_TCB_H
#define NB_TCP_TCB_H

#include <stddef.h>
#include <stdint.h>

#include "../worker/flow_table.h"
#include "../worker/timer_wheel.h"
#include "cc.h"
#include "history.h"
#include "info.h"
#include "sendq.h"
#include "seq.h"
#include "tcp.h"
#include "txq.h"

struct nb_flight;
struct nb_tcp_options;

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
    NB_TCB_PUSH_NOW = 1 << 9,       /* Nagle and cork do not hold back what is queued at this moment */
    NB_TCB_PROGRESS = 1 << 10,      /* env->progress is wanted */
    NB_TCB_PEER_FIN = 1 << 11,      /* rcv_fin is known, its data may not be complete */
    NB_TCB_SYN_LOST = 1 << 12,      /* our SYN or SYN-ACK was sent more than once */
    NB_TCB_WSCALE = 1 << 13,        /* windows are scaled (RFC 7323 §2.2) */
    NB_TCB_ENDING = 1 << 14,        /* the closed event is being delivered: nothing can be asked any more */
    NB_TCB_SOCKET = 1 << 15,        /* the send buffer is Linux's: see room.c */
    NB_TCB_PINGPONG = 1 << 16,      /* data answers data: ACKs can wait for it */
    NB_TCB_ACK_SCHEDULED = 1 << 17, /* something arrived that has not been acknowledged */
    NB_TCB_ACK_PUSHED = 1 << 18,    /* a small segment arrived: ACK when it has been read */
    NB_TCB_ACK_PUSHED2 = 1 << 19,   /* and a second one */
    NB_TCB_ECN = 1 << 20,           /* both ends agreed (RFC 3168 §6.1.1) */
    NB_TCB_ECN_ECHO = 1 << 21,      /* we saw CE and say so until CWR */
    NB_TCB_ECN_CWR = 1 << 22,       /* we have reduced and tell the peer with the next data */
    NB_TCB_ECN_SEEN = 1 << 23,
    NB_TCB_URGENT = 1 << 24,           /* urgent data was written, and may not be acknowledged yet (urgent.c) */
    NB_TCB_FASTOPEN = 1 << 25,         /* SYN-RECEIVED, but the application has it already (RFC 7413) */
    NB_TCB_RTO_BLACKHOLE = 1 << 26,    /* the path may lose large segments: probe lower (RFC 4821 §7.6) */
    NB_TCB_DSACK = 1 << 27,            /* the next ACK reports dsack (RFC 2883) */
    NB_TCB_ROOM_DUE = 1 << 28,         /* an ACK came for an application that waits for room */
    NB_TCB_NODELAY = 1 << 30,          /* an in-process application wants no Nagle */
    NB_TCB_RATE_APP_LIMITED = 1 << 29, /* delivery_rate is a lower bound: there was too little to send */
    NB_TCB_SIGNED = INT32_MIN,         /* the last bit: every segment has a TCP-MD5 signature (md5.c) */
};

/* What the one timer of a connection may stand for. All but ACK, LIFE and PACE exclude each other and share a deadline.
 */
enum nb_tcb_timer {
    NB_TCB_TIMER_RTO = 1 << 0,     /* something is unacknowledged (RFC 6298) */
    NB_TCB_TIMER_REORDER = 1 << 1, /* RACK waits a little for what may only be late (RFC 8985 §6.3) */
    NB_TCB_TIMER_PROBE = 1 << 2,   /* tail loss probe (RFC 8985 §7) */
    NB_TCB_TIMER_PERSIST = 1 << 3, /* something is unsent and nothing in flight (RFC 9293 §3.8.6.1) */
    NB_TCB_TIMER_ACK = 1 << 4,     /* a delayed ACK (RFC 9293 §3.8.6.3) */
    NB_TCB_TIMER_LIFE = 1 << 5,    /* keepalive, or FIN-WAIT-2 that the application has left */
    NB_TCB_TIMER_PACE = 1 << 6,    /* the next burst may leave (pace.c) */
    NB_TCB_TIMER_LATE = 1 << 7,    /* not one more, but of the shared deadline: it was put off because we were late */
};
#define NB_TCB_TIMERS_SEND (NB_TCB_TIMER_RTO | NB_TCB_TIMER_REORDER | NB_TCB_TIMER_PROBE | NB_TCB_TIMER_PERSIST)

#define NB_TCB_NONE          UINT32_MAX /* no index */
#define NB_INFINITE_SSTHRESH 0x7fffffff
#define NB_LEAST_MSS         88 /* Linux's: smaller ones only serve to make us send many packets */

/* What is touched by which segment: lines 0 to 3 by every one that is in order, 4 by acknowledgements of data, too, the
 * rest by what is rare. */
struct nb_tcb {
    /* --- line 0: who it is, what is expected ------------------------------------------------------ */
    struct nb_flow_object flow;
    uint8_t state; /* enum nb_tcp_state; CLOSED: the slot is free or about to be */
    uint8_t snd_scale, rcv_scale;
    uint8_t recovery; /* enum nb_tcp_recovery_state */
    uint32_t flags;   /* enum nb_tcb_flag */
    nb_seq_t rcv_nxt;
    nb_seq_t snd_una;
    nb_seq_t snd_nxt;
    uint32_t ts_recent;

    /* --- line 1: windows -------------------------------------------------------------------------- */
    nb_seq_t snd_end; /* after the last byte in the send queue; a queued FIN has this number */
    nb_seq_t snd_wl1;
    uint32_t snd_wnd;
    uint32_t cwnd;          /* segments */
    nb_seq_t rcv_adv;       /* the right edge of the window the peer was told */
    nb_seq_t rcv_acked;     /* the last acknowledgement sent (RFC 7323: Last.ACK.sent) */
    uint32_t rcv_unread;    /* bytes delivered and not consumed */
    uint32_t rcv_ssthresh;  /* how much of the buffer we offer */
    uint32_t ts_offset;     /* our timestamps are milliseconds plus this */
    uint32_t list_next;     /* index; free list when free */
    uint32_t reasm;         /* first out-of-order range, NB_TCB_NONE */
    uint16_t mss;           /* payload of a full segment: options are already taken off */
    uint16_t rcv_mss;       /* the largest payload the peer has sent, as far as it matters for ACKs */
    uint16_t ts_recent_age; /* when ts_recent was taken, see input.c */
    uint8_t timers;         /* enum nb_tcb_timer: which deadlines count */
    uint8_t quick_acks;     /* so many ACKs are still sent without delay */
    struct nb_txq txq;

    /* --- line 2: sending -------------------------------------------------------------------------- */
    struct nb_sendq sendq;
    struct nb_flight *flight;   /* NULL: nothing in flight, and Open */
    struct nb_history *history; /* NULL: nothing to remember */
    uint32_t send_at;           /* deadline of NB_TCB_TIMERS_SEND */
    uint32_t ack_at;            /* deadline of NB_TCB_TIMER_ACK */
    uint32_t path;              /* env->output's */
    uint32_t rto_us;            /* with backoff */
    nb_seq_t snd_sml;           /* end of the last small segment sent (Minshall) */
    uint32_t data_sent_ms;

    /* --- line 3: application, timer, counts ------------------------------------------------------- */
    void *user;
    void *listener_user; /* whose it is: the listener's, or nb_tcp_open.owner */
    const struct nb_tcp_options *options;
    struct nb_timer timer;
    uint32_t index; /* of the slot */
    uint32_t generation;
    uint32_t data_received_ms, ack_received_ms;
    uint32_t ato_us; /* delayed ACK's measure of the peer's pace */
    nb_seq_t pushed; /* written with a push up to here */
    uint32_t ssthresh;

    /* --- line 4: round trips, congestion, what is counted ------------------------------------------ */
    uint32_t srtt_us;                         /* times 8, as Jacobson keeps it */
    uint32_t mdev_us, mdev_max_us, rttvar_us; /* times 4 */
    nb_seq_t rtt_seq;
    uint32_t min_rtt_us;
    uint16_t min_rtt_at;        /* seconds */
    uint16_t moves;             /* between workers, so far */
    uint32_t delivered;         /* segments */
    uint32_t cwnd_stamp_ms;     /* cwnd was in use, */
    uint32_t cwnd_used;         /* or so much of it since */
    uint32_t tally[NB_TALLIES]; /* low 32 bits, see tally.h */
    uint32_t data_segs_in, data_segs_out;

    /* --- line 5: the rest --------------------------------------------------------------------------- */
    uint64_t delivery_rate; /* bytes a second */
    uint64_t id;
    uint32_t busy_ms; /* chrono.c */
    uint32_t max_snd_wnd;
    uint32_t rcv_buffer; /* bytes of payload it can hold */
    uint32_t snd_buffer; /* charged bytes */
    uint32_t life_at_ms; /* deadline of NB_TCB_TIMER_LIFE */
    uint32_t hash;
    uint32_t rcv_kept;       /* packet buffers of rcv_unread, see memory.h */
    uint32_t created_us_low; /* nb_tcb_created_us() */
    uint16_t created_us_high;
    uint16_t advertised_mss;
    uint16_t peer_mss;    /* from its SYN */
    uint16_t mtu_bytes;   /* of the path, as far as we know */
    uint16_t reordering;  /* segments */
    uint8_t queue;        /* the last packet's */
    uint8_t backoff;      /* doublings of the RTO, or of the interval of probes */
    uint8_t retransmits;  /* time-outs in a row */
    uint8_t probes;       /* window probes in a row, unanswered */
    uint8_t cc;           /* enum nb_cc_algorithm */
    uint8_t chrono : 4;   /* enum nb_chrono: what the time is charged to */
    uint8_t pins : 4;     /* enum nb_pin: reasons not to move it */
} __attribute__((aligned(64)));

static_assert(offsetof(struct nb_tcb, snd_end) == 64, "line 0");
static_assert(offsetof(struct nb_tcb, sendq) == 128, "line 1");
static_assert(offsetof(struct nb_tcb, user) == 192, "line 2");
static_assert(offsetof(struct nb_tcb, srtt_us) == 256, "the hot part ends with line 3");
static_assert(offsetof(struct nb_tcb, delivery_rate) == 320, "line 4");
static_assert(sizeof(struct nb_tcb) <= 384, "with its place in the flow table, 416 bytes: docs/performance.md");
static_assert(NB_MAX_WORKERS <= UINT8_MAX, "a queue's number fits");

/* When it was made: good for eight years of the worker's clock. */
static inline uint64_t nb_tcb_created_us(const struct nb_tcb *tcb)
{
    return (uint64_t)tcb->created_us_high << 32 | tcb->created_us_low;
}

/* The number of our SYN: all that was sent lies between it and snd_nxt. */
static inline nb_seq_t nb_tcb_iss(const struct nb_tcb *tcb)
{
    bool fin_sent = tcb->flags & NB_TCB_FIN_QUEUED && tcb->snd_nxt == tcb->snd_end + 1;
    return tcb->snd_nxt - fin_sent - tcb->tally[NB_TALLY_TX_BYTES] - 1;
}

/* The number of the peer's SYN: all that arrived in order lies between it and rcv_nxt. */
static inline nb_seq_t nb_tcb_irs(const struct nb_tcb *tcb)
{
    bool fin_arrived = tcb->state == NB_TCP_CLOSE_WAIT || tcb->state == NB_TCP_CLOSING || tcb->state == NB_TCP_LAST_ACK;
    return tcb->rcv_nxt - fin_arrived - tcb->tally[NB_TALLY_RX_BYTES] - 1;
}

/* Is there nothing left that could be asked of it? */
static inline bool nb_tcb_gone(const struct nb_tcb *tcb)
{
    return tcb->state == NB_TCP_CLOSED || tcb->flags & NB_TCB_ENDING;
}

/* Has something of ours not been acknowledged? */
static inline bool nb_tcb_outstanding(const struct nb_tcb *tcb)
{
    return tcb->snd_nxt != tcb->snd_una;
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
    return seq_gt(tcb->rcv_adv, tcb->rcv_nxt) ? tcb->rcv_adv - tcb->rcv_nxt : 0;
}

/* Where the peer's window ends. */
static inline nb_seq_t nb_tcb_wnd_end(const struct nb_tcb *tcb)
{
    return tcb->snd_una + tcb->snd_wnd;
}

static inline bool nb_tcb_in_slow_start(const struct nb_tcb *tcb)
{
    return tcb->cwnd < tcb->ssthresh;
}

/* cwnd is being reduced, by PRR (RFC 6937). */
static inline bool nb_tcb_in_reduction(const struct nb_tcb *tcb)
{
    return tcb->recovery == NB_TCP_RECOVERY_CWR || tcb->recovery == NB_TCP_RECOVERY_RECOVERY;
}

#endif
