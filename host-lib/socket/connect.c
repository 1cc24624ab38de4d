/* connect.c - active opens.
 *
 * connect() is two halves: choosing the tuple and sending the SYN, and learning how it went. A non-blocking caller
 * comes back for the second half with another connect(), or learns it from SO_ERROR; as in Linux the socket stays
 * "connecting" until somebody asks. With TCP_FASTOPEN_CONNECT and a cookie at hand connect() only notes the address,
 * and the first send opens the connection with its data in the SYN (RFC 7413).
 */
#include "../tcp/stream.h"
#include "address.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>

/* Different source ports to try before giving up: the owner proposes, the flow table may refuse. */
#define NB_CONNECT_ATTEMPTS 64

static int make_key(struct nb_sock *sock, const struct sockaddr *to, socklen_t bytes, struct nb_flow_key *key)
{
    struct nb_endpoint at;
    bool v6 = sock->flags & NB_SOCK_V6;
    int err = nb__endpoint_read(&at, v6, to, bytes);
    if (err)
        return err;
    if (!at.family)
        at.family = NB_FAMILY_IPV6;
    if (v6 && sock->options->v6only && at.family == NB_FAMILY_IPV4)
        return -ENETUNREACH;
    const struct nb_flow_key *own = nb__sock_key(sock);
    if (own->family && own->family != at.family && !nb__addr_is_any(&own->local))
        return -EINVAL;
    if (!at.port)
        return -EADDRNOTAVAIL;
    *key = (struct nb_flow_key){.family = at.family, .remote = at.address, .remote_port = at.port};
    key->local = own->local;
    key->local_port = own->local_port;
    return 0;
}

/* Open on the tuple; several when the port is ours to choose. */
static int open_tuple(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_flow_key *wanted,
                      struct nb_tcp_open *how)
{
    int err = -EADDRNOTAVAIL;
    for (unsigned attempt = 0; attempt < NB_CONNECT_ATTEMPTS; attempt++) {
        struct nb_flow_key key = *wanted;
        err = ns->env.route(ns->env.arg, &key, attempt);
        if (err)
            return err;
        struct nb_tcb *tcb = nb_tcp_open(ns->tcp, &key, how, &err);
        if (tcb) {
            nb__sock_attach(ns, sock, tcb);
            return 0;
        }
        if (err != -EADDRINUSE)
            return err;
        if (wanted->local_port)
            return -EADDRNOTAVAIL;
        err = -EADDRNOTAVAIL;
    }
    return err;
}

static int open_socket(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_flow_key *key,
                       struct nb_tcp_open *how)
{
    how->options = &sock->options->tcp;
    int err = open_tuple(ns, sock, key, how);
    if (err)
        return err;
    sock->flags &= (uint8_t)~NB_SOCK_DEFER_CONNECT;
    sock->state = NB_SOCK_CONNECTING;
    return -EINPROGRESS;
}

/* Hold the SYN back until there is data, if TCP_FASTOPEN_CONNECT asks for it and a cookie (or no need of one) allows.
 */
static bool defer(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_flow_key *wanted)
{
    struct nb_flow_key key = *wanted;
    if (!sock->options->tcp.fastopen_connect || ns->env.route(ns->env.arg, &key, 0) ||
        !nb_tcp_fastopen_ready(ns->tcp, &key, &sock->options->tcp))
        return false;
    sock->flags |= NB_SOCK_DEFER_CONNECT;
    sock->state = NB_SOCK_CONNECTING;
    struct nb_sock_extra *extra = nb__sock_extra(ns, sock);
    extra->key.remote = wanted->remote;
    extra->key.remote_port = wanted->remote_port;
    extra->key.family = wanted->family;
    return true;
}

/* The tuple of a deferred connect(). */
static struct nb_flow_key deferred_key(const struct nb_sock *sock)
{
    const struct nb_flow_key *key = nb__sock_key(sock);
    return (struct nb_flow_key){
        .local = key->local,
        .remote = key->remote,
        .local_port = key->local_port,
        .remote_port = key->remote_port,
        .family = key->family,
    };
}

