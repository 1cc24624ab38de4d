/* config_check.c - the checks that look at more than one key of a configuration. */
#include <errno.h>
#include <string.h>

#include <arpa/inet.h>

#include "config.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200 section 5 */

static bool same_address(const struct nb_addr *a, const struct nb_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static bool unspecified(const struct nb_addr *a)
{
    static const struct nb_addr zero;
    return same_address(a, &zero);
}

/* --- ports ------------------------------------------------------------------------------------------------------- */

unsigned nb_config_addresses(const struct nb_config_port *p, const struct nb_prefix *out[NB_PORT_ADDRESSES_MAX])
{
    out[0] = &p->address;
    for (unsigned i = 0; i < p->n_more; i++)
        out[1 + i] = &p->more[i];
    return 1 + p->n_more;
}

/* An address a host can have: not "this network", loopback, multicast or reserved, nor its network's own or broadcast
 * address where the prefix has room for those (RFC 1122 §3.2.1.3, RFC 3021). */
static bool host_address4(const struct nb_prefix *prefix)
{
    uint32_t address = ntohl(prefix->address.word[0]), first = address >> 24;
    uint32_t host_mask = prefix->bits ? (uint32_t)((1ull << (32 - prefix->bits)) - 1) : UINT32_MAX;
    uint32_t host = address & host_mask;

    if (first == 0 || first == 127 || first >= 224)
        return false;
    return prefix->bits > 30 || (host != 0 && host != host_mask);
}

/* Not the unspecified one, loopback, multicast, nor an IPv4 address in IPv6 dress (RFC 4291 section 2.5). */
static bool host_address6(const struct nb_addr *address)
{
    const struct in6_addr *a = (const struct in6_addr *)address->word;

    return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a) && !IN6_IS_ADDR_MULTICAST(a) &&
           !IN6_IS_ADDR_V4MAPPED(a);
}

static bool host_address(const struct nb_prefix *prefix)
{
    return prefix->family == NB_FAMILY_IPV6 ? host_address6(&prefix->address) : host_address4(prefix);
}

/* The first port up to `last` that has the address; before that of port `last`, its first `before` addresses count. */
static int owner_of(const struct nb_config *c, unsigned last, unsigned before, const struct nb_prefix *address)
{
    for (unsigned i = 0; i <= last && i < c->n_ports; i++) {
        const struct nb_prefix *has[NB_PORT_ADDRESSES_MAX];
        unsigned n = nb_config_addresses(&c->port[i], has);

        for (unsigned k = 0; k < (i == last ? before : n); k++)
            if (has[k]->family == address->family && same_address(&has[k]->address, &address->address))
                return (int)i;
    }
    return -1;
}

static int check_address(const struct nb_config *c, unsigned i, unsigned k, const struct nb_prefix *address,
                         struct nb_error *err)
{
    const struct nb_config_port *p = &c->port[i];
    int owner = owner_of(c, i, k, address);
    char text[NB_ADDR_TEXT_MAX];

    nb_addr_text(address->family, &address->address, text);
    if (!host_address(address))
        return nb_error_set(err, -EINVAL, "%s:%u: address: %s/%u is not one a host can have", c->file, p->line, text,
                            address->bits);
    if (owner >= 0)
        return nb_error_set(err, -EINVAL, "%s:%u: address: ports[%d] has %s already", c->file, p->line, owner, text);
    if (address->family == NB_FAMILY_IPV6 && p->mtu < IPV6_MTU_MIN)
        return nb_error_set(err, -EINVAL, "%s:%u: mtu: %u is too small for %s: IPv6 needs %d at least", c->file,
                            p->line, p->mtu, text, IPV6_MTU_MIN);
    return 0;
}

/* Another host of one of the port's networks. Every IPv6 link has link-local addresses. */
static bool is_neighbour(const struct nb_config_port *p, uint8_t family, const struct nb_addr *gateway)
{
    const struct nb_prefix link_local = {.address.word = {htonl(0xfe800000)}, .bits = 10, .family = NB_FAMILY_IPV6};
    const struct nb_prefix *has[NB_PORT_ADDRESSES_MAX];
    unsigned n = nb_config_addresses(p, has);
    bool inside = nb_prefix_contains(&link_local, family, gateway);

    for (unsigned i = 0; i < n; i++) {
        if (has[i]->family == family && same_address(&has[i]->address, gateway))
            return false;
        inside |= nb_prefix_contains(has[i], family, gateway);
    }
    return inside;
}

