/* rx_usual.h - the frame that nearly all are, read at one glance: a whole TCP segment to us in one buffer, without IP
 * options, with a timestamp as its only TCP option, or with the options that a SYN usually has.
 *
 * Asks what the long way (net/input.c, wire/segment.c) asks, all at once. False means only that the long way has to find
 * out; nothing of the packet has changed then (*seg may have).
 */
#ifndef NB_WORKER_RX_USUAL_H
#define NB_WORKER_RX_USUAL_H

#include <stdbool.h>
#include <string.h>

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "../net/net.h"
#include "../wire/checksum.h"
#include "../wire/ipv4.h"
#include "../wire/segment.h"
#include "../wire/tcp_option.h"

#define NB_USUAL_TCP_BYTES   ((unsigned)sizeof(struct rte_tcp_hdr) + NB_OPTION_TIMESTAMP_PADDED)
#define NB_USUAL_SYN_BYTES   ((unsigned)sizeof(struct rte_tcp_hdr) + NB_OPTIONS_SYN_BYTES)
#define NB_USUAL_FRAME_BYTES (NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES + NB_USUAL_TCP_BYTES) /* at least */

struct nb__usual_frame {
    struct rte_ether_hdr eth;
    struct rte_ipv4_hdr ip;
    struct rte_tcp_hdr tcp;
    uint32_t option[NB_OPTIONS_SYN_BYTES / 4]; /* three words when it is no SYN */
} __attribute__((packed, aligned(2)));

/* An address that a host can have, and not ours. */
static __rte_always_inline bool nb__can_be_source(const struct nb_net_port *p, uint32_t src)
{
    return !nb_ipv4_is_martian(src) && src != p->route.address && !nb_route_is_broadcast(&p->route, src);
}

/* A port that says that both checksums are right leaves nothing to compute; one that is not asked leaves everything.
 * What lies between, the long way knows. */
static inline bool nb__checksums_right(const struct nb_net_port *p, const struct rte_mbuf *m,
                                       const struct nb__usual_frame *f, uint32_t l4_bytes, bool trusted)
{
    const uint64_t good = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD,
                   asked = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK;

    if (trusted)
        return true;
    if (p->trust_rx_checksum)
        return (m->ol_flags & asked) == good;
    uint64_t pseudo = (uint64_t)f->ip.src_addr + f->ip.dst_addr + htonl(l4_bytes) + htonl(IPPROTO_TCP);
    return nb_checksum_fold(nb_checksum_ipv4(&f->ip)) == 0xffff &&
           nb_checksum_fold(nb_checksum_add(pseudo, &f->tcp, l4_bytes)) == 0xffff;
}

/* A timestamp; or, in a SYN, MSS, SACK-permitted, timestamp and window scale as Linux and we lay them out. */
static __rte_always_inline bool nb__usual_options(const struct nb__usual_frame *f, struct nb_seg *seg)
{
    if (likely(f->tcp.data_off == NB_USUAL_TCP_BYTES / 4 << 4)) {
        seg->options = NB_SEG_TIMESTAMP;
        seg->ts_value = ntohl(f->option[1]);
        seg->ts_echo = ntohl(f->option[2]);
        return f->option[0] == htonl(NB_OPTION_TIMESTAMP_LEAD);
    }
    if (f->tcp.data_off != NB_USUAL_SYN_BYTES / 4 << 4 || !(f->tcp.tcp_flags & NB_TCP_SYN))
        return false;
    seg->options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_TIMESTAMP | NB_SEG_WSCALE;
    seg->mss = (uint16_t)ntohl(f->option[0]);
    seg->ts_value = ntohl(f->option[2]);
    seg->ts_echo = ntohl(f->option[3]);
    seg->wscale = RTE_MIN((uint8_t)ntohl(f->option[4]), NB_WSCALE_MAX);
    return ntohl(f->option[0]) >> 16 == NB_OPTION_MSS_LEAD && f->option[1] == htonl(NB_OPTION_SACK_TIMESTAMP_LEAD) &&
           ntohl(f->option[4]) >> 8 == NB_OPTION_WSCALE_LEAD;
}

static inline bool nb__rx_usual(const struct nb_net_port *p, unsigned port, struct rte_mbuf *m, bool trusted,
                                struct nb_seg *seg)
{
    const struct nb__usual_frame *f = rte_pktmbuf_mtod(m, const struct nb__usual_frame *);

    if (!p->simple || m->nb_segs != 1 || m->data_len < NB_USUAL_FRAME_BYTES ||
        f->eth.ether_type != htons(NB_ETH_IPV4) ||
        f->ip.version_ihl != RTE_IPV4_VHL_DEF || f->ip.next_proto_id != NB_IP_TCP ||
        f->ip.dst_addr != p->route.address ||
        f->ip.fragment_offset & htons(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK) ||
        memcmp(&f->eth.dst_addr, p->mac, NB_MAC_BYTES) != 0)
        return false;
    uint32_t total_bytes = ntohs(f->ip.total_length), l4_bytes = total_bytes - (uint32_t)sizeof f->ip,
             header_bytes = f->tcp.data_off >> 4 << 2;

    if (total_bytes < sizeof f->ip + header_bytes || NB_ETH_HEADER_BYTES + total_bytes > m->data_len ||
        !nb__usual_options(f, seg) || !f->tcp.src_port || !f->tcp.dst_port || !nb__can_be_source(p, f->ip.src_addr) ||
        !nb__checksums_right(p, m, f, l4_bytes, trusted))
        return false;
    m->data_len = (uint16_t)(NB_ETH_HEADER_BYTES + total_bytes); /* padding goes */
    m->pkt_len = m->data_len;
    seg->m = m;
    seg->key = (struct nb_flow_key){.local.word = {f->ip.dst_addr},
                                    .remote.word = {f->ip.src_addr},
                                    .local_port = ntohs(f->tcp.dst_port),
                                    .remote_port = ntohs(f->tcp.src_port),
                                    .port_group = (uint8_t)port,
                                    .family = NB_FAMILY_IPV4};
    seg->seq = ntohl(f->tcp.sent_seq);
    seg->ack = ntohl(f->tcp.recv_ack);
    seg->payload_offset = (uint16_t)(NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES + header_bytes);
    seg->window = ntohs(f->tcp.rx_win);
    seg->payload_bytes = l4_bytes - header_bytes;
    seg->flags = f->tcp.tcp_flags;
    seg->n_sack = 0;
    seg->ecn = f->ip.type_of_service & 3;
    seg->urgent = ntohs(f->tcp.tcp_urp);
    seg->cookie.bytes = -1;
    return true;
}

#endif
