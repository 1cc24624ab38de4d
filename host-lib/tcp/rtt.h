/* rtt.h - the round-trip time and what follows from it: retransmission time-out, least round trip. */
#ifndef NB_TCP_RTT_H
#define NB_TCP_RTT_H

#include <stdint.h>

struct nb_tcb;
struct nb_tcp;

#define NB_RTO_INITIAL_US  1000000 /* RFC 6298 §2.1 */
#define NB_RTO_SYN_LOST_US 3000000 /* RFC 6298 §5.7 */

/* Before anything was measured. */
void nb__rtt_init(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* RFC 6298 §2 with Linux's refinements (rtt.c). */
void nb__rtt_sample(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t measured_us);

/* The least round trip of the last five minutes (RFC 8985 §6.2 wants one that follows route changes). */
void nb__min_rtt_sample(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t measured_us);

/* The time-out as the estimate has it, without backoff. */
uint32_t nb__rto_base_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Smoothed round trip in microseconds; 0: not measured yet. */
static inline uint32_t nb__srtt_us(uint32_t srtt_times_8)
{
    return srtt_times_8 >> 3;
}

#endif
