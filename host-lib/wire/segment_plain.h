/* segment_plain.h - write the headers of the segment that nearly all are: IPv4, nothing asked of IP, and a timestamp as
 * the only TCP option. What segment_emit.c asks of every field is known here, so it is a row of stores, summed up on
 * the way.
 */
#ifndef NB_WIRE_SEGMENT_PLAIN_H
#define NB_WIRE_SEGMENT_PLAIN_H

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "ipv4.h"
#include "segment.h"
#include "tcp_option.h"

#define NB_SEG_PLAIN_TCP_BYTES    ((unsigned)sizeof(struct rte_tcp_hdr) + NB_OPTION_TIMESTAMP_PADDED)
#define NB_SEG_PLAIN_HEADER_BYTES ((unsigned)sizeof(struct rte_ipv4_hdr) + NB_SEG_PLAIN_TCP_BYTES)

struct nb_seg_plain {
    const struct nb_flow_key *key;
    nb_seq_t seq, ack;
    uint32_t ts_value, ts_echo;
    uint16_t window; /* as it goes on the wire */
    uint8_t flags;   /* enum nb_tcp_flag */
};

/* Write the headers at the start of packet's data, whose pkt_len counts them; payload_sum is the checksum of what
 * follows them, and not asked for with offload. */
static inline void nb_seg_emit_plain(struct rte_mbuf *packet, const struct nb_seg_plain *s, uint64_t payload_sum,
                                     bool offload)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
    struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
    const uint32_t bytes = packet->pkt_len, local = s->key->local.word[0], remote = s->key->remote.word[0];
    const uint32_t w[] = {
        htonl(RTE_IPV4_VHL_DEF << 24 | bytes),
        htonl(RTE_IPV4_HDR_DF_FLAG),
        htonl(NB_IPV4_TTL << 24 | IPPROTO_TCP << 16),
        local,
        remote,
        htonl((uint32_t)s->key->local_port << 16 | s->key->remote_port),
        htonl(s->seq),
        htonl(s->ack),
        htonl(NB_SEG_PLAIN_TCP_BYTES / 4 << 28 | (uint32_t)s->flags << 16 | s->window),
        0, /* checksum, urgent pointer */
        htonl(NB_OPTION_TIMESTAMP_LEAD),
        htonl(s->ts_value),
        htonl(s->ts_echo),
    };
    static_assert(sizeof w == NB_SEG_PLAIN_HEADER_BYTES, "both headers, word by word");
    uint64_t addresses = (uint64_t)local + remote;
    uint64_t pseudo = addresses + htonl(bytes - (uint32_t)sizeof *ip) + htonl(IPPROTO_TCP);

    memcpy(ip, w, sizeof w);
    if (offload) { /* the port adds header and payload to the pseudo header's sum */
        packet->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM;
        tcp->cksum = nb_checksum_fold(pseudo);
    } else {
        uint64_t header = pseudo + w[5] + w[6] + w[7] + w[8] + w[10] + w[11] + w[12];
        ip->hdr_checksum = nb_checksum_finish(addresses + w[0] + w[1] + w[2]);
        tcp->cksum = nb_checksum_finish(nb_checksum_join(header, payload_sum));
    }
    packet->tx_offload = rte_mbuf_tx_offload(0, sizeof *ip, NB_SEG_PLAIN_TCP_BYTES, 0, 0, 0, 0);
}

#endif
