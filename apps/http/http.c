/* http.c - the bundled HTTP responder: a netbypass application that answers GET and HEAD of what response.h lists.
 *
 * Theory of operation. A connection is always in one of four phases:
 *
 *   AWAITING    parsing input; none is kept that could be parsed
 *   RESPONDING  a response did not fit into the send buffer; further input is kept unparsed and unconsumed, so the
 *               receive window, not memory, holds back a peer that asks without reading; on_writable goes on
 *   LINGERING   the last response and our FIN are queued, but the peer may still be sending: its data is discarded
 *               until its FIN, because a RST could overtake the response (RFC 9112 §9.6)
 *   CLOSED      nb_conn_close was called; on_closed comes
 *
 * A response is a value and a count of bytes sent: where sending stopped, it goes on by making the same bytes again.
 * Connections come from a pool made at start; nothing is allocated afterwards.
 */
#include <netbypass/app.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../kept.h"
#include "../option.h"
#include "parser.h"
#include "response.h"

#define CONNECTIONS_DEFAULT 65536     /* about 11 MiB a worker; as many as limits.connections has by default */
#define CONNECTIONS_MAX     (1 << 20) /* 176 MiB a worker */
#define CONNECTIONS_MOVING  64        /* as many again may be between two workers: their records come back */
#define CHUNK_BYTES         16384     /* of pattern per nb_conn_write: the table stays in the second-level cache */
#define LINGER_BYTES_MAX    (2 << 20) /* discarded from a peer that goes on sending: a refused body, and no more */

enum phase { AWAITING, RESPONDING, LINGERING, CLOSED };

struct http_conn {
    struct http_parser parser;
    struct http_response response;
    uint64_t sent;         /* bytes of the response, head included, that the stack has taken */
    struct app_kept input; /* kept while RESPONDING */
    uint32_t lingered_bytes;
    enum phase phase;
    bool peer_closed;
    struct http_worker *owner; /* whose pool it is from */
    struct http_conn *next_free;
};

/* An instance: one worker's. */
struct http_worker {
    uint64_t n, most; /* connections here; with `most` of them we accept no more, and another worker does */
    struct http_conn *conn;
    struct http_conn *free;
    _Atomic(struct http_conn *) returned; /* by other workers, of connections that moved there */
    uint8_t pattern[HTTP_PATTERN_PERIOD + CHUNK_BYTES];
};

/* --- kept input --------------------------------------------------------------------------------------------------- */

/* Parse kept input up to the end of one request. */
static enum http_outcome parse_input(struct nb_worker *w, struct nb_conn c, struct http_conn *conn)
{
    enum http_outcome outcome = HTTP_NEED_MORE;
    size_t consumed = 0;
    while (conn->input.head && outcome == HTTP_NEED_MORE) {
        struct rte_mbuf *m = conn->input.head;
        size_t taken;
        outcome = http_parser_feed(&conn->parser, rte_pktmbuf_mtod(m, char *), m->data_len, &taken);
        consumed += taken;
        m->data_off += taken;
        m->data_len -= taken;
        if (m->data_len == 0)
            rte_pktmbuf_free_seg(app_kept_take(&conn->input));
    }
    if (consumed)
        nb_conn_consumed(w, c, consumed);
    return outcome;
}

/* --- responding --------------------------------------------------------------------------------------------------- */

/* Write what is left of bytes[0..n), which lie at offset `at` of the response. True when all of it is gone. */
static bool write_part(struct nb_worker *w, struct nb_conn c, struct http_conn *conn, uint64_t at, const void *bytes,
                       size_t n)
{
    size_t done = conn->sent - at;
    int taken = nb_conn_write(w, c, (const char *)bytes + done, n - done);
    if (taken > 0)
        conn->sent += (unsigned)taken;
    return conn->sent == at + n;
}

