/* window.h - the receive window, and when an acknowledgement is due. */
#ifndef NB_TCP_WINDOW_H
#define NB_TCP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "../wire/segment.h"

struct nb_tcb;
struct nb_tcp;

/* --- the window (window.c) -------------------------------------------------------------------- */

/* A connection begins: what our SYN will offer. */
void nb__window_init(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The window field of a SYN, and of a segment that leaves now: both move rcv_adv. */
uint16_t nb__window_syn_field(struct nb_tcp *tcp, struct nb_tcb *tcb);
uint16_t nb__window_field(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The window we would offer now. */
uint32_t nb__window_select(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Which is never more than this. */
uint32_t nb__window_bound(const struct nb_tcb *tcb);

/* Data arrived in order, in so many segments: the peer uses the window, so it may grow. */
void nb__window_grow(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t bytes, uint32_t segs);

/* The path has use for a buffer of so many bytes of payload (rightsize.c): let it grow, where nothing speaks against
 * that. */
void nb__window_enlarge(struct nb_tcp *tcp, struct nb_tcb *tcb, uint64_t bytes);

/* The buffer's size as SO_RCVBUF tells it, overhead included. */
uint32_t nb__recv_buffer(const struct nb_tcb *tcb);

/* --- acknowledging (delack.c) ----------------------------------------------------------------- */

/* Data arrived, n bytes of payload in so many segments; more than one are of the same length. */
void nb__ack_data_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t n, uint32_t segs);

#define NB_QUICK_ACKS_AFTER_LOSS 16 /* the sender is repairing something: it needs ACKs */

/* So many of the next ACKs are not delayed. */
void nb__ack_quickly(struct nb_tcb *tcb, unsigned at_most);

/* We sent data: an answer? */
void nb__ack_data_sent(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The application has read n bytes. */
void nb__ack_data_read(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t n);

/* An ACK was sent, with whatever segment. */
void nb__ack_sent(struct nb_tcb *tcb);

/* End of the burst: ACK now, later, or not. */
void nb__acknowledge(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The delayed ACK's time has come. */
void nb__ack_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* This arrived twice: the next ACK says so (RFC 2883 §4). */
__rte_cold void nb__ack_reports_duplicate(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seq_range range);

/* SACK blocks that the next segment will carry, a D-SACK first (RFC 2018 §4, RFC 2883). */
unsigned nb__sack_blocks(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_seq_range *blocks);

#endif
