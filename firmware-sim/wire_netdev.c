/* wire_netdev.c - a wire that is an existing network interface: one end of a veth, or a real port.
 *
 * A packet socket with all frames of the interface, in promiscuous mode. What Linux leaves to hardware it leaves to us:
 * checksums of locally sent frames are completed here, VLAN tags are put back. Segments larger than a frame are not
 * cut; they are dropped, and the man page tells how to keep the sender from making them.
 */
#include "wire.h"

#include "checksum.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESSES_BYTES 12
#define TAG_BYTES       4
#define BUFFER_BYTES    (4 << 20) /* bursts of the sender while the engine is elsewhere */

static int set_option(int fd, int name, int value)
{
    return setsockopt(fd, SOL_PACKET, name, &value, sizeof value);
}

static int attach(int fd, int index)
{
    const struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    const struct packet_mreq all = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
    const int bytes = BUFFER_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (set_option(fd, PACKET_IGNORE_OUTGOING, 1) || set_option(fd, PACKET_VNET_HDR, 1) ||
        set_option(fd, PACKET_AUXDATA, 1) || set_option(fd, PACKET_QDISC_BYPASS, 1) ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) ||
        bind(fd, (const struct sockaddr *)&address, sizeof address))
        return -errno;
    return 0;
}

static int netdev_check(const char *name, struct sim_error *err)
{
    if (!*name || strlen(name) >= IFNAMSIZ)
        return sim_fail(err, -EINVAL, "--wire netdev:%s: wanted an interface name of 1 to %d characters", name,
                        IFNAMSIZ - 1);
    return 0;
}

static int netdev_open(const char *name, int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    int index = if_nametoindex(name);
    if (!index)
        return sim_fail(err, -ENODEV, "--wire netdev:%s: no such interface", name);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? -errno : attach(fd, index);
    if (!rc) {
        fds[0] = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    return sim_fail(err, rc, "--wire netdev:%s: %s%s", name, strerror(-rc),
                    rc == -EPERM ? ". It needs CAP_NET_RAW: be root, or enter a namespace of your own" : "");
}

/* One frame with what Linux says about it. -EMSGSIZE: too long to be one. */
static ssize_t receive_raw(int fd, struct virtio_net_hdr *about, void *frame, size_t room, uint32_t *tag)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct iovec iov[] = {{about, sizeof *about}, {frame, room}};
    struct msghdr msg = {
        .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct tpacket_auxdata aux;
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    if (msg.msg_flags & MSG_TRUNC || n < (ssize_t)sizeof *about || about->gso_type != VIRTIO_NET_HDR_GSO_NONE)
        return -EMSGSIZE;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (aux.tp_status & TP_STATUS_VLAN_VALID)
            *tag = ETH_P_8021Q << 16 | aux.tp_vlan_tci;
    }
    return n - sizeof *about;
}

/* The field holds the pseudo header's sum; add the rest of the segment (include/linux/virtio_net.h). */
static void complete_checksum(uint8_t *frame, size_t n, const struct virtio_net_hdr *about)
{
    size_t start = about->csum_start, field = start + about->csum_offset;
    if (!(about->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || field + 2 > n)
        return;
    uint16_t sum = ~sim_checksum_fold(sim_checksum_add(0, frame + start, n - start));
    sum = htons(sum ? sum : 0xffff); /* zero would say that a UDP datagram has none */
    memcpy(frame + field, &sum, sizeof sum);
}

static size_t put_tag_back(uint8_t *frame, size_t n, uint32_t tag)
{
    const uint32_t wire_order = htonl(tag);
    memmove(frame + ADDRESSES_BYTES + TAG_BYTES, frame + ADDRESSES_BYTES, n - ADDRESSES_BYTES);
    memcpy(frame + ADDRESSES_BYTES, &wire_order, TAG_BYTES);
    return n + TAG_BYTES;
}

static ssize_t netdev_receive(struct sim_wire *w, void *frame, size_t room)
{
    int fd = w->fds[0];
    struct virtio_net_hdr about = {0};
    uint32_t tag = 0;
    ssize_t n;
    while ((n = receive_raw(fd, &about, frame, room - TAG_BYTES, &tag)) == -EMSGSIZE)
        w->lost++;
    if (n < 0) /* ENETDOWN: the interface is down, not gone */
        return n == -EAGAIN || n == -EINTR || n == -ENETDOWN ? 0 : n;
    complete_checksum(frame, n, &about);
    return tag && n >= ADDRESSES_BYTES ? (ssize_t)put_tag_back(frame, n, tag) : n;
}

static int netdev_send(struct sim_wire *w, const void *frame, size_t n)
{
    struct virtio_net_hdr about = {0};
    union {
        const void *in;
        void *iov;
    } bytes = {frame};
    struct iovec iov[] = {{&about, sizeof about}, {bytes.iov, n}};
    const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    return sendmsg(w->fds[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Frames for which the socket had no room; asking sets the kernel's counter back. */
static void netdev_count_lost(struct sim_wire *w)
{
    struct tpacket_stats since;
    socklen_t n = sizeof since;
    if (!getsockopt(w->fds[0], SOL_PACKET, PACKET_STATISTICS, &since, &n))
        w->lost += since.tp_drops;
}

const struct sim_wire_ops sim_wire_netdev = {
    .kind = "netdev",
    .syntax = "netdev:INTERFACE",
    .help = "an existing network interface: one end of a veth, or a real port",
    .check = netdev_check,
    .open = netdev_open,
    .receive = netdev_receive,
    .send = netdev_send,
    .flush = netdev_count_lost,
};
