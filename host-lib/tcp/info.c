/* info.c - see info.h. */
#include "info.h"

#include "core.h"
#include "tally.h"
#include "room.h"
#include "window.h"

static void describe_flight(const struct nb_flight *f, struct nb_tcp_info *info)
{
    if (!f)
        return;
    info->unacked = f->packets_out;
    info->sacked = f->sacked_out;
    info->lost = f->lost_out;
    info->retransmitting = f->retrans_out;
}

static void describe_path(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_tcp_info *info)
{
    const struct nb_history *past = nb__past(tcb);
    info->rto_us = tcb->rto_us;
    info->ato_us = tcb->ato_us;
    info->srtt_us = tcb->srtt_us >> 3;
    info->rttvar_us = tcb->mdev_us >> 2;
    info->min_rtt_us = tcb->min_rtt_us;
    info->snd_mss_bytes = tcb->mss;
    info->rcv_mss_bytes = tcb->rcv_mss;
    info->advertised_mss_bytes = tcb->advertised_mss;
    info->pmtu_bytes = tcb->mtu_bytes;
    info->ssthresh = tcb->ssthresh;
    info->cwnd = tcb->cwnd;
    info->reordering = tcb->reordering;
    info->reorderings_seen = past->reorderings_seen;
    info->pacing_rate = nb__pacing_rate(tcp, tcb);
    info->max_pacing_rate = tcb->options->max_pacing_rate ? tcb->options->max_pacing_rate : UINT64_MAX;
    info->delivery_rate = tcb->delivery_rate;
    info->app_limited = tcb->flags & NB_TCB_RATE_APP_LIMITED;
    info->congestion = nb_cc_of(tcb)->name;
    info->data_sent_ago_ms = tcp->now_ms - tcb->data_sent_ms;
    info->data_received_ago_ms = tcp->now_ms - tcb->data_received_ms;
    info->ack_received_ago_ms = tcp->now_ms - tcb->ack_received_ms;
}

/* In sequence space, SYN and FIN included, which wraps: less than once below everything that was ever sent. */
static uint64_t bytes_acked(const struct nb_tcb *tcb)
{
    uint64_t all = nb__tallied(tcb, NB_TALLY_TX_BYTES) + 2;
    return all - (uint32_t)((uint32_t)all - (tcb->snd_una - nb_tcb_iss(tcb)));
}

static void describe_counts(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_tcp_info *info)
{
    const struct nb_history *past = nb__past(tcb);
    info->total_retransmitted = past->retransmitted;
    info->bytes_retransmitted = past->retransmitted_bytes;
    info->bytes_sent = nb__tallied(tcb, NB_TALLY_TX_BYTES) + past->retransmitted_bytes;
    info->bytes_acked = bytes_acked(tcb);
    info->bytes_received = nb__tallied(tcb, NB_TALLY_RX_BYTES);
    info->segs_out = tcb->tally[NB_TALLY_TX_PACKETS];
    info->segs_in = tcb->tally[NB_TALLY_RX_PACKETS];
    info->data_segs_out = tcb->data_segs_out;
    info->data_segs_in = tcb->data_segs_in;
    info->unsent_bytes = seq_gt(tcb->snd_end, tcb->snd_nxt) ? tcb->snd_end - tcb->snd_nxt : 0;
    info->unacked_bytes = seq_gt(tcb->snd_end, tcb->snd_una) ? tcb->snd_end - tcb->snd_una : 0;
    info->busy_us = nb__chrono_us(tcp, tcb, NB_CHRONO_BUSY);
    info->rwnd_limited_us = nb__chrono_us(tcp, tcb, NB_CHRONO_RWND_LIMITED);
    info->sndbuf_limited_us = nb__chrono_us(tcp, tcb, NB_CHRONO_SNDBUF_LIMITED);
    info->delivered = tcb->delivered;
    info->delivered_ce = past->delivered_ce;
    info->received_ce = past->accecn.received_ce;
    info->dsacks = past->dsacks;
    info->out_of_order_received = past->out_of_order;
    info->rtos = past->rtos;
    info->rto_recoveries = past->rto_recoveries;
}

static void describe_windows(const struct nb_tcb *tcb, struct nb_tcp_info *info)
{
    info->snd_wscale = tcb->snd_scale;
    info->rcv_wscale = tcb->rcv_scale;
    info->snd_wnd_bytes = tcb->snd_wnd;
    info->rcv_wnd_bytes = nb_tcb_rcv_wnd(tcb);
    info->rcv_ssthresh_bytes = tcb->rcv_ssthresh;
    info->rcv_rtt_us = nb__past(tcb)->rightsize.rtt_us >> 3;
    info->rcv_space_bytes = nb__rightsize_copied(tcb);
    info->send_queued_bytes = tcb->sendq.charged_bytes;
    info->send_buffer_bytes = tcb->options->send_buffer_bytes ? tcb->options->send_buffer_bytes : tcb->snd_buffer;
    info->recv_buffer_bytes = nb__recv_buffer(tcb);
}

void nb_tcp_info(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_tcp_info *info)
{
    *info = (struct nb_tcp_info){
        .state = tcb->state,
        .recovery_state = tcb->recovery,
        .retransmits = tcb->retransmits,
        .probes = tcb->probes,
        .backoff = tcb->backoff,
        .timestamps = tcb->flags & NB_TCB_TIMESTAMPS,
        .sack = tcb->flags & NB_TCB_SACK,
        .wscale = tcb->flags & NB_TCB_WSCALE,
        .ecn = tcb->flags & NB_TCB_ECN,
        .accecn = nb__accecn_in_use(tcb),
        .ecn_seen = tcb->flags & NB_TCB_ECN_SEEN,
        .syn_data = nb__past(tcb)->syn_data,
        .fastopen_failure = nb__past(tcb)->fastopen_failure,
    };
    describe_flight(tcb->flight, info);
    describe_path(tcp, tcb, info);
    describe_counts(tcp, tcb, info);
    describe_windows(tcb, info);
}
