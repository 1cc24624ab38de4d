/* response.c - the table of replies and how a head is written. */
#include "response.h"

#include <string.h>

struct http_reply {
    unsigned status;
    const char *line;   /* after the protocol version */
    const char *header; /* a header of its own, with its CRLF, or "" */
    const char *text;   /* the body; NULL: the pattern */
};

enum { REPLY_ROOT, REPLY_BYTES, REPLY_NOT_FOUND, REPLY_NOT_ALLOWED, REPLY_BAD_REQUEST };

static const struct http_reply reply[] = {
    [REPLY_ROOT] = {200, "200 OK", "Content-Type: text/plain\r\n",
                    "netbypass: served by the core that owns this connection. Hello.\n"},
    [REPLY_BYTES] = {200, "200 OK", "Content-Type: application/octet-stream\r\n", NULL},
    [REPLY_NOT_FOUND] = {404, "404 Not Found", "Content-Type: text/plain\r\n",
                         "404: what exists here is / and /bytes/N (N up to 1099511627776)\n"},
    [REPLY_NOT_ALLOWED] = {405, "405 Method Not Allowed", "Content-Type: text/plain\r\nAllow: GET, HEAD\r\n",
                           "405: only GET and HEAD\n"},
    [REPLY_BAD_REQUEST] = {400, "400 Bad Request", "Content-Type: text/plain\r\n", "400: this is not HTTP/1.x\n"},
    {413, "413 Content Too Large", "Content-Type: text/plain\r\n", "413: a request body is at most 1 MiB\n"},
    {414, "414 URI Too Long", "Content-Type: text/plain\r\n", "414: a request line is at most 8192 bytes\n"},
    {431, "431 Request Header Fields Too Large", "Content-Type: text/plain\r\n",
     "431: at most 100 headers and 16384 bytes of them\n"},
    {501, "501 Not Implemented", "Content-Type: text/plain\r\n", "501: no Transfer-Encoding in requests\n"},
    {505, "505 HTTP Version Not Supported", "Content-Type: text/plain\r\n", "505: HTTP/1.0 and HTTP/1.1\n"},
};

#define N_REPLIES (sizeof reply / sizeof reply[0])

static struct http_response respond_with(const struct http_reply *r, uint64_t body_bytes)
{
    return (struct http_response){.reply = r, .body_bytes = r->text ? strlen(r->text) : body_bytes};
}

/* "/bytes/N": the digits of N, and nothing after them. */
static bool parse_bytes_path(const char *path, size_t n, uint64_t *value)
{
    static const char prefix[] = "/bytes/";
    const size_t skip = sizeof prefix - 1;
    if (n <= skip || memcmp(path, prefix, skip) != 0)
        return false;
    *value = 0;
    for (size_t i = skip; i < n; i++) {
        if (path[i] < '0' || path[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(path[i] - '0');
        if (*value > HTTP_BYTES_MAX)
            return false;
    }
    return true;
}

static struct http_response find_resource(const struct http_request *request)
{
    uint64_t n;
    if (request->method == HTTP_METHOD_OTHER)
        return respond_with(&reply[REPLY_NOT_ALLOWED], 0);
    if (request->path_bytes > HTTP_PATH_MAX)
        return respond_with(&reply[REPLY_NOT_FOUND], 0);
    if (request->path_bytes == 1 && request->path[0] == '/')
        return respond_with(&reply[REPLY_ROOT], 0);
    if (parse_bytes_path(request->path, request->path_bytes, &n))
        return respond_with(&reply[REPLY_BYTES], n);
    return respond_with(&reply[REPLY_NOT_FOUND], 0);
}

struct http_response http_respond(const struct http_request *request)
{
    struct http_response response = find_resource(request);
    response.head_only = request->method == HTTP_METHOD_HEAD;
    response.close = !request->keep_alive;
    response.say_keep_alive = request->keep_alive && request->minor_version == 0;
    return response;
}

struct http_response http_refuse(unsigned status)
{
    const struct http_reply *found = &reply[REPLY_BAD_REQUEST];
    for (size_t i = REPLY_BAD_REQUEST; i < N_REPLIES; i++)
        if (reply[i].status == status)
            found = &reply[i];
    struct http_response response = respond_with(found, 0);
    response.close = true;
    return response;
}

static char *put_text(char *at, const char *text)
{
    size_t n = strlen(text);
    memcpy(at, text, n);
    return at + n;
}

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        *at++ = digits[--n];
    return at;
}

size_t http_response_head(const struct http_response *response, char *out)
{
    char *at = put_text(out, "HTTP/1.1 ");
    at = put_text(at, response->reply->line);
    at = put_text(at, "\r\nServer: netbypass\r\n");
    at = put_text(at, response->reply->header);
    at = put_text(at, "Content-Length: ");
    at = put_number(at, response->body_bytes);
    if (response->close)
        at = put_text(at, "\r\nConnection: close");
    else if (response->say_keep_alive)
        at = put_text(at, "\r\nConnection: keep-alive");
    at = put_text(at, "\r\n\r\n");
    return (size_t)(at - out);
}

const char *http_response_text(const struct http_response *response)
{
    return response->reply->text;
}
