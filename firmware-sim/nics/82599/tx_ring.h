/* tx_ring.h - a transmit ring as its queue's registers describe it, and its descriptors, for tx.c and tx_send.c.
 *
 *   TDH is the next descriptor the device reads, TDT the first the driver has not filled
 */
#ifndef I82599_TX_RING_H
#define I82599_TX_RING_H

#include <string.h>

#include "model.h"

#define TX_DESCRIPTOR_BYTES 16
#define COMMAND_DEXT        (1u << 29)
#define OPTION_INDEX(o)     ((o) >> 4 & 7)

struct tx_ring {
    uint64_t base;
    uint32_t size, head, tail;
};

struct tx_descriptor_words {
    uint64_t address;
    uint32_t command, options;
};

static inline struct tx_ring tx_ring_of(struct sim_device *dev, unsigned queue)
{
    const uint32_t *reg = i82599_tx_reg(dev, queue, 0);

    return (struct tx_ring){
        .base = (uint64_t)reg[TXQ_TDBAH / 4] << 32 | (reg[TXQ_TDBAL / 4] & RDBAL_MASK),
        .size = (reg[TXQ_TDLEN / 4] & RDLEN_MASK) / TX_DESCRIPTOR_BYTES,
        .head = reg[TXQ_TDH / 4],
        .tail = reg[TXQ_TDT / 4],
    };
}

static inline uint32_t tx_ring_at(const struct tx_ring *ring, uint32_t first, uint32_t i)
{
    return (first + i) % ring->size;
}

static inline void *tx_descriptor_at(struct sim_device *dev, const struct tx_ring *ring, uint32_t i)
{
    return dev->host.dma(dev->host.arg, ring->base + (uint64_t)i * TX_DESCRIPTOR_BYTES, TX_DESCRIPTOR_BYTES);
}

static inline bool tx_read_descriptor(struct sim_device *dev, const struct tx_ring *ring, uint32_t i,
                                      struct tx_descriptor_words *out)
{
    const void *from = tx_descriptor_at(dev, ring, i);

    if (from)
        memcpy(out, from, sizeof *out);
    return from;
}

/* tx_send.c */
void i82599_tx_send_frame(struct sim_device *dev, unsigned queue, const struct tx_ring *ring,
                          const struct i82599_tx_plan *plan);
unsigned i82599_tx_send_segments(struct sim_device *dev, unsigned queue, unsigned max);

#endif
