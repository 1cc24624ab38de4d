/* bind.c - bind(), and who holds which local address.
 *
 * Explicitly bound sockets are in a table by port. Two of them may share a port when their addresses differ, when both
 * set SO_REUSEADDR and neither listens, or when both set SO_REUSEPORT (ip(7), socket(7)). Linux also counts accepted
 * connections that are still open against a new bind without SO_REUSEADDR; here a restarted server never has that
 * trouble.
 */
#include "../tcp/stream.h"
#include "address.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>

#define NB_EPHEMERAL_FIRST 32768 /* Linux's net.ipv4.ip_local_port_range */
#define NB_EPHEMERAL_LAST  60999

static struct nb_sock **slot_of(struct nb_sockets *ns, uint16_t port)
{
    return &ns->bound[port % NB_SOCK_PORT_SLOTS];
}

static bool addresses_overlap(const struct nb_sock *sock, const struct nb_endpoint *wanted)
{
    const struct nb_flow_key *key = nb__sock_key(sock);
    if (!key->family || !wanted->family)
        return true;
    if (key->family != wanted->family)
        return false;
    return nb__addr_is_any(&key->local) || nb__addr_is_any(&wanted->address) ||
           nb__addr_equal(&key->local, &wanted->address);
}

static bool may_share(const struct nb_sock *a, const struct nb_sock *b)
{
    if (a->options->reuse_port && b->options->reuse_port)
        return true;
    bool listening = a->state == NB_SOCK_LISTENING || b->state == NB_SOCK_LISTENING;
    return a->options->reuse_address && b->options->reuse_address && !listening;
}

static bool in_conflict(struct nb_sockets *ns, const struct nb_sock *sock, const struct nb_endpoint *wanted)
{
    for (const struct nb_sock *other = *slot_of(ns, wanted->port); other; other = other->extra->bound_next) {
        if (other != sock && nb__sock_key(other)->local_port == wanted->port && addresses_overlap(other, wanted) &&
            !may_share(sock, other))
            return true;
    }
    return false;
}

static void enter(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_endpoint *at)
{
    struct nb_sock **slot = slot_of(ns, at->port);
    struct nb_sock_extra *extra = nb__sock_extra(ns, sock);
    extra->key.local = at->address;
    extra->key.local_port = at->port;
    extra->key.family = at->family;
    sock->flags |= NB_SOCK_BOUND;
    extra->bound_next = *slot;
    extra->bound_prev = slot;
    if (extra->bound_next)
        extra->bound_next->extra->bound_prev = &extra->bound_next;
    *slot = sock;
}

void nb__sock_unbind(struct nb_sock *sock)
{
    if (!(sock->flags & NB_SOCK_BOUND))
        return;
    struct nb_sock_extra *extra = sock->extra;
    *extra->bound_prev = extra->bound_next;
    if (extra->bound_next)
        extra->bound_next->extra->bound_prev = extra->bound_prev;
    sock->flags &= (uint8_t)~NB_SOCK_BOUND;
}

static unsigned index_of(const struct nb_sockets *ns, const struct nb_sock *sock)
{
    return (unsigned)(sock - (const struct nb_sock *)(const void *)ns->socks.blocks);
}

/* Any free port of the range; starts where the socket's place in the pool points, which is as good as any. */
static int choose_port(struct nb_sockets *ns, const struct nb_sock *sock, struct nb_endpoint *at)
{
    unsigned range = NB_EPHEMERAL_LAST - NB_EPHEMERAL_FIRST + 1, start = index_of(ns, sock) * 2654435761u;
    for (unsigned i = 0; i < range; i++) {
        at->port = (uint16_t)(NB_EPHEMERAL_FIRST + (start + i) % range);
        if (!in_conflict(ns, sock, at))
            return 0;
    }
    return -EADDRINUSE;
}

int nb__sock_autobind(struct nb_sockets *ns, struct nb_sock *sock)
{
    bool v6 = sock->flags & NB_SOCK_V6;
    struct nb_endpoint at = {.family = !v6 ? NB_FAMILY_IPV4 : sock->options->v6only ? NB_FAMILY_IPV6 : 0};
    int err = choose_port(ns, sock, &at);
    if (!err)
        enter(ns, sock, &at);
    return err;
}

static bool is_ours(const struct nb_sockets *ns, const struct nb_sock *sock, const struct nb_endpoint *at)
{
    if (nb__addr_is_any(&at->address) || sock->options->freebind || sock->options->transparent || !ns->env.is_local)
        return true;
    return ns->env.is_local(ns->env.arg, &at->address, at->family);
}

int nb_sock_bind(struct nb_sockets *ns, int fd, const struct sockaddr *address, socklen_t bytes)
{
    int err;
    struct nb_endpoint at;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    err = nb__endpoint_read(&at, sock->flags & NB_SOCK_V6, address, bytes);
    if (err)
        return err;
    if (sock->flags & NB_SOCK_V6 && sock->options->v6only) {
        if (at.family == NB_FAMILY_IPV4)
            return -EINVAL;
        at.family = NB_FAMILY_IPV6;
    }
    if (!is_ours(ns, sock, &at))
        return -EADDRNOTAVAIL;
    if (sock->state != NB_SOCK_UNCONNECTED || nb__sock_key(sock)->local_port)
        return -EINVAL;
    if (at.port == 0)
        err = choose_port(ns, sock, &at);
    else if (in_conflict(ns, sock, &at))
        err = -EADDRINUSE;
    if (!err)
        enter(ns, sock, &at);
    return err;
}

/* --- names
 * --------------------------------------------------------------------------------- */

int nb_sock_getsockname(struct nb_sockets *ns, int fd, struct sockaddr *address, socklen_t *bytes)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (!address || !bytes)
        return -EFAULT;
    const struct nb_flow_key *key = nb__sock_key(sock);
    struct nb_endpoint at = {.address = key->local, .port = key->local_port, .family = key->family};
    nb__endpoint_write(&at, sock->flags & NB_SOCK_V6, address, bytes);
    return 0;
}

int nb_sock_getpeername(struct nb_sockets *ns, int fd, struct sockaddr *address, socklen_t *bytes)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    enum nb_tcp_state state = nb__sock_tcp_state(sock);
    const struct nb_flow_key *key = nb__sock_key(sock);
    if (!key->remote_port || state == NB_TCP_CLOSED || state == NB_TCP_SYN_SENT)
        return -ENOTCONN;
    if (!address || !bytes)
        return -EFAULT;
    struct nb_endpoint at = {.address = key->remote, .port = key->remote_port, .family = key->family};
    nb__endpoint_write(&at, sock->flags & NB_SOCK_V6, address, bytes);
    return 0;
}
