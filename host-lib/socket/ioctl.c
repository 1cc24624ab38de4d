/* ioctl.c - the questions of tcp(7) that are asked through ioctl(). */
#include "../tcp/stream.h"
#include "sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/sockios.h>

/* Bytes between two points of the byte stream; none before there is one. */
static int queued(const struct nb_sock *sock, bool unsent_only)
{
    enum nb_tcp_state state = nb__sock_tcp_state(sock);
    if (state == NB_TCP_CLOSED || state == NB_TCP_SYN_SENT || state == NB_TCP_SYN_RECEIVED)
        return 0;
    nb_seq_t from = unsent_only ? nb_tcb_snd_nxt(sock->tcb) : nb_tcb_snd_una(sock->tcb);
    nb_seq_t to = nb_tcb_snd_end(sock->tcb);
    return seq_lt(from, to) ? (int)(to - from) : 0;
}

static int ask(const struct nb_sock *sock, unsigned long request, int *answer)
{
    if (sock->state == NB_SOCK_LISTENING)
        return -EINVAL;
    switch (request) {
    case SIOCINQ:
        *answer = (int)nb__urgent_readable(sock);
        return 0;
    case SIOCOUTQ:
        *answer = queued(sock, false);
        return 0;
    case SIOCOUTQNSD:
        *answer = queued(sock, true);
        return 0;
    case SIOCATMARK:
        *answer = sock->urgent && sock->urgent_at == 0;
        return 0;
    }
    return -ENOTTY;
}

int nb_sock_ioctl(struct nb_sockets *ns, int fd, unsigned long request, void *argument)
{
    struct nb_file *file = nb__file_get(ns, fd);
    int value;
    if (!file)
        return -EBADF;
    if (!argument)
        return -EFAULT;
    if (request == FIONBIO) {
        memcpy(&value, argument, sizeof value);
        file->nonblock = value != 0;
        return 0;
    }
    if (file->kind != NB_FILE_SOCK)
        return -ENOTTY;
    int err = ask((struct nb_sock *)file, request, &value);
    if (!err)
        memcpy(argument, &value, sizeof value);
    return err;
}
