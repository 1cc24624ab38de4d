/* row.c - see row.h. */
#include "row.h"

#include <rte_mbuf.h>

#include "core.h"
#include "predict.h"
#include "tally.h"

/* Nothing lies behind the payload: a frame may be padded. */
static bool ends_with_payload(const struct nb_seg *seg)
{
    return seg->m->pkt_len == seg->payload_offset + seg->payload_bytes;
}

bool nb_row_begin(struct nb_row *row, struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (!nb__as_predicted(tcb, seg) || tcb->flags & NB_TCB_ECN || seg->payload_bytes < tcb->rcv_mss ||
        tcb->rcv_unread | tcp->memory.level || !ends_with_payload(seg))
        return false;
    *row = (struct nb_row){.tcp = tcp,
                           .tcb = tcb,
                           .seg = seg,
                           .last = rte_pktmbuf_lastseg(seg->m),
                           .each = seg->payload_bytes,
                           .most = nb_tcb_rcv_wnd(tcb)};
    return true;
}

static bool is_alike(const struct nb_row *row, const struct nb_seg *next)
{
    const struct nb_seg *seg = row->seg;
    return next->payload_bytes == row->each && (next->flags & ~NB_TCP_PSH) == NB_TCP_ACK && next->ack == seg->ack &&
           next->window == seg->window && next->options == seg->options &&
           (!seg->options || (next->ts_value == seg->ts_value && next->ts_echo == seg->ts_echo)) &&
           nb_flow_key_equal(&next->key, &seg->key);
}

bool nb_row_join(struct nb_row *row, struct nb_seg *next)
{
    struct nb_seg *seg = row->seg;
    if (!is_alike(row, next) || seg->payload_bytes + row->each > row->most || !ends_with_payload(next))
        return false;
    struct rte_mbuf *m = nb__take_payload(next, 0, row->each);
    row->last->next = m;
    row->last = rte_pktmbuf_lastseg(m);
    seg->m->nb_segs = (uint16_t)(seg->m->nb_segs + m->nb_segs);
    seg->m->pkt_len += row->each;
    seg->payload_bytes += row->each;
    seg->joined++;
    row->tcb->data_segs_in++;
    nb__tally(row->tcp, row->tcb, NB_TALLY_RX_PACKETS, 1);
    return true;
}
