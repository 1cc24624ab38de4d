/* moves_opening.c - how connections of the moves world begin: opened by the client, all at once or one by one, over new
 * tuples or old ones, or by the server over ports that belong to another worker; and how they end for good. */
#include <string.h>

#include <netbypass/conn.h>

#include "moves_inside.h"

#define SERVER_PORTS 40000    /* the first of them; the client's end at 60000, but it is another address */
#define STILL_US     10000000 /* no loss that the world makes holds a connection up for so long */
#define AGAIN_US     2000     /* later than what was sent last, as timestamps tell */

struct conn *world_conn_of(const struct world *w, uint16_t client_port, uint16_t server_port)
{
    return server_port == PORT ? w->by_port[client_port] : w->by_server[server_port];
}

/* Nothing is under way, and nobody wants anything. */
bool world_rests(const struct world *w)
{
    if (w->to_server.first || w->to_client.first || !w->port->rests(w))
        return false;
    for (unsigned i = 0; i < CONNS; i++)
        if (w->conn[i].live && w->conn[i].idle_until_us <= w->now_us)
            return false;
    return true;
}

/* --- beginning -----------------------------------------------------------------------------------------------------
 */

/* It has its tuple, and is connected then. */
static void open_at(struct world *w, struct conn *c, uint16_t port, uint64_t at_us)
{
    *c = (struct conn){.w = w, .live = true, .salt = world_random(w), .open_at_us = at_us};
    c->bytes[0] = world_below(w, w->o->bytes_max);
    c->bytes[1] = world_below(w, w->o->bytes_max);
    c->key = (struct nb_flow_key){
        .local.word = {CLIENT}, .remote.word = {US}, .local_port = port, .remote_port = PORT, .family = NB_FAMILY_IPV4};
    c->to_reuse = world_chance(w, w->o->reuse_permille);
    c->salt |= c->to_reuse; /* see serve() */
    w->by_port[port] = c;
    w->opened++;
}

static void connect_by_client(struct world *w, struct conn *c)
{
    int err = 0;

    if (world_chance(w, w->o->abort_permille))
        c->abort_at_us = w->now_us + world_below(w, 5000);
    c->tcb = nb_tcp_connect(w->tcp, &c->key, w->now_us, &err);
    if (!c->tcb)
        world_fail(w, "port %u: connect: %d", c->key.local_port, err);
}

/* From a port whose home is another worker, who is asked for it. */
static void connect_by_server(struct world *w, struct conn *c)
{
    unsigned by = world_below(w, w->workers);
    struct nb_worker *worker = w->rt->worker[by];
    struct nb_connect to = {.remote.word = {CLIENT}, .remote_port = CLIENT_PORT, .family = NB_FAMILY_IPV4, .user = c};
    struct nb_flow_key key;
    int rc;

    do {
        c->key.local_port = CLIENT_PORT;
        c->key.remote_port = (uint16_t)(SERVER_PORTS + world_below(w, 20000));
        key = world_key_of(c);
    } while (w->by_server[c->key.remote_port] || nb_rss_queue(&worker->port[0].rss, &key) == by);
    w->by_server[c->key.remote_port] = c;
    to.local_port = c->key.remote_port;
    c->worker = by;
    worker->now_us = w->now_us > worker->now_us ? w->now_us : worker->now_us;
    rc = nb_conn_connect(worker, worker->service[0].state, &to, &c->handle);
    if (rc < 0)
        world_open_again(c);
    nb__ring_doorbells(worker);
}

static void begin(struct world *w, struct conn *c)
{
    c->open_at_us = 0;
    if (c->by_server)
        connect_by_server(w, c);
    else
        connect_by_client(w, c);
}

/* The port was not to be had: its home is just changing. */
void world_open_again(struct conn *c)
{
    c->w->by_server[c->key.remote_port] = NULL;
    c->open_at_us = c->w->now_us + 1 + world_below(c->w, AGAIN_US);
}

void world_open_conns(struct world *w)
{
    memset(w->by_server, 0, sizeof w->by_server);
    for (unsigned i = 0; i < w->o->conns; i++) {
        uint16_t port = w->next_port++;

        if (w->next_port > 60000)
            w->next_port = 10000;
        open_at(w, &w->conn[i], port, w->now_us + world_below(w, w->o->spread_us));
        w->conn[i].by_server = !w->conn[i].to_reuse && world_chance(w, w->o->grant_permille);
        if (w->conn[i].open_at_us == w->now_us)
            begin(w, &w->conn[i]);
    }
}

