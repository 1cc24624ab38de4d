/* send.c - the sending calls (tcp(7), send(2)).
 *
 * A send puts the bytes into TCP's queue piece by piece and ends the write with one push, so that Nagle's algorithm
 * sees whole calls. When the queue is full, what is there is pushed, and the call sleeps until an ACK has made a good
 * deal of room, or returns what it has done so far. MSG_FASTOPEN connects first, and lets the data travel with the SYN.
 */
#include "../tcp/stream.h"
#include "error_queue.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>
#include <limits.h>

#include <rte_common.h>

#include <linux/net_tstamp.h>
#include <linux/tcp.h>

#define TX_STAMPS (SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK)

struct send {
    const struct msghdr *msg;
    size_t total, done;
    size_t iov, offset; /* where in the caller's buffers */
    uint64_t deadline_us;
    unsigned flags; /* enum nb_tcp_write_flag */
    bool zerocopy, urgent;
};

static int count_bytes(struct send *send)
{
    if (send->msg->msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    for (size_t i = 0; i < send->msg->msg_iovlen; i++) {
        size_t n = send->msg->msg_iov[i].iov_len;
        if (n > SSIZE_MAX - send->total)
            return -EINVAL;
        send->total += n;
    }
    return 0;
}

static unsigned write_flags(int flags)
{
    return (flags & MSG_MORE ? NB_TCP_WRITE_MORE : 0u) | (flags & MSG_EOR ? NB_TCP_WRITE_EOR : 0u);
}

/* Why nothing can be written, if so. */
static int write_error(struct nb_sock *sock)
{
    if (!sock->error && !(sock->flags & NB_SOCK_SEND_SHUT) && sock->tcb)
        return 0;
    int err = nb__sock_take_error(sock);
    return err ? err : -EPIPE;
}

/* Data may be written from ESTABLISHED on. -EAGAIN while the handshake runs and the caller does not wait. */
static int wait_connected(struct nb_sockets *ns, struct nb_sock *sock, uint64_t deadline_us)
{
    for (;;) {
        enum nb_tcp_state state = nb__sock_tcp_state(sock);
        bool fast = state == NB_TCP_SYN_RECEIVED && sock->state == NB_SOCK_CONNECTED;
        if (state == NB_TCP_ESTABLISHED || state == NB_TCP_CLOSE_WAIT || fast)
            return 0;
        if (sock->error)
            return nb__sock_take_error(sock);
        if (state != NB_TCP_SYN_SENT && state != NB_TCP_SYN_RECEIVED)
            return -EPIPE;
        sock->writers++;
        int err = nb__sock_wait(ns, sock, EPOLLOUT, deadline_us);
        sock->writers--;
        if (err)
            return err;
    }
}

/* Put as much as fits into the queue. Negative errno, 1 when all is done, 0 when the queue is full. */
static int queue_some(struct nb_sockets *ns, struct nb_sock *sock, struct send *send)
{
    for (; send->iov < send->msg->msg_iovlen; send->iov++, send->offset = 0) {
        const struct iovec *iov = &send->msg->msg_iov[send->iov];
        while (send->offset < iov->iov_len) {
            if (!iov->iov_base)
                return -EFAULT;
            const char *from = (const char *)iov->iov_base + send->offset;
            bool last = send->done + iov->iov_len - send->offset == send->total;
            unsigned flags = last ? send->flags : send->flags & ~(unsigned)NB_TCP_WRITE_EOR;
            ssize_t n = nb_tcp_queue(ns->tcp, sock->tcb, from, iov->iov_len - send->offset, flags);
            if (n <= 0)
                return (int)n;
            send->offset += (size_t)n;
            send->done += (size_t)n;
        }
    }
    return 1;
}

static int wait_for_room(struct nb_sockets *ns, struct nb_sock *sock, struct send *send)
{
    sock->flags |= NB_SOCK_NO_SPACE;
    nb_tcp_want_writable(ns->tcp, sock->tcb, true);
    if (send->done > 0)
        nb_tcp_push(ns->tcp, sock->tcb, NB_TCP_WRITE_STOPPED);
    do {
        int err = nb__sock_wait(ns, sock, EPOLLOUT, send->deadline_us);
        err = err ? err : write_error(sock);
        if (err)
            return err;
    } while (!nb_tcp_has_room(ns->tcp, sock->tcb));
    return 0;
}

/* A write that somebody wants to hear of leaves a mark at its end. */
static void leave_mark(struct nb_sock *sock, const struct send *send)
{
    uint32_t stamps = sock->options->timestamping & TX_STAMPS ? sock->options->timestamping : 0;
    if (send->done == 0 || (!send->zerocopy && !stamps) || !sock->tcb)
        return;
    nb__error_queue_mark(sock, nb_tcb_snd_end(sock->tcb), send->zerocopy, stamps);
    nb_tcp_want_progress(sock->tcb, true);
}

static ssize_t send_all(struct nb_sockets *ns, struct nb_sock *sock, struct send *send)
{
    int err = wait_connected(ns, sock, send->deadline_us);
    if (!err)
        err = write_error(sock);
    while (!err) {
        err = queue_some(ns, sock, send);
        if (err == 0)
            err = wait_for_room(ns, sock, send);
        if (err == 1)
            break;
    }
    leave_mark(sock, send);
    if (send->urgent && send->done > 0 && sock->tcb)
        nb_tcp_urgent(ns->tcp, sock->tcb);
    if (send->done > 0 && sock->tcb)
        nb_tcp_push(ns->tcp, sock->tcb, send->flags);
    if (send->done > 0 || err >= 0)
        return (ssize_t)send->done;
    if (err == -EPIPE && sock->error)
        err = nb__sock_take_error(sock);
    return err;
}

/* --- Fast Open
 * ----------------------------------------------------------------------------- */

/* Connect with the data at hand. 0: go on with an ordinary send of what is left; 1: done, send->done says how much. */
static int send_fastopen(struct nb_sockets *ns, struct nb_sock *sock, struct send *send)
{
    const struct msghdr *msg = send->msg;
    const struct sockaddr *to = msg->msg_name;
    bool enabled = nb_tcp_settings(ns->tcp)->fastopen & NB_FASTOPEN_CLIENT;
    if (!enabled || (to && msg->msg_namelen >= sizeof to->sa_family && to->sa_family == AF_UNSPEC))
        return -EOPNOTSUPP;
    bool deferred = sock->flags & NB_SOCK_DEFER_CONNECT;
    if (sock->state == NB_SOCK_CONNECTED || sock->state == NB_SOCK_LISTENING)
        return -EISCONN;
    if (sock->state == NB_SOCK_CONNECTING &&
        !deferred) { /* 0 once the handshake is done: it is an ordinary send then */
        int err = nb__sock_finish_connect(ns, sock, 0);
        return err == -EINPROGRESS ? -EALREADY : err;
    }
    if (send->total > 0 && !msg->msg_iov[0].iov_base && msg->msg_iov[0].iov_len > 0)
        return -EFAULT;
    int err = nb__sock_start_fastopen(ns, sock, to, msg->msg_namelen, msg->msg_iov, msg->msg_iovlen, &send->done);
    if (err && err != -EINPROGRESS)
        return err;
    bool more = send->done < send->total;
    sock->writers += more;
    err = nb__sock_finish_connect(ns, sock, send->deadline_us);
    sock->writers -= more;
    if (err == -EINPROGRESS && send->done > 0)
        return 1;
    return err;
}

/* Skip what travelled with the SYN. */
static void skip_sent(struct send *send)
{
    size_t left = send->done;
    while (send->iov < send->msg->msg_iovlen && left >= send->msg->msg_iov[send->iov].iov_len)
        left -= send->msg->msg_iov[send->iov++].iov_len;
    send->offset = left;
}

/* --- calls
 * --------------------------------------------------------------------------------- */

static ssize_t send_message(struct nb_sockets *ns, struct nb_sock *sock, struct send *send, int flags)
{
    if (flags & MSG_FASTOPEN || sock->flags & NB_SOCK_DEFER_CONNECT) {
        int err = send_fastopen(ns, sock, send);
        if (err == 1)
            leave_mark(sock, send);
        if (err)
            return err == 1 || (send->done > 0 && err == -EINPROGRESS) ? (ssize_t)send->done : err;
        skip_sent(send);
    }
    return send_all(ns, sock, send);
}

ssize_t nb_sock_sendmsg(struct nb_sockets *ns, int fd, const struct msghdr *msg, int flags)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    struct send send = {.msg = msg, .flags = write_flags(flags), .urgent = flags & MSG_OOB};
    err = count_bytes(&send);
    if (err)
        return err;
    bool nonblock = sock->file.nonblock || flags & MSG_DONTWAIT;
    send.deadline_us = nb__sock_deadline(ns, nonblock, sock->options->send_timeout_us);
    send.zerocopy = flags & MSG_ZEROCOPY && sock->options->zerocopy && send.total > 0;
    if (send.zerocopy)
        send.flags |= NB_TCP_WRITE_PIECES;
    if ((send.zerocopy || sock->options->timestamping & TX_STAMPS) && !nb__error_queue_reserve(ns, sock))
        return -ENOBUFS;
    nb__sock_hold(sock);
    ssize_t n = send_message(ns, sock, &send, flags);
    nb__sock_put(ns, sock);
    return n;
}

ssize_t nb_sock_sendto(struct nb_sockets *ns, int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
                       socklen_t to_bytes)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_name = (struct sockaddr *)(uintptr_t)to, .msg_namelen = to_bytes};
    return nb_sock_sendmsg(ns, fd, &msg, flags);
}

ssize_t nb_sock_send(struct nb_sockets *ns, int fd, const void *bytes, size_t n, int flags)
{
    return nb_sock_sendto(ns, fd, bytes, n, flags, NULL, 0);
}

ssize_t nb_sock_writev(struct nb_sockets *ns, int fd, const struct iovec *iov, int n_iov)
{
    if (n_iov < 0 || n_iov > IOV_MAX)
        return -EINVAL;
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n_iov};
    return nb_sock_sendmsg(ns, fd, &msg, 0);
}
