/* fuzz_socket.c - two hosts with sockets on a wire, and programs at both ends that do what the input says.
 *
 * The input is a program: each byte picks a call or lets time pass, the next ones its arguments, which are mostly near
 * something that means something. Results must be what such a call can return; bytes received must be those the other
 * end of that stream sent, in order; the cores' invariants must hold after every step; and at the end, with everything
 * closed, every buffer must be back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/sockios.h>
#include <linux/tcp.h>

#include "../../host-lib/tcp/core.h"
#include "../../host-lib/tcp/stream.h"
#include "../support/sock_world.h"
#include "../support/tcb_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 300
#define FDS       12 /* small numbers, most of which exist */
#define BYTES_MAX 8192

struct program {
    const uint8_t *data;
    size_t size, at;
    struct sock_world *w;
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static uint8_t take8(struct program *p)
{
    return p->at < p->size ? p->data[p->at++] : 0;
}

static unsigned take16(struct program *p)
{
    unsigned high = take8(p);
    return high << 8 | take8(p);
}

/* 0 or more, or an errno of Linux. */
static void require_result(long result, long most)
{
    require(result <= most, "a call returns no more than there can be");
    require(result > -134, "an error is an errno");
}

static socklen_t draw_address(struct program *p, struct sockaddr_storage *to)
{
    uint8_t choice = take8(p);
    uint16_t port = choice & 1 ? SOCK_WORLD_PORT : (uint16_t)(SOCK_WORLD_PORT + take8(p) % 4);
    memset(to, 0, sizeof *to);
    if (choice & 2) {
        struct sockaddr_in6 a = sock_world_v6(choice >> 3 & 1, port);
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        if (choice & 16)
            memset(&a.sin6_addr, 0, sizeof a.sin6_addr);
        if (choice & 32)
            memcpy(&a.sin6_addr, mapped, sizeof mapped);
        memcpy(to, &a, sizeof a);
    } else {
        struct sockaddr_in a = sock_world_v4(choice >> 3 & 1, port);
        if (choice & 16)
            a.sin_addr.s_addr = 0;
        memcpy(to, &a, sizeof a);
    }
    if (choice & 64)
        to->ss_family = take8(p);
    return choice & 128 ? take8(p) % sizeof *to : sizeof(struct sockaddr_in6);
}

/* All streams carry zeros, so that whatever is received can be told from what was never sent. */
static void call_data(struct program *p, struct nb_sockets *ns, int fd, uint8_t op)
{
    static const int flags[] = {0,       MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL,  MSG_TRUNC,   MSG_MORE,
                                MSG_EOR, MSG_ZEROCOPY, MSG_OOB,  MSG_ERRQUEUE, MSG_FASTOPEN};
    static const uint8_t zeros[BYTES_MAX];
    uint8_t bytes[BYTES_MAX], control[128];
    size_t n = take16(p) % BYTES_MAX;
    int flag = flags[take8(p) % (sizeof flags / sizeof flags[0])] | flags[take8(p) % 2];
    struct sockaddr_storage to;
    memset(bytes, 0xee, sizeof bytes);
    if (op & 1) {
        socklen_t to_bytes = flag & MSG_FASTOPEN ? draw_address(p, &to) : 0;
        require_result(nb_sock_sendto(ns, fd, zeros, n, flag, to_bytes ? (struct sockaddr *)&to : NULL, to_bytes),
                       (long)n);
        return;
    }
    struct iovec iov[2] = {{bytes, n / 3}, {bytes + n / 3, n - n / 3}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = take8(p) % 128};
    ssize_t got = nb_sock_recvmsg(ns, fd, &msg, flag);
    require_result(got, (long)n);
    if (flag & (MSG_TRUNC | MSG_ERRQUEUE))
        return;
    for (ssize_t i = 0; i < (ssize_t)n; i++)
        require(bytes[i] == (i < got ? 0 : 0xee), "just the bytes that were sent are received, and as many as is said");
}

/* A key for one of the hosts, or a prefix. */
static void draw_key(struct program *p, uint8_t *value)
{
    struct sockaddr_in at = sock_world_v4(take8(p) & 1, 0);
    struct tcp_md5sig key = {
        .tcpm_flags = take8(p) & 3, .tcpm_prefixlen = take8(p) % 40, .tcpm_keylen = take8(p) % 100};
    memcpy(&key.tcpm_addr, &at, sizeof at);
    key.tcpm_key[0] = take8(p) & 1;
    memcpy(value, &key, sizeof key);
}

static ssize_t take_some(void *arg, const void *bytes, size_t n)
{
    struct program *p = arg;
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++)
        require(b[i] == 0, "what is spliced was sent");
    uint8_t choice = take8(p);
    return choice == 255 ? -EPIPE : choice & 1 ? (ssize_t)(n / 2) : (ssize_t)n;
}

static void call_option(struct program *p, struct nb_sockets *ns, int fd)
{
    static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6};
    uint8_t value[300] = {0};
    int level = levels[take8(p) % 4], name = take8(p) % 70;
    socklen_t bytes = take8(p);
    uint32_t number = take8(p) & 1 ? take16(p) : take8(p);
    memcpy(value, &number, sizeof number);
    if (level == IPPROTO_TCP && (name == TCP_MD5SIG || name == TCP_MD5SIG_EXT)) {
        draw_key(p, value);
        bytes = sizeof(struct tcp_md5sig);
    }
    if (take8(p) & 1)
        require_result(nb_sock_setsockopt(ns, fd, level, name, value, bytes), 0);
    else
        require_result(nb_sock_getsockopt(ns, fd, level, name, value, &bytes), 0);
    struct timeval no_time = {.tv_usec = 1000}; /* nobody waits for long */
    nb_sock_setsockopt(ns, fd, SOL_SOCKET, SO_RCVTIMEO, &no_time, sizeof no_time);
    nb_sock_setsockopt(ns, fd, SOL_SOCKET, SO_SNDTIMEO, &no_time, sizeof no_time);
}

