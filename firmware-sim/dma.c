/* dma.c - from the bus addresses in descriptors to the program's memory, with bounds.
 *
 * The cache is direct mapped by window number. A window is the widest stretch one entry may describe; where memory has
 * holes or seams inside a window the entry describes the run around the last address asked for. A request that crosses
 * a window's end takes two entries, which must continue each other in virtual memory.
 */
#include "dma.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_SHIFT  21    /* 2 MiB: the hugepage size, so that with hugepages one window is one page */
#define CACHE_ENTRIES 4096u /* 8 GiB of different addresses before entries displace each other */

struct sim_dma {
    struct sim_dma_source source;
    uint64_t faults;
    bool shut;
    struct sim_dma_range cache[CACHE_ENTRIES]; /* end == 0: empty */
};

struct sim_dma *sim_dma_new(const struct sim_dma_source *source)
{
    struct sim_dma *dma = calloc(1, sizeof *dma);
    if (dma)
        dma->source = *source;
    return dma;
}

void sim_dma_free(struct sim_dma *dma)
{
    free(dma);
}

void sim_dma_flush(struct sim_dma *dma)
{
    memset(dma->cache, 0, sizeof dma->cache);
}

void sim_dma_shut(struct sim_dma *dma)
{
    dma->shut = true;
    sim_dma_flush(dma);
}

uint64_t sim_dma_faults(const struct sim_dma *dma)
{
    return dma->faults;
}

static bool covers(const struct sim_dma_range *r, uint64_t iova)
{
    return iova >= r->start && iova < r->end;
}

/* The run that contains iova, at most its window. NULL: not memory. */
static const struct sim_dma_range *find_range(struct sim_dma *dma, uint64_t iova)
{
    uint64_t window = iova >> WINDOW_SHIFT;
    uint64_t low = window << WINDOW_SHIFT, high = low + (1ULL << WINDOW_SHIFT);
    struct sim_dma_range *entry = &dma->cache[window % CACHE_ENTRIES], found;
    if (covers(entry, iova))
        return entry;
    if (high < low || dma->shut || !dma->source.find(dma->source.arg, iova, low, high, &found))
        return NULL;
    *entry = found;
    return entry;
}

void *sim_dma_map(struct sim_dma *dma, uint64_t iova, size_t n)
{
    uint64_t at = iova, end = iova + n;
    uint8_t *first = NULL;
    if (n == 0 || end < iova)
        goto fault;
    while (at < end) {
        const struct sim_dma_range *r = find_range(dma, at);
        uint8_t *virt = r ? r->virt + (at - r->start) : NULL;
        if (!r || (first && virt != first + (at - iova)))
            goto fault;
        if (!first)
            first = virt;
        at = r->end;
    }
    return first;
fault:
    dma->faults++;
    return NULL;
}
