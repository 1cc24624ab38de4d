/* accecn.h - more accurate ECN feedback (RFC 9768): every segment tells how many packets have arrived with CE, in three
 * bits, instead of RFC 3168's "some have".
 */
#ifndef NB_TCP_ACCECN_H
#define NB_TCP_ACCECN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "../wire/segment.h"

struct nb_ack;
struct nb_seg_out;
struct nb_tcb;
struct nb_tcp;

/* Of a connection with NB_TCB_ECN; all zero: RFC 3168 was agreed on. */
struct nb_accecn {
    uint32_t received_ce; /* packets; r.cep is this and 5 */
    uint32_t told_ce;     /* of those the peer was told */
    uint32_t ts_value;    /* of the last segment whose ACE counted */
    uint8_t s_cep;        /* the peer's r.cep as far as it told, modulo 8 */
    uint8_t syn_ecn;      /* codepoint of the latest SYN or SYN-ACK that arrived */
    bool on;
    bool owes_answer;   /* the next bare ACK tells syn_ecn (§3.2.2.1) */
    bool handshake_ack; /* the segment under way told our SYN-ACK's codepoint, and no count */
    bool checked;       /* ACE was seen since the handshake (§3.2.2.4) */
    bool last_was_ce;   /* the last packet */
    bool marking;       /* the last ACE that counted told of more marks */
    bool syn_marked;    /* our SYN or SYN-ACK arrived with CE */
    bool no_ect;        /* we send nothing that is ECN-capable any more */
    bool deaf;          /* nor believe what the peer tells */

    /* The option (accecn_option.c). */
    uint32_t bytes[NB_ACCECN_FIELDS]; /* payload that arrived with each codepoint */
    uint32_t s_ceb;                   /* the peer's count of marked bytes as far as it told */
    uint32_t unsized;                 /* marks taken since it told, */
    bool unsure;                      /* and there may have been more */
    uint8_t changed;                  /* bits by field: of those numbers, in this connection */
    bool untold;                      /* since the last option that left */
    bool mute;                        /* we send none any more (§3.2.3.2.2) */
    bool option_deaf;                 /* nor read them (§3.2.3.2.4) */
    bool first_data;                  /* our first data carried one */
};

bool nb__accecn_in_use(const struct nb_tcb *tcb);

/* --- the handshake ---------------------------------------------------------------------------- */

/* Is this a SYN that asks for it, and do we accept that? */
bool nb__accecn_accepts(const struct nb_tcp *tcp, const struct nb_seg *syn);

/* The peer's SYN, or its answer to ours, agreed: from now on it is in use. */
void nb__accecn_take_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn);
void nb__accecn_take_syn_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn_ack);

/* The peer's SYN came again. False: it contradicts the first, and the connection has to be reset (§3.1.5). */
__rte_cold bool nb__accecn_syn_again(const struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn);

/* ACE of the SYN-ACK that leaves now. */
uint8_t nb__accecn_of_syn_ack(struct nb_tcb *tcb);

/* In SYN-RECEIVED, the ACK of our SYN-ACK. */
void nb__accecn_syn_acked(struct nb_tcb *tcb, const struct nb_seg *seg);

/* The peer's SYN-ACK came again: true if the ACK that leaves now is the answer to it. */
__rte_cold bool nb__accecn_syn_ack_again(struct nb_tcb *tcb, const struct nb_seg *seg);

/* Does a bare ACK have to leave before anything else, and without SACK blocks? */
bool nb__accecn_owes_answer(const struct nb_tcb *tcb);
__rte_cold void nb__accecn_answered(struct nb_tcb *tcb);

/* Was our SYN or SYN-ACK marked? */
bool nb__accecn_syn_was_marked(const struct nb_tcb *tcb);

/* --- afterwards ------------------------------------------------------------------------------- */

/* An acceptable segment arrived. */
void nb__accecn_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* What ACE tells outside the handshake; 0 where it is not in use. */
uint8_t nb__accecn_count(const struct nb_tcb *tcb);

/* ACE of a segment that leaves now. */
void nb__accecn_tell(struct nb_tcb *tcb, struct nb_seg_out *out);

/* The option: what fits beside the others, in a segment that leaves now with n bytes of payload from seq, or with the
 * SYN-ACK. It is made in *option, which has to outlive out. */
void nb__accecn_add_option(struct nb_tcb *tcb, struct nb_seg_out *out, struct nb_accecn_option *option, nb_seq_t seq,
                           unsigned n);

/* Bytes to keep free for it in every segment. */
unsigned nb__accecn_option_reserve(const struct nb_tcb *tcb);

/* Payload arrived with this codepoint. */
void nb__accecn_count_bytes(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* The first option that the peer sends, or should have sent. */
void nb__accecn_first_option(struct nb_accecn *a, const struct nb_seg *seg);

/* Does the segment tell how many bytes more were marked? */
bool nb__accecn_marked_bytes(struct nb_accecn *a, const struct nb_seg *seg, uint32_t *bytes);

/* What an ACK tells, when it is known how many segments it has delivered: marks set NB_ACK_ECE and are counted. */
void nb__accecn_feedback(struct nb_tcb *tcb, struct nb_ack *ack);

#endif
