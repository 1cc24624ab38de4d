/* ecn.h - Explicit Congestion Notification (RFC 3168 §6.1): what TCP has to do with the two bits of IP and its own two
 * flags.
 */
#ifndef NB_TCP_ECN_H
#define NB_TCP_ECN_H

#include <stdbool.h>
#include <stdint.h>

struct nb_seg;
struct nb_seg_out;
struct nb_tcb;
struct nb_tcp;

/* The codepoints of the IP header (RFC 3168 §5). */
enum nb_ecn { NB_ECN_NOT_ECT = 0, NB_ECN_ECT1 = 1, NB_ECN_ECT0 = 2, NB_ECN_CE = 3 };

/* Do we ask for it, or for accecn.h, with a SYN? And with which ACE in the one, or the SYN-ACK, that leaves now? */
bool nb__ecn_offers(const struct nb_tcp *tcp);
uint8_t nb__ecn_of_syn(const struct nb_tcp *tcp, const struct nb_tcb *tcb);
uint8_t nb__ecn_of_syn_ack(struct nb_tcb *tcb);

/* What the peer's SYN, or its answer to ours, agrees on. */
void nb__ecn_take_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn);
void nb__ecn_take_syn_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn_ack);

/* A data segment arrived on a connection with NB_TCB_ECN: CE is echoed until CWR. */
void nb__ecn_data_arrives(struct nb_tcb *tcb, const struct nb_seg *seg);

/* Is this ACK an echo? */
bool nb__ecn_is_echo(const struct nb_tcb *tcb, const struct nb_seg *seg);

/* cwnd was reduced: say so with the next new data; or not after all. */
void nb__ecn_note_reduction(struct nb_tcb *tcb);
void nb__ecn_withdraw_reduction(struct nb_tcb *tcb);

/* Flags and codepoint of a segment that leaves now; new_data: it is sent for the first time. */
void nb__ecn_tell(struct nb_tcb *tcb, struct nb_seg_out *out, bool new_data);

#endif
