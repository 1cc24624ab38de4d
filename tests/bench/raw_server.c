/* raw_server.c - an application that answers every RAW_BYTES of request with RAW_BYTES of response and closes. */
#include <rte_mbuf.h>

#include "raw.h"

static const char response[RAW_BYTES] = "response";

static int start(struct nb_worker *w, const struct nb_app_option *options, unsigned n_options, void **state,
                 struct nb_error *err)
{
    (void)w, (void)options, (void)state;
    return n_options ? nb_error_set(err, -1, "raw: no options are accepted") : 0;
}

static void stop(struct nb_worker *w, void *state)
{
    (void)w, (void)state;
}

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn c)
{
    (void)w, (void)state, (void)c;
    return true;
}

/* `user` counts the bytes of the request so far. */
static void on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    uint32_t n = rte_pktmbuf_pkt_len(data);
    uintptr_t received = (uintptr_t)user + n;

    (void)state;
    rte_pktmbuf_free(data);
    nb_conn_consumed(w, c, n);
    if (received < RAW_BYTES) {
        nb_conn_set_user(w, c, (void *)received);
        return;
    }
    nb_conn_write(w, c, response, sizeof response);
    nb_conn_close(w, c);
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_close(w, c);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    (void)w, (void)state, (void)c, (void)user, (void)reason;
}

static void on_writable(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)w, (void)state, (void)c, (void)user;
}

const struct nb_app raw_server = {
    .abi = NB_APP_ABI,
    .name = "raw",
    .start = start,
    .stop = stop,
    .on_accept = on_accept,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_peer_closed = on_peer_closed,
    .on_closed = on_closed,
};
