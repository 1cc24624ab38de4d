/* options.h - everything setsockopt() can change, in blocks that sockets share until one of them changes something. */
#ifndef NB_SOCKET_OPTIONS_H
#define NB_SOCKET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../tcp/options.h"

struct nb_sockets;
struct nb_sock;

struct nb_sock_options {
    struct nb_tcp_options tcp; /* TCBs and listeners point here */
    uint32_t references;
    uint64_t send_timeout_us, recv_timeout_us; /* 0: none */
    int32_t linger_s;                          /* -1: off */
    uint32_t recv_lowat;
    uint32_t mark, priority;
    uint32_t timestamping; /* SOF_TIMESTAMPING_* */
    uint32_t busy_poll_us;
    int32_t incoming_cpu;
    int32_t tx_delay_us;
    uint8_t mtu_discover; /* IP_PMTUDISC_* */
    bool reuse_address, reuse_port;
    bool v6only, freebind, transparent;
    bool receive_errors; /* IP_RECVERR, IPV6_RECVERR */
    bool zerocopy;
    bool inq; /* TCP_INQ */
    bool oob_inline, broadcast, debug, dont_route, no_checksum, timestamp;
    uint8_t save_syn;
    bool thin_linear_timeouts, thin_dupack;
};

struct nb_options_pool;

/* One block a socket at most, and the default. */
struct nb_options_pool *nb__options_pool_new(uint32_t capacity);
void nb__options_pool_free(struct nb_options_pool *pool);

struct nb_sock_options *nb__options_default(struct nb_options_pool *pool);
struct nb_sock_options *nb__options_get(struct nb_sock_options *options); /* one more reference */
void nb__options_put(struct nb_sockets *ns, struct nb_sock_options *options);

/* The socket's own block, to be written: a copy if others share it. */
struct nb_sock_options *nb__options_own(struct nb_sockets *ns, struct nb_sock *sock);

#endif
