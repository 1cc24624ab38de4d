/* urgent.c - urgent data for readers (tcp(7), sockatmark(3)), as Linux has it.
 *
 * The last byte that the peer called urgent is a mark in the stream: ordinary reads stop there. The next one leaves the
 * byte out, since recv(MSG_OOB) is how to read it, or with SO_OOBINLINE goes on with it. There is one mark; a newer one
 * takes its place, and a byte that nobody has taken is then part of the stream, unless the reader stands before it.
 */
#include "options.h"
#include "sockets.h"

#include <errno.h>

void nb_sockets_on_urgent(struct nb_sockets *ns, struct nb_tcb *tcb, uint32_t ahead)
{
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (!sock || (sock->urgent && sock->rx_bytes + ahead <= sock->urgent_at))
        return;
    if (sock->urgent && sock->urgent_at == 0 && sock->rx_bytes && !sock->options->oob_inline)
        nb__sock_consume(ns, sock, 1);
    sock->urgent_at = sock->rx_bytes + ahead;
    sock->urgent = NB_URGENT_MARKED;
    nb__watch_announce(ns, &sock->file, EPOLLPRI);
}

static bool has_arrived(const struct nb_sock *sock)
{
    return sock->urgent && sock->rx_bytes > sock->urgent_at;
}

bool nb__urgent_waits(const struct nb_sock *sock)
{
    return sock->urgent == NB_URGENT_MARKED && has_arrived(sock);
}

struct nb_urgent_limit nb__urgent_limit(const struct nb_sock *sock, size_t at)
{
    if (!sock->urgent || at > sock->urgent_at)
        return (struct nb_urgent_limit){.most = SIZE_MAX};
    if (at < sock->urgent_at)
        return (struct nb_urgent_limit){.most = sock->urgent_at - at};
    return (struct nb_urgent_limit){
        .most = SIZE_MAX, .mark = true, .skip = has_arrived(sock) && !sock->options->oob_inline};
}

void nb__urgent_pass(struct nb_sock *sock, size_t n)
{
    if (n > sock->urgent_at)
        sock->urgent = NB_URGENT_NONE;
    else
        sock->urgent_at -= (uint32_t)n;
}

uint32_t nb__urgent_readable(const struct nb_sock *sock)
{
    return has_arrived(sock) && !sock->options->oob_inline ? sock->urgent_at : sock->rx_bytes;
}

static ssize_t give(struct nb_sock *sock, struct msghdr *msg, int flags)
{
    uint8_t byte = nb__sock_byte_at(sock, sock->urgent_at);
    if (!(flags & MSG_PEEK))
        sock->urgent = NB_URGENT_READ;
    msg->msg_flags = MSG_OOB;
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        if (msg->msg_iov[i].iov_len == 0)
            continue;
        if (!(flags & MSG_TRUNC) && !msg->msg_iov[i].iov_base)
            return -EFAULT;
        if (!(flags & MSG_TRUNC))
            *(uint8_t *)msg->msg_iov[i].iov_base = byte;
        return 1;
    }
    msg->msg_flags |= MSG_TRUNC;
    return 0;
}

ssize_t nb__urgent_read(struct nb_sock *sock, struct msghdr *msg, int flags)
{
    bool closed = nb__sock_tcp_state(sock) == NB_TCP_CLOSED;
    if (sock->options->oob_inline || sock->urgent != NB_URGENT_MARKED)
        return -EINVAL;
    if (closed && !(sock->flags & NB_SOCK_DONE))
        return -ENOTCONN;
    if (has_arrived(sock))
        return give(sock, msg, flags);
    return closed || sock->flags & NB_SOCK_RECV_SHUT ? 0 : -EAGAIN; /* never to wait for */
}
