/* rsc_segment.c - is a received frame a TCP segment that can be coalesced (7.11.1), and which?
 *
 * Can be: TCP over IPv4 without options or IPv6 without extension headers, no fragment, checksums good, with payload,
 * flags ACK and PSH only, no TCP option but the time stamp in its usual place, no congestion mark.
 */
#include <string.h>

#include "model.h"

#define TCP_BYTES       20
#define TIMESTAMP_BYTES 12
#define TCP_PSH         0x08
#define TCP_ACK         0x10
#define ECN_CE          3

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct i82599_rsc_flow flow_of(const struct i82599_rx_frame *frame, const struct sim_frame *parsed)
{
    struct i82599_rsc_flow flow = {.queue = frame->queue, .ip_version = parsed->ip_version};

    flow.vlan = parsed->vlan ? parsed->tci : frame->vlan;
    memcpy(flow.addresses, parsed->src, 2 * parsed->address_bytes); /* the destination follows the source */
    memcpy(&flow.ports, parsed->l4_header, sizeof flow.ports);
    return flow;
}

static bool congestion_marked(const struct sim_frame *f)
{
    unsigned traffic_class = f->ip_version == 4 ? f->l3[1] : (f->l3[0] << 4 | f->l3[1] >> 4) & 0xff;

    return (traffic_class & ECN_CE) == ECN_CE;
}

/* Time stamps as everybody sends them: NOP, NOP, kind 8, length 10 (RFC 7323, appendix A). */
static bool dissect_options(const uint8_t *tcp, size_t header_bytes, struct i82599_rsc_segment *s)
{
    static const uint8_t aligned[] = {1, 1, 8, 10};

    if (header_bytes == TCP_BYTES)
        return true;
    if (header_bytes != TCP_BYTES + TIMESTAMP_BYTES || memcmp(tcp + TCP_BYTES, aligned, sizeof aligned) != 0)
        return false;
    s->timestamp = tcp + TCP_BYTES + sizeof aligned;
    return true;
}

enum i82599_rsc_kind i82599_rsc_dissect(const struct i82599_rx_frame *frame, struct i82599_rsc_segment *s)
{
    struct sim_frame f;

    sim_parse(&f, frame->bytes, frame->n);
    if (f.l4 != SIM_L4_TCP)
        return RSC_OTHER;
    const uint8_t *tcp = f.l4_header;
    size_t header_bytes = (size_t)(tcp[12] >> 4) * 4;
    *s = (struct i82599_rsc_segment){.flow = flow_of(frame, &f), .frame = frame, .flags = f.tcp_flags};
    if (!frame->sound || f.ip_options || congestion_marked(&f) || (f.tcp_flags & ~TCP_PSH) != TCP_ACK ||
        header_bytes < TCP_BYTES || header_bytes >= f.l4_bytes || !dissect_options(tcp, header_bytes, s))
        return RSC_PLAIN;
    s->ip_offset = (size_t)(f.l3 - frame->bytes);
    s->tcp_offset = (size_t)(tcp - frame->bytes);
    s->payload_offset = s->tcp_offset + header_bytes;
    s->payload_bytes = f.l4_bytes - header_bytes;
    s->seq = get32(tcp + 4);
    s->ack = get32(tcp + 8);
    s->window = (uint16_t)(tcp[14] << 8 | tcp[15]);
    return RSC_CANDIDATE;
}
