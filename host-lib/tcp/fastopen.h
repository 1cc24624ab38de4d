/* fastopen.h - TCP Fast Open (RFC 7413): data in the SYN, for peers that have been here before. */
#ifndef NB_TCP_FASTOPEN_H
#define NB_TCP_FASTOPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <rte_common.h>

#include "destination.h"

struct nb_listener;
struct nb_seg;
struct nb_tcb;
struct nb_tcp;
struct nb_tcp_options;
struct nb_tcp_open;

/* --- client ----------------------------------------------------------------------------------- */

/* The cookie for a SYN to this destination. True: the SYN may carry data. */
bool nb__fastopen_cookie(struct nb_tcp *tcp, const struct nb_flow_key *key, const struct nb_tcp_options *options,
                         struct nb_cookie *cookie, uint16_t *mss);

/* Open with as much of the data as fits beside the SYN, or ask for a cookie; emits the SYN. */
__rte_cold void nb__fastopen_open(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tcp_open *how);

/* The SYN-ACK to such a SYN has arrived, what it acknowledges is taken. True: the data was not, and has been sent
 * again: no ACK is needed beside it. */
bool nb__fastopen_syn_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg);

/* Our SYN was not answered: the next goes without all this. */
void nb__fastopen_syn_lost(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* A router could not pass on our SYN with its data: send it without, at once. */
void nb__fastopen_syn_too_big(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* --- server ----------------------------------------------------------------------------------- */

/* The handshake of a connection that was opened fast is done, or the connection is over. */
__rte_cold void nb__fastopen_done(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* May the SYN's data be taken now? *answer is the cookie for the SYN-ACK. */
bool nb__fastopen_accepts(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *syn,
                          struct nb_cookie *answer);

#endif
