/* dpdk_memory.c - the program's DPDK memory as the source of DMA answers.
 *
 * Lookups use only calls that take no lock of DPDK's: they run under the simulator's lock, and DPDK calls our free
 * notice under its own memory lock, which waits for the simulator's. Virtual-to-segment lookup is what DPDK's drivers
 * themselves do on their data path. A segment is one page, so neighbours are joined as far as the window goes.
 */
#include "dpdk_memory.h"

#include "symbols.h"

#include <errno.h>
#include <rte_memory.h>

static struct rte_memseg *(*virt2memseg)(const void *, const struct rte_memseg_list *);
static int (*memseg_walk)(rte_memseg_walk_t, void *);
static int (*event_register)(const char *, rte_mem_event_callback_t, void *);

static const struct {
    const char *name;
    void **function;
} needed[] = {
    {"rte_mem_virt2memseg", (void **)&virt2memseg},
    {"rte_memseg_walk_thread_unsafe", (void **)&memseg_walk},
    {"rte_mem_event_callback_register", (void **)&event_register},
};

int sim_dpdk_memory_init(struct sim_error *err)
{
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        *needed[i].function = sim_program_symbol(needed[i].name);
        if (!*needed[i].function)
            return sim_fail(err, -ENOENT, "the program's DPDK has no %s: nicsim needs a shared librte_eal, 22.11",
                            needed[i].name);
    }
    return 0;
}

static const struct rte_memseg *segment_at(const uint8_t *virt)
{
    const struct rte_memseg *ms = virt2memseg(virt, NULL);
    if (!ms || !ms->addr || virt < (uint8_t *)ms->addr || (size_t)(virt - (uint8_t *)ms->addr) >= ms->len)
        return NULL;
    return ms;
}

/* Do two neighbouring segments also follow each other on the bus? */
static bool continues(const struct rte_memseg *a, const struct rte_memseg *b, bool bus_is_virtual)
{
    return bus_is_virtual || a->iova + a->len == b->iova;
}

/* Grow [start, end) from the segment at virt to its neighbours, within [low, high) of bus addresses. */
static void join_neighbours(const struct rte_memseg *ms, bool bus_is_virtual, uint64_t low, uint64_t high,
                            struct sim_dma_range *range)
{
    const struct rte_memseg *last = ms, *next;
    while (range->start > low && (next = segment_at(range->virt - 1)) && continues(next, ms, bus_is_virtual)) {
        range->start -= next->len;
        range->virt -= next->len;
        ms = next;
    }
    while (range->end < high && (next = segment_at(range->virt + (range->end - range->start))) &&
           continues(last, next, bus_is_virtual)) {
        range->end += next->len;
        last = next;
    }
}

static void clip(struct sim_dma_range *range, uint64_t low, uint64_t high)
{
    if (range->start < low) {
        range->virt += low - range->start;
        range->start = low;
    }
    if (range->end > high)
        range->end = high;
}

static bool find_virtual(void *arg, uint64_t iova, uint64_t low, uint64_t high, struct sim_dma_range *range)
{
    const struct rte_memseg *ms = segment_at((const uint8_t *)(uintptr_t)iova);
    (void)arg;
    if (!ms)
        return false;
    *range = (struct sim_dma_range){(uintptr_t)ms->addr, (uintptr_t)ms->addr + ms->len, ms->addr};
    join_neighbours(ms, true, low, high, range);
    clip(range, low, high);
    return true;
}

struct search {
    uint64_t iova;
    const struct rte_memseg *found;
};

static int has_iova(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
    struct search *s = arg;
    (void)msl;
    if (s->iova < ms->iova || s->iova - ms->iova >= ms->len)
        return 0;
    s->found = ms;
    return 1;
}

static bool find_physical(void *arg, uint64_t iova, uint64_t low, uint64_t high, struct sim_dma_range *range)
{
    struct search s = {iova, NULL};
    (void)arg;
    if (memseg_walk(has_iova, &s) != 1)
        return false;
    *range = (struct sim_dma_range){s.found->iova, s.found->iova + s.found->len, s.found->addr};
    join_neighbours(s.found, false, low, high, range);
    clip(range, low, high);
    return true;
}

struct sim_dma_source sim_dpdk_memory_source(bool bus_is_virtual)
{
    return (struct sim_dma_source){NULL, bus_is_virtual ? find_virtual : find_physical};
}

static struct {
    void (*freed)(void *arg);
    void *arg;
} notice;

static void on_memory_event(enum rte_mem_event event, const void *addr, size_t n, void *arg)
{
    (void)addr;
    (void)n;
    (void)arg;
    if (event == RTE_MEM_EVENT_FREE)
        notice.freed(notice.arg);
}

void sim_dpdk_memory_on_free(void (*freed)(void *arg), void *arg)
{
    notice.freed = freed;
    notice.arg = arg;
    event_register("nicsim", on_memory_event, NULL); /* legacy memory never goes: its refusal is no error */
}
