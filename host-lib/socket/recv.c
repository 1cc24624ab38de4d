/* recv.c - the receiving calls (tcp(7), recv(2)).
 *
 * What has been delivered in order lies in the socket as a chain of mbufs. Reading copies out and gives the window
 * back, peeking only copies. Linux's rules on when a call returns: as soon as there is as much as SO_RCVLOWAT (or
 * everything, with MSG_WAITALL); less when the stream ends, fails, or the caller does not wait.
 */
#include "cmsg.h"
#include "error_queue.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include <rte_mbuf.h>

#include <netinet/in.h>
#include <linux/tcp.h>

/* Where in the caller's buffers the next byte goes. */
struct cursor {
    const struct iovec *iov;
    size_t n_iov, offset;
};

static ssize_t total_bytes(const struct msghdr *msg)
{
    size_t sum = 0;
    if (msg->msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        sum += msg->msg_iov[i].iov_len;
        if (msg->msg_iov[i].iov_len > SSIZE_MAX || sum > SSIZE_MAX)
            return -EINVAL;
    }
    return (ssize_t)sum;
}

/* Copy n bytes out at the cursor; false at a NULL buffer. */
static bool copy_to(struct cursor *at, const uint8_t *from, size_t n)
{
    while (n > 0) {
        const struct iovec *iov = at->iov;
        size_t room = iov->iov_len - at->offset, part = n < room ? n : room;
        if (part > 0 && !iov->iov_base)
            return false;
        if (part > 0)
            memcpy((char *)iov->iov_base + at->offset, from, part);
        from += part;
        n -= part;
        at->offset += part;
        if (at->offset == iov->iov_len) {
            at->iov++;
            at->offset = 0;
        }
    }
    return true;
}

/* Copy up to n bytes that lie `skip` behind the first unread one. Returns the bytes, or -EFAULT. */
static ssize_t copy_out(const struct nb_sock *sock, struct cursor *at, size_t skip, size_t n, bool discard)
{
    size_t done = 0;
    skip += sock->rx_skip;
    for (const struct rte_mbuf *m = sock->rx_head; m && done < n; m = m->next) {
        if (skip >= m->data_len) {
            skip -= m->data_len;
            continue;
        }
        size_t part = RTE_MIN(n - done, m->data_len - skip);
        if (!discard && !copy_to(at, rte_pktmbuf_mtod_offset(m, const uint8_t *, skip), part))
            return done ? (ssize_t)done : -EFAULT;
        done += part;
        skip = 0;
    }
    return (ssize_t)done;
}

uint8_t nb__sock_byte_at(const struct nb_sock *sock, uint32_t at)
{
    uint8_t byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    copy_out(sock, &(struct cursor){.iov = &iov, .n_iov = 1}, at, 1, false);
    return byte;
}

void nb__sock_consume(struct nb_sockets *ns, struct nb_sock *sock, size_t n)
{
    if (sock->urgent)
        nb__urgent_pass(sock, n);
    sock->rx_bytes -= (uint32_t)n;
    sock->rx_skip += (uint32_t)n;
    while (sock->rx_head && sock->rx_skip >= sock->rx_head->data_len) {
        struct rte_mbuf *m = sock->rx_head;
        sock->rx_skip -= m->data_len;
        sock->rx_head = m->next;
        rte_pktmbuf_free_seg(m);
    }
    if (!sock->rx_head)
        sock->rx_tail = NULL;
    if (sock->tcb && n > 0)
        nb_tcp_consumed(ns->tcp, sock->tcb, n);
}

int nb__sock_stream_end(struct nb_sock *sock, bool have_some)
{
    bool closed = nb__sock_tcp_state(sock) == NB_TCP_CLOSED;
    if (have_some)
        return sock->error || closed || sock->flags & NB_SOCK_RECV_SHUT;
    if (sock->flags & NB_SOCK_DONE && !sock->error)
        return 1;
    if (sock->error)
        return nb__sock_take_error(sock);
    if (sock->flags & NB_SOCK_RECV_SHUT)
        return 1;
    if (closed)
        return sock->flags & NB_SOCK_DEFER_CONNECT ? 0 : -ENOTCONN;
    return 0;
}

