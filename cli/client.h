/* client.h - a connection to netbypassd, one JSON-RPC call at a time. */
#ifndef NB_CLI_CLIENT_H
#define NB_CLI_CLIENT_H

#include <netbypass/error.h>

struct json_object;

/* netbypassctl's exit codes. */
enum nb_exit {
    NB_EXIT_OK = 0,
    NB_EXIT_USAGE = 1,       /* the command line cannot be meant */
    NB_EXIT_NOT_FOUND = 2,   /* the named flow, worker or port does not exist */
    NB_EXIT_REFUSED = 3,     /* no right to, or netbypassd could not do it */
    NB_EXIT_UNREACHABLE = 4, /* no netbypassd, or none that answers sensibly */
    NB_EXIT_PARTIAL = 5,     /* some of it was not done */
};

struct nb_client {
    int fd;
    int timeout_ms; /* for one answer */
    int serial;     /* id of the last call */
    char *in;       /* the answer being read */
};

/* Connect to the control socket at `path` (NULL: the usual one) and make sure that we speak the same protocol. Returns
 * an exit code, with words in *err unless it is NB_EXIT_OK. */
int nb_client_connect(struct nb_client *client, const char *path, int timeout_ms, struct nb_error *err);

/* The same over a socket that is connected already; it is ours from here. */
int nb_client_attach(struct nb_client *client, int fd, int timeout_ms, struct nb_error *err);

/* Call a method. Takes params (NULL: none). *result is the caller's to put. Returns an exit code as above. */
int nb_client_call(struct nb_client *client, const char *method, struct json_object *params,
                   struct json_object **result, struct nb_error *err);

void nb_client_close(struct nb_client *client);

#endif
