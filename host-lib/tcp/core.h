/* core.h - the TCP core's one object, and what its files call in each other.
 *
 *   tcp.c        the object's life; dispatch of packets, time and the end of a burst
 *   calls.c      what the application asks for (RFC 9293 §3.10.1 to §3.10.6); stream.c with a socket's refinements
 *   row.c        segments that arrive in a row, joined to one; predict.h header prediction
 *   input.c      segment arrival (RFC 9293 §3.10.7), with ack.c (its fifth step) and text.c (its seventh and eighth)
 *   syncookie.c  passive opens without state, under pressure
 *   handshake.c  LISTEN, SYN-SENT, option negotiation; fastopen.c data in SYNs, destination.c what is known of peers
 *   output.c     what may be sent now, and sending it; emit.c turns that into packets
 *   pace.c       not all at once; hystart_plus.c ending slow start in time
 *   txq.c        records: what went out together and what became of it; flight.c state while data is in flight
 *   history.c    what is remembered from flight to flight
 *   loss.h       loss recovery and its files; cwnd.c, cc.h, bbr.h congestion control; ecn.c;
 *                validation.c whether cwnd is in use (RFC 7661)
 *   timers.c     the one timer of a connection and what it stands for; rtt.c the round-trip time; pmtu.c the path's MTU
 *   urgent.c     urgent data
 *   md5.c        TCP-MD5: keys, who signs, what is admitted
 *   icmp.c       errors that routers and the peer's host report
 *   window.c     the receive window, rightsize.c how large it should be, delack.c when to acknowledge
 *   room.c       the send buffer; memory.c what everybody together may hold
 *   timewait.c   compact records for TIME-WAIT · reasm.c out-of-order data · sendq.c the send queue
 *   buffers.h    packet buffers of the worker's pool
 *   block_pool.c blocks that some connections need some of the time
 *   tcb.c        the pool of connections · listen.c listeners · isn.c initial sequence numbers
 *   transfer.c   a connection goes to another worker's core
 *   info.c       looking in · chrono.c where the time goes
 */
#ifndef NB_TCP_CORE_H
#define NB_TCP_CORE_H

#include <rte_common.h>

#include "bbr.h"
#include "block_pool.h"
#include "cc.h"
#include "chrono.h"
#include "cwnd.h"
#include "destination.h"
#include "flight.h"
#include "history.h"
#include "isn.h"
#include "listen.h"
#include "md5.h"
#include "memory.h"
#include "options.h"
#include "pmtu.h"
#include "reasm.h"
#include "settings.h"
#include "tcb.h"
#include "timewait.h"

struct nb_seg_out;
struct nb_tcp_open;

/* TCBs by index, linked through list_next, in the order they were put in. A TCB is in one list or none
 * (NB_TCB_LISTED). */
struct nb_tcb_list {
    uint32_t head, tail; /* nothing when n is 0 */
    uint32_t n;
};

struct nb_tcp {
    struct nb_tcp_env env;
    struct nb_tcp_config config;
    struct nb_tcp_settings settings;
    uint64_t now_us;
    uint32_t now_ms;

    struct nb_tcb *tcbs;
    uint32_t fresh;     /* slots from here on were never used */
    uint32_t free_head; /* of slots that were, NB_TCB_NONE */
    uint32_t live, half_open;
    struct nb_tcb_list pending; /* something happened to them in this burst */
    struct nb_tcb_list stalled; /* have data to send and wait for room at the port */
    struct nb_tcp_shared alone; /* config.shared of a core that has nobody to share with */
    uint64_t serial;            /* of the last connection made */
    char cc_name[sizeof((struct nb_tcp_settings *)0)->congestion_control]; /* the setting when it was last looked up, */
    uint8_t cc;                                                            /* and what it means */

