/* listen.h - which addresses and ports a worker accepts connections on. */
#ifndef NB_TCP_LISTEN_H
#define NB_TCP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

#define NB_LISTEN_BUCKETS 64 /* by the port's low bits; as many as there can be listeners */

struct nb_tcp_options;

struct nb_listener {
    struct nb_addr address; /* all zero: any */
    uint16_t port;
    uint8_t family;
    uint8_t next; /* index + 1 in the bucket's chain */
    bool paused;  /* nobody accepts: what would open a connection is dropped, and comes again */
    void *user;
    const struct nb_tcp_options *options; /* of its children, to begin with */
    uint32_t fastopen_pending;            /* children that the application has before their handshake is done */
};

struct nb_listen_table {
    uint8_t bucket[NB_LISTEN_BUCKETS]; /* index + 1 */
    struct nb_listener listener[NB_MAX_LISTENERS];
    unsigned n_paused;
};

/* 0, -EADDRINUSE, -ENOSPC. */
int nb_listen_add(struct nb_listen_table *table, const struct nb_addr *address, uint8_t family, uint16_t port,
                  void *user);

/* Who takes a connection to this address: a listener on exactly it before one on any. NULL: nobody. */
struct nb_listener *nb_listen_find(struct nb_listen_table *table, const struct nb_addr *address, uint8_t family,
                                   uint16_t port);

/* Take every listener of a user out; find the first. */
void nb_listen_remove(struct nb_listen_table *table, const void *user);
struct nb_listener *nb_listen_of(struct nb_listen_table *table, const void *user);

/* Pause every listener of a user, or let them go on. */
void nb_listen_pause(struct nb_listen_table *table, const void *user, bool on);

#endif
