/* prr.c - Proportional Rate Reduction (RFC 6937): during recovery, what is delivered decides what is sent, so that cwnd
 * comes down to ssthresh evenly over one round trip.
 */
#include "core.h"
#include "ecn.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"

void nb__reduction_begin(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    f->high_seq = tcb->snd_nxt;
    f->tlp = false;
    nb__history(tcp, tcb)->cwnd_credit = 0;
    f->prior_cwnd = tcb->cwnd;
    f->prr_delivered = f->prr_out = 0;
    tcb->ssthresh = nb_cc_of(tcb)->ssthresh(tcp, tcb);
    if (tcp->settings.cwnd_validation == NB_VALIDATION_PIPE_ACK && !nb__validated(tcb))
        tcb->ssthresh = (uint32_t)nb__min(tcb->ssthresh, nb__validation_ssthresh(tcb));
    nb__ecn_note_reduction(tcb);
}

/* RFC 6937 §3.1, with the slow start reduction bound while ACKs advance and nothing more is lost. */
void nb__reduction_step(struct nb_tcb *tcb, uint32_t delivered, uint32_t lost, unsigned flags)
{
    struct nb_flight *f = tcb->flight;
    uint32_t out = nb__in_flight(tcb);
    int64_t send, room = (int64_t)tcb->ssthresh - out;
    if (!delivered || !f->prior_cwnd)
        return;
    f->prr_delivered += delivered;
    if (room < 0) {
        uint64_t share = (uint64_t)tcb->ssthresh * f->prr_delivered + f->prior_cwnd - 1;
        send = (int64_t)(share / f->prior_cwnd) - f->prr_out;
    } else {
        int64_t owed = (int64_t)f->prr_delivered - f->prr_out;
        send = owed > delivered ? owed : delivered;
        if (flags & NB_ACK_ADVANCED && !lost)
            send++;
        send = send < room ? send : room;
    }
    int64_t least = f->prr_out ? 0 : 1; /* the first retransmission goes out in any case */
    tcb->cwnd = out + (uint32_t)(send > least ? send : least);
}

void nb__reduction_end(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    bool reduced = tcb->recovery == NB_TCP_RECOVERY_CWR || tcb->flight->undo_possible;
    if (tcb->ssthresh >= NB_INFINITE_SSTHRESH || !reduced || nb_cc_controls(tcb))
        return;
    tcb->cwnd = tcb->ssthresh;
    tcb->cwnd_stamp_ms = tcp->now_ms;
}
