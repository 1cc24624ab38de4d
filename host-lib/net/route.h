/* route.h - an IPv4 address of ours and the network it is in: what is on the link, what is nobody's address.
 *
 * A packet leaves through the port that owns its source address (strong host model, RFC 1122 §3.3.4.2), so every port
 * has a routing table of its own: its networks, and a gateway for each family (port.h).
 */
#ifndef NB_NET_ROUTE_H
#define NB_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

struct nb_route { /* in network order */
    uint32_t address, netmask;
};

static inline uint32_t nb_netmask(unsigned prefix_bits)
{
    return prefix_bits ? rte_cpu_to_be_32(UINT32_MAX << (32 - prefix_bits)) : 0;
}

static inline bool nb_route_on_link(const struct nb_route *r, uint32_t address)
{
    return ((address ^ r->address) & r->netmask) == 0;
}

/* All-ones and all-zeros host parts are no hosts, except in /31 and /32 (RFC 3021). */
static inline bool nb_route_is_broadcast(const struct nb_route *r, uint32_t address)
{
    uint32_t host = address & ~r->netmask;

    return address == UINT32_MAX || (rte_be_to_cpu_32(r->netmask) < 0xfffffffe && nb_route_on_link(r, address) &&
                                     (host == 0 || host == ~r->netmask));
}

#endif