/* --- ending --------------------------------------------------------------------------------------------------------
 */

/* A reset, and often at once a new connection over the same tuple: the server's end of the old one may be anywhere. */
static void abort_conn(struct world *w, struct conn *c)
{
    unsigned spare = 0;
    bool open = c->tcb && nb_tcb_state(c->tcb) != NB_TCP_TIME_WAIT;

    c->reset = true;
    c->abort_at_us = 0;
    if (c->tcb)
        nb_tcp_abort(w->tcp, c->tcb);
    while (spare < CONNS && w->conn[spare].live)
        spare++;
    if (open && spare < CONNS && c->accepted && world_chance(w, 500))
        open_at(w, &w->conn[spare], c->key.local_port, w->now_us);
}

/* The server is in TIME-WAIT; the client is not, or it could not open it. */
static bool may_reuse(struct world *w, const struct conn *c)
{
    return c->to_reuse && !c->reset && !c->way_open && w->opened < w->reuse_until &&
           nb_flow_find(w->flows, &c->key, nb_flow_hash(w->flows, &c->key)).kind == NB_FLOW_NONE;
}

static void has_ended(struct world *w, struct conn *c)
{
    for (unsigned s = 0; s < 2 && !c->reset; s++)
        if (c->received[s] != c->bytes[s])
            world_fail(w, "port %u: stream %u: %u of %u bytes", c->key.local_port, s, c->received[s], c->bytes[s]);
    w->result->granted += c->by_server;
    c->live = false;
    if (may_reuse(w, c)) {
        open_at(w, c, c->key.local_port, w->now_us + AGAIN_US + world_below(w, AGAIN_US));
        w->result->reused++;
    }
}

/* Whatever is done to a connection, it goes on. */
static void check_progress(struct world *w, struct conn *c)
{
    uint64_t steps = (uint64_t)c->received[0] + c->received[1] + c->written[0] + c->written[1] + c->accepted +
                     c->client_done + c->server_done + c->client_shut + c->server_shut + c->server_closed +
                     !c->open_at_us;

    if (steps != c->steps || c->idle_until_us || c->open_at_us) {
        c->steps = steps;
        c->step_at_us = w->now_us;
    } else if (w->now_us > c->step_at_us + STILL_US) {
        world_tell_stuck(w);
    }
}

/* The application comes back to data that it held; and clients to connections that they reset. */
void world_tend_conns(struct world *w)
{
    for (unsigned i = 0; i < CONNS; i++) {
        struct conn *c = &w->conn[i];

        if (!c->live)
            continue;
        if (c->open_at_us && w->now_us >= c->open_at_us)
            begin(w, c);
        if (c->idle_until_us && w->now_us >= c->idle_until_us) {
            c->idle_until_us = 0;
            if (c->tcb)
                world_client_write(c);
        }
        check_progress(w, c);
        if (c->n_held && !c->travelling && !c->server_done && world_chance(w, 50))
            world_server_lets_go(c, w->rt->worker[c->worker]);
        if (c->abort_at_us && w->now_us >= c->abort_at_us)
            abort_conn(w, c);
        if (c->client_done && c->server_done)
            has_ended(w, c);
        /* Reset before the server ever heard of it. */
        if (c->reset && c->client_done && !c->accepted)
            c->server_done = true;
    }
}

unsigned world_live_conns(const struct world *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < CONNS; i++)
        n += w->conn[i].live;
    return n;
}

/* --- accepting -----------------------------------------------------------------------------------------------------
 */

static void accept_at(struct world *w, unsigned worker, bool on)
{
    w->paused = on ? w->paused & ~(UINT64_C(1) << worker) : w->paused | UINT64_C(1) << worker;
    nb_worker_accept(w->rt->worker[worker], w->rt->worker[worker]->service[0].state, on);
}

/* Somebody always accepts. */
void world_pause_some(struct world *w)
{
    unsigned worker = world_below(w, w->workers);
    bool paused = w->paused >> worker & 1;

    if (paused || __builtin_popcountll(w->paused) + 1u < w->workers)
        accept_at(w, worker, paused);
}

void world_pause_none(struct world *w)
{
    for (unsigned i = 0; i < w->workers; i++)
        if (w->paused >> i & 1)
            accept_at(w, i, true);
}
