/* fdir_key.c - what a filter of the Flow Director is about, and a frame's own: their fields under the masks
 * (7.1.2.7.3).
 *
 * Assumed: fragments and other protocols have L4 type 0 and ports 0; flexible bytes beyond the frame are zero; bit i of
 * a half of FDIRIP6M ignores byte i of the address as it lies in the packet; FDIRM.DIPV6 ignores nothing more, because
 * DPDK sets it and hashes the destination all the same.
 */
#include <string.h>

#include "model.h"

#define L4TYPE_UDP    1
#define L4TYPE_TCP    2
#define L4TYPE_SCTP   3
#define VLAN_ID       0x0fff
#define VLAN_PRIORITY 0xe000

/* Port masks are bit-reversed, each port for itself: bit 0 of a half is bit 15 of the port (8.2.3.21.10). */
static uint16_t reverse16(uint32_t bits)
{
    bits = (bits & 0x5555) << 1 | (bits & 0xaaaa) >> 1;
    bits = (bits & 0x3333) << 2 | (bits & 0xcccc) >> 2;
    bits = (bits & 0x0f0f) << 4 | (bits & 0xf0f0) >> 4;
    return (uint16_t)(bits << 8 | bits >> 8);
}

static uint32_t port_mask(struct sim_device *dev, unsigned l4type)
{
    switch (l4type) {
    case L4TYPE_TCP:
        return *i82599_reg(dev, REG_FDIRTCPM);
    case L4TYPE_UDP:
        return *i82599_reg(dev, REG_FDIRUDPM);
    case L4TYPE_SCTP:
        return *i82599_reg(dev, REG_FDIRSCTPM);
    }
    return 0; /* no ports to mask */
}

/* Clear what the mask registers say to ignore. */
struct i82599_fdir_key i82599_fdir_masked(struct sim_device *dev, const struct i82599_fdir_key *key)
{
    uint32_t fdirm = *i82599_reg(dev, REG_FDIRM), ports = port_mask(dev, key->l4type);
    struct i82599_fdir_key out = *key;

    if (!key->ipv6) { /* addresses of IPv6 are masked while they are folded */
        out.src &= ~*i82599_reg(dev, REG_FDIRSIP4M);
        out.dst &= ~*i82599_reg(dev, REG_FDIRDIP4M);
    }
    out.sport &= (uint16_t)~reverse16(ports & 0xffff);
    out.dport &= (uint16_t)~reverse16(ports >> 16);
    out.vlan &= (uint16_t) ~((fdirm & FDIRM_VLANID ? VLAN_ID : 0) | (fdirm & FDIRM_VLANP ? VLAN_PRIORITY : 0));
    out.flex = fdirm & FDIRM_FLEX ? 0 : out.flex;
    out.l4type = fdirm & FDIRM_L4P ? 0 : out.l4type;
    return out;
}

bool i82599_fdir_same_key(const struct i82599_fdir_key *a, const struct i82599_fdir_key *b)
{
    return a->src == b->src && a->dst == b->dst && a->sport == b->sport && a->dport == b->dport && a->vlan == b->vlan &&
           a->flex == b->flex && a->l4type == b->l4type && a->ipv6 == b->ipv6;
}

struct i82599_fdir_key i82599_fdir_programmed_key(struct sim_device *dev, uint32_t command)
{
    uint32_t port = *i82599_reg(dev, REG_FDIRPORT), vlan = *i82599_reg(dev, REG_FDIRVLAN);

    return (struct i82599_fdir_key){
        .src = *i82599_reg(dev, REG_FDIRIPSA),
        .dst = *i82599_reg(dev, REG_FDIRIPDA),
        .sport = (uint16_t)port,
        .dport = (uint16_t)(port >> 16),
        .vlan = (uint16_t)vlan & (VLAN_ID | VLAN_PRIORITY),
        .flex = (uint16_t)(vlan >> 16),
        .l4type = command >> FDIRCMD_L4TYPE_SHIFT & FDIRCMD_L4TYPE,
        .ipv6 = !!(command & FDIRCMD_IPV6),
    };
}

struct i82599_fdir_key i82599_fdir_key_of(struct sim_device *dev, const struct sim_frame *frame)
{
    static const uint8_t l4types[] = {
        [SIM_L4_TCP] = L4TYPE_TCP, [SIM_L4_UDP] = L4TYPE_UDP, [SIM_L4_SCTP] = L4TYPE_SCTP};
    uint32_t flex_at = 2 * (*i82599_reg(dev, REG_FDIRCTRL) >> FDIRCTRL_FLEX_SHIFT & FDIRCTRL_FLEX);
    struct i82599_fdir_key key = {
        .sport = frame->sport,
        .dport = frame->dport,
        .vlan = frame->vlan ? frame->tci & (VLAN_ID | VLAN_PRIORITY) : 0,
        .l4type = l4types[frame->l4],
    };

    if (frame->ip_version == 6) {
        uint32_t ignored = *i82599_reg(dev, REG_FDIRIP6M);
        key.ipv6 = 1;
        key.src = i82599_fdir_fold_ipv6(frame->src, (uint16_t)ignored);
        key.dst = i82599_fdir_fold_ipv6(frame->dst, (uint16_t)(ignored >> 16));
    } else {
        memcpy(&key.src, frame->src, 4);
        memcpy(&key.dst, frame->dst, 4);
    }
    if (flex_at + 2 <= frame->n)
        memcpy(&key.flex, frame->bytes + flex_at, 2);
    return key;
}
