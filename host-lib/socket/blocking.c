/* blocking.c - calls that sleep.
 *
 * The layer keeps no thread of its own. A call that cannot go on puts a watch on its socket and calls env.wait; the
 * watch fires when the socket announces one of the events, marks the sleep as over and lets the owner know. The socket
 * may be closed by somebody else meanwhile, so the sleeper holds a reference.
 */
#include "sockets.h"

#include <errno.h>

uint64_t nb__sock_deadline(const struct nb_sockets *ns, bool nonblock, uint64_t timeout_us)
{
    if (nonblock || !ns->env.wait)
        return 0;
    return timeout_us ? ns->env.now_us(ns->env.arg) + timeout_us : NB_FOREVER;
}

void nb__sock_wake(struct nb_sockets *ns, struct nb_watch *watch, uint32_t events)
{
    (void)events;
    struct nb_sock_sleep *sleep = watch->owner;
    if (sleep->woken)
        return;
    sleep->woken = true;
    if (ns->env.wake)
        ns->env.wake(ns->env.arg, sleep);
}

int nb__sock_wait(struct nb_sockets *ns, struct nb_sock *sock, uint32_t events, uint64_t deadline_us)
{
    if (deadline_us == 0)
        return -EAGAIN;
    struct nb_sock_sleep sleep = {0};
    struct nb_watch watch = {.fire = nb__sock_wake, .owner = &sleep, .events = events | EPOLLERR | EPOLLHUP};
    nb__sock_hold(sock);
    nb__watch_start(&sock->file, &watch);
    int err = ns->env.wait(ns->env.arg, &sleep, deadline_us);
    nb__watch_stop(&watch);
    nb__sock_put(ns, sock);
    return err == -ETIMEDOUT ? -EAGAIN : err;
}
