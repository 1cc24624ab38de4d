/* mail.c - rings and doorbells; theory of operation in mail.h. */
#include <errno.h>
#include <linux/futex.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "mail.h"

#define CACHE_LINE 64

static_assert(sizeof(struct nb_mail) <= CACHE_LINE, "a letter is not dear");
static_assert(sizeof(struct nb_mail) % 4 == 0, "rte_ring copies words");

/* The one line of a worker that others write. */
struct doorbell {
    alignas(CACHE_LINE) _Atomic uint64_t rung; /* one bit per worker; the own one: a control thread */
    _Atomic uint32_t asleep;                   /* futex word */
};
static_assert(sizeof(struct doorbell) == CACHE_LINE, "one line per worker");

struct nb_post {
    unsigned n_workers;
    struct doorbell *bell;  /* [worker] */
    struct rte_ring **ring; /* [from * n_workers + to], NULL on the diagonal */
};

static struct rte_ring *ring_new(void)
{
    ssize_t bytes = rte_ring_get_memsize_elem(sizeof(struct nb_mail), NB_MAIL_RING_SIZE);
    struct rte_ring *ring =
        bytes > 0 ? aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(bytes, RTE_CACHE_LINE_SIZE)) : NULL;

    if (ring && rte_ring_init(ring, "nb_mail", NB_MAIL_RING_SIZE, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
        free(ring);
        return NULL;
    }
    return ring;
}

struct nb_post *nb_post_new(unsigned n_workers)
{
    struct nb_post *post = calloc(1, sizeof *post);

    if (!post)
        return NULL;
    post->n_workers = n_workers;
    post->bell = aligned_alloc(CACHE_LINE, n_workers * sizeof *post->bell);
    post->ring = calloc((size_t)n_workers * n_workers, sizeof *post->ring);
    if (!post->bell || !post->ring)
        goto fail;
    for (unsigned i = 0; i < n_workers; i++)
        post->bell[i] = (struct doorbell){0};
    for (unsigned i = 0; i < n_workers * n_workers; i++)
        if (i / n_workers != i % n_workers && !(post->ring[i] = ring_new()))
            goto fail;
    return post;
fail:
    nb_post_free(post);
    return NULL;
}

static struct rte_ring *ring_of(const struct nb_post *post, unsigned from, unsigned to)
{
    return post->ring[from * post->n_workers + to];
}

static void discard(struct nb_post *post, unsigned from, unsigned to)
{
    struct nb_mail mail;

    while (nb_mail_take(post, from, to, &mail, 1) == 1)
        if (mail.kind == NB_MAIL_SEGMENT || mail.kind == NB_MAIL_FRAME)
            rte_pktmbuf_free(mail.packet.m);
}

void nb_post_free(struct nb_post *post)
{
    if (!post)
        return;
    for (unsigned i = 0; post->ring && i < post->n_workers * post->n_workers; i++) {
        if (post->ring[i])
            discard(post, i / post->n_workers, i % post->n_workers);
        free(post->ring[i]);
    }
    free(post->ring);
    free(post->bell);
    free(post);
}

bool nb_mail_put(struct nb_post *post, unsigned from, unsigned to, const struct nb_mail *mail)
{
    return rte_ring_sp_enqueue_elem(ring_of(post, from, to), (void *)(uintptr_t)mail, sizeof *mail) == 0;
}

unsigned nb_mail_room(const struct nb_post *post, unsigned from, unsigned to)
{
    return rte_ring_free_count(ring_of(post, from, to));
}

uint32_t nb_mail_count(const struct nb_post *post, unsigned from, unsigned to)
{
    return ring_of(post, from, to)->prod.tail;
}

/* The letters must be visible before the bit, and the bit before we look whether anybody sleeps: a sleeper sets
 * `asleep` and then looks at the bits, so one of the two sees the other (both sequentially consistent). */
static void ring_one(struct doorbell *bell, uint64_t bit)
{
    if (!(atomic_fetch_or(&bell->rung, bit) & bit) && atomic_load(&bell->asleep)) {
        atomic_store(&bell->asleep, 0);
        syscall(SYS_futex, &bell->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

void nb_post_ring(struct nb_post *post, unsigned from, uint64_t workers)
{
    for (; workers; workers &= workers - 1)
        ring_one(&post->bell[__builtin_ctzll(workers)], UINT64_C(1) << from);
}

uint64_t nb_post_rung(struct nb_post *post, unsigned me)
{
    struct doorbell *bell = &post->bell[me];

    if (atomic_load_explicit(&bell->rung, memory_order_relaxed) == 0)
        return 0;
    return atomic_exchange(&bell->rung, 0);
}

unsigned nb_mail_take(struct nb_post *post, unsigned from, unsigned me, struct nb_mail *out, unsigned max)
{
    return rte_ring_sc_dequeue_burst_elem(ring_of(post, from, me), out, sizeof *out, max, NULL);
}

void nb_post_sleep(struct nb_post *post, unsigned me, uint64_t us)
{
    struct doorbell *bell = &post->bell[me];
    struct timespec span = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000 * 1000)};

    atomic_store(&bell->asleep, 1);
    if (atomic_load(&bell->rung) == 0)
        syscall(SYS_futex, &bell->asleep, FUTEX_WAIT_PRIVATE, 1, &span, NULL, 0);
    atomic_store_explicit(&bell->asleep, 0, memory_order_relaxed);
}
