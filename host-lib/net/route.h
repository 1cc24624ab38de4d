/* route.h - where a packet from one of our addresses goes: the connected prefix, or the gateway.
 *
 * A packet leaves through the port that owns its source address (strong host model, RFC 1122 §3.3.4.2), so every port
 * has a routing table of its own, and today that is one prefix and one gateway.
 */
#ifndef NB_NET_ROUTE_H
#define NB_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

struct nb_route { /* all in network order */
    uint32_t address, netmask;
    uint32_t gateway; /* 0: none */
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

/* The next hop's address, or 0 when there is no way. */
static inline uint32_t nb_route_next_hop(const struct nb_route *r, uint32_t destination)
{
    if (nb_route_is_broadcast(r, destination))
        return 0;
    return nb_route_on_link(r, destination) ? destination : r->gateway;
}

#endif
