/* model.c - the Intel 82599 (10 Gb/s, one SFP+ port) as a simulated device: its life, and its place among the models.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static struct sim_device *create(const struct sim_device_config *config, const struct sim_host *host)
{
    if (config->queues > I82599_QUEUES)
        return NULL;
    struct sim_device *dev = calloc(1, sizeof *dev);
    if (!dev)
        return NULL;
    dev->host = *host;
    dev->config = *config;
    dev->link_up = true;
    if (i82599_stage_init(dev) < 0) {
        free(dev);
        return NULL;
    }
    i82599_registers_init(dev);
    i82599_eeprom_init(dev);
    i82599_sfp_init(dev);
    i82599_reset(dev);
    return dev;
}

static void destroy(struct sim_device *dev)
{
    i82599_stage_fini(dev);
    free(dev);
}

static unsigned pending(struct sim_device *dev, enum sim_event event, int queue)
{
    switch (event) {
    case SIM_EVENT_RX_WRITE:
        return i82599_stage_count(dev, queue);
    case SIM_EVENT_FILTER:
        return dev->fdir.command.busy;
    case SIM_EVENT_RSC:
        return i82599_rsc_count(dev, queue);
    case SIM_EVENT_TX:
        return i82599_tx_pending(dev, queue);
    }
    return 0;
}

/* Rings, registers and filters are the driver's and stay; what the device did and learned is forgotten. */
static void begin(struct sim_device *dev)
{
    i82599_stage_reset(dev);
    dev->tx.turn = 0;
    i82599_stats_reset(dev);
    memset(&dev->rsc.count, 0, sizeof dev->rsc.count);
    if (dev->atr.config.on) {
        const struct sim_atr config = dev->atr.config;
        i82599_atr_set(dev, &config);
    }
}

static void reset_unasked(struct sim_device *dev)
{
    i82599_reset(dev);
    i82599_remark(dev, "device reset, unasked");
}

static bool rx_enabled(const struct sim_device *dev)
{
    return dev->reg[REG_RXCTRL / 4] & RXCTRL_RXEN;
}

const struct sim_device_ops sim_82599_ops = {
    .nic = "82599",
    .driver = "net_ixgbe",
    .vendor_id = 0x8086,
    .device_id = 0x10fb, /* 82599ES SFI/SFP+ */
    .subsystem_vendor_id = 0x8086,
    .subsystem_device_id = 0x0003,
    .class_code = 0x020000,
    .bar_bytes = I82599_BAR_BYTES,
    .create = create,
    .destroy = destroy,
    .registers = i82599_registers,
    .mmio_read = i82599_mmio_read,
    .mmio_write = i82599_mmio_write,
    .rx_classify = i82599_rx_classify,
    .rx_write = i82599_rx_write,
    .tx_poll = i82599_tx_poll,
    .pending = pending,
    .complete_filter = i82599_fdir_complete,
    .begin = begin,
    .release = i82599_rsc_release,
    .due_ns = i82599_rsc_due_ns,
    .reset = reset_unasked,
    .set_atr = i82599_atr_set,
    .set_link = i82599_set_link,
    .rx_enabled = rx_enabled,
    .print_table = i82599_print_table,
};
