/* ethertype.c - the eight EtherType filters (7.1.2.3), first in the order of receive filters. */
#include "model.h"

#define ETHERTYPE_FILTERS 8

int i82599_ethertype_match(struct sim_device *dev, const struct sim_frame *frame, int *queue)
{
    for (unsigned i = 0; i < ETHERTYPE_FILTERS; i++) {
        uint32_t filter = *i82599_reg(dev, REG_ETQF + i * 4), select = *i82599_reg(dev, REG_ETQS + i * 4);
        if (!(filter & ETQF_FILTER_EN) || (filter & 0xffff) != frame->ethertype)
            continue;
        *queue = select & ETQS_QUEUE_EN ? (int)(select >> 16 & 0x7f) : -1;
        return (int)i;
    }
    return -1;
}
