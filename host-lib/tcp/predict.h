/* predict.h - header prediction: is a segment what nearly all are, the next in order on an established connection, with
 * an acknowledgement and perhaps payload, and nothing to think about?
 */
#ifndef NB_TCP_PREDICT_H
#define NB_TCP_PREDICT_H

#include <stdbool.h>

#include "../wire/segment.h"
#include "tcb.h"

static inline bool nb__as_predicted(const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    uint8_t options = tcb->flags & NB_TCB_TIMESTAMPS ? NB_SEG_TIMESTAMP : 0;
    return tcb->state == NB_TCP_ESTABLISHED && (seg->flags & ~NB_TCP_PSH) == NB_TCP_ACK && seg->seq == tcb->rcv_nxt &&
           seg->options == options && (!options || seq_geq(seg->ts_value, tcb->ts_recent)) &&
           tcb->reasm == NB_REASM_NONE && seg->payload_bytes <= nb_tcb_rcv_wnd(tcb) &&
           seq_geq(seg->ack, tcb->snd_una) && seq_leq(seg->ack, tcb->snd_nxt) &&
           !(tcb->flags & (NB_TCB_PEER_FIN | NB_TCB_FASTOPEN | (uint32_t)NB_TCB_SIGNED));
}

#endif
