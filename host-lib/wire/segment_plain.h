/* segment_plain.h - write the headers of the two segments that nearly all are: IPv4 with nothing asked of it, and as
 * TCP options a timestamp alone, or all that a SYN usually has. What segment_emit.c asks of every field is known here,
 * so it is a row of stores, summed up on the way. Of segments in a row, only what differs is written anew.
 */
#ifndef NB_WIRE_SEGMENT_PLAIN_H
#define NB_WIRE_SEGMENT_PLAIN_H

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_common.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "ipv4.h"
#include "segment.h"
#include "tcp_option.h"

#define NB_SEG_BARE_HEADER_BYTES  ((unsigned)(sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_tcp_hdr)))
#define NB_SEG_PLAIN_HEADER_BYTES (NB_SEG_BARE_HEADER_BYTES + NB_OPTION_TIMESTAMP_PADDED)
#define NB_SEG_SYN_HEADER_BYTES   (NB_SEG_BARE_HEADER_BYTES + NB_OPTIONS_SYN_BYTES)

struct nb_seg_plain {
    const struct nb_flow_key *key;
    nb_seq_t seq, ack;
    uint32_t ts_value, ts_echo;
    uint16_t window; /* as it goes on the wire */
    uint8_t flags;   /* enum nb_tcp_flag */
};

/* Both headers and n words of options, which are in network order. */
static __rte_always_inline void nb__put_headers(struct rte_mbuf *packet, const struct nb_seg_plain *s,
                                                const uint32_t *options, unsigned n, uint64_t payload_sum, bool offload)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
    struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
    const uint32_t bytes = packet->pkt_len, local = s->key->local.word[0], remote = s->key->remote.word[0];
    const uint32_t tcp_bytes = (uint32_t)sizeof *tcp + 4 * n;
    const uint32_t w[] = {
        htonl(RTE_IPV4_VHL_DEF << 24 | bytes),
        htonl(RTE_IPV4_HDR_DF_FLAG),
        htonl(NB_IPV4_TTL << 24 | IPPROTO_TCP << 16),
        local,
        remote,
        htonl((uint32_t)s->key->local_port << 16 | s->key->remote_port),
        htonl(s->seq),
        htonl(s->ack),
        htonl(tcp_bytes / 4 << 28 | (uint32_t)s->flags << 16 | s->window),
        0, /* checksum, urgent pointer */
    };
    static_assert(sizeof w == NB_SEG_BARE_HEADER_BYTES, "both headers, word by word");
    uint64_t addresses = (uint64_t)local + remote;
    uint64_t pseudo = addresses + htonl(bytes - (uint32_t)sizeof *ip) + htonl(IPPROTO_TCP);

    memcpy(ip, w, sizeof w);
    memcpy(tcp + 1, options, 4 * n);
    packet->tx_offload = rte_mbuf_tx_offload(0, sizeof *ip, tcp_bytes, 0, 0, 0, 0);
    if (offload) { /* the port adds header and payload to the pseudo header's sum */
        packet->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM;
        tcp->cksum = nb_checksum_fold(pseudo);
        return;
    }
    uint64_t sum = pseudo + w[5] + w[6] + w[7] + w[8];
    for (unsigned i = 0; i < n; i++)
        sum += options[i];
    ip->hdr_checksum = nb_checksum_finish(addresses + w[0] + w[1] + w[2]);
    tcp->cksum = nb_checksum_finish(nb_checksum_join(sum, payload_sum));
}

/* Write the headers at the start of packet's data, whose pkt_len counts them; payload_sum is the checksum of what
 * follows them, and not asked for with offload. */
static inline void nb_seg_emit_plain(struct rte_mbuf *packet, const struct nb_seg_plain *s, uint64_t payload_sum,
                                     bool offload)
{
    const uint32_t options[] = {htonl(NB_OPTION_TIMESTAMP_LEAD), htonl(s->ts_value), htonl(s->ts_echo)};
    static_assert(sizeof options == NB_OPTION_TIMESTAMP_PADDED, "they fill the header");

    nb__put_headers(packet, s, options, RTE_DIM(options), payload_sum, offload);
}

