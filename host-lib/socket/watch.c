/* watch.c - lists of watchers. */
#include "sockets.h"

#include <stddef.h>

void nb__watch_start(struct nb_file *file, struct nb_watch *watch)
{
    watch->next = file->watchers;
    watch->prev = &file->watchers;
    if (watch->next)
        watch->next->prev = &watch->next;
    file->watchers = watch;
}

void nb__watch_stop(struct nb_watch *watch)
{
    if (!watch->prev)
        return;
    *watch->prev = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    watch->prev = NULL;
}

void nb__watch_announce(struct nb_sockets *ns, struct nb_file *file, uint32_t events)
{
    for (struct nb_watch *watch = file->watchers, *next; watch; watch = next) {
        next = watch->next;
        if (events == 0 || events & watch->events)
            watch->fire(ns, watch, events);
    }
}
