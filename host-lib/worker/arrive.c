/* arrive.c - the target's side of a move; see move.h. */
#include <string.h>

#include "worker.h"

/* Places kept beyond what the flow needs when it asks: it goes on living until it leaves. */
#define RECORDS_SPARE 16
#define RANGES_SPARE  4
#define MBUFS_SPARE   32

/* --- a place -------------------------------------------------------------------------------------------------------
 */

static struct nb_landing *free_one(struct nb_moves *m)
{
    for (unsigned i = 0; i < NB_LANDINGS; i++)
        if (m->landing[i].phase == NB_LANDING_FREE)
            return &m->landing[i];
    return NULL;
}

static void free_landing(struct nb_worker *w, struct nb_landing *l)
{
    l->phase = NB_LANDING_FREE;
    w->moves->n_landings--;
}

/* The ways its segments come: from its old owner, then any other. */
static bool open_gate(struct nb_worker *w, struct nb_landing *l, const struct nb_departure *d)
{
    l->gate = nb__gate_open(w, &d->key, l->from, NB_GATE_ANY);
    return l->gate;
}

/* What was asked for and something over, if there is; at least what was asked for. */
static bool take_berth(struct nb_worker *w, struct nb_landing *l, const struct nb_transfer_size *size)
{
    struct nb_transfer_size more = *size;

    more.records += RECORDS_SPARE + size->records / 2;
    more.ranges += RANGES_SPARE;
    more.send_mbufs += MBUFS_SPARE + size->send_mbufs / 2;
    more.reasm_mbufs += MBUFS_SPARE;
    return nb_berth_take(w->tcp, &more, &l->berth) || nb_berth_take(w->tcp, size, &l->berth);
}

static bool reserve(struct nb_worker *w, struct nb_landing *l, const struct nb_departure *d)
{
    struct nb_moves *m = w->moves;

    if (w->port[d->key.port_group].reta_phase != NB_RETA_STABLE || m->n_loans + m->n_landings >= NB_LOANS ||
        !nb_lend_has_room(w->lending, w->index, d->size.send_mbufs + d->size.reasm_mbufs) ||
        !take_berth(w, l, &d->size))
        return false;
    if (open_gate(w, l, d))
        return true;
    nb_berth_give_back(w->tcp, &l->berth);
    return false;
}

static void refuse(struct nb_worker *w, unsigned from, const struct nb_mail *asked)
{
    struct nb_mail mail = *asked;

    mail.kind = NB_MAIL_MOVE_REFUSED;
    nb__mail(w, from, &mail);
}

/* The departure is the source's; it does not touch it while it waits for our answer. */
void nb__landing_asked(struct nb_worker *w, unsigned from, const struct nb_mail *mail)
{
    const struct nb_departure *d = mail->move.departure;
    struct nb_landing *l = free_one(w->moves);

    if (!l) {
        refuse(w, from, mail);
        return;
    }
    *l = (struct nb_landing){.from = (uint16_t)from, .departure = mail->move.departure, .serial = mail->move.serial};
    if (!reserve(w, l, d)) {
        refuse(w, from, mail);
        return;
    }
    l->phase = NB_LANDING_ANSWER;
    w->moves->n_landings++;
    w->moving = true;
    nb__landings_tend(w);
}

void nb__landing_cancelled(struct nb_worker *w, const struct nb_mail *mail)
{
    struct nb_landing *l = mail->move.landing;

    nb__gate_drop(w, l->gate);
    nb_berth_give_back(w->tcp, &l->berth);
    free_landing(w, l);
}

/* --- arriving ------------------------------------------------------------------------------------------------------
 */

/* If we had its segments to send on, they come round behind each other, and our fence behind the last. */
static void settle_ways(struct nb_worker *w, struct nb_landing *l)
{
    const struct nb_departure *d = l->departure;
    const struct nb_forward *entry = nb_registry_entry(&w->registry, &d->key);

    if (entry)
        nb__fence_send(w, &d->key, entry->owner, w->index);
    nb__gate_await(l->gate, entry ? UINT64_C(1) << w->index : 0);
    if (d->home != w->index && d->home != l->from)
        nb__gate_await_home(l->gate, d->home, d->incarnation, (uint16_t)(d->transfer.tcb.moves + 1));
    nb_registry_forget(&w->registry, &d->key);
    if (d->home != w->index)
        nb_registry_set_told(&w->registry, &d->key, d->home, d->incarnation);
}

/* Buffers of the source's in the send queue: it hears of it when they are free. */
static void remember_loan(struct nb_worker *w, const struct nb_landing *l, const struct nb_departure *d)
{
    struct nb_moves *m = w->moves;

    if (d->transfer.size.send_mbufs == 0)
        return;
    m->loan[(m->loan_first + m->n_loans++) % NB_LOANS] = (struct nb_loan){
        .conn = l->conn, .until = d->transfer.tcb.snd_end, .n = d->transfer.size.send_mbufs, .from = l->from};
}

static void keep_buffers(void *worker, struct rte_mbuf *first)
{
    struct nb_worker *w = worker;

    nb_lend_keep(w->lending, w->index, first);
}

