/* tx.c - transmit rings and descriptors (7.2.3).
 *
 *   ring: TDH is the next descriptor the device reads, TDT the first the driver has not filled; writing TDT rings
 *   dword 2 of a descriptor: [15:0] length, [23:20] type 2 context, 3 data, [31:24] command; dword 3: status, options
 *
 * A frame is the data descriptors up to the one with EOP; context descriptors before it set one of the queue's two
 * contexts, which the frame's first data descriptor names. Nothing happens until EOP is on the ring. Then the frame is
 * gathered, worked on (offload.c), sent, and "descriptor done" is written into the descriptors that asked for it (RS).
 * A frame that cannot be sent is counted and its descriptors are completed all the same. Write-back thresholds and head
 * write-back are not modelled: write-back is immediate.
 */
#include <string.h>

#include "model.h"

#define DESCRIPTOR_BYTES 16
#define ETHERNET_BYTES   14
#define MAC_ADDRESSES    12
#define VLAN_TAG_BYTES   4
#define MIN_BYTES        60
#define BURST            32 /* frames of one queue before the next queue's turn */

#define TYPE_CONTEXT     2
#define TYPE_DATA        3
#define COMMAND_LINKSEC  (1u << 18)
#define COMMAND_OUTER_IP (1u << 17) /* a later device's tunnel checksum */
#define COMMAND_EOP      (1u << 24)
#define COMMAND_IC       (1u << 26) /* legacy descriptor: insert checksum */
#define COMMAND_RS       (1u << 27)
#define COMMAND_DEXT     (1u << 29)
#define COMMAND_VLE      (1u << 30)
#define COMMAND_TSE      (1u << 31)
#define OPTION_INDEX(o)  ((o) >> 4 & 7)
#define OPTION_IXSM      (1u << 8)
#define OPTION_TXSM      (1u << 9)
#define OPTION_IPSEC     (1u << 10)
#define OPTION_PAYLEN(o) ((o) >> 14)
#define STATUS_DD        1u
#define L4T_SCTP         2 /* and 3: none */

struct tx_ring {
    uint64_t base;
    uint32_t size, head, tail;
};

struct descriptor {
    uint64_t address;
    uint32_t command, options;
};

enum scan { SCAN_FRAME, SCAN_INCOMPLETE, SCAN_NO_MEMORY };

void i82599_tx_reset(struct sim_device *dev)
{
    memset(dev->tx.context, 0, sizeof dev->tx.context);
    memset(dev->tx.doorbell, 0, sizeof dev->tx.doorbell);
    dev->tx.turn = 0;
    dev->tx.cutting = false;
}

void i82599_tdt_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_tx_reg(dev, index, TXQ_TDT) = value;
    dev->tx.doorbell[index / 64] |= 1ull << index % 64;
    dev->host.tx_ready(dev->host.arg);
}

/* A queue may be filled first and enabled then. */
void i82599_txdctl_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_tx_reg(dev, index, TXQ_TXDCTL) = value;
    dev->host.tx_ready(dev->host.arg);
}

static struct tx_ring ring_of(struct sim_device *dev, unsigned queue)
{
    const uint32_t *reg = i82599_tx_reg(dev, queue, 0);

    return (struct tx_ring){
        .base = (uint64_t)reg[TXQ_TDBAH / 4] << 32 | (reg[TXQ_TDBAL / 4] & RDBAL_MASK),
        .size = (reg[TXQ_TDLEN / 4] & RDLEN_MASK) / DESCRIPTOR_BYTES,
        .head = reg[TXQ_TDH / 4],
        .tail = reg[TXQ_TDT / 4],
    };
}

static uint32_t at(const struct tx_ring *ring, uint32_t first, uint32_t i)
{
    return (first + i) % ring->size;
}

static void *descriptor_at(struct sim_device *dev, const struct tx_ring *ring, uint32_t i)
{
    return dev->host.dma(dev->host.arg, ring->base + (uint64_t)i * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES);
}

static bool read_descriptor(struct sim_device *dev, const struct tx_ring *ring, uint32_t i, struct descriptor *out)
{
    const void *from = descriptor_at(dev, ring, i);

    if (from)
        memcpy(out, from, sizeof *out);
    return from;
}

/* --- finding a frame ------------------------------------------------------------------------------------------------
 */

