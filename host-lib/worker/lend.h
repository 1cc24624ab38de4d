/* lend.h - packet buffers that are with another worker than their own, and how they come home.
 *
 * Theory of operation. Every worker has a pool. Its buffers go to other workers with segments that are forwarded and
 * with connections that move, and are freed there, by the stack, an application or a port's driver. All of these call
 * rte_mempool_put(), so this is where they are told apart: the pools have operations of their own. DPDK keeps a cache
 * in front of them for each thread; a thread's cache of its own pool is as usual, so that the usual buffer costs
 * nothing more than with any other pool, and its caches of the others' pools have no room.
 *
 *   freed by                 goes to
 *   its own worker           the cache, and from a full cache to the pool's stack
 *   another worker           a ring that this worker alone writes and the pool's owner alone reads; it does so whenever
 *                            its cache is empty
 *   any other thread, or     the stack, under the pool's lock, which is contended only then. Counted when it is a
 *   when the ring is full    worker: return_ring_full
 *
 * How many buffers of others a worker holds is known exactly, wherever they are freed: whoever takes one writes his
 * number into it, and counts it as taken; whoever frees it counts it for the number that it finds there. Both write
 * counters of their own. A worker that holds as many as it may copies what it gets from then on, and gives the original
 * back at once; connections that would bring more along are refused.
 *
 * The number lies in the buffer's private area, which nothing copies and nothing clears. A buffer that an application
 * has kept for longer than a move takes can come home without its owner's noticing; the number is found when the buffer
 * next goes somewhere else than to the owner's cache.
 */
#ifndef NB_WORKER_LEND_H
#define NB_WORKER_LEND_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

struct rte_mbuf;
struct rte_mempool;

#define NB_RETURN_RING_SIZE 1024 /* buffers on their way home from one worker to another: 32 bursts */
#define NB_LENT_SHARE       2    /* a worker holds at most so big a part of as many buffers as it has itself */

/* What one worker counts; others only read. */
struct nb_lend_account {
    struct nb_lending *lending;
    uint16_t worker;
    unsigned lcore; /* as DPDK numbers the caches of pools */
    alignas(64) _Atomic uint64_t taken;
    _Atomic uint64_t returned, ring_full;
    uint64_t elsewhere;                     /* of taken, what others were seen to have freed: the worker's own */
    _Atomic uint64_t freed[NB_MAX_WORKERS]; /* by this worker; the one by whom they were taken */
};

struct nb_lending {
    unsigned n_workers;
    uint32_t most;             /* buffers of others that a worker may hold */
    struct rte_mempool **pool; /* of the workers */
    struct nb_lend_account account[];
};

/* A pool of n packet buffers with the operations above; NULL with rte_errno. rte_mempool_free() frees it. */
struct rte_mempool *nb_lend_pool_new(const char *name, unsigned n, unsigned cache, uint16_t buffer_bytes, int socket);

/* These pools are those of so many workers from now on, or, free, nobody's again. NULL: no memory. */
struct nb_lending *nb_lending_new(struct rte_mempool **pool, unsigned n_workers, uint32_t mbufs);
void nb_lending_free(struct nb_lending *lending);

/* DPDK's lcore of this number is a worker; once. And this thread is that worker, until it becomes another. */
void nb_lend_thread(struct nb_lending *lending, unsigned worker, unsigned lcore);
void nb_lend_enter(struct nb_lending *lending, unsigned worker);

/* A packet came from another worker: it is ours now, in its buffers or, beyond what we may hold, in buffers of our own.
 * NULL: there was none; the packet is gone. */
struct rte_mbuf *nb_lend_take(struct nb_lending *lending, unsigned worker, struct rte_mbuf *m, bool *copied);

/* Buffers came with a connection, linked by next; may so many come? */
void nb_lend_keep(struct nb_lending *lending, unsigned worker, struct rte_mbuf *first);
bool nb_lend_has_room(struct nb_lending *lending, unsigned worker, uint32_t n);

/* So many buffers of others does a worker hold. On any thread, where it is as exact as can be. */
uint32_t nb_lend_held(const struct nb_lending *lending, unsigned worker);

#endif
