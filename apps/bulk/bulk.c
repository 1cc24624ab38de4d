/* bulk.c - the bundled discard and source: it throws away what it receives and sends as much as it is told to.
 *
 * It listens, or connects, or both; nothing distinguishes the two kinds of connection afterwards. `send` bytes go out
 * on each, byte i having the value i mod 251, then FIN; with 0 it only discards, and ends when the peer does. With
 * `connect` each worker keeps `connections` open: when one has ended in order, another begins.
 */
#include <netbypass/app.h>

#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "../option.h"

#define PATTERN_PERIOD  251
#define CHUNK_BYTES     65536 /* of pattern per nb_conn_write */
#define SEND_MAX        (UINT64_C(1) << 40)
#define CONNECTIONS_MAX 65536

/* An instance: one worker's. */
struct bulk {
    uint64_t send_bytes;
    uint64_t connections;
    struct app_endpoints targets;
    unsigned next_target;
    uint8_t pattern[PATTERN_PERIOD + CHUNK_BYTES];
};

/* A connection's user pointer is the number of bytes it has sent. */
static uint64_t sent_of(const void *user)
{
    return (uintptr_t)user;
}

static void send_more(struct nb_worker *w, struct bulk *bulk, struct nb_conn c, uint64_t sent)
{
    while (sent < bulk->send_bytes) {
        uint64_t left = bulk->send_bytes - sent;
        size_t n = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        int taken = nb_conn_write(w, c, bulk->pattern + sent % PATTERN_PERIOD, n);

        if (taken < 0)
            return;
        sent += (unsigned)taken;
        nb_conn_set_user(w, c, (void *)(uintptr_t)sent);
        if ((size_t)taken < n)
            return; /* on_writable goes on */
    }
    if (bulk->send_bytes)
        nb_conn_shutdown(w, c);
}

static void open_one(struct nb_worker *w, struct bulk *bulk)
{
    const struct app_endpoint *to = &bulk->targets.at[bulk->next_target++ % bulk->targets.n];
    const struct nb_connect connect = {.remote = to->address, .remote_port = to->port, .family = NB_FAMILY_IPV4};
    struct nb_conn c;

    nb_conn_connect(w, bulk, &connect, &c);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void ready(struct nb_worker *w, void *state)
{
    struct bulk *bulk = state;

    for (uint64_t i = 0; bulk->targets.n && i < bulk->connections; i++)
        open_one(w, bulk);
}

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn c)
{
    send_more(w, state, c, 0);
    return true;
}

static void on_connected(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    send_more(w, state, c, sent_of(user));
}

static void on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state, (void)user;
    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    rte_pktmbuf_free(data);
}

static void on_writable(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    send_more(w, state, c, sent_of(user));
}

/* With everything sent our FIN is on its way already; else what is left to send still goes out. */
static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    const struct bulk *bulk = state;

    if (sent_of(user) >= bulk->send_bytes)
        nb_conn_close(w, c);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    struct bulk *bulk = state;

    (void)c, (void)user;
    if (bulk->targets.n && reason == NB_CLOSED_NORMAL)
        open_one(w, bulk);
}

/* A count is at home anywhere. */
static void *on_leave(struct nb_worker *w, void *state, struct nb_conn c, void *user, unsigned to)
{
    (void)w, (void)state, (void)c, (void)to;
    return user;
}

static void on_arrive(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)w, (void)state, (void)c, (void)user;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void stop(struct nb_worker *w, void *state)
{
    (void)w;
    free(state);
}

static int start(struct nb_worker *w, const struct nb_app_option *options, unsigned n_options, void **state,
                 struct nb_error *err)
{
    struct bulk *bulk = calloc(1, sizeof *bulk);
    const struct app_option table[] = {
        {"send", APP_NUMBER, .max = SEND_MAX, .value = bulk ? &bulk->send_bytes : NULL},
        {"connect", APP_ENDPOINTS, .value = bulk ? &bulk->targets : NULL},
        {"connections", APP_NUMBER, .min = 1, .max = CONNECTIONS_MAX, .value = bulk ? &bulk->connections : NULL},
    };
    int rc;

    if (!bulk)
        return nb_error_set(err, -ENOMEM, "bulk: no memory on worker %u", nb_worker_index(w));
    bulk->connections = 1;
    rc = app_options_read("bulk", table, RTE_DIM(table), options, n_options, err);
    if (rc < 0) {
        free(bulk);
        return rc;
    }
    for (size_t i = 0; i < sizeof bulk->pattern; i++)
        bulk->pattern[i] = (uint8_t)(i % PATTERN_PERIOD);
    *state = bulk;
    return 0;
}

__attribute__((visibility("default"))) const struct nb_app nb_app_bulk = {
    .abi = NB_APP_ABI,
    .name = "bulk",
    .start = start,
    .stop = stop,
    .ready = ready,
    .on_accept = on_accept,
    .on_connected = on_connected,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_peer_closed = on_peer_closed,
    .on_closed = on_closed,
    .on_leave = on_leave,
    .on_arrive = on_arrive,
};
