/* rss.c - receive side scaling (7.1.2.8): a Toeplitz hash over the fields of the packet type, as MRQC allows, and a
 * queue from the indirection table.
 *
 * A TCP or UDP packet hashes its addresses and ports if its type is enabled, else, like any other IP packet and every
 * fragment, its addresses if that type is. The most specific enabled type wins. IPv6 extension headers are skipped to
 * find the ports. The IPv6Ex types hash the home addresses of a mobile node (RFC 6275) instead of those in the header;
 * that they come first for packets which have some, and last for all others, is assumed.
 */
#include <string.h>

#include "model.h"

enum addresses { ADDRESSES_OF_HEADER, HOME_ADDRESSES, HOME_ADDRESSES_IF_ANY };

struct hash_type {
    uint8_t ip_version;
    enum sim_l4 l4; /* SIM_L4_NONE: addresses only */
    uint32_t enable;
    unsigned descriptor_type; /* 7.1.6.2, table "RSS type" */
    enum addresses addresses;
};

/* The first that applies and is enabled. */
static const struct hash_type types[] = {
    {4, SIM_L4_TCP, MRQC_TCP_IPV4, 1, ADDRESSES_OF_HEADER},
    {4, SIM_L4_UDP, MRQC_UDP_IPV4, 7, ADDRESSES_OF_HEADER},
    {4, SIM_L4_NONE, MRQC_IPV4, 2, ADDRESSES_OF_HEADER},
    {6, SIM_L4_TCP, MRQC_TCP_IPV6_EX, 6, HOME_ADDRESSES},
    {6, SIM_L4_UDP, MRQC_UDP_IPV6_EX, 9, HOME_ADDRESSES},
    {6, SIM_L4_NONE, MRQC_IPV6_EX, 4, HOME_ADDRESSES},
    {6, SIM_L4_TCP, MRQC_TCP_IPV6, 3, ADDRESSES_OF_HEADER},
    {6, SIM_L4_UDP, MRQC_UDP_IPV6, 8, ADDRESSES_OF_HEADER},
    {6, SIM_L4_NONE, MRQC_IPV6, 5, ADDRESSES_OF_HEADER},
    {6, SIM_L4_TCP, MRQC_TCP_IPV6_EX, 6, HOME_ADDRESSES_IF_ANY},
    {6, SIM_L4_UDP, MRQC_UDP_IPV6_EX, 9, HOME_ADDRESSES_IF_ANY},
    {6, SIM_L4_NONE, MRQC_IPV6_EX, 4, HOME_ADDRESSES_IF_ANY},
};

void i82599_rssrk_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    *i82599_reg(dev, REG_RSSRK + index * 4) = value;
    dev->rss_key_stale = true;
}

/* The registers hold the key's bytes in order, lowest byte of each register first. */
static void refresh_key(struct sim_device *dev)
{
    uint8_t key[SIM_TOEPLITZ_KEY_BYTES];

    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(*i82599_reg(dev, REG_RSSRK + i / 4 * 4) >> i % 4 * 8);
    sim_toeplitz_init(&dev->toeplitz, key);
    dev->rss_key_stale = false;
}

static bool applies(const struct hash_type *type, const struct sim_frame *frame)
{
    bool has_home = frame->home_src || frame->home_dst;

    return type->ip_version == frame->ip_version && (type->l4 == SIM_L4_NONE || type->l4 == frame->l4) &&
           (type->addresses != HOME_ADDRESSES || has_home);
}

static const struct hash_type *type_of(const struct sim_frame *frame, uint32_t mrqc)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (mrqc & types[i].enable && applies(&types[i], frame))
            return &types[i];
    return NULL;
}

static uint32_t hash_of(struct sim_device *dev, const struct sim_frame *frame, const struct hash_type *type)
{
    uint8_t input[SIM_TOEPLITZ_INPUT_BYTES];
    size_t n = frame->address_bytes;
    bool home = type->addresses != ADDRESSES_OF_HEADER;

    memcpy(input, home && frame->home_src ? frame->home_src : frame->src, n);
    memcpy(input + n, home && frame->home_dst ? frame->home_dst : frame->dst, n);
    n *= 2;
    if (type->l4 != SIM_L4_NONE) {
        memcpy(input + n, frame->l4_header, 4);
        n += 4;
    }
    if (dev->rss_key_stale)
        refresh_key(dev);
    return sim_toeplitz_hash(&dev->toeplitz, input, n);
}

void i82599_rss(struct sim_device *dev, const struct sim_frame *frame, struct i82599_rss_result *result)
{
    uint32_t mrqc = *i82599_reg(dev, REG_MRQC);

    *result = (struct i82599_rss_result){.queue = -1};
    if ((mrqc & MRQC_MRQE) != MRQC_MRQE_RSS || !frame->ip_version)
        return;
    const struct hash_type *type = type_of(frame, mrqc);
    if (!type)
        return;
    result->hash = hash_of(dev, frame, type);
    result->type = type->descriptor_type;
    unsigned entry = result->hash % RETA_ENTRIES;
    result->queue = (int)(*i82599_reg(dev, REG_RETA + entry / 4 * 4) >> entry % 4 * 8 & RETA_QUEUE);
}
