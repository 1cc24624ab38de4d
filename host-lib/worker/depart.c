/* depart.c - the source's side of a move; see move.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker.h"

/* --- ending --------------------------------------------------------------------------------------------------------
 */

/* Tell whoever waits that nothing came of it. */
static void answer(struct nb_worker *w, struct nb_move_ticket *ticket, struct nb_move_report *report, int result,
                   const char *why)
{
    w->counters[NB_COUNTER_MOVE_REFUSED]++;
    report->result = result;
    snprintf(report->why, sizeof report->why, "%s", why);
    if (!ticket)
        return;
    ticket->report = *report;
    atomic_store_explicit(&ticket->done, 1, memory_order_release);
}

static void free_departure(struct nb_worker *w, struct nb_departure *d)
{
    d->phase = NB_DEPARTURE_FREE;
    w->moves->n_departures--;
}

static void give_up(struct nb_worker *w, struct nb_departure *d, int result, const char *why)
{
    answer(w, d->ticket, &d->report, result, why);
    d->ticket = NULL;
    free_departure(w, d);
}

/* The target keeps a place, which it is told that we do not need. */
static void cancel(struct nb_worker *w, struct nb_departure *d, int result, const char *why)
{
    if (result) {
        answer(w, d->ticket, &d->report, result, why);
        d->ticket = NULL;
    }
    d->phase = NB_DEPARTURE_CANCEL;
}

/* --- beginning -----------------------------------------------------------------------------------------------------
 */

static const struct nb_app *app_of(const struct nb_tcb *tcb)
{
    const struct nb_service *s = nb_tcb_listener_user(tcb);

    return s ? s->config->app : NULL;
}

/* Why this flow cannot be moved now; NULL when it can. */
static const char *obstacle(struct nb_worker *w, const struct nb_tcb *tcb)
{
    const struct nb_flow_key *key = nb_tcb_key(tcb);
    const struct nb_app *app = app_of(tcb);
    const char *why = nb_transfer_obstacle(tcb);

    if (why)
        return why;
    if (nb_tcb_known(tcb) && nb_tcb_user(tcb) && !(app && app->on_leave && app->on_arrive))
        return "pinned: app (it does not follow its connections)";
    if (w->port[key->port_group].reta_phase != NB_RETA_STABLE)
        return "busy: its bucket is being moved";
    if (nb__gate_of(w, key))
        return "busy: it has just been moved";
    return NULL;
}

static bool is_departing(const struct nb_moves *m, struct nb_conn c)
{
    for (unsigned i = 0; i < NB_DEPARTURES; i++)
        if (m->departure[i].phase != NB_DEPARTURE_FREE && m->departure[i].phase != NB_DEPARTURE_CARRIED &&
            m->departure[i].conn.index == c.index && m->departure[i].conn.generation == c.generation)
            return true;
    return false;
}

static struct nb_departure *free_one(struct nb_moves *m)
{
    for (unsigned i = 0; i < NB_DEPARTURES; i++)
        if (m->departure[i].phase == NB_DEPARTURE_FREE)
            return &m->departure[i];
    return NULL;
}

static uint16_t service_of(const struct nb_worker *w, const struct nb_tcb *tcb)
{
    const struct nb_service *s = nb_tcb_listener_user(tcb);

    return s ? (uint16_t)(s - w->service) : NB_MOVE_NO_SERVICE;
}

static void send_ask(struct nb_worker *w, struct nb_departure *d)
{
    struct nb_mail mail = {.kind = NB_MAIL_MOVE_ASK};

    mail.move.departure = d;
    mail.move.serial = d->serial;
    if (nb__mail(w, d->to, &mail))
        d->phase = NB_DEPARTURE_ASKED;
}

/* Applications may ask in their callbacks: nothing leaves before the turn ends. */
static void ask(struct nb_worker *w, struct nb_departure *d, const struct nb_tcb *tcb)
{
    nb_transfer_measure(w->tcp, tcb, &d->size);
    d->phase = NB_DEPARTURE_ASK;
    d->serial = ++w->moves->serial;
    d->asks++;
    send_ask(w, d);
}

