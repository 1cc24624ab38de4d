/* moves_soft.c - the moves world over a port that is software (soft_port.h), with as many queues as anybody wants; and
 * rules as a steering thread and a NIC would make them, in the world's hands.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../host-lib/wire/ethernet.h"
#include "eal.h"
#include "moves_inside.h"

static void open_port(struct world *w)
{
    nb_test_eal();
    nb_soft_port_open(&w->soft, w->workers);
    w->soft.tx_takes_ns = world_frame_takes_ns;
    w->soft.arg = w;
    snprintf(w->config.port[0].device, sizeof w->config.port[0].device, "%s", w->soft.device);
}

static void start(struct world *w)
{
    nb_soft_port_attach(&w->soft, w->rt->pool);
}

static void begin(struct world *w)
{
    w->soft.now_ns = w->now_us * 1000;
    w->soft.tx_ring = w->o->tx_ring ? w->o->tx_ring : 64;
    w->soft.missed = 0;
    for (unsigned i = 0; i < w->workers; i++) {
        struct nb_worker_port *port = &w->rt->worker[i]->port[0];

        port->rx_descriptors = (uint16_t)w->soft.rx_ring;
        port->tx_clock.drain = (uint64_t)w->soft.tx_ring * port->tx_clock.frame;
    }
}

/* What the NIC does: RSS, and a rule before that. */
static unsigned queue_for(struct world *w, const struct packet *p)
{
    const struct nb_port *port = &w->rt->port[0];
    uint16_t type = (uint16_t)(p->data[12] << 8 | p->data[13]);
    struct nb_flow_key key = world_key_in(p);
    const struct conn *c;

    if (type != NB_ETH_IPV4)
        return 0;
    c = world_conn_of(w, key.remote_port, key.local_port);
    w->result->ruled += c && c->has_rule;
    if (c && c->has_rule)
        return c->rule;
    return port->reta[nb_rss_hash(&w->rt->worker_port[0].rss, &key) % port->reta_size];
}

static void receive(struct world *w, const struct packet *p)
{
    nb_soft_port_inject(&w->soft, queue_for(w, p), p->data, p->bytes, world_below(w, w->o->rx_write_us + 1) * 1000ull);
    w->missed = w->soft.missed;
}

static void step(struct world *w)
{
    w->soft.now_ns = w->now_us * 1000;
}

static bool send_next(struct world *w, struct packet *p)
{
    struct nb_soft_frame *f = nb_soft_port_take(&w->soft);

    if (!f)
        return false;
    memcpy(p->data, f->data, f->bytes);
    p->bytes = f->bytes;
    nb_soft_port_done(&w->soft, f);
    return true;
}

/* What the steering thread does, with a NIC that takes its time: a rule brings a flow to its owner; or goes, because
 * the flow is at home there or the table is full. What it heard of the owner may be old. */
static void begin_rule(struct world *w)
{
    struct conn *c = &w->conn[world_below(w, w->o->conns)];
    const struct nb_tcb *tcb;
    unsigned home, to;

    if (!c->live || !c->accepted || c->server_done || c->travelling || c->way_open)
        return;
    tcb = nb_tcp_lookup(w->rt->worker[c->worker]->tcp, c->handle);
    home = world_home_of(w, c);
    to = world_chance(w, 100) ? home : world_chance(w, 100) ? world_below(w, w->workers) : c->worker;
    if (!tcb || to == (c->has_rule ? c->rule : home))
        return;
    c->way = (struct nb_way){.key = world_key_of(c),
                             .flow = nb_tcb_id(tcb),
                             .from = c->has_rule ? (uint16_t)c->rule : NB_WAY_HOME,
                             .to = to == home ? NB_WAY_HOME : (uint16_t)to};
    c->next_rule = to;
    c->kept = nb_runtime_way_opens(w->rt, &c->way);
    c->way_open = c->kept != -EAGAIN; /* it has only just been moved: later */
    c->rule_at_us = w->now_us + world_below(w, 2000);
}

static void end_rules(struct world *w)
{
    for (unsigned i = 0; i < CONNS; i++) {
        struct conn *c = &w->conn[i];

        if (!c->way_open || w->now_us < c->rule_at_us)
            continue;
        if (!world_chance(w, 100)) { /* else the NIC refuses */
            c->has_rule = c->next_rule != world_home_of(w, c);
            c->rule = c->next_rule;
        }
        c->way_open = false;
        w->rt->worker[0]->now_us = w->now_us; /* the steering thread's clock does not sleep */
        if (c->kept == 0)
            nb_runtime_way_opened(w->rt, &c->way, w->o->rx_write_us + CLOCK_US);
    }
}

static void steer(struct world *w)
{
    if (world_chance(w, w->o->rule_permille))
        begin_rule(w);
    end_rules(w);
}

/* Without rules, as steering would have it. */
static int restart(struct world *w, struct nb_error *err)
{
    int rc;

    for (unsigned i = 0; i < CONNS; i++)
        w->conn[i].has_rule = w->conn[i].way_open = false;
    nb_soft_port_clear(&w->soft);
    rc = nb_runtime_port_restart(w->rt, 0, err);
    nb_soft_port_attach(&w->soft, w->rt->pool);
    return rc;
}

static void nothing(struct world *w)
{
    (void)w;
}

static bool rests(const struct world *w)
{
    for (unsigned i = 0; i < w->workers; i++)
        if (w->soft.queue[i].n_rx || w->soft.queue[i].n_tx)
            return false;
    return true;
}

static unsigned holds_none(struct world *w)
{
    (void)w;
    return 0;
}

static void stop(struct world *w)
{
    nb_soft_port_clear(&w->soft);
}

static void close_port(struct world *w)
{
    nb_soft_port_close(&w->soft);
}

const struct world_port world_soft_port = {
    .open = open_port,
    .start = start,
    .begin = begin,
    .receive = receive,
    .step = step,
    .send = send_next,
    .steer = steer,
    .reta_changed = nothing,
    .restart = restart,
    .check = nothing,
    .rests = rests,
    .holds = holds_none,
    .stop = stop,
    .close = close_port,
};
