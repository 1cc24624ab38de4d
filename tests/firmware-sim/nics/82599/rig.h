/* rig.h - a bench for one simulated 82599: a test plays the driver through registers and rings in a piece of memory
 * that is all the device can reach, and plays the wire.
 *
 * The driver's memory appears on the bus at RIG_BUS. Ring i of a kind and its buffers have fixed places in it:
 *
 *   rx_ring(q), tx_ring(q)      RIG_RING descriptors each
 *   rx_buffer(q, i)             RIG_BUFFER bytes for descriptor i
 *   tx_data(rig)                scratch for frames to send
 */
#ifndef RIG_H
#define RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device.h"
#include "nics/82599/registers.h"

#define RIG_BUS    0x100000000ull
#define RIG_MEMORY (4u << 20)
#define RIG_QUEUES 16
#define RIG_RING   32 /* descriptors */
#define RIG_BUFFER 2048
#define RIG_SENT   64 /* frames kept from the wire */

#define RIG_MAC                                                                                                        \
    {                                                                                                                  \
        0x02, 0x82, 0x59, 0x90, 0x00, 0x01                                                                             \
    }

struct rig {
    const struct sim_device_ops *ops;
    struct sim_device *dev;
    uint8_t *memory;
    unsigned interrupts, ready;
    uint64_t now_ns;
    struct sim_verdict looped; /* of the last frame that came back */
    bool tracing;
    char trace[512];
    unsigned traced;
    unsigned sent;
    unsigned sent_queue[RIG_SENT];
    size_t sent_bytes[RIG_SENT];
    uint8_t sent_frame[RIG_SENT][16384];
};

struct rx_descriptor {
    uint32_t info, hash, status;
    uint16_t length, vlan;
};

struct tx_descriptor {
    uint64_t address;
    uint32_t command, options;
};

/* --- the host -------------------------------------------------------------------------------------------------------
 */

static inline void *rig_dma(void *arg, uint64_t iova, size_t n)
{
    struct rig *rig = arg;

    if (iova < RIG_BUS || n > RIG_MEMORY || iova - RIG_BUS > RIG_MEMORY - n)
        return NULL;
    return rig->memory + (iova - RIG_BUS);
}

static inline void rig_interrupt(void *arg)
{
    ((struct rig *)arg)->interrupts++;
}

static inline void rig_wire_tx(void *arg, unsigned queue, const void *frame, size_t n)
{
    struct rig *rig = arg;

    rig->sent_queue[rig->sent % RIG_SENT] = queue;
    assert_in_range(n, 1, sizeof rig->sent_frame[0]);
    rig->sent_bytes[rig->sent % RIG_SENT] = n;
    memcpy(rig->sent_frame[rig->sent++ % RIG_SENT], frame, n);
}

static inline void rig_loopback(void *arg, const void *frame, size_t n)
{
    struct rig *rig = arg;

    rig->looped = rig->ops->rx_classify(rig->dev, frame, n);
}

static inline void rig_tx_ready(void *arg)
{
    ((struct rig *)arg)->ready++;
}

static inline bool rig_tracing(void *arg)
{
    return ((struct rig *)arg)->tracing;
}

static inline void rig_trace(void *arg, const char *line)
{
    struct rig *rig = arg;

    rig->traced++;
    strncpy(rig->trace, line, sizeof rig->trace - 1);
}

static inline uint64_t rig_now_ns(void *arg)
{
    return ((struct rig *)arg)->now_ns;
}

