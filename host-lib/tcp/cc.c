/* cc.c - what the algorithms have in common. */
#include "cc.h"

#include <string.h>

#include "cwnd.h"
#include "history.h"
#include "minmax.h"
#include "tcb.h"

#define LARGE_CWND 16 /* HyStart does not look at smaller ones */

const struct nb_cc *const nb_cc_algorithms[NB_CC_COUNT] = {
    [NB_CC_NEWRENO] = &nb_cc_newreno,
    [NB_CC_CUBIC] = &nb_cc_cubic,
    [NB_CC_BBR] = &nb_cc_bbr,
};

enum nb_cc_algorithm nb_cc_find(const char *name)
{
    if (strcmp(name, "newreno") == 0)
        return NB_CC_NEWRENO;
    for (enum nb_cc_algorithm i = 0; i < NB_CC_COUNT; i++) {
        if (strcmp(nb_cc_algorithms[i]->name, name) == 0)
            return i;
    }
    return NB_CC_COUNT;
}

void nb_cc_start(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->history)
        nb_cc_of(tcb)->start(tcp, tcb);
}

bool nb_cc_matters(const struct nb_tcb *tcb)
{
    return tcb->history || tcb->cwnd >= LARGE_CWND || nb__cwnd_is_limiting(tcb);
}

const struct nb_cc *nb_cc_of(const struct nb_tcb *tcb)
{
    return nb_cc_algorithms[tcb->cc];
}

bool nb_cc_controls(const struct nb_tcb *tcb)
{
    return nb_cc_of(tcb)->control != NULL;
}

uint32_t nb_cc_slow_start(struct nb_tcb *tcb, uint32_t acked)
{
    uint32_t cwnd = nb__min((uint64_t)tcb->cwnd + acked, tcb->ssthresh);
    acked -= cwnd - tcb->cwnd;
    tcb->cwnd = cwnd;
    return acked;
}

void nb_cc_grow(struct nb_tcb *tcb, uint32_t count, uint32_t acked)
{
    if (tcb->history->cwnd_credit >= count) { /* saved up when growth was slower */
        tcb->history->cwnd_credit = 0;
        tcb->cwnd++;
    }
    tcb->history->cwnd_credit += acked;
    if (tcb->history->cwnd_credit >= count) {
        uint32_t grow = tcb->history->cwnd_credit / count;
        tcb->history->cwnd_credit -= grow * count;
        tcb->cwnd += grow;
    }
}
