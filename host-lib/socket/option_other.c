/* option_other.c - the options whose value is not an int: lengths of time, names, keys, TCP_INFO. */
#include "option.h"
#include "../tcp/md5.h"
#include "../tcp/stream.h"
#include "address.h"
#include "options.h"
#include "sockets.h"
#include "tcp_info.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <netinet/in.h>
#include <linux/tcp.h>

/* Missing from some kernel headers. */
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

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
    nb__option_tell(ns, sock, NB_TCP_CHANGED_CONGESTION);
    return 0;
}

static int get_congestion(struct nb_sockets *ns, struct nb_sock *sock, void *value, socklen_t *bytes)
{
    char name[16] = "";
    uint8_t chosen = sock->options->tcp.congestion;
    const char *shown = chosen ? nb_tcp_congestion_name(chosen - 1) : nb_tcp_settings(ns->tcp)->congestion_control;
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
    const struct nb_tcp_settings *settings = nb_tcp_settings(ns->tcp);
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

/* --- TCP-MD5 ---------------------------------------------------------------------------------- */

/* Missing from some kernel headers. */
#ifndef TCP_MD5SIG_FLAG_IFINDEX
#define TCP_MD5SIG_FLAG_IFINDEX 2
#endif

/* Whose key it is: the address, all of it unless `prefix_bits` (-1: none given) says how much. */
static int read_peers(const struct nb_sock *sock, const struct tcp_md5sig *from, int prefix_bits,
                      struct nb_md5_key *key)
{
    struct nb_endpoint at;
    const struct sockaddr *address = (const struct sockaddr *)&from->tcpm_addr;
    bool v6 = sock->flags & NB_SOCK_V6;
    if (address->sa_family != (v6 ? AF_INET6 : AF_INET) || nb__endpoint_read(&at, v6, address, sizeof from->tcpm_addr))
        return -EINVAL;
    key->family = at.family ? at.family : v6 ? NB_FAMILY_IPV6 : NB_FAMILY_IPV4;
    key->address = at.address;
    int most = key->family == NB_FAMILY_IPV4 ? 32 : 128;
    if (prefix_bits > most)
        return -EINVAL;
    key->prefix_bits = (uint8_t)(prefix_bits < 0 ? most : prefix_bits);
    return 0;
}

/* There are no devices whose peers could be told apart (tcpm_ifindex). */
static int set_md5(struct nb_sockets *ns, struct nb_sock *sock, int name, const void *value, socklen_t bytes)
{
    struct tcp_md5sig from;
    struct nb_md5_key key = {0};
    if (bytes < sizeof from)
        return -EINVAL;
    memcpy(&from, value, sizeof from);
    bool extended = name == TCP_MD5SIG_EXT, prefix = extended && from.tcpm_flags & TCP_MD5SIG_FLAG_PREFIX;
    if (extended && from.tcpm_flags & TCP_MD5SIG_FLAG_IFINDEX && from.tcpm_ifindex)
        return -EINVAL;
    int err = read_peers(sock, &from, prefix ? from.tcpm_prefixlen : -1, &key);
    if (err || from.tcpm_keylen > sizeof key.secret.bytes)
        return -EINVAL;
    key.secret.n = (uint8_t)from.tcpm_keylen;
    memcpy(key.secret.bytes, from.tcpm_key, key.secret.n);
    err = nb_tcp_md5_set(ns->tcp, &nb__options_own(ns, sock)->tcp.md5_keys, &key);
    explicit_bzero(&key, sizeof key);
    explicit_bzero(&from, sizeof from);
    if (!err)
        nb__option_tell(ns, sock, NB_TCP_CHANGED_MD5);
    return err;
}

/* --- all of them ------------------------------------------------------------------------------ */

bool nb__option_set_other(struct nb_sockets *ns, struct nb_sock *sock, int level, int name, const void *value,
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
    else if (level == IPPROTO_TCP && (name == TCP_MD5SIG || name == TCP_MD5SIG_EXT))
        *result = set_md5(ns, sock, name, value, bytes);
    else
        return false;
    return true;
}

bool nb__option_get_other(struct nb_sockets *ns, struct nb_sock *sock, int level, int name, void *value,
                          socklen_t *bytes, int *result)
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
