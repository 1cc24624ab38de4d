/* fence.c - see fence.h. */
#include "fence.h"

#include <rte_mempool.h>

#include "worker.h"

bool nb__fence_ask(struct nb_worker *w, const struct nb_flow_key *key, uint16_t to, uint64_t not_before_us)
{
    for (unsigned i = 0; i < NB_FENCES; i++) {
        struct nb_fence *f = &w->fences.at[i];

        if (f->used)
            continue;
        *f = (struct nb_fence){.key = *key,
                               .to = to,
                               .used = true,
                               .not_before_us = not_before_us,
                               .left = w->port[key->port_group].rx_descriptors};
        w->fences.n++;
        w->moving = true;
        return true;
    }
    return false;
}

void nb__fence_drain(struct nb_worker *w, unsigned port, uint64_t not_before_us)
{
    w->fences.n += !w->fences.drain[port].used;
    w->fences.drain[port] = (struct nb_fence){.key.port_group = (uint8_t)port,
                                              .used = true,
                                              .not_before_us = not_before_us,
                                              .left = w->port[port].rx_descriptors};
}

bool nb__fence_drained(struct nb_worker *w, unsigned port)
{
    struct nb_fence *f = &w->fences.drain[port];

    if (f->used && !f->passed)
        return false;
    w->fences.n -= f->used;
    f->used = false;
    return true;
}

static void look(const struct nb_worker *w, struct nb_fence *f, unsigned port, unsigned n)
{
    if (!f->used || f->key.port_group != port || w->now_us < f->not_before_us)
        return;
    f->passed |= n == 0 || f->left <= n;
    f->left -= n < f->left ? n : f->left;
}

void nb__fences_look(struct nb_worker *w, unsigned port, unsigned n)
{
    if (n == 0 && rte_mempool_empty(w->mempool)) /* nothing came because there was nowhere to put it */
        return;
    for (unsigned i = 0; i < NB_FENCES; i++)
        look(w, &w->fences.at[i], port, n);
    look(w, &w->fences.drain[port], port, n);
}

bool nb__fence_pass_on(struct nb_worker *w, const struct nb_flow_key *key, uint16_t origin, unsigned hops,
                       uint16_t lost, int otherwise)
{
    const struct nb_forward *entry = nb_registry_entry(&w->registry, key);
    const struct nb_gate *gate = nb__gate_of(w, key);
    const struct nb_mail mail = {.kind = NB_MAIL_MOVE_FENCE,
                                 .queue = origin,
                                 .hops = (uint8_t)(hops + 1),
                                 .count = (uint16_t)(lost + (entry ? entry->lost : 0)),
                                 .flow = {.key = *key, .by_us = (uint64_t)(otherwise + 1)}};
    int home = nb_rss_queue(&w->port[key->port_group].rss, key), to = entry ? entry->owner : home;

    if (gate && gate->active) { /* one that is not is of a move that has not begun */
        nb__gate_fence(w, key, origin, lost);
        return true;
    }
    if (to == w->index || hops == NB_HOPS_MOVED - 1)
        to = otherwise;
    if (hops >= NB_HOPS_MOVED || to < 0 || to == w->index) /* nobody has it any more */
        return true;
    return nb__mail(w, (unsigned)to, &mail);
}

void nb__fence_send(struct nb_worker *w, const struct nb_flow_key *key, uint16_t to, uint16_t target)
{
    const struct nb_mail mail = {
        .kind = NB_MAIL_MOVE_FENCE, .queue = w->index, .hops = 1, .flow = {.key = *key, .by_us = (uint64_t)target + 1}};

    if (to != w->index)
        nb__mail(w, to, &mail);
}

void nb__fences_tend(struct nb_worker *w)
{
    for (unsigned i = 0; i < NB_FENCES; i++) {
        struct nb_fence *f = &w->fences.at[i];

        if (!f->used || !f->passed || !nb__fence_pass_on(w, &f->key, w->index, 0, 0, f->to))
            continue;
        f->used = false;
        w->fences.n--;
    }
}
