/* proxy.c - the bundled TCP proxy: each connection accepted is joined with one opened to a backend, on the same worker.
 *
 * Theory of operation. A pair has two sides, client and backend. Bytes go from one side to the other in the buffers
 * they came in:
 *
 *   data arrives      it is sent on the other side, and the window it took is given back. Where that side is not
 *                     connected yet, or its send buffer is full, it is kept and the window stays closed: a sender is as
 *                     slow as the receiver beyond the proxy, and a pair keeps no more than a receive window per side
 *   room again        what was kept is sent
 *   FIN               is passed on when everything kept has been sent; the other direction goes on
 *   an end by error   resets the other side, so that neither takes a part for the whole
 *
 * Backends are taken in turn. The stack chooses local ports such that the backend's answers come to this worker
 * (nb_conn_connect): a pair never leaves its core. Pairs come from a pool made at start. While all are in use nothing
 * is accepted here: other workers serve new clients, or clients' SYNs wait, and nobody is reset.
 */
#include <netbypass/app.h>

#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "../kept.h"
#include "../option.h"

#define PAIRS_DEFAULT 32768 /* two connections each: as many as limits.connections has by default */
#define PAIRS_MAX     (1 << 20)

struct proxy_side {
    struct proxy_side *other;
    struct nb_conn c;
    struct app_kept kept; /* arrived here, to be sent on the other side */
    bool there;           /* its on_closed is still to come */
    bool standing;        /* connected, and not closed by us */
    bool fin_arrived, fin_sent;
};

struct proxy_pair {
    struct proxy_side client, backend; /* `user` of a connection is its side */
    struct proxy_pair *next_free;
};

/* An instance: one worker's. */
struct proxy {
    struct app_endpoints backends;
    unsigned next_backend;
    struct proxy_pair *pairs, *free;
};

/* --- pairs -------------------------------------------------------------------------------------------------------- */

static struct proxy_pair *take_pair(struct nb_worker *w, struct proxy *proxy)
{
    struct proxy_pair *p = proxy->free;

    if (!p)
        return NULL;
    proxy->free = p->next_free;
    if (!proxy->free)
        nb_worker_accept(w, proxy, false);
    *p = (struct proxy_pair){.client = {.other = &p->backend}, .backend = {.other = &p->client}};
    return p;
}

static void give_pair(struct nb_worker *w, struct proxy *proxy, struct proxy_side *side)
{
    size_t at = (size_t)((char *)side - (char *)proxy->pairs) / sizeof *proxy->pairs;
    struct proxy_pair *p = &proxy->pairs[at];

    app_kept_drop(&p->client.kept);
    app_kept_drop(&p->backend.kept);
    if (!proxy->free)
        nb_worker_accept(w, proxy, true);
    p->next_free = proxy->free;
    proxy->free = p;
}

/* --- one direction ------------------------------------------------------------------------------------------------ */

/* Everything of this side has been sent on the other: so may its FIN be. When both have ended, both connections go. */
static void pass_fin(struct nb_worker *w, struct proxy_side *from)
{
    struct proxy_side *to = from->other;

    if (!from->fin_arrived || from->kept.head || to->fin_sent || !to->standing)
        return;
    to->fin_sent = true;
    if (!from->fin_sent) {
        nb_conn_shutdown(w, to->c);
        return;
    }
    from->standing = to->standing = false;
    nb_conn_close(w, from->c);
    nb_conn_close(w, to->c);
}

