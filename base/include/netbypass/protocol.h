/* protocol.h - what both ends of the control protocol must agree on; docs/protocol.md says the rest.
 *
 * JSON-RPC 2.0 over a Unix stream socket, one JSON text per line in either direction. netbypassd and netbypassctl share
 * these constants and nothing else.
 */
#ifndef NETBYPASS_PROTOCOL_H
#define NETBYPASS_PROTOCOL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <netbypass/error.h>

#define NB_PROTOCOL_VERSION      1           /* goes up when a client of the version before would misread an answer */
#define NB_PROTOCOL_REQUEST_MAX  (64 * 1024) /* bytes of a request line; a batch of 64 calls with every filter fits */
#define NB_PROTOCOL_RESPONSE_MAX (1 << 20)   /* bytes of a response line; lists are handed out in pages below it */

#define NB_SOCKET_ENV      "NETBYPASS_SOCKET"
#define NB_SOCKET_PATH_MAX (sizeof((struct sockaddr_un){0}.sun_path)) /* with the final NUL */

/* The `code` of an error object. Negative ones are JSON-RPC 2.0 §5.1's. */
enum nb_protocol_error {
    NB_PROTOCOL_PARSE = -32700,
    NB_PROTOCOL_INVALID_REQUEST = -32600,
    NB_PROTOCOL_NO_METHOD = -32601,
    NB_PROTOCOL_BAD_PARAMS = -32602,
    NB_PROTOCOL_INTERNAL = -32603,
    NB_PROTOCOL_NOT_FOUND = 1, /* the named flow, worker or port does not exist */
    NB_PROTOCOL_REFUSED = 2,   /* the method needs operator rights */
    NB_PROTOCOL_FAILED = 3,    /* understood and allowed, but it did not work */
    NB_PROTOCOL_TOO_LARGE = 4, /* the answer would pass NB_PROTOCOL_RESPONSE_MAX */
    NB_PROTOCOL_BUSY = 5,      /* no free place for another client */
};

/* The socket's path: `chosen` (an option or configuration key) if set, else $NETBYPASS_SOCKET, else
 * /run/netbypass/control.sock for root and $XDG_RUNTIME_DIR/netbypass/control.sock for others. Returns 0 or a negative
 * errno with *err filled. */
static inline int nb_socket_path(const char *chosen, char out[NB_SOCKET_PATH_MAX], struct nb_error *err)
{
    const char *folder = "/run", *rest = "/netbypass/control.sock";

    if (!chosen || !*chosen)
        chosen = getenv(NB_SOCKET_ENV);
    if (chosen && *chosen) {
        folder = chosen;
        rest = "";
    } else if (geteuid() != 0) {
        folder = getenv("XDG_RUNTIME_DIR");
        if (!folder || !*folder)
            return nb_error_set(err, -ENOENT,
                                "control socket: XDG_RUNTIME_DIR is not set; name a path with -S or " NB_SOCKET_ENV);
    }
    int n = snprintf(out, NB_SOCKET_PATH_MAX, "%s%s", folder, rest);
    if (n < 0 || (size_t)n >= NB_SOCKET_PATH_MAX)
        return nb_error_set(err, -ENAMETOOLONG, "control socket: %s%s has %d bytes; a socket path has at most %zu",
                            folder, rest, n, NB_SOCKET_PATH_MAX - 1);
    return 0;
}

#endif
