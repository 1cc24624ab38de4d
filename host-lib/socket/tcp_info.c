/* tcp_info.c - TCP_INFO in Linux's layout.
 *
 * The layout is ABI: programs compiled against any kernel's header read a prefix of it. It is declared here because the
 * headers at hand may be older than the newest fields; where both know a field, the offsets are checked against each
 * other at compile time.
 */
#include "tcp_info.h"
#include "sockets.h"

#include <stddef.h>
#include <string.h>

#include <linux/tcp.h>

#define NB_LINUX_INFINITE_SSTHRESH 0x7fffffff

struct linux_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options;
    uint8_t snd_wscale : 4, rcv_wscale : 4;
    uint8_t delivery_rate_app_limited : 1, fastopen_client_fail : 2;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time;
    uint32_t received_ce;
    /* AccECN's option, which this stack does not send: all zero. */
    uint32_t delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
    uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
    uint32_t accecn;
};

static_assert(offsetof(struct linux_tcp_info, rto) == offsetof(struct tcp_info, tcpi_rto), "ABI");
static_assert(offsetof(struct linux_tcp_info, snd_cwnd) == offsetof(struct tcp_info, tcpi_snd_cwnd), "ABI");
static_assert(offsetof(struct linux_tcp_info, pacing_rate) == offsetof(struct tcp_info, tcpi_pacing_rate), "ABI");
static_assert(offsetof(struct linux_tcp_info, busy_time) == offsetof(struct tcp_info, tcpi_busy_time), "ABI");
static_assert(offsetof(struct linux_tcp_info, snd_wnd) == offsetof(struct tcp_info, tcpi_snd_wnd), "ABI");
static_assert(sizeof(struct linux_tcp_info) == 280, "as of Linux 6.18");

/* RFC 9293's states by Linux's numbers. */
static uint8_t linux_state(enum nb_tcp_state state, bool listening)
{
    static const uint8_t number[NB_TCP_STATE_COUNT] = {
        [NB_TCP_ESTABLISHED] = 1, [NB_TCP_SYN_SENT] = 2,  [NB_TCP_SYN_RECEIVED] = 3, [NB_TCP_FIN_WAIT_1] = 4,
        [NB_TCP_FIN_WAIT_2] = 5,  [NB_TCP_TIME_WAIT] = 6, [NB_TCP_CLOSED] = 7,       [NB_TCP_CLOSE_WAIT] = 8,
        [NB_TCP_LAST_ACK] = 9,    [NB_TCP_CLOSING] = 11,
    };
    return listening ? 10 : number[state];
}