/* Send what is kept, as far as there is room; on_writable goes on. */
static void pass_data(struct nb_worker *w, struct proxy_side *from)
{
    struct proxy_side *to = from->other;

    while (from->kept.head && to->standing) {
        uint32_t n = from->kept.head->data_len;
        struct rte_mbuf *m = app_kept_take(&from->kept);

        if (nb_conn_send(w, to->c, m) < 0) {
            app_unkeep(&from->kept, m);
            return;
        }
        nb_conn_consumed(w, from->c, n);
    }
    pass_fin(w, from);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn c)
{
    struct proxy *proxy = state;
    const struct app_endpoint *to = &proxy->backends.at[proxy->next_backend++ % proxy->backends.n];
    struct proxy_pair *p = take_pair(w, proxy);

    if (!p)
        return false;
    const struct nb_connect connect = {
        .remote = to->address, .remote_port = to->port, .family = NB_FAMILY_IPV4, .user = &p->backend};
    if (nb_conn_connect(w, state, &connect, &p->backend.c) < 0) {
        give_pair(w, proxy, &p->client);
        return false;
    }
    p->client.c = c;
    p->client.there = p->client.standing = p->backend.there = true;
    nb_conn_set_user(w, c, &p->client);
    return true;
}

static void on_connected(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct proxy_side *side = user;

    (void)state;
    side->c = c;
    if (!side->other->there) { /* the client is gone already */
        nb_conn_abort(w, c);
        return;
    }
    side->standing = true;
    pass_data(w, side->other);
}

static void on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    struct proxy_side *side = user;
    uint32_t n = rte_pktmbuf_pkt_len(data);

    (void)state;
    if (side->other->standing && !side->kept.head && nb_conn_send(w, side->other->c, data) == 0) {
        nb_conn_consumed(w, c, n);
        return;
    }
    app_keep(&side->kept, data);
}

static void on_writable(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct proxy_side *side = user;

    (void)state, (void)c;
    pass_data(w, side->other);
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct proxy_side *side = user;

    (void)state, (void)c;
    side->fin_arrived = true;
    pass_data(w, side);
}

/* An end without a FIN each way is an error, and the other side's, too. A backend that is still connecting
 * without a handle cannot be reset: on_connected finds the client gone. */
static void on_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    struct proxy_side *side = user, *other;

    (void)c, (void)reason;
    if (!side) /* refused in on_accept */
        return;
    other = side->other;
    side->there = side->standing = false;
    if (!other->there) {
        give_pair(w, state, side);
        return;
    }
    if (side->fin_sent && side->fin_arrived) /* what it has left behind still goes to the other */
        return;
    other->standing = false;
    if (other->c.generation)
        nb_conn_abort(w, other->c);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void stop(struct nb_worker *w, void *state)
{
    struct proxy *proxy = state;

    (void)w;
    free(proxy->pairs);
    free(proxy);
}

static int start(struct nb_worker *w, const struct nb_app_option *options, unsigned n_options, void **state,
                 struct nb_error *err)
{
    struct app_endpoints backends = {.n = 0};
    uint64_t pairs = PAIRS_DEFAULT;
    const struct app_option table[] = {
        {"backends", APP_ENDPOINTS, .value = &backends},
        {"pairs", APP_NUMBER, .min = 1, .max = PAIRS_MAX, .value = &pairs},
    };
    int rc = app_options_read("proxy", table, RTE_DIM(table), options, n_options, err);

    if (rc < 0)
        return rc;
    if (!backends.n)
        return nb_error_set(err, -EINVAL,
                            "proxy: option backends is missing; accepted: IPv4 addresses with ports, as "
                            "10.0.0.1:80");
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy)
        proxy->pairs = calloc(pairs, sizeof *proxy->pairs);
    if (!proxy || !proxy->pairs) {
        free(proxy);
        return nb_error_set(err, -ENOMEM, "proxy: no memory for %u pairs on worker %u", (unsigned)pairs,
                            nb_worker_index(w));
    }
    proxy->backends = backends;
    for (uint64_t i = pairs; i-- > 0;) {
        proxy->pairs[i].next_free = proxy->free;
        proxy->free = &proxy->pairs[i];
    }
    *state = proxy;
    return 0;
}

__attribute__((visibility("default"))) const struct nb_app nb_app_proxy = {
    .abi = NB_APP_ABI,
    .name = "proxy",
    .start = start,
    .stop = stop,
    .on_accept = on_accept,
    .on_connected = on_connected,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_peer_closed = on_peer_closed,
    .on_closed = on_closed,
};
