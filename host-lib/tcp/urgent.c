/* urgent.c - urgent data (RFC 9293 §3.8.5), as Linux has it: the urgent pointer names the byte after the urgent one
 * (RFC 6093 §2.2 knows that all do), and that one byte is what a socket may take out of the stream.
 *
 * The core says where the urgent byte is, and leaves it in the stream. What that means to a reader is the socket
 * layer's business (socket/urgent.c); in-process applications read it in line, as RFC 6093 §6 advises.
 */
#include "../wire/segment_emit.h"
#include "core.h"
#include "stream.h"

/* --- arriving --------------------------------------------------------------------------------- */

/* The pointer is an offset from the segment's sequence number. One that points to what was delivered is old. */
void nb__urgent_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    nb_seq_t at = seg->seq + seg->urgent - (seg->urgent > 0);
    if (tcp->env.urgent && tcb->flags & NB_TCB_KNOWN && seq_geq(at, tcb->rcv_nxt))
        tcp->env.urgent(tcp->env.arg, tcb, at - tcb->rcv_nxt);
}

/* --- leaving ---------------------------------------------------------------------------------- */

void nb_tcp_urgent(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (nb_tcb_gone(tcb))
        return;
    nb__history(tcp, tcb)->snd_up = tcb->snd_end;
    tcb->flags |= NB_TCB_URGENT | NB_TCB_PUSH_NOW;
}

/* A pointer reaches 64 KiB. From further before, it says "more than that" once nothing else can say better. */
void nb__urgent_point(struct nb_tcb *tcb, struct nb_seg_out *out)
{
    nb_seq_t up = tcb->history->snd_up;
    if (seq_geq(tcb->snd_una, up))
        tcb->flags &= ~(uint32_t)NB_TCB_URGENT;
    if (seq_geq(out->seq, up))
        return;
    bool in_reach = up - out->seq <= UINT16_MAX;
    if (!in_reach && seq_leq(out->seq + UINT16_MAX, tcb->snd_nxt))
        return;
    out->flags |= NB_TCP_URG;
    out->urgent = in_reach ? (uint16_t)(up - out->seq) : UINT16_MAX;
}
