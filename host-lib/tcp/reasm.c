/* reasm.c - out-of-order ranges. See reasm.h for what they are and how they are bounded. */
#include "reasm.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#include "chain.h"
#include "minmax.h"

bool nb_reasm_init(struct nb_reasm_pool *pool, uint32_t ranges, uint32_t mbufs_max)
{
    *pool = (struct nb_reasm_pool){
        .capacity = ranges, .free_head = NB_REASM_NONE, .mbufs_max = mbufs_max, .range_mbufs_max = UINT16_MAX};
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

/* --- the list --------------------------------------------------------------------------------- */

static struct nb_reasm_list *list_of(struct nb_reasm_pool *pool, uint32_t head)
{
    return &pool->ranges[head].list;
}

static uint32_t index_of(const struct nb_reasm_pool *pool, const struct nb_reasm_range *r)
{
    return (uint32_t)(r - pool->ranges);
}

static void forget(struct nb_reasm_list *list, uint32_t index)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < NB_REASM_RECENT; i++) {
        if (list->recent[i] != index)
            list->recent[kept++] = list->recent[i];
    }
    while (kept < NB_REASM_RECENT)
        list->recent[kept++] = NB_REASM_NONE;
}

/* The range has grown: it is the youngest. */
static void touch(struct nb_reasm_pool *pool, uint32_t head, uint32_t index)
{
    struct nb_reasm_list *list = list_of(pool, head);
    if (list->recent[0] == index)
        return;
    forget(list, index);
    for (unsigned i = NB_REASM_RECENT - 1; i > 0; i--)
        list->recent[i] = list->recent[i - 1];
    list->recent[0] = index;
}

/* Unlink a range and give it back, with or without its data. */
static void range_put(struct nb_reasm_pool *pool, uint32_t *head, uint32_t index, bool with_data)
{
    struct nb_reasm_range *r = &pool->ranges[index];
    struct nb_reasm_list list = *list_of(pool, *head);
    list.n--;
    list.mbufs -= r->mbufs;
    pool->mbufs -= r->mbufs;
    forget(&list, index);
    *(r->prev == NB_REASM_NONE ? head : &pool->ranges[r->prev].next) = r->next;
    *(r->next == NB_REASM_NONE ? &list.tail : &pool->ranges[r->next].prev) = r->prev;
    if (*head != NB_REASM_NONE)
        *list_of(pool, *head) = list;
    if (with_data)
        rte_pktmbuf_free(r->first);
    r->next = pool->free_head;
    pool->free_head = index;
}

/* A new, still empty range behind `prev`, NB_REASM_NONE: in front of all. NULL when a bound is reached. */
static struct nb_reasm_range *range_get(struct nb_reasm_pool *pool, uint32_t *head, uint32_t prev, nb_seq_t seq)
{
    struct nb_reasm_list list = {.tail = NB_REASM_NONE};
    uint32_t index = pool->free_head;
    if (*head != NB_REASM_NONE)
        list = *list_of(pool, *head);
    else
        forget(&list, 0); /* all the same: none */
    if (index == NB_REASM_NONE || list.n == NB_REASM_RANGES_MAX)
        return NULL;
    struct nb_reasm_range *r = &pool->ranges[index];
    pool->free_head = r->next;
    uint32_t next = prev == NB_REASM_NONE ? *head : pool->ranges[prev].next;
    *r = (struct nb_reasm_range){.left = seq, .right = seq, .next = next, .prev = prev};
    *(prev == NB_REASM_NONE ? head : &pool->ranges[prev].next) = index;
    *(next == NB_REASM_NONE ? &list.tail : &pool->ranges[next].prev) = index;
    list.n++;
    *list_of(pool, *head) = list;
    return r;
}

static void range_append(struct nb_reasm_pool *pool, uint32_t head, struct nb_reasm_range *r, struct rte_mbuf *m,
                         struct rte_mbuf *last)
{
    uint32_t n = m->pkt_len;
    if (r->first && nb_chain_copy_small(r->last, m)) {
        r->right += n;
        r->first->pkt_len += r->first == r->last ? 0 : n;
        touch(pool, head, index_of(pool, r));
        if (pool->collapsed)
            ++*pool->collapsed;
        return;
    }
    r->right += n;
    r->mbufs += m->nb_segs;
    list_of(pool, head)->mbufs += m->nb_segs;
    pool->mbufs += m->nb_segs;
    touch(pool, head, index_of(pool, r));
    if (r->first) {
        r->last->next = m;
        r->first->pkt_len += m->pkt_len;
        r->first->nb_segs = (uint16_t)(r->first->nb_segs + m->nb_segs);
    } else {
        r->first = m;
    }
    r->last = last;
}

