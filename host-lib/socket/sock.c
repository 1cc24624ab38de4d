/* sock.c - the socket object: pool, references, its TCB, errors, readiness. */
#include "error_queue.h"
#include "options.h"
#include "sockets.h"
#include "../tcp/stream.h"

#include <string.h>

#include <rte_mbuf.h>

struct nb_sock *nb__sock_new(struct nb_sockets *ns, bool v6)
{
    struct nb_sock *sock = nb_block_get(&ns->socks);
    if (!sock)
        return NULL;
    *sock = (struct nb_sock){
        .file = {.kind = NB_FILE_SOCK, .fd = -1},
        .flags = v6 ? NB_SOCK_V6 : 0,
        .references = 1,
        .options = nb__options_default(ns->options),
    };
    return sock;
}

void nb__sock_hold(struct nb_sock *sock)
{
    sock->references++;
}

/* --- extra ------------------------------------------------------------------------------------ */

struct nb_sock_extra *nb__sock_extra(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (!sock->extra) {
        sock->extra = nb_block_get(&ns->extras);
        *sock->extra = (struct nb_sock_extra){0};
    }
    return sock->extra;
}

const struct nb_sock_extra *nb__sock_extra_of(const struct nb_sock *sock)
{
    static const struct nb_sock_extra none;
    return sock->extra ? sock->extra : &none;
}

const struct nb_flow_key *nb__sock_key(const struct nb_sock *sock)
{
    return sock->tcb ? nb_tcb_key(sock->tcb) : &nb__sock_extra_of(sock)->key;
}

static void drop_extra(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (!sock->extra)
        return;
    nb__sock_unbind(sock);
    nb__error_queue_free(ns, sock);
    if (sock->extra->last_info)
        nb_block_put(&ns->infos, sock->extra->last_info);
    nb_block_put(&ns->extras, sock->extra);
    sock->extra = NULL;
}

/* --- references, and the TCB ------------------------------------------------------------------ */

static void release(struct nb_sockets *ns, struct nb_sock *sock)
{
    nb__sock_drop_unread(sock);
    drop_extra(ns, sock);
    nb__options_put(ns, sock->options);
    nb_block_put(&ns->socks, sock);
}

void nb__sock_put(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (--sock->references == 0)
        release(ns, sock);
}

void nb__sock_attach(struct nb_sockets *ns, struct nb_sock *sock, struct nb_tcb *tcb)
{
    (void)ns;
    sock->tcb = tcb;
    nb_tcb_set_user(tcb, sock);
    nb_tcb_set_options(tcb, &sock->options->tcp);
    nb__sock_hold(sock);
}

/* Somebody may still ask for the addresses, and TCP_INFO what the connection was like: keep that while there is a
 * descriptor. */
static void keep_memory_of_it(struct nb_sockets *ns, struct nb_sock *sock)
{
    struct nb_sock_extra *extra = nb__sock_extra(ns, sock);
    extra->key = *nb_tcb_key(sock->tcb);
    if (!extra->last_info)
        extra->last_info = nb_block_get(&ns->infos);
    if (extra->last_info) {
        nb_tcp_info(ns->tcp, sock->tcb, extra->last_info);
        extra->last_info->state = NB_TCP_CLOSED;
    }
}

void nb__sock_detach(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (!sock->tcb)
        return;
    if (sock->file.fd >= 0 || sock->flags & NB_SOCK_QUEUED)
        keep_memory_of_it(ns, sock);
    nb_tcb_set_user(sock->tcb, NULL);
    nb_tcb_set_options(sock->tcb, NULL);
    sock->tcb = NULL;
    nb__sock_put(ns, sock);
}

enum nb_tcp_state nb__sock_tcp_state(const struct nb_sock *sock)
{
    return sock->tcb ? nb_tcb_state(sock->tcb) : NB_TCP_CLOSED;
}

int nb__sock_take_error(struct nb_sock *sock)
{
    int err = -sock->error;
    sock->error = 0;
    return err;
}

bool nb__sock_drop_unread(struct nb_sock *sock)
{
    bool any = sock->rx_bytes > 0;
    while (sock->rx_head) {
        struct rte_mbuf *m = sock->rx_head;
        sock->rx_head = m->next;
        rte_pktmbuf_free_seg(m);
    }
    sock->rx_tail = NULL;
    sock->rx_bytes = sock->rx_skip = 0;
    sock->urgent = NB_URGENT_NONE;
    return any;
}

/* --- readiness -------------------------------------------------------------------------------- */

static uint32_t sending_events(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (sock->flags & NB_SOCK_SEND_SHUT || nb_tcp_is_writable(ns->tcp, sock->tcb))
        return EPOLLOUT | EPOLLWRNORM;
    sock->flags |= NB_SOCK_NO_SPACE;
    nb_tcp_want_writable(ns->tcp, sock->tcb, true);
    return 0;
}

/* So many make a read worth while; an urgent byte that it would leave out does not count. */
static uint32_t bytes_to_read(const struct nb_sock *sock)
{
    bool left_out = sock->urgent && sock->urgent_at == 0 && !sock->options->oob_inline;
    return sock->options->recv_lowat + left_out;
}

uint32_t nb__sock_events(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (sock->state == NB_SOCK_LISTENING)
        return sock->extra->accept_head ? EPOLLIN | EPOLLRDNORM : 0;
    enum nb_tcp_state state = nb__sock_tcp_state(sock);
    bool both_shut = sock->flags & NB_SOCK_RECV_SHUT && sock->flags & NB_SOCK_SEND_SHUT;
    uint32_t events = 0;
    if (sock->flags & NB_SOCK_DEFER_CONNECT)
        events |= EPOLLOUT | EPOLLWRNORM;
    else if (both_shut || state == NB_TCP_CLOSED)
        events |= EPOLLHUP;
    if (sock->flags & NB_SOCK_RECV_SHUT)
        events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (state != NB_TCP_SYN_SENT && !(sock->flags & NB_SOCK_DEFER_CONNECT)) {
        if (sock->rx_bytes >= bytes_to_read(sock))
            events |= EPOLLIN | EPOLLRDNORM;
        if (nb__urgent_waits(sock))
            events |= EPOLLPRI;
        events |= state == NB_TCP_CLOSED ? EPOLLOUT | EPOLLWRNORM : sending_events(ns, sock);
    }
    if (sock->error || nb__error_queue_has(sock))
        events |= EPOLLERR;
    return events;
}
