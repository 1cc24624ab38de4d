/* port.h - what the network layer knows about a port: its addresses, their networks, the gateways.
 *
 * Every worker has a copy of its own (net.h). The first IPv4 address is kept apart as `route`: it is the one that
 * nearly every packet is about, so the usual frame is compared with it alone. A port without IPv4 has an all-zero one,
 * whose `simple` is false.
 *
 * Life of an IPv6 address (RFC 4862 §5.4): TENTATIVE while we ask whether somebody has it already (dad.c), then USABLE,
 * or CONFLICT for good when somebody has. Only a usable one is received on and sent from. IPv4 addresses are usable
 * from the start.
 */
#ifndef NB_NET_PORT_H
#define NB_NET_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/flow.h>
#include <netbypass/runtime.h>

#include "../wire/ethernet.h"
#include "route.h"

#define NB_NET_PORTS_MAX     8
#define NB_NET_ADDRESSES_MAX (NB_PORT_ADDRESSES_MAX + 1) /* and the link-local one */

enum nb_address_state { NB_ADDRESS_TENTATIVE, NB_ADDRESS_USABLE, NB_ADDRESS_CONFLICT };

struct nb_net_address {
    struct nb_addr address;
    uint8_t family;
    uint8_t prefix_bits;
    uint8_t state; /* enum nb_address_state */
};

struct nb_net_port {
    struct nb_route route; /* of the first IPv4 address */
    uint8_t mac[NB_MAC_BYTES];
    uint16_t mtu_bytes;
    uint16_t vlan;          /* every frame has this tag; 0: none has one */
    bool trust_rx_checksum; /* believe the port's word about received checksums */
    bool simple;            /* frames are untagged and there is one IPv4 address: the usual frame has its own way */
    uint8_t n_addresses;
    struct nb_net_address address[NB_NET_ADDRESSES_MAX];
    struct nb_addr gateway, gateway6; /* all zero: none */
    bool asks_routers;                /* gateway6 is what routers announce (router.c) */
    uint64_t gateway6_until_us;       /* then it is forgotten */
};

/* One more address. MAC address and VLAN are set before. The first IPv6 address brings the link-local one with it, made
 * from the MAC address (RFC 4291 appendix A); prefix 0 to 32 or 128 bits. */
void nb_net_port_add(struct nb_net_port *p, uint8_t family, const struct nb_addr *address, uint8_t prefix_bits);

/* Has it an address of this family? */
bool nb_net_port_speaks(const struct nb_net_port *p, uint8_t family);

/* Our address, whatever its state; NULL: it is none of ours. */
struct nb_net_address *nb_net_port_find(struct nb_net_port *p, uint8_t family, const struct nb_addr *address);

/* Is it ours to receive on? */
bool nb_net_port_has(const struct nb_net_port *p, uint8_t family, const struct nb_addr *address);

/* Could a neighbour have this address: on the link, a host's, and not ours? */
bool nb_net_port_is_neighbour(const struct nb_net_port *p, uint8_t family, const struct nb_addr *address);

/* The address to speak to `destination` from (RFC 6724, what is left of it when every address is of one port): of the
 * same network, else of the same scope. NULL: there is none. */
const struct nb_addr *nb_net_port_source(const struct nb_net_port *p, uint8_t family,
                                         const struct nb_addr *destination);

/* Is it the broadcast address of the network that this IPv4 address of ours is in? */
bool nb__is_broadcast_of(const struct nb_net_address *a, uint32_t address);

/* The long way to a next hop; use nb_net_port_next_hop. */
const struct nb_addr *nb__next_hop(const struct nb_net_port *p, uint8_t family, const struct nb_addr *destination);

/* Who gets a packet for `destination`: it itself, a gateway, or NULL: there is no way. */
static inline const struct nb_addr *nb_net_port_next_hop(const struct nb_net_port *p, uint8_t family,
                                                         const struct nb_addr *destination)
{
    if (family == NB_FAMILY_IPV4 && nb_route_on_link(&p->route, destination->word[0]) &&
        !nb_route_is_broadcast(&p->route, destination->word[0]))
        return destination;
    return nb__next_hop(p, family, destination);
}

#endif
