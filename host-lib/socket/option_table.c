/* option_table.c - the options whose value is an int: a table.
 *
 * A row says where an option's value lives in struct nb_sock_options, how wide it is, and what values are good; what
 * needs more than that has a function.
 */
#include "option.h"
#include "../tcp/stream.h"
#include "error_queue.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

#define AT(field) offsetof(struct nb_sock_options, field)

/* --- values in the block ---------------------------------------------------------------------- */

void nb__option_store(struct nb_sock_options *options, const struct nb_option *option, int value)
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

int nb__option_load(const struct nb_sock_options *options, const struct nb_option *option)
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

void nb__option_tell(struct nb_sockets *ns, struct nb_sock *sock, uint8_t changes)
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

static int set_send_buffer(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    uint32_t most = option->name == SO_SNDBUF ? settings_of(ns)->wmem_max : INT32_MAX / 2;
    nb__options_own(ns, sock)->tcp.send_buffer_bytes = doubled(value, most, NB_SOCK_MIN_SEND_BUFFER);
    nb__option_tell(ns, sock, NB_TCP_CHANGED_SEND_SPACE);
    return 0;
}

static int set_recv_buffer(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
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

static int set_recv_lowat(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
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

static int set_max_segment(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)option;
    if (value && (value < NB_MIN_USER_MSS || value > NB_MAX_WINDOW))
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.user_mss = (uint16_t)value;
    return 0;
}

static int set_linger2(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.fin_wait_2_s = value < 0 ? -1 : value > NB_MAX_LINGER2_S ? NB_MAX_LINGER2_S : value;
    return 0;
}

static int set_user_timeout(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)option;
    if (value < 0)
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.user_timeout_ms = (uint32_t)value;
    return 0;
}

static int set_notsent_lowat(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.notsent_lowat_bytes = (uint32_t)value;
    nb__option_tell(ns, sock, NB_TCP_CHANGED_SEND_SPACE);
    return 0;
}

static int set_fastopen(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)ns, (void)option;
    if (value < 0 || !is_closed_or_listening(sock))
        return -EINVAL;
    int most = sock->state == NB_SOCK_LISTENING ? (int)sock->extra->backlog : NB_SOMAXCONN;
    nb__options_own(ns, sock)->tcp.fastopen_queue = (uint16_t)(value < most ? value : most);
    return 0;
}

static int set_fastopen_connect(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
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

static int set_keepalive(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.keepalive = value != 0;
    nb__option_tell(ns, sock, NB_TCP_CHANGED_KEEPALIVE);
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

static int set_quick_ack(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)option;
    nb__options_own(ns, sock)->tcp.no_quick_ack = !value;
    nb__option_tell(ns, sock, NB_TCP_CHANGED_QUICK_ACK);
    return 0;
}

/* The default differs from 0, and the kernel shows it. */
static int get_ttl(struct nb_sockets *ns, struct nb_sock *sock, int *value)
{
    (void)ns;
    *value = sock->options->tcp.ttl ? sock->options->tcp.ttl : 64;
    return 0;
}

static int set_ttl(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    int least = option->level == SOL_IP ? 1 : 0;
    if (value != -1 && (value < least || value > 255))
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.ttl = value == -1 ? 0 : (uint8_t)value;
    return 0;
}

static int set_tos(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    if (option->level == SOL_IPV6 && (value < -1 || value > 255))
        return -EINVAL;
    nb__options_own(ns, sock)->tcp.tos = value == -1 ? 0 : (uint8_t)value & ~ECN_BITS;
    return 0;
}

static int set_mtu_discover(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
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

static int set_v6only(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
{
    (void)option;
    if (nb__sock_key(sock)->local_port || sock->tcb)
        return -EINVAL;
    nb__options_own(ns, sock)->v6only = value != 0;
    return 0;
}

static int set_timestamping(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value)
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

static const struct nb_option options[] = {
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

const struct nb_option *nb__option_find(int level, int name)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (options[i].level == level && options[i].name == name)
            return &options[i];
    }
    return NULL;
}
