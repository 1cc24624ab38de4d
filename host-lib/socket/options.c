/* options.c - setsockopt() and getsockopt(): a table.
 *
 * A row says where an option's value lives in struct nb_sock_options, how wide it is, and what values are good; what
 * needs more than that has a function. Values travel as int unless a row says otherwise. Lengths and errors are
 * Linux's: too short is -EINVAL, longer is fine, getsockopt() cuts off; SOL_IP takes a single byte too.
 */
#include "options.h"
#include "../tcp/stream.h"
#include "error_queue.h"
#include "sockets.h"
#include "tcp_info.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <netinet/in.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#define NB_SOCK_MIN_SEND_BUFFER 4608 /* Linux's SOCK_MIN_SNDBUF: two packets of 2 KiB with their descriptors */
#define NB_SOCK_MIN_RECV_BUFFER 2304 /* and SOCK_MIN_RCVBUF, one */
#define NB_MIN_USER_MSS         88   /* TCP_MIN_MSS: smaller ones only serve attackers */
#define NB_MAX_WINDOW           32767
#define NB_MAX_KEEPALIVE_S      32767
#define NB_MAX_KEEPALIVE_PROBES 127
#define NB_MAX_SYN_RETRIES      127
#define NB_MAX_LINGER2_S        120
#define ECN_BITS                3 /* of the TOS byte: TCP's own business */

/* Missing from some kernel headers. */
#ifndef TCP_TX_DELAY
#define TCP_TX_DELAY 37
#endif
#ifndef SOF_TIMESTAMPING_OPT_ID_TCP
#define SOF_TIMESTAMPING_OPT_ID_TCP (1 << 16)
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

enum option_width { NONE, BOOL, U8, U16, U32, I32 };

struct option {
    int level, name;
    enum option_width width;
    size_t at; /* in struct nb_sock_options */
    int least, most;
    int (*set)(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value);
    int (*get)(struct nb_sockets *ns, struct nb_sock *sock, int *value);
    uint8_t changes; /* enum nb_tcp_option_change: what TCP must do about it now */
    bool read_only;
};

#define AT(field) offsetof(struct nb_sock_options, field)

/* --- values in the block ---------------------------------------------------------------------- */

static void store(struct nb_sock_options *options, const struct option *option, int value)
{
    void *to = (char *)options + option->at;
    switch (option->width) {
    case NONE:
        break;
    case BOOL:
        *(bool *)to = value != 0;
        break;
    case U8:
        *(uint8_t *)to = (uint8_t)value;
        break;
    case U16:
        *(uint16_t *)to = (uint16_t)value;
        break;
    case U32:
    case I32:
        *(int32_t *)to = value;
        break;
    }
}

static int load(const struct nb_sock_options *options, const struct option *option)
{
    const void *from = (const char *)options + option->at;
    switch (option->width) {
    case NONE:
        break;
    case BOOL:
        return *(const bool *)from;
    case U8:
        return *(const uint8_t *)from;
    case U16:
        return *(const uint16_t *)from;
    case U32:
    case I32:
        return *(const int32_t *)from;
    }
    return 0;
}

static void tell_tcp(struct nb_sockets *ns, struct nb_sock *sock, uint8_t changes)
{
    if (changes && sock->tcb)
        nb_tcp_options_changed(ns->tcp, sock->tcb, changes);
}

/* --- options with a mind of their own --------------------------------------------------------- */

static const struct nb_tcp_settings *settings_of(const struct nb_sockets *ns)
{
    return nb_tcp_settings(ns->tcp);
}

static bool is_closed_or_listening(const struct nb_sock *sock)
{
    return sock->state == NB_SOCK_LISTENING || !sock->tcb;
}

static int get_type(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns, (void)sock;
    *value = SOCK_STREAM;
    return 0;
}

static int get_protocol(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns, (void)sock;
    *value = IPPROTO_TCP;
    return 0;
}

static int get_domain(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns;
    *value = sock->flags & NB_SOCK_V6 ? AF_INET6 : AF_INET;
    return 0;
}

static int get_error(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns;
    *value = -nb__sock_take_error(sock);
    return 0;
}