/* The same for a SYN or SYN-ACK without payload: MSS, SACK-permitted, timestamp, window scale. */
static inline void nb_seg_emit_plain_syn(struct rte_mbuf *packet, const struct nb_seg_plain *s, uint16_t mss,
                                         uint8_t wscale, bool offload)
{
    const uint32_t options[] = {htonl(NB_OPTION_MSS_LEAD << 16 | mss), htonl(NB_OPTION_SACK_TIMESTAMP_LEAD),
                                htonl(s->ts_value), htonl(s->ts_echo), htonl(NB_OPTION_WSCALE_LEAD << 8 | wscale)};
    static_assert(sizeof options == NB_OPTIONS_SYN_BYTES, "they fill the header");

    nb__put_headers(packet, s, options, RTE_DIM(options), 0, offload);
}

/* --- one after the other ---------------------------------------------------------------------- */

/* The headers of segments that are sent in a row: made once, without what differs, which is length, sequence number and
 * flags. sums are those of the words that are there, the pseudo header among TCP's. */
struct nb_seg_headers {
    uint32_t w[NB_SEG_PLAIN_HEADER_BYTES / 4];
    uint64_t ip_sum, tcp_sum;
};

enum { NB__WORD_LENGTH = 0, NB__WORD_SEQ = 6, NB__WORD_FLAGS = 8 };

static inline struct nb_seg_headers nb_seg_headers_of(const struct nb_seg_plain *s)
{
    const uint32_t local = s->key->local.word[0], remote = s->key->remote.word[0];
    const uint32_t tcp_bytes = (uint32_t)sizeof(struct rte_tcp_hdr) + NB_OPTION_TIMESTAMP_PADDED;
    struct nb_seg_headers h = {.w = {
                                   htonl(RTE_IPV4_VHL_DEF << 24),
                                   htonl(RTE_IPV4_HDR_DF_FLAG),
                                   htonl(NB_IPV4_TTL << 24 | IPPROTO_TCP << 16),
                                   local,
                                   remote,
                                   htonl((uint32_t)s->key->local_port << 16 | s->key->remote_port),
                                   0,
                                   htonl(s->ack),
                                   htonl(tcp_bytes / 4 << 28 | (uint32_t)s->flags << 16 | s->window),
                                   0,
                                   htonl(NB_OPTION_TIMESTAMP_LEAD),
                                   htonl(s->ts_value),
                                   htonl(s->ts_echo),
                               }};

    for (unsigned i = 0; i < 5; i++)
        h.ip_sum += h.w[i];
    h.tcp_sum = (uint64_t)local + remote + htonl(IPPROTO_TCP);
    for (unsigned i = 5; i < RTE_DIM(h.w); i++)
        h.tcp_sum += h.w[i];
    return h;
}

/* Like nb_seg_emit_plain; flags are added to those that all have. */
static inline void nb_seg_emit_next(struct rte_mbuf *packet, const struct nb_seg_headers *h, nb_seq_t seq,
                                    uint8_t flags, uint64_t payload_sum, bool offload)
{
    uint32_t *w = rte_pktmbuf_mtod(packet, uint32_t *);
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)w;
    struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
    const uint32_t bytes = packet->pkt_len, l4_length = htonl(bytes - (uint32_t)sizeof *ip);
    const uint32_t length = htonl(bytes), seq_word = htonl(seq), flag_word = htonl((uint32_t)flags << 16);

    memcpy(w, h->w, sizeof h->w);
    w[NB__WORD_LENGTH] = h->w[NB__WORD_LENGTH] | length;
    w[NB__WORD_SEQ] = seq_word;
    w[NB__WORD_FLAGS] = h->w[NB__WORD_FLAGS] | flag_word;
    packet->tx_offload = rte_mbuf_tx_offload(0, sizeof *ip, NB_SEG_PLAIN_HEADER_BYTES - sizeof *ip, 0, 0, 0, 0);
    if (offload) {
        packet->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM;
        tcp->cksum = nb_checksum_fold((uint64_t)w[3] + w[4] + htonl(IPPROTO_TCP) + l4_length);
        return;
    }
    ip->hdr_checksum = nb_checksum_finish(h->ip_sum + length);
    tcp->cksum = nb_checksum_finish(nb_checksum_join(h->tcp_sum + l4_length + seq_word + flag_word, payload_sum));
}

#endif
