/* rx.c - from the packet buffer to the driver's memory: receive rings and advanced descriptors (7.1.6 to 7.1.9).
 *
 *   ring:  RDH is the next descriptor the device fills, RDT the first it does not own; RDH == RDT: none left
 *   read format:        qword 0 packet buffer address           qword 1 header buffer address (unused: one buffer)
 *   write-back format:  qword 0 hash | RSS and packet type      qword 1 VLAN | length | errors, status
 *
 * A frame takes as many buffers as it needs; only the last descriptor has EOP and the verdicts. qword 1 carries the
 * "descriptor done" bit, so it is stored last, with release: who sees it sees the rest.
 *
 * Without descriptors a frame is dropped if the queue says so (SRRCTL.DROP_EN) and waits otherwise, and then everything
 * that arrived after it waits too, whatever its queue: the packet buffer is one FIFO. A frame for a disabled queue is
 * dropped (assumed).
 */
#include <string.h>

#include "rx_ring.h"

enum outcome { OUTCOME_DONE, OUTCOME_WAIT };

uint32_t i82599_rdrxctl_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    return *i82599_reg(dev, REG_RDRXCTL) | RDRXCTL_DMAIDONE;
}

uint32_t i82599_srrctl_alias_read(struct sim_device *dev, unsigned index)
{
    return *i82599_rx_reg(dev, index, RXQ_SRRCTL);
}

void i82599_srrctl_alias_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_rx_reg(dev, index, RXQ_SRRCTL) = value;
}

/* New descriptors: frames that wait for some can move. */
void i82599_rdt_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_rx_reg(dev, index, RXQ_RDT) = value;
    if (!TAILQ_EMPTY(&dev->stage.arrivals))
        dev->host.tx_ready(dev->host.arg);
}

/* A queue that is disabled lets go of the buffers it holds. */
void i82599_rxdctl_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_rx_reg(dev, index, RXQ_RXDCTL) = value;
    if (!(value & QUEUE_ENABLE))
        i82599_rsc_forget(dev, index);
}

/* How much of the frame goes into the buffer that begins at byte `done`. */
static size_t piece_of(const struct rx_ring *ring, const struct i82599_rx_frame *frame, size_t done)
{
    return frame->n - done < ring->buffer_bytes ? frame->n - done : ring->buffer_bytes;
}

/* Is the ring usable at all? What is wrong with it, else. */
static bool ring_fits(const struct rx_ring *ring, enum i82599_drop *why)
{
    *why = I82599_DROP_RX_BAD_RING;
    if (!ring->size || ring->head >= ring->size || ring->tail >= ring->size || !ring->buffer_bytes)
        return false;
    *why = I82599_DROP_RX_DESCRIPTOR_TYPE;
    return (ring->srrctl & SRRCTL_DESCTYPE) == SRRCTL_ADV_ONEBUF;
}

/* Copy the frame's bytes to the buffers from the head on and note their descriptors; false: some address is no memory.
 */
static bool fill_buffers(struct sim_device *dev, const struct rx_ring *ring, const struct i82599_rx_frame *frame,
                         void *descriptor[])
{
    uint32_t i = ring->head;
    unsigned count = 0;

    for (size_t done = 0; done < frame->n; i = rx_ring_next(ring, i)) {
        size_t piece = piece_of(ring, frame, done);
        uint64_t address;
        descriptor[count] = rx_descriptor_at(dev, ring, i);
        if (!descriptor[count])
            return false;
        memcpy(&address, descriptor[count++], sizeof address);
        void *buffer = dev->host.dma(dev->host.arg, address, piece);
        if (!buffer)
            return false;
        memcpy(buffer, frame->bytes + done, piece);
        done += piece;
    }
    return true;
}

