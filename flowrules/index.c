/* index.c - the hash index: probing, removal by shifting back, growth. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

#define SMALLEST 16 /* slots; below this growth is not worth its steps */

static struct nb__index_slot *slots_new(uint32_t n)
{
    struct nb__index_slot *slot = malloc(n * sizeof *slot);

    if (slot)
        memset(slot, 0xff, n * sizeof *slot);
    return slot;
}

int nb__index_init(struct nb__index *index, uint32_t expected)
{
    uint32_t n = SMALLEST;

    while (n / 2 < expected && n < UINT32_C(1) << 30)
        n *= 2;
    *index = (struct nb__index){.slot = slots_new(n), .mask = n - 1};
    return index->slot ? 0 : -ENOMEM;
}

void nb__index_fini(struct nb__index *index)
{
    free(index->slot);
    *index = (struct nb__index){0};
}

static void place(struct nb__index *index, uint32_t hash, uint32_t value)
{
    uint32_t at = hash & index->mask;

    while (index->slot[at].value != NB__INDEX_NONE)
        at = (at + 1) & index->mask;
    index->slot[at] = (struct nb__index_slot){hash, value};
}

static int grow(struct nb__index *index)
{
    struct nb__index bigger = {.mask = index->mask * 2 + 1, .used = index->used};

    bigger.slot = slots_new(bigger.mask + 1);
    if (!bigger.slot)
        return -ENOMEM;
    for (uint32_t i = 0; i <= index->mask; i++)
        if (index->slot[i].value != NB__INDEX_NONE)
            place(&bigger, index->slot[i].hash, index->slot[i].value);
    free(index->slot);
    *index = bigger;
    return 0;
}

int nb__index_add(struct nb__index *index, uint32_t hash, uint32_t value)
{
    if (index->used >= (index->mask + 1) / 2 && grow(index))
        return -ENOMEM;
    place(index, hash, value);
    index->used++;
    return 0;
}

uint32_t nb__index_find(const struct nb__index *index, uint32_t hash, bool (*same)(const void *arg, uint32_t value),
                        const void *arg)
{
    for (uint32_t at = hash & index->mask; index->slot[at].value != NB__INDEX_NONE; at = (at + 1) & index->mask)
        if (index->slot[at].hash == hash && same(arg, index->slot[at].value))
            return index->slot[at].value;
    return NB__INDEX_NONE;
}

/* Close the gap: pull back each following slot that its own probe would still pass through the gap to reach. */
static void close_gap(struct nb__index *index, uint32_t gap)
{
    uint32_t mask = index->mask;

    for (uint32_t at = (gap + 1) & mask; index->slot[at].value != NB__INDEX_NONE; at = (at + 1) & mask) {
        uint32_t home = index->slot[at].hash & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            index->slot[gap] = index->slot[at];
            gap = at;
        }
    }
    index->slot[gap].value = NB__INDEX_NONE;
}

void nb__index_remove(struct nb__index *index, uint32_t hash, uint32_t value)
{
    for (uint32_t at = hash & index->mask; index->slot[at].value != NB__INDEX_NONE; at = (at + 1) & index->mask) {
        if (index->slot[at].value == value) {
            close_gap(index, at);
            index->used--;
            return;
        }
    }
}