/* Advanced context descriptor (7.2.3.2.3), its dwords in the places of address and command. */
static void set_context(struct sim_device *dev, unsigned queue, const struct descriptor *d)
{
    uint32_t lengths = (uint32_t)d->address, mss = d->options;

    dev->tx.context[queue][OPTION_INDEX(mss) % TX_CONTEXTS] = (struct i82599_tx_context){
        .valid = true,
        .vlan = (uint16_t)(lengths >> 16),
        .mac_bytes = lengths >> 9 & 0x7f,
        .ip_bytes = lengths & 0x1ff,
        .l4_bytes = mss >> 8 & 0xff,
        .ipv4 = d->command >> 10 & 1,
        .l4type = d->command >> 11 & 3,
        .mss = mss >> 16,
    };
}

static unsigned type_of(const struct descriptor *d)
{
    return d->command & COMMAND_DEXT ? d->command >> 20 & 0xf : TYPE_DATA;
}

/* Look from the head on for a whole frame, setting contexts on the way. */
static enum scan scan_frame(struct sim_device *dev, unsigned queue, const struct tx_ring *ring,
                            struct i82599_tx_plan *plan)
{
    uint32_t filled = (ring->tail + ring->size - ring->head) % ring->size;
    struct descriptor d;

    *plan = (struct i82599_tx_plan){.first = ring->head};
    while (plan->count < filled) {
        if (!read_descriptor(dev, ring, at(ring, plan->first, plan->count++), &d))
            return SCAN_NO_MEMORY;
        unsigned type = type_of(&d);
        if (type == TYPE_CONTEXT && !plan->pieces) {
            set_context(dev, queue, &d);
            continue;
        }
        plan->malformed |= type != TYPE_DATA;
        if (!plan->pieces++) {
            plan->command = d.command;
            plan->options = d.options;
        }
        plan->bytes += d.command & 0xffff;
        if (d.command & COMMAND_EOP)
            return SCAN_FRAME;
    }
    return SCAN_INCOMPLETE;
}

/* --- sending it -----------------------------------------------------------------------------------------------------
 */

/* Send one frame as it shall be on the wire. `frame` has room for a tag and padding. */
static void emit(struct sim_device *dev, unsigned queue, uint8_t *frame, size_t n, const uint16_t *vlan)
{
    if (vlan) {
        memmove(frame + MAC_ADDRESSES + VLAN_TAG_BYTES, frame + MAC_ADDRESSES, n - MAC_ADDRESSES);
        const uint8_t tag[] = {0x81, 0x00, (uint8_t)(*vlan >> 8), (uint8_t)*vlan};
        memcpy(frame + MAC_ADDRESSES, tag, sizeof tag);
        n += VLAN_TAG_BYTES;
    }
    if (n < MIN_BYTES && *i82599_reg(dev, REG_HLREG0) & HLREG0_TXPADEN) {
        memset(frame + n, 0, MIN_BYTES - n);
        n = MIN_BYTES;
    }
    if (dev->atr.config.on && !(dev->tx.cutting && dev->tx.tso.index > 1))
        i82599_atr_sent(dev, queue, frame, n);
    if (i82599_in_loopback(dev))
        i82599_loop(dev, frame, n);
    else
        dev->host.wire_tx(dev->host.arg, queue, frame, n);
    i82599_count_tx(dev, queue, frame, n);
}

/* Collect the frame's plan->bytes bytes. The program can rewrite descriptors behind our back, so lengths are checked
 * again here against what was planned. */
static bool gather(struct sim_device *dev, const struct tx_ring *ring, const struct i82599_tx_plan *plan, uint8_t *to)
{
    size_t left = plan->bytes;

    for (uint32_t i = plan->count - plan->pieces; i < plan->count; i++) {
        struct descriptor d;
        if (!read_descriptor(dev, ring, at(ring, plan->first, i), &d))
            return false;
        size_t n = d.command & 0xffff;
        if (!n)
            continue;
        const void *from = n <= left ? dev->host.dma(dev->host.arg, d.address, n) : NULL;
        if (!from)
            return false;
        memcpy(to + (plan->bytes - left), from, n);
        left -= n;
    }
    return !left;
}

/* Is there anything about this frame that forbids sending it? Returns a drop reason or I82599_DROPS_COUNT. */
static enum i82599_drop refuse(struct sim_device *dev, unsigned queue, const struct i82599_tx_plan *plan)
{
    uint32_t command = plan->command, options = plan->options;
    bool advanced = command & COMMAND_DEXT;
    bool tse = advanced && command & COMMAND_TSE, checksum = advanced && options & (OPTION_IXSM | OPTION_TXSM);
    const struct i82599_tx_context *context = &dev->tx.context[queue][OPTION_INDEX(options) % TX_CONTEXTS];

