/* segment_emit.c - write IP and TCP headers: few wide stores, options in the layout every receiver is fast at.
 *
 * IPv4 packets are never fragmented by us and never to be fragmented by others (DF), so their identification means
 * nothing and is zero (RFC 6864 §4.1).
 */
#include "segment_emit.h"

#include <string.h>

#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "ipv4.h"
#include "tcp_option.h"

/* The option with its kind and length, not padded. */
static unsigned cookie_bytes(const struct nb_cookie *cookie)
{
    return (cookie->experimental ? 4u : 2u) + (unsigned)cookie->bytes;
}

#define OPTIONS_MAX 40u /* RFC 9293 §3.1: the data offset has four bits */

unsigned nb_seg_accecn_bytes(unsigned n)
{
    return (2 + n * NB_OPTION_ACCECN_FIELD_BYTES + 3) & ~3u;
}

static unsigned option_bytes(const struct nb_seg_out *out)
{
    unsigned n = 0;
    if (out->options & NB_SEG_MD5)
        n += NB_OPTION_MD5_PADDED;
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
    if (out->options & NB_SEG_FASTOPEN)
        n += (cookie_bytes(out->cookie) + 3) & ~3u;
    if (out->options & NB_SEG_ACCECN)
        n += nb_seg_accecn_bytes(out->accecn->n);
    return n;
}

unsigned nb_seg_option_space(const struct nb_seg_out *out)
{
    return OPTIONS_MAX - option_bytes(out);
}

unsigned nb_seg_header_bytes(const struct nb_seg_out *out)
{
    return nb_ip_header_bytes(out->key->family) + (unsigned)sizeof(struct rte_tcp_hdr) + option_bytes(out);
}

/* Where the next word goes, and the checksum of those before it: a word is summed up while it is at hand. */
struct writer {
    uint8_t *at;
    uint64_t sum;
};

/* A word in network order. */
static inline void put_raw(struct writer *w, uint32_t v)
{
    memcpy(w->at, &v, sizeof v);
    w->at += sizeof v;
    w->sum += v;
}

static inline void put32(struct writer *w, uint32_t v)
{
    put_raw(w, rte_cpu_to_be_32(v));
}

static void put_sack(struct writer *w, const struct nb_seg_out *out)
{
    put32(w, NB_OPTION_SACK_LEAD | (2u + 8u * out->n_sack));
    for (unsigned i = 0; i < out->n_sack; i++) {
        put32(w, out->sack[i].left);
        put32(w, out->sack[i].right);
    }
}

/* Of an option that was made in one piece. */
static void put_words(struct writer *w, const uint8_t *option, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i += 4) {
        uint32_t word;
        memcpy(&word, option + i, sizeof word);
        put_raw(w, word);
    }
}

static void put_accecn(struct writer *w, const struct nb_accecn_option *o)
{
    uint8_t option[2 + NB_ACCECN_FIELDS * NB_OPTION_ACCECN_FIELD_BYTES + 3], *p = option;
    memset(option, NB_OPTION_NOP, sizeof option);
    *p++ = o->backwards ? NB_OPTION_ACCECN1 : NB_OPTION_ACCECN0;
    *p++ = (uint8_t)(2 + o->n * NB_OPTION_ACCECN_FIELD_BYTES);
    for (unsigned i = 0; i < o->n; i++) {
        uint32_t bytes = o->bytes[o->backwards ? NB_ACCECN_FIELDS - 1 - i : i];
        *p++ = (uint8_t)(bytes >> 16);
        *p++ = (uint8_t)(bytes >> 8);
        *p++ = (uint8_t)bytes;
    }
    put_words(w, option, nb_seg_accecn_bytes(o->n));
}

