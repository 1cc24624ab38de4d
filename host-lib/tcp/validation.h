/* validation.h - is cwnd, which the application does not fill, still worth anything (RFC 7661)? Where the operator
 * chooses it; otherwise Linux's way, RFC 2861's, is taken (cwnd.c).
 *
 * What is acknowledged in a round trip (pipeACK) says what the path was seen to carry. While that is half of cwnd or
 * more, cwnd is validated and may grow. While it is less, cwnd stays as it is, idle or not, for five minutes at most; a
 * loss in that time brings it down to half of what was in use.
 */
#ifndef NB_TCP_VALIDATION_H
#define NB_TCP_VALIDATION_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

struct nb_tcb;
struct nb_tcp;

/* settings.cwnd_validation */
enum nb_cwnd_validation { NB_VALIDATION_LINUX, NB_VALIDATION_PIPE_ACK };

/* In a history block. Segments. */
struct nb_pipe_ack {
    uint32_t sampled[2];     /* the largest samples of the sampling period before and of this one */
    uint32_t began_ms;       /* this one */
    uint32_t delivered;      /* at the beginning of the sample under way */
    uint32_t end;            /* snd_nxt then; with open */
    uint32_t unvalidated_ms; /* since when; 0: validated */
    bool open, any;
};

/* Data was acknowledged. */
void nb__validation_acked(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Data is about to be sent, or was sent without filling cwnd: five minutes are enough (§4.4.3). */
__rte_cold void nb__validation_expire(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The validated phase (§4.2): cwnd may grow. */
bool nb__validated(const struct nb_tcb *tcb);

/* ssthresh for a loss in the other phase (§4.4.1). */
uint32_t nb__validation_ssthresh(const struct nb_tcb *tcb);

#endif
