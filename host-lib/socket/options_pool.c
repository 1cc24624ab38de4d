/* options_pool.c - options blocks: shared, counted, copied when written.
 *
 * There are as many blocks as sockets, so a copy never fails: each socket refers to one block, and a socket that shares
 * its block leaves at least one free.
 */
#include "options.h"
#include "../tcp/stream.h"
#include "sockets.h"

#include <stdlib.h>

struct nb_options_pool {
    struct nb_sock_options defaults;
    struct nb_block_pool blocks;
};

struct nb_options_pool *nb__options_pool_new(uint32_t capacity)
{
    struct nb_options_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    if (!nb_block_pool_init(&pool->blocks, sizeof(struct nb_sock_options), capacity)) {
        free(pool);
        return NULL;
    }
    pool->defaults = (struct nb_sock_options){
        .references = 1, .linger_s = -1, .recv_lowat = 1, .incoming_cpu = -1, .mtu_discover = 1, /* IP_PMTUDISC_WANT */
    };
    return pool;
}

void nb__options_pool_free(struct nb_options_pool *pool)
{
    if (pool)
        nb_block_pool_fini(&pool->blocks);
    free(pool);
}

struct nb_sock_options *nb__options_default(struct nb_options_pool *pool)
{
    return nb__options_get(&pool->defaults);
}

struct nb_sock_options *nb__options_get(struct nb_sock_options *options)
{
    options->references++;
    return options;
}

void nb__options_put(struct nb_sockets *ns, struct nb_sock_options *options)
{
    if (--options->references > 0)
        return;
    nb_tcp_md5_put(ns->tcp, options->tcp.md5_keys);
    nb_block_put(&ns->options->blocks, options);
}

struct nb_sock_options *nb__options_own(struct nb_sockets *ns, struct nb_sock *sock)
{
    struct nb_sock_options *shared = sock->options;
    if (shared->references == 1)
        return shared;
    struct nb_sock_options *own = nb_block_get(&ns->options->blocks);
    *own = *shared;
    own->references = 1;
    nb_tcp_md5_hold(ns->tcp, own->tcp.md5_keys);
    nb__options_put(ns, shared);
    sock->options = own;
    if (sock->tcb)
        nb_tcb_set_options(sock->tcb, &own->tcp);
    if (sock->state == NB_SOCK_LISTENING)
        nb_tcp_listener_set_options(ns->tcp, sock, &own->tcp);
    return own;
}
