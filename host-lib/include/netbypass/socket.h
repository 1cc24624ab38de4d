/* socket.h - BSD-style sockets, poll and epoll on one worker's TCP, with Linux's semantics.
 *
 * What the manual pages of socket(7), tcp(7), poll(2) and epoll(7) say holds here. Names are Linux's own (AF_*, SO_*,
 * TCP_*, MSG_*, EPOLL*), structures are those of the system headers, and results are Linux's: a value of 0 or more, or
 * a negative errno. Buffers are the caller's and are copied; a NULL buffer with a length above 0 is -EFAULT.
 *
 * Threads: a struct nb_sockets belongs to its worker. All calls come from one thread at a time, the worker's own or
 * callers that take turns behind one lock.
 *
 * Blocking. The layer itself never sleeps. Where Linux would put the caller to sleep, a hook of its owner is called: it
 * may wait on a condition variable, switch coroutines, or run the loop. On a plain worker there is no such hook, and
 * every call behaves as if O_NONBLOCK were set: -EAGAIN, or -EINPROGRESS for connect.
 */
#ifndef NETBYPASS_SOCKET_H
#define NETBYPASS_SOCKET_H

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct nb_sockets; /* one worker's sockets */

/* --- life ------------------------------------------------------------------------------------- */

/* AF_INET or AF_INET6, SOCK_STREAM with SOCK_NONBLOCK and SOCK_CLOEXEC, protocol 0 or IPPROTO_TCP. */
int nb_sock_open(struct nb_sockets *ns, int domain, int type, int protocol);
int nb_sock_bind(struct nb_sockets *ns, int fd, const struct sockaddr *address, socklen_t bytes);
int nb_sock_listen(struct nb_sockets *ns, int fd, int backlog);
int nb_sock_accept(struct nb_sockets *ns, int fd, struct sockaddr *address, socklen_t *bytes, int flags);

/* An address of family AF_UNSPEC dissolves the association and gives the socket back unconnected. */
int nb_sock_connect(struct nb_sockets *ns, int fd, const struct sockaddr *address, socklen_t bytes);
int nb_sock_shutdown(struct nb_sockets *ns, int fd, int how);

/* Close a descriptor of either kind. A socket lives on until its connection has ended. */
int nb_sock_close(struct nb_sockets *ns, int fd);
int nb_sock_getsockname(struct nb_sockets *ns, int fd, struct sockaddr *address, socklen_t *bytes);
int nb_sock_getpeername(struct nb_sockets *ns, int fd, struct sockaddr *address, socklen_t *bytes);

/* --- data ------------------------------------------------------------------------------------- */

/* Flags for sending: MSG_DONTWAIT, MSG_MORE, MSG_EOR, MSG_NOSIGNAL (the layer never raises SIGPIPE; its caller may),
 * MSG_FASTOPEN, MSG_ZEROCOPY (the data is copied, and the notification says so), MSG_OOB. For receiving: MSG_DONTWAIT,
 * MSG_PEEK, MSG_WAITALL, MSG_TRUNC (discard), MSG_ERRQUEUE, MSG_OOB. */
ssize_t nb_sock_sendmsg(struct nb_sockets *ns, int fd, const struct msghdr *msg, int flags);
ssize_t nb_sock_recvmsg(struct nb_sockets *ns, int fd, struct msghdr *msg, int flags);

ssize_t nb_sock_send(struct nb_sockets *ns, int fd, const void *bytes, size_t n, int flags);
ssize_t nb_sock_sendto(struct nb_sockets *ns, int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
                       socklen_t to_bytes);
ssize_t nb_sock_recv(struct nb_sockets *ns, int fd, void *bytes, size_t n, int flags);
ssize_t nb_sock_recvfrom(struct nb_sockets *ns, int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                         socklen_t *from_bytes);
ssize_t nb_sock_writev(struct nb_sockets *ns, int fd, const struct iovec *iov, int n_iov);
ssize_t nb_sock_readv(struct nb_sockets *ns, int fd, const struct iovec *iov, int n_iov);

/* What splice(2) out of a socket does: up to n unread bytes are handed to take() where they lie, piece by piece,
 * without a copy. take returns how many of them it took, fewer than it got to end the call, or a negative errno. Waits
 * as a read does (flags: MSG_DONTWAIT). Returns the bytes taken; 0 at the end of the stream, and before an urgent byte,
 * which only the reading calls pass. (Into a socket there is nb_sock_send: it copies once.) */
typedef ssize_t nb_sock_taker(void *arg, const void *bytes, size_t n);
ssize_t nb_sock_splice(struct nb_sockets *ns, int fd, size_t n, int flags, nb_sock_taker *take, void *arg);

/* What sendfile(2) does: up to n bytes of a file go out. in_fd is a descriptor of the kernel's, of a file that can be
 * read at a position. It is read from *offset on, which is then moved behind what was sent, or with NULL from the
 * file's position, which is moved likewise. Returns the bytes sent: fewer than n at the end of the file, where the call
 * would have to wait, or with Linux's limit of 0x7ffff000; 0 at the end. -EBADF: either descriptor; -EINVAL, -ESPIPE
 * (with offset): not such a file; and what nb_sock_send and pread(2) say. Reading waits for the disk as pread(2) does.
 */
ssize_t nb_sock_sendfile(struct nb_sockets *ns, int fd, int in_fd, off_t *offset, size_t n);

/* --- settings --------------------------------------------------------------------------------- */

int nb_sock_setsockopt(struct nb_sockets *ns, int fd, int level, int name, const void *value, socklen_t bytes);
int nb_sock_getsockopt(struct nb_sockets *ns, int fd, int level, int name, void *value, socklen_t *bytes);

/* F_GETFL and F_SETFL (O_NONBLOCK is what can be changed), F_GETFD and F_SETFD. */
int nb_sock_fcntl(struct nb_sockets *ns, int fd, int command, long argument);

/* FIONBIO, FIONREAD = SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK. */
int nb_sock_ioctl(struct nb_sockets *ns, int fd, unsigned long request, void *argument);

/* --- readiness -------------------------------------------------------------------------------- */

/* As ppoll(2) without the signal mask; timeout_us below 0 waits without limit. */
int nb_sock_poll(struct nb_sockets *ns, struct pollfd *fds, nfds_t n, int64_t timeout_us);

int nb_epoll_create(struct nb_sockets *ns, int flags);
int nb_epoll_ctl(struct nb_sockets *ns, int epoll_fd, int op, int fd, struct epoll_event *event);
int nb_epoll_wait(struct nb_sockets *ns, int epoll_fd, struct epoll_event *events, int max, int64_t timeout_us);

#endif
