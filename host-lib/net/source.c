/* source.c - where a new connection leaves: strong host model (RFC 1122 §3.3.4.2), so the source address's port it is.
 */
#include <errno.h>

#include "../wire/ipv6.h"
#include "net.h"

/* With an address of ours chosen, its port; else the one with the destination on its link, else one with a gateway. */
static int find_port(const struct nb_net *net, const struct nb_flow_key *key)
{
    bool chosen = !nb_addr_is_zero(&key->local);
    int by_gateway = -1;

    for (unsigned i = 0; i < net->n_ports; i++) {
        const struct nb_net_port *p = &net->port[i];
        const struct nb_addr *hop = nb_net_port_next_hop(p, key->family, &key->remote);

        if (chosen ? nb_net_port_has(p, key->family, &key->local)
                   : hop == &key->remote && nb_net_port_speaks(p, key->family))
            return (int)i;
        if (!chosen && hop && hop != &key->remote && by_gateway < 0)
            by_gateway = (int)i;
    }
    return by_gateway;
}

int nb_net_source(const struct nb_net *net, struct nb_flow_key *key)
{
    bool chosen = !nb_addr_is_zero(&key->local);
    int port = find_port(net, key);
    const struct nb_addr *source;

    if (port < 0)
        return chosen ? -EADDRNOTAVAIL : -ENETUNREACH;
    if (!nb_net_port_next_hop(&net->port[port], key->family, &key->remote))
        return -ENETUNREACH;
    source = chosen ? &key->local : nb_net_port_source(&net->port[port], key->family, &key->remote);
    if (!source)
        return -EADDRNOTAVAIL;
    key->local = *source;
    key->vlan = net->port[port].vlan;
    return port;
}
