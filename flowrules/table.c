/* table.c - the shadow table: a pool of entries, an index by (engine, match), a list by id, a queue of free marks.
 *
 * The pool grows by chunks, because a NIC may hold millions of rules and most never will; entries never move.
 */
#include <stdlib.h>
#include <string.h>

#include <netbypass/table.h>

#include "index.h"

#define CHUNK 1024 /* entries; about 200 KB */

/* Rules of one flow type, and a match with their mask while there are any. */
struct type_use {
    uint32_t used;
    struct nb_match bound;
};

enum { TYPE_TCP, TYPE_UDP, TYPE_OTHER, TYPES_PER_FAMILY };
#define TYPES (2 * TYPES_PER_FAMILY)

struct nb_table {
    const struct nb_profile *profile;
    uint64_t seed;
    struct nb_table_engine engine[NB_PROFILE_ENGINES];
    struct type_use type[NB_PROFILE_ENGINES][TYPES];
    struct nb_table_entry **chunk;
    uint32_t pool_size, carved;  /* entries at most, and made so far */
    struct nb_table_entry *free; /* through `newer` */
    struct nb__index by_match;
    struct nb_table_entry *oldest, *newest;
    struct nb_table_entry *walked; /* last entry a walk returned: where the next call goes on */
    int64_t *next_id;
    uint32_t *free_mark; /* ring: the mark that has been free longest is used next */
    uint32_t n_marks, free_mark_head, n_free_marks;
};

static uint32_t count_places(const struct nb_profile *profile, uint32_t quirk)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < profile->n_engines; i++)
        if (!quirk || profile->engine[i].quirks & quirk)
            n += profile->engine[i].size;
    return n;
}

static bool init_marks(struct nb_table *table)
{
    uint32_t wanted = count_places(table->profile, NB_QUIRK_NEEDS_MARK);
    uint32_t have = table->profile->mark_last ? table->profile->mark_last - table->profile->mark_first + 1 : 0;

    table->n_marks = wanted < have ? wanted : have;
    table->n_free_marks = table->n_marks;
    table->free_mark = calloc(table->n_marks + 1, sizeof *table->free_mark);
    if (!table->free_mark)
        return false;
    for (uint32_t i = 0; i < table->n_marks; i++)
        table->free_mark[i] = table->profile->mark_first + i;
    return true;
}

struct nb_table *nb_table_new(const struct nb_profile *profile, uint64_t seed, int64_t *next_id)
{
    struct nb_table *table = calloc(1, sizeof *table);

    if (!table)
        return NULL;
    table->profile = profile;
    table->seed = seed;
    table->next_id = next_id;
    for (unsigned i = 0; i < profile->n_engines; i++)
        table->engine[i].profile = &profile->engine[i];
    table->pool_size = count_places(profile, 0);
    table->chunk = calloc(table->pool_size / CHUNK + 1, sizeof *table->chunk);
    if (!table->chunk || nb__index_init(&table->by_match, CHUNK) || !init_marks(table)) {
        nb_table_free(table);
        return NULL;
    }
    return table;
}

void nb_table_free(struct nb_table *table)
{
    if (!table)
        return;
    nb__index_fini(&table->by_match);
    for (uint32_t i = 0; table->chunk && i <= table->pool_size / CHUNK; i++)
        free(table->chunk[i]);
    free(table->free_mark);
    free(table->chunk);
    free(table);
}

struct nb_table_engine *nb_table_engine(struct nb_table *table, unsigned engine)
{
    return &table->engine[engine];
}

uint32_t nb_table_used(const struct nb_table *table)
{
    uint32_t used = 0;

    for (unsigned i = 0; i < table->profile->n_engines; i++)
        used += table->engine[i].used;
    return used;
}

static struct nb_table_entry *entry_at(const struct nb_table *table, uint32_t number)
{
    return &table->chunk[number / CHUNK][number % CHUNK];
}

/* One more chunk of free entries. False: as many as there may be, or no memory. */
static bool carve(struct nb_table *table)
{
    uint32_t n = table->pool_size - table->carved < CHUNK ? table->pool_size - table->carved : CHUNK;
    struct nb_table_entry *chunk = n ? calloc(n, sizeof *chunk) : NULL;

    if (!chunk)
        return false;
    table->chunk[table->carved / CHUNK] = chunk;
    for (uint32_t i = n; i-- > 0;) {
        chunk[i].number = table->carved + i;
        chunk[i].newer = table->free;
        table->free = &chunk[i];
    }
    table->carved += n;
    return true;
}

/* --- by match ----------------------------------------------------------------------------------------------------- */

