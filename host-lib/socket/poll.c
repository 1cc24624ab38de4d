/* poll.c - poll(2): look at all, and if nothing is ready, watch all and sleep. */
#include "sockets.h"

#include <errno.h>

static int look(struct nb_sockets *ns, struct pollfd *fds, nfds_t n)
{
    int ready = 0;
    for (nfds_t i = 0; i < n; i++) {
        struct nb_file *file = nb__file_get(ns, fds[i].fd);
        uint32_t wanted = (uint16_t)fds[i].events | POLLERR | POLLHUP;
        fds[i].revents = 0;
        if (fds[i].fd >= 0)
            fds[i].revents = (short)(file ? nb__file_events(ns, file) & wanted : POLLNVAL);
        ready += fds[i].revents != 0;
    }
    return ready;
}

static void stop_all(struct nb_sockets *ns, struct nb_watch *list)
{
    while (list) {
        struct nb_watch *watch = list;
        list = watch->sibling;
        nb__watch_stop(watch);
        nb_block_put(&ns->watches, watch);
    }
}

/* Watch every descriptor on behalf of one sleep. -ENOMEM when the pool is empty, nothing is watched then. */
static int watch_all(struct nb_sockets *ns, const struct pollfd *fds, nfds_t n, struct nb_sock_sleep *sleep,
                     struct nb_watch **list)
{
    *list = NULL;
    for (nfds_t i = 0; i < n; i++) {
        struct nb_file *file = nb__file_get(ns, fds[i].fd);
        if (!file)
            continue;
        struct nb_watch *watch = nb_block_get(&ns->watches);
        if (!watch) {
            stop_all(ns, *list);
            return -ENOMEM;
        }
        *watch = (struct nb_watch){
            .fire = nb__sock_wake,
            .owner = sleep,
            .events = (uint16_t)fds[i].events | EPOLLERR | EPOLLHUP,
            .sibling = *list,
        };
        nb__watch_start(file, watch);
        *list = watch;
    }
    return 0;
}

int nb_sock_poll(struct nb_sockets *ns, struct pollfd *fds, nfds_t n, int64_t timeout_us)
{
    if (n > ns->config.max_files)
        return -EINVAL;
    if (!fds && n > 0)
        return -EFAULT;
    uint64_t deadline = nb__sock_deadline(ns, timeout_us == 0, timeout_us < 0 ? 0 : (uint64_t)timeout_us);
    for (;;) {
        struct nb_sock_sleep sleep = {0};
        struct nb_watch *list;
        int ready = look(ns, fds, n);
        if (ready > 0 || deadline == 0)
            return ready;
        int err = watch_all(ns, fds, n, &sleep, &list);
        if (err)
            return err;
        err = ns->env.wait(ns->env.arg, &sleep, deadline);
        stop_all(ns, list);
        if (err)
            return err == -ETIMEDOUT ? look(ns, fds, n) : err;
    }
}
