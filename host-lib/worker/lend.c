/* lend.c - see lend.h. */
#include "lend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_spinlock.h>

#define OPS           "netbypass"
#define PRIVATE_BYTES RTE_CACHE_LINE_SIZE /* for a mark of one; data begins with a cache line as it would without */

/* What a pool keeps behind the caches. */
struct stock {
    rte_spinlock_t lock; /* of the stack and of the rings' other ends */
    uint32_t n;
    struct nb_lending *lending; /* NULL: the pool is nobody's */
    uint16_t owner;
    struct rte_ring *from[NB_MAX_WORKERS]; /* what other workers give back */
    void *stack[];
};

/* Which worker this thread is at the moment. */
static _Thread_local struct nb_lend_account *self;

static void add(_Atomic uint64_t *counter, uint64_t n) /* only one thread writes it */
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- marks ---------------------------------------------------------------------------------------------------------
 */

/* 1 + the number of the worker that took it; 0: it is with its owner. */
static uint8_t *mark_of(struct rte_mbuf *m)
{
    return rte_mbuf_to_priv(m);
}

/* Whoever took it has it no more. */
static void settle(struct nb_lend_account *me, struct rte_mbuf *m)
{
    uint8_t *mark = mark_of(m);

    if (*mark)
        add(&me->freed[*mark - 1], 1);
    *mark = 0;
}

/* --- the pools' operations -----------------------------------------------------------------------------------------
 */

static int stock_new(struct rte_mempool *mp)
{
    struct stock *s = calloc(1, sizeof *s + mp->size * sizeof s->stack[0]);

    if (!s)
        return -ENOMEM;
    rte_spinlock_init(&s->lock);
    mp->pool_data = s;
    return 0;
}

static void stock_free(struct rte_mempool *mp)
{
    struct stock *s = mp->pool_data;

    for (unsigned i = 0; s && i < NB_MAX_WORKERS; i++)
        free(s->from[i]);
    free(s);
}

static void put_in_stack(struct stock *s, void *const *obj, unsigned n)
{
    rte_spinlock_lock(&s->lock);
    memcpy(&s->stack[s->n], obj, n * sizeof obj[0]);
    s->n += n;
    rte_spinlock_unlock(&s->lock);
}

static void send_home(struct nb_lend_account *me, struct stock *s, void *const *obj, unsigned n)
{
    unsigned sent = rte_ring_sp_enqueue_burst(s->from[me->worker], obj, n, NULL);

    add(&me->returned, n);
    if (sent == n)
        return;
    add(&me->ring_full, n - sent);
    put_in_stack(s, obj + sent, n - sent);
}

static int put(struct rte_mempool *mp, void *const *obj, unsigned n)
{
    struct nb_lend_account *me = self;
    struct stock *s = mp->pool_data;

    if (!me || me->lending != s->lending) {
        put_in_stack(s, obj, n);
        return 0;
    }
    for (unsigned i = 0; i < n; i++)
        settle(me, obj[i]);
    if (me->worker == s->owner)
        put_in_stack(s, obj, n);
    else
        send_home(me, s, obj, n);
    return 0;
}

/* There is a place on the stack for every buffer. */
static void fetch_returned(struct stock *s)
{
    for (unsigned i = 0; s->lending && i < s->lending->n_workers; i++)
        if (s->from[i])
            s->n += rte_ring_sc_dequeue_burst(s->from[i], &s->stack[s->n], NB_RETURN_RING_SIZE, NULL);
}

static int take(struct rte_mempool *mp, void **obj, unsigned n)
{
    struct stock *s = mp->pool_data;
    int rc = -ENOBUFS;

    rte_spinlock_lock(&s->lock);
    fetch_returned(s);
    if (n <= s->n) {
        s->n -= n;
        memcpy(obj, &s->stack[s->n], n * sizeof obj[0]);
        rc = 0;
    }
    rte_spinlock_unlock(&s->lock);
    return rc;
}

static unsigned count(const struct rte_mempool *mp)
{
    const struct stock *s = mp->pool_data;
    unsigned n = s->n;

    for (unsigned i = 0; i < NB_MAX_WORKERS; i++)
        n += s->from[i] ? rte_ring_count(s->from[i]) : 0;
    return n;
}

static const struct rte_mempool_ops ops = {
    .name = OPS, .alloc = stock_new, .free = stock_free, .enqueue = put, .dequeue = take, .get_count = count};

RTE_MEMPOOL_REGISTER_OPS(ops);

struct rte_mempool *nb_lend_pool_new(const char *name, unsigned n, unsigned cache, uint16_t buffer_bytes, int socket)
{
    return rte_pktmbuf_pool_create_by_ops(name, n, cache, PRIVATE_BYTES, buffer_bytes, socket, OPS);
}

/* --- whose pools these are -----------------------------------------------------------------------------------------
 */

