/* rx_usual.h - the frame that nearly all are, read at one glance: a whole TCP segment to us, its headers in one buffer,
 * without IP options, with a timestamp as its only TCP option, or with the options that a SYN usually has.
 *
 * Asks what the long way (net/input.c, wire/segment.c) asks, all at once, except whether its source address is one that
 * a host can have: a flow that is known has one, so that is asked of segments without a flow (home.c). False means only
 * that the long way has to find out; nothing of the packet has changed then (*seg may have).
 */
#ifndef NB_WORKER_RX_USUAL_H
#define NB_WORKER_RX_USUAL_H

#include <stdbool.h>
#include <stddef.h>
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

/* Fields of the frame that have but one usual value, compared word by word: EtherType, IP version and header length are
 * in one word with the type of service, which is free; fragment offset, more-fragments flag and protocol in one with
 * the flags DF and reserved, and the time to live. */
static __rte_always_inline bool nb__usual_kind(const struct nb__usual_frame *f)
{
    const uint8_t *bytes = (const uint8_t *)f;
    uint32_t kind, fragment;

    memcpy(&kind, bytes + offsetof(struct nb__usual_frame, eth.ether_type), sizeof kind);
    memcpy(&fragment, bytes + offsetof(struct nb__usual_frame, ip.fragment_offset), sizeof fragment);
    return (kind & htonl(0xffffff00)) == htonl((uint32_t)NB_ETH_IPV4 << 16 | RTE_IPV4_VHL_DEF << 8) &&
           (fragment & htonl((uint32_t)(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK) << 16 | 0xff)) ==
               htonl(NB_IP_TCP);
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
    const uint32_t l4_offset = (uint32_t)offsetof(struct nb__usual_frame, tcp);
    uint64_t sum = (uint64_t)f->ip.src_addr + f->ip.dst_addr + htonl(l4_bytes) + htonl(IPPROTO_TCP);
    if (likely(m->nb_segs == 1))
        sum = nb_checksum_add(sum, &f->tcp, l4_bytes);
    else
        sum = nb_checksum_join(sum, nb_checksum_add_mbuf(0, m, l4_offset, l4_bytes));
    return nb_checksum_fold(nb_checksum_ipv4(&f->ip)) == 0xffff && nb_checksum_fold(sum) == 0xffff;
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

/* The packet is all there; it may be padded only where that is easily cut off. */
static __rte_always_inline bool nb__usual_length(const struct rte_mbuf *m, uint32_t frame_bytes)
{
    return likely(m->nb_segs == 1) ? frame_bytes <= m->data_len : frame_bytes == m->pkt_len;
}

static __rte_always_inline bool nb__rx_usual(const struct nb_net_port *p, unsigned port, struct rte_mbuf *m, bool trusted,
                                struct nb_seg *seg)
{
    const struct nb__usual_frame *f = rte_pktmbuf_mtod(m, const struct nb__usual_frame *);

    if (!p->simple || m->data_len < NB_USUAL_FRAME_BYTES || !nb__usual_kind(f) || f->ip.dst_addr != p->route.address ||
        memcmp(&f->eth.dst_addr, p->mac, NB_MAC_BYTES) != 0)
        return false;
    uint32_t total_bytes = ntohs(f->ip.total_length), l4_bytes = total_bytes - (uint32_t)sizeof f->ip,
             header_bytes = f->tcp.data_off >> 4 << 2;

    if (total_bytes < sizeof f->ip + header_bytes || !nb__usual_length(m, NB_ETH_HEADER_BYTES + total_bytes) ||
        m->data_len < sizeof f->eth + sizeof f->ip + header_bytes || !nb__usual_options(f, seg) || !f->tcp.src_port ||
        !f->tcp.dst_port || !nb__checksums_right(p, m, f, l4_bytes, trusted))
        return false;
    if (m->nb_segs == 1) { /* padding goes */
        m->data_len = (uint16_t)(NB_ETH_HEADER_BYTES + total_bytes);
        m->pkt_len = m->data_len;
    }
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
    seg->joined = 0;
    seg->flags = f->tcp.tcp_flags;
    seg->ae = 0; /* or data_off were another */
    seg->n_sack = 0;
    seg->ecn = f->ip.type_of_service & 3;
    seg->urgent = ntohs(f->tcp.tcp_urp);
    seg->cookie.bytes = -1;
    return true;
}

#endif
