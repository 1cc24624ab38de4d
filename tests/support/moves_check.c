/* moves_check.c - what must hold after a run of the moves world. */
#include <rte_mempool.h>

#include "moves_inside.h"

void world_tell_stuck(struct world *w)
{
    for (unsigned i = 0; i < CONNS; i++) {
        const struct conn *c = &w->conn[i];
        const struct nb_tcb *ours = c->accepted ? nb_tcp_lookup(w->rt->worker[c->worker]->tcp, c->handle) : NULL;

        if (c->live)
            world_fail(
                w,
                "port %u does not end: client %s, sent %u of %u, got %u of %u; server %s on worker %u, sent %u, got %u",
                c->key.local_port, c->tcb ? nb_tcp_state_name(nb_tcb_state(c->tcb)) : "gone", c->written[0],
                c->bytes[0], c->received[1], c->bytes[1], ours ? nb_tcp_state_name(nb_tcb_state(ours)) : "gone",
                c->worker, c->written[1], c->received[0]);
    }
}

static uint64_t total(const struct world *w, enum nb_counter counter)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < w->workers; i++)
        n += w->rt->worker[i]->counters[counter];
    return n;
}

struct world_tally world_count(const struct world *w)
{
    return (struct world_tally){
        .out_of_order = total(w, NB_COUNTER_OUT_OF_ORDER),
        .retransmitted = total(w, NB_COUNTER_RETRANSMITTED),
        .probes = total(w, NB_COUNTER_LOSS_PROBES),
        .lost = total(w, NB_COUNTER_MOVE_LOST),
        .ring_full = total(w, NB_COUNTER_DROP_RING_FULL),
        .tx_full = total(w, NB_COUNTER_DROP_TX_FULL),
        .reordered = total(w, NB_COUNTER_MOVE_REORDERED),
        .refused = total(w, NB_COUNTER_DROP_RECEIVE_FULL) + total(w, NB_COUNTER_DROP_MEMORY),
    };
}

static void check_zero(struct world *w, const char *what, uint64_t n)
{
    if (n)
        world_fail(w, "%s: %llu", what, (unsigned long long)n);
}

void world_check_counters(struct world *w, const struct world_tally *a)
{
    const uint64_t *client = nb_tcp_counters(w->tcp);
    struct world_tally b = world_count(w);

    check_zero(w, "lost in a move", b.lost - a->lost + w->result->lost);
    check_zero(w, "rings full", b.ring_full - a->ring_full);
    check_zero(w, "frames that found no room in a queue", w->missed);
    check_zero(w, "transmit queue full", b.tx_full - a->tx_full);
    if (w->o->disorder_allowed)
        return;
    check_zero(w, "refused for lack of memory", b.refused - a->refused);
    check_zero(w, "reordered, as moves count it", total(w, NB_COUNTER_MOVE_REORDERED) - a->reordered);
    check_zero(w, "out of order at the server", b.out_of_order - a->out_of_order);
    if (w->o->abort_permille) /* what a connection sent that was reset may reach the next one over its tuple */
        return;
    check_zero(w, "out of order at the client", client[NB_COUNTER_OUT_OF_ORDER]);
    check_zero(w, "sent again by the server", b.retransmitted - a->retransmitted - (b.probes - a->probes));
    check_zero(w, "sent again by the client", client[NB_COUNTER_RETRANSMITTED] - client[NB_COUNTER_LOSS_PROBES]);
}

static void tell_gates(struct world *w, const struct nb_worker *worker)
{
    struct nb_gate *gate = NULL;

    for (unsigned i = 0; i < CONNS && !gate; i++) {
        struct nb_flow_key key = world_key_of(&w->conn[i]);

        gate = nb__gate_of((struct nb_worker *)(uintptr_t)worker, &key);
    }
    world_fail(w, "worker %u still has %u gates, %u departures, %u landings; one is at %u of %u, awaits %llx%s%s%s",
               worker->index, worker->n_gates, worker->moves->n_departures, worker->moves->n_landings,
               gate ? gate->at : 0, gate ? gate->n : 0, gate ? (unsigned long long)gate->awaited[gate->at] : 0,
               gate && gate->strict ? ", rule" : "", gate && gate->forced ? ", forced" : "",
               gate && gate->holding ? ", holding" : "");
}

/* Of the records that began before `since_us` each is at its flow's home. */
void world_check_records(struct world *w, uint64_t since_us)
{
    for (unsigned i = 0; i < w->workers; i++) {
        const struct nb_worker *worker = w->rt->worker[i];
        struct nb_flow_ref ref;
        uint32_t slot = 0;

        while (nb_flow_next(worker->flows, &slot, &ref)) {
            const struct nb_time_wait *tw = (const struct nb_time_wait *)ref.object;
            unsigned home = nb_rss_queue(&worker->port[0].rss, &ref.object->key);

            if (ref.kind == NB_FLOW_TIME_WAIT && home != i && tw->expires_us - NB_TIME_WAIT_US < since_us)
                world_fail(w, "the TIME-WAIT record of port %u is at worker %u, its home is %u",
                           ref.object->key.remote_port, i, home);
        }
    }
}

/* A buffer that came home without its owner's noticing is noticed when it leaves the owner's cache. */
static void check_lent(struct world *w, unsigned worker)
{
    struct nb_lending *lending = w->rt->lending;

    for (unsigned i = 0; i < w->workers; i++) {
        nb_lend_enter(lending, i);
        rte_mempool_cache_flush(&w->rt->pool[i]->local_cache[i], w->rt->pool[i]);
    }
    if (nb_lend_held(lending, worker) > w->port->holds(w)) /* the port lets go of what it has sent later */
        world_fail(w, "worker %u still counts %u buffers of others", worker, nb_lend_held(lending, worker));
    if (lending->account[worker].ring_full)
        world_fail(w, "worker %u found a return ring full", worker);
    w->result->returned += lending->account[worker].returned;
}

void world_check_rest(struct world *w)
{
    world_check_records(w, w->now_us);
    for (unsigned i = 0; i < TICKETS; i++)
        if (w->ticket[i].busy)
            world_fail(w, "port %u: a move did not end", w->ticket[i].conn->key.local_port);
    for (unsigned i = 0; i < w->workers; i++) {
        const struct nb_worker *worker = w->rt->worker[i];

        if (nb_tcp_connections(worker->tcp))
            world_fail(w, "worker %u still has %u connections", i, nb_tcp_connections(worker->tcp));
        if (worker->n_gates || worker->n_holding || worker->moves->n_departures || worker->moves->n_landings)
            tell_gates(w, worker);
        if (worker->tcp->send.mbufs || worker->tcp->reasm.mbufs)
            world_fail(w, "worker %u still counts %u buffers to send, %u out of order", i, worker->tcp->send.mbufs,
                       worker->tcp->reasm.mbufs);
        if (worker->tcp->memory.kept || worker->tcp->memory.promised)
            world_fail(w, "worker %u still counts %u buffers kept, %u promised", i, worker->tcp->memory.kept,
                       worker->tcp->memory.promised);
        check_lent(w, i);
        if (rte_mempool_in_use_count(w->rt->pool[i]) > w->port->holds(w))
            world_fail(w, "worker %u: %u buffers are held", i, rte_mempool_in_use_count(w->rt->pool[i]));
    }
}
