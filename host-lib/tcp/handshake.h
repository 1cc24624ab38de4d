/* handshake.h - the pieces of a passive open, for SYN cookies to put together in their own order. */
#ifndef NB_TCP_HANDSHAKE_H
#define NB_TCP_HANDSHAKE_H

#include <stdint.h>

#include "seq.h"

struct nb_listener;
struct nb_seg;
struct nb_tcb;
struct nb_tcp;

/* The MSS in a SYN, or what counts without. */
uint16_t nb__mss_offered(const struct nb_seg *syn);

/* Begin a connection as a listener's child, agreeing on what the SYN offers. */
void nb__take_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_listener *listener, const struct nb_seg *syn,
                  const nb_seq_t *iss_above);

/* The same with a TCB from the pool, in SYN-RECEIVED; NULL when there is none. */
struct nb_tcb *nb__new_child(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *syn,
                             uint16_t queue, const nb_seq_t *iss_above);

/* Nothing is sent yet: begin at this sequence number. */
void nb__set_iss(struct nb_tcb *tcb, nb_seq_t iss);

#endif