static void call_ready(struct program *p, struct nb_sockets *ns, int fd)
{
    struct epoll_event events[4] = {{.events = (uint32_t)take8(p) << 24 | take8(p), .data.u32 = (uint32_t)fd}};
    struct pollfd fds[3] = {{fd, (short)take16(p), 0}, {take8(p) % FDS, POLLIN, 0}, {-1, POLLIN, 0}};
    int other = take8(p) % FDS;
    switch (take8(p) % 5) {
    case 0:
        require_result(nb_epoll_create(ns, 0), INT32_MAX);
        break;
    case 1:
    case 2:
        require_result(nb_epoll_ctl(ns, fd, 1 + take8(p) % 3, other, events), 0);
        break;
    case 3:
        require_result(nb_epoll_wait(ns, fd, events, 4, take8(p) % 100), 4);
        break;
    case 4:
        require_result(nb_sock_poll(ns, fds, 3, take8(p) % 100), 3);
        break;
    }
}

static void call_other(struct program *p, struct nb_sockets *ns, int fd)
{
    static const unsigned long requests[] = {SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, FIONBIO, SIOCATMARK};
    int n = take8(p) & 1;
    struct sockaddr_storage name;
    socklen_t bytes = take8(p);
    switch (take8(p) % 6) {
    case 5:
        require_result(nb_sock_splice(ns, fd, take16(p), n ? MSG_DONTWAIT : 0, take_some, p), UINT16_MAX);
        break;
    case 0:
        require_result(nb_sock_shutdown(ns, fd, take8(p) % 4), 0);
        break;
    case 1:
        require_result(nb_sock_ioctl(ns, fd, requests[take8(p) % 5], &n), 0);
        break;
    case 2:
        require_result(nb_sock_fcntl(ns, fd, F_SETFL, n ? O_NONBLOCK : 0), 0);
        break;
    case 3:
        bytes = bytes < sizeof name ? bytes : sizeof name;
        require_result(nb_sock_getsockname(ns, fd, (struct sockaddr *)&name, &bytes), 0);
        break;
    case 4:
        bytes = bytes < sizeof name ? bytes : sizeof name;
        require_result(nb_sock_getpeername(ns, fd, (struct sockaddr *)&name, &bytes), 0);
        break;
    }
}

static void step(struct program *p)
{
    uint8_t op = take8(p), who = take8(p);
    struct nb_sockets *ns = p->w->host[who & 1].ns;
    int fd = who / 2 % FDS;
    struct sockaddr_storage to;
    socklen_t bytes;
    switch (op % 12) {
    case 0:
        require_result(
            nb_sock_open(ns, who & 64 ? AF_INET6 : AF_INET, SOCK_STREAM | (who & 128 ? SOCK_NONBLOCK : 0), 0),
            INT32_MAX);
        break;
    case 1:
        bytes = draw_address(p, &to);
        require_result(nb_sock_bind(ns, fd, (struct sockaddr *)&to, bytes), 0);
        break;
    case 2:
        require_result(nb_sock_listen(ns, fd, (int8_t)take8(p)), 0);
        break;
    case 3:
        require_result(nb_sock_accept(ns, fd, NULL, NULL, who & 128 ? SOCK_NONBLOCK : 0), INT32_MAX);
        break;
    case 4:
        bytes = draw_address(p, &to);
        require_result(nb_sock_connect(ns, fd, (struct sockaddr *)&to, bytes), 0);
        break;
    case 5:
    case 6:
        call_data(p, ns, fd, op / 12);
        break;
    case 7:
        call_option(p, ns, fd);
        break;
    case 8:
        call_ready(p, ns, fd);
        break;
    case 9:
        call_other(p, ns, fd);
        break;
    case 10:
        require_result(nb_sock_close(ns, fd), 0);
        break;
    case 11:
        p->w->cut = (op / 12) % 8 == 0;
        sock_world_run(p->w, 1ull << take8(p) % 22);
        break;
    }
}

/* What most programs begin with, so that the input need not find it: a listener and a connection. */
static void set_up(struct program *p)
{
    uint8_t how = take8(p);
    if (how & 1)
        nb_tcp_settings(p->w->host[0].tcp)->fastopen = NB_FASTOPEN_CLIENT | NB_FASTOPEN_CLIENT_NO_COOKIE;
    if (how & 2)
        nb_tcp_settings(p->w->host[1].tcp)->fastopen =
            NB_FASTOPEN_SERVER | NB_FASTOPEN_SERVER_NO_COOKIE | NB_FASTOPEN_SERVER_ALL_LISTENERS;
    if (how & 4)
        sock_world_connect(p->w, sock_world_listen(p->w, 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program p = {.data = data, .size = size, .w = sock_world_new(size && data[0] & 8)};
    set_up(&p);
    for (unsigned i = 0; i < STEPS_MAX && p.at < p.size; i++) {
        step(&p);
        for (unsigned j = 0; j < 2; j++) {
            const char *broken = support_tcp_check(p.w->host[j].tcp);
            require(!broken, broken);
        }
    }
    sock_world_free(p.w);
    return 0;
}
