/* reasm.c - out-of-order ranges. See reasm.h for what they are and how they are bounded. */
#include "reasm.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#include "chain.h"
#include "minmax.h"

bool nb_reasm_init(struct nb_reasm_pool *pool, uint32_t ranges, uint32_t mbufs_max, uint32_t connection_mbufs_max)
{
    *pool = (struct nb_reasm_pool){.capacity = ranges,
                                   .free_head = NB_REASM_NONE,
                                   .mbufs_max = mbufs_max,
                                   .connection_mbufs_max = nb__min(connection_mbufs_max, UINT16_MAX / 2)};
    pool->ranges = calloc(ranges ? ranges : 1, sizeof *pool->ranges);
    if (!pool->ranges)
        return false;
    for (uint32_t i = ranges; i-- > 0;) {
        pool->ranges[i].next = pool->free_head;
        pool->free_head = i;
    }
    return true;
}

void nb_reasm_fini(struct nb_reasm_pool *pool)
{
    free(pool->ranges);
    pool->ranges = NULL;
}

/* Unlink the range that *link names and give it back, with or without its data. */
static void range_put(struct nb_reasm_pool *pool, uint32_t *link, bool with_data)
{
    uint32_t index = *link;
    struct nb_reasm_range *r = &pool->ranges[index];
    pool->mbufs -= r->mbufs;
    if (with_data)
        rte_pktmbuf_free(r->first);
    *link = r->next;
    r->next = pool->free_head;
    pool->free_head = index;
}

/* Put a new, still empty range before the one that *link names. */
static struct nb_reasm_range *range_get(struct nb_reasm_pool *pool, uint32_t *link, nb_seq_t seq)
{
    uint32_t index = pool->free_head;
    struct nb_reasm_range *r = &pool->ranges[index];
    pool->free_head = r->next;
    *r = (struct nb_reasm_range){.left = seq, .right = seq, .next = *link};
    *link = index;
    return r;
}

static void range_append(struct nb_reasm_pool *pool, struct nb_reasm_range *r, struct rte_mbuf *m)
{
    r->right += m->pkt_len;
    r->mbufs += m->nb_segs;
    pool->mbufs += m->nb_segs;
    r->stamp = ++pool->stamp;
    struct rte_mbuf *last = rte_pktmbuf_lastseg(m);
    if (r->first) {
        r->last->next = m;
        r->first->pkt_len += m->pkt_len;
        r->first->nb_segs = (uint16_t)(r->first->nb_segs + m->nb_segs);
    } else {
        r->first = m;
    }
    r->last = last;
}

/* The range after r begins where r ends: make them one. */
static void range_join_next(struct nb_reasm_pool *pool, struct nb_reasm_range *r)
{
    struct nb_reasm_range *next = &pool->ranges[r->next];
    struct rte_mbuf *m = next->first;
    range_put(pool, &r->next, false);
    range_append(pool, r, m);
}

static bool within_bounds(const struct nb_reasm_pool *pool, uint32_t head, const struct rte_mbuf *m)
{
    uint32_t ranges = 0, mbufs = m->nb_segs;
    for (uint32_t i = head; i != NB_REASM_NONE; i = pool->ranges[i].next) {
        ranges++;
        mbufs += pool->ranges[i].mbufs;
    }
    return ranges < NB_REASM_RANGES_MAX && pool->free_head != NB_REASM_NONE && mbufs <= pool->connection_mbufs_max &&
           pool->mbufs + m->nb_segs <= pool->mbufs_max;
}

/* Where [seq, end) belongs:
 *
 *      before        covered         after
 *   |=======|     |==|   |===|     |======|
 *        |-------------------------------|      the new data
 *           ^ cut here            ^ and here; what it covers is dropped in its favour
 */
bool nb_reasm_insert(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t seq, struct rte_mbuf *m)
{
    nb_seq_t end = seq + m->pkt_len;
    if (!within_bounds(pool, *head, m)) {
        rte_pktmbuf_free(m);
        return false;
    }
    uint32_t *link = head;
    struct nb_reasm_range *before = NULL;
    while (*link != NB_REASM_NONE && seq_lt(pool->ranges[*link].left, seq)) {
        struct nb_reasm_range *r = &pool->ranges[*link];
        before = seq_geq(r->right, seq) ? r : NULL;
        link = &r->next;
    }
    if (before && seq_geq(before->right, end)) { /* nothing new */
        before->stamp = ++pool->stamp;
        rte_pktmbuf_free(m);
        return true;
    }
    if (before && before->right != seq)
        m = nb_chain_skip(m, before->right - seq);
    while (*link != NB_REASM_NONE && seq_leq(pool->ranges[*link].right, end))
        range_put(pool, link, true);
    struct nb_reasm_range *after = NULL;
    if (*link != NB_REASM_NONE && seq_leq(pool->ranges[*link].left, end))
        after = &pool->ranges[*link];
    nb_seq_t left = before ? before->right : seq;
    if (after && after->left == left) { /* it began there too, and reaches farther */
        after->stamp = ++pool->stamp;
        rte_pktmbuf_free(m);
        return true;
    }
    if (after)
        nb_chain_keep(m, after->left - left);
    struct nb_reasm_range *r = before ? before : range_get(pool, link, seq);
    range_append(pool, r, m);
    if (after)
        range_join_next(pool, r);
    return true;
}

struct rte_mbuf *nb_reasm_take(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t rcv_nxt)
{
    while (*head != NB_REASM_NONE && seq_leq(pool->ranges[*head].left, rcv_nxt)) {
        struct nb_reasm_range *r = &pool->ranges[*head];
        if (seq_leq(r->right, rcv_nxt)) {
            range_put(pool, head, true);
            continue;
        }
        struct rte_mbuf *m = r->first;
        nb_seq_t left = r->left;
        range_put(pool, head, false);
        return left == rcv_nxt ? m : nb_chain_skip(m, rcv_nxt - left);
    }
    return NULL;
}

unsigned nb_reasm_sack(const struct nb_reasm_pool *pool, uint32_t head, struct nb_seq_range *blocks, unsigned max)
{
    uint32_t younger_than = pool->stamp + 1;
    unsigned n = 0;
    for (; n < max; n++) {
        const struct nb_reasm_range *latest = NULL;
        for (uint32_t i = head; i != NB_REASM_NONE; i = pool->ranges[i].next) {
            const struct nb_reasm_range *r = &pool->ranges[i];
            if (seq_lt(r->stamp, younger_than) && (!latest || seq_gt(r->stamp, latest->stamp)))
                latest = r;
        }
        if (!latest)
            break;
        blocks[n] = (struct nb_seq_range){.left = latest->left, .right = latest->right};
        younger_than = latest->stamp;
    }
    return n;
}

uint32_t nb_reasm_bytes(const struct nb_reasm_pool *pool, uint32_t head)
{
    uint32_t bytes = 0;
    for (uint32_t i = head; i != NB_REASM_NONE; i = pool->ranges[i].next)
        bytes += pool->ranges[i].right - pool->ranges[i].left;
    return bytes;
}

void nb_reasm_free(struct nb_reasm_pool *pool, uint32_t *head)
{
    while (*head != NB_REASM_NONE)
        range_put(pool, head, true);
}
