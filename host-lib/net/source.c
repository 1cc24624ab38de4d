/* source.c - the port and the address that a new connection leaves from (RFC 1122 §3.3.4.3). */
#include <errno.h>

#include "net.h"

/* The port with the address, or (none named) the first whose network the destination is in, else with a gateway. */
static int port_towards(const struct nb_net *net, uint32_t local, uint32_t remote)
{
    int by_gateway = -ENETUNREACH;

    for (unsigned i = 0; i < net->n_ports; i++) {
        const struct nb_route *r = &net->port[i].route;

        if (local && r->address != local)
            continue;
        if (local || nb_route_on_link(r, remote))
            return (int)i;
        if (r->gateway && by_gateway < 0)
            by_gateway = (int)i;
    }
    return local ? -EADDRNOTAVAIL : by_gateway;
}

int nb_net_source(const struct nb_net *net, struct nb_flow_key *key)
{
    int port = port_towards(net, key->local.word[0], key->remote.word[0]);

    if (port < 0)
        return port;
    if (!nb_route_next_hop(&net->port[port].route, key->remote.word[0]))
        return -ENETUNREACH;
    key->local.word[0] = net->port[port].route.address;
    return port;
}
