/* sockets.h - the socket layer's own view of itself: its objects, and what its files offer each other.
 *
 * Theory of operation. A descriptor names a file, which is a socket or an epoll. A socket is a small object that either
 * listens, or stands in front of at most one TCB; it holds what TCP has delivered and nobody has read. The TCP core
 * calls in through core_events.c, which changes sockets and then announces readiness (watch.h) to whoever watches:
 * epolls, and calls that sleep. A call that may sleep is a loop of "try, else wait for these events".
 *
 * Life. A socket is referred to by its descriptor, its TCB, its place in an accept queue, and calls that sleep in it.
 * Without a descriptor it goes on as an orphan until TCP is done with the connection. Options are shared, and copied
 * when one is changed, so that a thousand accepted connections have one block between them: their listener's.
 */
#ifndef NB_SOCKET_SOCKETS_H
#define NB_SOCKET_SOCKETS_H

#include "../tcp/block_pool.h"
#include "../tcp/info.h"
#include "../tcp/tcp.h"
#include "layer.h"
#include "watch.h"

#define NB_SOMAXCONN       4096 /* listen() clamps backlogs to this: Linux's net.core.somaxconn */
#define NB_SOCK_PORT_SLOTS 256  /* hash of explicitly bound sockets; servers bind few ports */
#define NB_FOREVER         UINT64_MAX

enum nb_file_kind { NB_FILE_SOCK, NB_FILE_EPOLL };

/* What a descriptor refers to; first member of both objects. */
struct nb_file {
    struct nb_watch *watchers;
    int fd;       /* -1: no descriptor (any more) */
    uint8_t kind; /* enum nb_file_kind */
    bool nonblock, cloexec;
};

/* Linux's socket states, with the listener told apart. What TCP itself is doing is the TCB's state. */
enum nb_sock_state {
    NB_SOCK_UNCONNECTED,
    NB_SOCK_LISTENING,
    NB_SOCK_CONNECTING, /* connect() was called and its result not reported yet */
    NB_SOCK_CONNECTED,
};

enum nb_sock_flag {
    NB_SOCK_V6 = 1 << 0,            /* opened as AF_INET6: addresses are shown that way */
    NB_SOCK_BOUND = 1 << 1,         /* in the table of bound sockets */
    NB_SOCK_RECV_SHUT = 1 << 2,     /* reads end: the peer's FIN, shutdown(SHUT_RD), or the connection is gone */
    NB_SOCK_SEND_SHUT = 1 << 3,     /* writes fail */
    NB_SOCK_DONE = 1 << 4,          /* the peer's FIN was seen, or the connection is gone */
    NB_SOCK_NO_SPACE = 1 << 5,      /* somebody found the send buffer full */
    NB_SOCK_DEFER_CONNECT = 1 << 6, /* TCP_FASTOPEN_CONNECT: connected for the user, the SYN waits for data */
    NB_SOCK_QUEUED = 1 << 7,        /* in an accept queue: somebody will have a descriptor of it */
};

/* Of the last urgent byte (urgent.c). */
enum nb_urgent_state {
    NB_URGENT_NONE,
    NB_URGENT_MARKED, /* it lies ahead of the reader, arrived or not */
    NB_URGENT_READ,   /* likewise, and recv(MSG_OOB) has taken it */
};

struct nb_sock_options;
struct nb_error_queue;

struct nb_sock {
    struct nb_file file;
    struct nb_tcb *tcb; /* NULL: none, or its connection is over */
    struct nb_sock_options *options;
    struct rte_mbuf *rx_head, *rx_tail; /* unread payload as one chain of segments */
    uint32_t rx_bytes;
    uint32_t rx_skip;            /* bytes of rx_head already read */
    struct nb_sock_extra *extra; /* NULL: nothing of it was needed so far */
    struct nb_sock *next;        /* of an accept queue */
    uint8_t state;               /* enum nb_sock_state */
    uint8_t flags;               /* enum nb_sock_flag */
    uint8_t urgent;              /* enum nb_urgent_state */
    uint16_t references;
    uint16_t writers;   /* calls that wait for the handshake with data at hand */
    int16_t error;      /* Linux's sk_err: a positive errno, reported once */
    int16_t soft_error; /* what to report if the connection dies for lack of an answer */
    uint32_t urgent_at; /* bytes from the first unread one to the urgent one */
};

