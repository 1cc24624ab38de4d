/* tx.c - transmit rings and descriptors (7.2.3).
 *
 *   ring: TDH is the next descriptor the device reads, TDT the first the driver has not filled; writing TDT rings
 *   dword 2 of a descriptor: [15:0] length, [23:20] type 2 context, 3 data, [31:24] command; dword 3: status, options
 *   legacy: dword 2 [23:16] where the checksum goes; dword 3 [15:8] where its bytes begin, [31:16] VLAN tag
 *
 * A frame is the data descriptors up to the one with EOP; context descriptors before it set one of the queue's two
 * contexts, which the frame's first data descriptor names. Nothing happens until EOP is on the ring. Then the frame is
 * gathered, worked on, sent (tx_send.c), and "descriptor done" is written into the descriptors that asked for it (RS).
 * A frame that cannot be sent is counted and its descriptors are completed all the same. Write-back thresholds and head
 * write-back are not modelled: write-back is immediate.
 */
#include "tx_ring.h"

#define BURST        32 /* frames of one queue before the next queue's turn */
#define TYPE_CONTEXT 2
#define TYPE_DATA    3
#define COMMAND_EOP  (1u << 24)
#define COMMAND_RS   (1u << 27)
#define STATUS_DD    1u

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

/* --- finding a frame ------------------------------------------------------------------------------------------------
 */

/* Advanced context descriptor (7.2.3.2.3), its dwords in the places of address and command. */
static void set_context(struct sim_device *dev, unsigned queue, const struct tx_descriptor_words *d)
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

static unsigned type_of(const struct tx_descriptor_words *d)
{
    return d->command & COMMAND_DEXT ? d->command >> 20 & 0xf : TYPE_DATA;
}

/* Look from the head on for a whole frame, setting contexts on the way. */
static enum scan scan_frame(struct sim_device *dev, unsigned queue, const struct tx_ring *ring,
                            struct i82599_tx_plan *plan)
{
    uint32_t filled = (ring->tail + ring->size - ring->head) % ring->size;
    struct tx_descriptor_words d;

    *plan = (struct i82599_tx_plan){.first = ring->head};
    while (plan->count < filled) {
        if (!tx_read_descriptor(dev, ring, tx_ring_at(ring, plan->first, plan->count++), &d))
            return SCAN_NO_MEMORY;
        unsigned type = type_of(&d);
        if (type == TYPE_CONTEXT && !plan->pieces) {
            set_context(dev, queue, &d);
            continue;
        }
        plan->malformed |= type != TYPE_DATA;
        bool legacy = !(d.command & COMMAND_DEXT); /* then the last descriptor says what is to be done (7.2.3.2.1) */
        if (!plan->pieces++ || legacy) {
            plan->command = d.command;
            plan->options = d.options;
        }
        plan->bytes += d.command & 0xffff;
        if (d.command & COMMAND_EOP)
            return SCAN_FRAME;
    }
    return SCAN_INCOMPLETE;
}

/* Tell the driver that the frame's descriptors are its own again. */
static void complete(struct sim_device *dev, unsigned queue, const struct tx_ring *ring,
                     const struct i82599_tx_plan *plan)
{
    bool reported = false;

    for (uint32_t i = 0; i < plan->count; i++) {
        uint32_t *dword = tx_descriptor_at(dev, ring, tx_ring_at(ring, plan->first, i));
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
    ring->head = tx_ring_at(ring, dev->tx.plan.first, dev->tx.plan.count);
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
    i82599_tx_send_frame(dev, queue, ring, &dev->tx.plan);
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
    struct tx_ring ring = tx_ring_of(dev, queue);
    unsigned done = 0;

    if (!ready(dev, queue, &ring))
        return 0;
    while (done < max && (dev->tx.cutting || serve_one(dev, queue, &ring))) {
        if (!dev->tx.cutting) {
            done++;
            continue;
        }
        done += i82599_tx_send_segments(dev, queue, max - done);
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