static int get_accepting(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns;
    *value = sock->state == NB_SOCK_LISTENING;
    return 0;
}

static int get_one(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns, (void)sock;
    *value = 1;
    return 0;
}

/* Linux doubles what is asked for, to pay for its own overhead, and shows the doubled value. */
static uint32_t doubled(int value, uint32_t most, uint32_t least)
{
    uint32_t bytes = value < 0 ? INT32_MAX / 2 : (uint32_t)value;
    bytes = 2 * (bytes < most ? bytes : most);
    return bytes > least ? bytes : least;
}

static int set_send_buffer(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    uint32_t most = option->name == SO_SNDBUF ? settings_of(ns)->wmem_max : INT32_MAX / 2;
    nb__options_own(ns, sock)->tcp.send_buffer_bytes = doubled(value, most, NB_SOCK_MIN_SEND_BUFFER);
    tell_tcp(ns, sock, NB_TCP_CHANGED_SEND_SPACE);
    return 0;
}

static int set_recv_buffer(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    uint32_t most = option->name == SO_RCVBUF ? settings_of(ns)->rmem_max : INT32_MAX / 2;
    nb__options_own(ns, sock)->tcp.recv_buffer_bytes = doubled(value, most, NB_SOCK_MIN_RECV_BUFFER);
    return 0;
}

static int get_send_buffer(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    uint32_t chosen = sock->options->tcp.send_buffer_bytes;
    *value = (int)(chosen ? chosen : sock->tcb ? nb_tcb_send_buffer(ns->tcp, sock->tcb) : settings_of(ns)->wmem[1]);
    return 0;
}

static int get_recv_buffer(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    uint32_t chosen = sock->options->tcp.recv_buffer_bytes;
    *value = (int)(chosen ? chosen : sock->tcb ? nb_tcb_recv_buffer(ns->tcp, sock->tcb) : settings_of(ns)->rmem[1]);
    return 0;
}

static int set_recv_lowat(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->recv_lowat = value < 0 ? INT32_MAX : value == 0 ? 1 : (uint32_t)value;
    nb__watch_announce(ns, &sock->file, EPOLLIN | EPOLLRDNORM);
    return 0;
}

static int get_max_segment(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    uint16_t chosen = sock->options->tcp.user_mss;
    *value = is_closed_or_listening(sock) && chosen ? chosen : nb_tcb_mss(ns->tcp, sock->tcb);
    return 0;
}

static int set_max_segment(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    if (value && (value < NB_MIN_USER_MSS || value > NB_MAX_WINDOW))
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.user_mss = (uint16_t)value;
    return 0;
}

static int set_linger2(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.fin_wait_2_s = value < 0 ? -1 : value > NB_MAX_LINGER2_S ? NB_MAX_LINGER2_S : value;
    return 0;
}

static int set_user_timeout(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    if (value < 0)
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.user_timeout_ms = (uint32_t)value;
    return 0;
}

static int set_notsent_lowat(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.notsent_lowat_bytes = (uint32_t)value;
    tell_tcp(ns, sock, NB_TCP_CHANGED_SEND_SPACE);
    return 0;
}

static int set_fastopen(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)ns, (void)option;
    if (value < 0 || !is_closed_or_listening(sock))
        return -EINVAL;
    int most = sock->state == NB_SOCK_LISTENING ? (int)sock->backlog : NB_SOMAXCONN;
    nb__options_own(ns, sock)->tcp.fastopen_queue = (uint16_t)(value < most ? value : most);
    return 0;
}

static int set_fastopen_connect(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    if (value < 0 || value > 1)
        return -EINVAL;
    if (!(settings_of(ns)->fastopen & NB_FASTOPEN_CLIENT))
        return -EOPNOTSUPP;
    if (sock->tcb || sock->state != NB_SOCK_UNCONNECTED)
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.fastopen_connect = value;
    return 0;
}

static int set_keepalive(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.keepalive = value != 0;
    tell_tcp(ns, sock, NB_TCP_CHANGED_KEEPALIVE);
    return 0;
}

static int get_keepalive_idle(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    uint32_t chosen = sock->options->tcp.keepalive_idle_s;
    *value = (int)(chosen ? chosen : settings_of(ns)->keepalive_time_s);
    return 0;
}

