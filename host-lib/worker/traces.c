/* traces.c - what a worker remembers of flows that left it: where their segments go, and where their handles went.
 *
 * A flow's home keeps its entry as long as the flow lives, and hears from its owner when it ends. Any other worker that
 * owned a flow keeps an entry only for as long as segments may still come to it: while a rule of the NIC points here,
 * or a hop of the old way is not done. So such entries are in a ring in the order in which they were made, and one that
 * nobody asked for in its time goes.
 */
#include <errno.h>

#include <netbypass/conn.h>

#include "worker.h"

/* An entry of that departure, not of a later one to the same worker, nor one that an owner put here: we may be the
 * flow's next home. */
static struct nb_forward *entry_of(const struct nb_worker *w, const struct nb_trace *t)
{
    struct nb_forward *entry = nb_registry_entry(&w->registry, &t->key);

    return entry && entry->departed && entry->incarnation == t->incarnation && entry->moves == t->moves ? entry : NULL;
}

static void forget_oldest(struct nb_worker *w)
{
    struct nb_moves *m = w->moves;
    const struct nb_trace *t = &m->trace[m->trace_first];

    if (nb_rss_queue(&w->port[t->key.port_group].rss, &t->key) != w->index && entry_of(w, t))
        nb_registry_forget(&w->registry, &t->key);
    m->trace_first = (m->trace_first + 1) % NB_TRACES;
    m->n_traces--;
}

static void append(struct nb_worker *w, const struct nb_trace *trace)
{
    struct nb_moves *m = w->moves;

    if (m->n_traces == NB_TRACES)
        forget_oldest(w);
    m->trace[(m->trace_first + m->n_traces++) % NB_TRACES] = *trace;
}

void nb__trace_add(struct nb_worker *w, const struct nb_flow_key *key)
{
    struct nb_forward *entry = nb_registry_entry(&w->registry, key);
    struct nb_trace trace = {.key = *key, .until_us = w->now_us + NB_TRACE_US};

    if (!entry)
        return;
    trace.incarnation = entry->incarnation;
    trace.moves = entry->moves;
    entry->departed = true;
    entry->used = false;
    entry->lost = 0;
    append(w, &trace);
}

void nb__traces_tend(struct nb_worker *w)
{
    struct nb_moves *m = w->moves;

    while (m->n_traces && w->now_us >= m->trace[m->trace_first].until_us) {
        struct nb_trace t = m->trace[m->trace_first];
        struct nb_forward *entry = entry_of(w, &t);

        if (entry && entry->used) {
            entry->used = false;
            t.until_us = w->now_us + NB_TRACE_US;
            m->trace_first = (m->trace_first + 1) % NB_TRACES;
            m->n_traces--;
            append(w, &t);
        } else {
            forget_oldest(w);
        }
    }
}

/* --- handles -------------------------------------------------------------------------------------------------------
 */

static bool same(struct nb_conn a, struct nb_conn b)
{
    return a.index == b.index && a.generation == b.generation;
}

void nb__moved_add(struct nb_worker *w, struct nb_conn conn, uint16_t to, struct nb_conn there)
{
    struct nb_moves *m = w->moves;

    m->moved[m->moved_next++ % NB_CONN_MOVES_KEPT] = (struct nb_moved){.conn = conn, .there = there, .to = to};
}

int nb_conn_moved_to(struct nb_worker *w, struct nb_conn c, struct nb_conn *there)
{
    const struct nb_moves *m = w->moves;

    for (unsigned i = 0; m->n_departures && i < NB_DEPARTURES; i++)
        if (m->departure[i].phase == NB_DEPARTURE_CARRIED && same(m->departure[i].conn, c))
            return -EINPROGRESS;
    for (unsigned i = 0; c.generation && i < NB_CONN_MOVES_KEPT; i++) {
        if (!same(m->moved[i].conn, c))
            continue;
        *there = m->moved[i].there;
        return m->moved[i].to;
    }
    return -ENOTCONN;
}

/* --- at home ---------------------------------------------------------------------------------
 */

/* Behind the last segment that we sent the old way goes a fence; the next one goes to the new owner. */
void nb__move_home(struct nb_worker *w, unsigned from, const struct nb_mail *mail)
{
    const struct nb_flow_key *key = &mail->flow.key;
    struct nb_forward *entry = nb_registry_entry(&w->registry, key);

    nb__fence_send(w, key, entry ? entry->owner : (uint16_t)from, (uint16_t)from);
    if (!entry || entry->incarnation != mail->flow.incarnation || (int16_t)(mail->count - entry->moves) > 0) {
        nb_registry_put(&w->registry, key, (uint16_t)from, mail->flow.incarnation, mail->count);
        entry = nb_registry_entry(&w->registry, key);
        if (entry)
            entry->departed = true;
    }
}
