/* wire_link.c - a cable between two simulated NICs, in one program or in two: a Unix socket that keeps frames apart.
 *
 * Who opens first listens, who comes second connects; so neither waits for the other. The first learns of its peer when
 * the socket becomes readable: then the connection takes the listening socket's place under the same descriptor, and
 * who knocks later is refused and starts a cable of its own. Frames sent before there is a peer go nowhere.
 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_BYTES (4 << 20) /* some hundred frames with the kernel's own overhead, asked for; it may give less */

static int link_check(const char *path, struct sim_error *err)
{
    const size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (!*path || strlen(path) >= room)
        return sim_fail(err, -EINVAL, "--wire link:%s: wanted a path of 1 to %zu characters", path, room - 1);
    return 0;
}

static int make_socket(const char *path, struct sockaddr_un *address, struct sim_error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(address->sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? sim_fail(err, -errno, "--wire link:%s: %s", path, strerror(errno)) : fd;
}

/* Be the first: a socket that nobody listens on any more is in nobody's way. A file that is no socket refuses to be
 * connected to in the same words, and stays. */
static int be_first(int fd, const struct sockaddr_un *address, int why_not_second)
{
    struct stat st;
    if (why_not_second == ECONNREFUSED && !lstat(address->sun_path, &st)) {
        if (!S_ISSOCK(st.st_mode))
            return -ENOTSOCK;
        unlink(address->sun_path);
    }
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) || listen(fd, 1))
        return -errno;
    return 0;
}

static int link_open(const char *path, int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    const int bytes = BUFFER_BYTES;
    struct sockaddr_un address;
    int fd = make_socket(path, &address, err), rc = 0;
    if (fd < 0)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address))
        rc = errno == ENOENT || errno == ECONNREFUSED ? be_first(fd, &address, errno) : -errno;
    if (rc) {
        close(fd);
        return sim_fail(err, rc, "--wire link:%s: %s", path,
                        rc == -ENOTSOCK ? "exists and is not a socket" : strerror(-rc));
    }
    fds[0] = fd;
    return 0;
}

/* The peer has come. shutdown() reaches the launcher's descriptor of the listening socket too. */
static void take_peer(int fd)
{
    const int bytes = BUFFER_BYTES;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0)
        return;
    setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    shutdown(fd, SHUT_RDWR);
    dup3(peer, fd, O_CLOEXEC);
    close(peer);
}

static ssize_t link_receive(struct sim_wire *w, void *frame, size_t room)
{
    int fd = w->fds[0];
    ssize_t n = recv(fd, frame, room, MSG_DONTWAIT);
    if (n > 0)
        return n;
    if (n == 0)
        return -EPIPE; /* the other NIC is gone */
    if (errno == EINVAL || errno == ENOTCONN) {
        take_peer(fd);
        return 0;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static int link_send(struct sim_wire *w, const void *frame, size_t n)
{
    return send(w->fds[0], frame, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Who listened has made the name and takes it away. */
static void link_release(int fd)
{
    struct sockaddr_un address = {0};
    socklen_t n = sizeof address - 1;
    if (!getsockname(fd, (struct sockaddr *)&address, &n) && n > sizeof address.sun_family)
        unlink(address.sun_path);
}

const struct sim_wire_ops sim_wire_link = {
    .kind = "link",
    .syntax = "link:PATH",
    .help = "another simulated NIC whose wire has the same path, in this program or another",
    .check = link_check,
    .open = link_open,
    .release = link_release,
    .receive = link_receive,
    .send = link_send,
};
