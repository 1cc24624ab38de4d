/* sockets.c - the layer's own life: pools, made once. */
#include "epoll.h"
#include "error_queue.h"
#include "options.h"
#include "sockets.h"
#include "../tcp/tcb.h"

#include <stdlib.h>

#include <rte_mbuf.h>

static_assert(sizeof(struct nb_tcb) + NB_FLOW_SLOTS_PER_CONNECTION * NB_FLOW_SLOT_BYTES + sizeof(struct nb_sock) +
                      sizeof(struct nb_file *) <=
                  512,
              "an idle established connection with its socket: docs/performance.md");

static bool make_pools(struct nb_sockets *ns)
{
    const struct nb_sockets_config *config = &ns->config;
    ns->files = calloc(config->max_files, sizeof(struct nb_file *));
    ns->options = nb__options_pool_new(config->max_sockets);
    ns->epolls = nb__epoll_pool_new(config->max_epolls, config->max_watches);
    return ns->files && ns->options && ns->epolls && nb__error_pool_init(&ns->errors, config->max_files) &&
           nb_block_pool_init(&ns->socks, sizeof(struct nb_sock), config->max_sockets) &&
           nb_block_pool_init(&ns->extras, sizeof(struct nb_sock_extra), config->max_sockets) &&
           nb_block_pool_init(&ns->watches, sizeof(struct nb_watch), config->max_watches) &&
           nb_block_pool_init(&ns->infos, sizeof(struct nb_tcp_info), config->max_files);
}

struct nb_sockets *nb_sockets_new(const struct nb_sockets_config *config, const struct nb_sockets_env *env)
{
    struct nb_sockets *ns = calloc(1, sizeof *ns);
    if (!ns)
        return NULL;
    ns->env = *env;
    ns->config = *config;
    if (make_pools(ns))
        return ns;
    nb_sockets_free(ns);
    return NULL;
}

void nb_sockets_set_tcp(struct nb_sockets *ns, struct nb_tcp *tcp)
{
    ns->tcp = tcp;
}

/* mbufs outlive the layer in their pool, so unread data goes back to it. */
static void drop_all_unread(struct nb_sockets *ns)
{
    struct nb_sock *socks = (void *)ns->socks.blocks;
    for (uint32_t i = 0; i < ns->socks.fresh; i++)
        nb__sock_drop_unread(&socks[i]);
}

void nb_sockets_free(struct nb_sockets *ns)
{
    if (!ns)
        return;
    drop_all_unread(ns);
    nb_block_pool_fini(&ns->infos);
    nb_block_pool_fini(&ns->watches);
    nb_block_pool_fini(&ns->extras);
    nb_block_pool_fini(&ns->socks);
    nb_block_pool_fini(&ns->errors);
    nb__epoll_pool_free(ns->epolls);
    nb__options_pool_free(ns->options);
    free(ns->files);
    free(ns);
}
