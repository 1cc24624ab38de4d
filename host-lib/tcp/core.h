/* core.h - the TCP core's one object, and what its files call in each other.
 *
 *   tcp.c        the object's life; dispatch of packets, time and the end of a burst
 *   calls.c      what the application asks for (RFC 9293 §3.10.1 to §3.10.6)
 *   input.c      segment arrival (RFC 9293 §3.10.7), with ack.c (its fifth step) and text.c (its seventh and eighth)
 *   handshake.c  LISTEN, SYN-SENT, option negotiation
 *   output.c     what may be sent now, and sending it; emit.c turns that into packets
 *   recovery.c   duplicate ACKs, fast retransmit, NewReno; cc.h the congestion control behind it
 *   timers.c     the one timer of a connection and what it stands for; rtt.c the round-trip time
 *   timewait.c   compact records for TIME-WAIT · reasm.c out-of-order data · sendq.c the send queue
 *   tcb.c        the pool of connections · listen.c listeners · isn.c initial sequence numbers
 */
#ifndef NB_TCP_CORE_H
#define NB_TCP_CORE_H

#include "cc.h"
#include "isn.h"
#include "listen.h"
#include "reasm.h"
#include "tcb.h"
#include "timewait.h"

/* TCBs by index, linked through list_next, in the order they were put in. A TCB is in one list or none
 * (NB_TCB_LISTED). */
struct nb_tcb_list {
    uint32_t head, tail; /* nothing when n is 0 */
    uint32_t n;
};

struct nb_tcp {
    struct nb_tcp_env env;
    struct nb_tcp_config config;
    uint64_t now_us;
    uint32_t now_ms;

    struct nb_tcb *tcbs;
    uint32_t fresh;     /* slots from here on were never used */
    uint32_t free_head; /* of slots that were, NB_TCB_NONE */
    uint32_t live, half_open;
    struct nb_tcb_list pending; /* something happened to them in this burst */
    struct nb_tcb_list stalled; /* have data to send and wait for room at the port */
    uint64_t serial;            /* of the last connection made */
    uint8_t rcv_scale;

    struct nb_listen_table listen;
    struct nb_sendq_pool send;
    struct nb_reasm_pool reasm;
    struct nb_time_wait_pool time_wait;
    struct nb_timer_wheel wheel;
    uint64_t counters[NB_COUNTER_COUNT];
};

static inline void nb__count(struct nb_tcp *tcp, enum nb_counter counter)
{
    tcp->counters[counter]++;
}

static inline uint32_t nb__now32(const struct nb_tcp *tcp)
{
    return (uint32_t)tcp->now_us;
}

/* Time goes on: everything below happens at now_us. */
void nb__set_now(struct nb_tcp *tcp, uint64_t now_us);

/* --- tcb.c -------------------------------------------------------------------------------------------------------- */

bool nb__tcb_pool_init(struct nb_tcp *tcp);
void nb__tcb_pool_fini(struct nb_tcp *tcp);

/* A TCB in state CLOSED that is in the flow table under key; NULL when either is full (counted). */
struct nb_tcb *nb__tcb_new(struct nb_tcp *tcp, const struct nb_flow_key *key, uint32_t hash);

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
void nb__tcb_recycle(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- input.c, ack.c, text.c ----------------------------------------------------------------------------------------
 */

void nb__segment_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Fifth step, for a connection whose own SYN is acknowledged. False: the segment goes no further. */
bool nb__ack_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* Tell an application that waits for room in the send buffer, if there is enough. */
void nb__offer_room(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* An ACK for something new, seg->ack in (snd_una, snd_max]. */
void nb__ack_advances(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);
void nb__window_update(struct nb_tcb *tcb, const struct nb_seg *seg);

/* Seventh and eighth step. */
void nb__text_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Payload that is exactly what is expected, all of it within the window. */
void nb__text_in_order(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Answer something unacceptable with an ACK, at most once in a while per connection (RFC 5961 §7). */
void nb__challenge_ack(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* RFC 7323 §5: remember the timestamp, and is a segment's one from the past? */
void nb__ts_recent_update(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);
bool nb__paws_rejects(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg);

/* --- handshake.c ---------------------------------------------------------------------------------------------------
 */

/* A segment for a tuple without connection (LISTEN and CLOSED, RFC 9293 §3.10.7.1 and .2). A new connection's ISS will
 * be above *iss_above, if given (RFC 6191). */
void nb__listen_arrives(struct nb_tcp *tcp, struct nb_seg *seg, uint16_t queue, const nb_seq_t *iss_above);
void nb__syn_sent_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Our SYN was acknowledged: enter ESTABLISHED and tell the application. False when the connection is gone again. */
bool nb__established(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);
void nb__iss_choose(struct nb_tcp *tcp, struct nb_tcb *tcb, const nb_seq_t *iss_above);

/* --- output.c ------------------------------------------------------------------------------------------------------
 */

/* Send what may be sent, then an ACK if one is due and nothing carried it. */
void nb__output(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Send the first unacknowledged segment again. */
void nb__retransmit_head(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Window probe: whatever fits, or an old sequence number that the peer must answer. False: a probe without data. */
bool nb__probe(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- emit.c --------------------------------------------------------------------------------------------------------
 */

/* Bytes seq to seq + n of the send queue, as one segment; flags besides ACK. False when the pool is empty. */
bool nb__emit_data(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq, unsigned n, uint8_t flags);
void nb__emit_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq);
void nb__emit_syn(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__emit_rst(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The RST that answers a segment for nothing (RFC 9293 §3.10.7.1). */
void nb__emit_rst_for(struct nb_tcp *tcp, const struct nb_seg *seg);
void nb__emit_time_wait_ack(struct nb_tcp *tcp, const struct nb_time_wait *tw);

/* The MSS we announce, and the largest payload we send in a family without options. */
uint16_t nb__own_mss(const struct nb_tcp *tcp, uint8_t family);

/* Is there room to announce that is worth an ACK of its own (RFC 9293 §3.8.6.2.2)? */
bool nb__window_worth_telling(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* --- recovery.c -----------------------------------------------------------------------------------------------------
 */

void nb__duplicate_ack(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* snd_una has moved by acked bytes. `limited`: cwnd was what held us back. */
void nb__recovery_acked(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked, bool limited);
void nb__recovery_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb);
uint32_t nb__initial_window(uint16_t mss);

/* --- timers.c -------------------------------------------------------------------------------------------------------
 */

void nb__timer_start(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_tcb_timer timer, uint32_t after_us);
void nb__timer_stop(struct nb_tcb *tcb, unsigned timers);
void nb__timer_fire(void *tcp, struct nb_timer *timer);

/* The time-out as it stands, doubled as often as it has been missed. */
uint32_t nb__rto_us(const struct nb_tcb *tcb);
void nb__fin_wait_2_linger(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
