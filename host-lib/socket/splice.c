/* splice.c - data leaves a socket without being copied (splice(2), Linux's tcp_splice_read). */
#include "options.h"
#include "sockets.h"

#include <errno.h>

#include <rte_mbuf.h>

/* Hand over what there is, at most n bytes and not beyond the mark of urgent data. Bytes taken, or take's error if that
 * was the first thing it said. */
static ssize_t hand_over(struct nb_sockets *ns, struct nb_sock *sock, size_t n, nb_sock_taker *take, void *arg)
{
    size_t done = 0;
    while (done < n && sock->rx_head) {
        const struct rte_mbuf *m = sock->rx_head;
        struct nb_urgent_limit limit = nb__urgent_limit(sock, 0);
        size_t here = m->data_len - sock->rx_skip, most = RTE_MIN(n - done, limit.most), part = RTE_MIN(here, most);
        if (limit.mark)
            break;
        ssize_t taken = take(arg, rte_pktmbuf_mtod_offset(m, const void *, sock->rx_skip), part);
        if (taken < 0)
            return done ? (ssize_t)done : taken;
        nb__sock_consume(ns, sock, (size_t)taken);
        done += (size_t)taken;
        if ((size_t)taken < part)
            break;
    }
    return (ssize_t)done;
}

static ssize_t splice_some(struct nb_sockets *ns, struct nb_sock *sock, size_t n, uint64_t deadline,
                           nb_sock_taker *take, void *arg)
{
    for (;;) {
        if (sock->rx_bytes || n == 0)
            return hand_over(ns, sock, n, take, arg);
        int end = nb__sock_stream_end(sock, false);
        if (end)
            return end > 0 ? 0 : end;
        int err = nb__sock_wait(ns, sock, EPOLLIN | EPOLLRDHUP, deadline);
        if (err)
            return err;
    }
}

ssize_t nb_sock_splice(struct nb_sockets *ns, int fd, size_t n, int flags, nb_sock_taker *take, void *arg)
{
    int err;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (sock->state == NB_SOCK_LISTENING)
        return -ENOTCONN;
    bool nonblock = sock->file.nonblock || flags & MSG_DONTWAIT;
    uint64_t deadline = nb__sock_deadline(ns, nonblock, sock->options->recv_timeout_us);
    nb__sock_hold(sock);
    ssize_t done = splice_some(ns, sock, n, deadline, take, arg);
    nb__sock_put(ns, sock);
    return done;
}