static_assert(sizeof(struct nb_sock) <= 88, "docs/performance.md says what an idle socket costs");

/* What a socket has that was bound, listens, asked for its error queue, or had a connection that is over. Those that
 * were accepted, or connected without bind(), have none of it. From a pool with one for each socket. */
struct nb_sock_extra {
    struct nb_flow_key key; /* as bound, as deferred, or of the connection that is over; family 0: any */
    struct nb_sock *bound_next, **bound_prev;
    struct nb_sock *accept_head, *accept_tail; /* a listener's queue */
    uint32_t accept_count, backlog;
    struct nb_error_queue *errors; /* for MSG_ERRQUEUE; NULL: never needed */
    struct nb_tcp_info *last_info; /* what was known when the TCB ended; NULL: nothing */
};

struct nb_sockets {
    struct nb_sockets_env env;
    struct nb_sockets_config config;
    struct nb_tcp *tcp;
    struct nb_file **files; /* by descriptor */
    struct nb_block_pool socks;  /* struct nb_sock */
    struct nb_block_pool extras; /* struct nb_sock_extra: as many, so that taking one never fails */
    struct nb_sock *bound[NB_SOCK_PORT_SLOTS];
    struct nb_options_pool *options;
    struct nb_epoll_pool *epolls;
    struct nb_block_pool watches; /* struct nb_watch, of poll() */
    struct nb_block_pool errors;  /* error_queue.c */
    struct nb_block_pool infos;   /* struct nb_tcp_info */
};

/* --- file.c ----------------------------------------------------------------------------------- */

/* Give a file a descriptor; -EMFILE. */
int nb__file_install(struct nb_sockets *ns, struct nb_file *file);
void nb__file_remove(struct nb_sockets *ns, struct nb_file *file);
struct nb_file *nb__file_get(struct nb_sockets *ns, int fd); /* NULL: no such descriptor */

/* The socket under a descriptor; NULL with *err = -EBADF or -ENOTSOCK. */
struct nb_sock *nb__sock_get(struct nb_sockets *ns, int fd, int *err);

/* EPOLL* bits that hold now. */
uint32_t nb__file_events(struct nb_sockets *ns, struct nb_file *file);

/* --- sock.c ----------------------------------------------------------------------------------- */

struct nb_sock *nb__sock_new(struct nb_sockets *ns, bool v6); /* one reference, default options; NULL: pool empty */
void nb__sock_hold(struct nb_sock *sock);
void nb__sock_put(struct nb_sockets *ns, struct nb_sock *sock);

/* The socket's extra: to be written to, taken if it has none yet; and to be read, all zero if it has none. */
struct nb_sock_extra *nb__sock_extra(struct nb_sockets *ns, struct nb_sock *sock);
const struct nb_sock_extra *nb__sock_extra_of(const struct nb_sock *sock);

/* Its addresses and ports: the connection's, else as in its extra. */
const struct nb_flow_key *nb__sock_key(const struct nb_sock *sock);

/* Tie a TCB and a socket together, and part them when the TCB is gone. */
void nb__sock_attach(struct nb_sockets *ns, struct nb_sock *sock, struct nb_tcb *tcb);
void nb__sock_detach(struct nb_sockets *ns, struct nb_sock *sock);

/* TCP's state, CLOSED without a TCB. */
enum nb_tcp_state nb__sock_tcp_state(const struct nb_sock *sock);

/* The pending error as a negative errno, cleared; 0: none. */
int nb__sock_take_error(struct nb_sock *sock);

/* Drop what has not been read; true if there was any. */
bool nb__sock_drop_unread(struct nb_sock *sock);

/* Readiness, as Linux's tcp_poll computes it. Notes NO_SPACE when the socket is not writable. */
uint32_t nb__sock_events(struct nb_sockets *ns, struct nb_sock *sock);