static void range_prepend(struct nb_reasm_pool *pool, uint32_t head, struct nb_reasm_range *r, struct rte_mbuf *m)
{
    struct rte_mbuf *rest = r->first, *last = r->last;
    r->left -= m->pkt_len;
    r->right = r->left; /* empty: it begins anew */
    r->first = NULL;
    pool->mbufs -= r->mbufs;
    list_of(pool, head)->mbufs -= r->mbufs;
    r->mbufs = 0;
    range_append(pool, head, r, m, rte_pktmbuf_lastseg(m));
    range_append(pool, head, r, rest, last);
}

/* The range after r begins where r ends: make them one. */
static void range_join_next(struct nb_reasm_pool *pool, uint32_t *head, struct nb_reasm_range *r)
{
    struct rte_mbuf *m = pool->ranges[r->next].first, *last = pool->ranges[r->next].last;
    range_put(pool, head, r->next, false);
    range_append(pool, *head, r, m, last);
}

/* The last range that begins before seq, NB_REASM_NONE if none does. */
static uint32_t find_before(const struct nb_reasm_pool *pool, uint32_t head, nb_seq_t seq)
{
    if (head == NB_REASM_NONE || seq_geq(pool->ranges[head].left, seq))
        return NB_REASM_NONE;
    const struct nb_reasm_range *first = &pool->ranges[head], *tail = &pool->ranges[first->list.tail];
    const struct nb_reasm_range *r = &pool->ranges[first->list.recent[0]];
    if (seq_lt(tail->left, seq))
        return first->list.tail;
    if (seq_lt(seq, r->left) && seq - first->left < r->left - seq)
        r = first;
    while (seq_geq(r->left, seq)) /* the first one stops this */
        r = &pool->ranges[r->prev];
    while (r->next != NB_REASM_NONE && seq_lt(pool->ranges[r->next].left, seq))
        r = &pool->ranges[r->next];
    return index_of(pool, r);
}

static bool within_bounds(const struct nb_reasm_pool *pool, uint32_t head, const struct rte_mbuf *m, uint32_t most)
{
    uint32_t mbufs = head == NB_REASM_NONE ? 0 : pool->ranges[head].list.mbufs;
    return mbufs + m->nb_segs <= most && pool->mbufs + m->nb_segs <= pool->mbufs_max;
}

/* A chain counts its mbufs in 16 bits. What does not fit is a range of its own, and those two only touch. */
static bool has_room(const struct nb_reasm_pool *pool, const struct nb_reasm_range *r, uint32_t mbufs)
{
    return r->mbufs + mbufs <= pool->range_mbufs_max;
}

/* --- in and out ------------------------------------------------------------------------------- */

/* Where [seq, end) belongs:
 *
 *      before        covered         after
 *   |=======|     |==|   |===|     |======|
 *        |-------------------------------|      the new data
 *           ^ cut here            ^ and here; what it covers is dropped in its favour
 */
bool nb_reasm_insert(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t seq, struct rte_mbuf *m,
                     uint32_t list_mbufs_max)
{
    nb_seq_t end = seq + m->pkt_len;
    uint32_t prev = find_before(pool, *head, seq), next = prev == NB_REASM_NONE ? *head : pool->ranges[prev].next;
    bool joins = prev != NB_REASM_NONE && seq_geq(pool->ranges[prev].right, seq), kept = true;
    struct nb_reasm_range *before = joins ? &pool->ranges[prev] : NULL, *after = NULL;
    if (before && seq_geq(before->right, end)) { /* nothing new */
        touch(pool, *head, prev);
        goto out;
    }
    kept = within_bounds(pool, *head, m, list_mbufs_max);
    if (!kept)
        goto out;
    nb_seq_t left = before ? before->right : seq;
    if (left != seq)
        m = nb_chain_skip(m, left - seq);
    if (before && !has_room(pool, before, m->nb_segs))
        before = NULL;
    while (next != NB_REASM_NONE && seq_leq(pool->ranges[next].right, end)) {
        uint32_t covered = next;
        next = pool->ranges[next].next;
        range_put(pool, head, covered, true);
    }
    if (next != NB_REASM_NONE && seq_leq(pool->ranges[next].left, end))
        after = &pool->ranges[next];
    if (after && after->left == left) { /* it began there too, and reaches farther */
        touch(pool, *head, next);
        goto out;
    }
    if (after)
        nb_chain_keep(m, after->left - left);
    if (after && !has_room(pool, after, m->nb_segs))
        after = NULL;
    struct nb_reasm_range *r = before || after ? before : range_get(pool, head, prev, left);
    kept = before || after || r;
    if (!kept)
        goto out;
    if (r)
        range_append(pool, *head, r, m, rte_pktmbuf_lastseg(m));
    else
        range_prepend(pool, *head, after, m);
    if (before && after && has_room(pool, before, after->mbufs))
        range_join_next(pool, head, before);
    return true;
out:
    rte_pktmbuf_free(m);
    return kept;
}

