/* adapter.c - the calls of packetdrill's interface, each a step into the stack and out again.
 *
 * Every entry takes the lock, calls the socket layer, lets what was queued be sent, and turns the result into -1 and
 * errno. A descriptor that is not a socket of ours (a pipe, a file) goes to the kernel. Two calls do not come through
 * the interface: getsockopt() of a script's code blocks, and sendfile(); this object defines both and is preloaded.
 */
#include "interface.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "stack.h"

/* For the two preloaded calls, which get no userdata. */
static struct stack *the_stack;

/* Lost LD_PRELOAD's children: the shell commands of scripts need nothing of this. */
__attribute__((constructor)) static void keep_to_this_process(void)
{
    unsetenv("LD_PRELOAD");
}

static struct stack *enter(void *userdata)
{
    struct stack *stack = userdata;
    clock_enter(&stack->clock);
    nb_tcp_advance(stack->tcp, stack->clock.now_us);
    return stack;
}

/* Send what the call has queued, and give the result its system call's form. */
static ssize_t leave(struct stack *stack, ssize_t result)
{
    stack_flush(stack);
    clock_leave(&stack->clock);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

static bool is_ours(struct stack *stack, int fd)
{
    int err = nb_sock_fcntl(stack->sockets, fd, F_GETFD, 0);
    return err != -EBADF;
}

/* --- life
 * ---------------------------------------------------------------------------------- */

static int do_socket(void *userdata, int domain, int type, int protocol)
{
    struct stack *stack = enter(userdata);
    stack_read_settings(stack);
    stack->kernel_family = domain;
    return (int)leave(stack, nb_sock_open(stack->sockets, domain, type, protocol));
}

/* The descriptor is a kernel socket as well, otherwise unused: what our socket binds and listens on it holds too, so
 * that /proc/net/tcp and ss(8) show it and nobody else in the namespace takes the port. */
static int do_bind(void *userdata, int fd, const struct sockaddr *address, socklen_t bytes)
{
    struct stack *stack = enter(userdata);
    int err = nb_sock_bind(stack->sockets, fd, address, bytes);
    if (!err)
        bind(fd, address, bytes);
    return (int)leave(stack, err);
}

static int do_listen(void *userdata, int fd, int backlog)
{
    struct stack *stack = enter(userdata);
    stack_read_settings(stack);
    int err = nb_sock_listen(stack->sockets, fd, backlog);
    if (!err)
        listen(fd, backlog);
    return (int)leave(stack, err);
}

static int do_accept(void *userdata, int fd, struct sockaddr *address, socklen_t *bytes)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_sock_accept(stack->sockets, fd, address, bytes, 0));
}

static int do_connect(void *userdata, int fd, const struct sockaddr *address, socklen_t bytes)
{
    struct stack *stack = enter(userdata);
    stack_read_settings(stack);
    return (int)leave(stack, nb_sock_connect(stack->sockets, fd, address, bytes));
}

static int do_close(void *userdata, int fd)
{
    struct stack *stack = enter(userdata);
    int err = nb_sock_close(stack->sockets, fd);
    close(fd);
    return (int)leave(stack, err == -EBADF ? 0 : err);
}

static int do_shutdown(void *userdata, int fd, int how)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_sock_shutdown(stack->sockets, fd, how));
}

/* --- data
 * ---------------------------------------------------------------------------------- */

static ssize_t do_recvfrom(void *userdata, int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                           socklen_t *from_bytes)
{
    struct stack *stack = enter(userdata);
    return leave(stack, nb_sock_recvfrom(stack->sockets, fd, bytes, n, flags, from, from_bytes));
}

static ssize_t do_recv(void *userdata, int fd, void *bytes, size_t n, int flags)
{
    return do_recvfrom(userdata, fd, bytes, n, flags, NULL, NULL);
}

static ssize_t do_read(void *userdata, int fd, void *bytes, size_t n)
{
    if (!is_ours(userdata, fd))
        return read(fd, bytes, n);
    return do_recv(userdata, fd, bytes, n, 0);
}

