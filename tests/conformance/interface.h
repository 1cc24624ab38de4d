/* interface.h - what packetdrill calls in a shared object that it is given with --so_filename.
 *
 * packetdrill asks the object for packetdrill_interface_init() and lets it fill this structure, whose order is the ABI.
 * Every call gets userdata first and otherwise behaves like the system call of its name: -1 and errno on failure. The
 * last ones stand for the network and the clock. Declared here from the interface's description, so that the project
 * builds without packetdrill.
 */
#ifndef CONFORMANCE_INTERFACE_H
#define CONFORMANCE_INTERFACE_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata);
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *address, socklen_t bytes);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *address, socklen_t *bytes);
    int (*connect)(void *userdata, int fd, const struct sockaddr *address, socklen_t bytes);
    ssize_t (*read)(void *userdata, int fd, void *bytes, size_t n);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int n_iov);
    ssize_t (*recv)(void *userdata, int fd, void *bytes, size_t n, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                        socklen_t *from_bytes);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *msg, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *bytes, size_t n);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int n_iov);
    ssize_t (*send)(void *userdata, int fd, const void *bytes, size_t n, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
                      socklen_t to_bytes);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *msg, int flags);
    int (*fcntl)(void *userdata, int fd, int command, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes);
    int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value, socklen_t bytes);
    int (*poll)(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms);

    /* Inject a bare IP packet. */
    int (*netdev_send)(void *userdata, const void *packet, size_t n);

    /* Wait for the next packet the stack sends: *n is the room, then the length; 0 when none comes. */
    int (*netdev_receive)(void *userdata, void *packet, size_t *n, long long *time_us);

    int (*usleep)(void *userdata, useconds_t us);
    int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epoll_fd, int op, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *userdata, int epoll_fd, struct epoll_event *events, int max, int timeout_ms);
    int (*pipe)(void *userdata, int fds[2]);
    int (*splice)(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t n, unsigned flags);
};

/* flags is what --so_flags said, or NULL. */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);

#endif