void nb__move_begin(struct nb_worker *w, struct nb_tcb *tcb, unsigned to, struct nb_move_ticket *ticket)
{
    struct nb_move_report report = {
        .flow = nb_tcb_id(tcb), .from = w->index, .to = (uint16_t)to, .asked_us = w->now_us};
    const char *why = to >= w->n_workers ? "there is no such worker" : obstacle(w, tcb);
    struct nb_departure *d = free_one(w->moves);

    if (!why && to == w->index)
        why = "it is there already";
    if (!why && is_departing(w->moves, nb_tcb_conn(tcb)))
        why = "busy: it is being moved";
    if (!why && !d)
        why = "busy: as many flows as can are being moved";
    if (why) {
        answer(w, ticket, &report, to >= w->n_workers ? -EINVAL : -EBUSY, why);
        return;
    }
    memset(d, 0, offsetof(struct nb_departure, transfer));
    d->to = (uint16_t)to;
    d->conn = nb_tcb_conn(tcb);
    d->key = *nb_tcb_key(tcb);
    d->incarnation = nb_tcb_incarnation(tcb);
    d->asked_us = w->now_us;
    d->ticket = ticket;
    d->report = report;
    d->service = service_of(w, tcb);
    atomic_store(&d->claim, NB_CLAIM_OPEN);
    w->moves->n_departures++;
    w->moving = true;
    ask(w, d, tcb);
}

/* --- the target's answers ------------------------------------------------------------------------------------------
 */

/* A letter about an earlier use of the record: only a place that was promised after we had given up matters. */
static bool is_stale(const struct nb_departure *d, const struct nb_mail *mail)
{
    return d->phase != NB_DEPARTURE_ASKED || d->serial != mail->move.serial;
}

/* CANCEL is owed for it, by a record of its own; whoever asked has had an answer. Where there is no record left, the
 * ring decides. */
static void send_back(struct nb_worker *w, unsigned from, struct nb_landing *landing)
{
    struct nb_departure *d = free_one(w->moves);
    const struct nb_mail unwanted = {.kind = NB_MAIL_MOVE_CANCEL, .move = {.landing = landing}};

    if (!d) {
        nb__mail(w, from, &unwanted);
        return;
    }
    memset(d, 0, offsetof(struct nb_departure, transfer));
    d->phase = NB_DEPARTURE_CANCEL;
    d->to = (uint16_t)from;
    d->landing = landing;
    d->report.result = -ECANCELED;
    w->moves->n_departures++;
    w->moving = true;
}

void nb__departure_ready(struct nb_worker *w, unsigned from, const struct nb_mail *mail)
{
    struct nb_departure *d = mail->move.departure;

    if (is_stale(d, mail)) {
        send_back(w, from, mail->move.landing);
        return;
    }
    d->landing = mail->move.landing;
    d->phase = NB_DEPARTURE_READY;
}

void nb__departure_refused(struct nb_worker *w, const struct nb_mail *mail)
{
    struct nb_departure *d = mail->move.departure;

    if (!is_stale(d, mail))
        give_up(w, d, -ENOBUFS, "the target has no room for it");
}

void nb__departure_taken(struct nb_worker *w, const struct nb_mail *mail)
{
    struct nb_departure *d = mail->move.departure;

    if (atomic_load_explicit(&d->claim, memory_order_acquire) == NB_CLAIM_TAKEN) {
        nb_transfer_finish(w->tcp, &d->transfer);
        nb__moved_add(w, d->conn, d->to, mail->move.conn);
        w->counters[NB_COUNTER_MOVED_OUT]++;
    } else {
        nb_transfer_discard(w->tcp, &d->transfer);
        nb_registry_forget(&w->registry, &d->key);
        answer(w, d->ticket, &d->report, -ENOBUFS, "the target's flow table had no room: the connection is lost");
    }
    d->landed = true;
    if (!d->draining)
        free_departure(w, d);
}

/* --- leaving -------------------------------------------------------------------------------------------------------
 */

static bool fits(const struct nb_transfer_size *size, const struct nb_transfer_size *berth)
{
    return size->records <= berth->records && size->ranges <= berth->ranges && size->send_mbufs <= berth->send_mbufs &&
           size->reasm_mbufs <= berth->reasm_mbufs;
}

/* The letter can be put now, and the flow's entry kept. */
static bool has_room(const struct nb_worker *w, const struct nb_departure *d)
{
    return nb_mail_room(w->post, w->index, d->to) > 0 && nb_registry_has_room(&w->registry);
}

static void tell_application(struct nb_worker *w, struct nb_departure *d, struct nb_tcb *tcb)
{
    const struct nb_app *app = app_of(tcb);

    d->user = nb_tcb_user(tcb);
    if (app && app->on_leave && nb_tcb_known(tcb))
        d->user = app->on_leave(w, w->service[d->service].state, d->conn, d->user, d->to);
}

