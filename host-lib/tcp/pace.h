/* pace.h - sending at a rate instead of in bursts that fill cwnd at once. */
#ifndef NB_TCP_PACE_H
#define NB_TCP_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"

/* Where the operator (settings.pacing), the user (SO_MAX_PACING_RATE) or the algorithm wants it. */
static inline bool nb__is_paced(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return tcp->settings.pacing || tcb->options->max_pacing_rate || nb_cc_controls(tcb);
}

/* Is it too early for the next burst? Then a timer asks again when it is not. */
bool nb__pace_waits(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* A burst of so many bytes was sent: when may the next one be? */
void nb__pace_sent(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t bytes);

#endif
