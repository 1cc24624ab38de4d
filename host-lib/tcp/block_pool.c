/* block_pool.c - see block_pool.h. */
#include "block_pool.h"

#include <assert.h>
#include <sys/mman.h>

static uint64_t total_bytes(const struct nb_block_pool *pool)
{
    return (uint64_t)pool->bytes * pool->capacity;
}

bool nb_block_pool_init(struct nb_block_pool *pool, uint32_t bytes, uint32_t capacity)
{
    assert(bytes >= sizeof(struct nb_free_block) && bytes % sizeof(void *) == 0);
    *pool = (struct nb_block_pool){.bytes = bytes, .capacity = capacity};
    if (capacity == 0)
        return true;
    void *p = mmap(NULL, total_bytes(pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    pool->blocks = p;
    return true;
}

void nb_block_pool_fini(struct nb_block_pool *pool)
{
    if (pool->blocks)
        munmap(pool->blocks, total_bytes(pool));
    *pool = (struct nb_block_pool){0};
}

uint32_t nb_block_pool_used(const struct nb_block_pool *pool)
{
    uint32_t used = pool->fresh;
    for (const struct nb_free_block *block = pool->free; block; block = block->next)
        used--;
    return used;
}
