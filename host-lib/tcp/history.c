/* history.c - see history.h. */
#include "history.h"

#include <assert.h>
#include <sys/mman.h>

#include <rte_branch_prediction.h>

#include "core.h"

bool nb__history_pool_init(struct nb_history_pool *pool, uint32_t capacity)
{
    void *p =
        mmap(NULL, (size_t)capacity * sizeof *pool->blocks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *pool = (struct nb_history_pool){.capacity = capacity};
    if (p == MAP_FAILED)
        return false;
    pool->blocks = p;
    return true;
}

void nb__history_pool_fini(struct nb_history_pool *pool)
{
    if (pool->blocks)
        munmap(pool->blocks, (size_t)pool->capacity * sizeof *pool->blocks);
}

static struct nb_history *block_get(struct nb_history_pool *pool)
{
    struct nb_history *block = pool->free;
    if (block)
        pool->free = block->next_free;
    else
        block = &pool->blocks[pool->fresh++];
    assert(block < pool->blocks + pool->capacity); /* see history.h */
    return block;
}

/* It begins with what the TCB knows of the path. */
static struct nb_history *take(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    tcb->history = block_get(&tcp->histories);
    *tcb->history = (struct nb_history){0};
    cc->start(tcp, tcb);
    if (cc->sample && tcb->min_rtt_us != UINT32_MAX)
        cc->sample(tcp, tcb, tcb->min_rtt_us);
    return tcb->history;
}

struct nb_history *nb__history(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    return likely(tcb->history) ? tcb->history : take(tcp, tcb);
}

const struct nb_history *nb__past(const struct nb_tcb *tcb)
{
    static const struct nb_history none;
    return tcb->history ? tcb->history : &none;
}

void nb__history_copy(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_history *theirs)
{
    tcb->history = NULL;
    if (!theirs)
        return;
    tcb->history = block_get(&tcp->histories);
    *tcb->history = *theirs;
    if (theirs->bbr) {
        tcb->history->bbr = nb__bbr_get(&tcp->bbrs);
        *tcb->history->bbr = *theirs->bbr;
    }
}

void nb__history_drop(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcb->history)
        return;
    nb__md5_put(tcp, tcb->history->md5_key);
    nb__bbr_put(&tcp->bbrs, tcb->history->bbr);
    tcb->history->next_free = tcp->histories.free;
    tcp->histories.free = tcb->history;
    tcb->history = NULL;
}
