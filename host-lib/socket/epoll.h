/* epoll.h - epoll sets (epoll(7)): level, edge, one-shot. */
#ifndef NB_SOCKET_EPOLL_H
#define NB_SOCKET_EPOLL_H

#include <stdint.h>

struct nb_epoll;
struct nb_epoll_pool;
struct nb_file;
struct nb_sockets;

struct nb_epoll_pool *nb__epoll_pool_new(uint32_t epolls, uint32_t items);
void nb__epoll_pool_free(struct nb_epoll_pool *pool);

/* EPOLLIN when epoll_wait would return something: epolls can be polled. */
uint32_t nb__epoll_events(struct nb_sockets *ns, struct nb_epoll *epoll);

/* A descriptor is about to be closed: take it out of every epoll. */
void nb__epoll_forget(struct nb_sockets *ns, struct nb_file *file);

/* The descriptor of the epoll itself is closed. */
void nb__epoll_free(struct nb_sockets *ns, struct nb_epoll *epoll);

#endif
