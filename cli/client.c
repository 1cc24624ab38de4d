/* client.c - see client.h. The daemon's bytes are not trusted more than anybody's: an answer is bounded in size and
 * depth, and must be the answer to the call that was made. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include <netbypass/protocol.h>

#define DEPTH_MAX 16 /* of an answer; flows in a list in a result have 4 */

static int unreachable(struct nb_error *err, const char *what)
{
    nb_error_set(err, 0, "%s", what);
    return NB_EXIT_UNREACHABLE;
}

static int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until fd is ready or the deadline has come. */
static bool ready(int fd, short events, int64_t deadline_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left = deadline_ms - clock_ms();
    int n;

    do
        n = poll(&p, 1, left > 0 ? (int)left : 0);
    while (n < 0 && errno == EINTR && (left = deadline_ms - clock_ms()) > 0);
    return n > 0;
}

static int send_line(struct nb_client *client, const char *text, size_t n, int64_t deadline_ms, struct nb_error *err)
{
    while (n) {
        if (!ready(client->fd, POLLOUT, deadline_ms))
            return unreachable(err, "netbypassd does not take the request (-t sets how long to wait)");
        ssize_t sent = send(client->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return unreachable(err, "netbypassd has closed the connection");
        if (sent > 0) {
            text += sent;
            n -= (size_t)sent;
        }
    }
    return NB_EXIT_OK;
}

/* Read one line into client->in; *n is its length without the newline. */
static int read_line(struct nb_client *client, size_t *n, int64_t deadline_ms, struct nb_error *err)
{
    for (*n = 0; *n < NB_PROTOCOL_RESPONSE_MAX;) {
        if (!ready(client->fd, POLLIN, deadline_ms))
            return unreachable(err, "netbypassd does not answer (-t sets how long to wait)");
        ssize_t got = recv(client->fd, client->in + *n, NB_PROTOCOL_RESPONSE_MAX - *n, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return unreachable(err, "netbypassd has closed the connection");
        *n += (size_t)got;
        if (client->in[*n - 1] == '\n') { /* one call, one answer: nothing follows it */
            --*n;
            return NB_EXIT_OK;
        }
    }
    return unreachable(err, "netbypassd's answer is larger than the protocol allows");
}

static struct json_object *parse(const char *text, size_t n)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    struct json_object *json = NULL;

    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    if (!memchr(text, 0, n))
        json = json_tokener_parse_ex(tokener, text, (int)n);
    json_tokener_free(tokener);
    return json;
}

/* What an error's code means for our exit code. */
static int exit_code(int code)
{
    switch ((enum nb_protocol_error)code) {
    case NB_PROTOCOL_BAD_PARAMS:
        return NB_EXIT_USAGE;
    case NB_PROTOCOL_NOT_FOUND:
        return NB_EXIT_NOT_FOUND;
    case NB_PROTOCOL_BUSY:
        return NB_EXIT_UNREACHABLE;
    case NB_PROTOCOL_REFUSED:
    case NB_PROTOCOL_FAILED:
    case NB_PROTOCOL_TOO_LARGE:
    case NB_PROTOCOL_PARSE:
    case NB_PROTOCOL_INVALID_REQUEST:
    case NB_PROTOCOL_NO_METHOD:
    case NB_PROTOCOL_INTERNAL:
        return NB_EXIT_REFUSED;
    }
    return NB_EXIT_REFUSED; /* a code of a later daemon */
}

/* An error without id is not about our call but about the connection: as good as our answer. */
static int judge(struct nb_client *client, struct json_object *answer, struct json_object **result,
                 struct nb_error *err)
{
    struct json_object *id = NULL, *error = NULL, *code = NULL, *message = NULL;

    json_object_object_get_ex(answer, "id", &id);
    if (json_object_object_get_ex(answer, "error", &error) && json_object_object_get_ex(error, "code", &code) &&
        json_object_object_get_ex(error, "message", &message)) {
        nb_error_set(err, 0, "%s", json_object_get_string(message));
        return exit_code(json_object_get_int(code));
    }
    if (!json_object_is_type(id, json_type_int) || json_object_get_int(id) != client->serial ||
        !json_object_object_get_ex(answer, "result", result) || !json_object_is_type(*result, json_type_object))
        return unreachable(err, "what answers on the control socket is not netbypassd");
    json_object_get(*result);
    return NB_EXIT_OK;
}

static struct json_object *make_call(int id, const char *method, struct json_object *params)
{
    struct json_object *call = json_object_new_object();

    json_object_object_add(call, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(call, "id", json_object_new_int(id));
    json_object_object_add(call, "method", json_object_new_string(method));
    if (params)
        json_object_object_add(call, "params", params);
    return call;
}

int nb_client_call(struct nb_client *client, const char *method, struct json_object *params,
                   struct json_object **result, struct nb_error *err)
{
    int64_t deadline_ms = clock_ms() + client->timeout_ms;
    struct json_object *call = make_call(++client->serial, method, params), *answer;
    const char *text = json_object_to_json_string_ext(call, JSON_C_TO_STRING_PLAIN);
    size_t n;
    int rc = send_line(client, text, strlen(text), deadline_ms, err);

    *result = NULL;
    if (!rc)
        rc = send_line(client, "\n", 1, deadline_ms, err);
    json_object_put(call);
    if (!rc)
        rc = read_line(client, &n, deadline_ms, err);
    if (rc)
        return rc;
    answer = parse(client->in, n);
    if (json_object_is_type(answer, json_type_object))
        rc = judge(client, answer, result, err);
    else
        rc = unreachable(err, "what answers on the control socket is not netbypassd");
    json_object_put(answer);
    return rc;
}

static int check_protocol(struct nb_client *client, struct nb_error *err)
{
    struct json_object *result, *version = NULL, *protocol = NULL;
    int rc = nb_client_call(client, "version", NULL, &result, err);

    if (rc)
        return rc;
    json_object_object_get_ex(result, "version", &version);
    json_object_object_get_ex(version, "protocol", &protocol);
    int spoken = json_object_get_int(protocol);
    json_object_put(result);
    if (spoken == NB_PROTOCOL_VERSION)
        return NB_EXIT_OK;
    nb_error_set(err, 0, "netbypassd speaks version %d of the control protocol, this netbypassctl version %d", spoken,
                 NB_PROTOCOL_VERSION);
    return NB_EXIT_UNREACHABLE;
}

int nb_client_attach(struct nb_client *client, int fd, int timeout_ms, struct nb_error *err)
{
    *client = (struct nb_client){.fd = fd, .timeout_ms = timeout_ms, .in = malloc(NB_PROTOCOL_RESPONSE_MAX)};
    int rc = client->in ? check_protocol(client, err) : unreachable(err, "out of memory");
    if (rc)
        nb_client_close(client);
    return rc;
}

int nb_client_connect(struct nb_client *client, const char *path, int timeout_ms, struct nb_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[NB_SOCKET_PATH_MAX];

    if (nb_socket_path(path, name, err) != 0)
        return NB_EXIT_UNREACHABLE;
    memcpy(address.sun_path, name, sizeof name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        nb_error_set(err, -why, "cannot reach netbypassd at %s: %s%s", name, strerror(why),
                     why == ENOENT || why == ECONNREFUSED ? "; is it running? -S names another socket" : "");
        return NB_EXIT_UNREACHABLE;
    }
    return nb_client_attach(client, fd, timeout_ms, err);
}

void nb_client_close(struct nb_client *client)
{
    close(client->fd);
    free(client->in);
}