static int check_gateway(const struct nb_config *c, const struct nb_config_port *p, uint8_t family,
                         const struct nb_addr *gateway, struct nb_error *err)
{
    char text[NB_ADDR_TEXT_MAX];

    if (unspecified(gateway) || is_neighbour(p, family, gateway))
        return 0;
    nb_addr_text(family, gateway, text);
    return nb_error_set(err, -EINVAL, "%s:%u: %s: %s is not another host of the port's networks", c->file, p->line,
                        family == NB_FAMILY_IPV6 ? "gateway6" : "gateway", text);
}

static int check_port(const struct nb_config *c, unsigned i, struct nb_error *err)
{
    const struct nb_config_port *p = &c->port[i];
    const struct nb_prefix *has[NB_PORT_ADDRESSES_MAX];
    unsigned n = nb_config_addresses(p, has);
    int rc = 0;

    for (unsigned j = 0; j < i; j++)
        if (strcmp(c->port[j].device, p->device) == 0)
            return nb_error_set(err, -EINVAL, "%s:%u: device: %s is ports[%u] already", c->file, p->line, p->device, j);
    for (unsigned k = 0; k < n && !rc; k++)
        rc = check_address(c, i, k, has[k], err);
    if (!rc)
        rc = check_gateway(c, p, NB_FAMILY_IPV4, &p->gateway, err);
    return rc ? rc : check_gateway(c, p, NB_FAMILY_IPV6, &p->gateway6.address, err);
}

/* --- applications ------------------------------------------------------------------------------------------------ */

static bool our_address(const struct nb_config *c, const struct nb_endpoint *e)
{
    const struct nb_prefix address = {.address = e->address, .family = e->family};

    return unspecified(&e->address) || owner_of(c, c->n_ports, 0, &address) >= 0;
}

/* Does a listener before app a's number l take the same connections? */
static bool listened_before(const struct nb_config *c, unsigned a, unsigned l)
{
    const struct nb_endpoint *e = &c->app[a].listen[l];

    for (unsigned i = 0; i <= a; i++)
        for (unsigned j = 0; j < (i == a ? l : c->app[i].n_listen); j++) {
            const struct nb_endpoint *other = &c->app[i].listen[j];
            if (other->port == e->port && other->family == e->family && same_address(&other->address, &e->address))
                return true;
        }
    return false;
}

static int check_app(const struct nb_config *c, unsigned a, struct nb_error *err)
{
    const struct nb_config_app *app = &c->app[a];
    char text[NB_ENDPOINT_TEXT_MAX];

    for (unsigned l = 0; l < app->n_listen; l++) {
        const struct nb_endpoint *e = &app->listen[l];
        nb_endpoint_text(e->family, &e->address, e->port, text);
        if (!our_address(c, e))
            return nb_error_set(err, -EINVAL, "%s:%u: listen: %s is no port's address (%s is all of them)", c->file,
                                app->line, text, e->family == NB_FAMILY_IPV6 ? "[::]" : "0.0.0.0");
        if (listened_before(c, a, l))
            return nb_error_set(err, -EINVAL, "%s:%u: listen: %s is taken by a listener above", c->file, app->line,
                                text);
    }
    return 0;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

int nb_config_check(const struct nb_config *c, struct nb_error *err)
{
    unsigned listeners = 0;
    int rc = 0;

    for (unsigned i = 0; i < c->n_ports && !rc; i++)
        rc = check_port(c, i, err);
    for (unsigned i = 0; i < c->n_apps && !rc; i++) {
        listeners += c->app[i].n_listen ? c->app[i].n_listen : 1;
        rc = check_app(c, i, err);
    }
    if (!rc && listeners > NB_MAX_LISTENERS)
        rc = nb_error_set(err, -EINVAL, "%s: %u listeners; at most %d are possible", c->file, listeners,
                          NB_MAX_LISTENERS);
    if (!rc && c->limits.memory_pressure > c->limits.memory_high)
        rc = nb_error_set(err, -EINVAL,
                          "%s: limits: memory_pressure: %u is not accepted here; accepted: at most "
                          "memory_high, %u",
                          c->file, c->limits.memory_pressure, c->limits.memory_high);
    if (!rc && c->n_cpus && c->workers > c->n_cpus)
        rc = nb_error_set(err, -EINVAL, "%s: workers: %u, but cpus names only %u", c->file, c->workers, c->n_cpus);
    if (!rc && c->rebalance.interval_min_ms > c->rebalance.interval_max_ms)
        rc = nb_error_set(err, -EINVAL, "%s: rebalance: interval_min_ms is %u, above interval_max_ms, %u", c->file,
                          c->rebalance.interval_min_ms, c->rebalance.interval_max_ms);
    return rc;
}
