/* offload.c - what a transmit context descriptor asks for: checksums (7.2.5) and TCP segmentation (7.2.4).
 *
 * The device knows no packet, only the lengths in the context: MAC header, IP header, L4 header. The driver must have
 * prepared the packet as the datasheet says: IP checksum zero, L4 checksum holding the sum of the pseudo-header
 * (without the length when segmenting). What it left there is part of the sum, as on silicon, so a badly prepared
 * packet leaves with a bad checksum.
 */
#include <string.h>

#include "../../checksum.h"
#include "model.h"

#define L4T_UDP 0
#define L4T_TCP 1

#define IPV4_LENGTH_AT   2
#define IPV4_ID_AT       4
#define IPV4_CHECKSUM_AT 10
#define IPV6_LENGTH_AT   4
#define IPV6_BYTES       40
#define TCP_SEQ_AT       4
#define TCP_FLAGS_AT     12
#define TCP_CHECKSUM_AT  16
#define TCP_BYTES        20
#define UDP_CHECKSUM_AT  6
#define TCP_FLAGS        0xfff /* the masks cover reserved bits too */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put_checksum(uint8_t *at, const uint8_t *from, size_t n)
{
    put16(at, (uint16_t)~sim_checksum_fold(sim_checksum_add(0, from, n)));
}

/* Insert the checksums asked for. False: the context does not fit the frame, or names an L4 the device model lacks. */
bool i82599_offload_checksums(uint8_t *frame, size_t n, const struct i82599_tx_context *context, bool ip, bool l4)
{
    size_t ip_at = context->mac_bytes, l4_at = ip_at + context->ip_bytes;
    size_t checksum_at = l4_at + (context->l4type == L4T_TCP ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT);

    if ((ip && (context->ip_bytes < IPV4_CHECKSUM_AT + 2 || l4_at > n)) || (l4 && checksum_at + 2 > n))
        return false;
    if (ip && context->ipv4)
        put_checksum(frame + ip_at + IPV4_CHECKSUM_AT, frame + ip_at, context->ip_bytes);
    if (l4) {
        put_checksum(frame + checksum_at, frame + l4_at, n - l4_at);
        if (context->l4type == L4T_UDP && get16(frame + checksum_at) == 0)
            put16(frame + checksum_at, 0xffff); /* RFC 768: zero means none */
    }
    return true;
}

/* What a legacy descriptor asks for: the checksum of the bytes from `from` to the end, stored at `to`. False: that is
 * not within the frame. */
bool i82599_offload_sum(uint8_t *frame, size_t n, size_t from, size_t to)
{
    if (from >= n || to + 2 > n)
        return false;
    put_checksum(frame + to, frame + from, n - from);
    return true;
}

/* Check that n bytes of headers and payload can be cut as the context says. */
bool i82599_tso_begin(struct i82599_tso *tso, const uint8_t *frame, size_t n, const struct i82599_tx_context *context)
{
    *tso = (struct i82599_tso){
        .context = *context,
        .frame = frame,
        .n = n,
        .header_bytes = context->mac_bytes + context->ip_bytes + context->l4_bytes,
    };
    return context->l4type == L4T_TCP && context->mss && context->l4_bytes >= TCP_BYTES &&
           context->ip_bytes >= (context->ipv4 ? 20 : IPV6_BYTES) && tso->header_bytes <= n &&
           tso->header_bytes + context->mss <= TX_WIRE_MAX;
}

static void set_ip_header(uint8_t *ip, const struct i82599_tso *tso, size_t payload)
{
    const struct i82599_tx_context *context = &tso->context;
    size_t total = context->ip_bytes + context->l4_bytes + payload;

    if (context->ipv4) {
        put16(ip + IPV4_LENGTH_AT, (uint32_t)total);
        put16(ip + IPV4_ID_AT, get16(ip + IPV4_ID_AT) + tso->index);
    } else {
        put16(ip + IPV6_LENGTH_AT, (uint32_t)(total - IPV6_BYTES));
    }
}

/* FIN and PSH belong to the last segment, CWR to the first; the masks are programmable (8.2.3.9.3). */
static uint32_t flags_kept(struct sim_device *dev, bool first, bool last)
{
    uint32_t low = *i82599_reg(dev, REG_DTXTCPFLGL), high = *i82599_reg(dev, REG_DTXTCPFLGH);

    if (first && last)
        return TCP_FLAGS;
    return (first ? low : last ? high : low >> 16) & TCP_FLAGS;
}

static void set_tcp_header(struct sim_device *dev, uint8_t *tcp, const struct i82599_tso *tso, size_t payload)
{
    uint32_t seq = (uint32_t)get16(tcp + TCP_SEQ_AT) << 16 | get16(tcp + TCP_SEQ_AT + 2);
    bool last = tso->header_bytes + tso->done + payload == tso->n;
    uint16_t word = get16(tcp + TCP_FLAGS_AT);

    seq += (uint32_t)tso->done;
    put16(tcp + TCP_SEQ_AT, seq >> 16);
    put16(tcp + TCP_SEQ_AT + 2, seq & 0xffff);
    put16(tcp + TCP_FLAGS_AT, (word & ~TCP_FLAGS) | (word & flags_kept(dev, tso->index == 0, last)));
    /* The pseudo-header's sum was given without the length. */
    uint32_t sum = get16(tcp + TCP_CHECKSUM_AT) + (uint32_t)(tso->context.l4_bytes + payload);
    put16(tcp + TCP_CHECKSUM_AT, (sum & 0xffff) + (sum >> 16));
}

/* Build the next segment, checksums not yet inserted; returns its length, 0 after the last one. A request without
 * payload is one segment. */
size_t i82599_tso_next(struct sim_device *dev, struct i82599_tso *tso, uint8_t *segment)
{
    size_t left = tso->n - tso->header_bytes - tso->done;
    size_t payload = left < tso->context.mss ? left : tso->context.mss;

    if (!left && tso->index)
        return 0;
    memcpy(segment, tso->frame, tso->header_bytes);
    memcpy(segment + tso->header_bytes, tso->frame + tso->header_bytes + tso->done, payload);
    set_ip_header(segment + tso->context.mac_bytes, tso, payload);
    set_tcp_header(dev, segment + tso->context.mac_bytes + tso->context.ip_bytes, tso, payload);
    tso->done += payload;
    tso->index++;
    return tso->header_bytes + payload;
}
