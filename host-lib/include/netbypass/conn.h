/* conn.h - what an in-process application does with a TCP connection.
 *
 * Thread rule for every call here: only on the worker that owns the connection, i.e. from an application callback
 * (app.h) or from a function run by nb_runtime_call(). Nothing here blocks, allocates from the heap or locks.
 *
 * A connection is named by a handle, index and generation. A handle outlives its connection safely: calls on one that
 * is gone return -ENOTCONN. Handles are small; pass and store them by value.
 */
#ifndef NETBYPASS_CONN_H
#define NETBYPASS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netbypass/flow.h>

struct nb_worker;
struct rte_mbuf;

struct nb_conn {
    uint32_t index;
    uint32_t generation; /* never 0 for a real connection */
};

/* Where to connect. Zero it first. */
struct nb_connect {
    struct nb_addr remote;
    uint16_t remote_port; /* host byte order */
    uint8_t family;       /* enum nb_family */
    uint16_t local_port;  /* 0: chosen so that the answers reach this worker */
    struct nb_addr local; /* all zero: the address of the port that leads there */
    void *user;           /* the connection's nb_conn_set_user pointer from the start */
};

/* Begin a connection (active open, RFC 9293 §3.10.1) for the application whose instance on this worker is `state`, as
 * its callbacks get it (not NULL). Its on_connected is called when it stands, its on_closed when it does not come about
 * (NB_CLOSED_REFUSED, _TIMED_OUT, _RESET, _NO_PORT). Returns 0 and the handle; where a local port has to be asked of
 * another worker first, the handle is all zero until on_connected. -EINVAL: no such instance, no remote address or
 * port; -EAFNOSUPPORT; -ENETUNREACH; -EADDRNOTAVAIL: `local` is not ours, or no local port is left; -EADDRINUSE:
 * local_port is taken; -ENOBUFS: limits.connections are reached. */
int nb_conn_connect(struct nb_worker *w, const void *state, const struct nb_connect *to, struct nb_conn *c);

/* Queue a copy of bytes[0..n) for sending. Returns the bytes taken, which may be fewer than n (send buffer full: wait
 * for on_writable), or -ENOTCONN, -EPIPE (our side is closed already). Sent at the latest when the callback returns. */
int nb_conn_write(struct nb_worker *w, struct nb_conn c, const void *bytes, size_t n);

/* Queue an mbuf chain for sending without copying. Takes the chain on success (0). On -ENOTCONN, -EPIPE and -ENOBUFS
 * (send buffer full) the caller keeps it. */
int nb_conn_send(struct nb_worker *w, struct nb_conn c, struct rte_mbuf *data);

/* Bytes that nb_conn_write would take now; 0 for a connection that is gone or closed for sending. */
size_t nb_conn_writable(struct nb_worker *w, struct nb_conn c);

/* The application is done with n received bytes: the receive window opens by as much (RFC 9293 §3.8.6.2.2 decides when
 * the peer is told). Freeing the mbufs is the application's own business and may come before or after. */
void nb_conn_consumed(struct nb_worker *w, struct nb_conn c, size_t n);

/* No more data from us: FIN goes out after what is queued (RFC 9293 §3.10.4). The connection goes on receiving. */
int nb_conn_shutdown(struct nb_worker *w, struct nb_conn c);

/* As shutdown, and the application wants no more events except on_closed: data that still arrives is discarded as
 * Linux's close() does (RST if data was unread or arrives later, RFC 9293 §3.10.4 / RFC 1122 §4.2.2.13). */
int nb_conn_close(struct nb_worker *w, struct nb_conn c);

/* Send RST and forget the connection (RFC 9293 §3.10.5). on_closed is called before this returns. */
void nb_conn_abort(struct nb_worker *w, struct nb_conn c);

/* One pointer of the application's per connection, passed back in every callback. NULL at first. */
void nb_conn_set_user(struct nb_worker *w, struct nb_conn c, void *user);

/* Keep the connection on this worker, or no longer: a pinned one is not moved (app.h: on_leave). Returns 0 or
 * -ENOTCONN. */
int nb_conn_pin(struct nb_worker *w, struct nb_conn c, bool on);

/* Give the connection to worker `to`, as netbypassctl flow move does: it leaves at the end of this turn or a little later,
 * by on_leave and on_arrive (app.h), unless something stands in the way then (the worker counts move_refused). Returns
 * 0, -ENOTCONN, or -EINVAL: there is no such worker, or it is this one. */
int nb_conn_move(struct nb_worker *w, struct nb_conn c, unsigned to);

/* Where did it go? For a handle that calls here answer with -ENOTCONN: returns the worker that the connection was moved
 * to and its handle there in *there, or -ENOTCONN for one that ended, and for one that left before the last
 * NB_CONN_MOVES_KEPT that did. -EINPROGRESS: it is on its way. It may have moved on since; then ask there. */
#define NB_CONN_MOVES_KEPT 1024
int nb_conn_moved_to(struct nb_worker *w, struct nb_conn c, struct nb_conn *there);

/* The 5-tuple. Returns 0 or -ENOTCONN. */
int nb_conn_key(struct nb_worker *w, struct nb_conn c, struct nb_flow_key *key);

/* Allocate an mbuf from the worker's own pool for nb_conn_send, with headroom for headers; NULL when exhausted. */
struct rte_mbuf *nb_conn_buffer(struct nb_worker *w);

/* The application's instance `state` on this worker accepts connections, as at first, or does not for now. While it does
 * not, SYNs that reach this worker are accepted by the next worker whose instance does; where none does they are
 * dropped, and clients try again. Nobody is reset: a handshake that is just being completed goes to that worker, too.
 * From nb_app.ready on. Returns 0, or -EINVAL: no such instance, or it listens nowhere. */
int nb_worker_accept(struct nb_worker *w, const void *state, bool on);

/* This worker's number, 0 to workers - 1, how many there are, and its clock: microseconds, read once per loop. */
unsigned nb_worker_index(const struct nb_worker *w);
unsigned nb_worker_count(const struct nb_worker *w);
uint64_t nb_worker_now_us(const struct nb_worker *w);

#endif
