/* control.c - the control socket's server: one thread, epoll, nothing that blocks.
 *
 * A client is either reading (its requests are taken, one line per turn, so that nobody with many lines keeps the
 * others waiting) or writing (an answer waits for it; it is not read from, and further lines stay in its buffer and
 * then in the kernel's). So what a client can make us hold is bounded: one request, one answer. One that does not take
 * its answer is disconnected after a while. After its last request a client may close its sending side; it still gets
 * the answers.
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control_claim.h"
#include "control_peer.h"
#include "log.h"

#define EVENTS_MAX 16
#define BACKLOG    64

struct client {
    int fd;
    enum nb_right right;
    bool end_of_input; /* nothing more is read: it closed its side, or sent what cannot be a request */
    char *out;         /* the answer being written, NULL: none */
    size_t out_n, out_done;
    uint64_t moved_at_ms; /* when it last took something of the answer */
    size_t in_n;
    char in[NB_PROTOCOL_REQUEST_MAX];
};

struct nb_control {
    char path[NB_SOCKET_PATH_MAX], lock_file[NB_LOCK_PATH_MAX];
    int lock_fd, listen_fd, epoll_fd, signal_fd;
    uint64_t (*clock_ms)(void);
    uint64_t listen_again_at_ms; /* 0: we are listening */
    const struct nb_rpc *rpc;
    const struct nb_config_operators *operators;
    struct client *client[NB_CONTROL_CLIENTS_MAX];
    unsigned clients, viewers;
};

/* --- life -------------------------------------------------------------------------------------------------------- */

static uint64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int nb_control_claim(const char *path, struct nb_control **control, struct nb_error *err)
{
    struct nb_control *c = calloc(1, sizeof *c);

    if (!c)
        return nb_error_set(err, -ENOMEM, "control socket: out of memory");
    c->listen_fd = c->epoll_fd = c->signal_fd = -1;
    c->clock_ms = clock_ms;
    int rc = nb_socket_path(path, c->path, err);
    if (!rc)
        rc = c->lock_fd = nb_claim_take(c->path, c->lock_file, err);
    if (rc < 0) {
        free(c);
        return rc;
    }
    *control = c;
    return 0;
}

const char *nb_control_path(const struct nb_control *control)
{
    return control->path;
}

const char *nb_control_lock_file(const struct nb_control *control)
{
    return control->lock_file;
}

static int watch(struct nb_control *c, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};

    return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void rewatch(struct nb_control *c, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};

    epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, fd, &event); /* cannot fail for a descriptor that is watched */
}

/* The socket file is everybody's: who may do what is decided per method, by the peer's credentials. */
static int listen_at(struct nb_control *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, c->path, sizeof address.sun_path);
    c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listen_fd < 0 || bind(c->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(c->path, 0666) != 0 || listen(c->listen_fd, BACKLOG) != 0)
        return -errno;
    return watch(c, c->listen_fd, EPOLLIN, &c->listen_fd);
}

int nb_control_open(struct nb_control *control, const struct nb_rpc *rpc, const struct nb_config_operators *operators,
                    struct nb_error *err)
{
    control->rpc = rpc;
    control->operators = operators;
    control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int rc = control->epoll_fd < 0 ? -errno : listen_at(control);
    if (rc)
        return nb_error_set(err, rc, "control socket %s: %s", control->path, strerror(-rc));
    return 0;
}

static void drop_client(struct nb_control *c, unsigned slot)
{
    struct client *client = c->client[slot];

    c->clients--;
    c->viewers -= client->right == NB_RIGHT_VIEWER;
    c->client[slot] = NULL;
    close(client->fd); /* which ends its watch too */
    free(client->out);
    free(client);
}

void nb_control_free(struct nb_control *control)
{
    if (!control)
        return;
    for (unsigned i = 0; i < NB_CONTROL_CLIENTS_MAX; i++)
        if (control->client[i])
            drop_client(control, i);
    if (control->listen_fd >= 0) {
        unlink(control->path);
        close(control->listen_fd);
    }
    if (control->epoll_fd >= 0)
        close(control->epoll_fd);
    nb_claim_drop(control->lock_file, control->lock_fd);
    free(control);
}

void nb_control_set_clock(struct nb_control *control, uint64_t (*clock)(void))
{
    control->clock_ms = clock;
}

unsigned nb_control_clients(const struct nb_control *control)
{
    return control->clients;
}

/* --- a client ---------------------------------------------------------------------------------------------------- */