/* When what the port was given is on the wire, rounded up. */
static uint64_t empty_us(const struct nb_worker_port *port)
{
    return (port->tx_clock.empty >> NB_TX_CLOCK_SHIFT) + 1;
}

static void freeze(struct nb_worker *w, struct nb_departure *d, struct nb_tcb *tcb)
{
    const struct nb_worker_port *port = &w->port[d->key.port_group];
    struct nb_mail carry = {.kind = NB_MAIL_MOVE_CARRY, .port = d->key.port_group};

    tell_application(w, d, tcb);
    nb_transfer_leave(w->tcp, tcb, &d->transfer);
    nb_registry_untell(&w->registry, &d->key);
    nb_registry_put(&w->registry, &d->key, d->to, d->incarnation, (uint16_t)(d->transfer.tcb.moves + 1));
    nb__trace_add(w, &d->key);
    d->report.frozen_us = w->now_us;
    d->phase = NB_DEPARTURE_CARRIED;
    carry.move.departure = d;
    carry.move.landing = d->landing;
    carry.move.now_us = w->now_us;
    d->draining = port->n_tx > 0;
    d->drained = port->tx_clock.given + port->n_tx;
    carry.move.hold_until_us = d->draining ? w->now_us + NB_MOVE_DRAIN_US : empty_us(port);
    nb__mail(w, d->to, &carry);
}

static void try_to_leave(struct nb_worker *w, struct nb_departure *d)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, d->conn);
    const char *why = tcb ? obstacle(w, tcb) : "it has ended";
    struct nb_transfer_size size;

    if (why) {
        cancel(w, d, tcb ? -EBUSY : -ENOENT, why);
        return;
    }
    nb_transfer_measure(w->tcp, tcb, &size);
    if (!fits(&size, &d->landing->berth.size)) {
        if (d->asks < NB_MOVE_ASKS)
            cancel(w, d, 0, NULL);
        else
            cancel(w, d, -EBUSY, "busy: it grows faster than it can be moved");
        return;
    }
    d->home = nb_rss_queue(&w->port[d->key.port_group].rss, &d->key);
    if (has_room(w, d))
        freeze(w, d, tcb);
    else if (w->now_us >= d->asked_us + NB_MOVE_ASK_US)
        cancel(w, d, -EBUSY, "busy: there is no room for its letter or its entry");
}

/* --- what is due ---------------------------------------------------------------------------------------------------
 */

/* The place is free again; a flow that only outgrew it asks for a larger one. */
static void send_cancel(struct nb_worker *w, struct nb_departure *d)
{
    struct nb_mail mail = {.kind = NB_MAIL_MOVE_CANCEL};
    struct nb_tcb *tcb;

    mail.move.landing = d->landing;
    if (!nb__mail(w, d->to, &mail))
        return;
    tcb = d->report.result ? NULL : nb_tcp_lookup(w->tcp, d->conn);
    if (tcb)
        ask(w, d, tcb);
    else if (d->report.result)
        free_departure(w, d);
    else
        give_up(w, d, -ENOENT, "it has ended");
}

/* The port has taken what the flow sent; it is on the wire when all that was taken is. */
static void look_at_port(struct nb_worker *w, struct nb_departure *d)
{
    const struct nb_worker_port *port = &w->port[d->key.port_group];
    const struct nb_mail mail = {.kind = NB_MAIL_MOVE_DRAINED,
                                 .flow = {.key = d->key, .incarnation = d->incarnation, .by_us = empty_us(port)}};

    if (!d->draining || port->tx_clock.given < d->drained || !nb__mail(w, d->to, &mail))
        return;
    d->draining = false;
    if (d->landed)
        free_departure(w, d);
}

static void tend(struct nb_worker *w, struct nb_departure *d)
{
    switch (d->phase) {
    case NB_DEPARTURE_FREE:
        break;
    case NB_DEPARTURE_CARRIED:
        look_at_port(w, d);
        break;
    case NB_DEPARTURE_ASKED:
        if (w->now_us >= d->asked_us + NB_MOVE_ASK_US)
            give_up(w, d, -EBUSY, "busy: the target does not answer");
        break;
    case NB_DEPARTURE_ASK:
        send_ask(w, d);
        break;
    case NB_DEPARTURE_READY:
        try_to_leave(w, d);
        break;
    case NB_DEPARTURE_CANCEL:
        send_cancel(w, d);
        break;
    }
}

void nb__departures_tend(struct nb_worker *w)
{
    for (unsigned i = 0; i < NB_DEPARTURES; i++)
        tend(w, &w->moves->departure[i]);
}
