/* conn.c - the public calls on a connection: find it by its handle, then the TCP core does it. */
#include <errno.h>

#include <rte_mbuf.h>

#include <netbypass/conn.h>

#include "../tcp/buffers.h"
#include "worker.h"

int nb_conn_write(struct nb_worker *w, struct nb_conn c, const void *bytes, size_t n)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    return tcb ? nb_tcp_write(w->tcp, tcb, bytes, n) : -ENOTCONN;
}

int nb_conn_send(struct nb_worker *w, struct nb_conn c, struct rte_mbuf *data)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    return tcb ? nb_tcp_send(w->tcp, tcb, data) : -ENOTCONN;
}

size_t nb_conn_writable(struct nb_worker *w, struct nb_conn c)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    return tcb ? nb_tcp_writable(w->tcp, tcb) : 0;
}

void nb_conn_consumed(struct nb_worker *w, struct nb_conn c, size_t n)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    if (tcb)
        nb_tcp_consumed(w->tcp, tcb, n);
}

int nb_conn_shutdown(struct nb_worker *w, struct nb_conn c)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    return tcb ? nb_tcp_shutdown(w->tcp, tcb) : -ENOTCONN;
}

int nb_conn_close(struct nb_worker *w, struct nb_conn c)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    return tcb ? nb_tcp_close(w->tcp, tcb) : -ENOTCONN;
}

void nb_conn_abort(struct nb_worker *w, struct nb_conn c)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    if (tcb)
        nb_tcp_abort(w->tcp, tcb);
}

void nb_conn_set_user(struct nb_worker *w, struct nb_conn c, void *user)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    if (tcb)
        nb_tcb_set_user(tcb, user);
}

int nb_conn_pin(struct nb_worker *w, struct nb_conn c, bool on)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    if (!tcb)
        return -ENOTCONN;
    nb_tcb_pin(tcb, NB_PIN_APP, on);
    return 0;
}

int nb_conn_move(struct nb_worker *w, struct nb_conn c, unsigned to)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    if (!tcb)
        return -ENOTCONN;
    if (to >= w->n_workers || to == w->index)
        return -EINVAL;
    nb__move_begin(w, tcb, to, NULL);
    return 0;
}

int nb_conn_key(struct nb_worker *w, struct nb_conn c, struct nb_flow_key *key)
{
    struct nb_tcb *tcb = nb_tcp_lookup(w->tcp, c);

    if (!tcb)
        return -ENOTCONN;
    *key = *nb_tcb_key(tcb);
    return 0;
}

struct rte_mbuf *nb_conn_buffer(struct nb_worker *w)
{
    return nb_buffer_new(nb_tcp_buffers(w->tcp));
}
