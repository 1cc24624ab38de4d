/* history.c - see history.h. */
#include "history.h"

#include <assert.h>

#include <rte_branch_prediction.h>

#include "core.h"

static struct nb_history *block_get(struct nb_tcp *tcp)
{
    struct nb_history *block = nb_block_get(&tcp->histories);
    assert(block); /* see history.h */
    return block;
}

/* It begins with what the TCB knows of the path. */
static struct nb_history *take(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    const struct nb_cc *cc = nb_cc_of(tcb);
    tcb->history = block_get(tcp);
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
    tcb->history = block_get(tcp);
    *tcb->history = *theirs;
    if (theirs->bbr) {
        tcb->history->bbr = nb__bbr_get(tcp);
        *tcb->history->bbr = *theirs->bbr;
    }
}

void nb__history_drop(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcb->history)
        return;
    nb__md5_put(tcp, tcb->history->md5_key);
    nb__bbr_put(tcp, tcb->history->bbr);
    nb_block_put(&tcp->histories, tcb->history);
    tcb->history = NULL;
}
