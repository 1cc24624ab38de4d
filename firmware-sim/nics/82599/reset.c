/* reset.c - device reset (4.2): every register goes back to its reset value, every table and frame in flight is gone.
 *
 * CTRL.RST and CTRL.LNK_RST do the same here; on silicon LNK_RST takes the link down for a moment as well. Both bits
 * clear themselves at once. What a reset leaves alone: the EEPROM, the SFP module, and whether the wire has a link.
 * That RETA, the RSS key, MTA and the filter tables read zero after a reset is assumed; drivers write them all.
 */
#include <string.h>

#include "model.h"

/* The MAC address is loaded from the EEPROM into the first receive address at every reset (8.2.3.7.8). */
static void load_mac_address(struct sim_device *dev)
{
    const uint8_t *mac = dev->config.mac;

    *i82599_reg(dev, REG_RAL) = mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24;
    *i82599_reg(dev, REG_RAL + 4) = mac[4] | (uint32_t)mac[5] << 8 | RAH_AV;
}

void i82599_reset(struct sim_device *dev)
{
    i82599_registers_reset(dev);
    i82599_rsc_reset(dev);
    i82599_stage_reset(dev);
    i82599_tx_reset(dev);
    i82599_fdir_reset(dev);
    i82599_atr_reset(dev);
    i82599_link_reset(dev);
    load_mac_address(dev);
    dev->rss_key_stale = true;
    dev->five_tuple_filters = 0;
    dev->interrupt_line = false;
}

uint32_t i82599_ctrl_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    return *i82599_reg(dev, REG_CTRL);
}

void i82599_ctrl_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    if (value & (CTRL_RST | CTRL_LNK_RST)) {
        i82599_reset(dev);
        i82599_remark(dev, "device reset");
    }
    *i82599_reg(dev, REG_CTRL) = value & ~(CTRL_RST | CTRL_LNK_RST);
}
