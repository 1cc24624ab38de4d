/* registry.c - forward entries at home, and what we told other homes; see registry.h. */
#include <stdlib.h>

#include "registry.h"

bool nb_registry_init(struct nb_registry *r, uint32_t capacity, struct nb_flow_table *flows, const uint64_t secret[2])
{
    *r = (struct nb_registry){.capacity = capacity,
                              .flows = flows,
                              .free = NB_REGISTRY_NONE,
                              .away_first = NB_REGISTRY_NONE,
                              .sweep = NB_REGISTRY_NONE};
    r->pool = calloc(capacity, sizeof *r->pool);
    r->away = nb_flow_table_new(capacity, secret);
    if (!r->pool || !r->away) {
        nb_registry_fini(r);
        return false;
    }
    nb_flow_table_set_pool(r->flows, NB_FLOW_FORWARD, r->pool);
    nb_flow_table_set_pool(r->away, NB_FLOW_FORWARD, r->pool);
    return true;
}

void nb_registry_fini(struct nb_registry *r)
{
    nb_flow_table_free(r->away);
    free(r->pool);
    r->away = NULL;
    r->pool = NULL;
}

static struct nb_forward *take(struct nb_registry *r, const struct nb_flow_key *key, uint16_t owner,
                               uint32_t incarnation, uint16_t moves)
{
    struct nb_forward *f;

    if (r->free != NB_REGISTRY_NONE) {
        f = &r->pool[r->free];
        r->free = f->next_free;
    } else if (r->fresh < r->capacity) {
        f = &r->pool[r->fresh++];
    } else {
        return NULL;
    }
    *f = (struct nb_forward){.flow = {.key = *key}, .owner = owner, .incarnation = incarnation, .moves = moves};
    return f;
}

static void give_back(struct nb_registry *r, struct nb_forward *f)
{
    f->next_free = r->free;
    r->free = (uint32_t)(f - r->pool);
}

static struct nb_forward *find(const struct nb_flow_table *table, const struct nb_flow_key *key, uint32_t hash)
{
    struct nb_flow_ref ref = nb_flow_find(table, key, hash);

    return ref.kind == NB_FLOW_FORWARD ? (struct nb_forward *)ref.object : NULL;
}

void nb_registry_put(struct nb_registry *r, const struct nb_flow_key *key, uint16_t owner, uint32_t incarnation,
                     uint16_t moves)
{
    uint32_t hash = nb_flow_hash(r->flows, key);
    struct nb_flow_ref ref = nb_flow_find(r->flows, key, hash);
    struct nb_forward *f;

    if (ref.kind == NB_FLOW_FORWARD) {
        f = (struct nb_forward *)ref.object;
        f->owner = owner;
        f->incarnation = incarnation;
        f->moves = moves;
        f->departed = false;
    }
    if (ref.kind != NB_FLOW_NONE)
        return;
    f = take(r, key, owner, incarnation, moves);
    if (f && nb_flow_insert(r->flows, NB_FLOW_FORWARD, &f->flow, hash)) {
        r->entries++;
        return;
    }
    if (f)
        give_back(r, f);
    r->overflowed = true;
}

void nb_registry_remove(struct nb_registry *r, const struct nb_flow_key *key, uint16_t owner, uint32_t incarnation)
{
    uint32_t hash = nb_flow_hash(r->flows, key);
    struct nb_forward *f = find(r->flows, key, hash);

    if (!f || f->owner != owner || f->incarnation != incarnation)
        return;
    nb_flow_remove(r->flows, &f->flow, hash);
    give_back(r, f);
    r->entries--;
}

void nb_registry_forget(struct nb_registry *r, const struct nb_flow_key *key)
{
    const struct nb_forward *f = nb_registry_entry(r, key);

    if (f)
        nb_registry_remove(r, key, f->owner, f->incarnation);
}

struct nb_forward *nb_registry_entry(const struct nb_registry *r, const struct nb_flow_key *key)
{
    return find(r->flows, key, nb_flow_hash(r->flows, key));
}

bool nb_registry_has_room(const struct nb_registry *r)
{
    return r->free != NB_REGISTRY_NONE || r->fresh < r->capacity;
}

int nb_registry_told(const struct nb_registry *r, const struct nb_flow_key *key)
{
    const struct nb_forward *f = find(r->away, key, nb_flow_hash(r->away, key));

    return f && !f->departed ? f->owner : -1;
}

bool nb_registry_set_told(struct nb_registry *r, const struct nb_flow_key *key, uint16_t home, uint32_t incarnation)
{
    uint32_t hash = nb_flow_hash(r->away, key);
    struct nb_forward *f = find(r->away, key, hash);

    if (f) {
        f->owner = home;
        f->incarnation = incarnation;
        f->departed = false;
        return true;
    }
    f = take(r, key, home, incarnation, 0);
    if (!f)
        return false;
    if (!nb_flow_insert(r->away, NB_FLOW_FORWARD, &f->flow, hash)) {
        give_back(r, f);
        return false;
    }
    f->next_free = r->away_first;
    r->away_first = (uint32_t)(f - r->pool);
    return true;
}

void nb_registry_untell(struct nb_registry *r, const struct nb_flow_key *key)
{
    struct nb_forward *f = find(r->away, key, nb_flow_hash(r->away, key));

    if (f)
        f->departed = true;
}

/* The link that leads to the flow at a cursor: a cursor names the flow before it. */
static uint32_t *link_at(struct nb_registry *r, uint32_t cursor)
{
    return cursor == NB_REGISTRY_NONE ? &r->away_first : &r->pool[cursor].next_free;
}

const struct nb_forward *nb_registry_away_at(const struct nb_registry *r, const uint32_t *cursor)
{
    uint32_t at = *cursor == NB_REGISTRY_NONE ? r->away_first : r->pool[*cursor].next_free;

    return at == NB_REGISTRY_NONE ? NULL : &r->pool[at];
}

void nb_registry_away_step(struct nb_registry *r, uint32_t *cursor, bool forget)
{
    uint32_t *link = link_at(r, *cursor);
    struct nb_forward *f = &r->pool[*link];

    if (!forget) {
        *cursor = *link;
        return;
    }
    nb_flow_remove(r->away, &f->flow, nb_flow_hash(r->away, &f->flow.key));
    *link = f->next_free;
    give_back(r, f);
}
