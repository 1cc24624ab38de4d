/* validation.c - see validation.h; names and numbers are RFC 7661's. */
#include "validation.h"

#include "core.h"
#include "minmax.h"

#define NON_VALIDATED_PERIOD_MS 300000 /* §4.4.3 */
#define SAMPLING_PERIOD_MS      1000   /* §4.5.1: or three round trips, if that is longer */

static uint32_t sampling_period_ms(const struct nb_tcb *tcb)
{
    return (uint32_t)nb__max(SAMPLING_PERIOD_MS, 3ull * (tcb->srtt_us >> 3) / 1000);
}

static uint32_t pipe_ack(const struct nb_pipe_ack *p)
{
    return (uint32_t)nb__max(p->sampled[0], p->sampled[1]);
}

bool nb__validated(const struct nb_tcb *tcb)
{
    const struct nb_pipe_ack *p = &nb__past(tcb)->pipe_ack;
    return !p->any || 2ull * pipe_ack(p) >= tcb->cwnd;
}

/* Two periods are remembered, so that one that has just begun does not make the window look unused. */
static void age(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_pipe_ack *p)
{
    uint32_t period_ms = sampling_period_ms(tcb), age_ms = tcp->now_ms - p->began_ms;
    if (age_ms < period_ms)
        return;
    p->sampled[0] = age_ms < 2 * period_ms ? p->sampled[1] : 0;
    p->sampled[1] = 0;
    p->began_ms = tcp->now_ms;
}

/* §4.5.1: from a segment's transmission to its acknowledgement is one sample. */
static void sample(const struct nb_tcb *tcb, struct nb_pipe_ack *p)
{
    if (p->open && seq_geq(tcb->snd_una, p->end)) {
        p->sampled[1] = (uint32_t)nb__max(p->sampled[1], tcb->delivered - p->delivered);
        p->any = true;
        p->open = false;
    }
    if (!p->open) {
        p->open = true;
        p->end = tcb->snd_nxt;
        p->delivered = tcb->delivered;
    }
}

static void note_phase(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_pipe_ack *p)
{
    if (nb__validated(tcb))
        p->unvalidated_ms = 0;
    else if (!p->unvalidated_ms)
        p->unvalidated_ms = nb__stamp_ms(tcp);
}

void nb__validation_acked(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_pipe_ack *p = &nb__history(tcp, tcb)->pipe_ack;
    age(tcp, tcb, p);
    sample(tcb, p);
    note_phase(tcp, tcb, p);
}

void nb__validation_expire(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcb->history || tcb->recovery != NB_TCP_RECOVERY_OPEN)
        return;
    struct nb_pipe_ack *p = &tcb->history->pipe_ack;
    age(tcp, tcb, p);
    note_phase(tcp, tcb, p);
    if (!p->unvalidated_ms || tcp->now_ms - p->unvalidated_ms < NON_VALIDATED_PERIOD_MS)
        return;
    tcb->ssthresh = (uint32_t)nb__max(tcb->ssthresh, (uint64_t)tcb->cwnd * 3 / 4);
    tcb->cwnd = (uint32_t)nb__max(tcb->cwnd / 2, nb__min(NB_INITIAL_CWND, tcb->cwnd));
    p->unvalidated_ms = nb__stamp_ms(tcp);
}

uint32_t nb__validation_ssthresh(const struct nb_tcb *tcb)
{
    return (uint32_t)nb__max(nb__max(pipe_ack(&nb__past(tcb)->pipe_ack), nb__packets_out(tcb)) / 2, 2);
}
