/* link.c - the link as the driver sees it: up at 10 Gb/s through an SFP module, or down. Auto-negotiation does not
 * exist on this medium; MDIO has no PHY behind it.
 *
 * In loopback (HLREG0.LPBK, 3.7.4) the MAC's receiver hears its transmitter and nobody else: what is sent comes
 * back, filters and all, and the link is up whatever is plugged in. */
#include "model.h"

bool i82599_in_loopback(struct sim_device *dev)
{
    return *i82599_reg(dev, REG_HLREG0) & HLREG0_LPBK;
}

void i82599_loop(struct sim_device *dev, const uint8_t *frame, size_t n)
{
    dev->looping = true;
    dev->host.loopback(dev->host.arg, frame, n);
    dev->looping = false;
}

void i82599_hlreg0_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    *i82599_reg(dev, REG_HLREG0) = value;
    i82599_link_reset(dev);
}

void i82599_link_reset(struct sim_device *dev)
{
    bool up = dev->link_up || i82599_in_loopback(dev);

    *i82599_reg(dev, REG_LINKS) = up ? LINKS_UP | LINKS_SPEED_10G | LINKS_10G_ALIGN : 0;
}

void i82599_set_link(struct sim_device *dev, bool up)
{
    if (dev->link_up == up)
        return;
    dev->link_up = up;
    i82599_link_reset(dev);
    i82599_interrupt_cause(dev, EICR_LSC);
}

uint32_t i82599_esdp_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    return *i82599_reg(dev, REG_ESDP) | ESDP_SDP2;
}

/* An MDIO command completes at once; a read finds the lines pulled up. */
void i82599_msca_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    *i82599_reg(dev, REG_MSCA) = value & ~MSCA_MDI_COMMAND;
    *i82599_reg(dev, REG_MSRWD) |= 0xffff0000;
}
