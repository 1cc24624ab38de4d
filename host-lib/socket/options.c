/* options.c - setsockopt() and getsockopt().
 *
 * Values travel as int unless option_other.c has the option. Lengths and errors are Linux's: too short is -EINVAL,
 * longer is fine, getsockopt() cuts off; SOL_IP takes a single byte too.
 */
#include "options.h"
#include "option.h"
#include "sockets.h"

#include <errno.h>
#include <string.h>

#include <netinet/in.h>

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
    if (nb__option_set_other(ns, sock, level, name, value, bytes, &err))
        return err;
    const struct nb_option *option = nb__option_find(level, name);
    if (!option || !level_applies(sock, level) || option->read_only)
        return -ENOPROTOOPT;
    err = read_int(level, value, bytes, &v);
    if (err)
        return err;
    if (option->set)
        return option->set(ns, sock, option, v);
    if (v < option->least || v > option->most)
        return -EINVAL;
    nb__option_store(nb__options_own(ns, sock), option, v);
    nb__option_tell(ns, sock, option->changes);
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
    if (nb__option_get_other(ns, sock, level, name, value, bytes, &err))
        return err;
    const struct nb_option *option = nb__option_find(level, name);
    if (!option || !level_applies(sock, level))
        return -ENOPROTOOPT;
    if (option->get)
        err = option->get(ns, sock, &v);
    else
        v = nb__option_load(sock->options, option);
    if (err)
        return err;
    *bytes = *bytes < sizeof v ? *bytes : sizeof v;
    memcpy(value, &v, *bytes);
    return 0;
}
