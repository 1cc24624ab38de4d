/* layer.h - one worker's socket layer as its owner sees it: what it is made of, what it needs, what TCP tells it.
 *
 * The calls that programs make are in netbypass/socket.h. The owner is whoever runs the worker: it makes the TCP
 * instance, passes that instance's events on to the nb_sockets_on_* functions below (for connections that belong to
 * sockets), and decides what "sleeping" means.
 */
#ifndef NB_SOCKET_LAYER_H
#define NB_SOCKET_LAYER_H

#include <netbypass/app.h>
#include <netbypass/socket.h>

struct nb_tcb;
struct nb_tcp;
struct rte_mbuf;

/* One sleeping call. */
struct nb_sock_sleep {
    bool woken;  /* set by the layer just before env.wake */
    void *owner; /* for env.wait and env.wake to find each other */
};

/* What the layer needs. Only route is required. */
struct nb_sockets_env {
    void *arg;

    /* The worker's clock. Required with wait. */
    uint64_t (*now_us)(void *arg);

    /* Sleep until sleep->woken or the deadline (UINT64_MAX: none). 0 when woken, -ETIMEDOUT at the deadline, -EINTR
     * when the call is to be given up. The layer's other calls may run meanwhile. NULL: nothing ever sleeps. */
    int (*wait)(void *arg, struct nb_sock_sleep *sleep, uint64_t deadline_us);
    void (*wake)(void *arg, struct nb_sock_sleep *sleep);

    /* Complete a key whose remote side is known: local address (where it is all zero), VLAN, port group, and local port
     * (where it is 0; RFC 6056, and such that the flow's home is this worker). attempt counts from 0 for one connect():
     * the port of the attempt before was in use. 0, -ENETUNREACH, -EADDRNOTAVAIL. */
    int (*route)(void *arg, struct nb_flow_key *key, unsigned attempt);

    /* Is this one of our own addresses, that bind() may take? NULL: every address is. */
    bool (*is_local)(void *arg, const struct nb_addr *address, uint8_t family);

    /* A number for a new descriptor, below max_files, or a negative errno. NULL: the lowest that is free. */
    int (*fd_reserve)(void *arg);
};

struct nb_sockets_config {
    uint32_t max_sockets; /* pool size, connections waiting in accept queues included */
    uint32_t max_files;   /* descriptors: sockets and epolls */
    uint32_t max_epolls;
    uint32_t max_watches; /* descriptors in epolls, and descriptors that sleeping polls wait for */
};

/* Pools are allocated here, nothing later. NULL when memory is short. */
struct nb_sockets *nb_sockets_new(const struct nb_sockets_config *config, const struct nb_sockets_env *env);
void nb_sockets_free(struct nb_sockets *ns);

/* The instance under the layer, which is made after it because it reports to it. Before anything else is called. */
void nb_sockets_set_tcp(struct nb_sockets *ns, struct nb_tcp *tcp);

/* What the members of struct nb_tcp_env are to call. */
bool nb_sockets_accepting(const void *listener_user);
bool nb_sockets_on_accepted(struct nb_sockets *ns, struct nb_tcb *tcb);
void nb_sockets_on_connected(struct nb_sockets *ns, struct nb_tcb *tcb);
void nb_sockets_on_data(struct nb_sockets *ns, struct nb_tcb *tcb, struct rte_mbuf *m);
void nb_sockets_on_urgent(struct nb_sockets *ns, struct nb_tcb *tcb, uint32_t ahead);
void nb_sockets_on_writable(struct nb_sockets *ns, struct nb_tcb *tcb);
void nb_sockets_on_peer_closed(struct nb_sockets *ns, struct nb_tcb *tcb);

/* ICMP says that the peer cannot be reached, which does not end the connection. error: a positive errno. */
void nb_sockets_on_soft_error(struct nb_sockets *ns, struct nb_tcb *tcb, int error);

/* snd_una or snd_nxt has advanced on a connection that asked to hear of it. */
void nb_sockets_on_progress(struct nb_sockets *ns, struct nb_tcb *tcb);
void nb_sockets_on_closed(struct nb_sockets *ns, struct nb_tcb *tcb, enum nb_closed_reason reason);

#endif
