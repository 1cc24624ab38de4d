/* syn.c - the SYN filter (7.1.2.6): one queue for every TCP segment with SYN set. Its priority bit puts it before or
 * after the 5-tuple filters. That a SYN with ACK matches too is assumed. */
#include "model.h"

bool i82599_syn_match(struct sim_device *dev, const struct sim_frame *frame, bool high_priority, int *queue)
{
    uint32_t filter = *i82599_reg(dev, REG_SYNQF);

    if (!(filter & SYNQF_QUEUE_EN) || !(filter & SYNQF_PRIORITY) == high_priority)
        return false;
    if (frame->l4 != SIM_L4_TCP || !(frame->tcp_flags & SIM_TCP_SYN))
        return false;
    *queue = (int)(filter >> 1 & 0x7f);
    return true;
}