static int get_keepalive_interval(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    uint32_t chosen = sock->options->tcp.keepalive_interval_s;
    *value = (int)(chosen ? chosen : settings_of(ns)->keepalive_interval_s);
    return 0;
}

static int get_keepalive_probes(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    uint8_t chosen = sock->options->tcp.keepalive_probes;
    *value = chosen ? chosen : settings_of(ns)->keepalive_probes;
    return 0;
}

static int get_syn_retries(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    uint8_t chosen = sock->options->tcp.syn_retries;
    *value = chosen ? chosen : settings_of(ns)->syn_retries;
    return 0;
}

static int get_linger2(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    int32_t chosen = sock->options->tcp.fin_wait_2_s;
    *value = chosen ? chosen : (int)settings_of(ns)->fin_timeout_s;
    return 0;
}

static int get_quick_ack(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns;
    *value = !sock->options->tcp.no_quick_ack;
    return 0;
}

static int set_quick_ack(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.no_quick_ack = !value;
    tell_tcp(ns, sock, NB_TCP_CHANGED_QUICK_ACK);
    return 0;
}

/* The default differs from 0, and the kernel shows it. */
static int get_ttl(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns;
    *value = sock->options->tcp.ttl ? sock->options->tcp.ttl : 64;
    return 0;
}

static int set_ttl(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    int least = option->level == SOL_IP ? 1 : 0;
    if (value != -1 && (value < least || value > 255))
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.ttl = value == -1 ? 0 : (uint8_t)value;
    return 0;
}

static int set_tos(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    if (option->level == SOL_IPV6 && (value < -1 || value > 255))
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.tos = value == -1 ? 0 : (uint8_t)value & ~ECN_BITS;
    return 0;
}

static int set_mtu_discover(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT)
        return -EINVAL;
    struct nb_sock_options *own = nb__options_own(ns, sock);
    own->mtu_discover = (uint8_t)value;
    own->tcp.pmtu_dont = value == IP_PMTUDISC_DONT || value == IP_PMTUDISC_OMIT;
    return 0;
}

static int get_mtu(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    if (!sock->tcb)
        return -ENOTCONN;
    struct nb_tcp_info info;
    nb_tcp_info(ns->tcp, sock->tcb, &info);
    *value = (int)info.pmtu_bytes;
    return 0;
}

static int set_v6only(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    if (sock->local_port || sock->tcb)
        return -EINVAL;
    nb__options_own(ns, sock)->v6only = value != 0;
    return 0;
}

