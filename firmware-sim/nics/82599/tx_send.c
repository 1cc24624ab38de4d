/* tx_send.c - from the descriptors of one frame to the wire: is it one, its bytes gathered, worked on as the
 * descriptors ask (offload.c), tagged, padded. A frame that cannot be sent is counted.
 */
#include "tx_ring.h"

#define ETHERNET_BYTES   14
#define MAC_ADDRESSES    12
#define VLAN_TAG_BYTES   4
#define MIN_BYTES        60
#define COMMAND_LINKSEC  (1u << 18)
#define COMMAND_OUTER_IP (1u << 17) /* a later device's tunnel checksum */
#define COMMAND_IC       (1u << 26) /* legacy descriptor: insert checksum */
#define COMMAND_VLE      (1u << 30)
#define COMMAND_TSE      (1u << 31)
#define OPTION_IXSM      (1u << 8)
#define OPTION_TXSM      (1u << 9)
#define OPTION_IPSEC     (1u << 10)
#define OPTION_PAYLEN(o) ((o) >> 14)
#define LEGACY_CSO(c)    ((c) >> 16 & 0xff)
#define LEGACY_CSS(o)    ((o) >> 8 & 0xff)
#define LEGACY_VLAN(o)   ((uint16_t)((o) >> 16))
#define L4T_SCTP         2 /* and 3: none */

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
        struct tx_descriptor_words d;
        if (!tx_read_descriptor(dev, ring, tx_ring_at(ring, plan->first, i), &d))
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
    if (advanced && (command & (COMMAND_LINKSEC | COMMAND_OUTER_IP) || options & OPTION_IPSEC))
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
unsigned i82599_tx_send_segments(struct sim_device *dev, unsigned queue, unsigned max)
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

/* A legacy descriptor's offloads: a checksum from some byte on to the end, and a tag. */
static bool send_legacy(struct sim_device *dev, unsigned queue, const struct i82599_tx_plan *plan)
{
    const uint16_t vlan = LEGACY_VLAN(plan->options);

    if (plan->command & COMMAND_IC &&
        !i82599_offload_sum(dev->tx.frame, plan->bytes, LEGACY_CSS(plan->options), LEGACY_CSO(plan->command)))
        return false;
    emit(dev, queue, dev->tx.frame, plan->bytes, plan->command & COMMAND_VLE ? &vlan : NULL);
    return true;
}

/* A frame, not to be segmented, is gathered in tx.frame: insert checksums and send it. */
static bool send_whole(struct sim_device *dev, unsigned queue, const struct i82599_tx_plan *plan)
{
    const struct i82599_tx_context *context = &dev->tx.context[queue][OPTION_INDEX(plan->options) % TX_CONTEXTS];
    bool ip = plan->options & OPTION_IXSM, l4 = plan->options & OPTION_TXSM;

    if (!(plan->command & COMMAND_DEXT))
        return send_legacy(dev, queue, plan);
    if ((ip || l4) && !i82599_offload_checksums(dev->tx.frame, plan->bytes, context, ip, l4))
        return false;
    emit(dev, queue, dev->tx.frame, plan->bytes, plan->command & COMMAND_VLE ? &context->vlan : NULL);
    return true;
}

/* Send a planned frame, or begin to cut it (tx.cutting). Whatever is wrong with it is counted. */
void i82599_tx_send_frame(struct sim_device *dev, unsigned queue, const struct tx_ring *ring,
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
