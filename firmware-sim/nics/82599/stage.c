/* stage.c - the receive packet buffer: frames that have a queue but are not in memory yet.
 *
 * One pool of frames; each is linked in its queue's list and in the list of arrivals. What the pool holds is limited by
 * the size of the packet buffer (RXPBSIZE[0], 512 KB less what the Flow Director took) and by the pool itself. Free
 * frames are used last in, first out, so that a quiet device touches little memory.
 */
#include <stdlib.h>

#include "model.h"

#define BUFFER_LINE 64 /* a frame occupies whole lines of the packet buffer (assumed) */

static size_t lines_of(size_t n)
{
    return (n + BUFFER_LINE - 1) / BUFFER_LINE * BUFFER_LINE;
}

static void init_lists(struct i82599_stage *stage)
{
    STAILQ_INIT(&stage->free);
    TAILQ_INIT(&stage->arrivals);
    for (unsigned q = 0; q < I82599_QUEUES; q++)
        STAILQ_INIT(&stage->queue[q]);
}

int i82599_stage_init(struct sim_device *dev)
{
    struct i82599_stage *stage = &dev->stage;

    stage->pool = calloc(RX_STAGE_SIZE, sizeof stage->pool[0]);
    if (!stage->pool)
        return -1;
    init_lists(stage);
    for (unsigned i = 0; i < RX_STAGE_SIZE; i++)
        STAILQ_INSERT_TAIL(&stage->free, &stage->pool[i], in_queue);
    return 0;
}

void i82599_stage_fini(struct sim_device *dev)
{
    free(dev->stage.pool);
}

/* A frame to fill for n bytes from the wire, or NULL when the packet buffer is full. */
struct i82599_rx_frame *i82599_stage_take(struct sim_device *dev, size_t n)
{
    struct i82599_stage *stage = &dev->stage;
    struct i82599_rx_frame *frame = STAILQ_FIRST(&stage->free);

    if (!frame || stage->bytes + lines_of(n) > (*i82599_reg(dev, REG_RXPBSIZE) & RXPBSIZE_MASK))
        return NULL;
    STAILQ_REMOVE_HEAD(&stage->free, in_queue);
    return frame;
}

void i82599_stage_put(struct sim_device *dev, struct i82599_rx_frame *frame)
{
    dev->stage.bytes += lines_of(frame->n);
    TAILQ_INSERT_TAIL(&dev->stage.arrivals, frame, arrival);
    STAILQ_INSERT_TAIL(&dev->stage.queue[frame->queue], frame, in_queue);
}

/* The frame, the first of its queue, has gone to memory or is dropped. */
void i82599_stage_remove(struct sim_device *dev, struct i82599_rx_frame *frame)
{
    dev->stage.bytes -= lines_of(frame->n);
    TAILQ_REMOVE(&dev->stage.arrivals, frame, arrival);
    STAILQ_REMOVE_HEAD(&dev->stage.queue[frame->queue], in_queue);
    STAILQ_INSERT_HEAD(&dev->stage.free, frame, in_queue);
}

/* Frames held for one queue, or for all (-1). */
unsigned i82599_stage_count(const struct sim_device *dev, int queue)
{
    const struct i82599_rx_frame *frame;
    unsigned n = 0;

    TAILQ_FOREACH(frame, &dev->stage.arrivals, arrival)
    n += queue < 0 || frame->queue == queue;
    return n;
}

void i82599_stage_reset(struct sim_device *dev)
{
    struct i82599_rx_frame *frame;

    while ((frame = TAILQ_FIRST(&dev->stage.arrivals))) {
        i82599_stage_remove(dev, frame);
        i82599_drop(dev, I82599_DROP_RX_RESET);
    }
}
