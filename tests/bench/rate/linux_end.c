/* linux_end.c - the kernel's TCP as an end: one thread, epoll, non-blocking sockets; busy polling where rate_polls() says so. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "rate.h"

#define EVENTS     64
#define FILES_MAX  4096
#define BULK_CHUNK 65536

static struct rate_arguments arguments;
static struct rate_report *report;
static uint64_t began_ns[FILES_MAX]; /* by file descriptor: when the request went out, or was due */
static int idle[RATE_CONNECTIONS];   /* paced: connections without a request under way */
static unsigned n_idle;
static int poller;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in server_address(void)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(RATE_PORT), .sin_addr.s_addr = inet_addr(RATE_SERVER)};
}

static void watch(int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};

    if (fd >= FILES_MAX || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) != 0)
        fail("epoll_ctl");
}

static void no_delay(int fd)
{
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* --- server ------------------------------------------------------------------------------------------------------- */

static void accept_all(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        no_delay(fd);
        watch(fd, EPOLLIN);
    }
}

static void serve_one(int fd)
{
    static char buffer[BULK_CHUNK];
    ssize_t n = read(fd, buffer, arguments.mode == RATE_BULK ? sizeof buffer : RATE_BYTES);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close(fd);
        return;
    }
    if (n <= 0 || arguments.mode == RATE_BULK)
        return;
    if (write(fd, buffer, (size_t)n) != n || arguments.mode == RATE_SHORT)
        close(fd);
}

static void *serve_thread(void *arg)
{
    struct epoll_event e[EVENTS];
    int listener = *(int *)arg, wait_ms = rate_polls(arguments.mode) ? 0 : -1;

    rate_pin(arguments.cpu);
    for (;;) {
        int n = epoll_wait(poller, e, EVENTS, wait_ms);

        for (int i = 0; i < n; i++) {
            if (e[i].data.fd == listener)
                accept_all(listener);
            else
                serve_one(e[i].data.fd);
        }
    }
    return NULL;
}

static int serve(void)
{
    struct sockaddr_in at = server_address();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    pthread_t thread;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1024) != 0)
        fail("listen");
    watch(listener, EPOLLIN);
    if (pthread_create(&thread, NULL, serve_thread, &listener) != 0)
        fail("thread");
    rate_serve();
    return 0;
}

/* --- client ------------------------------------------------------------------------------------------------------- */

static void open_one(void)
{
    struct sockaddr_in to = server_address();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        fail("socket");
    no_delay(fd);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        fail("connect");
    watch(fd, EPOLLOUT);
}

static void ask(int fd, uint64_t start_ns)
{
    static const char message[RATE_BYTES];

    began_ns[fd] = start_ns;
    if (write(fd, message, sizeof message) != sizeof message)
        rate_error(report);
}

/* The connection has nothing under way. */
static void next(int fd)
{
    if (arguments.mode == RATE_PACED)
        idle[n_idle++] = fd;
    else
        ask(fd, arguments.mode == RATE_PINGPONG ? rate_now_ns() : 0);
}

static void ask_what_is_due(void)
{
    uint64_t due_ns;

    while (n_idle && (due_ns = rate_due(report)))
        ask(idle[--n_idle], due_ns);
}

/* Connected, or (bulk) room to send. */
static void client_writable(int fd)
{
    static const char chunk[BULK_CHUNK];
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    ssize_t n;

    if (arguments.mode != RATE_BULK) {
        epoll_ctl(poller, EPOLL_CTL_MOD, fd, &e);
        next(fd);
        return;
    }
    while ((n = write(fd, chunk, sizeof chunk)) > 0 && !rate_over(report))
        rate_bytes(report, (uint64_t)n);
}

static void client_readable(int fd)
{
    char message[RATE_BYTES];
    ssize_t n = read(fd, message, sizeof message);

    if (n > 0 && arguments.mode == RATE_SHORT)
        return; /* the end follows */
    if (n <= 0) {
        if (n < 0)
            rate_error(report);
        rate_count(report, 0);
        close(fd);
        open_one();
        return;
    }
    rate_count(report, began_ns[fd]);
    next(fd);
}

static int load(void)
{
    struct epoll_event e[EVENTS];
    int wait_ms = rate_polls(arguments.mode) ? 0 : -1;

    rate_pin(arguments.cpu);
    report = rate_begin(&arguments);
    for (unsigned i = 0; i < rate_connections(arguments.mode); i++)
        open_one();
    while (!rate_over(report)) {
        int n = epoll_wait(poller, e, EVENTS, wait_ms);

        for (int i = 0; i < n; i++) {
            if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                client_readable(e[i].data.fd);
            else
                client_writable(e[i].data.fd);
        }
        if (arguments.mode == RATE_PACED)
            ask_what_is_due();
    }
    return rate_print(report);
}

int main(int argc, char **argv)
{
    arguments = rate_arguments(argc, argv, false);
    poller = epoll_create1(0);
    return arguments.server ? serve() : load();
}
