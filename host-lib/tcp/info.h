/* info.h - what can be known about a connection at one moment (what `ss -ti` and TCP_INFO show). */
#ifndef NB_TCP_INFO_H
#define NB_TCP_INFO_H

#include <stdbool.h>
#include <stdint.h>

struct nb_tcb;
struct nb_tcp;

/* Where loss recovery stands; numbered as Linux shows them. */
enum nb_tcp_recovery_state {
    NB_TCP_RECOVERY_OPEN,
    NB_TCP_RECOVERY_DISORDER, /* SACKs or duplicate ACKs arrive, nothing is believed lost */
    NB_TCP_RECOVERY_CWR,      /* reducing the window because of ECN */
    NB_TCP_RECOVERY_RECOVERY, /* fast retransmit and recovery */
    NB_TCP_RECOVERY_LOSS,     /* after a retransmission time-out */
};

struct nb_tcp_info {
    uint8_t state;          /* enum nb_tcp_state */
    uint8_t recovery_state; /* enum nb_tcp_recovery_state */
    uint8_t retransmits, probes, backoff;
    uint8_t snd_wscale, rcv_wscale;
    bool timestamps, sack, wscale, ecn, accecn, ecn_seen, syn_data; /* syn_data: data in our or the peer's SYN was accepted */
    bool app_limited;         /* the delivery rate was measured while there was too little to send */
    uint8_t fastopen_failure; /* TFO_* of Linux */
    uint32_t rto_us, ato_us, srtt_us, rttvar_us, min_rtt_us;
    uint32_t snd_mss_bytes, rcv_mss_bytes, advertised_mss_bytes, pmtu_bytes;
    uint32_t unacked, sacked, lost, retransmitting, reordering; /* segments */
    uint32_t ssthresh, cwnd;                                    /* segments */
    uint32_t total_retransmitted;                               /* segments */
    uint32_t data_sent_ago_ms, data_received_ago_ms, ack_received_ago_ms;
    uint32_t rcv_ssthresh_bytes, rcv_rtt_us, rcv_space_bytes;
    uint64_t pacing_rate, max_pacing_rate, delivery_rate; /* bytes a second; UINT64_MAX: no limit */
    uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retransmitted;
    uint32_t segs_out, segs_in, data_segs_out, data_segs_in;
    uint32_t unsent_bytes, unacked_bytes;
    uint64_t busy_us, rwnd_limited_us, sndbuf_limited_us;
    uint32_t delivered, delivered_ce; /* segments */
    uint32_t received_ce;             /* packets, with AccECN (RFC 9768) */
    uint32_t dsacks, reorderings_seen, out_of_order_received;
    uint32_t snd_wnd_bytes, rcv_wnd_bytes;
    uint32_t send_queued_bytes, send_buffer_bytes, recv_buffer_bytes; /* with the cost of keeping them */
    uint32_t rtos, rto_recoveries;
    uint64_t rto_time_us;
    const char *congestion; /* name of the algorithm */
};

/* Fill *info, as of the last call with a time. */
void nb_tcp_info(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_tcp_info *info);

#endif