static struct rte_ring *ring_new(void)
{
    ssize_t bytes = rte_ring_get_memsize(NB_RETURN_RING_SIZE);
    struct rte_ring *ring = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN((size_t)bytes, RTE_CACHE_LINE_SIZE));

    if (ring)
        rte_ring_init(ring, "nb_return", NB_RETURN_RING_SIZE, RING_F_SP_ENQ | RING_F_SC_DEQ);
    return ring;
}

static bool give_rings(struct stock *s, unsigned owner, unsigned n_workers)
{
    for (unsigned i = 0; i < n_workers; i++)
        if (i != owner && !(s->from[i] = ring_new()))
            return false;
    return true;
}

struct nb_lending *nb_lending_new(struct rte_mempool **pool, unsigned n_workers, uint32_t mbufs)
{
    size_t bytes = sizeof(struct nb_lending) + n_workers * sizeof(struct nb_lend_account);
    struct nb_lending *lending = aligned_alloc(alignof(struct nb_lend_account), bytes);

    if (!lending)
        return NULL;
    memset(lending, 0, bytes);
    lending->n_workers = n_workers;
    lending->most = mbufs / NB_LENT_SHARE;
    lending->pool = pool;
    for (unsigned i = 0; i < n_workers; i++) {
        struct stock *s = pool[i]->pool_data;

        lending->account[i].lending = lending;
        lending->account[i].worker = (uint16_t)i;
        s->owner = (uint16_t)i;
        s->lending = lending;
        if (!give_rings(s, i, n_workers)) {
            nb_lending_free(lending);
            return NULL;
        }
    }
    return lending;
}

void nb_lending_free(struct nb_lending *lending)
{
    if (!lending)
        return;
    for (unsigned i = 0; i < lending->n_workers; i++) {
        struct stock *s = lending->pool[i]->pool_data;

        fetch_returned(s);
        s->lending = NULL;
    }
    if (self && self->lending == lending)
        self = NULL;
    free(lending);
}

void nb_lend_enter(struct nb_lending *lending, unsigned worker)
{
    self = &lending->account[worker];
    RTE_PER_LCORE(_lcore_id) = self->lcore;
}

void nb_lend_thread(struct nb_lending *lending, unsigned worker, unsigned lcore)
{
    lending->account[worker].lcore = lcore;
    for (unsigned i = 0; i < lending->n_workers; i++) {
        struct rte_mempool *mp = lending->pool[i];

        if (i != worker && mp->cache_size)
            mp->local_cache[lcore].size = mp->local_cache[lcore].flushthresh = 0;
    }
}

/* --- taking --------------------------------------------------------------------------------------------------------
 */

static uint64_t freed_elsewhere(const struct nb_lending *lending, unsigned worker)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < lending->n_workers; i++)
        n += i == worker ? 0 : get(&lending->account[i].freed[worker]);
    return n;
}

static uint64_t held_but(const struct nb_lending *lending, unsigned worker, uint64_t elsewhere)
{
    const struct nb_lend_account *a = &lending->account[worker];

    return get(&a->taken) - get(&a->freed[worker]) - elsewhere;
}

uint32_t nb_lend_held(const struct nb_lending *lending, unsigned worker)
{
    int64_t held = (int64_t)held_but(lending, worker, freed_elsewhere(lending, worker));

    return held > 0 ? (uint32_t)held : 0; /* the counters of a worker that runs do not stand still together */
}

/* Others' counters are looked at only when it would seem to be too many without. */
bool nb_lend_has_room(struct nb_lending *lending, unsigned worker, uint32_t n)
{
    struct nb_lend_account *me = &lending->account[worker];

    if (held_but(lending, worker, me->elsewhere) + n <= lending->most)
        return true;
    me->elsewhere = freed_elsewhere(lending, worker);
    return held_but(lending, worker, me->elsewhere) + n <= lending->most;
}

/* A buffer may be of a pool that is none of these: a port can hand out what another program's end has put in. */
static void keep(struct nb_lend_account *me, struct rte_mbuf *m)
{
    struct nb_lending *lending = me->lending;
    const struct rte_mempool *own = lending->pool[me->worker];
    const struct stock *s = m->pool->pool_data;

    if (m->pool->ops_index != own->ops_index || s->lending != lending)
        return;
    settle(me, m);
    if (m->pool == own)
        return;
    *mark_of(m) = (uint8_t)(me->worker + 1);
    add(&me->taken, 1);
}

void nb_lend_keep(struct nb_lending *lending, unsigned worker, struct rte_mbuf *first)
{
    for (struct rte_mbuf *m = first; m; m = m->next)
        keep(&lending->account[worker], m);
}

struct rte_mbuf *nb_lend_take(struct nb_lending *lending, unsigned worker, struct rte_mbuf *m, bool *copied)
{
    struct rte_mempool *own = lending->pool[worker];
    struct rte_mbuf *copy;

    *copied = m->pool != own && !nb_lend_has_room(lending, worker, m->nb_segs);
    if (!*copied) {
        nb_lend_keep(lending, worker, m);
        return m;
    }
    copy = rte_pktmbuf_copy(m, own, 0, UINT32_MAX);
    rte_pktmbuf_free(m);
    return copy;
}