static ssize_t do_readv(void *userdata, int fd, const struct iovec *iov, int n_iov)
{
    struct stack *stack = enter(userdata);
    return leave(stack, nb_sock_readv(stack->sockets, fd, iov, n_iov));
}

static ssize_t do_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags)
{
    struct stack *stack = enter(userdata);
    return leave(stack, nb_sock_recvmsg(stack->sockets, fd, msg, flags));
}

static ssize_t do_sendto(void *userdata, int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
                         socklen_t to_bytes)
{
    struct stack *stack = enter(userdata);
    stack_read_settings(stack);
    return leave(stack, nb_sock_sendto(stack->sockets, fd, bytes, n, flags, to, to_bytes));
}

static ssize_t do_send(void *userdata, int fd, const void *bytes, size_t n, int flags)
{
    return do_sendto(userdata, fd, bytes, n, flags, NULL, 0);
}

static ssize_t do_write(void *userdata, int fd, const void *bytes, size_t n)
{
    if (!is_ours(userdata, fd))
        return write(fd, bytes, n);
    return do_send(userdata, fd, bytes, n, 0);
}

static ssize_t do_writev(void *userdata, int fd, const struct iovec *iov, int n_iov)
{
    struct stack *stack = enter(userdata);
    return leave(stack, nb_sock_writev(stack->sockets, fd, iov, n_iov));
}

static ssize_t do_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags)
{
    struct stack *stack = enter(userdata);
    stack_read_settings(stack);
    return leave(stack, nb_sock_sendmsg(stack->sockets, fd, msg, flags));
}

/* --- settings
 * ------------------------------------------------------------------------------ */

static int do_fcntl(void *userdata, int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    if (!is_ours(userdata, fd))
        return fcntl(fd, command, argument);
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_sock_fcntl(stack->sockets, fd, command, argument));
}

static int do_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!is_ours(userdata, fd))
        return ioctl(fd, request, argument);
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_sock_ioctl(stack->sockets, fd, request, argument));
}

static int do_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_sock_getsockopt(stack->sockets, fd, level, name, value, bytes));
}

static int do_setsockopt(void *userdata, int fd, int level, int name, const void *value, socklen_t bytes)
{
    struct stack *stack = enter(userdata);
    stack_read_settings(stack);
    return (int)leave(stack, nb_sock_setsockopt(stack->sockets, fd, level, name, value, bytes));
}

/* --- readiness
 * ----------------------------------------------------------------------------- */

static int64_t us_of(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : (int64_t)timeout_ms * 1000;
}

static int do_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_sock_poll(stack->sockets, fds, n, us_of(timeout_ms)));
}

static int do_epoll_create(void *userdata, int size)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, size > 0 ? nb_epoll_create(stack->sockets, 0) : -EINVAL);
}

static int do_epoll_ctl(void *userdata, int epoll_fd, int op, int fd, struct epoll_event *event)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_epoll_ctl(stack->sockets, epoll_fd, op, fd, event));
}

static int do_epoll_wait(void *userdata, int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, nb_epoll_wait(stack->sockets, epoll_fd, events, max, us_of(timeout_ms)));
}

/* --- pipes and files
 * ----------------------------------------------------------------------- */

#define PIECE_BYTES 65536 /* what a pipe holds */

static int do_pipe(void *userdata, int fds[2])
{
    (void)userdata;
    return pipe(fds);
}

static ssize_t into_pipe(void *pipe_fd, const void *bytes, size_t n)
{
    ssize_t written = write(*(int *)pipe_fd, bytes, n);
    return written < 0 ? -errno : written;
}

static ssize_t splice_out(void *userdata, int in, int out, size_t n, unsigned flags)
{
    struct stack *stack = enter(userdata);
    int wait = flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0;
    return leave(stack, nb_sock_splice(stack->sockets, in, n, wait, into_pipe, &out));
}

