/* sock_world.h - two hosts with sockets on a wire, in virtual time. Time passes when a test says so, or while a call
 * blocks: a call that would sleep runs the world until it is woken.
 *
 * Host 0 is 10.0.0.1 and fd99::1, host 1 is 10.0.0.2 and fd99::2. Whatever is open at the end is closed, and every pool
 * must be full again.
 */
#ifndef SUPPORT_SOCK_WORLD_H
#define SUPPORT_SOCK_WORLD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <netbypass/socket.h>

#include "link.h"

#define SOCK_WORLD_PORT 80
#define SOCK_WORLD_RTT  2000 /* us */

struct sock_world;
struct sock_host {
    struct sock_world *world;
    unsigned index;
    struct rte_mempool *pool;
    struct nb_flow_table *flows;
    struct nb_tcp *tcp;
    struct nb_sockets *ns;
};

struct sock_world {
    uint64_t now;
    struct sock_host host[2];
    struct link *to[2];
    bool cut;                                    /* what is sent is lost */
    uint16_t ports;                              /* ephemeral ones handed out */
    void (*while_waiting)(struct sock_world *w); /* called once when a call begins to wait */
};

struct sock_world *sock_world_new(bool blocking); /* without: every call behaves as non-blocking */
void sock_world_free(struct sock_world *w);

/* Let so much time pass. */
void sock_world_run(struct sock_world *w, uint64_t us);

struct sockaddr_in sock_world_v4(unsigned host, uint16_t port);
struct sockaddr_in6 sock_world_v6(unsigned host, uint16_t port);

/* A listener of host 1 at SOCK_WORLD_PORT, non-blocking; and a connection to it: client at host 0, server at host 1,
 * both blocking. */
int sock_world_listen(struct sock_world *w, int backlog);
struct sock_pair {
    int client, server;
};
struct sock_pair sock_world_connect(struct sock_world *w, int listener);

#endif