static ssize_t receive(struct nb_sockets *ns, struct nb_sock *sock, const struct msghdr *msg, size_t want, int flags)
{
    struct cursor at = {.iov = msg->msg_iov, .n_iov = msg->msg_iovlen};
    bool discard = flags & MSG_TRUNC, peek = flags & MSG_PEEK;
    uint64_t deadline =
        nb__sock_deadline(ns, sock->file.nonblock || flags & MSG_DONTWAIT, sock->options->recv_timeout_us);
    size_t lowat = RTE_MIN((size_t)sock->options->recv_lowat, want), target = flags & MSG_WAITALL ? want : lowat;
    size_t done = 0, seen = 0; /* bytes given out; bytes that a peek is ahead of the reader */
    for (;;) {
        struct nb_urgent_limit limit = nb__urgent_limit(sock, seen);
        if (limit.mark && done > 0)
            return (ssize_t)done;
        if (limit.skip && peek)
            seen++;
        else if (limit.skip)
            nb__sock_consume(ns, sock, 1);
        ssize_t n = copy_out(sock, &at, seen, RTE_MIN(want - done, limit.most), discard);
        if (n < 0)
            return done ? (ssize_t)done : n;
        done += (size_t)n;
        if (peek)
            seen += (size_t)n;
        else
            nb__sock_consume(ns, sock, (size_t)n);
        if (done >= target && (done > 0 || want == 0))
            return (ssize_t)done;
        int end = nb__sock_stream_end(sock, done > 0);
        if (end)
            return end > 0 ? (ssize_t)done : end;
        int err = nb__sock_wait(ns, sock, EPOLLIN | EPOLLRDHUP, deadline);
        if (err)
            return done ? (ssize_t)done : err;
    }
}

/* --- control messages ------------------------------------------------------------------------- */

/* Unread bytes as TCP_INQ reports them: after the FIN there is always "one more", so that the caller reads on to 0. */
static int unread_hint(const struct nb_sock *sock)
{
    bool fin = sock->flags & NB_SOCK_DONE;
    uint32_t unread = nb__urgent_readable(sock);
    return unread ? (int)RTE_MIN(unread, (uint32_t)INT32_MAX) : fin;
}

static void put_control(const struct nb_sock *sock, struct msghdr *msg)
{
    struct nb_cmsg out = nb__cmsg_begin(msg);
    int unread = unread_hint(sock);
    if (sock->options->inq)
        nb__cmsg_put(&out, IPPROTO_TCP, TCP_CM_INQ, &unread, sizeof unread);
    nb__cmsg_end(&out);
}

/* --- calls ------------------------------------------------------------------------------------ */

ssize_t nb_sock_recvmsg(struct nb_sockets *ns, int fd, struct msghdr *msg, int flags)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    ssize_t want = total_bytes(msg);
    if (want < 0)
        return want;
    if (flags & MSG_ERRQUEUE)
        return nb__error_queue_read(sock, msg);
    if (sock->state == NB_SOCK_LISTENING)
        return -ENOTCONN;
    if (flags & MSG_OOB)
        return nb__urgent_read(sock, msg, flags);
    nb__sock_hold(sock);
    ssize_t n = receive(ns, sock, msg, (size_t)want, flags);
    if (n >= 0) {
        msg->msg_flags = 0;
        msg->msg_namelen = 0;
        put_control(sock, msg);
    }
    nb__sock_put(ns, sock);
    return n;
}

ssize_t nb_sock_recvfrom(struct nb_sockets *ns, int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                         socklen_t *from_bytes)
{
    struct iovec iov = {.iov_base = bytes, .iov_len = n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t got = nb_sock_recvmsg(ns, fd, &msg, flags);
    if (got >= 0 && from && from_bytes)
        *from_bytes = 0; /* a stream has no senders' addresses */
    return got;
}

ssize_t nb_sock_recv(struct nb_sockets *ns, int fd, void *bytes, size_t n, int flags)
{
    return nb_sock_recvfrom(ns, fd, bytes, n, flags, NULL, NULL);
}

ssize_t nb_sock_readv(struct nb_sockets *ns, int fd, const struct iovec *iov, int n_iov)
{
    if (n_iov < 0 || n_iov > IOV_MAX)
        return -EINVAL;
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n_iov};
    return nb_sock_recvmsg(ns, fd, &msg, 0);
}