static int do_splice(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t n, unsigned flags)
{
    char piece[PIECE_BYTES];
    n = n < sizeof piece ? n : sizeof piece;
    if (is_ours(userdata, in))
        return (int)splice_out(userdata, in, out, n, flags);
    if (is_ours(userdata, out)) {
        ssize_t got = read(in, piece, n);
        return (int)(got > 0 ? do_send(userdata, out, piece, (size_t)got, 0) : got);
    }
    return (int)splice(in, in_at, out, out_at, n, flags);
}

ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
    char piece[PIECE_BYTES];
    if (!the_stack || !is_ours(the_stack, out)) {
        ssize_t (*next)(int, int, off_t *, size_t) =
            (ssize_t(*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile");
        return next(out, in, at, n);
    }
    n = n < sizeof piece ? n : sizeof piece;
    ssize_t got = at ? pread(in, piece, n, *at) : read(in, piece, n);
    ssize_t sent = got > 0 ? do_send(the_stack, out, piece, (size_t)got, 0) : got;
    if (at && sent > 0)
        *at += sent;
    return sent;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *bytes)
{
    if (the_stack && is_ours(the_stack, fd))
        return do_getsockopt(the_stack, fd, level, name, value, bytes);
    int (*next)(int, int, int, void *, socklen_t *) =
        (int (*)(int, int, int, void *, socklen_t *))dlsym(RTLD_NEXT, "getsockopt");
    return next(fd, level, name, value, bytes);
}

/* --- network and clock
 * --------------------------------------------------------------------- */

static int do_netdev_send(void *userdata, const void *packet, size_t n)
{
    struct stack *stack = enter(userdata);
    return (int)leave(stack, stack_input(stack, packet, n) ? 0 : -EINVAL);
}

/* How long the script's thread waits for a packet that may never come. */
#define PATIENCE_US (3600ull * 1000000)

static int do_netdev_receive(void *userdata, void *room, size_t *n, long long *time_us)
{
    struct stack *stack = enter(userdata);
    struct packet *packet;
    uint64_t limit_us = stack->clock.now_us + PATIENCE_US;
    while (!(packet = stack_take(stack)) && clock_step(&stack->clock, limit_us))
        continue;
    if (packet && packet->n > *n)
        packet->n = *n;
    *n = packet ? packet->n : 0;
    *time_us = (long long)(packet ? packet->sent_us : stack->clock.now_us);
    if (packet)
        memcpy(room, packet->bytes, packet->n);
    free(packet);
    return (int)leave(stack, 0);
}

static int do_usleep(void *userdata, useconds_t us)
{
    struct stack *stack = enter(userdata);
    clock_run_until(&stack->clock, stack->clock.now_us + us);
    leave(stack, 0);
    clock_await_return(&stack->clock);
    return 0;
}

static int do_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
    struct stack *stack = enter(userdata);
    (void)tz;
    uint64_t now_us = clock_look(&stack->clock);
    tv->tv_sec = (time_t)(now_us / 1000000);
    tv->tv_usec = (suseconds_t)(now_us % 1000000);
    return (int)leave(stack, 0);
}

/* --- the interface
 * ------------------------------------------------------------------------- */

static void do_free(void *userdata)
{
    the_stack = NULL;
    stack_free(userdata);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface)
{
    the_stack = stack_new(flags);
    *interface = (struct packetdrill_interface){
        .userdata = the_stack,
        .free = do_free,
        .socket = do_socket,
        .bind = do_bind,
        .listen = do_listen,
        .accept = do_accept,
        .connect = do_connect,
        .read = do_read,
        .readv = do_readv,
        .recv = do_recv,
        .recvfrom = do_recvfrom,
        .recvmsg = do_recvmsg,
        .write = do_write,
        .writev = do_writev,
        .send = do_send,
        .sendto = do_sendto,
        .sendmsg = do_sendmsg,
        .fcntl = do_fcntl,
        .ioctl = do_ioctl,
        .close = do_close,
        .shutdown = do_shutdown,
        .getsockopt = do_getsockopt,
        .setsockopt = do_setsockopt,
        .poll = do_poll,
        .netdev_send = do_netdev_send,
        .netdev_receive = do_netdev_receive,
        .usleep = do_usleep,
        .gettimeofday = do_gettimeofday,
        .epoll_create = do_epoll_create,
        .epoll_ctl = do_epoll_ctl,
        .epoll_wait = do_epoll_wait,
        .pipe = do_pipe,
        .splice = do_splice,
    };
}
