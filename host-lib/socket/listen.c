/* listen.c - passive opens: listen(), the accept queue, accept(). */
#include "../tcp/stream.h"
#include "address.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>

#include <rte_common.h>

/* tcp_fastopen can switch Fast Open on for listeners that never heard of it. */
static void maybe_fastopen(struct nb_sockets *ns, struct nb_sock *sock)
{
    const unsigned wanted = NB_FASTOPEN_SERVER | NB_FASTOPEN_SERVER_ALL_LISTENERS;
    if ((nb_tcp_settings(ns->tcp)->fastopen & wanted) == wanted && !sock->options->tcp.fastopen_queue)
        nb__options_own(ns, sock)->tcp.fastopen_queue = (uint16_t)sock->extra->backlog;
}

static int start_listening(struct nb_sockets *ns, struct nb_sock *sock)
{
    int err = nb__sock_key(sock)->local_port ? 0 : nb__sock_autobind(ns, sock);
    if (err)
        return err;
    const struct nb_flow_key *key = nb__sock_key(sock);
    err = nb_tcp_listen(ns->tcp, &key->local, key->family, key->local_port, sock);
    if (err)
        return err;
    sock->state = NB_SOCK_LISTENING;
    nb_tcp_listener_set_options(ns->tcp, sock, &sock->options->tcp);
    return 0;
}

int nb_sock_listen(struct nb_sockets *ns, int fd, int backlog)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (sock->state != NB_SOCK_LISTENING && (sock->state != NB_SOCK_UNCONNECTED || sock->tcb))
        return -EINVAL;
    nb__sock_extra(ns, sock)->backlog = backlog < 0 || backlog > NB_SOMAXCONN ? NB_SOMAXCONN : (uint32_t)backlog;
    maybe_fastopen(ns, sock);
    return sock->state == NB_SOCK_LISTENING ? 0 : start_listening(ns, sock);
}

bool nb__accept_queue_full(const struct nb_sock *listener)
{
    const struct nb_sock_extra *queue = nb__sock_extra_of(listener);
    return queue->accept_count > queue->backlog; /* Linux's off-by-one: a backlog of 1 holds two */
}

void nb__accept_queue_push(struct nb_sock *listener, struct nb_sock *child)
{
    struct nb_sock_extra *queue = listener->extra;
    child->next = NULL;
    child->flags |= NB_SOCK_QUEUED;
    if (queue->accept_tail)
        queue->accept_tail->next = child;
    else
        queue->accept_head = child;
    queue->accept_tail = child;
    queue->accept_count++;
}

static struct nb_sock *pop(struct nb_sock *listener)
{
    struct nb_sock_extra *queue = listener->extra;
    struct nb_sock *child = queue->accept_head;
    queue->accept_head = child->next;
    if (!queue->accept_head)
        queue->accept_tail = NULL;
    queue->accept_count--;
    child->flags &= (uint8_t)~NB_SOCK_QUEUED;
    return child;
}

void nb__sock_stop_listening(struct nb_sockets *ns, struct nb_sock *sock)
{
    nb_tcp_unlisten(ns->tcp, sock);
    sock->state = NB_SOCK_UNCONNECTED;
    while (sock->extra->accept_head) {
        struct nb_sock *child = pop(sock);
        if (child->tcb)
            nb_tcp_abort(ns->tcp, child->tcb);
        nb__sock_put(ns, child);
    }
}

static void name_peer(const struct nb_sock *child, struct sockaddr *address, socklen_t *bytes)
{
    const struct nb_flow_key *key = nb__sock_key(child);
    struct nb_endpoint at = {.address = key->remote, .port = key->remote_port, .family = key->family};
    if (address && bytes)
        nb__endpoint_write(&at, child->flags & NB_SOCK_V6, address, bytes);
}

static int wait_for_child(struct nb_sockets *ns, struct nb_sock *sock)
{
    uint64_t deadline = nb__sock_deadline(ns, sock->file.nonblock, sock->options->recv_timeout_us);
    int err = 0;
    nb__sock_hold(sock);
    while (!err && sock->state == NB_SOCK_LISTENING && !sock->extra->accept_head)
        err = nb__sock_wait(ns, sock, EPOLLIN, deadline);
    if (!err && sock->state != NB_SOCK_LISTENING)
        err = -EINVAL;
    nb__sock_put(ns, sock);
    return err;
}

int nb_sock_accept(struct nb_sockets *ns, int fd, struct sockaddr *address, socklen_t *bytes, int flags)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC) || sock->state != NB_SOCK_LISTENING)
        return -EINVAL;
    err = wait_for_child(ns, sock);
    if (err)
        return err;
    int child_fd = nb__file_install(ns, &sock->extra->accept_head->file);
    if (child_fd < 0)
        return child_fd;
    struct nb_sock *child = pop(sock);
    child->file.nonblock = flags & SOCK_NONBLOCK;
    child->file.cloexec = flags & SOCK_CLOEXEC;
    name_peer(child, address, bytes);
    return child_fd;
}