/* Write what the client takes. Returns false when it is gone. */
static bool write_out(struct client *client, uint64_t now_ms)
{
    while (client->out_done < client->out_n) {
        ssize_t n = send(client->fd, client->out + client->out_done, client->out_n - client->out_done,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        client->out_done += (size_t)n;
        client->moved_at_ms = now_ms;
    }
    free(client->out);
    client->out = NULL;
    return true;
}

static bool answer(struct client *client, char *out, size_t n, uint64_t now_ms)
{
    if (!out)
        return true;
    client->out = out;
    client->out_n = n;
    client->out_done = 0;
    client->moved_at_ms = now_ms;
    return write_out(client, now_ms);
}

/* Read what fits. Returns false when the client is gone. */
static bool read_in(struct client *client)
{
    while (client->in_n < sizeof client->in && !client->end_of_input) {
        ssize_t n = recv(client->fd, client->in + client->in_n, sizeof client->in - client->in_n, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        client->end_of_input = n == 0;
        client->in_n += (size_t)n;
    }
    return true;
}

static const char *end_of_line(const struct client *client)
{
    return memchr(client->in, '\n', client->in_n);
}

static bool line_waits(const struct client *client)
{
    return !client->out && (end_of_line(client) || client->in_n == sizeof client->in);
}

/* Answer the first line of its buffer, if there is a whole one. Returns false when the client is gone. */
static bool serve_line(struct nb_control *c, struct client *client, uint64_t now_ms)
{
    const char *end = end_of_line(client);
    size_t n, length = 0;
    char *out;

    if (!line_waits(client))
        return true;
    if (!end) {
        client->in_n = 0;
        client->end_of_input = true;
        out = nb_rpc_error_line(NB_PROTOCOL_INVALID_REQUEST, "a request line has at most 65536 bytes", &length);
        return answer(client, out, length, now_ms);
    }
    n = (size_t)(end - client->in);
    out = nb_rpc_answer(c->rpc, client->right, client->in, n, &length);
    client->in_n -= n + 1;
    memmove(client->in, end + 1, client->in_n);
    return answer(client, out, length, now_ms);
}

/* Do what the client is ready for. Returns whether it stays. */
static bool serve_client(struct nb_control *c, struct client *client, uint64_t now_ms)
{
    bool alive = client->out ? write_out(client, now_ms) : read_in(client);

    alive = alive && serve_line(c, client, now_ms);
    if (!alive || (client->end_of_input && !client->out && !line_waits(client)))
        return false;
    rewatch(c, client->fd, client->out ? EPOLLOUT : client->end_of_input ? 0 : EPOLLIN, client);
    return true;
}

/* --- the server -------------------------------------------------------------------------------------------------- */

static void turn_away(int fd)
{
    size_t n = 0;
    char *line = nb_rpc_error_line(NB_PROTOCOL_BUSY, "too many clients are connected; try again later", &n);

    if (line)
        (void)!send(fd, line, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    free(line);
    close(fd);
}

static void admit(struct nb_control *c, int fd)
{
    enum nb_right right = nb_peer_right(fd, c->operators);
    unsigned slot = 0;

    if (c->clients == NB_CONTROL_CLIENTS_MAX || (right == NB_RIGHT_VIEWER && c->viewers == NB_CONTROL_VIEWERS_MAX)) {
        turn_away(fd);
        return;
    }
    struct client *client = calloc(1, sizeof *client);
    if (!client || watch(c, fd, EPOLLIN, client) != 0) {
        free(client);
        turn_away(fd);
        return;
    }
    client->fd = fd;
    client->right = right;
    while (c->client[slot])
        slot++;
    c->client[slot] = client;
    c->clients++;
    c->viewers += right == NB_RIGHT_VIEWER;
}

/* Take who is waiting. Out of descriptors, look away for a moment: the queue would wake us again at once. */
static void accept_clients(struct nb_control *c, uint64_t now_ms)
{
    for (;;) {
        int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(c, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN) {
            nb_log(NB_LOG_WARNING, "control socket: cannot accept a client: %s", strerror(errno));
            c->listen_again_at_ms = now_ms + NB_CONTROL_RETRY_MS;
            rewatch(c, c->listen_fd, 0, &c->listen_fd);
        }
        return;
    }
}

static int read_signal(int fd)
{
    struct signalfd_siginfo info;

    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

static unsigned slot_of(const struct nb_control *c, const struct client *client)
{
    unsigned slot = 0;

    while (c->client[slot] != client)
        slot++;
    return slot;
}

/* Lines that were left from turns before, and clients that have not moved. */
static void serve_waiting(struct nb_control *c, uint64_t now_ms)
{
    for (unsigned i = 0; i < NB_CONTROL_CLIENTS_MAX; i++) {
        struct client *client = c->client[i];
        if (!client)
            continue;
        bool stalled = client->out && now_ms - client->moved_at_ms >= NB_CONTROL_STALL_MAX_MS;
        if (stalled || (line_waits(client) && !serve_client(c, client, now_ms)))
            drop_client(c, i);
    }
    if (c->listen_again_at_ms && now_ms >= c->listen_again_at_ms) {
        c->listen_again_at_ms = 0;
        rewatch(c, c->listen_fd, EPOLLIN, &c->listen_fd);
    }
}

int nb_control_turn(struct nb_control *control, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(control->epoll_fd, events, EVENTS_MAX, timeout_ms);
    uint64_t now_ms = control->clock_ms();

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == &control->listen_fd) {
            accept_clients(control, now_ms);
        } else if (events[i].data.ptr == &control->signal_fd) {
            int number = read_signal(control->signal_fd);
            if (number)
                return number;
        } else if (!serve_client(control, events[i].data.ptr, now_ms)) {
            drop_client(control, slot_of(control, events[i].data.ptr));
        }
    }
    serve_waiting(control, now_ms);
    return 0;
}

/* How long the next turn may wait: not at all with lines in hand, a second while a clock runs. */
static int longest_wait(const struct nb_control *c)
{
    int wait_ms = c->listen_again_at_ms ? NB_CONTROL_RETRY_MS : -1;

    for (unsigned i = 0; i < NB_CONTROL_CLIENTS_MAX; i++) {
        if (c->client[i] && line_waits(c->client[i]))
            return 0;
        if (c->client[i] && c->client[i]->out)
            wait_ms = 1000;
    }
    return wait_ms;
}

int nb_control_run(struct nb_control *control, int signal_fd)
{
    control->signal_fd = signal_fd;
    int rc = watch(control, signal_fd, EPOLLIN, &control->signal_fd);

    while (!rc)
        rc = nb_control_turn(control, longest_wait(control));
    return rc;
}
