/* destination.c - see destination.h. */
#include "destination.h"

#include <string.h>

static struct nb_destination *slot_of(struct nb_destination *table, const struct nb_flow_key *key)
{
    const uint32_t *w = key->remote.word;
    uint32_t h = (w[0] ^ w[1] * 3 ^ w[2] * 5 ^ w[3] * 7) * 2654435761u;
    return &table[h >> 24];
}

static bool is_about(const struct nb_destination *d, const struct nb_flow_key *key)
{
    return d->family == key->family && memcmp(&d->address, &key->remote, sizeof d->address) == 0;
}

struct nb_destination *nb__destination_find(struct nb_destination *table, const struct nb_flow_key *key)
{
    struct nb_destination *d = slot_of(table, key);
    return is_about(d, key) ? d : NULL;
}

struct nb_destination *nb__destination_get(struct nb_destination *table, const struct nb_flow_key *key)
{
    struct nb_destination *d = slot_of(table, key);
    if (!is_about(d, key))
        *d = (struct nb_destination){.address = key->remote, .family = key->family};
    return d;
}
