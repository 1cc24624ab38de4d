/* interrupt.c - interrupt causes and masks (7.3.1), one level-triggered line as in INTx or a single MSI.
 *
 * The line is high while an unmasked cause is pending; the host is told when it rises. MSI-X vectors are not modelled.
 */
#include "model.h"

static void update_line(struct sim_device *dev)
{
    bool high = *i82599_reg(dev, REG_EICR) & *i82599_reg(dev, REG_EIMS);
    bool rises = high && !dev->interrupt_line;

    dev->interrupt_line = high;
    if (rises)
        dev->host.interrupt(dev->host.arg);
}

void i82599_interrupt_cause(struct sim_device *dev, uint32_t causes)
{
    *i82599_reg(dev, REG_EICR) |= causes;
    update_line(dev);
}

/* IVAR[n] holds four entries: receive and transmit of queue 2n, receive and transmit of queue 2n+1 (7.3.4.1). In
 * legacy interrupt mode an entry names one of the cause bits 0..15. */
static void queue_cause(struct sim_device *dev, unsigned queue, unsigned transmit)
{
    unsigned shift = (queue % 2 * 2 + transmit) * 8;
    uint32_t entry = *i82599_reg(dev, REG_IVAR + queue / 2 * 4) >> shift;

    if (entry & IVAR_VALID)
        i82599_interrupt_cause(dev, 1u << (entry & 0xf));
}

void i82599_interrupt_rx(struct sim_device *dev, unsigned queue)
{
    queue_cause(dev, queue, 0);
}

void i82599_interrupt_tx(struct sim_device *dev, unsigned queue)
{
    queue_cause(dev, queue, 1);
}

uint32_t i82599_eicr_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    uint32_t causes = *i82599_reg(dev, REG_EICR);

    *i82599_reg(dev, REG_EICR) = 0;
    if (*i82599_reg(dev, REG_GPIE) & GPIE_EIAME)
        *i82599_reg(dev, REG_EIMS) &= ~*i82599_reg(dev, REG_EIAM);
    update_line(dev);
    return causes;
}

void i82599_eicr_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    *i82599_reg(dev, REG_EICR) &= ~value;
    update_line(dev);
}

void i82599_eics_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    i82599_interrupt_cause(dev, value);
}

void i82599_eims_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    *i82599_reg(dev, REG_EIMS) |= value;
    update_line(dev);
}

void i82599_eimc_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    *i82599_reg(dev, REG_EIMS) &= ~value;
    update_line(dev);
}

uint32_t i82599_write_only_read(struct sim_device *dev, unsigned index)
{
    (void)dev;
    (void)index;
    return 0;
}
