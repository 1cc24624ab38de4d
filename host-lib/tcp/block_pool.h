/* block_pool.h - blocks of one kind, which an object takes when it needs one and gives back: state that only some
 * connections have, only some of the time.
 *
 * A pool belongs to one worker, as everything does. Its memory is anonymous pages: nothing is touched before it is used,
 * so that a pool made for the worst case costs what is really in use at most. What was given back is taken first, the
 * latest before all, because it is in the cache. A block's first bytes are the pool's while nobody has it.
 */
#ifndef NB_TCP_BLOCK_POOL_H
#define NB_TCP_BLOCK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

struct nb_free_block {
    struct nb_free_block *next;
};

struct nb_block_pool {
    struct nb_free_block *free;
    uint8_t *blocks;
    uint32_t bytes; /* of a block */
    uint32_t capacity;
    uint32_t fresh; /* blocks from here on were never used */
};

/* Blocks of so many bytes, no fewer than a pointer has. False when memory is short; fini is needed then, too. */
bool nb_block_pool_init(struct nb_block_pool *pool, uint32_t bytes, uint32_t capacity);

/* Blocks that are still in use go with it. A pool that is all zero may be given. */
void nb_block_pool_fini(struct nb_block_pool *pool);

/* A block, whose contents are of no meaning; NULL: all are in use. */
static inline void *nb_block_get(struct nb_block_pool *pool)
{
    struct nb_free_block *block = pool->free;
    if (likely(block)) {
        pool->free = block->next;
        return block;
    }
    return pool->fresh < pool->capacity ? pool->blocks + (uint64_t)pool->bytes * pool->fresh++ : NULL;
}

static inline void nb_block_put(struct nb_block_pool *pool, void *block)
{
    struct nb_free_block *free = block;
    free->next = pool->free;
    pool->free = free;
}

/* How many blocks are not in the pool: a walk over those that are, for tests and tables. */
uint32_t nb_block_pool_used(const struct nb_block_pool *pool);

#endif
