/* atr.c - application targeted routing: signature filters that follow what the program sends, so that a flow's packets
 * come back to the queue it is sent from. A mode of the model's own.
 *
 * On the silicon ATR is the Flow Director in signature mode with a driver (Linux's ixgbe) that looks at every packet it
 * sends; DPDK's driver has no such thing. Here the model takes the driver's part, by the same rules: of each transmit
 * queue every SYN and otherwise every 20th packet is a sample, a FIN never; a sample adds, or moves, the filter of its
 * flow's other direction to the receive queue of the same number. Filters are never removed one by one; when the table
 * has as many as it may, it is emptied, as that driver does.
 *
 * A filter takes effect `latency` after the packet, in the time of conduct (steps, in stepped time). Samples on their
 * way are limited; what does not fit is counted. Nothing needs a timer: who looks up a frame settles first.
 *
 * Assumed: the filter memory is not taken out of the receive packet buffer; of a packet that TSO cuts, the first
 * segment stands for all.
 */
#include <errno.h>
#include <string.h>

#include "model.h"

#define TCP_FIN    0x01
#define BUCKET_KEY 0x3dad14e2u /* those of Intel's drivers */
#define SIGN_KEY   0x174d3614u
#define L4TYPE_TCP 2
#define FLEX_AT    6   /* in words: the EtherType */
#define MAX_LENGTH 0xa /* filters of a bucket before a match is reported as too deep */

static uint64_t now(struct sim_device *dev)
{
    return dev->host.now_ns ? dev->host.now_ns(dev->host.arg) : 0;
}

/* --- the table ------------------------------------------------------------------------------------------------------
 */

/* The smallest of the three sizes that holds so many (7.1.2.7.4). */
static uint32_t allocation(unsigned size)
{
    return size <= 8190 ? 1 : size <= 16382 ? 2 : 3;
}

static void start_table(struct sim_device *dev)
{
    *i82599_reg(dev, REG_FDIRHKEY) = BUCKET_KEY;
    *i82599_reg(dev, REG_FDIRSKEY) = SIGN_KEY;
    i82599_fdir_start(dev, allocation(dev->atr.config.size) | FLEX_AT << FDIRCTRL_FLEX_SHIFT |
                               MAX_LENGTH << FDIRCTRL_MAX_LENGTH_SHIFT);
    i82599_fdir_clear(dev);
}

/* After a device reset: the table is gone, the mode is not. */
void i82599_atr_reset(struct sim_device *dev)
{
    dev->atr.pending = 0;
    if (dev->atr.config.on)
        start_table(dev);
}

/* The driver wants the table for itself. */
void i82599_atr_yield(struct sim_device *dev)
{
    if (!dev->atr.config.on)
        return;
    dev->atr.config.on = false;
    dev->atr.pending = 0;
    i82599_fdir_start(dev, 0);
    i82599_remark(dev, "atr: off, the driver programs the flow director");
}

int i82599_atr_set(struct sim_device *dev, const struct sim_atr *atr)
{
    bool was_on = dev->atr.config.on;

    if (atr->on && (!atr->size || atr->size > FDIR_FILTERS_MAX || !atr->sample_rate))
        return -EINVAL;
    if (atr->on && !was_on && dev->fdir.capacity)
        return -EBUSY;
    memset(&dev->atr, 0, sizeof dev->atr);
    dev->atr.config = *atr;
    if (atr->on)
        start_table(dev);
    else if (was_on)
        i82599_fdir_start(dev, 0);
    return 0;
}

/* --- samples --------------------------------------------------------------------------------------------------------
 */

static void apply(struct sim_device *dev, const struct i82599_fdir_command *command)
{
    struct i82599_atr *atr = &dev->atr;
    bool there = i82599_fdir_has(dev, command);

    if (!there && dev->fdir.used >= atr->config.size) {
        i82599_fdir_clear(dev);
        atr->count.emptied++;
    }
    unsigned before = dev->fdir.used;
    i82599_fdir_execute(dev, command);
    atr->count.moved += there;
    atr->count.added += dev->fdir.used > before;
}

/* Have filters take effect whose time has come. */
void i82599_atr_settle(struct sim_device *dev)
{
    struct i82599_atr *atr = &dev->atr;

    while (atr->pending && atr->sample[atr->first].due_ns <= now(dev)) {
        apply(dev, &atr->sample[atr->first]);
        atr->first = (atr->first + 1) % ATR_PENDING_MAX;
        atr->pending--;
    }
}

/* The same flow as it is received. */
static struct sim_frame reversed(const struct sim_frame *sent)
{
    struct sim_frame frame = *sent;

    frame.src = sent->dst;
    frame.dst = sent->src;
    frame.sport = sent->dport;
    frame.dport = sent->sport;
    return frame;
}

static void enqueue(struct sim_device *dev, unsigned queue, const struct sim_frame *sent)
{
    struct i82599_atr *atr = &dev->atr;
    struct sim_frame frame = reversed(sent);
    struct i82599_fdir_command command = {
        .value = FDIRCMD_ADD | FDIRCMD_UPDATE | L4TYPE_TCP << FDIRCMD_L4TYPE_SHIFT | FDIRCMD_QUEUE_EN |
                 queue << FDIRCMD_QUEUE_SHIFT | (frame.ip_version == 6 ? FDIRCMD_IPV6 : 0),
        .due_ns = now(dev) + atr->config.latency,
    };

    if (atr->pending == ATR_PENDING_MAX) {
        atr->count.lost++;
        return;
    }
    i82599_fdir_sign(dev, &frame, &command);
    atr->sample[(atr->first + atr->pending++) % ATR_PENDING_MAX] = command;
    i82599_atr_settle(dev);
}

/* A frame leaves from a queue. */
void i82599_atr_sent(struct sim_device *dev, unsigned queue, const uint8_t *bytes, size_t n)
{
    struct i82599_atr *atr = &dev->atr;
    struct sim_frame frame;

    atr->since_sample[queue]++;
    sim_parse(&frame, bytes, n);
    if (frame.l4 != SIM_L4_TCP)
        return;
    bool syn = frame.tcp_flags & SIM_TCP_SYN;
    if (frame.tcp_flags & TCP_FIN) {
        atr->count.fins_skipped++;
        return;
    }
    if (!syn && atr->since_sample[queue] < atr->config.sample_rate)
        return;
    atr->since_sample[queue] = 0;
    atr->count.syns += syn;
    atr->count.others += !syn;
    enqueue(dev, queue, &frame);
}
