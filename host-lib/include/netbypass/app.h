/* app.h - an in-process application: callbacks that run to completion on the worker.
 *
 * An application is one struct nb_app, compiled in (nb_runtime_config.apps) or exported under the name `nb_app` by a
 * shared object that netbypassd loads (`apps:` in its configuration). Every worker has an instance of its own, `state`;
 * instances share nothing. A callback must not block. All callbacks of a connection run on the worker that owns it.
 *
 * A callback that is NULL means "nothing to do": every connection is accepted, data is thrown away and the window given
 * back, the other events are ignored.
 */
#ifndef NETBYPASS_APP_H
#define NETBYPASS_APP_H

#include <netbypass/conn.h>
#include <netbypass/error.h>

enum nb_closed_reason {
    NB_CLOSED_NORMAL,      /* both sides finished */
    NB_CLOSED_RESET,       /* the peer sent RST */
    NB_CLOSED_TIMED_OUT,   /* retransmission limit reached (RFC 9293 §3.8.3 R2) */
    NB_CLOSED_ABORTED,     /* nb_conn_abort, or the worker is stopping */
    NB_CLOSED_REFUSED,     /* active open answered with RST */
    NB_CLOSED_NO_PORT,     /* active open for which no worker had a local port; there is no handle */
    NB_CLOSED_UNREACHABLE, /* ICMP said, before the connection was established, that there is no way */
};

/* A key and value from the application's own section of the configuration. */
struct nb_app_option {
    const char *key, *value;
};

#define NB_APP_ABI 3

struct nb_app {
    unsigned abi;     /* NB_APP_ABI */
    const char *name; /* as shown by netbypassctl */

    /* Called once per worker, on that worker's thread, before any traffic. *state is the instance. An unknown option
     * or bad value is refused with a text that names the accepted ones; the start of the daemon then fails. */
    int (*start)(struct nb_worker *w, const struct nb_app_option *options, unsigned n_options, void **state,
                 struct nb_error *err);
    void (*stop)(struct nb_worker *w, void *state);

    /* Called once per worker when the ports run: from here on connections can be opened (nb_conn_connect). */
    void (*ready)(struct nb_worker *w, void *state);

    /* Which worker is to accept a connection from here (runtime.h: NB_DISTRIBUTE_APPLICATION)? Asked when its SYN comes,
     * at its home. Returns a number below nb_worker_count(); any other means this worker. */
    unsigned (*choose_worker)(struct nb_worker *w, void *state, const struct nb_flow_key *key);

    /* A connection is established. Return false to refuse it (RST). */
    bool (*on_accept)(struct nb_worker *w, void *state, struct nb_conn c);

    /* A connection that nb_conn_connect began is established. */
    void (*on_connected)(struct nb_worker *w, void *state, struct nb_conn c, void *user);

    /* In-order data, of one segment or of several that arrived in a row. The application owns the chain `data` from here
     * and frees it with rte_pktmbuf_free(); it holds payload only. nb_conn_consumed() gives the window back. */
    void (*on_data)(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data);

    /* Space in the send buffer after nb_conn_write or nb_conn_send had come up short. Edge: once per shortage. */
    void (*on_writable)(struct nb_worker *w, void *state, struct nb_conn c, void *user);

    /* The peer sent FIN and all its data was delivered. */
    void (*on_peer_closed)(struct nb_worker *w, void *state, struct nb_conn c, void *user);

    /* The last callback of a connection; its handle is dead afterwards. Not called for a connection that on_accept
     * refused. TIME-WAIT counts as gone. */
    void (*on_closed)(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason);

    /* The connection moves to worker `to`, where this application's instance serves it from now on. on_leave is the
     * last callback here; it returns what the target's instance will find as the connection's pointer: `user` itself,
     * or something that belongs to neither instance (NULL is a value like any other). Received data that the
     * application still holds stays its own, and is freed and consumed at the target. on_arrive is the first callback
     * there, with the handle that counts from now on.
     *
     * Between the two the connection is nobody's; what happens to it is kept. A connection with a pointer whose
     * application has no on_leave and on_arrive is not moved, and neither is one that nb_conn_pin() holds. */
    void *(*on_leave)(struct nb_worker *w, void *state, struct nb_conn c, void *user, unsigned to);
    void (*on_arrive)(struct nb_worker *w, void *state, struct nb_conn c, void *user);
};

#endif