static int set_timestamping(struct nb_sockets *ns, struct nb_sock *sock, const struct option *option, int value)
{
    (void)option;
    uint32_t before = sock->options->timestamping, flags = (uint32_t)value;
    if (flags & SOF_TIMESTAMPING_OPT_ID && !(before & SOF_TIMESTAMPING_OPT_ID)) {
        if (!sock->tcb)
            return -EINVAL;
        if (!nb__error_queue_reserve(ns, sock))
            return -ENOBUFS;
        bool after_written = flags & SOF_TIMESTAMPING_OPT_ID_TCP;
        nb__error_queue_count_from(sock, after_written ? nb_tcb_snd_end(sock->tcb) : nb_tcb_snd_una(sock->tcb));
    }
    nb__options_own(ns, sock)->timestamping = flags;
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

#define FLAG(level, name, field)                                                                                       \
    {                                                                                                                  \
        level, name, BOOL, AT(field), INT32_MIN, INT32_MAX, NULL, NULL, 0, false                                       \
    }
#define SHOWN(level, name, get)                                                                                        \
    {                                                                                                                  \
        level, name, NONE, 0, 0, 0, NULL, get, 0, true                                                                 \
    }
#define VALUE(level, name, width, field, least, most)                                                                  \
    {                                                                                                                  \
        level, name, width, AT(field), least, most, NULL, NULL, 0, false                                               \
    }
#define SPECIAL(level, name, width, field, set, get)                                                                   \
    {                                                                                                                  \
        level, name, width, AT(field), 0, 0, set, get, 0, false                                                        \
    }
#define ACTING(level, name, field, changes)                                                                            \
    {                                                                                                                  \
        level, name, BOOL, AT(field), INT32_MIN, INT32_MAX, NULL, NULL, changes, false                                 \
    }

static const struct option options[] = {
    FLAG(SOL_SOCKET, SO_DEBUG, debug),
    FLAG(SOL_SOCKET, SO_REUSEADDR, reuse_address),
    FLAG(SOL_SOCKET, SO_REUSEPORT, reuse_port),
    SHOWN(SOL_SOCKET, SO_TYPE, get_type),
    SHOWN(SOL_SOCKET, SO_PROTOCOL, get_protocol),
    SHOWN(SOL_SOCKET, SO_DOMAIN, get_domain),
    SHOWN(SOL_SOCKET, SO_ERROR, get_error),
    SHOWN(SOL_SOCKET, SO_ACCEPTCONN, get_accepting),
    SHOWN(SOL_SOCKET, SO_SNDLOWAT, get_one),
    FLAG(SOL_SOCKET, SO_DONTROUTE, dont_route),
    FLAG(SOL_SOCKET, SO_BROADCAST, broadcast),
    SPECIAL(SOL_SOCKET, SO_SNDBUF, NONE, tcp.send_buffer_bytes, set_send_buffer, get_send_buffer),
    SPECIAL(SOL_SOCKET, SO_SNDBUFFORCE, NONE, tcp.send_buffer_bytes, set_send_buffer, get_send_buffer),
    SPECIAL(SOL_SOCKET, SO_RCVBUF, NONE, tcp.recv_buffer_bytes, set_recv_buffer, get_recv_buffer),
    SPECIAL(SOL_SOCKET, SO_RCVBUFFORCE, NONE, tcp.recv_buffer_bytes, set_recv_buffer, get_recv_buffer),
    SPECIAL(SOL_SOCKET, SO_KEEPALIVE, BOOL, tcp.keepalive, set_keepalive, NULL),
    FLAG(SOL_SOCKET, SO_OOBINLINE, oob_inline),
    FLAG(SOL_SOCKET, SO_NO_CHECK, no_checksum),
    VALUE(SOL_SOCKET, SO_PRIORITY, U32, priority, 0, 6),
    FLAG(SOL_SOCKET, SO_TIMESTAMP, timestamp),
    SPECIAL(SOL_SOCKET, SO_TIMESTAMPING, U32, timestamping, set_timestamping, NULL),
    SPECIAL(SOL_SOCKET, SO_RCVLOWAT, U32, recv_lowat, set_recv_lowat, NULL),
    VALUE(SOL_SOCKET, SO_MARK, U32, mark, INT32_MIN, INT32_MAX),
    VALUE(SOL_SOCKET, SO_BUSY_POLL, U32, busy_poll_us, 0, INT32_MAX),
    VALUE(SOL_SOCKET, SO_INCOMING_CPU, I32, incoming_cpu, INT32_MIN, INT32_MAX),
    VALUE(SOL_SOCKET, SO_MAX_PACING_RATE, U32, tcp.max_pacing_rate, INT32_MIN, INT32_MAX),
    VALUE(SOL_SOCKET, SO_ZEROCOPY, BOOL, zerocopy, 0, 1),

    SPECIAL(SOL_IP, IP_TOS, U8, tcp.tos, set_tos, NULL),
    SPECIAL(SOL_IP, IP_TTL, U8, tcp.ttl, set_ttl, get_ttl),
    SPECIAL(SOL_IP, IP_MTU_DISCOVER, U8, mtu_discover, set_mtu_discover, NULL),
    SHOWN(SOL_IP, IP_MTU, get_mtu),
    FLAG(SOL_IP, IP_RECVERR, receive_errors),
    FLAG(SOL_IP, IP_FREEBIND, freebind),
    FLAG(SOL_IP, IP_TRANSPARENT, transparent),

    SPECIAL(SOL_IPV6, IPV6_V6ONLY, BOOL, v6only, set_v6only, NULL),
    SPECIAL(SOL_IPV6, IPV6_TCLASS, U8, tcp.tos, set_tos, NULL),
    SPECIAL(SOL_IPV6, IPV6_UNICAST_HOPS, U8, tcp.ttl, set_ttl, get_ttl),
    SPECIAL(SOL_IPV6, IPV6_MTU_DISCOVER, U8, mtu_discover, set_mtu_discover, NULL),
    SHOWN(SOL_IPV6, IPV6_MTU, get_mtu),
    FLAG(SOL_IPV6, IPV6_RECVERR, receive_errors),
    FLAG(SOL_IPV6, IPV6_FREEBIND, freebind),
    FLAG(SOL_IPV6, IPV6_TRANSPARENT, transparent),

    ACTING(IPPROTO_TCP, TCP_NODELAY, tcp.nodelay, NB_TCP_CHANGED_NODELAY),
    SPECIAL(IPPROTO_TCP, TCP_MAXSEG, U16, tcp.user_mss, set_max_segment, get_max_segment),
    ACTING(IPPROTO_TCP, TCP_CORK, tcp.cork, NB_TCP_CHANGED_CORK),
    {IPPROTO_TCP, TCP_KEEPIDLE, U32, AT(tcp.keepalive_idle_s), 1, NB_MAX_KEEPALIVE_S, NULL, get_keepalive_idle,
     NB_TCP_CHANGED_KEEPALIVE, false},
    {IPPROTO_TCP, TCP_KEEPINTVL, U32, AT(tcp.keepalive_interval_s), 1, NB_MAX_KEEPALIVE_S, NULL, get_keepalive_interval,
     0, false},
    {IPPROTO_TCP, TCP_KEEPCNT, U8, AT(tcp.keepalive_probes), 1, NB_MAX_KEEPALIVE_PROBES, NULL, get_keepalive_probes, 0,
     false},
    {IPPROTO_TCP, TCP_SYNCNT, U8, AT(tcp.syn_retries), 1, NB_MAX_SYN_RETRIES, NULL, get_syn_retries, 0, false},
    SPECIAL(IPPROTO_TCP, TCP_LINGER2, I32, tcp.fin_wait_2_s, set_linger2, get_linger2),
    VALUE(IPPROTO_TCP, TCP_DEFER_ACCEPT, U8, tcp.defer_accept, 0, 255),
    VALUE(IPPROTO_TCP, TCP_WINDOW_CLAMP, U32, tcp.window_clamp_bytes, 0, INT32_MAX),
    SPECIAL(IPPROTO_TCP, TCP_QUICKACK, NONE, tcp.no_quick_ack, set_quick_ack, get_quick_ack),
    SPECIAL(IPPROTO_TCP, TCP_USER_TIMEOUT, U32, tcp.user_timeout_ms, set_user_timeout, NULL),
    SPECIAL(IPPROTO_TCP, TCP_FASTOPEN, U16, tcp.fastopen_queue, set_fastopen, NULL),
    SPECIAL(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, BOOL, tcp.fastopen_connect, set_fastopen_connect, NULL),
    VALUE(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, BOOL, tcp.fastopen_no_cookie, 0, 1),
    SPECIAL(IPPROTO_TCP, TCP_NOTSENT_LOWAT, U32, tcp.notsent_lowat_bytes, set_notsent_lowat, NULL),
    VALUE(IPPROTO_TCP, TCP_SAVE_SYN, U8, save_syn, 0, 2),
    VALUE(IPPROTO_TCP, TCP_INQ, BOOL, inq, 0, 1),
    VALUE(IPPROTO_TCP, TCP_TX_DELAY, I32, tx_delay_us, 0, INT32_MAX),
    VALUE(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, BOOL, thin_linear_timeouts, 0, 1),
    VALUE(IPPROTO_TCP, TCP_THIN_DUPACK, BOOL, thin_dupack, 0, 1),
};

static const struct option *find(int level, int name)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (options[i].level == level && options[i].name == name)
            return &options[i];
    }
    return NULL;
}

