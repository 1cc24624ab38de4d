/* rsc.c - receive side coalescing (7.11): TCP segments of one connection become one large receive.
 *
 * Theory of operation. A frame that comes out of the packet buffer for a queue with RSCCTL.RSCEN is looked at once
 * more. If it can be coalesced and belongs to no large receive that is being built, it begins one: it is written to the
 * next buffer of the ring, but its descriptor is not handed back. Segments that follow in order append their payload,
 * in new buffers when one is full. Buffers that are full are handed back at once (no EOP; NEXTP says which descriptor
 * goes on), the last one when the large receive ends; then the header in the first buffer gets the length,
 * acknowledgement, window, PSH and time stamp of the whole. Descriptors of other frames may lie between those of one
 * large receive.
 *
 * What ends it: a segment with PSH (it is still appended) unless RDRXCTL.RSC_PUSH_DIS; one that cannot be coalesced, is
 * out of order, carries another acknowledgement number while RDRXCTL.RSCACKC is set, or has time stamps when the others
 * have none; RSCCTL.MAXDESC buffers, 64 KB, 14 packets in one buffer; no descriptors; the interval of the queue's
 * interrupt (EITR). In stepped time the last of these is a step of its own.
 *
 * What can be coalesced: rsc_segment.c.
 *
 * RSCCNT of a descriptor is one more than the packets that begin in its buffer, 0 outside of large receives (7.1.6.2).
 *
 * Assumed: segments without payload are never coalesced (as with RSCDBU.RSCACKDIS); a segment that ended a large
 * receive and can be coalesced begins the next; without a free context a segment goes its ordinary way; the interval
 * counts from the first segment; the IPv4 header checksum is made right, the TCP checksum is left as the first segment
 * had it; the first segment's descriptor fields (hash, types, verdicts) are those of the whole.
 */
#include <assert.h>
#include <string.h>

#include "../../checksum.h"
#include "rx_ring.h"

#define PACKETS_PER_BUFFER 14 /* what RSCCNT can count (7.1.6.2) */
#define IP_BYTES_MAX       65535
#define IPV4_BYTES         20
#define IPV6_BYTES         40
#define TCP_BYTES          20
#define TIMESTAMP_BYTES    12
#define TCP_PSH            0x08
#define NEXTP_SHIFT        4
#define RSCCNT_SHIFT       17
#define EITR_UNIT_NS       2048 /* at 10 Gb/s (8.2.3.5.12) */

static void put16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

const char *i82599_rsc_end_text(enum i82599_rsc_end why)
{
    static const char *const texts[] = {
#define X(name, text) [RSC_END_##name] = text,
        I82599_RSC_ENDS(X)
#undef X
    };
    return texts[why];
}

/* --- registers ------------------------------------------------------------------------------------------------------
 */

static uint32_t ivar_entry(struct sim_device *dev, unsigned queue)
{
    return *i82599_reg(dev, REG_IVAR + queue / 2 * 4) >> queue % 2 * 16 & 0xff;
}

/* Coalescing needs the queue's place among the interrupts: their interval ends it (4.6.7.2.2). */
static bool enabled(struct sim_device *dev, unsigned queue)
{
    return *i82599_rx_reg(dev, queue, RXQ_RSCCTL) & RSCCTL_RSCEN && !(*i82599_reg(dev, REG_RFCTL) & RFCTL_RSC_DIS) &&
           ivar_entry(dev, queue) & IVAR_VALID && i82599_crc_strip(dev);
}

static unsigned descriptors_max(struct sim_device *dev, unsigned queue)
{
    static const unsigned counts[] = {1, 4, 8, 16};

    return counts[*i82599_rx_reg(dev, queue, RXQ_RSCCTL) >> RSCCTL_MAXDESC_SHIFT & RSCCTL_MAXDESC];
}

static uint64_t interval_ns(struct sim_device *dev, unsigned queue)
{
    unsigned vector = ivar_entry(dev, queue) & IVAR_VECTOR;
    uint32_t at = vector < EITR_LOW ? REG_EITR + vector * 4 : REG_EITR_24 + (vector - EITR_LOW) * 4;

    return (uint64_t)(*i82599_reg(dev, at) >> EITR_INTERVAL_SHIFT & EITR_INTERVAL) * EITR_UNIT_NS;
}

/* --- segments -------------------------------------------------------------------------------------------------------
 */

static_assert(sizeof(struct i82599_rsc_flow) == 40, "no padding: flows are compared as bytes");

static struct i82599_rsc *find(struct sim_device *dev, const struct i82599_rsc_flow *flow)
{
    for (unsigned i = 0; i < RSC_CONTEXTS; i++)
        if (dev->rsc.context[i].open && memcmp(&dev->rsc.context[i].flow, flow, sizeof *flow) == 0)
            return &dev->rsc.context[i];
    return NULL;
}