static void tell_application(struct nb_worker *w, const struct nb_departure *d, struct nb_tcb *tcb)
{
    const struct nb_service *s = nb_tcb_listener_user(tcb);

    nb_tcb_set_user(tcb, d->user);
    if (s && s->config->app->on_arrive && nb_tcb_known(tcb))
        s->config->app->on_arrive(w, s->state, nb_tcb_conn(tcb), d->user);
}

static void open_for_business(struct nb_worker *w, struct nb_landing *l, const struct nb_mail *mail)
{
    const struct nb_departure *d = l->departure;
    struct nb_gate *gate = l->gate;
    uint32_t parked = gate->report.parked;

    gate->active = true;
    gate->until_us = w->now_us + NB_GATE_US;
    gate->report = d->report;
    gate->report.parked = parked;
    gate->report.served_us = w->now_us;
    gate->ticket = d->ticket;
    nb__gate_hold(w, gate, mail->move.hold_until_us);
}

/* No room in the flow table, whose size was made for all there can be: the connection ends here, unheard of. */
static void fail(struct nb_worker *w, struct nb_landing *l)
{
    nb__gate_drop(w, l->gate);
    nb_berth_give_back(w->tcp, &l->berth);
}

void nb__landing_carried(struct nb_worker *w, const struct nb_mail *mail)
{
    struct nb_landing *l = mail->move.landing;
    struct nb_departure *d = l->departure;
    uint32_t open = NB_CLAIM_OPEN;
    struct nb_tcb *tcb;

    if (!atomic_compare_exchange_strong(&d->claim, &open, NB_CLAIM_TAKING)) { /* the source has ended meanwhile */
        fail(w, l);
        free_landing(w, l);
        return;
    }
    if (mail->move.now_us > w->now_us) /* its clock is ours, and was read later */
        w->now_us = mail->move.now_us;
    settle_ways(w, l);
    tcb = nb_transfer_arrive(w->tcp, &l->berth, &d->transfer,
                             d->service == NB_MOVE_NO_SERVICE ? NULL : &w->service[d->service], w->now_us);
    l->phase = NB_LANDING_TAKEN;
    if (!tcb) {
        fail(w, l);
        atomic_store_explicit(&d->claim, NB_CLAIM_DROPPED, memory_order_release);
        return;
    }
    l->conn = nb_tcb_conn(tcb);
    w->counters[NB_COUNTER_MOVED_IN]++;
    nb_transfer_buffers(w->tcp, tcb, keep_buffers, w);
    remember_loan(w, l, d);
    open_for_business(w, l, mail);
    nb__news_moved(w, tcb);
    tell_application(w, d, tcb);
    atomic_store_explicit(&d->claim, NB_CLAIM_TAKEN, memory_order_release);
    nb__gate_look(w, l->gate);
    l->gate = NULL;
    nb__landings_tend(w);
}

/* --- what is due ---------------------------------------------------------------------------------------------------
 */

static void tend(struct nb_worker *w, struct nb_landing *l)
{
    struct nb_mail mail = {.kind = l->phase == NB_LANDING_ANSWER ? NB_MAIL_MOVE_READY : NB_MAIL_MOVE_TAKEN};

    if (l->phase != NB_LANDING_ANSWER && l->phase != NB_LANDING_TAKEN)
        return;
    mail.move.departure = l->departure;
    mail.move.landing = l;
    mail.move.serial = l->serial;
    mail.move.conn = l->conn;
    if (!nb__mail(w, l->from, &mail))
        return;
    if (l->phase == NB_LANDING_ANSWER)
        l->phase = NB_LANDING_RESERVED;
    else
        free_landing(w, l);
}

void nb__landings_tend(struct nb_worker *w)
{
    for (unsigned i = 0; i < NB_LANDINGS; i++)
        tend(w, &w->moves->landing[i]);
}

#define LOANS_PER_LOOK 32u

static bool is_paid(const struct nb_worker *w, const struct nb_loan *loan)
{
    const struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, loan->conn);

    return !tcb || seq_geq(nb_tcb_snd_una(tcb), loan->until);
}

/* The oldest come first, and the others after them in turn. */
void nb__loans_tend(struct nb_worker *w)
{
    struct nb_moves *m = w->moves;

    if (w->now_us < m->loan_look_us)
        return;
    m->loan_look_us = w->now_us + NB_LOAN_LOOK_US;
    for (uint32_t n = m->n_loans < LOANS_PER_LOOK ? m->n_loans : LOANS_PER_LOOK; n > 0; n--) {
        struct nb_loan loan = m->loan[m->loan_first];
        struct nb_mail mail = {.kind = NB_MAIL_MOVE_SETTLE};

        mail.move.n = loan.n;
        m->loan_first = (m->loan_first + 1) % NB_LOANS;
        m->n_loans--;
        if (!is_paid(w, &loan) || !nb__mail(w, loan.from, &mail))
            m->loan[(m->loan_first + m->n_loans++) % NB_LOANS] = loan;
    }
}
