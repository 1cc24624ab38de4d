/* moves_control.c - what happens to flows of the moves world: moves, pins, changes of RETA, restarts. */
#include <errno.h>
#include <string.h>

#include "moves_inside.h"

#define VAIN_PERMILLE 30 /* of steps ask for a move that cannot be, */
#define VAIN_SHARE    10 /* but of a run's moves one in so many */

/* The flow as the server has it. */
struct nb_flow_key world_key_of(const struct conn *c)
{
    return (struct nb_flow_key){.local.word = {US},
                                .remote.word = {CLIENT},
                                .local_port = c->key.remote_port,
                                .remote_port = c->key.local_port,
                                .family = NB_FAMILY_IPV4};
}

/* The server's end, wherever it is; half-open ones are known to nobody. NULL: there is none. */
static struct nb_tcb *tcb_of(struct world *w, struct conn *c)
{
    struct nb_flow_key key = world_key_of(c);

    if (c->accepted)
        return nb_tcp_lookup(w->rt->worker[c->worker]->tcp, c->handle);
    for (unsigned i = 0; i < w->workers && c->live && !c->open_at_us; i++) {
        const struct nb_flow_table *flows = w->rt->worker[i]->flows;
        struct nb_flow_ref ref = nb_flow_find(flows, &key, nb_flow_hash(flows, &key));

        if (ref.kind != NB_FLOW_TCB || ((struct nb_tcb *)ref.object)->state != NB_TCP_SYN_RECEIVED)
            continue;
        c->worker = i;
        return (struct nb_tcb *)ref.object;
    }
    return NULL;
}

/* A move that was given up may not be over yet at both its ends. */
static bool is_on_the_move(struct world *w, const struct conn *c)
{
    struct nb_flow_key key = world_key_of(c);

    for (unsigned i = 0; i < NB_DEPARTURES; i++) {
        const struct nb_departure *d = &w->rt->worker[c->worker]->moves->departure[i];

        if (d->phase != NB_DEPARTURE_FREE && memcmp(&d->key, &key, sizeof key) == 0)
            return true;
    }
    for (unsigned i = 0; i < w->workers; i++)
        if (nb__gate_of(w->rt->worker[i], &key))
            return true;
    return false;
}

/* Nothing speaks against its moving: it will be refused only for what happens meanwhile. */
static bool is_ready(struct world *w, struct conn *c)
{
    return !c->server_done && !c->travelling && !c->pinned && tcb_of(w, c) && !is_on_the_move(w, c) &&
           w->rt->worker[c->worker]->port[0].reta_phase == NB_RETA_STABLE;
}

/* Time to ask for a move that must be refused? */
static bool in_vain(struct world *w)
{
    return w->result->refused <= w->result->moves / VAIN_SHARE && world_chance(w, VAIN_PERMILLE);
}

/* One that is ready, beginning with any. */
static struct conn *choose(struct world *w)
{
    unsigned first = world_below(w, CONNS);

    for (unsigned i = 0; i < CONNS; i++)
        if (is_ready(w, &w->conn[(first + i) % CONNS]))
            return &w->conn[(first + i) % CONNS];
    return in_vain(w) ? &w->conn[world_below(w, w->o->conns)] : NULL;
}

static unsigned another_worker(struct world *w, unsigned than)
{
    if (in_vain(w))
        return than;
    return (than + 1 + world_below(w, w->workers - 1)) % w->workers;
}

void world_begin_move(struct world *w)
{
    struct conn *c = choose(w);
    unsigned to, i = 0;
    struct nb_tcb *tcb;

    while (i < TICKETS && w->ticket[i].busy)
        i++;
    if (!c || i == TICKETS || c->server_done || c->travelling)
        return;
    tcb = tcb_of(w, c);
    if (!tcb)
        return;
    to = another_worker(w, c->worker);
    w->ticket[i] = (struct ticket){.busy = true, .conn = c, .half_open = !c->accepted};
    nb__move_begin(w->rt->worker[c->worker], tcb, to, &w->ticket[i].ticket);
    nb__ring_doorbells(w->rt->worker[c->worker]);
}

void world_read_tickets(struct world *w)
{
    for (unsigned i = 0; i < TICKETS; i++) {
        const struct nb_move_report *r = &w->ticket[i].ticket.report;

        if (!w->ticket[i].busy || !nb_runtime_move_done(&w->ticket[i].ticket))
            continue;
        w->ticket[i].busy = false;
        if (r->result) {
            w->result->refused++;
            continue;
        }
        w->result->moves++;
        w->result->half_open += w->ticket[i].half_open;
        w->result->forwarded += r->forwarded;
        w->result->parked += r->parked;
        w->result->lost += r->lost;
        w->result->reordered += r->reordered;
        if (r->settled_us - r->asked_us > w->result->longest_us)
            w->result->longest_us = r->settled_us - r->asked_us;
    }
}

void world_pin_some(struct world *w)
{
    struct conn *c = &w->conn[world_below(w, w->o->conns)];

    if (!c->accepted || c->server_done || c->travelling)
        return;
    c->pinned = !c->pinned;
    nb_conn_pin(w->rt->worker[c->worker], c->handle, c->pinned);
}

static unsigned bucket_of(const struct world *w, const struct conn *c)
{
    struct nb_flow_key key = world_key_of(c);

    return nb_rss_hash(&w->rt->worker_port[0].rss, &key) % w->rt->port[0].reta_size;
}

/* As netbypassd does: not while its table changes, and between two turns of steering. */
void world_restart_port(struct world *w)
{
    struct nb_error err = {0};

    if (w->reta_changes || w->restarting || w->steering)
        return;
    w->restarting = true;
    if (w->port->restart(w, &err) < 0)
        world_fail(w, "restart: %s", err.text);
    w->restarting = false;
    w->result->restarts++;
}

/* A few buckets go to other workers, such as have flows. */
void world_begin_reta(struct world *w)
{
    uint16_t reta[NB_RETA_MAX];
    const struct nb_port *port = &w->rt->port[0];
    unsigned n = 1 + world_below(w, 8);

    if (w->reta_changes || w->restarting)
        return;
    memcpy(reta, port->reta, sizeof reta);
    while (n-- > 0)
        reta[bucket_of(w, &w->conn[world_below(w, w->o->conns)])] = (uint16_t)world_below(w, w->workers);
    if (nb__reta_change_init(&w->reta_change, w->rt, 0, reta, port->reta_size, &w->reta_err) < 0)
        world_fail(w, "RETA: %s", w->reta_err.text);
    w->reta_changes = true;
    w->reta_from_us = w->now_us - CLOCK_US;
}

/* Workers take their turns between any two steps. */
void world_go_on_with_reta(struct world *w)
{
    for (unsigned n = world_below(w, 2 * w->workers); w->reta_changes && n > 0; n--) {
        w->rt->worker[0]->now_us = w->now_us; /* the control thread's clock does not sleep */
        if (!nb__reta_change_step(&w->reta_change))
            continue;
        w->reta_changes = false;
        w->result->tables++;
        if (w->reta_change.rc < 0)
            world_fail(w, "RETA: %s", w->reta_err.text);
        world_check_records(w, w->reta_from_us);
        w->port->reta_changed(w);
    }
}

unsigned world_home_of(const struct world *w, const struct conn *c)
{
    return w->rt->port[0].reta[bucket_of(w, c)];
}