static int check_state(const struct nb_sock *sock)
{
    switch ((enum nb_sock_state)sock->state) {
    case NB_SOCK_UNCONNECTED:
        return 0;
    case NB_SOCK_CONNECTING:
        return sock->flags & NB_SOCK_DEFER_CONNECT ? -EISCONN : -EALREADY;
    case NB_SOCK_LISTENING:
    case NB_SOCK_CONNECTED:
        return -EISCONN;
    }
    return -EINVAL;
}

int nb__sock_start_connect(struct nb_sockets *ns, struct nb_sock *sock, const struct sockaddr *to, socklen_t bytes)
{
    struct nb_flow_key key;
    struct nb_tcp_open how = {.fastopen = sock->options->tcp.fastopen_connect};
    int err = check_state(sock);
    if (!err)
        err = make_key(sock, to, bytes, &key);
    if (err)
        return err;
    return defer(ns, sock, &key) ? 0 : open_socket(ns, sock, &key, &how);
}

int nb__sock_start_fastopen(struct nb_sockets *ns, struct nb_sock *sock, const struct sockaddr *to, socklen_t bytes,
                            const struct iovec *iov, size_t n_iov, size_t *taken)
{
    struct nb_flow_key key;
    struct nb_tcp_open how = {.fastopen = true, .iov = iov, .n_iov = n_iov};
    int err = 0;
    if (sock->flags & NB_SOCK_DEFER_CONNECT)
        key = deferred_key(sock);
    else
        err = to ? make_key(sock, to, bytes, &key) : -EDESTADDRREQ;
    if (err)
        return err;
    err = open_socket(ns, sock, &key, &how);
    *taken = how.taken;
    return err;
}

static void give_up(struct nb_sock *sock)
{
    sock->state = NB_SOCK_UNCONNECTED;
    sock->flags &= (uint8_t) ~(NB_SOCK_RECV_SHUT | NB_SOCK_SEND_SHUT | NB_SOCK_DONE | NB_SOCK_NO_SPACE);
    sock->soft_error = 0;
}

int nb__sock_finish_connect(struct nb_sockets *ns, struct nb_sock *sock, uint64_t deadline_us)
{
    for (;;) {
        enum nb_tcp_state state = nb__sock_tcp_state(sock);
        if (state != NB_TCP_SYN_SENT && state != NB_TCP_SYN_RECEIVED)
            break;
        int err = nb__sock_wait(ns, sock, EPOLLOUT, deadline_us);
        if (err)
            return err == -EAGAIN ? -EINPROGRESS : err;
    }
    if (sock->tcb) {
        sock->state = NB_SOCK_CONNECTED;
        return 0;
    }
    int err = nb__sock_take_error(sock);
    give_up(sock);
    return err ? err : -ECONNABORTED;
}

int nb__sock_disconnect(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (sock->state == NB_SOCK_LISTENING)
        nb__sock_stop_listening(ns, sock);
    else if (sock->tcb)
        nb_tcp_abort(ns->tcp, sock->tcb);
    nb__sock_drop_unread(sock);
    sock->error = 0;
    give_up(sock);
    sock->flags &= (uint8_t)~NB_SOCK_DEFER_CONNECT;
    if (sock->flags & NB_SOCK_BOUND)
        sock->extra->key.remote_port = 0;
    else if (sock->extra)
        sock->extra->key = (struct nb_flow_key){0};
    nb__watch_announce(ns, &sock->file, 0);
    return 0;
}

int nb_sock_connect(struct nb_sockets *ns, int fd, const struct sockaddr *address, socklen_t bytes)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (!address)
        return -EFAULT;
    if (bytes < sizeof address->sa_family)
        return -EINVAL;
    if (address->sa_family == AF_UNSPEC)
        return nb__sock_disconnect(ns, sock);
    uint64_t deadline = nb__sock_deadline(ns, sock->file.nonblock, sock->options->send_timeout_us);
    nb__sock_hold(sock);
    int started = nb__sock_start_connect(ns, sock, address, bytes);
    err = started;
    if (started == -EINPROGRESS || started == -EALREADY) {
        err = nb__sock_finish_connect(ns, sock, deadline);
        if (err == -EINPROGRESS)
            err = started;
    }
    nb__sock_put(ns, sock);
    return err;
}
