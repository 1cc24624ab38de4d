/* nd.c - parse and write Neighbour Discovery messages. */
#include "nd.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "icmp.h"
#include "ipv6.h"

#define UNIT_BYTES 8 /* options are counted in these */

enum flag { FLAG_ROUTER = 1u << 31, FLAG_SOLICITED = 1u << 30, FLAG_OVERRIDE = 1u << 29 };
enum option { OPTION_SOURCE_MAC = 1, OPTION_TARGET_MAC = 2, OPTION_MTU = 5 };

/* By type: bytes before the options, and which link-layer address option the message has. */
static const struct kind {
    uint8_t type, bytes, mac_option;
    bool has_target;
} kinds[] = {
    {NB_ICMPV6_ROUTER_SOLICITATION, 8, OPTION_SOURCE_MAC, false},
    {NB_ICMPV6_ROUTER_ADVERTISEMENT, 16, OPTION_SOURCE_MAC, false},
    {NB_ICMPV6_NEIGHBOUR_SOLICITATION, 24, OPTION_SOURCE_MAC, true},
    {NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT, 24, OPTION_TARGET_MAC, true},
};

static const struct kind *kind_of(uint8_t type)
{
    for (unsigned i = 0; i < RTE_DIM(kinds); i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

static void read_option(struct nb_nd *nd, const struct kind *kind, const uint8_t unit[UNIT_BYTES], uint8_t units)
{
    uint32_t mtu;

    if (units != 1)
        return;
    if (unit[0] == kind->mac_option) {
        nd->has_mac = true;
        memcpy(nd->mac, unit + 2, NB_MAC_BYTES);
    } else if (unit[0] == OPTION_MTU && kind->type == NB_ICMPV6_ROUTER_ADVERTISEMENT) {
        memcpy(&mtu, unit + 4, sizeof mtu);
        nd->mtu_bytes = rte_be_to_cpu_32(mtu);
    }
}

/* RFC 4861 §4.6: a message with an option of length 0 is silently discarded; unknown options are skipped. */
static int read_options(struct nb_nd *nd, const struct kind *kind, const struct rte_mbuf *m, uint32_t at, uint32_t end)
{
    while (at < end) {
        uint8_t copy[UNIT_BYTES];
        const uint8_t *unit = rte_pktmbuf_read(m, at, UNIT_BYTES, copy);

        if (!unit || unit[1] == 0 || at + unit[1] * (uint32_t)UNIT_BYTES > end)
            return NB_COUNTER_DROP_MALFORMED;
        read_option(nd, kind, unit, unit[1]);
        at += unit[1] * (uint32_t)UNIT_BYTES;
    }
    return 0;
}

int nb_nd_parse(struct nb_nd *nd, uint8_t type, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes)
{
    const struct kind *kind = kind_of(type);
    uint8_t copy[24];
    const uint8_t *p;
    uint32_t rest;

    *nd = (struct nb_nd){.type = type};
    if (!kind || bytes < kind->bytes || !(p = rte_pktmbuf_read(m, offset, kind->bytes, copy)))
        return NB_COUNTER_DROP_MALFORMED;
    memcpy(&rest, p + 4, sizeof rest);
    rest = rte_be_to_cpu_32(rest);
    if (type == NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT) {
        nd->router = rest & FLAG_ROUTER;
        nd->solicited = rest & FLAG_SOLICITED;
        nd->override = rest & FLAG_OVERRIDE;
    }
    if (type == NB_ICMPV6_ROUTER_ADVERTISEMENT)
        nd->router_lifetime_s = (uint16_t)rest;
    if (kind->has_target) {
        memcpy(&nd->target, p + 8, sizeof nd->target);
        if (nb_ipv6_is_multicast(&nd->target))
            return NB_COUNTER_DROP_MALFORMED;
    }
    return read_options(nd, kind, m, offset + (uint32_t)kind->bytes, offset + bytes);
}

unsigned nb_nd_write(void *at, const struct nb_nd *nd, uint32_t *rest)
{
    const struct kind *kind = kind_of(nd->type);
    uint8_t *p = at;

    *rest = (nd->solicited ? FLAG_SOLICITED : 0) | (nd->override ? FLAG_OVERRIDE : 0);
    if (kind->has_target) {
        memcpy(p, &nd->target, sizeof nd->target);
        p += sizeof nd->target;
    }
    if (nd->has_mac) {
        p[0] = kind->mac_option;
        p[1] = 1;
        memcpy(p + 2, nd->mac, NB_MAC_BYTES);
        p += UNIT_BYTES;
    }
    return (unsigned)(p - (uint8_t *)at);
}
