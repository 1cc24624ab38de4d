/* sockets.c - the layer's own life: pools, made once. */
#include "epoll.h"
#include "error_queue.h"
#include "options.h"
#include "sockets.h"

#include <stdlib.h>

#include <rte_mbuf.h>

static bool make_socks(struct nb_sockets *ns)
{
    ns->socks = calloc(ns->config.max_sockets, sizeof *ns->socks);
    if (!ns->socks)
        return false;
    for (uint32_t i = ns->config.max_sockets; i-- > 0;) {
        ns->socks[i].next = ns->free_sock;
        ns->free_sock = &ns->socks[i];
    }
    return true;
}

static bool make_watches(struct nb_sockets *ns)
{
    ns->watches = calloc(ns->config.max_watches, sizeof *ns->watches);
    if (!ns->watches)
        return false;
    for (uint32_t i = ns->config.max_watches; i-- > 0;) {
        ns->watches[i].next = ns->free_watch;
        ns->free_watch = &ns->watches[i];
    }
    return true;
}

static bool make_infos(struct nb_sockets *ns)
{
    ns->infos = calloc(ns->config.max_files, sizeof *ns->infos);
    ns->free_infos = calloc(ns->config.max_files, sizeof *ns->free_infos);
    if (!ns->infos || !ns->free_infos)
        return false;
    for (uint32_t i = 0; i < ns->config.max_files; i++)
        ns->free_infos[ns->n_free_infos++] = &ns->infos[i];
    return true;
}

static bool make_pools(struct nb_sockets *ns)
{
    ns->files = calloc(ns->config.max_files, sizeof(struct nb_file *));
    ns->options = nb__options_pool_new(ns->config.max_sockets);
    ns->epolls = nb__epoll_pool_new(ns->config.max_epolls, ns->config.max_watches);
    ns->errors = nb__error_pool_new(ns->config.max_files);
    return ns->files && ns->options && ns->epolls && ns->errors && make_socks(ns) && make_watches(ns) && make_infos(ns);
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
    for (uint32_t i = 0; ns->socks && i < ns->config.max_sockets; i++)
        nb__sock_drop_unread(&ns->socks[i]);
}

void nb_sockets_free(struct nb_sockets *ns)
{
    if (!ns)
        return;
    drop_all_unread(ns);
    nb__error_pool_free(ns->errors);
    nb__epoll_pool_free(ns->epolls);
    nb__options_pool_free(ns->options);
    free(ns->free_infos);
    free(ns->infos);
    free(ns->watches);
    free(ns->socks);
    free(ns->files);
    free(ns);
}
