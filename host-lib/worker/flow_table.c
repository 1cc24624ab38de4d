/* flow_table.c - the flow table: linear probing over 8-byte slots, eight to a cache line.
 *
 * Theory of operation. A slot keeps the whole 32-bit hash, so that an object's own memory is touched only when the hash
 * matches, and so that removing can close the gap (backward shift) without looking at objects: there are no tombstones,
 * lookups stay short however many flows came and went. At most 3/4 of the slots that a hash can name are used.
 *
 * What a slot refers to is a number of 32 bits: the kind, and how far into the kind's pool the object lies.
 *
 * Probing does not wrap round: behind the last slot that a hash can name lies a spill for runs that begin near the end.
 * So closing a gap only ever moves objects towards lower slots, and a walk from the top down meets every one.
 *
 * The hash. Peers choose addresses and ports, so the hash is keyed: NH (as in UMAC, RFC 4418 §5.2) over the key's
 * words, whose collision probability does not depend on what the attacker chooses, then multiply-shift down to 32 bits.
 * IPv6 has five words; IPv4, whose addresses fit into one, has two, and so one product.
 */
#include "flow_table.h"

#include <stdlib.h>
#include <string.h>

#define KEY_WORDS (sizeof(struct nb_flow_key) / sizeof(uint64_t))

/* Slots of the spill, if the table is large enough to need as many: at 3/4 load a run of this length has a probability
 * far below 2^-64. A flow that would not fit is refused like one too many. */
#define SPILL_SLOTS 1024

#define KIND_SHIFT   30 /* in a reference */
#define OBJECT_SHIFT 3  /* objects are aligned to 8 bytes, */
_Static_assert(NB_FLOW_POOL_BYTES_MAX == 1ull << (KIND_SHIFT + OBJECT_SHIFT), "so that all of a pool can be named");

struct slot {
    uint32_t hash;
    uint32_t reference; /* enum nb_flow_kind, and below it the object's place in its pool; 0: free */
};
_Static_assert(sizeof(struct slot) == NB_FLOW_SLOT_BYTES, "eight slots to a cache line");

struct nb_flow_table {
    struct slot *slots; /* slots + 1 of them: the last is always free and ends every probe */
    uint32_t mask;      /* of the slots a hash can name */
    uint32_t n_slots;   /* with the spill */
    uint32_t count, capacity;
    uintptr_t origin[NB_FLOW_KINDS]; /* where an object whose reference is 0 would lie: the kind counts as distance */
    uint64_t nh_key[KEY_WORDS + 1];
    uint64_t fold_key[2];
};

