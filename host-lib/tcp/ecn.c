/* ecn.c - see ecn.h. */
#include "ecn.h"

#include "core.h"

bool nb__ecn_offers(const struct nb_tcp *tcp)
{
    return tcp->settings.ecn == NB_ECN_ON;
}

bool nb__ecn_accepts(const struct nb_tcp *tcp, const struct nb_seg *syn)
{
    const uint8_t offer = NB_TCP_ECE | NB_TCP_CWR;
    return tcp->settings.ecn != NB_ECN_OFF && (syn->flags & offer) == offer && syn->ecn == NB_ECN_NOT_ECT;
}

/* RFC 3168 §6.1.3. A peer whose segments are not marked ECT at all makes a rare CE look suspicious; it is believed. */
void nb__ecn_data_arrives(struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(tcb->flags & NB_TCB_ECN))
        return;
    if (seg->flags & NB_TCP_CWR)
        tcb->flags &= ~(uint32_t)NB_TCB_ECN_ECHO;
    if (seg->ecn != NB_ECN_NOT_ECT)
        tcb->flags |= NB_TCB_ECN_SEEN;
    if (seg->ecn == NB_ECN_CE) {
        if (!(tcb->flags & NB_TCB_ECN_ECHO)) /* tell the sender soon */
            tcb->flags |= NB_TCB_ACK_NOW;
        tcb->flags |= NB_TCB_ECN_ECHO;
    }
}

bool nb__ecn_is_echo(const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    return tcb->flags & NB_TCB_ECN && (seg->flags & (NB_TCP_ECE | NB_TCP_SYN)) == NB_TCP_ECE;
}

void nb__ecn_note_reduction(struct nb_tcb *tcb)
{
    if (tcb->flags & NB_TCB_ECN)
        tcb->flags |= NB_TCB_ECN_CWR;
}

void nb__ecn_withdraw_reduction(struct nb_tcb *tcb)
{
    tcb->flags &= ~(uint32_t)NB_TCB_ECN_CWR;
}

uint8_t nb__ecn_flags(struct nb_tcb *tcb, bool new_data)
{
    uint8_t flags = 0;
    if (!(tcb->flags & NB_TCB_ECN))
        return 0;
    if (tcb->flags & NB_TCB_ECN_ECHO)
        flags |= NB_TCP_ECE;
    if (new_data && tcb->flags & NB_TCB_ECN_CWR) {
        flags |= NB_TCP_CWR;
        tcb->flags &= ~(uint32_t)NB_TCB_ECN_CWR;
    }
    return flags;
}

/* RFC 3168 §6.1.5: neither retransmissions nor bare ACKs are marked. */
uint8_t nb__ecn_codepoint(const struct nb_tcb *tcb, bool new_data)
{
    return tcb->flags & NB_TCB_ECN && new_data ? NB_ECN_ECT0 : NB_ECN_NOT_ECT;
}
