/* watch.h - who wants to know when a file becomes ready.
 *
 * A file has a list of watches. An announcement calls each of them with the events that are news; a watch decides what
 * that means to it (wake a sleeping call, queue an epoll item). Events of 0 announce "something changed, look again".
 */
#ifndef NB_SOCKET_WATCH_H
#define NB_SOCKET_WATCH_H

#include <stdint.h>

struct nb_file;
struct nb_sockets;
struct nb_watch;

typedef void nb_watch_fn(struct nb_sockets *ns, struct nb_watch *watch, uint32_t events);

struct nb_watch {
    struct nb_watch *next, **prev; /* on the file's list; prev NULL: not watching */
    nb_watch_fn *fire;
    void *owner;              /* whoever fire acts for */
    struct nb_watch *sibling; /* the owner's, to keep its watches together */
    uint32_t events;          /* of interest */
};

void nb__watch_start(struct nb_file *file, struct nb_watch *watch);
void nb__watch_stop(struct nb_watch *watch);

/* Tell every watcher. A watch may be stopped by its own fire, not by another's. */
void nb__watch_announce(struct nb_sockets *ns, struct nb_file *file, uint32_t events);

#endif
