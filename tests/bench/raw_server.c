/* raw_server.c - the three applications of raw.h. Each waits for RAW_BYTES of request; they differ in what follows. */
#include <rte_mbuf.h>

#include "raw.h"

#define SOURCE_LINKS 8u /* buffers that the source hands over at once */

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

/* True: with this the request is whole. `user` counts its bytes so far. */
static bool request_is_whole(struct nb_worker *w, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    uint32_t n = rte_pktmbuf_pkt_len(data);
    uintptr_t received = (uintptr_t)user + n;
    bool whole = received >= RAW_BYTES;

    rte_pktmbuf_free(data);
    nb_conn_consumed(w, c, n);
    received -= whole ? RAW_BYTES : 0;
    if (received != (uintptr_t)user)
        nb_conn_set_user(w, c, (void *)received);
    return whole;
}

static void answer_and_close(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state;
    if (!request_is_whole(w, c, user, data))
        return;
    nb_conn_write(w, c, response, sizeof response);
    nb_conn_close(w, c);
}

static void answer(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state;
    if (request_is_whole(w, c, user, data))
        nb_conn_write(w, c, response, sizeof response);
}

/* Up to n whole buffers, one behind the other. What is in them does not matter. NULL: there is none. */
static struct rte_mbuf *chain_of(struct nb_worker *w, size_t n)
{
    struct rte_mbuf *chain = NULL, **end = &chain;
    uint16_t links = 0;

    for (; links < n && (*end = nb_conn_buffer(w)); links++, end = &(*end)->next)
        (*end)->data_len = RAW_SOURCE_BYTES;
    if (chain) {
        chain->nb_segs = links;
        chain->pkt_len = (uint32_t)links * RAW_SOURCE_BYTES;
    }
    return chain;
}

/* Whole buffers, several at a time, until the send buffer does not take another one. */
static void send_on(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    for (;;) {
        size_t room = nb_conn_writable(w, c) / RAW_SOURCE_BYTES, n = RTE_MIN(room, SOURCE_LINKS);
        struct rte_mbuf *m = chain_of(w, n ? n : 1);

        if (!m)
            return;
        if (nb_conn_send(w, c, m) < 0) {
            rte_pktmbuf_free(m);
            return;
        }
    }
}

static void begin_sending(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    if (request_is_whole(w, c, user, data))
        send_on(w, state, c, user);
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

#define RAW_APP(app_name, data, writable)                                                                              \
    {                                                                                                                  \
        .abi = NB_APP_ABI, .name = app_name, .start = start, .stop = stop, .on_accept = on_accept, .on_data = data,    \
        .on_writable = writable, .on_peer_closed = on_peer_closed, .on_closed = on_closed,                             \
    }

const struct nb_app raw_server = RAW_APP("raw", answer_and_close, on_writable);
const struct nb_app raw_keepalive = RAW_APP("raw-keepalive", answer, on_writable);
const struct nb_app raw_source = RAW_APP("raw-source", begin_sending, send_on);
