/* segment.c - read a TCP header and its options (RFC 9293 §3.1, RFC 7323, RFC 2018) into struct nb_seg.
 *
 * Everything here comes from the wire: each length is checked before it is used. An option with an impossible length
 * ends the option list; what was read before it counts (RFC 9293 §3.2: be robust against malformed options).
 */
#include "segment.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "tcp_option.h"

#define HEADER_BYTES     ((unsigned)sizeof(struct rte_tcp_hdr))
#define HEADER_BYTES_MAX 60u /* data offset is four bits of 32-bit words */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return rte_be_to_cpu_32(v);
}

static void read_mss(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    if (bytes != 2 || !(seg->flags & NB_TCP_SYN))
        return;
    seg->mss = get16(value);
    seg->options |= NB_SEG_MSS;
}

static void read_wscale(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    if (bytes != 1 || !(seg->flags & NB_TCP_SYN))
        return;
    seg->wscale = RTE_MIN(value[0], NB_WSCALE_MAX);
    seg->options |= NB_SEG_WSCALE;
}

static void read_sack_permitted(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    (void)value;
    if (bytes == 0 && seg->flags & NB_TCP_SYN)
        seg->options |= NB_SEG_SACK_PERMITTED;
}

static inline void read_timestamp(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    if (bytes != 8)
        return;
    seg->ts_value = get32(value);
    seg->ts_echo = get32(value + 4);
    seg->options |= NB_SEG_TIMESTAMP;
}

static void read_sack(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    if (bytes == 0 || bytes % 8 != 0 || bytes / 8 > NB_SEG_SACK_MAX)
        return;
    seg->n_sack = (uint8_t)(bytes / 8);
    for (unsigned i = 0; i < seg->n_sack; i++) {
        seg->sack[i].left = get32(value + 8 * i);
        seg->sack[i].right = get32(value + 8 * i + 4);
    }
    seg->options |= NB_SEG_SACK;
}

static void read_cookie(struct nb_seg *seg, const uint8_t *value, unsigned bytes, bool experimental)
{
    /* RFC 7413 §4.1.1: 4 to 16 bytes, even; none is a request */
    if (!(seg->flags & NB_TCP_SYN) || bytes > NB_SEG_COOKIE_MAX || bytes % 2 || (bytes && bytes < 4))
        return;
    seg->cookie = (struct nb_cookie){.bytes = (int8_t)bytes, .experimental = experimental};
    memcpy(seg->cookie.value, value, bytes);
    seg->options |= NB_SEG_FASTOPEN;
}

static void read_fastopen(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    read_cookie(seg, value, bytes, false);
}

static void read_experiment(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    if (bytes >= 2 && get16(value) == NB_OPTION_EXPERIMENT_FASTOPEN)
        read_cookie(seg, value + 2, bytes - 2, true);
}

/* RFC 9768 §3.2.3: whole fields count, whatever the length. */
static void read_accecn(struct nb_seg *seg, const uint8_t *value, unsigned bytes, bool backwards)
{
    struct nb_accecn_option *o = &seg->accecn;
    *o = (struct nb_accecn_option){.n = (uint8_t)RTE_MIN(bytes / NB_OPTION_ACCECN_FIELD_BYTES, NB_ACCECN_FIELDS + 0u),
                                   .backwards = backwards};
    for (unsigned i = 0; i < o->n; i++, value += NB_OPTION_ACCECN_FIELD_BYTES)
        o->bytes[backwards ? NB_ACCECN_FIELDS - 1 - i : i] = (uint32_t)get16(value) << 8 | value[2];
    seg->options |= NB_SEG_ACCECN;
}

static void read_accecn0(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    read_accecn(seg, value, bytes, false);
}

static void read_accecn1(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    read_accecn(seg, value, bytes, true);
}

static void read_md5(struct nb_seg *seg, const uint8_t *value, unsigned bytes)
{
    if (bytes != NB_MD5_DIGEST_BYTES)
        return;
    memcpy(seg->md5, value, bytes);
    seg->md5_key = 0;
    seg->options |= NB_SEG_MD5;
}

/* Kinds we read, by number. */
static void (*const readers[])(struct nb_seg *seg, const uint8_t *value, unsigned bytes) = {
    [NB_OPTION_MSS] = read_mss,
    [NB_OPTION_WSCALE] = read_wscale,
    [NB_OPTION_SACK_PERMITTED] = read_sack_permitted,
    [NB_OPTION_SACK] = read_sack,
    [NB_OPTION_TIMESTAMP] = read_timestamp,
    [NB_OPTION_MD5] = read_md5,
    [NB_OPTION_FASTOPEN] = read_fastopen,
    [NB_OPTION_ACCECN0] = read_accecn0,
    [NB_OPTION_ACCECN1] = read_accecn1,
    [NB_OPTION_EXPERIMENT] = read_experiment,
};