static uint8_t option_bits(const struct nb_tcp_info *from)
{
    return (uint8_t)((from->timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (from->sack ? TCPI_OPT_SACK : 0) |
                     (from->wscale ? TCPI_OPT_WSCALE : 0) | (from->ecn ? TCPI_OPT_ECN : 0) |
                     (from->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) | (from->syn_data ? TCPI_OPT_SYN_DATA : 0));
}

static uint32_t ms(uint64_t us)
{
    return (uint32_t)(us / 1000);
}

static struct linux_tcp_info translate(const struct nb_tcp_info *from, bool listening)
{
    return (struct linux_tcp_info){
        .state = linux_state(from->state, listening),
        .ca_state = from->recovery_state,
        .retransmits = from->retransmits,
        .probes = from->probes,
        .backoff = from->backoff,
        .options = option_bits(from),
        .snd_wscale = from->snd_wscale & 15,
        .rcv_wscale = from->rcv_wscale & 15,
        .delivery_rate_app_limited = from->app_limited,
        .fastopen_client_fail = from->fastopen_failure & 3,
        .rto = from->rto_us,
        .ato = from->ato_us,
        .snd_mss = from->snd_mss_bytes,
        .rcv_mss = from->rcv_mss_bytes,
        .unacked = from->unacked,
        .sacked = from->sacked,
        .lost = from->lost,
        .retrans = from->retransmitting,
        .last_data_sent = from->data_sent_ago_ms,
        .last_data_recv = from->data_received_ago_ms,
        .last_ack_recv = from->ack_received_ago_ms,
        .pmtu = from->pmtu_bytes,
        .rcv_ssthresh = from->rcv_ssthresh_bytes,
        .rtt = from->srtt_us,
        .rttvar = from->rttvar_us,
        .snd_ssthresh = from->ssthresh < NB_LINUX_INFINITE_SSTHRESH ? from->ssthresh : NB_LINUX_INFINITE_SSTHRESH,
        .snd_cwnd = from->cwnd,
        .advmss = from->advertised_mss_bytes,
        .reordering = from->reordering,
        .rcv_rtt = from->rcv_rtt_us,
        .rcv_space = from->rcv_space_bytes,
        .total_retrans = from->total_retransmitted,
        .pacing_rate = from->pacing_rate,
        .max_pacing_rate = from->max_pacing_rate,
        .bytes_acked = from->bytes_acked,
        .bytes_received = from->bytes_received,
        .segs_out = from->segs_out,
        .segs_in = from->segs_in,
        .notsent_bytes = from->unsent_bytes,
        .min_rtt = from->min_rtt_us,
        .data_segs_in = from->data_segs_in,
        .data_segs_out = from->data_segs_out,
        .delivery_rate = from->delivery_rate,
        .busy_time = from->busy_us,
        .rwnd_limited = from->rwnd_limited_us,
        .sndbuf_limited = from->sndbuf_limited_us,
        .delivered = from->delivered,
        .delivered_ce = from->delivered_ce,
        .received_ce = from->received_ce,
        .bytes_sent = from->bytes_sent,
        .bytes_retrans = from->bytes_retransmitted,
        .dsack_dups = from->dsacks,
        .reord_seen = from->reorderings_seen,
        .rcv_ooopack = from->out_of_order_received,
        .snd_wnd = from->snd_wnd_bytes,
        .rcv_wnd = from->rcv_wnd_bytes,
        .total_rto = (uint16_t)from->rtos,
        .total_rto_recoveries = (uint16_t)from->rto_recoveries,
        .total_rto_time = ms(from->rto_time_us),
    };
}

/* What is known of a socket: of its connection now, of the one it had, or of none. */
static struct nb_tcp_info info_of(struct nb_sockets *ns, const struct nb_sock *sock)
{
    struct nb_tcp_info info = {.state = NB_TCP_CLOSED, .ssthresh = UINT32_MAX};
    if (sock->tcb)
        nb_tcp_info(ns->tcp, sock->tcb, &info);
    else if (nb__sock_extra_of(sock)->last_info)
        info = *sock->extra->last_info;
    return info;
}

int nb__sock_tcp_info(struct nb_sockets *ns, struct nb_sock *sock, void *value, socklen_t *bytes)
{
    struct nb_tcp_info info = info_of(ns, sock);
    struct linux_tcp_info answer = translate(&info, sock->state == NB_SOCK_LISTENING);
    if (sock->state == NB_SOCK_LISTENING) { /* Linux uses these two for the accept queue */
        answer.unacked = sock->extra->accept_count;
        answer.sacked = sock->extra->backlog;
    }
    *bytes = *bytes < sizeof answer ? *bytes : sizeof answer;
    memcpy(value, &answer, *bytes);
    return 0;
}

int nb__sock_meminfo(struct nb_sockets *ns, struct nb_sock *sock, void *value, socklen_t *bytes)
{
    enum { RMEM_ALLOC, RCVBUF, WMEM_ALLOC, SNDBUF, FWD_ALLOC, WMEM_QUEUED, OPTMEM, BACKLOG, DROPS, VARS };
    struct nb_tcp_info info = info_of(ns, sock);
    uint32_t answer[VARS] = {
        [RMEM_ALLOC] = sock->rx_bytes,
        [RCVBUF] = info.recv_buffer_bytes,
        [SNDBUF] = info.send_buffer_bytes,
        [WMEM_QUEUED] = info.send_queued_bytes,
    };
    *bytes = *bytes < sizeof answer ? *bytes : sizeof answer;
    memcpy(value, answer, *bytes);
    return 0;
}
