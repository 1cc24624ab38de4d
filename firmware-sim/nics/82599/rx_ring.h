/* rx_ring.h - a receive ring as its queue's registers describe it, for rx.c and rsc.c.
 *
 *   RDH is the next descriptor the device takes, RDT the first it does not own; RDH == RDT: none left
 */
#ifndef I82599_RX_RING_H
#define I82599_RX_RING_H

#include "model.h"

#define RX_DESCRIPTOR_BYTES 16
#define RX_STATUS_DD        1u
#define RX_STATUS_EOP       2u

struct rx_ring {
    uint64_t base;
    uint32_t size; /* descriptors */
    uint32_t head, tail;
    uint32_t srrctl;
    size_t buffer_bytes;
};

static inline struct rx_ring rx_ring_of(struct sim_device *dev, unsigned queue)
{
    const uint32_t *reg = i82599_rx_reg(dev, queue, 0);
    struct rx_ring ring = {
        .base = (uint64_t)reg[RXQ_RDBAH / 4] << 32 | (reg[RXQ_RDBAL / 4] & RDBAL_MASK),
        .size = (reg[RXQ_RDLEN / 4] & RDLEN_MASK) / RX_DESCRIPTOR_BYTES,
        .head = reg[RXQ_RDH / 4],
        .tail = reg[RXQ_RDT / 4],
        .srrctl = reg[RXQ_SRRCTL / 4],
    };

    ring.buffer_bytes = (ring.srrctl & SRRCTL_BSIZEPACKET) * 1024;
    return ring;
}

static inline uint32_t rx_ring_next(const struct rx_ring *ring, uint32_t i)
{
    return i + 1 == ring->size ? 0 : i + 1;
}

static inline uint32_t rx_ring_free(const struct rx_ring *ring)
{
    return (ring->tail + ring->size - ring->head) % ring->size;
}

static inline void *rx_descriptor_at(struct sim_device *dev, const struct rx_ring *ring, uint32_t i)
{
    return dev->host.dma(dev->host.arg, ring->base + (uint64_t)i * RX_DESCRIPTOR_BYTES, RX_DESCRIPTOR_BYTES);
}

/* Hand a descriptor back: hash and info first, the word with "descriptor done" last, with release. */
static inline void rx_write_back(void *descriptor, uint32_t info, uint32_t hash, uint32_t status, size_t bytes,
                                 uint16_t vlan)
{
    uint64_t *qword = descriptor;

    qword[0] = (uint64_t)hash << 32 | info;
    __atomic_store_n(&qword[1], (uint64_t)vlan << 48 | (uint64_t)bytes << 32 | status, __ATOMIC_RELEASE);
}

#endif
