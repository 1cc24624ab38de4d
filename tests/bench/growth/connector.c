/* connector.c - see connector.h. */
#include "connector.h"

#include <arpa/inet.h>
#include <rte_mbuf.h>

#include <netbypass/conn.h>

#include "../raw.h"

static const char request[RAW_BYTES] = "request";

static struct connector_state {
    unsigned next; /* destination */
} the_state;

static int start(struct nb_worker *w, const struct nb_app_option *options, unsigned n_options, void **state,
                 struct nb_error *err)
{
    (void)w, (void)options, (void)n_options, (void)err;
    *state = &the_state;
    return 0;
}

static void stop(struct nb_worker *w, void *state)
{
    (void)w, (void)state;
}

static void on_connected(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_write(w, c, request, sizeof request);
    nb_conn_shutdown(w, c);
}

static void on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    uint32_t n = rte_pktmbuf_pkt_len(data);

    (void)state, (void)user;
    rte_pktmbuf_free(data);
    nb_conn_consumed(w, c, n);
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_close(w, c);
}

const struct nb_app connector = {
    .abi = NB_APP_ABI,
    .name = "connector",
    .start = start,
    .stop = stop,
    .on_connected = on_connected,
    .on_data = on_data,
    .on_peer_closed = on_peer_closed,
};

unsigned connector_open(struct nb_worker *w, uint32_t first, unsigned destinations, uint16_t port, unsigned n)
{
    unsigned opened = 0;
    struct nb_conn c;

    for (unsigned i = 0; i < n; i++) {
        const struct nb_connect to = {.remote = {{htonl(first + the_state.next++ % destinations)}},
                                      .remote_port = port,
                                      .family = NB_FAMILY_IPV4};

        opened += nb_conn_connect(w, &the_state, &to, &c) == 0;
    }
    return opened;
}
