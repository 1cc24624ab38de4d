/* core_events.c - what TCP reports, turned into socket state and announcements. */
#include "../tcp/chain.h"
#include "../tcp/stream.h"
#include "error_queue.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>

#include <rte_mbuf.h>

#define READABLE (EPOLLIN | EPOLLRDNORM)
#define WRITABLE (EPOLLOUT | EPOLLWRNORM)

/* A full accept queue takes no more SYNs: the peer tries again, and finds room or not. */
bool nb_sockets_accepting(const void *listener_user)
{
    return !nb__accept_queue_full(listener_user);
}

bool nb_sockets_on_accepted(struct nb_sockets *ns, struct nb_tcb *tcb)
{
    struct nb_sock *listener = nb_tcb_listener_user(tcb);
    if (!listener || nb__accept_queue_full(listener))
        return false;
    struct nb_sock *child = nb__sock_new(ns, listener->flags & NB_SOCK_V6);
    if (!child)
        return false;
    nb__options_put(ns, child->options);
    child->options = nb__options_get(listener->options);
    child->state = NB_SOCK_CONNECTED;
    nb__sock_attach(ns, child, tcb);
    nb__accept_queue_push(listener, child);
    nb__watch_announce(ns, &listener->file, READABLE);
    return true;
}

void nb_sockets_on_connected(struct nb_sockets *ns, struct nb_tcb *tcb)
{
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (!sock)
        return;
    if (sock->writers)
        nb_tcp_hold_ack(ns->tcp, tcb);
    nb__watch_announce(ns, &sock->file, 0);
}

/* Put payload behind what is unread; small segments into the last buffer, so that they do not take one each. */
static void keep(struct nb_sockets *ns, struct nb_sock *sock, struct rte_mbuf *m)
{
    if (sock->rx_tail && nb_chain_copy_small(sock->rx_tail, m)) {
        nb_tcp_counters(ns->tcp)[NB_COUNTER_MEMORY_COLLAPSED]++;
        return;
    }
    nb_tcp_kept(ns->tcp, sock->tcb, m->nb_segs);
    if (sock->rx_tail)
        sock->rx_tail->next = m;
    else
        sock->rx_head = m;
    sock->rx_tail = rte_pktmbuf_lastseg(m);
}

void nb_sockets_on_data(struct nb_sockets *ns, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (!sock) {
        rte_pktmbuf_free(m);
        return;
    }
    sock->rx_bytes += m->pkt_len;
    keep(ns, sock, m);
    if (sock->rx_bytes >= sock->options->recv_lowat || sock->urgent)
        nb__watch_announce(ns, &sock->file, READABLE | (sock->urgent ? EPOLLPRI : 0u));
}

void nb_sockets_on_writable(struct nb_sockets *ns, struct nb_tcb *tcb)
{
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (!sock || !(sock->flags & NB_SOCK_NO_SPACE) || !nb_tcp_is_writable(ns->tcp, tcb))
        return;
    sock->flags &= (uint8_t)~NB_SOCK_NO_SPACE;
    nb_tcp_want_writable(ns->tcp, tcb, false);
    nb__watch_announce(ns, &sock->file, WRITABLE);
}

void nb_sockets_on_progress(struct nb_sockets *ns, struct nb_tcb *tcb)
{
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (!sock)
        return;
    nb__error_queue_progress(ns, sock, nb_tcb_snd_una(tcb), nb_tcb_snd_nxt(tcb), false);
    if (sock->file.fd < 0 && !nb_tcp_sending(tcb)) /* closed: who lingers waits for just that */
        nb__watch_announce(ns, &sock->file, EPOLLHUP);
}

void nb_sockets_on_peer_closed(struct nb_sockets *ns, struct nb_tcb *tcb)
{
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (!sock)
        return;
    sock->flags |= NB_SOCK_RECV_SHUT | NB_SOCK_DONE;
    nb__watch_announce(ns, &sock->file, 0);
}

void nb_sockets_on_soft_error(struct nb_sockets *ns, struct nb_tcb *tcb, int error)
{
    (void)ns;
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (sock)
        sock->soft_error = (int16_t)error;
}

/* What a reader or writer will hear about the end (Linux's tcp_reset and tcp_write_err). */
static int16_t error_of(const struct nb_sock *sock, enum nb_closed_reason reason)
{
    switch (reason) {
    case NB_CLOSED_NORMAL:
    case NB_CLOSED_ABORTED:
        return 0;
    case NB_CLOSED_RESET:
        return sock->flags & NB_SOCK_DONE ? EPIPE : ECONNRESET;
    case NB_CLOSED_TIMED_OUT:
        return sock->soft_error ? sock->soft_error : ETIMEDOUT;
    case NB_CLOSED_REFUSED:
        return ECONNREFUSED;
    case NB_CLOSED_NO_PORT:
        return EADDRNOTAVAIL;
    case NB_CLOSED_UNREACHABLE:
        return sock->soft_error ? sock->soft_error : EHOSTUNREACH;
    }
    return ECONNABORTED;
}

void nb_sockets_on_closed(struct nb_sockets *ns, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    struct nb_sock *sock = nb_tcb_user(tcb);
    if (!sock)
        return;
    int16_t error = error_of(sock, reason);
    if (error)
        sock->error = error;
    sock->flags |= NB_SOCK_RECV_SHUT | NB_SOCK_SEND_SHUT | NB_SOCK_DONE;
    sock->flags &= (uint8_t)~NB_SOCK_NO_SPACE;
    nb__sock_hold(sock);
    nb__error_queue_progress(ns, sock, nb_tcb_snd_una(tcb), nb_tcb_snd_nxt(tcb), true);
    nb__sock_detach(ns, sock);
    nb__watch_announce(ns, &sock->file, 0);
    nb__sock_put(ns, sock);
}
