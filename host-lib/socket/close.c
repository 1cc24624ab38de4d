/* close.c - socket(), shutdown(), close(), fcntl(): the life of a descriptor. */
#include "../tcp/stream.h"
#include "epoll.h"
#include "error_queue.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>

#include <netinet/in.h>

int nb_sock_open(struct nb_sockets *ns, int domain, int type, int protocol)
{
    int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (domain != AF_INET && domain != AF_INET6)
        return -EAFNOSUPPORT;
    if ((type & ~flags) != SOCK_STREAM)
        return type & ~flags & ~0xf ? -EINVAL : -ESOCKTNOSUPPORT;
    if (protocol != 0 && protocol != IPPROTO_TCP)
        return -EPROTONOSUPPORT;
    struct nb_sock *sock = nb__sock_new(ns, domain == AF_INET6);
    if (!sock)
        return -ENFILE;
    int fd = nb__file_install(ns, &sock->file);
    if (fd < 0) {
        nb__sock_put(ns, sock);
        return fd;
    }
    sock->file.nonblock = flags & SOCK_NONBLOCK;
    sock->file.cloexec = flags & SOCK_CLOEXEC;
    return fd;
}

int nb_sock_shutdown(struct nb_sockets *ns, int fd, int how)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (sock->state == NB_SOCK_LISTENING || nb__sock_tcp_state(sock) == NB_TCP_SYN_SENT)
        return how == SHUT_WR && sock->state == NB_SOCK_LISTENING ? 0 : nb__sock_disconnect(ns, sock);
    if (!sock->tcb)
        return -ENOTCONN;
    if (how != SHUT_WR)
        sock->flags |= NB_SOCK_RECV_SHUT;
    if (how != SHUT_RD && !(sock->flags & NB_SOCK_SEND_SHUT)) {
        sock->flags |= NB_SOCK_SEND_SHUT;
        nb_tcp_shutdown(ns->tcp, sock->tcb);
    }
    nb__watch_announce(ns, &sock->file, 0);
    return 0;
}

/* --- close
 * --------------------------------------------------------------------------------- */

/* SO_LINGER with a time: the caller waits for the last acknowledgement, but not longer. */
static void linger(struct nb_sockets *ns, struct nb_sock *sock)
{
    uint64_t deadline = nb__sock_deadline(ns, sock->file.nonblock, (uint64_t)sock->options->linger_s * 1000000);
    nb_tcp_want_progress(sock->tcb, true);
    while (sock->tcb && nb_tcp_sending(sock->tcb) && nb__sock_wait(ns, sock, EPOLLHUP, deadline) == 0)
        continue;
}

/* What tcp_close() of Linux does: RST when data is lost, or when the user asked for that with a linger time of 0. */
static void close_connection(struct nb_sockets *ns, struct nb_sock *sock)
{
    bool unread = nb__sock_drop_unread(sock);
    if (unread || sock->options->linger_s == 0) {
        nb_tcp_abort(ns->tcp, sock->tcb);
        return;
    }
    nb_tcp_close(ns->tcp, sock->tcb);
    if (sock->options->linger_s > 0 && sock->tcb)
        linger(ns, sock);
}

static void close_sock(struct nb_sockets *ns, struct nb_sock *sock)
{
    sock->flags |= NB_SOCK_RECV_SHUT | NB_SOCK_SEND_SHUT;
    if (sock->state == NB_SOCK_LISTENING)
        nb__sock_stop_listening(ns, sock);
    else if (sock->tcb)
        close_connection(ns, sock);
    nb__sock_unbind(sock);
    nb__watch_announce(ns, &sock->file, 0);
    nb__sock_put(ns, sock);
}

int nb_sock_close(struct nb_sockets *ns, int fd)
{
    struct nb_file *file = nb__file_get(ns, fd);
    if (!file)
        return -EBADF;
    nb__epoll_forget(ns, file);
    nb__file_remove(ns, file);
    if (file->kind == NB_FILE_SOCK)
        close_sock(ns, (struct nb_sock *)file);
    else
        nb__epoll_free(ns, (struct nb_epoll *)file);
    return 0;
}

/* --- fcntl
 * --------------------------------------------------------------------------------- */

int nb_sock_fcntl(struct nb_sockets *ns, int fd, int command, long argument)
{
    struct nb_file *file = nb__file_get(ns, fd);
    if (!file)
        return -EBADF;
    switch (command) {
    case F_GETFL:
        return O_RDWR | (file->nonblock ? O_NONBLOCK : 0);
    case F_SETFL:
        file->nonblock = argument & O_NONBLOCK;
        return 0;
    case F_GETFD:
        return file->cloexec ? FD_CLOEXEC : 0;
    case F_SETFD:
        file->cloexec = argument & FD_CLOEXEC;
        return 0;
    }
    return -EINVAL;
}