static inline struct rig *rig_new(void)
{
    static const struct sim_device_config config = {.queues = RIG_QUEUES, .mac = RIG_MAC};
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    rig->memory = aligned_alloc(4096, RIG_MEMORY);
    assert_non_null(rig->memory);
    memset(rig->memory, 0, RIG_MEMORY);
    const struct sim_host host = {
        .arg = rig,
        .dma = rig_dma,
        .interrupt = rig_interrupt,
        .wire_tx = rig_wire_tx,
        .loopback = rig_loopback,
        .tx_ready = rig_tx_ready,
        .tracing = rig_tracing,
        .trace = rig_trace,
        .now_ns = rig_now_ns,
    };
    rig->ops = &sim_82599_ops;
    rig->dev = rig->ops->create(&config, &host);
    assert_non_null(rig->dev);
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    rig->ops->destroy(rig->dev);
    free(rig->memory);
    free(rig);
}

/* cmocka fixtures */
static inline int rig_setup(void **state)
{
    *state = rig_new();
    return 0;
}

static inline int rig_teardown(void **state)
{
    rig_free(*state);
    return 0;
}

/* --- registers ------------------------------------------------------------------------------------------------------
 */

static inline uint32_t rd(struct rig *rig, uint32_t offset)
{
    return rig->ops->mmio_read(rig->dev, offset);
}

static inline void wr(struct rig *rig, uint32_t offset, uint32_t value)
{
    rig->ops->mmio_write(rig->dev, offset, value);
}

static inline uint32_t rx_reg(unsigned queue, uint32_t which)
{
    return (queue < 64 ? REG_RX_QUEUE + queue * RX_QUEUE_STRIDE : REG_RX_QUEUE_64 + (queue - 64) * RX_QUEUE_STRIDE) +
           which;
}

static inline uint32_t tx_reg(unsigned queue, uint32_t which)
{
    return REG_TX_QUEUE + queue * TX_QUEUE_STRIDE + which;
}

struct rig_line {
    const char *start;
    unsigned long long value;
    bool seen;
};

static inline void rig_match_line(void *arg, const char *text)
{
    struct rig_line *line = arg;
    size_t n = strlen(line->start);

    if (strncmp(text, line->start, n) == 0 && (text[n] == ':' || !text[n])) {
        line->value = text[n] ? strtoull(text + n + 1, NULL, 10) : 0;
        line->seen = true;
    }
}

/* The model's own count of a kind of drop, by its text. */
static inline unsigned long long drops(struct rig *rig, const char *kind)
{
    struct rig_line line = {.start = kind};

    assert_int_equal(rig->ops->print_table(rig->dev, "drops", rig_match_line, &line), 0);
    assert_true(line.seen);
    return line.value;
}

/* --- memory layout --------------------------------------------------------------------------------------------------
 */

static inline uint64_t rx_ring_at(unsigned queue)
{
    return queue * RIG_RING * 16u;
}

static inline uint64_t tx_ring_at(unsigned queue)
{
    return 0x10000 + queue * RIG_RING * 16u;
}

static inline uint64_t rx_buffer_at(unsigned queue, unsigned i)
{
    return 0x100000 + (queue * RIG_RING + i) * (uint64_t)RIG_BUFFER;
}

#define TX_DATA_AT  0x20000u
#define TX_DATA_MAX 0x60000u

static inline uint8_t *rx_buffer(struct rig *rig, unsigned queue, unsigned i)
{
    return rig->memory + rx_buffer_at(queue, i);
}

static inline uint8_t *tx_data(struct rig *rig)
{
    return rig->memory + TX_DATA_AT;
}

static inline struct rx_descriptor rx_desc(struct rig *rig, unsigned queue, unsigned i)
{
    struct rx_descriptor d;

    memcpy(&d, rig->memory + rx_ring_at(queue) + i * 16u, sizeof d);
    return d;
}

static inline struct tx_descriptor tx_desc(struct rig *rig, unsigned queue, unsigned i)
{
    struct tx_descriptor d;

    memcpy(&d, rig->memory + tx_ring_at(queue) + i * 16u, sizeof d);
    return d;
}

static inline void put_tx_desc(struct rig *rig, unsigned queue, unsigned i, struct tx_descriptor d)
{
    memcpy(rig->memory + tx_ring_at(queue) + i * 16u, &d, sizeof d);
}