    if (!dev->link_up && !i82599_in_loopback(dev))
        return I82599_DROP_TX_LINK_DOWN;
    if (plan->malformed || plan->bytes < ETHERNET_BYTES)
        return I82599_DROP_TX_BAD_DESCRIPTOR;
    if (plan->bytes > (tse ? TX_FRAME_MAX : TX_WIRE_MAX))
        return I82599_DROP_TX_OVERSIZE;
    if (advanced ? command & (COMMAND_LINKSEC | COMMAND_OUTER_IP) || options & OPTION_IPSEC
                 : command & (COMMAND_IC | COMMAND_VLE))
        return I82599_DROP_TX_UNSUPPORTED;
    if ((tse || checksum || (advanced && command & COMMAND_VLE)) && !context->valid)
        return I82599_DROP_TX_BAD_DESCRIPTOR;
    if (((options & OPTION_TXSM && advanced) || tse) && context->l4type >= L4T_SCTP)
        return I82599_DROP_TX_UNSUPPORTED;
    size_t headers = tse ? context->mac_bytes + context->ip_bytes + context->l4_bytes : 0;
    if (advanced && OPTION_PAYLEN(options) + headers != plan->bytes)
        return I82599_DROP_TX_BAD_DESCRIPTOR;
    return I82599_DROPS_COUNT;
}

/* Send up to max segments of the request being cut; it ends when there are none left. */
static unsigned send_segments(struct sim_device *dev, unsigned queue, unsigned max)
{
    struct i82599_tx *tx = &dev->tx;
    const uint16_t *vlan = tx->plan.command & COMMAND_VLE ? &tx->tso.context.vlan : NULL;
    unsigned done = 0;

    while (done < max && tx->cutting) {
        size_t n = i82599_tso_next(dev, &tx->tso, tx->segment);
        tx->cutting =
            n && i82599_offload_checksums(tx->segment, n, &tx->tso.context, tx->plan.options & OPTION_IXSM, true);
        if (tx->cutting) {
            emit(dev, queue, tx->segment, n, vlan);
            done++;
        }
    }
    return done;
}

/* A frame, not to be segmented, is gathered in tx.frame: insert checksums and send it. */
static bool send_whole(struct sim_device *dev, unsigned queue, const struct i82599_tx_plan *plan)
{
    const struct i82599_tx_context *context = &dev->tx.context[queue][OPTION_INDEX(plan->options) % TX_CONTEXTS];
    bool advanced = plan->command & COMMAND_DEXT;
    bool ip = advanced && plan->options & OPTION_IXSM, l4 = advanced && plan->options & OPTION_TXSM;

    if ((ip || l4) && !i82599_offload_checksums(dev->tx.frame, plan->bytes, context, ip, l4))
        return false;
    emit(dev, queue, dev->tx.frame, plan->bytes, advanced && plan->command & COMMAND_VLE ? &context->vlan : NULL);
    return true;
}

/* Send a planned frame, or begin to cut it (tx.cutting). Whatever is wrong with it is counted. */
static void send_frame(struct sim_device *dev, unsigned queue, const struct tx_ring *ring,
                       const struct i82599_tx_plan *plan)
{
    const struct i82599_tx_context *context = &dev->tx.context[queue][OPTION_INDEX(plan->options) % TX_CONTEXTS];
    bool tse = plan->command & COMMAND_DEXT && plan->command & COMMAND_TSE;
    enum i82599_drop why = refuse(dev, queue, plan);

    if (why == I82599_DROPS_COUNT && !gather(dev, ring, plan, dev->tx.frame))
        why = I82599_DROP_TX_BAD_ADDRESS;
    if (why == I82599_DROPS_COUNT && tse)
        dev->tx.cutting = i82599_tso_begin(&dev->tx.tso, dev->tx.frame, plan->bytes, context);
    if (why == I82599_DROPS_COUNT && !(tse ? dev->tx.cutting : send_whole(dev, queue, plan)))
        why = I82599_DROP_TX_BAD_DESCRIPTOR;
    if (why != I82599_DROPS_COUNT)
        i82599_remark(dev, "tx queue %u: frame dropped (%s)", queue, i82599_drop(dev, why));
}

/* Tell the driver that the frame's descriptors are its own again. */
static void complete(struct sim_device *dev, unsigned queue, const struct tx_ring *ring,
                     const struct i82599_tx_plan *plan)
{
    bool reported = false;

    for (uint32_t i = 0; i < plan->count; i++) {
        uint32_t *dword = descriptor_at(dev, ring, at(ring, plan->first, i));
        if (!dword || !(dword[2] & COMMAND_RS))
            continue;
        __atomic_store_n(&dword[3], STATUS_DD, __ATOMIC_RELEASE);
        reported = true;
    }
    if (reported)
        i82599_interrupt_tx(dev, queue);
}

