/* cwnd.h - how much may be in flight, and how fast: initial window, validation, pacing rate, burst size. */
#ifndef NB_TCP_CWND_H
#define NB_TCP_CWND_H

#include <stdbool.h>
#include <stdint.h>

struct nb_tcb;
struct nb_tcp;

#define NB_INITIAL_CWND 10 /* RFC 6928 */

/* RFC 6675's pipe, in segments. */
uint32_t nb__in_flight(const struct nb_tcb *tcb);

/* Segments in flight, SACKed and lost ones included. */
uint32_t nb__packets_out(const struct nb_tcb *tcb);

/* Was cwnd what limited the flight that is being acknowledged? */
bool nb__cwnd_is_limiting(const struct nb_tcb *tcb);

/* May it grow? Only when it was in use: when it was the limit, or was validated (validation.h), as is chosen. */
bool nb__cwnd_may_grow(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Something was sent, or could not be: note whether cwnd was the reason. */
void nb__cwnd_validate(struct nb_tcp *tcp, struct nb_tcb *tcb, bool limited);

/* The same when one segment was sent as the first of a flight. */
void nb__cwnd_validate_one(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Data is queued on a connection that was silent for longer than its RTO: what cwnd stood for is out of date (RFC 5681
 * §4.1, RFC 2861). */
void nb__cwnd_after_idle(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* cwnd before the present reduction. */
uint32_t nb__prior_cwnd(const struct nb_tcb *tcb);

/* ssthresh, or where a window that is not being reduced would fall back to. */
uint32_t nb__current_ssthresh(const struct nb_tcb *tcb);

/* Bytes a second: the rate at which cwnd would be spread over the round trip, with the headroom that growth needs, or
 * what the algorithm wants; at most what the user wants. All ones without a measured round trip. */
uint64_t nb__pacing_rate(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Segments that are sent in one burst: about a millisecond's worth at the pacing rate. */
uint32_t nb__burst_segs(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint16_t mss);

/* How long four of the largest bursts take at the pacing rate, at most a millisecond: by so much ACKs may bunch. */
uint32_t nb__burst_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

#endif