/* Hand the filled descriptors back, in ring order. */
static void complete(const struct rx_ring *ring, const struct i82599_rx_frame *frame, void *descriptor[])
{
    for (size_t done = 0; done < frame->n;) {
        size_t piece = piece_of(ring, frame, done);
        done += piece;
        bool last = done == frame->n;
        rx_write_back(*descriptor++, frame->info, frame->hash,
                      RX_STATUS_DD | (last ? RX_STATUS_EOP | frame->status : 0), piece, last ? frame->vlan : 0);
    }
}

static void count_dropped(struct sim_device *dev, unsigned queue, enum i82599_drop why)
{
    i82599_remark(dev, "rx queue %u: frame dropped (%s)", queue, i82599_drop(dev, why));
    i82599_count(dev, REG_QPRDC + i82599_rx_counter(dev, queue) * QUEUE_STAT_STRIDE, 1);
}

/* `needed` descriptors are not there: drop, or wait for them if that can help. */
static enum outcome out_of_descriptors(struct sim_device *dev, const struct rx_ring *ring, unsigned queue,
                                       size_t needed)
{
    if (!(ring->srrctl & SRRCTL_DROP_EN) && needed < ring->size)
        return OUTCOME_WAIT;
    count_dropped(dev, queue, I82599_DROP_RX_NO_DESCRIPTOR);
    return OUTCOME_DONE;
}

/* Does conduct keep the device from fetching this queue's descriptors? Then there are none. */
static bool stalled(struct sim_device *dev, unsigned queue)
{
    struct sim_conduct *conduct = dev->host.conduct;
    bool is = conduct && conduct->stalled[queue / 64] >> queue % 64 & 1;

    if (is)
        conduct->count.frames_stalled++;
    return is;
}

static enum outcome write_frame(struct sim_device *dev, const struct i82599_rx_frame *frame)
{
    void *descriptor[RX_FRAME_MAX / 1024 + 1]; /* buffers are whole KiB */
    enum i82599_drop why = I82599_DROP_RX_QUEUE_DISABLED;
    struct rx_ring ring = rx_ring_of(dev, frame->queue);

    if (!(*i82599_rx_reg(dev, frame->queue, RXQ_RXDCTL) & QUEUE_ENABLE) || !ring_fits(&ring, &why)) {
        count_dropped(dev, frame->queue, why);
        return OUTCOME_DONE;
    }
    size_t needed = (frame->n + ring.buffer_bytes - 1) / ring.buffer_bytes;
    bool is_stalled = stalled(dev, frame->queue);
    if (!is_stalled && i82599_rsc_take(dev, &ring, frame))
        return OUTCOME_DONE;
    if (is_stalled || rx_ring_free(&ring) < needed)
        return out_of_descriptors(dev, &ring, frame->queue, needed);
    if (!fill_buffers(dev, &ring, frame, descriptor)) {
        count_dropped(dev, frame->queue, I82599_DROP_RX_BAD_ADDRESS);
        return OUTCOME_DONE;
    }
    complete(&ring, frame, descriptor);
    *i82599_rx_reg(dev, frame->queue, RXQ_RDH) = (uint32_t)((ring.head + needed) % ring.size);
    i82599_count_rx_queue(dev, frame->queue, frame->n);
    i82599_interrupt_rx(dev, frame->queue);
    return OUTCOME_DONE;
}

unsigned i82599_rx_write(struct sim_device *dev, int queue, unsigned max)
{
    unsigned done = 0;

    if (queue >= I82599_QUEUES)
        return 0;
    for (; done < max; done++) {
        struct i82599_rx_frame *frame =
            queue < 0 ? TAILQ_FIRST(&dev->stage.arrivals) : STAILQ_FIRST(&dev->stage.queue[queue]);
        if (!frame || write_frame(dev, frame) == OUTCOME_WAIT)
            break;
        i82599_stage_remove(dev, frame);
    }
    if (dev->rsc.open && !(dev->host.conduct && dev->host.conduct->stepped))
        i82599_rsc_settle(dev, dev->host.now_ns(dev->host.arg));
    return done;
}