/* One step of the splitmix64 sequence: stretches the secret into as many key words as the hash wants. */
static uint64_t stretch(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void expand_secret(struct nb_flow_table *table, const uint64_t secret[2])
{
    uint64_t a = secret[0], b = secret[1];
    for (unsigned i = 0; i < KEY_WORDS + 1; i++)
        table->nh_key[i] = stretch(&a) ^ stretch(&b);
    for (unsigned i = 0; i < 2; i++)
        table->fold_key[i] = (stretch(&a) ^ stretch(&b)) | 1; /* multiply-shift wants odd factors */
}

struct nb_flow_table *nb_flow_table_new(uint32_t capacity, const uint64_t secret[2])
{
    struct nb_flow_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    uint64_t named = 4;
    while (named * 3 / 4 < capacity)
        named *= 2;
    uint64_t slots = named + (capacity < SPILL_SLOTS ? capacity : SPILL_SLOTS);
    table->slots = slots < UINT32_MAX ? calloc(slots + 1, sizeof *table->slots) : NULL;
    if (!table->slots) {
        free(table);
        return NULL;
    }
    table->mask = (uint32_t)(named - 1);
    table->n_slots = (uint32_t)slots;
    table->capacity = capacity;
    expand_secret(table, secret);
    return table;
}

void nb_flow_table_free(struct nb_flow_table *table)
{
    if (!table)
        return;
    free(table->slots);
    free(table);
}

void nb_flow_table_set_pool(struct nb_flow_table *table, enum nb_flow_kind kind, const void *pool)
{
    table->origin[kind] = (uintptr_t)pool - ((uint64_t)kind << KIND_SHIFT << OBJECT_SHIFT);
}

static uint32_t reference_to(const struct nb_flow_table *table, enum nb_flow_kind kind,
                             const struct nb_flow_object *object)
{
    return (uint32_t)(((uintptr_t)object - table->origin[kind]) >> OBJECT_SHIFT);
}

static struct nb_flow_ref resolve(const struct nb_flow_table *table, uint32_t reference)
{
    uint32_t kind = reference >> KIND_SHIFT;
    uintptr_t object = table->origin[kind] + ((uintptr_t)reference << OBJECT_SHIFT);
    return (struct nb_flow_ref){.kind = kind, .object = (struct nb_flow_object *)object};
}

static uint32_t fold(const struct nb_flow_table *table, unsigned __int128 nh)
{
    return (uint32_t)(((uint64_t)nh * table->fold_key[0] + (uint64_t)(nh >> 64) * table->fold_key[1]) >> 32);
}

uint32_t nb_flow_hash(const struct nb_flow_table *table, const struct nb_flow_key *key)
{
    const uint64_t *k = table->nh_key;
    uint64_t w[KEY_WORDS];
    memcpy(w, key, sizeof w);
    if (key->family == NB_FAMILY_IPV4)
        return fold(table, (unsigned __int128)((w[0] | w[2] << 32) + k[0]) * (w[4] + k[1]));
    unsigned __int128 nh = (unsigned __int128)(w[0] + k[0]) * (w[1] + k[1]);
    nh += (unsigned __int128)(w[2] + k[2]) * (w[3] + k[3]);
    nh += (unsigned __int128)(w[4] + k[4]) * k[5];
    return fold(table, nh);
}

void nb_flow_prefetch(const struct nb_flow_table *table, uint32_t hash)
{
    __builtin_prefetch(&table->slots[hash & table->mask]);
}

struct nb_flow_ref nb_flow_find(const struct nb_flow_table *table, const struct nb_flow_key *key, uint32_t hash)
{
    for (const struct slot *slot = &table->slots[hash & table->mask]; slot->reference; slot++) {
        if (slot->hash != hash)
            continue;
        struct nb_flow_ref ref = resolve(table, slot->reference);
        if (nb_flow_key_equal(&ref.object->key, key))
            return ref;
    }
    return (struct nb_flow_ref){.kind = NB_FLOW_NONE};
}

bool nb_flow_insert(struct nb_flow_table *table, enum nb_flow_kind kind, struct nb_flow_object *object, uint32_t hash)
{
    struct slot *slot = &table->slots[hash & table->mask];
    while (slot->reference)
        slot++;
    if (table->count == table->capacity || slot == &table->slots[table->n_slots])
        return false;
    *slot = (struct slot){.hash = hash, .reference = reference_to(table, kind, object)};
    table->count++;
    return true;
}

/* The slot of an object; NULL when it is not in the table. */
static struct slot *slot_of(struct nb_flow_table *table, const struct nb_flow_object *object, uint32_t hash)
{
    for (struct slot *slot = &table->slots[hash & table->mask]; slot->reference; slot++)
        if (slot->hash == hash && resolve(table, slot->reference).object == object)
            return slot;
    return NULL;
}

/* Close the gap at `hole`: pull back every follower that probing would otherwise no longer reach. */
static void close_gap(struct nb_flow_table *table, struct slot *hole)
{
    for (struct slot *slot = hole + 1; slot->reference; slot++) {
        if (&table->slots[slot->hash & table->mask] <= hole) {
            *hole = *slot;
            hole = slot;
        }
    }
    *hole = (struct slot){0};
}

void nb_flow_remove(struct nb_flow_table *table, struct nb_flow_object *object, uint32_t hash)
{
    struct slot *slot = slot_of(table, object, hash);
    if (!slot)
        return;
    close_gap(table, slot);
    table->count--;
}

void nb_flow_replace(struct nb_flow_table *table, struct nb_flow_object *old, uint32_t hash, enum nb_flow_kind kind,
                     struct nb_flow_object *object)
{
    struct slot *slot = slot_of(table, old, hash);
    if (!slot)
        return;
    slot->reference = reference_to(table, kind, object);
}

bool nb_flow_next(const struct nb_flow_table *table, uint32_t *slot, struct nb_flow_ref *ref)
{
    while (*slot < table->n_slots) {
        const struct slot *at = &table->slots[table->n_slots - 1 - (*slot)++];
        if (!at->reference)
            continue;
        *ref = resolve(table, at->reference);
        return true;
    }
    return false;
}

size_t nb_flow_table_bytes(const struct nb_flow_table *table)
{
    return ((size_t)table->n_slots + 1) * sizeof *table->slots;
}

uint32_t nb_flow_count(const struct nb_flow_table *table)
{
    return table->count;
}