static void put_cookie(struct writer *w, const struct nb_cookie *cookie)
{
    uint8_t option[4 + NB_SEG_COOKIE_MAX + 3], *p = option;
    unsigned bytes = (cookie_bytes(cookie) + 3) & ~3u;
    memset(option, NB_OPTION_NOP, sizeof option);
    *p++ = cookie->experimental ? NB_OPTION_EXPERIMENT : NB_OPTION_FASTOPEN;
    *p++ = (uint8_t)cookie_bytes(cookie);
    if (cookie->experimental) {
        *p++ = NB_OPTION_EXPERIMENT_FASTOPEN >> 8;
        *p++ = NB_OPTION_EXPERIMENT_FASTOPEN & 0xff;
    }
    memcpy(p, cookie->value, (size_t)cookie->bytes);
    put_words(w, option, bytes);
}

/* Its place; sign() fills it when the rest is there. */
static void put_md5(struct writer *w)
{
    put32(w, NB_OPTION_MD5_LEAD);
    for (unsigned i = 0; i < NB_MD5_DIGEST_BYTES / 4; i++)
        put_raw(w, 0);
}

static inline void put_timestamp(struct writer *w, const struct nb_seg_out *out, uint32_t lead)
{
    put32(w, lead);
    put32(w, out->ts_value);
    put32(w, out->ts_echo);
}

static void put_unusual_options(struct writer *w, const struct nb_seg_out *out)
{
    bool sack_permitted = out->options & NB_SEG_SACK_PERMITTED;
    if (out->options & NB_SEG_MD5) /* the first, where sign() looks for it */
        put_md5(w);
    if (out->options & NB_SEG_MSS)
        put32(w, NB_OPTION_MSS_LEAD << 16 | out->mss);
    if (out->options & NB_SEG_TIMESTAMP)
        put_timestamp(w, out, sack_permitted ? NB_OPTION_SACK_TIMESTAMP_LEAD : NB_OPTION_TIMESTAMP_LEAD);
    else if (sack_permitted)
        put32(w, NB_OPTION_NOP << 24 | NB_OPTION_NOP << 16 | NB_OPTION_SACK_PERMITTED << 8 | 2);
    if (out->options & NB_SEG_WSCALE)
        put32(w, NB_OPTION_WSCALE_LEAD << 8 | out->wscale);
    if (out->options & NB_SEG_SACK)
        put_sack(w, out);
    if (out->options & NB_SEG_FASTOPEN)
        put_cookie(w, out->cookie);
    if (out->options & NB_SEG_ACCECN)
        put_accecn(w, out->accecn);
}

static inline void put_options(struct writer *w, const struct nb_seg_out *out)
{
    if (likely(out->options == NB_SEG_TIMESTAMP))
        put_timestamp(w, out, NB_OPTION_TIMESTAMP_LEAD);
    else if (out->options)
        put_unusual_options(w, out);
}

/* The header's checksum is the rest of its third word. */
static void put_ipv4(struct writer *w, const struct nb_seg_out *out, uint16_t packet_bytes, bool offload)
{
    const struct nb_flow_key *key = out->key;
    uint64_t addresses = (uint64_t)key->local.word[0] + key->remote.word[0];
    put32(w, RTE_IPV4_VHL_DEF << 24 | (uint32_t)out->tos << 16 | packet_bytes);
    put32(w, out->may_fragment ? 0 : RTE_IPV4_HDR_DF_FLAG);
    uint32_t ttl = rte_cpu_to_be_32((uint32_t)(out->ttl ? out->ttl : NB_IPV4_TTL) << 24 | IPPROTO_TCP << 16);
    uint16_t checksum = offload ? 0 : nb_checksum_finish(w->sum + ttl + addresses);
    put_raw(w, ttl | rte_cpu_to_be_32(rte_be_to_cpu_16(checksum)));
    put_raw(w, key->local.word[0]);
    put_raw(w, key->remote.word[0]);
}

static void put_ipv6(struct writer *w, const struct nb_seg_out *out, uint16_t l4_bytes)
{
    const struct nb_flow_key *key = out->key;
    put32(w, 6u << 28 | (uint32_t)out->tos << 20);
    put32(w, (uint32_t)l4_bytes << 16 | IPPROTO_TCP << 8 | (out->ttl ? out->ttl : NB_IPV4_TTL));
    for (unsigned i = 0; i < 4; i++)
        put_raw(w, key->local.word[i]);
    for (unsigned i = 0; i < 4; i++)
        put_raw(w, key->remote.word[i]);
}