/* --- recv.c ----------------------------------------------------------------------------------- */

/* n bytes were read: free what is used up and open the window. */
void nb__sock_consume(struct nb_sockets *ns, struct nb_sock *sock, size_t n);

/* Nothing (more) to read: is that the end? 1: yes, return what there is; 0: worth waiting; negative: this error. */
int nb__sock_stream_end(struct nb_sock *sock, bool have_some);

/* The unread byte so many behind the first. */
uint8_t nb__sock_byte_at(const struct nb_sock *sock, uint32_t at);

/* --- urgent.c --------------------------------------------------------------------------------- */

/* How a read stands to the mark of urgent data, `at` bytes behind the first unread one. */
struct nb_urgent_limit {
    size_t most; /* bytes that may be read up to the mark */
    bool mark;   /* it is right here: who has read something returns */
    bool skip;   /* and the urgent byte is to be left out */
};
struct nb_urgent_limit nb__urgent_limit(const struct nb_sock *sock, size_t at);

/* The reader goes on by n bytes. */
void nb__urgent_pass(struct nb_sock *sock, size_t n);

/* Has the urgent byte arrived, and nobody has read it? Then there is something for POLLPRI. */
bool nb__urgent_waits(const struct nb_sock *sock);

/* What SIOCINQ and TCP_INQ count: up to the mark, and beyond only if the urgent byte is in line. */
uint32_t nb__urgent_readable(const struct nb_sock *sock);

/* recv(MSG_OOB). */
ssize_t nb__urgent_read(struct nb_sock *sock, struct msghdr *msg, int flags);

/* --- blocking.c ------------------------------------------------------------------------------- */

/* When a call that starts now must give up: timeout_us 0 waits for ever, nonblock not at all (returns 0). */
uint64_t nb__sock_deadline(const struct nb_sockets *ns, bool nonblock, uint64_t timeout_us);

/* The fire of a watch whose owner is a struct nb_sock_sleep. */
void nb__sock_wake(struct nb_sockets *ns, struct nb_watch *watch, uint32_t events);

/* Sleep until the socket announces one of events. 0 when woken, -EAGAIN at the deadline, -EINTR. */
int nb__sock_wait(struct nb_sockets *ns, struct nb_sock *sock, uint32_t events, uint64_t deadline_us);

/* --- connect.c -------------------------------------------------------------------------------- */

/* The first half of connect(): choose the tuple and open (or note that the SYN waits for data). 0, -EINPROGRESS while
 * the handshake runs, or the error. */
int nb__sock_start_connect(struct nb_sockets *ns, struct nb_sock *sock, const struct sockaddr *to, socklen_t bytes);

/* The same for sendmsg with MSG_FASTOPEN, or the first one after a deferred connect(): as much of the data as can
 * travels with the SYN; *taken says how much. */
int nb__sock_start_fastopen(struct nb_sockets *ns, struct nb_sock *sock, const struct sockaddr *to, socklen_t bytes,
                            const struct iovec *iov, size_t n_iov, size_t *taken);

/* Wait for the handshake and report its result, once; 0, -EINPROGRESS, or the error. */
int nb__sock_finish_connect(struct nb_sockets *ns, struct nb_sock *sock, uint64_t deadline_us);

/* Give the socket back unconnected, resetting what there was. */
int nb__sock_disconnect(struct nb_sockets *ns, struct nb_sock *sock);

/* --- listen.c --------------------------------------------------------------------------------- */

bool nb__accept_queue_full(const struct nb_sock *listener);

/* Takes the caller's reference to child. */
void nb__accept_queue_push(struct nb_sock *listener, struct nb_sock *child);

/* Back to unconnected; connections that nobody accepted are reset. */
void nb__sock_stop_listening(struct nb_sockets *ns, struct nb_sock *sock);

/* --- bind.c ----------------------------------------------------------------------------------- */

/* Take a port of the ephemeral range for a listener that was not bound. */
int nb__sock_autobind(struct nb_sockets *ns, struct nb_sock *sock);
void nb__sock_unbind(struct nb_sock *sock);

#endif
