/* fuzz_nic.c - a driver and a wire that mean harm, against the simulated 82599: nothing outside the driver's memory is
 * touched, nothing hangs, and what the device says of itself stays true.
 *
 * The input is a sequence of deeds, each an opcode byte and its operands: registers of the table written and read,
 * words of the driver's memory (rings, descriptors, buffers) changed, frames received, work done, time passed. It
 * begins with a card as a driver starts it, coalescing on, so that a mutation finds rings to spoil.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../firmware-sim/nics/82599/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_MEMORY 0x200000u /* of the rig's memory that deeds change: rings and most buffers */

struct deeds {
    const uint8_t *at, *end;
};

static struct rig *fuzzed;
static unsigned long fuzz_received, fuzz_sent; /* of all inputs so far */

static void require_that(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "violated: %s\n", what);
    abort();
}

static uint32_t take(struct deeds *d, unsigned bytes)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint32_t)(d->at < d->end ? *d->at++ : 0) << 8 * i;
    return v;
}

/* Some register that the model has a row for. */
static uint32_t some_register(struct deeds *d)
{
    size_t rows;
    const struct sim_reg *table = fuzzed->ops->registers(&rows), *row = &table[take(d, 2) % rows];

    return row->offset + take(d, 1) % row->count * row->stride;
}

static void write_register(struct deeds *d)
{
    uint32_t offset = some_register(d);

    wr(fuzzed, offset, take(d, 4));
}

static void read_register(struct deeds *d)
{
    rd(fuzzed, some_register(d));
}

/* A word of a ring or buffer. */
static void change_memory(struct deeds *d)
{
    uint32_t at = take(d, 3) % (FUZZ_MEMORY / 4) * 4, value = take(d, 4);

    memcpy(fuzzed->memory + at, &value, sizeof value);
}

/* A sound segment, its headers then spoilt here and there. */
static void receive_frame(struct deeds *d)
{
    static uint8_t frame[20000];
    uint32_t shape = take(d, 2);
    struct packet p = {.src = IP(10, 0, 0, 1),
                       .dst = IP(10, 0, 0, 2),
                       .sport = (uint16_t)(1000 + (shape & 3)),
                       .dport = 80,
                       .protocol = shape & 4 ? 17 : 6,
                       .tcp_flags = shape & 8 ? 0x18 : 0x10,
                       .ipv6 = shape & 16,
                       .vlan = shape & 32 ? 5 : 0,
                       .payload = take(d, 2) % 15800};
    size_t n = build(frame, &p);

    for (unsigned hits = shape >> 6 & 3; hits; hits--)
        frame[take(d, 1) % (n < 256 ? n : 256)] = (uint8_t)take(d, 1);
    if (shape & 256)
        n = take(d, 1) % n;
    struct sim_verdict v = fuzzed->ops->rx_classify(fuzzed->dev, frame, n);
    require_that(v.queue >= -1 && v.queue < I82599_QUEUES && (v.queue >= 0 || v.drop),
                 "a frame has a queue or a reason");
}

static void bring_to_memory(struct deeds *d)
{
    int queue = (int)take(d, 1) % 18 - 1;

    fuzz_received += fuzzed->ops->rx_write(fuzzed->dev, queue, take(d, 1));
}

static void send_frames(struct deeds *d)
{
    unsigned max = take(d, 1) % 33, sent = fuzzed->ops->tx_poll(fuzzed->dev, max);

    require_that(sent <= max, "no more is sent than asked for");
    fuzz_sent += sent;
}

