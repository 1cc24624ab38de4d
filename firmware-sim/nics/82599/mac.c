/* mac.c - which frames the MAC lets in (7.1.1): size, destination address, VLAN.
 *
 * Frames come from the wire without their FCS, which is taken to be correct. A wire delivers at least 60 bytes, as any
 * Ethernet transmitter does; shorter ones are runts.
 */
#include "model.h"

#define MIN_BYTES      60
#define FCS_BYTES      4
#define VLAN_TAG_BYTES 4
#define MAX_STANDARD   1518 /* with FCS, untagged, when jumbo frames are off */

/* Longest frame accepted, FCS included (8.2.3.22.8 HLREG0.JUMBOEN, 8.2.3.22.13 MAXFRS); a tag does not count. */
static size_t max_bytes(struct sim_device *dev, bool tagged)
{
    size_t max = MAX_STANDARD;

    if (*i82599_reg(dev, REG_HLREG0) & HLREG0_JUMBOEN)
        max = *i82599_reg(dev, REG_MAXFRS) >> MAXFRS_MFS_SHIFT;
    max += tagged ? VLAN_TAG_BYTES : 0;
    return max < RX_FRAME_MAX ? max : RX_FRAME_MAX;
}

static bool exact_match(struct sim_device *dev, const uint8_t *mac)
{
    uint32_t low = mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24;
    uint32_t high = mac[4] | (uint32_t)mac[5] << 8;
    const uint32_t *pair = i82599_reg(dev, REG_RAL);

    for (unsigned i = 0; i < RECEIVE_ADDRESSES; i++, pair += 2)
        if (pair[1] & RAH_AV && pair[0] == low && (pair[1] & 0xffff) == high)
            return true;
    return false;
}

/* Twelve bits of the address, chosen by MCSTCTRL.MO, pick one of the table's 4096 bits (7.1.1.1.3). */
static bool multicast_hash_match(struct sim_device *dev, const uint8_t *mac)
{
    static const unsigned shift_of_offset[] = {4, 3, 2, 0}; /* bits 47:36, 46:35, 45:34, 43:32 */
    uint32_t control = *i82599_reg(dev, REG_MCSTCTRL);

    if (!(control & MCSTCTRL_MFE))
        return false;
    uint32_t bit = (mac[4] | (uint32_t)mac[5] << 8) >> shift_of_offset[control & MCSTCTRL_MO] & 0xfff;
    return *i82599_reg(dev, REG_MTA + bit / 32 * 4) >> bit % 32 & 1;
}

static bool address_accepted(struct sim_device *dev, const uint8_t *mac)
{
    uint32_t fctrl = *i82599_reg(dev, REG_FCTRL);
    bool broadcast = (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;

    if (broadcast && fctrl & FCTRL_BAM)
        return true;
    if (fctrl & (mac[0] & 1 ? FCTRL_MPE : FCTRL_UPE))
        return true;
    return exact_match(dev, mac) || (mac[0] & 1 && multicast_hash_match(dev, mac));
}

static bool vlan_accepted(struct sim_device *dev, const struct sim_frame *frame)
{
    unsigned vid = frame->tci & 0xfff;

    if (!frame->vlan || !(*i82599_reg(dev, REG_VLNCTRL) & VLNCTRL_VFE))
        return true;
    return *i82599_reg(dev, REG_VFTA + vid / 32 * 4) >> vid % 32 & 1;
}

bool i82599_mac_admits(struct sim_device *dev, const struct sim_frame *frame, enum i82599_drop *why)
{
    if (!(*i82599_reg(dev, REG_RXCTRL) & RXCTRL_RXEN)) {
        *why = I82599_DROP_RX_DISABLED;
        return false;
    }
    if (i82599_in_loopback(dev) && !dev->looping) {
        *why = I82599_DROP_RX_LOOPBACK;
        return false;
    }
    if (!dev->link_up && !dev->looping) {
        *why = I82599_DROP_RX_LINK_DOWN;
        return false;
    }
    i82599_count(dev, REG_TPR, 1);
    i82599_count_octets(dev, REG_TORL, (uint32_t)(frame->n + FCS_BYTES));
    if (frame->n < MIN_BYTES) {
        i82599_count(dev, REG_RUC, 1);
        *why = I82599_DROP_RX_UNDERSIZE;
        return false;
    }
    if (frame->n + FCS_BYTES > max_bytes(dev, frame->vlan)) {
        i82599_count(dev, REG_ROC, 1);
        *why = I82599_DROP_RX_OVERSIZE;
        return false;
    }
    *why = I82599_DROP_RX_ADDRESS;
    if (!address_accepted(dev, frame->bytes))
        return false;
    *why = I82599_DROP_RX_VLAN;
    return vlan_accepted(dev, frame);
}

/* HLREG0 and RDRXCTL must agree; the FCS reaches memory only when both say so (8.2.3.8.8). */
bool i82599_crc_strip(struct sim_device *dev)
{
    return *i82599_reg(dev, REG_HLREG0) & HLREG0_RXCRCSTRP || *i82599_reg(dev, REG_RDRXCTL) & RDRXCTL_CRCSTRIP;
}

uint32_t i82599_ral_alias_read(struct sim_device *dev, unsigned index)
{
    return *i82599_reg(dev, REG_RAL + index * 8);
}

void i82599_ral_alias_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_reg(dev, REG_RAL + index * 8) = value;
}

uint32_t i82599_rah_alias_read(struct sim_device *dev, unsigned index)
{
    return *i82599_reg(dev, REG_RAL + index * 8 + 4);
}

void i82599_rah_alias_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_reg(dev, REG_RAL + index * 8 + 4) = value;
}