/* Everything but the checksum, whose field is left zero; returns the length. The fourth word tells the length, so it is
 * written last. */
static unsigned put_tcp(struct writer *w, const struct nb_seg_out *out)
{
    uint8_t *start = w->at;
    put32(w, (uint32_t)out->key->local_port << 16 | out->key->remote_port);
    put32(w, out->seq);
    put32(w, out->ack);
    struct writer fourth = *w;
    w->at += 4;
    put32(w, out->urgent); /* and the checksum */
    put_options(w, out);
    unsigned bytes = (unsigned)(w->at - start);
    fourth.sum = w->sum;
    put32(&fourth, bytes / 4 << 28 | (uint32_t)out->ae << 24 | (uint32_t)out->flags << 16 | out->window);
    w->sum = fourth.sum;
    return bytes;
}

static uint64_t sum_of_payload(const struct rte_mbuf *packet, unsigned header_bytes, uint64_t sum)
{
    uint32_t n = packet->pkt_len - header_bytes, here = packet->data_len - header_bytes;
    if (here)
        sum = nb_checksum_join(
            sum, nb_checksum_add(0, rte_pktmbuf_mtod_offset(packet, const uint8_t *, header_bytes), here));
    return n > here ? nb_checksum_join(sum, nb_checksum_add_mbuf(0, packet, packet->data_len, n - here)) : sum;
}

/* Sign the segment whose headers are at the start of packet's data; the signature's part of the checksum. */
static __rte_noinline __rte_cold uint64_t sign(struct rte_mbuf *packet, const struct nb_seg_out *out, unsigned l3_bytes,
                                               unsigned tcp_bytes)
{
    const struct nb_md5_segment segment = {
        .m = packet, .header = l3_bytes, .header_bytes = tcp_bytes, .n = packet->pkt_len - l3_bytes - tcp_bytes};
    uint8_t *digest = rte_pktmbuf_mtod_offset(packet, uint8_t *, l3_bytes + sizeof(struct rte_tcp_hdr) + 4);
    nb_md5_digest(digest, out->key, NB_MD5_LOCAL, &segment, out->md5);
    return nb_checksum_add(0, digest, NB_MD5_DIGEST_BYTES);
}

void nb_seg_emit(struct rte_mbuf *packet, const struct nb_seg_out *out, bool offload)
{
    const struct nb_flow_key *key = out->key;
    bool ipv4 = key->family == NB_FAMILY_IPV4;
    unsigned l3_bytes = nb_ip_header_bytes(key->family);
    uint16_t l4_bytes = (uint16_t)(packet->pkt_len - l3_bytes);
    struct writer l3 = {.at = rte_pktmbuf_mtod(packet, uint8_t *)};
    struct writer l4 = {.at = l3.at + l3_bytes};
    struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)l4.at;

    if (ipv4)
        put_ipv4(&l3, out, (uint16_t)packet->pkt_len, offload);
    else
        put_ipv6(&l3, out, l4_bytes);
    unsigned tcp_header_bytes = put_tcp(&l4, out);
    if (unlikely(out->options & NB_SEG_MD5))
        l4.sum = nb_checksum_join(l4.sum, sign(packet, out, l3_bytes, tcp_header_bytes));
    packet->l2_len = 0;
    packet->l3_len = l3_bytes;
    packet->l4_len = tcp_header_bytes;
    uint64_t pseudo = nb_checksum_pseudo(key, l4_bytes);
    if (offload) { /* the port adds header and payload to the pseudo header's sum */
        packet->ol_flags |=
            (ipv4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6) | RTE_MBUF_F_TX_TCP_CKSUM;
        tcp->cksum = nb_checksum_fold(pseudo);
    } else {
        tcp->cksum = nb_checksum_finish(sum_of_payload(packet, l3_bytes + tcp_header_bytes, l4.sum + pseudo));
    }
}