/* --- starting -------------------------------------------------------------------------------------------------------
 */

static inline void rig_refill(struct rig *rig, unsigned queue)
{
    for (unsigned i = 0; i < RIG_RING; i++) {
        uint64_t qword[2] = {RIG_BUS + rx_buffer_at(queue, i), 0};
        memcpy(rig->memory + rx_ring_at(queue) + i * 16u, qword, sizeof qword);
    }
}

static inline void rig_start_rx(struct rig *rig, unsigned queue)
{
    uint64_t base = RIG_BUS + rx_ring_at(queue);

    rig_refill(rig, queue);
    wr(rig, rx_reg(queue, RXQ_RDBAL), (uint32_t)base);
    wr(rig, rx_reg(queue, RXQ_RDBAH), (uint32_t)(base >> 32));
    wr(rig, rx_reg(queue, RXQ_RDLEN), RIG_RING * 16);
    wr(rig, rx_reg(queue, RXQ_SRRCTL), SRRCTL_ADV_ONEBUF | 2 | SRRCTL_DROP_EN);
    wr(rig, rx_reg(queue, RXQ_RXDCTL), QUEUE_ENABLE);
    wr(rig, rx_reg(queue, RXQ_RDH), 0);
    wr(rig, rx_reg(queue, RXQ_RDT), RIG_RING - 1);
}

static inline void rig_start_tx(struct rig *rig, unsigned queue)
{
    uint64_t base = RIG_BUS + tx_ring_at(queue);

    wr(rig, tx_reg(queue, TXQ_TDBAL), (uint32_t)base);
    wr(rig, tx_reg(queue, TXQ_TDBAH), (uint32_t)(base >> 32));
    wr(rig, tx_reg(queue, TXQ_TDLEN), RIG_RING * 16);
    wr(rig, tx_reg(queue, TXQ_TDH), 0);
    wr(rig, tx_reg(queue, TXQ_TDT), 0);
    wr(rig, tx_reg(queue, TXQ_TXDCTL), QUEUE_ENABLE);
}

/* What a driver's start leaves behind, in short: rings up, CRC stripped, broadcast accepted, receiver on. */
static inline void rig_start(struct rig *rig)
{
    for (unsigned q = 0; q < RIG_QUEUES; q++) {
        rig_start_rx(rig, q);
        rig_start_tx(rig, q);
    }
    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) | HLREG0_RXCRCSTRP | HLREG0_TXPADEN);
    wr(rig, REG_RDRXCTL, rd(rig, REG_RDRXCTL) | RDRXCTL_CRCSTRIP);
    wr(rig, REG_FCTRL, FCTRL_BAM);
    wr(rig, REG_RXCSUM, RXCSUM_PCSD);
    wr(rig, REG_DMATXCTL, DMATXCTL_TE);
    wr(rig, REG_RXCTRL, RXCTRL_RXEN);
}

static inline int rig_setup_started(void **state)
{
    *state = rig_new();
    rig_start(*state);
    return 0;
}

/* --- frames ---------------------------------------------------------------------------------------------------------
 */

struct packet {
    uint32_t src, dst; /* host order */
    uint16_t sport, dport;
    uint8_t protocol;   /* 6 unless set */
    uint8_t tcp_flags;  /* ACK unless set */
    uint16_t fragment;  /* the header's flags and offset field */
    uint16_t vlan;      /* tag, when not zero */
    size_t payload;     /* bytes after the L4 header */
    uint8_t first_byte; /* of the payload, to tell frames apart */
    bool no_udp_checksum;
    bool ipv6; /* addresses are fd99::src and fd99::dst */
};

static inline void put_be16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void put_be32(uint8_t *p, uint32_t value)
{
    put_be16(p, value >> 16);
    put_be16(p + 2, value & 0xffff);
}

/* RFC 1071, the slow way, so that the model's arithmetic is not judged by itself. */
static inline uint32_t plain_sum(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    return sum;
}

