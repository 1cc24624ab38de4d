/* segment_emit.h - write IP and TCP headers in front of a payload: the other direction of segment.h. */
#ifndef NB_WIRE_SEGMENT_EMIT_H
#define NB_WIRE_SEGMENT_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "segment.h"

/* Bytes of a packet before its payload, at most: IPv6 header, TCP header, all options. */
#define NB_SEG_HEADERS_MAX (40 + 20 + 40)

/* A segment to be sent, in host byte order. options says which of the optional fields count. */
struct nb_seg_out {
    const struct nb_flow_key *key;
    nb_seq_t seq, ack;
    uint16_t window; /* as it goes on the wire */
    uint8_t flags;   /* enum nb_tcp_flag */
    uint8_t options; /* enum nb_seg_option */
    uint16_t mss;
    uint8_t wscale;
    uint8_t n_sack;
    uint16_t urgent; /* with NB_TCP_URG */
    uint32_t ts_value, ts_echo;
    const struct nb_seq_range *sack;
    const struct nb_cookie *cookie;        /* with NB_SEG_FASTOPEN */
    const struct nb_md5_secret *md5;       /* with NB_SEG_MD5: to be signed with this */
    const struct nb_accecn_option *accecn; /* with NB_SEG_ACCECN */
    uint8_t tos;                           /* the IP header's byte, ECN included */
    uint8_t ae;                            /* the flag AE (RFC 9768), 0 or 1 */
    uint8_t ttl;                           /* 0: the default */
    bool may_fragment;                     /* no DF */
};

static inline unsigned nb_ip_header_bytes(uint8_t family)
{
    return family == NB_FAMILY_IPV4 ? 20 : 40;
}

/* Bytes that an AccECN option with n numbers takes, and that are left for more options. */
unsigned nb_seg_accecn_bytes(unsigned n);
unsigned nb_seg_option_space(const struct nb_seg_out *out);

/* Bytes that IP header, TCP header and options take. */
unsigned nb_seg_header_bytes(const struct nb_seg_out *out);

/* Set AE, CWR and ECE to the low three bits of ace (RFC 9768). */
static inline void nb_seg_set_ace(struct nb_seg_out *out, uint32_t ace)
{
    out->ae = ace >> 2 & 1;
    out->flags |= (uint8_t)((ace & 3) << 6);
}

/* Write the headers at the start of packet's data, where nb_seg_header_bytes() bytes are already counted in data_len
 * and pkt_len; the payload follows there or in further mbufs of the chain. Sets l3_len, l4_len and, with offload, the
 * flags that make the port compute checksums; without, they are computed here. */
void nb_seg_emit(struct rte_mbuf *packet, const struct nb_seg_out *out, bool offload);

#endif
