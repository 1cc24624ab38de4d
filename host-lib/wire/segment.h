/* segment.h - a received TCP segment in host byte order, and how to get one from a packet.
 *
 * The parser checks lengths and (where the port did not) checksums, and reads the options; it changes nothing in the
 * packet. The segment borrows the mbuf until someone takes it.
 */
#ifndef NB_WIRE_SEGMENT_H
#define NB_WIRE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/counters.h>
#include <netbypass/flow.h>

#include "../tcp/seq.h"
#include "md5.h"

struct rte_mbuf;

enum nb_tcp_flag {
    NB_TCP_FIN = 0x01,
    NB_TCP_SYN = 0x02,
    NB_TCP_RST = 0x04,
    NB_TCP_PSH = 0x08,
    NB_TCP_ACK = 0x10,
    NB_TCP_URG = 0x20,
    NB_TCP_ECE = 0x40,
    NB_TCP_CWR = 0x80,
};

enum nb_seg_option {
    NB_SEG_MSS = 1 << 0,
    NB_SEG_WSCALE = 1 << 1,
    NB_SEG_SACK_PERMITTED = 1 << 2,
    NB_SEG_TIMESTAMP = 1 << 3,
    NB_SEG_SACK = 1 << 4,
    NB_SEG_FASTOPEN = 1 << 5,
    NB_SEG_MD5 = 1 << 6, /* RFC 2385 */
    NB_SEG_ACCECN = 1 << 7,
};

#define NB_SEG_SACK_MAX 4 /* blocks: all that fits 40 bytes of options (RFC 2018 §3) */

#define NB_SEG_COOKIE_MAX 16 /* RFC 7413 §4.1.1 */

/* A Fast Open cookie, or its place. */
struct nb_cookie {
    int8_t bytes;      /* 0: a request for one; -1: the option is not there */
    bool experimental; /* in the option that preceded RFC 7413 */
    uint8_t value[NB_SEG_COOKIE_MAX];
};

/* How many bytes of payload have arrived with each codepoint (RFC 9768 §3.2.3), 24 bits of each number. */
enum nb_accecn_field { NB_ACCECN_ECT0, NB_ACCECN_CE, NB_ACCECN_ECT1, NB_ACCECN_FIELDS };
struct nb_accecn_option {
    uint8_t n;      /* numbers that are there: the first in the order above, */
    bool backwards; /* or the last */
    uint32_t bytes[NB_ACCECN_FIELDS];
};

struct nb_seg {
    struct rte_mbuf *m; /* the packet; NULL once its data was taken */
    struct nb_flow_key key;
    uint32_t hash; /* of the key, as the flow table uses it */
    nb_seq_t seq, ack;
    uint16_t payload_offset; /* from the start of the mbuf's data */
    uint16_t window;         /* unscaled */
    uint32_t payload_bytes;
    uint16_t joined; /* segments that were joined to it, whose payload is counted above (tcp/row.h) */
    uint8_t flags;   /* enum nb_tcp_flag */
    uint8_t options; /* enum nb_seg_option: which of the following were there */
    uint8_t wscale;
    uint8_t n_sack;
    uint8_t ecn; /* the IP header's two bits; the caller of nb_seg_parse fills it */
    uint8_t ae;  /* the flag AE (RFC 9768), 0 or 1 */
    uint16_t mss;
    uint16_t urgent;
    uint32_t ts_value, ts_echo;
    struct nb_seq_range sack[NB_SEG_SACK_MAX];
    struct nb_cookie cookie;        /* bytes is -1 without NB_SEG_FASTOPEN */
    struct nb_accecn_option accecn; /* with NB_SEG_ACCECN */

    /* Only with NB_SEG_MD5: */
    uint8_t md5_header_bytes; /* of the TCP header */
    uint8_t md5[NB_MD5_DIGEST_BYTES];
    uint32_t md5_key; /* that it was found to be signed with (tcp/md5.h) */
};

/* Sequence space the segment occupies: payload, SYN and FIN (RFC 9293 §3.4). */
static inline uint32_t nb_seg_len(const struct nb_seg *s)
{
    return s->payload_bytes + ((s->flags & NB_TCP_SYN) != 0) + ((s->flags & NB_TCP_FIN) != 0);
}

/* AE, CWR and ECE read as one number: RFC 9768's field ACE. */
static inline uint8_t nb_seg_ace(const struct nb_seg *s)
{
    return (uint8_t)(s->ae << 2 | s->flags >> 6);
}

/* Parse the TCP header at data offset l4_offset of m, whose L4 part is l4_bytes long; seg->key's addresses, family and
 * VLAN are already filled by the caller, its ports are filled here. With verify, the checksum is computed over pseudo
 * header, header and payload (mbuf chains too). Returns 0, or the drop reason as a positive enum nb_counter. */
int nb_seg_parse(struct nb_seg *seg, struct rte_mbuf *m, uint16_t l4_offset, uint32_t l4_bytes, bool verify);

#endif
