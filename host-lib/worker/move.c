/* move.c - moves of flows: their records, letters and what is due; see move.h. */
#include "move.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_pause.h>

#include "worker.h"

struct nb_moves *nb_moves_new(void)
{
    return calloc(1, sizeof(struct nb_moves));
}

/* A flow that the target has not begun to take stays ours; one that it has, it will have taken in a moment. */
static void revoke(struct nb_departure *d)
{
    uint32_t open = NB_CLAIM_OPEN;

    if (d->phase != NB_DEPARTURE_CARRIED || atomic_compare_exchange_strong(&d->claim, &open, NB_CLAIM_DROPPED))
        return;
    while (atomic_load_explicit(&d->claim, memory_order_acquire) == NB_CLAIM_TAKING)
        rte_pause();
}

/* Departures that have not left yet are given up; whoever waits for one hears that the worker ends. */
void nb__moves_stop(struct nb_worker *w)
{
    for (unsigned i = 0; i < NB_DEPARTURES; i++) {
        struct nb_departure *d = &w->moves->departure[i];

        revoke(d);
        if (d->phase == NB_DEPARTURE_FREE || !d->ticket || atomic_load(&d->claim) == NB_CLAIM_TAKEN)
            continue;
        d->report.result = -ESHUTDOWN;
        d->ticket->report = d->report;
        atomic_store_explicit(&d->ticket->done, 1, memory_order_release);
        d->ticket = NULL;
    }
    nb__gates_stop(w);
}

/* What left and was not taken is nobody's but ours. */
void nb__moves_free(struct nb_worker *w)
{
    for (unsigned i = 0; w->moves && i < NB_DEPARTURES; i++) {
        struct nb_departure *d = &w->moves->departure[i];

        if (d->phase == NB_DEPARTURE_CARRIED && atomic_load(&d->claim) != NB_CLAIM_TAKEN)
            nb_transfer_discard(w->tcp, &d->transfer);
    }
    free(w->moves);
    w->moves = NULL;
}

bool nb__moves_on_port(const struct nb_worker *w, unsigned port)
{
    const struct nb_moves *m = w->moves;

    for (unsigned i = 0; m->n_departures && i < NB_DEPARTURES; i++)
        if (m->departure[i].phase != NB_DEPARTURE_FREE && m->departure[i].key.port_group == port)
            return true;
    for (unsigned i = 0; m->n_landings && i < NB_LANDINGS; i++)
        if (m->landing[i].phase != NB_LANDING_FREE)
            return true;
    return nb__gates_on_port(w, port);
}

void nb__move_letter(struct nb_worker *w, unsigned from, const struct nb_mail *mail)
{
    if (mail->kind == NB_MAIL_MOVE_ASK)
        nb__landing_asked(w, from, mail);
    else if (mail->kind == NB_MAIL_MOVE_READY)
        nb__departure_ready(w, from, mail);
    else if (mail->kind == NB_MAIL_MOVE_REFUSED)
        nb__departure_refused(w, mail);
    else if (mail->kind == NB_MAIL_MOVE_CANCEL)
        nb__landing_cancelled(w, mail);
    else if (mail->kind == NB_MAIL_MOVE_CARRY)
        nb__landing_carried(w, mail);
    else if (mail->kind == NB_MAIL_MOVE_TAKEN)
        nb__departure_taken(w, mail);
    else if (mail->kind == NB_MAIL_MOVE_HOME)
        nb__move_home(w, from, mail);
    else if (mail->kind == NB_MAIL_MOVE_FENCE)
        nb__fence_pass_on(w, &mail->flow.key, mail->queue, mail->hops, mail->count, (int)mail->flow.by_us - 1);
    else if (mail->kind == NB_MAIL_MOVE_DRAINED)
        nb__gate_drained(w, &mail->flow.key, mail->flow.by_us);
    else
        nb_transfer_settle(w->tcp, mail->move.n);
}

void nb__moves_tend(struct nb_worker *w)
{
    struct nb_moves *m = w->moves;

    if (m->n_departures)
        nb__departures_tend(w);
    if (m->n_landings)
        nb__landings_tend(w);
    if (w->fences.n)
        nb__fences_tend(w);
    if (w->n_gates)
        nb__gates_tend(w);
    if (m->n_traces)
        nb__traces_tend(w);
    if (m->n_loans)
        nb__loans_tend(w);
    w->moving = w->fences.n | w->n_gates | m->n_departures | m->n_landings | m->n_traces | m->n_loans;
}

/* Letters wake us; what else is due is a departure that waits for its port, a gate's bound, or looking after what
 * others lent us. */
uint64_t nb__moves_next_us(const struct nb_worker *w)
{
    uint64_t next_us = nb__gates_next_us(w);
    const struct nb_moves *m = w->moves;

    if ((m->n_departures || w->fences.n) && w->now_us + NB_TX_RETRY_US < next_us)
        next_us = w->now_us + NB_TX_RETRY_US;
    if (m->n_loans && m->loan_look_us < next_us)
        next_us = m->loan_look_us;
    if (m->n_traces && m->trace[m->trace_first].until_us < next_us)
        next_us = m->trace[m->trace_first].until_us;
    return next_us;
}
