/* rtt.h - round-trip time to retransmission time-out (RFC 6298). */
#ifndef NB_TCP_RTT_H
#define NB_TCP_RTT_H

#include <stdint.h>

#define NB_RTO_INITIAL_US  1000000   /* RFC 6298 §2.1 */
#define NB_RTO_SYN_LOST_US 3000000   /* RFC 6298 §5.7: after a handshake that needed a retransmission */
#define NB_RTO_MIN_US      200000    /* as Linux: RFC 6298 §2.4 asks for a second, which no peer today waits */
#define NB_RTO_MAX_US      120000000 /* as Linux; RFC 6298 §2.5 wants at least a minute */

/* Take one measurement into *srtt_us and *rttvar_us (srtt 0: none so far); returns the time-out. */
uint32_t nb_rtt_sample(uint32_t *srtt_us, uint32_t *rttvar_us, uint32_t measured_us);

#endif
