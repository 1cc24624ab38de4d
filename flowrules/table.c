/* table.c - the shadow table: a pool of entries, an index by (engine, match), a list by id, a queue of free marks. */
#include <stdlib.h>
#include <string.h>

#include <netbypass/table.h>

#include "index.h"

struct nb_table {
    const struct nb_profile *profile;
    uint64_t seed;
    struct nb_table_engine engine[NB_PROFILE_ENGINES];
    struct nb_match bound[NB_PROFILE_ENGINES]; /* a match with the mask in force, while the engine holds rules */
    struct nb_table_entry *pool;
    uint32_t pool_size;
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
    table->pool = calloc(table->pool_size + 1, sizeof *table->pool);
    if (!table->pool || nb__index_init(&table->by_match, table->pool_size) || !init_marks(table)) {
        nb_table_free(table);
        return NULL;
    }
    for (uint32_t i = 0; i < table->pool_size; i++) {
        table->pool[i].newer = table->free;
        table->free = &table->pool[i];
    }
    return table;
}

void nb_table_free(struct nb_table *table)
{
    if (!table)
        return;
    nb__index_fini(&table->by_match);
    free(table->free_mark);
    free(table->pool);
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
    const struct nb_table_entry *entry = &key->table->pool[value];

    return entry->engine == key->engine && !memcmp(&entry->rule.match, key->match, sizeof *key->match);
}

struct nb_table_entry *nb_table_find(const struct nb_table *table, unsigned engine, const struct nb_match *match)
{
    struct match_key key = {table, engine, match};
    uint32_t at = nb__index_find(&table->by_match, hash_match(table, engine, match), same_match, &key);

    return at == NB__INDEX_NONE ? NULL : &table->pool[at];
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

enum nb_why nb_table_room(const struct nb_table *table, unsigned engine, const struct nb_match *match, uint32_t reserve)
{
    const struct nb_table_engine *row = &table->engine[engine];
    const struct nb_engine_profile *profile = row->profile;

    if (row->full || row->used >= profile->size)
        return NB_WHY_TABLE_FULL;
    if (row->used + reserve >= profile->size)
        return NB_WHY_RESERVED;
    if (profile->quirks & NB_QUIRK_NEEDS_MARK && !table->n_free_marks)
        return NB_WHY_TABLE_FULL;
    if (profile->one_mask && row->used && !nb_match_same_mask(&table->bound[engine], match))
        return NB_WHY_OTHER_MASK;
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
    struct nb_table_entry *entry = table->free;

    if (!entry ||
        nb__index_add(&table->by_match, hash_match(table, engine, &rule->match), (uint32_t)(entry - table->pool)))
        return NULL;
    table->free = entry->newer;
    *entry = (struct nb_table_entry){.id = (*table->next_id)++,
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
    if (!table->engine[engine].used++)
        table->bound[engine] = rule->match;
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
    if (needs_mark(table, entry->engine))
        give_mark(table, entry->rule.mark);
    nb__index_remove(&table->by_match, hash_match(table, entry->engine, &entry->rule.match),
                     (uint32_t)(entry - table->pool));
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