static struct i82599_rsc *find_free(struct sim_device *dev)
{
    for (unsigned i = 0; i < RSC_CONTEXTS; i++)
        if (!dev->rsc.context[i].open)
            return &dev->rsc.context[i];
    dev->rsc.count.without_context++;
    return NULL;
}

/* --- buffers --------------------------------------------------------------------------------------------------------
 */

static void set_head(struct sim_device *dev, unsigned queue, uint32_t head)
{
    *i82599_rx_reg(dev, queue, RXQ_RDH) = head;
}

/* Take the next descriptor of the ring for the context. */
static bool take_descriptor(struct sim_device *dev, struct i82599_rsc *c, struct rx_ring *ring)
{
    const void *descriptor = rx_descriptor_at(dev, ring, ring->head);

    if (!descriptor)
        return false;
    memcpy(&c->buffer_at, descriptor, sizeof c->buffer_at);
    c->descriptor = ring->head;
    c->filled = 0;
    c->started = 0;
    c->descriptors++;
    ring->head = rx_ring_next(ring, ring->head);
    set_head(dev, c->flow.queue, ring->head);
    return true;
}

/* The buffer is full and another one follows. */
static bool hand_back_full(struct sim_device *dev, const struct i82599_rsc *c, const struct rx_ring *ring)
{
    void *descriptor = rx_descriptor_at(dev, ring, c->descriptor);

    if (!descriptor)
        return false;
    rx_write_back(descriptor, c->info | (c->started + 1) << RSCCNT_SHIFT, c->hash,
                  RX_STATUS_DD | ring->head << NEXTP_SHIFT, c->filled, 0);
    return true;
}

/* Write bytes where the context stands, taking descriptors on the way; there are enough. False: some address is no
 * memory. */
static bool append_bytes(struct sim_device *dev, struct i82599_rsc *c, struct rx_ring *ring, const uint8_t *bytes,
                         size_t n)
{
    bool begins = true;

    while (n) {
        if (c->filled == ring->buffer_bytes && !(hand_back_full(dev, c, ring) && take_descriptor(dev, c, ring)))
            return false;
        size_t room = ring->buffer_bytes - c->filled, piece = n < room ? n : room;
        void *to = dev->host.dma(dev->host.arg, c->buffer_at + c->filled, piece);
        if (!to)
            return false;
        memcpy(to, bytes, piece);
        c->started += begins;
        begins = false;
        c->filled += piece;
        bytes += piece;
        n -= piece;
    }
    return true;
}

/* --- the end --------------------------------------------------------------------------------------------------------
 */

static bool ring_is_its(struct sim_device *dev, const struct i82599_rsc *c, const struct rx_ring *ring)
{
    return *i82599_rx_reg(dev, c->flow.queue, RXQ_RXDCTL) & QUEUE_ENABLE && ring->base == c->ring_base &&
           ring->size == c->ring_size && ring->buffer_bytes == c->ring_buffer && c->descriptor < ring->size;
}

/* The header is that of the first segment; make it one of the whole. */
static void finish_header(struct sim_device *dev, const struct i82599_rsc *c)
{
    size_t n = c->tcp_offset + TCP_BYTES + (c->timestamps ? TIMESTAMP_BYTES : 0);
    uint8_t *header = dev->host.dma(dev->host.arg, c->header_at, n);

    if (!header || c->packets < 2)
        return;
    uint8_t *ip = header + c->ip_offset, *tcp = header + c->tcp_offset;
    if (c->flow.ip_version == 4) {
        put16(ip + 2, c->ip_bytes);
        put16(ip + 10, 0);
        put16(ip + 10, (uint16_t)~sim_checksum_fold(sim_checksum_add(0, ip, IPV4_BYTES)));
    } else {
        put16(ip + 4, c->ip_bytes - IPV6_BYTES);
    }
    put16(tcp + 8, c->ack >> 16);
    put16(tcp + 10, c->ack);
    tcp[13] |= c->flags;
    put16(tcp + 14, c->window);
    if (c->timestamps)
        memcpy(tcp + TCP_BYTES + 4, c->timestamp, sizeof c->timestamp);
}

static void close_context(struct sim_device *dev, struct i82599_rsc *c)
{
    c->open = false;
    dev->rsc.open--;
}

/* It will never reach the driver: its ring is gone, or an address was wrong. */
static void lose(struct sim_device *dev, struct i82599_rsc *c, enum i82599_drop why)
{
    for (unsigned i = 0; i < c->packets; i++)
        i82599_drop(dev, why);
    close_context(dev, c);
}

