/* moves_server.c - what the server of the moves world does: writes its streams, checks what it reads, follows its
 * connections. */
#include <string.h>

#include <rte_mbuf.h>

#include "moves_inside.h"

static uint8_t stream_byte(const struct conn *c, unsigned stream, uint32_t i)
{
    return (uint8_t)(i * 167 + (i >> 8) * 13 + (i >> 16) + stream * 101 + c->salt);
}

void world_check_bytes(struct conn *c, unsigned stream, const struct rte_mbuf *m)
{
    for (; m; m = m->next) {
        const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

        for (uint32_t i = 0; i < m->data_len; i++, c->received[stream]++)
            if (p[i] != stream_byte(c, stream, c->received[stream])) {
                world_fail(c->w, "a byte is wrong: port %u, stream %u, offset %u", c->key.local_port, stream,
                           c->received[stream]);
                return;
            }
    }
}

void world_make_bytes(struct conn *c, unsigned stream, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = stream_byte(c, stream, c->written[stream] + i);
}

/* Every call comes on the worker that owns the connection, about the handle that counts. */
static struct conn *check_owner(struct nb_worker *w, struct nb_conn h, void *user)
{
    struct conn *c = user;

    if (c->worker != nb_worker_index(w) || c->handle.index != h.index || c->handle.generation != h.generation ||
        c->travelling)
        world_fail(c->w, "port %u: called on worker %u, owned by %u", c->key.local_port, nb_worker_index(w), c->worker);
    return c;
}

static bool send_chain(struct nb_worker *w, struct conn *c, uint32_t n)
{
    struct rte_mbuf *m = nb_conn_buffer(w);

    if (!m)
        return false;
    n = n < 1200 ? n : 1200;
    world_make_bytes(c, 1, (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n), n);
    if (nb_conn_send(w, c->handle, m) != 0) {
        rte_pktmbuf_free(m);
        return false;
    }
    c->written[1] += n;
    return true;
}

static bool send_copy(struct nb_worker *w, struct conn *c, uint32_t n)
{
    uint8_t bytes[WRITE_MAX];
    int taken;

    world_make_bytes(c, 1, bytes, n);
    taken = nb_conn_write(w, c->handle, bytes, n);
    c->written[1] += taken > 0 ? (uint32_t)taken : 0;
    return taken == (int)n;
}

static void serve(struct nb_worker *w, struct conn *c)
{
    while (c->written[1] < c->bytes[1]) {
        uint32_t left = c->bytes[1] - c->written[1], n = 1 + world_below(c->w, WRITE_MAX);

        n = n < left ? n : left;
        if (world_chance(c->w, 300) && send_chain(w, c, n))
            continue;
        if (!send_copy(w, c, n))
            return;
    }
    if (!c->server_shut && (c->peer_closed || c->salt % 2))
        nb_conn_shutdown(w, c->handle);
    c->server_shut |= c->peer_closed || c->salt % 2;
}

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn h)
{
    struct world *world = *(struct world **)state;
    struct nb_flow_key key;
    struct conn *c;

    nb_conn_key(w, h, &key);
    c = world->by_port[key.remote_port];
    if (!c || !c->live || c->accepted || c->key.local_port != key.remote_port) {
        if (!world->o->abort_permille) /* else: its client has reset it and forgotten */
            world_fail(world, "port %u: accepted out of nowhere", key.remote_port);
        return false;
    }
    c->accepted = true;
    c->server_done = false; /* its client may have reset it already */
    c->handle = h;
    c->worker = nb_worker_index(w);
    nb_conn_set_user(w, h, c);
    serve(w, c);
    return true;
}

static void on_connected(struct nb_worker *w, void *state, struct nb_conn h, void *user)
{
    struct conn *c = user;

    (void)state;
    c->accepted = true;
    c->handle = h;
    c->worker = nb_worker_index(w);
    serve(w, c);
}

/* Some data stays with the application for a while, in its buffers, unconsumed. */
static void on_data(struct nb_worker *w, void *state, struct nb_conn h, void *user, struct rte_mbuf *data)
{
    struct conn *c = check_owner(w, h, user);

    (void)state;
    world_check_bytes(c, 0, data);
    if (c->n_held < HELD && world_chance(c->w, c->w->o->hold_permille)) {
        c->held[c->n_held++] = data;
        return;
    }
    nb_conn_consumed(w, h, rte_pktmbuf_pkt_len(data));
    rte_pktmbuf_free(data);
}

void world_server_lets_go(struct conn *c, struct nb_worker *w)
{
    for (unsigned i = 0; i < c->n_held; i++) {
        if (w)
            nb_conn_consumed(w, c->handle, rte_pktmbuf_pkt_len(c->held[i]));
        rte_pktmbuf_free(c->held[i]);
    }
    c->n_held = 0;
}

static void on_writable(struct nb_worker *w, void *state, struct nb_conn h, void *user)
{
    (void)state;
    serve(w, check_owner(w, h, user));
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn h, void *user)
{
    struct conn *c = check_owner(w, h, user);

    (void)state;
    world_server_lets_go(c, w);
    c->peer_closed = true;
    serve(w, c);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn h, void *user, enum nb_closed_reason reason)
{
    struct conn *c = user;

    (void)state;
    if (reason == NB_CLOSED_NO_PORT && !c->accepted) {
        world_open_again(c);
        return;
    }
    check_owner(w, h, user);
    c->server_done = true;
    if (reason != (c->reset ? NB_CLOSED_RESET : NB_CLOSED_NORMAL) && reason != NB_CLOSED_NORMAL)
        world_fail(c->w, "port %u: the server's end closed for reason %u", c->key.local_port, reason);
    world_server_lets_go(c, NULL);
}

static void *on_leave(struct nb_worker *w, void *state, struct nb_conn h, void *user, unsigned to)
{
    struct conn *c = check_owner(w, h, user);

    (void)state;
    if (to >= c->w->workers || to == c->worker || c->pinned)
        world_fail(c->w, "port %u leaves for %u, pinned %u", c->key.local_port, to, c->pinned);
    c->travelling = true;
    return c;
}

static void on_arrive(struct nb_worker *w, void *state, struct nb_conn h, void *user)
{
    struct conn *c = user;

    (void)state;
    c->travelling = false;
    c->worker = nb_worker_index(w);
    c->handle = h;
}

static int on_start(struct nb_worker *w, const struct nb_app_option *options, unsigned n, void **state,
                    struct nb_error *err)
{
    static struct world *world;

    (void)w, (void)n, (void)err;
    if (options)
        world = (struct world *)(uintptr_t)options->value;
    *state = &world;
    return 0;
}

static unsigned choose_worker(struct nb_worker *w, void *state, const struct nb_flow_key *key)
{
    struct world *world = *(struct world **)state;

    (void)key;
    return world_chance(world, world->o->else_permille) ? world_below(world, world->workers) : nb_worker_index(w);
}

const struct nb_app world_server = {
    .abi = NB_APP_ABI,
    .name = "streams",
    .start = on_start,
    .choose_worker = choose_worker,
    .on_accept = on_accept,
    .on_connected = on_connected,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_peer_closed = on_peer_closed,
    .on_closed = on_closed,
    .on_leave = on_leave,
    .on_arrive = on_arrive,
};
