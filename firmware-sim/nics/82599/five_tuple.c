/* five_tuple.c - the 128 L3/L4 5-tuple filters (7.1.2.5): SAQF, DAQF, SDPQF, FTQF, L34T_IMIR.
 *
 * Each field of a filter is compared whole or not at all. Of all filters that match, the one with the highest priority
 * wins, 7 being highest; among equals the lowest index (assumed: the datasheet leaves it open). Addresses and ports lie
 * in the registers as they lie in the packet. Only unfragmented IPv4 packets are compared (assumed for IPv6, for which
 * there is no room in the address registers).
 */
#include <string.h>

#include "model.h"

void i82599_ftqf_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    uint32_t *reg = i82599_reg(dev, REG_FTQF + index * 4);

    dev->five_tuple_filters += (value >> 31) - (*reg >> 31); /* unsigned: may add "-1" */
    *reg = value;
}

struct five_tuple {
    uint32_t src, dst;
    uint32_t ports; /* as in SDPQF: source port in the low half */
    unsigned protocol;
};

static struct five_tuple tuple_of(const struct sim_frame *frame)
{
    static const unsigned protocols[] = {[SIM_L4_NONE] = 3, [SIM_L4_TCP] = 0, [SIM_L4_UDP] = 1, [SIM_L4_SCTP] = 2};
    struct five_tuple tuple = {.protocol = protocols[frame->l4]};

    memcpy(&tuple.src, frame->src, 4);
    memcpy(&tuple.dst, frame->dst, 4);
    if (frame->l4 != SIM_L4_NONE)
        memcpy(&tuple.ports, frame->l4_header, 4);
    return tuple;
}

static bool matches(struct sim_device *dev, unsigned i, const struct five_tuple *tuple)
{
    uint32_t ftqf = *i82599_reg(dev, REG_FTQF + i * 4);
    uint32_t ports = *i82599_reg(dev, REG_SDPQF + i * 4) ^ tuple->ports;

    return ftqf & FTQF_QUEUE_ENABLE && (ftqf & FTQF_IGNORE_SRC || *i82599_reg(dev, REG_SAQF + i * 4) == tuple->src) &&
           (ftqf & FTQF_IGNORE_DST || *i82599_reg(dev, REG_DAQF + i * 4) == tuple->dst) &&
           (ftqf & FTQF_IGNORE_SPORT || !(ports & 0xffff)) && (ftqf & FTQF_IGNORE_DPORT || !(ports >> 16)) &&
           (ftqf & FTQF_IGNORE_PROTO || (ftqf & FTQF_PROTOCOL) == tuple->protocol);
}

static unsigned priority_of(struct sim_device *dev, unsigned i)
{
    return *i82599_reg(dev, REG_FTQF + i * 4) >> FTQF_PRIORITY_SHIFT & FTQF_PRIORITY;
}

int i82599_five_tuple_match(struct sim_device *dev, const struct sim_frame *frame, int *queue)
{
    int best = -1;

    if (!dev->five_tuple_filters || frame->ip_version != 4 || frame->fragment)
        return -1;
    struct five_tuple tuple = tuple_of(frame);
    for (unsigned i = 0; i < FIVE_TUPLE_FILTERS; i++)
        if (matches(dev, i, &tuple) && (best < 0 || priority_of(dev, i) > priority_of(dev, (unsigned)best)))
            best = (int)i;
    if (best >= 0)
        *queue = (int)(*i82599_reg(dev, REG_L34T_IMIR + (unsigned)best * 4) >> L34T_IMIR_QUEUE_SHIFT & 0x7f);
    return best;
}