static void end(struct sim_device *dev, struct i82599_rsc *c, enum i82599_rsc_end why)
{
    struct rx_ring ring = rx_ring_of(dev, c->flow.queue);
    void *descriptor = ring_is_its(dev, c, &ring) ? rx_descriptor_at(dev, &ring, c->descriptor) : NULL;

    if (!descriptor) {
        lose(dev, c, I82599_DROP_RX_QUEUE_DISABLED);
        return;
    }
    finish_header(dev, c);
    rx_write_back(descriptor, c->info | (c->started + 1) << RSCCNT_SHIFT, c->hash,
                  RX_STATUS_DD | RX_STATUS_EOP | c->status, c->filled, c->stripped_vlan);
    dev->rsc.count.large += c->packets > 1;
    dev->rsc.count.packets += c->packets > 1 ? c->packets : 0;
    dev->rsc.count.ends[why]++;
    i82599_remark(dev, "rsc: queue %u, %u packets, %zu bytes in %u buffers (%s)", c->flow.queue, c->packets,
                  c->ip_bytes, c->descriptors, i82599_rsc_end_text(why));
    close_context(dev, c);
    i82599_interrupt_rx(dev, c->flow.queue);
}

static struct i82599_rsc *oldest(struct sim_device *dev, int queue)
{
    struct i82599_rsc *found = NULL;

    for (unsigned i = 0; i < RSC_CONTEXTS; i++) {
        struct i82599_rsc *c = &dev->rsc.context[i];
        if (c->open && (queue < 0 || c->flow.queue == queue) && (!found || c->serial < found->serial))
            found = c;
    }
    return found;
}

/* --- appending ------------------------------------------------------------------------------------------------------
 */

/* Buffers that n more bytes need beyond the one being filled. */
static size_t more_buffers(const struct i82599_rsc *c, const struct rx_ring *ring, size_t n)
{
    size_t room = ring->buffer_bytes - c->filled;

    return n <= room ? 0 : (n - room + ring->buffer_bytes - 1) / ring->buffer_bytes;
}

/* Why this segment does not go into the large receive of its flow; RSC_ENDS_COUNT: it does. */
static enum i82599_rsc_end misfit(struct sim_device *dev, const struct i82599_rsc *c, const struct rx_ring *ring,
                                  const struct i82599_rsc_segment *s)
{
    size_t more = more_buffers(c, ring, s->payload_bytes);

    if (s->seq != c->next_seq)
        return RSC_END_ORDER;
    if (s->ack != c->ack && *i82599_reg(dev, REG_RDRXCTL) & RDRXCTL_RSCACKC)
        return RSC_END_ACK;
    if (c->timestamps != (s->timestamp != NULL))
        return RSC_END_FORM;
    if (c->ip_bytes + s->payload_bytes > IP_BYTES_MAX || c->started == PACKETS_PER_BUFFER ||
        c->descriptors + more > descriptors_max(dev, c->flow.queue))
        return RSC_END_FULL;
    return rx_ring_free(ring) < more ? RSC_END_DESCRIPTORS : RSC_ENDS_COUNT;
}

static void note_segment(struct sim_device *dev, struct i82599_rsc *c, const struct i82599_rsc_segment *s)
{
    c->next_seq = s->seq + (uint32_t)s->payload_bytes;
    c->ack = s->ack;
    c->window = s->window;
    c->flags |= s->flags;
    if (s->timestamp)
        memcpy(c->timestamp, s->timestamp, sizeof c->timestamp);
    c->packets++;
    i82599_count_rx_queue(dev, c->flow.queue, s->frame->n);
}

/* Begin a large receive with this segment. False: it goes its ordinary way. */
static struct i82599_rsc *begin(struct sim_device *dev, struct rx_ring *ring, const struct i82599_rsc_segment *s)
{
    size_t needed = (s->frame->n + ring->buffer_bytes - 1) / ring->buffer_bytes;
    bool fits = needed <= descriptors_max(dev, s->flow.queue) && needed <= rx_ring_free(ring);
    struct i82599_rsc *c = fits ? find_free(dev) : NULL;

    if (!c)
        return NULL;
    *c = (struct i82599_rsc){
        .open = true,
        .flow = s->flow,
        .serial = dev->rsc.serial++,
        .opened_ns = dev->host.now_ns ? dev->host.now_ns(dev->host.arg) : 0,
        .ring_base = ring->base,
        .ring_size = ring->size,
        .ring_buffer = ring->buffer_bytes,
        .info = s->frame->info,
        .hash = s->frame->hash,
        .status = s->frame->status,
        .stripped_vlan = s->frame->vlan,
        .ip_offset = s->ip_offset,
        .tcp_offset = s->tcp_offset,
        .timestamps = s->timestamp,
        .ip_bytes = s->payload_offset - s->ip_offset,
    };
    dev->rsc.open++;
    if (!take_descriptor(dev, c, ring)) {
        close_context(dev, c);
        return NULL;
    }
    c->header_at = c->buffer_at;
    return c;
}

