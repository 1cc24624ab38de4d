/* segment_emit.c - write IP and TCP headers: few wide stores, options in the layout every receiver is fast at.
 *
 * IPv4 packets are never fragmented by us and never to be fragmented by others (DF), so their identification means
 * nothing and is zero (RFC 6864 §4.1).
 */
#include "segment_emit.h"

#include <string.h>

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "tcp_option.h"

#define TTL 64 /* RFC 1700's recommended default, also as IPv6 hop limit */

static unsigned option_bytes(const struct nb_seg_out *out)
{
    unsigned n = 0;
    if (out->options & NB_SEG_MSS)
        n += 4;
    if (out->options & NB_SEG_TIMESTAMP)
        n += NB_OPTION_TIMESTAMP_PADDED;
    else if (out->options & NB_SEG_SACK_PERMITTED)
        n += 4;
    if (out->options & NB_SEG_WSCALE)
        n += 4;
    if (out->options & NB_SEG_SACK)
        n += 4 + 8u * out->n_sack;
    return n;
}

unsigned nb_seg_header_bytes(const struct nb_seg_out *out)
{
    return nb_ip_header_bytes(out->key->family) + (unsigned)sizeof(struct rte_tcp_hdr) + option_bytes(out);
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    v = rte_cpu_to_be_32(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static uint8_t *put_sack(uint8_t *p, const struct nb_seg_out *out)
{
    p = put32(p, NB_OPTION_SACK_LEAD | (2u + 8u * out->n_sack));
    for (unsigned i = 0; i < out->n_sack; i++) {
        p = put32(p, out->sack[i].left);
        p = put32(p, out->sack[i].right);
    }
    return p;
}

/* SACK-permitted takes the place of the two NOPs before a timestamp, as Linux lays it out: a SYN's options then fill 20
 * bytes instead of 24. */
static void put_options(uint8_t *p, const struct nb_seg_out *out)
{
    bool sack_permitted = out->options & NB_SEG_SACK_PERMITTED;
    if (out->options & NB_SEG_MSS)
        p = put32(p, (uint32_t)NB_OPTION_MSS << 24 | 4u << 16 | out->mss);
    if (out->options & NB_SEG_TIMESTAMP) {
        p = put32(p, sack_permitted ? (NB_OPTION_SACK_PERMITTED << 24 | 2u << 16 | (NB_OPTION_TIMESTAMP_LEAD & 0xffff))
                                    : NB_OPTION_TIMESTAMP_LEAD);
        p = put32(p, out->ts_value);
        p = put32(p, out->ts_echo);
    } else if (sack_permitted) {
        p = put32(p, NB_OPTION_NOP << 24 | NB_OPTION_NOP << 16 | NB_OPTION_SACK_PERMITTED << 8 | 2);
    }
    if (out->options & NB_SEG_WSCALE)
        p = put32(p, (uint32_t)NB_OPTION_NOP << 24 | NB_OPTION_WSCALE << 16 | 3u << 8 | out->wscale);
    if (out->options & NB_SEG_SACK)
        put_sack(p, out);
}

/* The header is five words; only the length and the addresses differ from packet to packet. */
static uint64_t sum_of_ipv4(const struct rte_ipv4_hdr *ip)
{
    uint64_t constant =
        RTE_BE16(RTE_IPV4_VHL_DEF << 8) + RTE_BE16(RTE_IPV4_HDR_DF_FLAG) + RTE_BE16(TTL << 8 | IPPROTO_TCP);
    return constant + ip->total_length + ip->src_addr + ip->dst_addr;
}

static void put_ipv4(struct rte_ipv4_hdr *ip, const struct nb_flow_key *key, uint16_t packet_bytes, bool offload)
{
    ip->version_ihl = RTE_IPV4_VHL_DEF;
    ip->type_of_service = 0;
    ip->total_length = rte_cpu_to_be_16(packet_bytes);
    ip->packet_id = 0;
    ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
    ip->time_to_live = TTL;
    ip->next_proto_id = IPPROTO_TCP;
    ip->hdr_checksum = 0;
    ip->src_addr = key->local.word[0];
    ip->dst_addr = key->remote.word[0];
    if (!offload)
        ip->hdr_checksum = nb_checksum_finish(sum_of_ipv4(ip));
}

static void put_ipv6(struct rte_ipv6_hdr *ip, const struct nb_flow_key *key, uint16_t l4_bytes)
{
    ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
    ip->payload_len = rte_cpu_to_be_16(l4_bytes);
    ip->proto = IPPROTO_TCP;
    ip->hop_limits = TTL;
    memcpy(ip->src_addr, &key->local, sizeof ip->src_addr);
    memcpy(ip->dst_addr, &key->remote, sizeof ip->dst_addr);
}

static void put_tcp(struct rte_tcp_hdr *tcp, const struct nb_seg_out *out, unsigned tcp_header_bytes)
{
    tcp->src_port = rte_cpu_to_be_16(out->key->local_port);
    tcp->dst_port = rte_cpu_to_be_16(out->key->remote_port);
    tcp->sent_seq = rte_cpu_to_be_32(out->seq);
    tcp->recv_ack = rte_cpu_to_be_32(out->ack);
    tcp->data_off = (uint8_t)(tcp_header_bytes / 4 << 4);
    tcp->tcp_flags = out->flags;
    tcp->rx_win = rte_cpu_to_be_16(out->window);
    tcp->cksum = 0;
    tcp->tcp_urp = 0;
    if (out->options)
        put_options((uint8_t *)(tcp + 1), out);
}

static uint64_t sum_of_l4(const struct rte_mbuf *packet, unsigned l3_bytes, uint64_t sum)
{
    sum = nb_checksum_add(sum, rte_pktmbuf_mtod_offset(packet, const uint8_t *, l3_bytes), packet->data_len - l3_bytes);
    if (packet->next)
        sum = nb_checksum_add_mbuf(sum, packet, packet->data_len, packet->pkt_len - packet->data_len);
    return sum;
}

void nb_seg_emit(struct rte_mbuf *packet, const struct nb_seg_out *out, bool offload)
{
    const struct nb_flow_key *key = out->key;
    bool ipv4 = key->family == NB_FAMILY_IPV4;
    unsigned l3_bytes = nb_ip_header_bytes(key->family);
    unsigned tcp_header_bytes = (unsigned)sizeof(struct rte_tcp_hdr) + option_bytes(out);
    uint8_t *l3 = rte_pktmbuf_mtod(packet, uint8_t *);
    struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(l3 + l3_bytes);

    if (ipv4)
        put_ipv4((struct rte_ipv4_hdr *)l3, key, (uint16_t)packet->pkt_len, offload);
    else
        put_ipv6((struct rte_ipv6_hdr *)l3, key, (uint16_t)(packet->pkt_len - l3_bytes));
    put_tcp(tcp, out, tcp_header_bytes);
    packet->l2_len = 0;
    packet->l3_len = l3_bytes;
    packet->l4_len = tcp_header_bytes;
    uint64_t pseudo = nb_checksum_pseudo(key, packet->pkt_len - l3_bytes);
    if (offload) { /* the port adds header and payload to the pseudo header's sum */
        packet->ol_flags |=
            (ipv4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6) | RTE_MBUF_F_TX_TCP_CKSUM;
        tcp->cksum = nb_checksum_fold(pseudo);
    } else {
        tcp->cksum = nb_checksum_finish(sum_of_l4(packet, l3_bytes, pseudo));
    }
}