    struct nb_memory memory;
    uint32_t send_most; /* bytes that an in-process application may have queued on a connection (room.h) */
    struct nb_listen_table listen;
    struct nb_sendq_pool send;
    struct nb_tx_pool tx;
    struct nb_block_pool flights;   /* struct nb_flight: one for each connection */
    struct nb_block_pool histories; /* struct nb_history, */
    struct nb_block_pool bbrs;      /* struct nb_bbr: one for each connection, here or on its way elsewhere */
    struct nb_md5_pool md5;
    struct nb_reasm_pool reasm;
    struct nb_time_wait_pool time_wait;
    struct nb_timer_wheel wheel;
    struct nb_destination destinations[NB_DESTINATIONS];
    bool mtus_known; /* some of them, or some connections, have a path MTU */
    uint64_t counters[NB_COUNTER_COUNT];
};

static inline void nb__count(struct nb_tcp *tcp, enum nb_counter counter)
{
    tcp->counters[counter]++;
}

/* Packet buffers that connections hold (memory.h). */
static inline uint32_t nb__memory_held(const struct nb_tcp *tcp)
{
    return tcp->send.mbufs + tcp->reasm.mbufs + tcp->memory.kept - tcp->memory.promised;
}

static inline uint32_t nb__now32(const struct nb_tcp *tcp)
{
    return (uint32_t)tcp->now_us;
}

/* Time goes on: everything below happens at now_us. */
void nb__set_now(struct nb_tcp *tcp, uint64_t now_us);

/* --- tcb.c ------------------------------------------------------------------------------------ */

bool nb__tcb_pool_init(struct nb_tcp *tcp);
void nb__tcb_pool_fini(struct nb_tcp *tcp);

/* A TCB in state CLOSED that is in the flow table under key; NULL when either is full (counted). */
struct nb_tcb *nb__tcb_new(struct nb_tcp *tcp, const struct nb_flow_key *key, uint32_t hash);

/* A free slot, kept for a connection that will come from another worker (transfer.c); nb__tcb_recycle gives it back.
 * NULL: the table is full. */
struct nb_tcb *nb__tcb_reserve(struct nb_tcp *tcp);

/* Forget a connection: buffers, timer and flow table entry go at once, its handle is dead. The slot itself may be used
 * again after the burst, so whoever up the call chain still holds the pointer finds state CLOSED. */