/* --- rings ----------------------------------------------------------------------------------------------------------
 */

static void quench(struct sim_device *dev, unsigned queue)
{
    dev->tx.doorbell[queue / 64] &= ~(1ull << queue % 64);
}

/* A ring that makes no sense is left alone until its tail is written again. */
static void give_up(struct sim_device *dev, unsigned queue, enum i82599_drop why)
{
    i82599_drop(dev, why);
    quench(dev, queue);
}

/* The frame of tx.plan is done with: its descriptors go back. */
static void finish(struct sim_device *dev, unsigned queue, struct tx_ring *ring)
{
    complete(dev, queue, ring, &dev->tx.plan);
    ring->head = at(ring, dev->tx.plan.first, dev->tx.plan.count);
    *i82599_tx_reg(dev, queue, TXQ_TDH) = ring->head;
}

/* Find and send, or begin to cut, the next frame. False: there is none, and the queue falls silent. */
static bool serve_one(struct sim_device *dev, unsigned queue, struct tx_ring *ring)
{
    switch (scan_frame(dev, queue, ring, &dev->tx.plan)) {
    case SCAN_NO_MEMORY:
        give_up(dev, queue, I82599_DROP_TX_BAD_ADDRESS);
        return false;
    case SCAN_INCOMPLETE:
        quench(dev, queue);
        return false;
    case SCAN_FRAME:
        break;
    }
    send_frame(dev, queue, ring, &dev->tx.plan);
    if (!dev->tx.cutting)
        finish(dev, queue, ring);
    return true;
}

static bool ring_fits(const struct tx_ring *ring)
{
    return ring->size && ring->head < ring->size && ring->tail < ring->size;
}

/* Can the queue send? One that was stopped or reprogrammed in the middle of a request loses the rest of it. */
static bool ready(struct sim_device *dev, unsigned queue, const struct tx_ring *ring)
{
    bool enabled = *i82599_tx_reg(dev, queue, TXQ_TXDCTL) & QUEUE_ENABLE;

    if (enabled && ring_fits(ring))
        return true;
    dev->tx.cutting = false;
    if (enabled)
        give_up(dev, queue, I82599_DROP_TX_BAD_RING);
    return false;
}

/* Send up to max frames of one queue, a request that was being cut first. */
static unsigned serve(struct sim_device *dev, unsigned queue, unsigned max)
{
    struct tx_ring ring = ring_of(dev, queue);
    unsigned done = 0;

    if (!ready(dev, queue, &ring))
        return 0;
    while (done < max && (dev->tx.cutting || serve_one(dev, queue, &ring))) {
        if (!dev->tx.cutting) {
            done++;
            continue;
        }
        done += send_segments(dev, queue, max - done);
        if (!dev->tx.cutting)
            finish(dev, queue, &ring);
    }
    return done;
}

/* The first queue from `from` on, cyclically, whose doorbell rang; -1: none. */
static int next_queue(const struct i82599_tx *tx, unsigned from)
{
    const unsigned words = I82599_QUEUES / 64;

    for (unsigned i = 0; i <= words; i++) {
        unsigned word = (from / 64 + i) % words;
        uint64_t bits = tx->doorbell[word];
        if (i == 0)
            bits &= ~0ull << from % 64;
        if (bits)
            return (int)(word * 64 + (unsigned)__builtin_ctzll(bits));
    }
    return -1;
}

/* Queues, or whether this one, may have something to send. */
unsigned i82599_tx_pending(const struct sim_device *dev, int queue)
{
    unsigned n = 0;

    for (unsigned q = 0; q < I82599_QUEUES; q++)
        n += (queue < 0 || (unsigned)queue == q) && dev->tx.doorbell[q / 64] >> q % 64 & 1;
    return n;
}

unsigned i82599_tx_poll(struct sim_device *dev, unsigned max)
{
    struct i82599_tx *tx = &dev->tx;
    unsigned done = 0;

    if (!(*i82599_reg(dev, REG_DMATXCTL) & DMATXCTL_TE))
        return 0;
    for (unsigned turns = 0; turns < I82599_QUEUES && done < max; turns++) {
        int queue = next_queue(tx, tx->turn);
        if (queue < 0)
            break;
        done += serve(dev, (unsigned)queue, max - done < BURST ? max - done : BURST);
        tx->turn = tx->cutting ? (unsigned)queue : ((unsigned)queue + 1) % I82599_QUEUES;
    }
    return done;
}