/* Head and, so that both leave in one segment, a short body. */
static bool write_head(struct nb_worker *w, struct nb_conn c, struct http_conn *conn, size_t *bytes)
{
    char out[HTTP_HEAD_MAX + HTTP_TEXT_MAX];
    const char *text = http_response_text(&conn->response);
    size_t n = http_response_head(&conn->response, out);
    if (text && !conn->response.head_only) {
        memcpy(out + n, text, conn->response.body_bytes);
        n += conn->response.body_bytes;
    }
    *bytes = n;
    return conn->sent >= n || write_part(w, c, conn, 0, out, n);
}

static bool write_pattern(struct nb_worker *w, struct nb_conn c, struct http_conn *conn, const uint8_t *pattern,
                          uint64_t at)
{
    uint64_t end = at + http_response_body_bytes(&conn->response);
    while (conn->sent < end) {
        uint64_t from = conn->sent, left = end - from;
        size_t n = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        if (!write_part(w, c, conn, from, pattern + (from - at) % HTTP_PATTERN_PERIOD, n))
            return false;
    }
    return true;
}

/* Send on. True when the whole response has been taken by the stack. */
static bool send_response(struct nb_worker *w, const struct http_worker *http, struct nb_conn c, struct http_conn *conn)
{
    size_t head_bytes;
    if (!write_head(w, c, conn, &head_bytes))
        return false;
    return http_response_text(&conn->response) || write_pattern(w, c, conn, http->pattern, head_bytes);
}

static void begin_response(struct http_conn *conn, struct http_response response)
{
    conn->response = response;
    conn->sent = 0;
    conn->phase = RESPONDING;
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

/* nb_conn_close and nb_conn_abort may call on_closed, which gives conn back: callers return at once. */
static void close_conn(struct nb_worker *w, struct nb_conn c, struct http_conn *conn)
{
    conn->phase = CLOSED;
    nb_conn_close(w, c);
}

static void discard_input(struct nb_worker *w, struct nb_conn c, struct http_conn *conn)
{
    size_t n = app_kept_drop(&conn->input);
    if (n)
        nb_conn_consumed(w, c, n);
    conn->lingered_bytes += (uint32_t)n;
    if (conn->lingered_bytes > LINGER_BYTES_MAX)
        nb_conn_abort(w, c);
}

/* The last response is on its way. More may come from the peer when its request was broken, has a body still to come,
 * or was followed by others. */
static void finish(struct nb_worker *w, struct nb_conn c, struct http_conn *conn, bool broken)
{
    bool more = broken || conn->parser.body_left || conn->input.head;
    if (!more || conn->peer_closed) {
        size_t unread = app_kept_drop(&conn->input);
        if (unread)
            nb_conn_consumed(w, c, unread);
        close_conn(w, c, conn);
        return;
    }
    conn->phase = LINGERING;
    nb_conn_shutdown(w, c);
    discard_input(w, c, conn);
}

/* Respond and parse by turns until something is missing: room to send, or input. */
static void advance(struct nb_worker *w, const struct http_worker *http, struct nb_conn c, struct http_conn *conn)
{
    for (;;) {
        if (conn->phase == RESPONDING) {
            if (!send_response(w, http, c, conn))
                return;
            if (conn->response.close) {
                finish(w, c, conn, conn->parser.status != 0);
                return;
            }
            conn->phase = AWAITING;
        }
        switch (parse_input(w, c, conn)) {
        case HTTP_REQUEST:
            begin_response(conn, http_respond(&conn->parser.request));
            break;
        case HTTP_BROKEN:
            begin_response(conn, http_refuse(conn->parser.status));
            break;
        case HTTP_NEED_MORE:
            if (conn->peer_closed)
                close_conn(w, c, conn);
            return;
        }
    }
}

/* --- callbacks ---------------------------------------------------------------------------------------------------- */

/* One of the pool, or of those that other workers have given back. NULL: there are no more. */
static struct http_conn *take_conn(struct http_worker *http)
{
    if (!http->free)
        http->free = atomic_exchange(&http->returned, NULL);
    struct http_conn *conn = http->free;
    if (conn)
        http->free = conn->next_free;
    return conn;
}

/* One more or one less. */
static void count(struct nb_worker *w, struct http_worker *http, bool more)
{
    bool was_full = http->n >= http->most;
    if (more)
        http->n++;
    else
        http->n--;
    if (was_full != (http->n >= http->most))
        nb_worker_accept(w, http, was_full);
}

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn c)
{
    struct http_worker *http = state;
    struct http_conn *conn = take_conn(http);
    if (!conn)
        return false;
    count(w, http, true);
    memset(conn, 0, sizeof *conn);
    conn->owner = http;
    http_parser_init(&conn->parser);
    nb_conn_set_user(w, c, conn);
    return true;
}

