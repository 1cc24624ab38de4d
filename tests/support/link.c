/* link.c - see link.h.
 *
 * Packets under way lie in a heap by time of arrival, those of the same time in the order they were sent. The queue
 * before the rate is not kept as such: what has not begun to leave is the time until the link is free, times the rate.
 */
#include "link.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#define MILLION 1000000u

struct under_way {
    uint64_t at_us, serial;
    struct rte_mbuf *m;
};

struct link {
    struct link_options o;
    struct link_counts counts;
    uint64_t random, serial;
    uint64_t free_at_ns;
    uint64_t burst_until_us;
    unsigned since_periodic, since_marked;
    struct under_way *heap;
    size_t n, capacity;
};

uint32_t link_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

static bool chance(struct link *link, unsigned ppm)
{
    return ppm && link_random(&link->random) % MILLION < ppm;
}

struct link *link_new(const struct link_options *options, uint64_t seed)
{
    struct link *link = calloc(1, sizeof *link);
    link->o = *options;
    link->random = seed * 0x9e3779b97f4a7c15 + 1;
    return link;
}

void link_free(struct link *link)
{
    for (size_t i = 0; i < link->n; i++)
        rte_pktmbuf_free(link->heap[i].m);
    free(link->heap);
    free(link);
}

/* --- the heap --------------------------------------------------------------------------------- */

static bool before(const struct under_way *a, const struct under_way *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->serial < b->serial);
}

static void push(struct link *link, struct rte_mbuf *m, uint64_t at_us)
{
    if (link->n == link->capacity) {
        link->capacity = link->capacity ? 2 * link->capacity : 64;
        link->heap = realloc(link->heap, link->capacity * sizeof *link->heap);
    }
    struct under_way new = {.at_us = at_us, .serial = link->serial++, .m = m};
    size_t i = link->n++;
    for (; i > 0 && before(&new, &link->heap[(i - 1) / 2]); i = (i - 1) / 2)
        link->heap[i] = link->heap[(i - 1) / 2];
    link->heap[i] = new;
}

static struct rte_mbuf *pop(struct link *link)
{
    struct rte_mbuf *m = link->heap[0].m;
    struct under_way last = link->heap[--link->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < link->n; i = child) {
        if (child + 1 < link->n && before(&link->heap[child + 1], &link->heap[child]))
            child++;
        if (!before(&link->heap[child], &last))
            break;
        link->heap[i] = link->heap[child];
    }
    link->heap[i] = last;
    return m;
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool is_lost(struct link *link, const struct rte_mbuf *m, uint64_t now_us)
{
    const struct link_options *o = &link->o;
    if (o->mtu_bytes && m->pkt_len > o->mtu_bytes)
        return true;
    if (chance(link, o->burst_ppm))
        link->burst_until_us = now_us + 1 + link_random(&link->random) % o->burst_us;
    if (now_us < link->burst_until_us)
        return true;
    if (o->lose_every && m->pkt_len > LINK_SMALL_BYTES && ++link->since_periodic >= o->lose_every) {
        link->since_periodic = 0;
        return true;
    }
    return chance(link, o->loss_ppm);
}

/* One bit of TCP header or payload. */
static void corrupt(struct link *link, struct rte_mbuf *m, unsigned l3_bytes)
{
    uint32_t at = l3_bytes + link_random(&link->random) % (m->pkt_len - l3_bytes);
    for (; at >= m->data_len; m = m->next)
        at -= m->data_len;
    *rte_pktmbuf_mtod_offset(m, uint8_t *, at) ^= (uint8_t)(1u << link_random(&link->random) % 8);
}

/* CE in place of ECT, as a router writes it (RFC 3168 §5); an IPv4 header's checksum follows by a word's difference. */
static void mark(struct link *link, struct rte_mbuf *m)
{
    uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
    bool v4 = ip[0] >> 4 == 4;
    uint8_t before = v4 ? ip[1] & 3 : ip[1] >> 4 & 3;
    if (!link->o.mark_every || !before || before == 3 || ++link->since_marked < link->o.mark_every)
        return;
    link->since_marked = 0;
    link->counts.marked++;
    ip[1] |= v4 ? 3 : 3 << 4;
    if (!v4)
        return;
    uint32_t sum = ((uint32_t)ip[10] << 8 | ip[11]) + 0xffff - (3 - before);
    sum = (sum & 0xffff) + (sum >> 16);
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
}

/* When the last bit of so many bytes has left, 0 when the queue has no room for them. */
static uint64_t leaves_at_ns(struct link *link, uint32_t bytes, uint64_t now_us)
{
    const struct link_options *o = &link->o;
    uint64_t now_ns = now_us * 1000, start = link->free_at_ns > now_ns ? link->free_at_ns : now_ns;
    if (!o->rate_bps)
        return now_ns;
    uint64_t waiting = (uint64_t)((double)(start - now_ns) * (double)o->rate_bps / 8e9);
    if (o->queue_bytes && start > now_ns && waiting + bytes > o->queue_bytes)
        return 0;
    link->free_at_ns = start + (uint64_t)((double)bytes * 8e9 / (double)o->rate_bps);
    return link->free_at_ns;
}

static void transmit(struct link *link, struct rte_mbuf *m, unsigned l3_bytes, uint64_t now_us)
{
    const struct link_options *o = &link->o;
    uint64_t at_ns = leaves_at_ns(link, m->pkt_len, now_us);
    if (!at_ns) {
        link->counts.overflowed++;
        rte_pktmbuf_free(m);
        return;
    }
    uint64_t late_us = o->jitter_us ? link_random(&link->random) % o->jitter_us : 0;
    if (chance(link, o->reorder_ppm))
        late_us += o->reorder_us;
    if (chance(link, o->corrupt_ppm)) {
        corrupt(link, m, l3_bytes);
        link->counts.corrupted++;
    }
    mark(link, m);
    push(link, m, at_ns / 1000 + o->delay_us + late_us);
}

void link_send(struct link *link, struct rte_mbuf *m, unsigned l3_bytes, uint64_t now_us)
{
    link->counts.packets++;
    link->counts.bytes += m->pkt_len;
    if (is_lost(link, m, now_us)) {
        link->counts.lost++;
        rte_pktmbuf_free(m);
        return;
    }
    struct rte_mbuf *twin = NULL;
    if (chance(link, link->o.duplicate_ppm))
        twin = rte_pktmbuf_copy(m, m->pool, 0, UINT32_MAX);
    transmit(link, m, l3_bytes, now_us);
    if (!twin)
        return;
    link->counts.duplicated++;
    transmit(link, twin, l3_bytes, now_us);
}

struct rte_mbuf *link_take(struct link *link, uint64_t now_us)
{
    return link->n && link->heap[0].at_us <= now_us ? pop(link) : NULL;
}

uint64_t link_next_us(const struct link *link)
{
    return link->n ? link->heap[0].at_us : UINT64_MAX;
}

const struct link_counts *link_counts(const struct link *link)
{
    return &link->counts;
}