/* Put descriptors on a transmit ring and ring its bell: most often a frame, sometimes anything. */
static void fill_ring(struct deeds *d)
{
    unsigned queue = take(d, 1) % RIG_QUEUES, n = 1 + take(d, 1) % 4;
    uint32_t tail = rd(fuzzed, tx_reg(queue, TXQ_TDT)) % RIG_RING;

    for (unsigned i = 0; i < n; i++) {
        uint32_t bytes = take(d, 1) * 8, command = take(d, 2) << 16 & 0xffff0000;
        if (command & 1u << 16)
            command = 3u << 20 | (i + 1 == n ? 1u << 24 : 0) | 1u << 27 | 1u << 29;
        put_tx_desc(fuzzed, queue, tail,
                    (struct tx_descriptor){RIG_BUS + TX_DATA_AT + bytes, command | bytes, take(d, 4)});
        tail = (tail + 1) % RIG_RING;
    }
    wr(fuzzed, tx_reg(queue, TXQ_TDT), tail);
}

static void pass_time(struct deeds *d)
{
    fuzzed->now_ns += take(d, 3);
    require_that(fuzzed->ops->due_ns(fuzzed->dev) >= fuzzed->now_ns ||
                     fuzzed->ops->pending(fuzzed->dev, SIM_EVENT_RSC, -1),
                 "only what is held can be overdue");
}

static void something_seldom(struct deeds *d)
{
    const struct sim_atr atr = {.on = true, .size = 1 + take(d, 1), .sample_rate = 20, .latency = take(d, 2)};
    const struct sim_atr no_atr = {.on = false};

    switch (take(d, 1) % 8) {
    case 0:
        fuzzed->ops->set_link(fuzzed->dev, take(d, 1) & 1);
        break;
    case 1:
        fuzzed->ops->release(fuzzed->dev, -1, take(d, 1));
        break;
    case 2:
        fuzzed->ops->set_atr(fuzzed->dev, &atr);
        break;
    case 3:
        fuzzed->ops->set_atr(fuzzed->dev, &no_atr);
        break;
    case 4:
        fuzzed->ops->begin(fuzzed->dev);
        break;
    case 5:
        rig_start(fuzzed);
        break;
    case 6:
        fuzzed->ops->complete_filter(fuzzed->dev);
        break;
    case 7:
        rd(fuzzed, take(d, 4)); /* any offset at all */
        wr(fuzzed, take(d, 4), take(d, 4));
        break;
    }
}

static void ignore_line(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

/* As a driver leaves it, and as if it were new. */
static void fuzz_start_card(void)
{
    const struct sim_atr no_atr = {.on = false};

    if (!fuzzed)
        fuzzed = rig_new();
    fuzzed->now_ns = 0;
    fuzzed->ops->set_atr(fuzzed->dev, &no_atr);
    fuzzed->ops->set_link(fuzzed->dev, true);
    fuzzed->ops->reset(fuzzed->dev);
    memset(fuzzed->memory, 0, FUZZ_MEMORY);
    rig_start(fuzzed);
    for (unsigned q = 0; q < RIG_QUEUES; q++)
        wr(fuzzed, rx_reg(q, RXQ_RSCCTL), RSCCTL_RSCEN | 3u << RSCCTL_MAXDESC_SHIFT);
    for (unsigned i = 0; i < RIG_QUEUES / 2; i++)
        wr(fuzzed, REG_IVAR + i * 4, 0x00800080);
    wr(fuzzed, REG_EITR, 100u << EITR_INTERVAL_SHIFT);
    wr(fuzzed, REG_MRQC, MRQC_MRQE_RSS | MRQC_TCP_IPV4 | MRQC_IPV6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const deeds[])(struct deeds * d) = {
        write_register, read_register,   change_memory, receive_frame, receive_frame,    bring_to_memory,
        send_frames,    bring_to_memory, fill_ring,     pass_time,     something_seldom, receive_frame,
    };
    static const char *const tables[] = {"flow-director", "5-tuple", "reta", "rsc", "atr", "drops"};
    struct deeds d = {data, data + size};

    fuzz_start_card();
    while (d.at < d.end)
        deeds[take(&d, 1) % (sizeof deeds / sizeof deeds[0])](&d);
    fuzz_received += fuzzed->ops->rx_write(fuzzed->dev, -1, ~0u);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        require_that(fuzzed->ops->print_table(fuzzed->dev, tables[i], ignore_line, NULL) == 0, "every table prints");
    return 0;
}
