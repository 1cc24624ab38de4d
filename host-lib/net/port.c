/* port.c - see port.h. */
#include <string.h>

#include "../wire/ipv4.h"
#include "../wire/ipv6.h"
#include "port.h"

#define LINK_LOCAL_BITS 64

static struct nb_route route_of(const struct nb_net_address *a)
{
    return (struct nb_route){.address = a->address.word[0], .netmask = nb_netmask(a->prefix_bits)};
}

static unsigned count(const struct nb_net_port *p, uint8_t family)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->n_addresses; i++)
        n += p->address[i].family == family;
    return n;
}

bool nb_net_port_speaks(const struct nb_net_port *p, uint8_t family)
{
    return count(p, family) > 0;
}

static void append(struct nb_net_port *p, uint8_t family, const struct nb_addr *address, uint8_t prefix_bits)
{
    p->address[p->n_addresses++] =
        (struct nb_net_address){.address = *address,
                                .family = family,
                                .prefix_bits = prefix_bits,
                                .state = family == NB_FAMILY_IPV4 ? NB_ADDRESS_USABLE : NB_ADDRESS_TENTATIVE};
}

static struct nb_addr link_local(const uint8_t mac[NB_MAC_BYTES])
{
    const uint8_t bytes[] = {0xfe,          0x80,   0,      0,    0,    0,      0,      0,
                             mac[0] ^ 0x02, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    struct nb_addr address;

    memcpy(&address, bytes, sizeof address);
    return address;
}

void nb_net_port_add(struct nb_net_port *p, uint8_t family, const struct nb_addr *address, uint8_t prefix_bits)
{
    const struct nb_addr own = link_local(p->mac);

    if (family == NB_FAMILY_IPV6 && count(p, NB_FAMILY_IPV6) == 0 && !nb_ipv6_is_link_local(address))
        append(p, NB_FAMILY_IPV6, &own, LINK_LOCAL_BITS);
    append(p, family, address, prefix_bits);
    if (family == NB_FAMILY_IPV4 && count(p, NB_FAMILY_IPV4) == 1)
        p->route = route_of(&p->address[p->n_addresses - 1]);
    p->simple = count(p, NB_FAMILY_IPV4) == 1 && p->vlan == 0;
}

static const struct nb_net_address *find(const struct nb_net_port *p, uint8_t family, const struct nb_addr *address)
{
    for (unsigned i = 0; i < p->n_addresses; i++)
        if (p->address[i].family == family && nb_addr_equal(&p->address[i].address, address))
            return &p->address[i];
    return NULL;
}

struct nb_net_address *nb_net_port_find(struct nb_net_port *p, uint8_t family, const struct nb_addr *address)
{
    return (struct nb_net_address *)(uintptr_t)find(p, family, address);
}

bool nb_net_port_has(const struct nb_net_port *p, uint8_t family, const struct nb_addr *address)
{
    const struct nb_net_address *a = find(p, family, address);

    return a && a->state == NB_ADDRESS_USABLE;
}

static bool same_bits(const struct nb_addr *a, const struct nb_addr *b, unsigned bits)
{
    for (unsigned i = 0; bits > 0; i++, bits -= bits < 32 ? bits : 32)
        if ((a->word[i] ^ b->word[i]) & nb_netmask(bits < 32 ? bits : 32))
            return false;
    return true;
}

static bool is_in_network(const struct nb_net_address *a, uint8_t family, const struct nb_addr *address)
{
    return a->family == family && same_bits(&a->address, address, a->prefix_bits);
}

static bool is_on_link(const struct nb_net_port *p, uint8_t family, const struct nb_addr *address)
{
    for (unsigned i = 0; i < p->n_addresses; i++)
        if (is_in_network(&p->address[i], family, address))
            return true;
    return family == NB_FAMILY_IPV6 && nb_ipv6_is_link_local(address);
}

bool nb__is_broadcast_of(const struct nb_net_address *a, uint32_t address)
{
    const struct nb_route r = route_of(a);

    return nb_route_is_broadcast(&r, address);
}

/* Broadcast in one of our networks, or multicast: nothing that is sent to one host. */
static bool is_group(const struct nb_net_port *p, uint8_t family, const struct nb_addr *address)
{
    if (family == NB_FAMILY_IPV6)
        return nb_ipv6_is_multicast(address);
    for (unsigned i = 0; i < p->n_addresses; i++)
        if (p->address[i].family == NB_FAMILY_IPV4 && nb__is_broadcast_of(&p->address[i], address->word[0]))
            return true;
    return nb_ipv4_is_martian(address->word[0]);
}

bool nb_net_port_is_neighbour(const struct nb_net_port *p, uint8_t family, const struct nb_addr *address)
{
    if (!is_on_link(p, family, address) || is_group(p, family, address) || find(p, family, address))
        return false;
    return family == NB_FAMILY_IPV4 || !nb_ipv6_is_martian(address);
}

const struct nb_addr *nb_net_port_source(const struct nb_net_port *p, uint8_t family, const struct nb_addr *destination)
{
    bool local = family == NB_FAMILY_IPV6 && (nb_ipv6_is_link_local(destination) || nb_ipv6_is_multicast(destination));
    const struct nb_addr *other = NULL;

    for (unsigned i = 0; i < p->n_addresses; i++) {
        const struct nb_net_address *a = &p->address[i];

        if (a->family != family || a->state != NB_ADDRESS_USABLE)
            continue;
        if (local ? nb_ipv6_is_link_local(&a->address) : is_in_network(a, family, destination))
            return &a->address;
        if (!other && (family == NB_FAMILY_IPV4 || !nb_ipv6_is_link_local(&a->address)))
            other = &a->address;
    }
    return other;
}

const struct nb_addr *nb__next_hop(const struct nb_net_port *p, uint8_t family, const struct nb_addr *destination)
{
    const struct nb_addr *gateway = family == NB_FAMILY_IPV4 ? &p->gateway : &p->gateway6;

    if (is_group(p, family, destination))
        return NULL;
    if (is_on_link(p, family, destination))
        return destination;
    return nb_addr_is_zero(gateway) ? NULL : gateway;
}
