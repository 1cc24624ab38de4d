/* listen.c - listeners, chained by port. */
#include "listen.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(NB_MAX_LISTENERS < UINT8_MAX, "indices are bytes");

static const struct nb_addr any_address;

static bool same_address(const struct nb_addr *a, const struct nb_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static const struct nb_listener *find_exact(const struct nb_listen_table *table, const struct nb_addr *address,
                                            uint8_t family, uint16_t port)
{
    for (unsigned i = table->bucket[port % NB_LISTEN_BUCKETS]; i; i = table->listener[i - 1].next) {
        const struct nb_listener *l = &table->listener[i - 1];
        if (l->port == port && l->family == family && same_address(&l->address, address))
            return l;
    }
    return NULL;
}

int nb_listen_add(struct nb_listen_table *table, const struct nb_addr *address, uint8_t family, uint16_t port,
                  void *user)
{
    if (find_exact(table, address, family, port))
        return -EADDRINUSE;
    if (table->n == NB_MAX_LISTENERS)
        return -ENOSPC;
    uint8_t *bucket = &table->bucket[port % NB_LISTEN_BUCKETS];
    table->listener[table->n] =
        (struct nb_listener){.address = *address, .port = port, .family = family, .next = *bucket, .user = user};
    *bucket = ++table->n;
    return 0;
}

const struct nb_listener *nb_listen_find(const struct nb_listen_table *table, const struct nb_addr *address,
                                         uint8_t family, uint16_t port)
{
    const struct nb_listener *l = find_exact(table, address, family, port);
    return l ? l : find_exact(table, &any_address, family, port);
}