struct rte_mbuf *nb_reasm_take(struct nb_reasm_pool *pool, uint32_t *head, nb_seq_t rcv_nxt)
{
    while (*head != NB_REASM_NONE && seq_leq(pool->ranges[*head].left, rcv_nxt)) {
        struct nb_reasm_range *r = &pool->ranges[*head];
        if (seq_leq(r->right, rcv_nxt)) {
            range_put(pool, head, *head, true);
            continue;
        }
        struct rte_mbuf *m = r->first;
        nb_seq_t left = r->left;
        range_put(pool, head, *head, false);
        return left == rcv_nxt ? m : nb_chain_skip(m, rcv_nxt - left);
    }
    return NULL;
}

static bool is_recent(const struct nb_reasm_list *list, uint32_t index)
{
    for (unsigned i = 0; i < NB_REASM_RECENT; i++)
        if (list->recent[i] == index)
            return true;
    return false;
}

static struct nb_seq_range block_of(const struct nb_reasm_range *r)
{
    return (struct nb_seq_range){.left = r->left, .right = r->right};
}

unsigned nb_reasm_sack(const struct nb_reasm_pool *pool, uint32_t head, struct nb_seq_range *blocks, unsigned max)
{
    unsigned n = 0;
    if (head == NB_REASM_NONE)
        return 0;
    const struct nb_reasm_list *list = &pool->ranges[head].list;
    for (unsigned i = 0; i < NB_REASM_RECENT && n < max && list->recent[i] != NB_REASM_NONE; i++)
        blocks[n++] = block_of(&pool->ranges[list->recent[i]]);
    for (uint32_t i = head; i != NB_REASM_NONE && n < max; i = pool->ranges[i].next) {
        if (!is_recent(list, i))
            blocks[n++] = block_of(&pool->ranges[i]);
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
        range_put(pool, head, *head, true);
}

/* --- between workers -----------------------------------------------------------------------------------------------
 */

void nb_reasm_size(const struct nb_reasm_pool *pool, uint32_t head, uint32_t *ranges, uint32_t *mbufs)
{
    *ranges = head == NB_REASM_NONE ? 0 : pool->ranges[head].list.n;
    *mbufs = head == NB_REASM_NONE ? 0 : pool->ranges[head].list.mbufs;
}

/* Shells, linked through next. */
static void give_back_chain(struct nb_reasm_pool *pool, uint32_t *chain)
{
    while (*chain != NB_REASM_NONE) {
        uint32_t index = *chain;
        *chain = pool->ranges[index].next;
        pool->ranges[index].next = pool->free_head;
        pool->free_head = index;
    }
}

bool nb_reasm_reserve(struct nb_reasm_pool *pool, uint32_t n, uint32_t mbufs, uint32_t *chain)
{
    *chain = NB_REASM_NONE;
    if (pool->mbufs + mbufs > pool->mbufs_max)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = pool->free_head;
        if (index == NB_REASM_NONE) {
            give_back_chain(pool, chain);
            return false;
        }
        pool->free_head = pool->ranges[index].next;
        pool->ranges[index].next = *chain;
        *chain = index;
    }
    pool->mbufs += mbufs;
    return true;
}

void nb_reasm_unreserve(struct nb_reasm_pool *pool, uint32_t mbufs, uint32_t *chain)
{
    give_back_chain(pool, chain);
    pool->mbufs -= mbufs;
}

/* Copy the ranges in order; each of theirs remembers in prev, which it needs no more, which of ours it became. */
static uint32_t copy_ranges(struct nb_reasm_pool *pool, uint32_t *chain, struct nb_reasm_pool *from, uint32_t from_head)
{
    uint32_t head = NB_REASM_NONE, last = NB_REASM_NONE;
    for (uint32_t i = from_head; i != NB_REASM_NONE; i = from->ranges[i].next) {
        uint32_t index = *chain;
        struct nb_reasm_range *r = &pool->ranges[index];
        *chain = r->next;
        *r = from->ranges[i];
        r->prev = last;
        r->next = NB_REASM_NONE;
        from->ranges[i].prev = index;
        *(last == NB_REASM_NONE ? &head : &pool->ranges[last].next) = index;
        last = index;
        pool->mbufs += r->mbufs;
    }
    return head;
}

uint32_t nb_reasm_adopt(struct nb_reasm_pool *pool, uint32_t *chain, struct nb_reasm_pool *from, uint32_t from_head)
{
    uint32_t head = copy_ranges(pool, chain, from, from_head);
    if (head == NB_REASM_NONE)
        return head;
    struct nb_reasm_list *list = list_of(pool, head);
    list->tail = from->ranges[list->tail].prev;
    for (unsigned i = 0; i < NB_REASM_RECENT; i++)
        if (list->recent[i] != NB_REASM_NONE)
            list->recent[i] = from->ranges[list->recent[i]].prev;
    return head;
}

void nb_reasm_forget(struct nb_reasm_pool *pool, uint32_t *head)
{
    for (uint32_t i = *head; i != NB_REASM_NONE; i = pool->ranges[i].next)
        pool->mbufs -= pool->ranges[i].mbufs;
    give_back_chain(pool, head);
}
