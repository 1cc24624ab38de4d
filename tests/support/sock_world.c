/* sock_world.c - see sock_world.h. */
#include "sock_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../host-lib/socket/sockets.h"
#include "../../host-lib/tcp/core.h"
#include "../../host-lib/tcp/minmax.h"
#include "../../host-lib/wire/segment_emit.h"
#include "mbufs.h"

#define MBUFS     1023
#define MAX_FILES 64
#define FIRST_NOW 5000000

/* --- the wire --------------------------------------------------------------------------------- */

static void on_output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m)
{
    struct sock_host *h = arg;
    struct sock_world *w = h->world;
    (void)path;
    struct rte_mbuf *copy = w->cut ? NULL : rte_pktmbuf_copy(m, w->host[!h->index].pool, 0, UINT32_MAX);
    rte_pktmbuf_free(m);
    if (copy)
        link_send(w->to[!h->index], copy, nb_ip_header_bytes(key->family), w->now);
}

static struct nb_flow_key key_of(const struct rte_mbuf *m)
{
    const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
    struct nb_flow_key key = {.family = ip[0] >> 4 == 4 ? NB_FAMILY_IPV4 : NB_FAMILY_IPV6};
    bool v4 = key.family == NB_FAMILY_IPV4;
    memcpy(&key.remote, ip + (v4 ? 12 : 8), v4 ? 4 : 16);
    memcpy(&key.local, ip + (v4 ? 16 : 24), v4 ? 4 : 16);
    return key;
}

static void deliver(struct sock_host *h, struct rte_mbuf *m)
{
    struct nb_seg seg;
    memset(&seg, 0xa5, sizeof seg);
    seg.key = key_of(m);
    seg.ecn = 0;
    uint16_t l3 = (uint16_t)nb_ip_header_bytes(seg.key.family);
    assert_int_equal(nb_seg_parse(&seg, m, l3, m->pkt_len - l3, true), 0);
    seg.hash = nb_flow_hash(h->flows, &seg.key);
    nb_tcp_input(h->tcp, &seg, nb_flow_find(h->flows, &seg.key, seg.hash), 0, h->world->now);
    nb_tcp_flush(h->tcp, h->world->now);
}

/* --- time ------------------------------------------------------------------------------------- */

static uint64_t next_event(const struct sock_world *w)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++)
        next = nb__min(next, nb__min(link_next_us(w->to[i]), nb_tcp_next_us(w->host[i].tcp)));
    return next;
}

/* What is due happens. */
static void happen(struct sock_world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        struct rte_mbuf *m;
        while ((m = link_take(w->to[i], w->now)))
            deliver(&w->host[i], m);
        nb_tcp_advance(w->host[i].tcp, w->now);
        nb_tcp_flush(w->host[i].tcp, w->now);
    }
}

/* Time moves to the next event, or to `until`. */
static void move(struct sock_world *w, uint64_t until)
{
    w->now = nb__min(nb__max(next_event(w), w->now + 1), until);
}

void sock_world_run(struct sock_world *w, uint64_t us)
{
    uint64_t until = w->now + us;
    for (happen(w); w->now < until; happen(w))
        move(w, until);
}

static int on_wait(void *arg, struct nb_sock_sleep *sleep, uint64_t deadline_us)
{
    struct sock_host *h = arg;
    struct sock_world *w = h->world;
    void (*meanwhile)(struct sock_world *) = w->while_waiting;
    w->while_waiting = NULL;
    if (meanwhile)
        meanwhile(w);
    for (happen(w); !sleep->woken && w->now < deadline_us; happen(w)) {
        if (next_event(w) == UINT64_MAX && deadline_us == UINT64_MAX)
            return -EINTR; /* nothing can ever happen: the test fails rather than hangs */
        move(w, deadline_us);
    }
    return sleep->woken ? 0 : -ETIMEDOUT;
}

static uint64_t on_now(void *arg)
{
    return ((struct sock_host *)arg)->world->now;
}

/* --- the hosts -------------------------------------------------------------------------------- */

static struct nb_addr address_of(unsigned host, uint8_t family)
{
    struct nb_addr address = {{0}};
    if (family == NB_FAMILY_IPV4)
        address.word[0] = htonl(0x0a000001 + host);
    else
        address.word[0] = htonl(0xfd990000), address.word[3] = htonl(1 + host);
    return address;
}

static int on_route(void *arg, struct nb_flow_key *key, unsigned attempt)
{
    struct sock_host *h = arg;
    static const struct nb_addr none;
    (void)attempt;
    if (memcmp(&key->local, &none, sizeof none) == 0)
        key->local = address_of(h->index, key->family);
    if (!key->local_port)
        key->local_port = (uint16_t)(40000 + h->world->ports++ % 20000);
    return 0;
}

static bool on_is_local(void *arg, const struct nb_addr *address, uint8_t family)
{
    struct sock_host *h = arg;
    struct nb_addr own = address_of(h->index, family);
    return memcmp(address, &own, sizeof own) == 0;
}

static bool on_accepting(void *arg, void *listener_user)
{
    (void)arg;
    return nb_sockets_accepting(listener_user);
}

#define PASS_ON(event)                                                                                                 \
    static void on_##event(void *arg, struct nb_tcb *tcb)                                                              \
    {                                                                                                                  \
        nb_sockets_on_##event(((struct sock_host *)arg)->ns, tcb);                                                     \
    }
PASS_ON(connected)
PASS_ON(writable)
PASS_ON(progress)
PASS_ON(peer_closed)