static uint32_t hash_match(const struct nb_table *table, unsigned engine, const struct nb_match *match)
{
    uint64_t h = table->seed + engine, word;

    for (size_t i = 0; i < sizeof *match; i += sizeof word) {
        memcpy(&word, (const char *)match + i, sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15 + table->seed;
        h ^= h >> 29;
    }
    return nb__hash_u64(h);
}

struct match_key {
    const struct nb_table *table;
    unsigned engine;
    const struct nb_match *match;
};

static bool same_match(const void *arg, uint32_t value)
{
    const struct match_key *key = arg;
    const struct nb_table_entry *entry = entry_at(key->table, value);

    return entry->engine == key->engine && !memcmp(&entry->rule.match, key->match, sizeof *key->match);
}

struct nb_table_entry *nb_table_find(const struct nb_table *table, unsigned engine, const struct nb_match *match)
{
    struct match_key key = {table, engine, match};
    uint32_t at = nb__index_find(&table->by_match, hash_match(table, engine, match), same_match, &key);

    return at == NB__INDEX_NONE ? NULL : entry_at(table, at);
}

/* --- masks -------------------------------------------------------------------------------------------------------- */

static unsigned type_of(const struct nb_match *match)
{
    unsigned of_family = match->protocol == NB_RULE_TCP   ? TYPE_TCP
                         : match->protocol == NB_RULE_UDP ? TYPE_UDP
                                                          : TYPE_OTHER;

    return (match->family == NB_RULE_IPV6 ? TYPES_PER_FAMILY : 0) + of_family;
}

static bool fits(const struct type_use *type, const struct nb_match *match)
{
    return !type->used || nb_match_same_mask(&type->bound, match);
}

/* ice: rules of a family with a protocol and rules without one cannot be in force together (nic-facts B.3). */
static bool excluded(const struct type_use *type, unsigned t)
{
    const struct type_use *family = type + t / TYPES_PER_FAMILY * TYPES_PER_FAMILY;

    if (t % TYPES_PER_FAMILY == TYPE_OTHER)
        return family[TYPE_TCP].used || family[TYPE_UDP].used;
    return family[TYPE_OTHER].used != 0;
}

static bool mask_allowed(const struct nb_table *table, unsigned engine, const struct nb_match *match)
{
    const struct type_use *type = table->type[engine];
    unsigned t = type_of(match);

    switch (table->profile->engine[engine].masks) {
    case NB_MASKS_FREE:
        return true;
    case NB_MASKS_PER_TYPE:
        return fits(&type[t], match) && !excluded(type, t);
    case NB_MASKS_ONE:
        for (t = 0; t < TYPES; t++)
            if (!fits(&type[t], match))
                return false;
        return true;
    }
    return false;
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

enum nb_why nb_table_room(const struct nb_table *table, unsigned engine, const struct nb_match *match, uint32_t reserve)
{
    const struct nb_table_engine *row = &table->engine[engine];
    const struct nb_engine_profile *profile = row->profile;

    if (!mask_allowed(table, engine, match))
        return NB_WHY_OTHER_MASK;
    if (row->full || row->used >= profile->size)
        return NB_WHY_TABLE_FULL;
    if (row->used + reserve >= profile->size)
        return NB_WHY_RESERVED;
    if (profile->quirks & NB_QUIRK_NEEDS_MARK && !table->n_free_marks)
        return NB_WHY_TABLE_FULL;

    return NB_WHY_PENDING;
}

static uint32_t take_mark(struct nb_table *table)
{
    uint32_t mark = table->free_mark[table->free_mark_head];

    table->free_mark_head = (table->free_mark_head + 1) % table->n_marks;
    table->n_free_marks--;
    return mark;
}

static void give_mark(struct nb_table *table, uint32_t mark)
{
    table->free_mark[(table->free_mark_head + table->n_free_marks) % table->n_marks] = mark;
    table->n_free_marks++;
}

static bool needs_mark(const struct nb_table *table, unsigned engine)
{
    return table->profile->engine[engine].quirks & NB_QUIRK_NEEDS_MARK;
}

struct nb_table_entry *nb_table_add(struct nb_table *table, unsigned engine, const struct nb_rule *rule, uint64_t flow,
                                    enum nb_why why)
{
    if (!table->free && !carve(table))
        return NULL;
    struct nb_table_entry *entry = table->free;
    if (nb__index_add(&table->by_match, hash_match(table, engine, &rule->match), entry->number))
        return NULL;
    table->free = entry->newer;
    *entry = (struct nb_table_entry){.id = (*table->next_id)++,
                                     .number = entry->number,
                                     .rule = *rule,
                                     .state = NB_ENTRY_PLANNED,
                                     .why = why,
                                     .flow = flow,
                                     .engine = engine,
                                     .older = table->newest};
    entry->rule.engine = table->profile->engine[engine].engine;
    if (needs_mark(table, engine))
        entry->rule.mark = take_mark(table);
    if (table->newest)
        table->newest->newer = entry;
    else
        table->oldest = entry;
    table->newest = entry;
    table->engine[engine].used++;
    struct type_use *type = &table->type[engine][type_of(&rule->match)];
    if (!type->used++)
        type->bound = rule->match;
    return entry;
}

void nb_table_installed(struct nb_table *table, struct nb_table_entry *entry, void *handle, uint64_t now_us)
{
    entry->state = NB_ENTRY_INSTALLED;
    entry->handle = handle;
    entry->since_us = now_us;
    table->engine[entry->engine].added++;
}

void nb_table_remove(struct nb_table *table, struct nb_table_entry *entry)
{
    struct nb_table_engine *row = &table->engine[entry->engine];

    if (entry->handle) {
        row->removed++;
        row->full = false;
    }
    row->used--;
    table->type[entry->engine][type_of(&entry->rule.match)].used--;
    if (needs_mark(table, entry->engine))
        give_mark(table, entry->rule.mark);
    nb__index_remove(&table->by_match, hash_match(table, entry->engine, &entry->rule.match), entry->number);
    *(entry->older ? &entry->older->newer : &table->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &table->newest) = entry->older;
    if (table->walked == entry)
        table->walked = entry->older;
    entry->newer = table->free;
    table->free = entry;
}

struct nb_table_entry *nb_table_next(struct nb_table *table, int64_t id)
{
    struct nb_table_entry *entry = table->oldest;

    if (table->walked && table->walked->id < id)
        entry = table->walked;
    while (entry && entry->id < id)
        entry = entry->newer;
    if (entry)
        table->walked = entry;
    return entry;
}