static void on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    struct http_conn *conn = user;
    app_keep(&conn->input, data);
    if (conn->phase == AWAITING)
        advance(w, state, c, conn);
    else if (conn->phase != RESPONDING)
        discard_input(w, c, conn);
}

static void on_writable(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct http_conn *conn = user;
    if (conn->phase == RESPONDING)
        advance(w, state, c, conn);
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct http_conn *conn = user;
    (void)state;
    conn->peer_closed = true;
    if (conn->phase == AWAITING || conn->phase == LINGERING)
        close_conn(w, c, conn);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    struct http_worker *http = state;
    struct http_conn *conn = user;
    (void)c, (void)reason;
    if (!conn)
        return;
    count(w, http, false);
    app_kept_drop(&conn->input);
    conn->next_free = http->free;
    http->free = conn;
}

/* The source keeps nothing; its record goes along and comes back empty. */
static void *on_leave(struct nb_worker *w, void *state, struct nb_conn c, void *user, unsigned to)
{
    (void)c, (void)to;
    count(w, state, false);
    return user;
}

static void give_back(struct http_conn *conn)
{
    struct http_worker *owner = conn->owner;
    struct http_conn *head = atomic_load(&owner->returned);
    do
        conn->next_free = head;
    while (!atomic_compare_exchange_weak(&owner->returned, &head, conn));
}

static void on_arrive(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct http_worker *http = state;
    struct http_conn *theirs = user, *conn = take_conn(http);
    if (conn) {
        *conn = *theirs;
        conn->owner = http;
        count(w, http, true);
    } else {
        app_kept_drop(&theirs->input);
    }
    give_back(theirs);
    nb_conn_set_user(w, c, conn);
    if (!conn) /* as one too many to accept */
        nb_conn_abort(w, c);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void stop(struct nb_worker *w, void *state)
{
    struct http_worker *http = state;
    (void)w;
    free(http->conn);
    free(http);
}

static int start(struct nb_worker *w, const struct nb_app_option *options, unsigned n_options, void **state,
                 struct nb_error *err)
{
    uint64_t connections = CONNECTIONS_DEFAULT;
    const struct app_option table[] = {
        {"connections", APP_NUMBER, .min = 1, .max = CONNECTIONS_MAX, .value = &connections},
    };
    int rc = app_options_read("http", table, RTE_DIM(table), options, n_options, err);
    if (rc)
        return rc;
    struct http_worker *http = calloc(1, sizeof *http);
    uint64_t records = connections + CONNECTIONS_MOVING;
    struct http_conn *conn = http ? calloc(records, sizeof *conn) : NULL;
    if (!conn) {
        free(http);
        return nb_error_set(err, -ENOMEM, "http: no memory for %u connections on worker %u", (unsigned)connections,
                            nb_worker_index(w));
    }
    http->conn = conn;
    http->most = connections;
    for (uint64_t i = records; i-- > 0;) {
        conn[i].next_free = http->free;
        http->free = &conn[i];
    }
    for (size_t i = 0; i < sizeof http->pattern; i++)
        http->pattern[i] = (uint8_t)(i % HTTP_PATTERN_PERIOD);
    *state = http;
    return 0;
}

__attribute__((visibility("default"))) const struct nb_app nb_app_http = {
    .abi = NB_APP_ABI,
    .name = "http",
    .start = start,
    .stop = stop,
    .on_accept = on_accept,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_peer_closed = on_peer_closed,
    .on_closed = on_closed,
    .on_leave = on_leave,
    .on_arrive = on_arrive,
};
