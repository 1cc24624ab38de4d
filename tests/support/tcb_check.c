/* tcb_check.c - invariants of the TCP core. */
#include "tcb_check.h"

#include <rte_mbuf.h>

#include "../../host-lib/tcp/core.h"

struct claim {
    bool holds;
    const char *sentence;
};

static const char *first_broken(const struct claim *claims, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!claims[i].holds)
            return claims[i].sentence;
    return NULL;
}

static uint32_t sendq_bytes(const struct nb_sendq *q)
{
    uint32_t n = 0;
    for (const struct rte_mbuf *m = q->head; m; m = m->next)
        n += m->data_len;
    return n;
}

static const char *check_sending(const struct nb_tcb *tcb)
{
    bool synchronized = tcb->state >= NB_TCP_ESTABLISHED && !(tcb->flags & NB_TCB_FASTOPEN);
    bool something_to_do = tcb->snd_una != nb_tcb_last_seq(tcb);
    bool pending = tcb->flags & NB_TCB_LISTED;
    struct claim claims[] = {
        {seq_leq(tcb->snd_una, tcb->snd_nxt), "snd_una <= snd_nxt"},
        {seq_leq(tcb->snd_nxt, tcb->snd_end + 1), "nothing was sent that was not queued"},
        {tcb->sendq.head_seq + sendq_bytes(&tcb->sendq) == tcb->snd_end, "the send queue ends at snd_end"},
        {!synchronized || seq_leq(tcb->sendq.head_seq, tcb->snd_una) || tcb->snd_una == tcb->snd_end + 1,
         "what is unacknowledged is in the send queue"},
        {!synchronized || tcb->cwnd >= 1, "cwnd is a segment at least"},
        {!synchronized || pending || !something_to_do || tcb->timers & (NB_TCB_TIMERS_SEND | NB_TCB_TIMER_PACE),
         "something unacknowledged or unsent has a timer"},
        {!(tcb->timers) || nb_timer_armed(&tcb->timer), "a deadline has an armed timer"},
    };
    return first_broken(claims, RTE_DIM(claims));
}

static const char *check_receiving(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    nb_seq_t edge = tcb->rcv_nxt;
    for (uint32_t i = tcb->reasm; i != NB_REASM_NONE; i = tcp->reasm.ranges[i].next) {
        const struct nb_reasm_range *r = &tcp->reasm.ranges[i];
        if (!seq_gt(r->left, edge) || !seq_gt(r->right, r->left))
            return "ranges are in order, apart, and ahead of rcv_nxt";
        if (r->first->pkt_len != r->right - r->left)
            return "a range holds its bytes";
        edge = r->right;
    }
    struct claim claims[] = {
        {seq_leq(edge, tcb->rcv_adv), "nothing is kept beyond the window"},
        {seq_leq(tcb->rcv_nxt, tcb->rcv_adv), "rcv_nxt <= rcv_adv"},
        {seq_leq(tcb->rcv_acked, tcb->rcv_nxt), "nothing was acknowledged that did not arrive"},
        {tcb->rcv_nxt == tcb->rcv_acked || tcb->flags & NB_TCB_LISTED || tcb->timers & NB_TCB_TIMER_ACK,
         "what was not acknowledged will be"},
    };
    return first_broken(claims, RTE_DIM(claims));
}

const char *support_tcp_check(const struct nb_tcp *tcp)
{
    uint32_t live = 0, half_open = 0;
    for (uint32_t i = 0; i < tcp->fresh; i++) {
        const struct nb_tcb *tcb = &tcp->tcbs[i];
        if (tcb->state == NB_TCP_CLOSED)
            continue;
        live++;
        half_open += tcb->state == NB_TCP_SYN_RECEIVED;
        const char *broken = check_sending(tcb);
        if (!broken && tcb->state > NB_TCP_SYN_SENT)
            broken = check_receiving(tcp, tcb);
        if (broken)
            return broken;
    }
    struct claim claims[] = {{live == tcp->live, "live connections are counted"},
                             {half_open == tcp->half_open, "half-open connections are counted"},
                             {tcp->live + tcp->time_wait.n == nb_flow_count(tcp->config.flows),
                              "the flow table has every connection and record, and nothing else"}};
    return first_broken(claims, RTE_DIM(claims));
}