/* Bytes of the segment as they are on the ring: with its headers when it is the first, without Ethernet's padding. */
static void add(struct sim_device *dev, struct i82599_rsc *c, struct rx_ring *ring, const struct i82599_rsc_segment *s)
{
    size_t from = c->packets ? s->payload_offset : 0;

    c->ip_bytes += s->payload_bytes;
    note_segment(dev, c, s);
    if (!append_bytes(dev, c, ring, s->frame->bytes + from, s->payload_offset + s->payload_bytes - from)) {
        lose(dev, c, I82599_DROP_RX_BAD_ADDRESS);
        return;
    }
    if (s->flags & TCP_PSH && !(*i82599_reg(dev, REG_RDRXCTL) & RDRXCTL_RSC_PUSH_DIS))
        end(dev, c, RSC_END_PUSH);
}

/* A frame comes to its queue's ring, which is usable. True: it is in a large receive now. */
bool i82599_rsc_take(struct sim_device *dev, struct rx_ring *ring, const struct i82599_rx_frame *frame)
{
    struct i82599_rsc_segment s;

    if (!enabled(dev, frame->queue))
        return false;
    enum i82599_rsc_kind kind = i82599_rsc_dissect(frame, &s);
    struct i82599_rsc *c = kind == RSC_OTHER ? NULL : find(dev, &s.flow);
    if (c && !ring_is_its(dev, c, ring)) {
        lose(dev, c, I82599_DROP_RX_QUEUE_DISABLED);
        c = NULL;
    }
    enum i82599_rsc_end why = kind == RSC_PLAIN ? RSC_END_SEGMENT : c ? misfit(dev, c, ring, &s) : RSC_ENDS_COUNT;
    if (c && why != RSC_ENDS_COUNT) {
        end(dev, c, why);
        c = NULL;
    }
    if (kind != RSC_CANDIDATE)
        return false;
    if (!c)
        c = begin(dev, ring, &s);
    if (!c)
        return false;
    add(dev, c, ring, &s);
    return true;
}

/* --- time -----------------------------------------------------------------------------------------------------------
 */

/* Large receives that are being built: of a queue, or all (-1). */
unsigned i82599_rsc_count(const struct sim_device *dev, int queue)
{
    unsigned n = 0;

    for (unsigned i = 0; i < RSC_CONTEXTS; i++)
        n += dev->rsc.context[i].open && (queue < 0 || dev->rsc.context[i].flow.queue == queue);
    return n;
}

/* Stepped time: end the oldest ones. How many were. */
unsigned i82599_rsc_release(struct sim_device *dev, int queue, unsigned max)
{
    struct i82599_rsc *c;
    unsigned done = 0;

    for (; done < max && (c = oldest(dev, queue)); done++)
        end(dev, c, RSC_END_STEP);
    return done;
}

static uint64_t due_of(struct sim_device *dev, const struct i82599_rsc *c)
{
    return c->opened_ns + interval_ns(dev, c->flow.queue);
}

/* When the next one ends by itself; UINT64_MAX: there is none. */
uint64_t i82599_rsc_due_ns(struct sim_device *dev)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; dev->rsc.open && i < RSC_CONTEXTS; i++)
        if (dev->rsc.context[i].open && due_of(dev, &dev->rsc.context[i]) < due)
            due = due_of(dev, &dev->rsc.context[i]);
    return due;
}

/* Real time: end those whose interval is over. */
void i82599_rsc_settle(struct sim_device *dev, uint64_t now_ns)
{
    for (unsigned i = 0; dev->rsc.open && i < RSC_CONTEXTS; i++)
        if (dev->rsc.context[i].open && due_of(dev, &dev->rsc.context[i]) <= now_ns)
            end(dev, &dev->rsc.context[i], RSC_END_TIMER);
}

void i82599_rsc_reset(struct sim_device *dev)
{
    for (unsigned i = 0; i < RSC_CONTEXTS; i++)
        if (dev->rsc.context[i].open)
            lose(dev, &dev->rsc.context[i], I82599_DROP_RX_RESET);
}

/* The queue is disabled: the driver takes its buffers back, and may put them to another use. */
void i82599_rsc_forget(struct sim_device *dev, unsigned queue)
{
    for (struct i82599_rsc *c; (c = oldest(dev, (int)queue));)
        lose(dev, c, I82599_DROP_RX_QUEUE_DISABLED);
}
