/* ecn.c - see ecn.h. */
#include "ecn.h"

#include "../wire/segment_emit.h"
#include "accecn.h"
#include "core.h"

#define ACE_ASKS_ECN      3 /* ECE and CWR */
#define ACE_ASKS_ACCECN   7
#define ACE_AGREES_TO_ECN 1

/* RFC 9768 §3.1.4.1 has the second SYN ask as the first did; RFC 3168 §6.1.1.1 has it not. */
#define ACCECN_TRIES 2

bool nb__ecn_offers(const struct nb_tcp *tcp)
{
    uint8_t mode = tcp->settings.ecn;
    return mode == NB_ECN_ON || mode == NB_ECN_ACCECN || mode == NB_ECN_ACCECN_ASK_ECN;
}

uint8_t nb__ecn_of_syn(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    if (tcp->settings.ecn == NB_ECN_ACCECN)
        return tcb->retransmits < ACCECN_TRIES ? ACE_ASKS_ACCECN : 0;
    return nb__ecn_offers(tcp) && !(tcb->flags & NB_TCB_SYN_LOST) ? ACE_ASKS_ECN : 0;
}

uint8_t nb__ecn_of_syn_ack(struct nb_tcb *tcb)
{
    if (nb__accecn_in_use(tcb))
        return nb__accecn_of_syn_ack(tcb);
    return tcb->flags & NB_TCB_ECN ? ACE_AGREES_TO_ECN : 0;
}

/* RFC 3168 §6.1.1. */
static bool accepts(const struct nb_tcp *tcp, const struct nb_seg *syn)
{
    const uint8_t offer = NB_TCP_ECE | NB_TCP_CWR;
    return tcp->settings.ecn != NB_ECN_OFF && (syn->flags & offer) == offer && syn->ecn == NB_ECN_NOT_ECT;
}

void nb__ecn_take_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn)
{
    if (nb__accecn_accepts(tcp, syn))
        nb__accecn_take_syn(tcp, tcb, syn);
    else if (accepts(tcp, syn))
        tcb->flags |= NB_TCB_ECN;
}

/* RFC 9768 table 2 and §3.1.3. */
static void take_answer_to_accecn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn_ack)
{
    uint8_t ace = nb_seg_ace(syn_ack);
    if (ace == ACE_AGREES_TO_ECN)
        tcb->flags |= NB_TCB_ECN;
    else if (ace && ace != ACE_ASKS_ACCECN)
        nb__accecn_take_syn_ack(tcp, tcb, syn_ack);
}

void nb__ecn_take_syn_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn_ack)
{
    bool asked = nb__ecn_offers(tcp) && !(tcb->flags & NB_TCB_SYN_LOST);
    if (tcp->settings.ecn == NB_ECN_ACCECN)
        take_answer_to_accecn(tcp, tcb, syn_ack);
    else if (asked && (syn_ack->flags & (NB_TCP_ECE | NB_TCP_CWR)) == NB_TCP_ECE) /* RFC 3168 §6.1.1 */
        tcb->flags |= NB_TCB_ECN;
}

/* RFC 3168 §6.1.3. A peer whose segments are not marked ECT at all makes a rare CE look suspicious; it is believed. */
void nb__ecn_data_arrives(struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (nb__accecn_in_use(tcb))
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
    return tcb->flags & NB_TCB_ECN && (seg->flags & (NB_TCP_ECE | NB_TCP_SYN)) == NB_TCP_ECE && !nb__accecn_in_use(tcb);
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

static uint8_t flags_of(struct nb_tcb *tcb, bool new_data)
{
    uint8_t flags = tcb->flags & NB_TCB_ECN_ECHO ? NB_TCP_ECE : 0;
    if (new_data && tcb->flags & NB_TCB_ECN_CWR) {
        flags |= NB_TCP_CWR;
        tcb->flags &= ~(uint32_t)NB_TCB_ECN_CWR;
    }
    return flags;
}

/* RFC 3168 §6.1.5: neither retransmissions nor bare ACKs are ECN-capable. */
void nb__ecn_tell(struct nb_tcb *tcb, struct nb_seg_out *out, bool new_data)
{
    if (!(tcb->flags & NB_TCB_ECN))
        return;
    out->tos |= new_data && !nb__past(tcb)->accecn.no_ect ? NB_ECN_ECT0 : NB_ECN_NOT_ECT;
    if (nb__accecn_in_use(tcb))
        nb__accecn_tell(tcb, out);
    else
        out->flags |= flags_of(tcb, new_data);
}
