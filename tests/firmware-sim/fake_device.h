/* fake_device.h - the smallest NIC: a few registers, one rule (odd last byte: queue 1), and rings that are counters.
 *
 * SCRATCH[0..3] at 0x10 are memory, CLEARS at 0x40 counts and clears when read, ENABLE at 0x80 starts the receiver,
 * DOORBELL at 0x84 sends as many frames as its value says, HOLD at 0x88 keeps received frames from the ring.
 */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_ENABLE   0x80
#define FAKE_DOORBELL 0x84
#define FAKE_HOLD     0x88
#define FAKE_CLEARS   0x40
#define FAKE_BAR      0x2000

struct sim_device {
    struct sim_host host;
    uint32_t scratch[4], clears;
    bool enabled, hold, link_up;
    unsigned in_flight, written, to_send;
    size_t last_length;
};

static struct sim_device *fake_last; /* the one created last, for tests to look into */

static struct sim_device *fake_create(const struct sim_device_config *config, const struct sim_host *host)
{
    struct sim_device *dev = calloc(1, sizeof *dev);
    (void)config;
    dev->host = *host;
    dev->link_up = true;
    return fake_last = dev;
}

static void fake_destroy(struct sim_device *dev)
{
    free(dev);
}

static const struct sim_reg *fake_registers(size_t *n)
{
    static const struct sim_reg rows[] = {
        {"SCRATCH", 0x10, 4, 3, SIM_REG_RW, 0, "memory", NULL, NULL, 0},
        {"SCRATCH", 0x1C, 4, 1, SIM_REG_RW, 0, "memory, the rest of the array", NULL, NULL, 3},
        {"CLEARS", FAKE_CLEARS, 0, 1, SIM_REG_RC, 0, "reads so far", NULL, NULL, 0},
        {"ENABLE", FAKE_ENABLE, 0, 1, SIM_REG_ACTION, 0, "receiver", NULL, NULL, 0},
        {"DOORBELL", FAKE_DOORBELL, 0, 1, SIM_REG_ACTION, 0, "frames to send", NULL, NULL, 0},
        {"HOLD", FAKE_HOLD, 0, 1, SIM_REG_ACTION, 0, "no descriptors", NULL, NULL, 0},
    };
    *n = sizeof rows / sizeof rows[0];
    return rows;
}

static uint32_t fake_read(struct sim_device *dev, uint32_t offset)
{
    uint32_t value = 0xDEAD0000 | offset;
    if (offset >= 0x10 && offset < 0x20)
        return dev->scratch[(offset - 0x10) / 4];
    if (offset == FAKE_CLEARS) {
        value = dev->clears;
        dev->clears = 0;
    }
    return value;
}

static void fake_write(struct sim_device *dev, uint32_t offset, uint32_t value)
{
    if (offset >= 0x10 && offset < 0x20)
        dev->scratch[(offset - 0x10) / 4] = value;
    if (offset == FAKE_CLEARS)
        dev->clears = value;
    if (offset == FAKE_ENABLE)
        dev->enabled = value;
    if (offset == FAKE_HOLD) {
        dev->hold = value;
        dev->host.tx_ready(dev->host.arg);
    }
    if (offset == FAKE_DOORBELL) {
        dev->to_send += value;
        dev->host.tx_ready(dev->host.arg);
        if (dev->host.tracing(dev->host.arg))
            dev->host.trace(dev->host.arg, "the \"bell\" rang");
    }
}

static struct sim_verdict fake_classify(struct sim_device *dev, const void *frame, size_t n)
{
    const uint8_t *bytes = frame;
    if (!dev->enabled)
        return (struct sim_verdict){.queue = -1, .table = "none", .rule = -1, .drop = "receiver off"};
    dev->in_flight++;
    dev->last_length = n;
    if (bytes[13] & 1)
        return (struct sim_verdict){.queue = 1, .table = "flow-director", .rule = 7, .rss_hash = 0x51ccc178};
    return (struct sim_verdict){.queue = 0, .table = "default", .rule = -1};
}

static unsigned fake_rx_write(struct sim_device *dev, int queue, unsigned max)
{
    unsigned n = dev->hold ? 0 : dev->in_flight < max ? dev->in_flight : max;
    (void)queue;
    dev->in_flight -= n;
    dev->written += n;
    return n;
}

static unsigned fake_tx_poll(struct sim_device *dev, unsigned max)
{
    static const uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5};
    unsigned n = dev->to_send < max ? dev->to_send : max;
    for (unsigned i = 0; i < n; i++)
        dev->host.wire_tx(dev->host.arg, i % 2, frame, sizeof frame);
    dev->to_send -= n;
    return n;
}

static void fake_set_link(struct sim_device *dev, bool up)
{
    dev->link_up = up;
    dev->host.interrupt(dev->host.arg);
}

static bool fake_rx_enabled(const struct sim_device *dev)
{
    return dev->enabled;
}

static int fake_print_table(struct sim_device *dev, const char *table, void (*line)(void *arg, const char *text),
                            void *arg)
{
    (void)dev;
    if (strcmp(table, "reta"))
        return -ENOENT;
    line(arg, "0 0");
    line(arg, "1 1");
    return 0;
}

static unsigned fake_pending(struct sim_device *dev, enum sim_event event, int queue)
{
    (void)queue;
    return event == SIM_EVENT_RX_WRITE ? dev->in_flight : event == SIM_EVENT_TX ? dev->to_send > 0 : 0;
}

static bool fake_complete_filter(struct sim_device *dev)
{
    (void)dev;
    return false;
}

static void fake_begin(struct sim_device *dev)
{
    dev->in_flight = 0;
}

static void fake_reset(struct sim_device *dev)
{
    dev->enabled = false;
    dev->in_flight = 0;
}

static const struct sim_device_ops fake_ops = {
    .nic = "fake",
    .driver = "net_fake",
    .vendor_id = 0x8086,
    .device_id = 0x10FB,
    .subsystem_vendor_id = 0x8086,
    .subsystem_device_id = 0x0003,
    .class_code = 0x020000,
    .bar_bytes = FAKE_BAR,
    .create = fake_create,
    .destroy = fake_destroy,
    .registers = fake_registers,
    .mmio_read = fake_read,
    .mmio_write = fake_write,
    .rx_classify = fake_classify,
    .rx_write = fake_rx_write,
    .tx_poll = fake_tx_poll,
    .pending = fake_pending,
    .complete_filter = fake_complete_filter,
    .begin = fake_begin,
    .reset = fake_reset,
    .set_link = fake_set_link,
    .rx_enabled = fake_rx_enabled,
    .print_table = fake_print_table,
};

#endif
