/* wire_tap.c - a wire whose other end is a Linux network interface: ordinary clients, ping, tcpdump.
 *
 * The TAP is attached to when it exists (ip tuntap add NAME mode tap [user NAME]) and otherwise made, then it goes when
 * the last holder of its descriptor ends. No offloads are asked for, so the kernel hands over frames as they would be
 * on a cable: at most the MTU long, checksums complete.
 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int explain(int error, const char *name, struct sim_error *err)
{
    switch (error) {
    case EPERM:
    case EACCES:
        return sim_fail(err, -error,
                        "--wire tap:%s: not permitted. Making a TAP needs CAP_NET_ADMIN: be root, or enter a namespace "
                        "of your own (unshare -Urn), or have root make it for you "
                        "(ip tuntap add dev %s mode tap user USER)",
                        name, name);
    case EBUSY:
        return sim_fail(err, -error, "--wire tap:%s: another process holds this TAP", name);
    case EINVAL:
        return sim_fail(err, -error, "--wire tap:%s: an interface of this name exists and is not a single-queue TAP",
                        name);
    default:
        return sim_fail(err, -error, "--wire tap:%s: %s", name, strerror(error));
    }
}

static int tap_check(const char *name, struct sim_error *err)
{
    if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ %"))
        return sim_fail(err, -EINVAL, "--wire tap:%s: wanted an interface name of 1 to %d characters", name,
                        IFNAMSIZ - 1);
    return 0;
}

static int tap_open(const char *name, int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    strcpy(ifr.ifr_name, name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
        return sim_fail(err, -errno, "--wire tap:%s: /dev/net/tun: %s (is the kernel module tun there?)", name,
                        strerror(errno));
    if (fd < 0)
        return explain(errno, name, err);
    if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
        int error = errno;
        close(fd);
        return explain(error, name, err);
    }
    fds[0] = fd;
    return 0;
}

/* EIO is how a TAP says that its interface is down: no frames, not a fault. EBADFD: the interface was deleted. */
static ssize_t tap_receive(struct sim_wire *w, void *frame, size_t room)
{
    int fd = w->fds[0];
    ssize_t n = read(fd, frame, room);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR || errno == EIO ? 0 : -errno;
}

static int tap_send(struct sim_wire *w, const void *frame, size_t n)
{
    return write(w->fds[0], frame, n) < 0 ? -errno : 0;
}

const struct sim_wire_ops sim_wire_tap = {
    .kind = "tap",
    .syntax = "tap:INTERFACE",
    .help = "a Linux TAP interface, made when it does not exist",
    .check = tap_check,
    .open = tap_open,
    .receive = tap_receive,
    .send = tap_send,
};