static bool on_accepted(void *arg, struct nb_tcb *tcb)
{
    return nb_sockets_on_accepted(((struct sock_host *)arg)->ns, tcb);
}

static void on_data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    nb_sockets_on_data(((struct sock_host *)arg)->ns, tcb, m);
}

static void on_urgent(void *arg, struct nb_tcb *tcb, uint32_t ahead)
{
    nb_sockets_on_urgent(((struct sock_host *)arg)->ns, tcb, ahead);
}

static void on_closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    nb_sockets_on_closed(((struct sock_host *)arg)->ns, tcb, reason);
}

static void host_init(struct sock_world *w, unsigned i, bool blocking)
{
    struct sock_host *h = &w->host[i];
    *h = (struct sock_host){.world = w, .index = i, .pool = support_pool_new(MBUFS)};
    h->flows = nb_flow_table_new(256, (const uint64_t[2]){i, 7});
    struct nb_tcp_config config = {.limits = {.connections = 64,
                                              .time_wait = 64,
                                              .half_open = 64,
                                              .send_buffer_bytes = 200000,
                                              .recv_buffer_bytes = 60000,
                                              .mbufs = MBUFS},
                                   .mempool = h->pool,
                                   .flows = h->flows,
                                   .isn_secret = {(uint8_t)i},
                                   .mtu_bytes = 1500};
    struct nb_tcp_env env = {.arg = h,
                             .output = on_output,
                             .accepting = on_accepting,
                             .accepted = on_accepted,
                             .connected = on_connected,
                             .data = on_data,
                             .urgent = on_urgent,
                             .writable = on_writable,
                             .progress = on_progress,
                             .peer_closed = on_peer_closed,
                             .closed = on_closed};
    struct nb_sockets_env sockets_env = {
        .arg = h, .now_us = on_now, .wait = blocking ? on_wait : NULL, .route = on_route, .is_local = on_is_local};
    struct nb_sockets_config sockets_config = {
        .max_sockets = 64, .max_files = MAX_FILES, .max_epolls = 8, .max_watches = 64};
    h->ns = nb_sockets_new(&sockets_config, &sockets_env);
    h->tcp = nb_tcp_new(&config, &env, w->now);
    nb_sockets_set_tcp(h->ns, h->tcp);
}

struct sock_world *sock_world_new(bool blocking)
{
    struct sock_world *w = calloc(1, sizeof *w);
    struct link_options wire = {.delay_us = SOCK_WORLD_RTT / 2};
    w->now = FIRST_NOW;
    for (unsigned i = 0; i < 2; i++) {
        host_init(w, i, blocking);
        w->to[i] = link_new(&wire, 1 + i);
    }
    return w;
}

static void expect_pools_full(const struct nb_sockets *ns)
{
    assert_int_equal(nb_block_pool_used(&ns->socks), 0);
    assert_int_equal(nb_block_pool_used(&ns->extras), 0);
    assert_int_equal(nb_block_pool_used(&ns->errors), 0);
    assert_int_equal(nb_block_pool_used(&ns->infos), 0);
    assert_int_equal(nb_block_pool_used(&ns->watches), 0);
}

void sock_world_free(struct sock_world *w)
{
    for (unsigned i = 0; i < 2; i++)
        for (int fd = 0; fd < MAX_FILES; fd++)
            nb_sock_close(w->host[i].ns, fd);
    for (unsigned i = 0; i < 2; i++) {
        nb_tcp_abort_all(w->host[i].tcp);
        nb_tcp_flush(w->host[i].tcp, w->now);
    }
    for (unsigned i = 0; i < 2; i++) {
        link_free(w->to[i]);
        expect_pools_full(w->host[i].ns);
        nb_tcp_free(w->host[i].tcp);
        nb_sockets_free(w->host[i].ns);
        assert_int_equal(nb_flow_count(w->host[i].flows), 0);
        nb_flow_table_free(w->host[i].flows);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_true(support_pool_full(w->host[i].pool));
        support_pool_free(w->host[i].pool);
    }
    free(w);
}

/* --- for tests -------------------------------------------------------------------------------- */

struct sockaddr_in sock_world_v4(unsigned host, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x0a000001 + host)};
}

struct sockaddr_in6 sock_world_v6(unsigned host, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct nb_addr address = address_of(host, NB_FAMILY_IPV6);
    memcpy(&a.sin6_addr, &address, sizeof a.sin6_addr);
    return a;
}

int sock_world_listen(struct sock_world *w, int backlog)
{
    struct nb_sockets *ns = w->host[1].ns;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(SOCK_WORLD_PORT)};
    int fd = nb_sock_open(ns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(nb_sock_bind(ns, fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(nb_sock_listen(ns, fd, backlog), 0);
    return fd;
}

struct sock_pair sock_world_connect(struct sock_world *w, int listener)
{
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    struct sock_pair pair = {.client = nb_sock_open(w->host[0].ns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    assert_int_equal(nb_sock_connect(w->host[0].ns, pair.client, (const struct sockaddr *)&to, sizeof to),
                     -EINPROGRESS);
    sock_world_run(w, 2 * SOCK_WORLD_RTT);
    assert_int_equal(nb_sock_connect(w->host[0].ns, pair.client, (const struct sockaddr *)&to, sizeof to), 0);
    pair.server = nb_sock_accept(w->host[1].ns, listener, NULL, NULL, 0);
    assert_true(pair.server >= 0);
    assert_int_equal(nb_sock_fcntl(w->host[0].ns, pair.client, F_SETFL, 0), 0);
    return pair;
}