static inline uint16_t plain_checksum(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Sum of the pseudo-header: addresses at `addresses`, n bytes of them, protocol and length. */
static inline uint32_t pseudo_sum(const uint8_t *addresses, size_t n, uint8_t protocol, size_t length)
{
    return plain_sum(0, addresses, n) + protocol + (uint32_t)length;
}

static inline size_t put_ip(uint8_t *ip, const struct packet *p, uint8_t protocol, size_t l4_bytes)
{
    if (p->ipv6) {
        ip[0] = 0x60;
        put_be16(ip + 4, (unsigned)l4_bytes);
        ip[6] = protocol;
        ip[7] = 64;
        ip[8] = ip[24] = 0xfd;
        ip[9] = ip[25] = 0x99;
        put_be32(ip + 20, p->src);
        put_be32(ip + 36, p->dst);
        return 40;
    }
    ip[0] = 0x45;
    put_be16(ip + 2, (unsigned)(20 + l4_bytes));
    put_be16(ip + 6, p->fragment);
    ip[8] = 64;
    ip[9] = protocol;
    put_be32(ip + 12, p->src);
    put_be32(ip + 16, p->dst);
    put_be16(ip + 10, plain_checksum(plain_sum(0, ip, 20)));
    return 20;
}

/* Build a sound frame to our own address; returns its length, at least 60. */
static inline size_t build(uint8_t *frame, const struct packet *p)
{
    static const uint8_t mac[] = RIG_MAC;
    uint8_t protocol = p->protocol ? p->protocol : 6;
    size_t l4_header = protocol == 6 ? 20 : protocol == 17 ? 8 : 0, at = 12;
    size_t l4_bytes = l4_header + p->payload;

    memset(frame, 0, 14 + 4 + 40 + l4_bytes + 60);
    memcpy(frame, mac, 6);
    memcpy(frame + 6, "\x02\x00\x00\x00\x00\x02", 6);
    if (p->vlan) {
        put_be16(frame + at, 0x8100);
        put_be16(frame + at + 2, p->vlan);
        at += 4;
    }
    put_be16(frame + at, p->ipv6 ? 0x86dd : 0x0800);
    uint8_t *ip = frame + at + 2;
    size_t ip_bytes = put_ip(ip, p, protocol, l4_bytes);
    uint8_t *l4 = ip + ip_bytes;
    for (size_t i = 0; i < p->payload; i++)
        l4[l4_header + i] = (uint8_t)(p->first_byte + i);
    if (l4_header) {
        put_be16(l4, p->sport);
        put_be16(l4 + 2, p->dport);
        if (protocol == 6) {
            l4[12] = 0x50;
            l4[13] = p->tcp_flags ? p->tcp_flags : 0x10;
        } else {
            put_be16(l4 + 4, (unsigned)l4_bytes);
        }
        uint32_t sum = pseudo_sum(p->ipv6 ? ip + 8 : ip + 12, p->ipv6 ? 32 : 8, protocol, l4_bytes);
        if (!p->no_udp_checksum)
            put_be16(l4 + (protocol == 6 ? 16 : 6), plain_checksum(plain_sum(sum, l4, l4_bytes)));
    }
    size_t n = (size_t)(l4 - frame) + l4_bytes;
    return n < 60 ? 60 : n;
}

/* One packet from the wire, classified only. */
static inline struct sim_verdict classify(struct rig *rig, const struct packet *p)
{
    static uint8_t frame[20000];
    size_t n = build(frame, p);

    return rig->ops->rx_classify(rig->dev, frame, n);
}

/* One packet from the wire to memory. */
static inline struct sim_verdict receive(struct rig *rig, const struct packet *p)
{
    struct sim_verdict verdict = classify(rig, p);

    rig->ops->rx_write(rig->dev, -1, ~0u);
    return verdict;
}

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

#endif