void nb__tcb_release(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The same, and tell the application if it knows of it. */
void nb__tcb_close(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_closed_reason reason);

void nb__tcb_set_state(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_tcp_state state);

/* Look at this TCB at the end of the burst; or at a later one, for there is no room to send. */
void nb__tcb_pend(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__tcb_stall(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The first of a list, taken out of it; NULL at its end. */
struct nb_tcb *nb__tcb_take(struct nb_tcp *tcp, struct nb_tcb_list *list);

/* What is in one list, put behind another and out of its own. */
void nb__tcb_join(struct nb_tcp *tcp, struct nb_tcb_list *list, struct nb_tcb_list *more);
void nb__tcb_recycle(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- input.c, ack.c, text.c ------------------------------------------------------------------- */

void nb__segment_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Fifth step, for a connection whose own SYN is acknowledged. False: the segment goes no further. */
bool nb__ack_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* An ACK in [snd_una, snd_nxt]. */
void nb__ack_advances(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);
bool nb__window_update(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* Seventh and eighth step. */
void nb__text_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Payload that is exactly what is expected, all of it within the window. */
void nb__text_in_order(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Take the segment's payload out of its packet, n bytes from `skip` bytes after its beginning. */
struct rte_mbuf *nb__take_payload(struct nb_seg *seg, uint32_t skip, uint32_t n);

/* Payload that came with the SYN: it says nothing of the pace and the segments to come. */
void nb__text_of_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Answer something unacceptable with an ACK, at most once in a while per connection (RFC 5961 §7). */
__rte_cold void nb__challenge_ack(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* RFC 7323 §5: remember the timestamp, and is a segment's one from the past? */
void nb__ts_recent_update(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);
bool nb__paws_rejects(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg);

/* --- urgent.c --------------------------------------------------------------------------------- */

/* Sixth step, of a segment with URG. */
__rte_cold void nb__urgent_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* Of a segment that leaves while urgent data is unacknowledged (NB_TCB_URGENT): the pointer, if it is before that. */
__rte_cold void nb__urgent_point(struct nb_tcb *tcb, struct nb_seg_out *out);

/* --- handshake.c ------------------------------------------------------------------------------ */

/* A segment for a tuple without connection (LISTEN and CLOSED, RFC 9293 §3.10.7.1 and .2). A new connection's ISS will
 * be above *iss_above, if given (RFC 6191). */
void nb__listen_arrives(struct nb_tcp *tcp, struct nb_seg *seg, uint16_t queue, const nb_seq_t *iss_above);
void nb__syn_sent_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Hand a connection to the application; false: refused, and gone. */
bool nb__accept(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Our SYN was acknowledged, and whoever would accept the connection is paused: the ACK has to come again. */
bool nb__must_wait(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Our SYN was acknowledged: enter ESTABLISHED and tell the application. False when the connection is gone again. */
bool nb__established(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* --- output.c, retransmit.c: see output.h and loss.h ------------------------------------------- */

void nb__output(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Send a record in flight again, at most segs segments of it, without further consequences: for probes. */
__rte_cold bool nb__resend(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, uint32_t segs);

/* --- emit.c ----------------------------------------------------------------------------------- */

/* Bytes seq to seq + n of the send queue, as one segment; flags besides ACK. False when the pool is empty. */
bool nb__emit_data(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n, uint8_t flags);
void nb__emit_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq);
void nb__emit_syn(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The same with a Fast Open cookie (bytes -1: none) and so many bytes of the send queue. */
void nb__emit_syn_with(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_cookie *cookie, uint32_t bytes);
__rte_cold void nb__emit_rst(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The RST that answers a segment for nothing (RFC 9293 §3.10.7.1). */
__rte_cold void nb__emit_rst_for(struct nb_tcp *tcp, const struct nb_seg *seg);
void nb__emit_time_wait_ack(struct nb_tcp *tcp, const struct nb_time_wait *tw);

/* The MSS we announce. */
uint16_t nb__own_mss(const struct nb_tcb *tcb);

/* --- calls.c ------------------------------------------------------------------------------------ */

/* A connection to be opened actively, or -errno in *err. Nothing is sent yet. */
struct nb_tcb *nb__open(struct nb_tcp *tcp, const struct nb_flow_key *key, const struct nb_tcp_open *how, int *err);

/* A queued FIN has no record yet: make one. */
void nb__record_fin(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- stream.c ---------------------------------------------------------------------------------- */

/* Append a copy to the send queue, in records of a burst's size; flags of stream.h. Returns the bytes taken. */
size_t nb__append(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n, unsigned flags);

/* The same if nothing is queued and n bytes fit a segment; otherwise, or if buffers are short, some may be left, which
 * nb__append takes. */
size_t nb__append_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n);

/* Append a chain; takes it. False when a bound is reached. */
bool nb__append_chain(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *chain);

/* A write ends here: the peer is to hand over what it has then. */
void nb__mark_push(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- handshake.c again ------------------------------------------------------------------------- */

/* A connection in its first state: ISS, timers, windows. */
void nb__begin(struct nb_tcp *tcp, struct nb_tcb *tcb, const nb_seq_t *iss_above);

/* When our SYN was sent, in the low 32 bits of microseconds. */
uint32_t nb__syn_sent_at(const struct nb_tcb *tcb);

/* --- timers.c --------------------------------------------------------------------------------- */

void nb__timer_start(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_tcb_timer timer, uint32_t after_us);
void nb__timer_stop(struct nb_tcb *tcb, unsigned timers);
void nb__timer_fire(void *tcp, struct nb_timer *timer);

void nb__timer_start_pace(struct nb_tcp *tcp, struct nb_tcb *tcb); /* until history's pace_us */
void nb__timer_start_life(struct nb_tcp *tcp, struct nb_tcb *tcb, uint64_t after_ms);

/* The retransmission timer anew, or in the place of a probe's or reordering's; none when nothing is in flight. */
void nb__rto_rearm(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Somebody has to ask again whether something may be sent. */
__rte_cold void nb__persist_start(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The user's wishes about keepalive have changed, or the connection is established. */
void nb__keepalive_update(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* A TCB has come with deadlines of its own: sleep until the earliest. */
void nb__timers_adopt(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Now in milliseconds, never 0. */
uint32_t nb__stamp_ms(const struct nb_tcp *tcp);
void nb__fin_wait_2_linger(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