/* --- options that are not an int -------------------------------------------------------------- */

static int set_linger(struct nb_sockets *ns, struct nb_sock *sock, const void *value, socklen_t bytes)
{
    struct linger linger;
    if (bytes < sizeof linger)
        return -EINVAL;
    memcpy(&linger, value, sizeof linger);
    nb__options_own(ns, sock)->linger_s = linger.l_onoff ? linger.l_linger : -1;
    return 0;
}

static int get_linger(struct nb_sock *sock, void *value, socklen_t *bytes)
{
    int32_t seconds = sock->options->linger_s;
    struct linger linger = {.l_onoff = seconds >= 0, .l_linger = seconds >= 0 ? seconds : 0};
    *bytes = *bytes < sizeof linger ? *bytes : sizeof linger;
    memcpy(value, &linger, *bytes);
    return 0;
}

static int set_timeout(struct nb_sockets *ns, struct nb_sock *sock, int name, const void *value, socklen_t bytes)
{
    struct timeval tv;
    if (bytes < sizeof tv)
        return -EINVAL;
    memcpy(&tv, value, sizeof tv);
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    /* A negative time-out is none at all, as a zero one is; one beyond counting is none either. */
    bool none = tv.tv_sec < 0 || tv.tv_sec > INT32_MAX;
    uint64_t us = none ? 0 : (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
    struct nb_sock_options *own = nb__options_own(ns, sock);
    *(name == SO_RCVTIMEO ? &own->recv_timeout_us : &own->send_timeout_us) = us;
    return 0;
}

static int get_timeout(struct nb_sock *sock, int name, void *value, socklen_t *bytes)
{
    uint64_t us = name == SO_RCVTIMEO ? sock->options->recv_timeout_us : sock->options->send_timeout_us;
    struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    *bytes = *bytes < sizeof tv ? *bytes : sizeof tv;
    memcpy(value, &tv, *bytes);
    return 0;
}

static int set_congestion(struct nb_sockets *ns, struct nb_sock *sock, const void *value, socklen_t bytes)
{
    char name[16] = "";
    if (bytes < 1)
        return -EINVAL;
    memcpy(name, value, bytes < sizeof name - 1 ? bytes : sizeof name - 1);
    int index = nb_tcp_congestion_by_name(name);
    if (index < 0)
        return -ENOENT;
    nb__options_own(ns, sock)->tcp.congestion = (uint8_t)(index + 1);
    tell_tcp(ns, sock, NB_TCP_CHANGED_CONGESTION);
    return 0;
}

static int get_congestion(struct nb_sockets *ns, struct nb_sock *sock, void *value, socklen_t *bytes)
{
    char name[16] = "";
    uint8_t chosen = sock->options->tcp.congestion;
    const char *shown = chosen ? nb_tcp_congestion_name(chosen - 1) : settings_of(ns)->congestion_control;
    snprintf(name, sizeof name, "%s", shown);
    *bytes = *bytes < sizeof name ? *bytes : sizeof name;
    memcpy(value, name, *bytes);
    return 0;
}

/* One key, or a primary and a backup one. */
static int set_fastopen_key(struct nb_sockets *ns, struct nb_sock *sock, const void *value, socklen_t bytes)
{
    if (bytes != NB_FASTOPEN_KEY_BYTES && bytes != 2 * NB_FASTOPEN_KEY_BYTES)
        return -EINVAL;
    struct nb_tcp_options *tcp = &nb__options_own(ns, sock)->tcp;
    memcpy(tcp->fastopen_key, value, bytes);
    tcp->fastopen_keys = (uint8_t)(bytes / NB_FASTOPEN_KEY_BYTES);
    return 0;
}

static int get_fastopen_key(struct nb_sockets *ns, struct nb_sock *sock, void *value, socklen_t *bytes)
{
    const struct nb_tcp_options *tcp = &sock->options->tcp;
    const struct nb_tcp_settings *settings = settings_of(ns);
    const void *key = tcp->fastopen_keys ? tcp->fastopen_key : settings->fastopen_key;
    socklen_t have = NB_FASTOPEN_KEY_BYTES * (tcp->fastopen_keys ? tcp->fastopen_keys : settings->fastopen_keys);
    *bytes = *bytes < have ? *bytes : have;
    memcpy(value, key, *bytes);
    return 0;
}

/* A kernel device means nothing here; "none" is what we have. */
static int set_device(const void *value, socklen_t bytes)
{
    return bytes == 0 || *(const char *)value == '\0' ? 0 : -ENODEV;
}

/* True when the option was one of these; *result is what to return. */
static bool set_other(struct nb_sockets *ns, struct nb_sock *sock, int level, int name, const void *value,
                      socklen_t bytes, int *result)
{
    if (level == SOL_SOCKET && name == SO_LINGER)
        *result = set_linger(ns, sock, value, bytes);
    else if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
        *result = set_timeout(ns, sock, name, value, bytes);
    else if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
        *result = set_device(value, bytes);
    else if (level == IPPROTO_TCP && name == TCP_CONGESTION)
        *result = set_congestion(ns, sock, value, bytes);
    else if (level == IPPROTO_TCP && name == TCP_FASTOPEN_KEY)
        *result = set_fastopen_key(ns, sock, value, bytes);
    else
        return false;
    return true;
}

static bool get_other(struct nb_sockets *ns, struct nb_sock *sock, int level, int name, void *value, socklen_t *bytes,
                      int *result)
{
    if (level == SOL_SOCKET && name == SO_LINGER)
        *result = get_linger(sock, value, bytes);
    else if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
        *result = get_timeout(sock, name, value, bytes);
    else if (level == SOL_SOCKET && name == SO_MEMINFO)
        *result = nb__sock_meminfo(ns, sock, value, bytes);
    else if (level == IPPROTO_TCP && name == TCP_CONGESTION)
        *result = get_congestion(ns, sock, value, bytes);
    else if (level == IPPROTO_TCP && name == TCP_FASTOPEN_KEY)
        *result = get_fastopen_key(ns, sock, value, bytes);
    else if (level == IPPROTO_TCP && name == TCP_INFO)
        *result = nb__sock_tcp_info(ns, sock, value, bytes);
    else if (level == IPPROTO_TCP && name == TCP_CC_INFO)
        *result = (*bytes = 0);
    else
        return false;
    return true;
}

/* --- the calls -------------------------------------------------------------------------------- */

static int read_int(int level, const void *value, socklen_t bytes, int *out)
{
    if (bytes >= sizeof *out)
        memcpy(out, value, sizeof *out);
    else if (level == SOL_IP && bytes >= 1)
        *out = *(const uint8_t *)value;
    else
        return -EINVAL;
    return 0;
}

static bool level_applies(const struct nb_sock *sock, int level)
{
    return level != SOL_IPV6 || sock->flags & NB_SOCK_V6;
}

int nb_sock_setsockopt(struct nb_sockets *ns, int fd, int level, int name, const void *value, socklen_t bytes)
{
    int err, v;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (!value && bytes > 0)
        return -EFAULT;
    if (bytes > INT32_MAX)
        return -EINVAL;
    if (set_other(ns, sock, level, name, value, bytes, &err))
        return err;
    const struct option *option = find(level, name);
    if (!option || !level_applies(sock, level) || option->read_only)
        return -ENOPROTOOPT;
    err = read_int(level, value, bytes, &v);
    if (err)
        return err;
    if (option->set)
        return option->set(ns, sock, option, v);
    if (v < option->least || v > option->most)
        return -EINVAL;
    store(nb__options_own(ns, sock), option, v);
    tell_tcp(ns, sock, option->changes);
    return 0;
}

int nb_sock_getsockopt(struct nb_sockets *ns, int fd, int level, int name, void *value, socklen_t *bytes)
{
    int err, v = 0;
    struct nb_sock *sock = nb__sock_get(ns, fd, &err);
    if (!sock)
        return err;
    if (!bytes || (!value && *bytes > 0))
        return -EFAULT;
    if (*bytes > INT32_MAX)
        return -EINVAL;
    if (get_other(ns, sock, level, name, value, bytes, &err))
        return err;
    const struct option *option = find(level, name);
    if (!option || !level_applies(sock, level))
        return -ENOPROTOOPT;
    if (option->get)
        err = option->get(ns, sock, &v);
    else
        v = load(sock->options, option);
    if (err)
        return err;
    *bytes = *bytes < sizeof v ? *bytes : sizeof v;
    memcpy(value, &v, *bytes);
    return 0;
}