/* The layout of Linux's SYN, and ours: MSS, SACK-permitted, timestamp, NOP, window scale. */
static bool read_usual_syn(struct nb_seg *seg, const uint8_t *p, unsigned n)
{
    if (n != NB_OPTIONS_SYN_BYTES || !(seg->flags & NB_TCP_SYN) || get16(p) != NB_OPTION_MSS_LEAD ||
        get32(p + 4) != NB_OPTION_SACK_TIMESTAMP_LEAD || get32(p + 16) >> 8 != NB_OPTION_WSCALE_LEAD)
        return false;
    read_mss(seg, p + 2, 2);
    read_sack_permitted(seg, p + 6, 0);
    read_timestamp(seg, p + 8, 8);
    read_wscale(seg, p + 19, 1);
    return true;
}

static void read_options(struct nb_seg *seg, const uint8_t *p, unsigned n)
{
    if (n == NB_OPTION_TIMESTAMP_PADDED && get32(p) == NB_OPTION_TIMESTAMP_LEAD) { /* nearly every segment */
        read_timestamp(seg, p + 4, 8);
        return;
    }
    if (read_usual_syn(seg, p, n))
        return;
    seg->md5_header_bytes = (uint8_t)(HEADER_BYTES + n);
    while (n > 0 && p[0] != NB_OPTION_END) {
        if (p[0] == NB_OPTION_NOP) {
            p++, n--;
            continue;
        }
        if (n < 2 || p[1] < 2 || p[1] > n)
            return;
        if (p[0] < RTE_DIM(readers) && readers[p[0]])
            readers[p[0]](seg, p + 2, p[1] - 2u);
        n -= p[1];
        p += p[1];
    }
}

static void read_header(struct nb_seg *seg, const uint8_t *p)
{
    seg->key.remote_port = get16(p);
    seg->key.local_port = get16(p + 2);
    seg->seq = get32(p + 4);
    seg->ack = get32(p + 8);
    seg->ae = p[12] & 1;
    seg->flags = p[13];
    seg->window = get16(p + 14);
    seg->urgent = get16(p + 18);
    seg->options = 0;
    seg->n_sack = 0;
    seg->cookie.bytes = -1;
}

static bool checksum_ok(const struct nb_seg *seg, const struct rte_mbuf *m, uint16_t l4_offset, uint32_t l4_bytes)
{
    uint64_t sum = nb_checksum_pseudo(&seg->key, l4_bytes);
    if (m->data_len >= l4_offset + l4_bytes)
        sum = nb_checksum_add(sum, rte_pktmbuf_mtod_offset(m, const uint8_t *, l4_offset), l4_bytes);
    else
        sum = nb_checksum_add_mbuf(sum, m, l4_offset, l4_bytes);
    return nb_checksum_fold(sum) == 0xffff;
}

int nb_seg_parse(struct nb_seg *seg, struct rte_mbuf *m, uint16_t l4_offset, uint32_t l4_bytes, bool verify)
{
    uint8_t copy[HEADER_BYTES_MAX];
    if (l4_bytes < HEADER_BYTES || l4_offset + l4_bytes > rte_pktmbuf_pkt_len(m))
        return NB_COUNTER_DROP_MALFORMED;
    const uint8_t *p = rte_pktmbuf_read(m, l4_offset, RTE_MIN(l4_bytes, HEADER_BYTES_MAX), copy);
    if (!p)
        return NB_COUNTER_DROP_MALFORMED;
    unsigned header_bytes = p[12] >> 4 << 2;
    if (header_bytes < HEADER_BYTES || header_bytes > l4_bytes || l4_offset + header_bytes > UINT16_MAX)
        return NB_COUNTER_DROP_MALFORMED;
    if (verify && !checksum_ok(seg, m, l4_offset, l4_bytes))
        return NB_COUNTER_DROP_BAD_CHECKSUM;
    read_header(seg, p);
    if (seg->key.remote_port == 0 || seg->key.local_port == 0) /* reserved, no connection can have it (RFC 6335 §6) */
        return NB_COUNTER_DROP_MALFORMED;
    seg->m = m;
    seg->payload_offset = (uint16_t)(l4_offset + header_bytes);
    seg->payload_bytes = l4_bytes - header_bytes;
    seg->joined = 0;
    if (header_bytes > HEADER_BYTES)
        read_options(seg, p + HEADER_BYTES, header_bytes - HEADER_BYTES);
    return 0;
}
