/* place.c - which worker accepts a connection; see place.h. */
#include "place.h"

#include <errno.h>
#include <string.h>

#include "worker.h"

/* The least loaded worker is preferred to home if home has so much more: an eighth, so that flows stay at home, where
 * they cost least, when all is well. */
#define MARGIN_SHIFT 3

/* --- the board -----------------------------------------------------------------------------------------------------
 */

static bool accepts(const struct nb_worker *w, unsigned worker, unsigned service)
{
    return !(atomic_load_explicit(&w->board->line[worker].paused, memory_order_relaxed) >> service & 1);
}

/* The first worker from here on that accepts; ourselves when nobody does. */
static unsigned accepting_from(const struct nb_worker *w, unsigned first, unsigned service)
{
    for (unsigned i = 0; i < w->n_workers; i++) {
        unsigned at = (first + i) % w->n_workers;

        if (accepts(w, at, service))
            return at;
    }
    return w->index;
}

void nb__place_publish(struct nb_worker *w)
{
    struct nb_board_line *line = &w->board->line[w->index];
    uint32_t n = nb_tcp_connections(w->tcp);

    if (n != atomic_load_explicit(&line->connections, memory_order_relaxed))
        atomic_store_explicit(&line->connections, n, memory_order_relaxed);
}

static void set_active(struct nb_worker *w)
{
    w->place.active = atomic_load_explicit(&w->board->line[w->index].paused, memory_order_relaxed);
    for (unsigned i = 0; i < w->n_services; i++)
        w->place.active |= w->service[i].config->distribution != NB_DISTRIBUTE_HOME;
}

void nb__place_init(struct nb_worker *w)
{
    for (unsigned i = 0; i < w->n_services; i++) {
        w->place.turn[i] = w->index;
        w->place.publishes |= w->service[i].config->distribution == NB_DISTRIBUTE_LEAST_LOADED;
    }
    set_active(w);
}

int nb_worker_accept(struct nb_worker *w, const void *state, bool on)
{
    struct nb_board_line *line = &w->board->line[w->index];
    uint64_t paused = atomic_load_explicit(&line->paused, memory_order_relaxed), named = 0;

    for (unsigned i = 0; i < w->n_services; i++) {
        const struct nb_service *s = &w->service[i];

        if (!s->started || s->state != state || !s->config->tcp_port)
            continue;
        nb_tcp_pause(w->tcp, s, !on);
        named |= UINT64_C(1) << i;
    }
    atomic_store_explicit(&line->paused, on ? paused & ~named : paused | named, memory_order_relaxed);
    set_active(w);
    return named ? 0 : -EINVAL;
}

/* --- choosing ------------------------------------------------------------------------------------------------------
 */

/* As many as the board says, and those that are on their way there. */
static uint32_t load_of(struct nb_worker *w, unsigned worker)
{
    struct nb_place_load *load = &w->place.load[worker];
    uint32_t told = atomic_load_explicit(&w->board->line[worker].connections, memory_order_relaxed);

    if (told != load->told)
        *load = (struct nb_place_load){.told = told};
    return load->told + load->given;
}

static unsigned least_loaded(struct nb_worker *w, unsigned service)
{
    uint32_t own = nb_tcp_connections(w->tcp), margin = (own >> MARGIN_SHIFT) + 1;
    uint32_t least = !accepts(w, w->index, service) ? UINT32_MAX : own > margin ? own - margin : 0;
    unsigned best = w->index;

    for (unsigned i = 0; i < w->n_workers; i++) {
        uint32_t load = i == w->index || !accepts(w, i, service) ? UINT32_MAX : load_of(w, i);

        if (load < least) {
            least = load;
            best = i;
        }
    }
    return best;
}

static unsigned in_turn(struct nb_worker *w, unsigned service)
{
    unsigned to = accepting_from(w, w->place.turn[service], service);

    w->place.turn[service] = (uint16_t)((to + 1) % w->n_workers);
    return to;
}

static unsigned by_application(struct nb_worker *w, const struct nb_service *s, const struct nb_flow_key *key)
{
    unsigned to = s->config->app->choose_worker(w, s->state, key);

    return accepting_from(w, to < w->n_workers ? to : w->index, (unsigned)(s - w->service));
}

static unsigned choose(struct nb_worker *w, const struct nb_service *s, const struct nb_flow_key *key)
{
    unsigned service = (unsigned)(s - w->service);

    switch (s->config->distribution) {
    case NB_DISTRIBUTE_HOME:
        return accepting_from(w, w->index, service);
    case NB_DISTRIBUTE_LEAST_LOADED:
        return least_loaded(w, service);
    case NB_DISTRIBUTE_ROUND_ROBIN:
        return in_turn(w, service);
    case NB_DISTRIBUTE_APPLICATION:
        return by_application(w, s, key);
    }
    return w->index;
}

/* There is a place to remember it, of which others leave half to the flows that a change of RETA takes from home; and
 * while RETA changes nobody's home is sure. */
static bool may_give(const struct nb_worker *w, const struct nb_arrival *a)
{
    const struct nb_registry *r = &w->registry;

    return w->port[a->port].reta_phase == NB_RETA_STABLE && nb_registry_has_room(r) && r->entries < r->capacity / 2;
}

unsigned nb__place_of(struct nb_worker *w, const struct nb_arrival *a)
{
    const uint8_t flags = a->seg.flags & (NB_TCP_SYN | NB_TCP_ACK | NB_TCP_RST);
    const struct nb_service *s = nb_tcp_listener(w->tcp, &a->seg.key);
    unsigned service, to = w->index;

    if (!s || !may_give(w, a))
        return w->index;
    service = (unsigned)(s - w->service);
    if (flags == NB_TCP_SYN)
        to = choose(w, s, &a->seg.key);
    else if (flags == NB_TCP_ACK && !accepts(w, w->index, service) && nb_tcp_expects_cookies(w->tcp))
        to = accepting_from(w, w->index, service);
    if (to == w->index || nb_mail_room(w->post, w->index, to) == 0)
        return w->index;
    w->place.load[to].given++;
    return to;
}

bool nb__place_accepts(struct nb_worker *w, const struct nb_arrival *a)
{
    const struct nb_service *s = nb_tcp_listener(w->tcp, &a->seg.key);

    return s && accepts(w, w->index, (unsigned)(s - w->service));
}

void nb__place_unaccepted(struct nb_worker *w, struct nb_tcb *tcb)
{
    const struct nb_service *s = nb_tcb_listener_user(tcb);
    unsigned to = accepting_from(w, w->index, (unsigned)(s - w->service));

    if (to != w->index)
        nb__move_begin(w, tcb, to, NULL);
}
