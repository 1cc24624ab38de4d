/* syncookie.h - passive opens without a connection's state, for when too many are half open (RFC 4987 §3.6). */
#ifndef NB_TCP_SYNCOOKIE_H
#define NB_TCP_SYNCOOKIE_H

#include <stdbool.h>
#include <stdint.h>

struct nb_listener;
struct nb_seg;
struct nb_tcp;

/* Is a SYN to be answered with a cookie now? tcp_syncookies: 0 never, 1 when no more may be half open, 2 always. */
bool nb__syncookies_in_use(const struct nb_tcp *tcp);

/* Answer a SYN and forget it. */
void nb__syncookie_answer(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *syn);

/* An ACK for no connection: does it bring back one of our cookies? Then the connection is made, and the segment given
 * to it. */
bool nb__syncookie_returns(struct nb_tcp *tcp, const struct nb_listener *listener, struct nb_seg *seg, uint16_t queue);

#endif
