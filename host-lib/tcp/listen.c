/* listen.c - listeners, chained by port. */
#include "listen.h"

#include <errno.h>
#include <string.h>

#include "options.h"

_Static_assert(NB_MAX_LISTENERS < UINT8_MAX, "indices are bytes");

#define NB_FAMILY_ANY 0 /* of a listener of either family: an IPv6 socket bound to :: (RFC 3493 §3.7) */

static const struct nb_addr any_address;

static bool same_address(const struct nb_addr *a, const struct nb_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static struct nb_listener *find_exact(struct nb_listen_table *table, const struct nb_addr *address, uint8_t family,
                                      uint16_t port)
{
    for (unsigned i = table->bucket[port % NB_LISTEN_BUCKETS]; i; i = table->listener[i - 1].next) {
        struct nb_listener *l = &table->listener[i - 1];
        if (l->port == port && l->family == family && same_address(&l->address, address))
            return l;
    }
    return NULL;
}

int nb_listen_add(struct nb_listen_table *table, const struct nb_addr *address, uint8_t family, uint16_t port,
                  void *user)
{
    unsigned free = 0;
    if (find_exact(table, address, family, port))
        return -EADDRINUSE;
    while (free < NB_MAX_LISTENERS && table->listener[free].port)
        free++;
    if (free == NB_MAX_LISTENERS)
        return -ENOSPC;
    uint8_t *bucket = &table->bucket[port % NB_LISTEN_BUCKETS];
    table->listener[free] = (struct nb_listener){.address = *address,
                                                 .port = port,
                                                 .family = family,
                                                 .next = *bucket,
                                                 .user = user,
                                                 .options = &nb_tcp_options_default};
    *bucket = (uint8_t)(free + 1);
    return 0;
}

void nb_listen_remove(struct nb_listen_table *table, const void *user)
{
    for (unsigned i = 0; i < NB_MAX_LISTENERS; i++) {
        struct nb_listener *l = &table->listener[i];
        if (!l->port || l->user != user)
            continue;
        uint8_t *link = &table->bucket[l->port % NB_LISTEN_BUCKETS];
        while (*link != i + 1)
            link = &table->listener[*link - 1].next;
        *link = l->next;
        table->n_paused -= l->paused;
        *l = (struct nb_listener){0};
    }
}

void nb_listen_pause(struct nb_listen_table *table, const void *user, bool on)
{
    for (unsigned i = 0; i < NB_MAX_LISTENERS; i++) {
        struct nb_listener *l = &table->listener[i];
        if (!l->port || l->user != user || l->paused == on)
            continue;
        l->paused = on;
        table->n_paused += on ? 1u : -1u;
    }
}

struct nb_listener *nb_listen_of(struct nb_listen_table *table, const void *user)
{
    for (unsigned i = 0; i < NB_MAX_LISTENERS; i++) {
        if (table->listener[i].port && table->listener[i].user == user)
            return &table->listener[i];
    }
    return NULL;
}

struct nb_listener *nb_listen_find(struct nb_listen_table *table, const struct nb_addr *address, uint8_t family,
                                   uint16_t port)
{
    struct nb_listener *l = find_exact(table, address, family, port);
    if (!l)
        l = find_exact(table, &any_address, family, port);
    return l ? l : find_exact(table, &any_address, NB_FAMILY_ANY, port);
}
