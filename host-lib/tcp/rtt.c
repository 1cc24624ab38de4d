/* rtt.c - RFC 6298 §2.
 *
 * As in Linux the lower bound applies to the variance term, not to the sum: the time-out is always at least 200 ms
 * above the smoothed round trip, so that a peer's delayed ACK never looks like a loss.
 */
#include "rtt.h"

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

uint32_t nb_rtt_sample(uint32_t *srtt_us, uint32_t *rttvar_us, uint32_t measured_us)
{
    if (measured_us == 0)
        measured_us = 1; /* 0 means "not measured" */
    if (measured_us > NB_RTO_MAX_US)
        measured_us = NB_RTO_MAX_US;
    if (*srtt_us == 0) { /* (2.2) */
        *srtt_us = measured_us;
        *rttvar_us = measured_us / 2;
    } else { /* (2.3): alpha 1/8, beta 1/4, the variance first */
        *rttvar_us = *rttvar_us - *rttvar_us / 4 + distance(*srtt_us, measured_us) / 4;
        *srtt_us = *srtt_us - *srtt_us / 8 + measured_us / 8;
        if (*srtt_us == 0)
            *srtt_us = 1;
    }
    uint32_t margin = *rttvar_us * 4 > NB_RTO_MIN_US ? *rttvar_us * 4 : NB_RTO_MIN_US;
    uint32_t rto_us = *srtt_us + margin;
    return rto_us < NB_RTO_MAX_US ? rto_us : NB_RTO_MAX_US;
}
