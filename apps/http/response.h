/* response.h - what the responder answers: a request, or the status of a broken one, becomes a response; pure.
 *
 * Resources: "/" is 64 bytes of text; "/bytes/N" is N bytes, 0 to HTTP_BYTES_MAX, of which byte i (counted from 0) has
 * the value i mod 251. 251 is prime and divides no usual segment size, so a segment that is lost, doubled or swapped
 * changes the body. There is no Date: a worker has no calendar clock (RFC 9110 §6.6.1).
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "parser.h"

#define HTTP_BYTES_MAX      (UINT64_C(1) << 40) /* 1 TiB: hours at any speed, and far from overflow everywhere */
#define HTTP_PATTERN_PERIOD 251
#define HTTP_HEAD_MAX       256 /* the longest head is near 170 bytes */
#define HTTP_TEXT_MAX       96  /* the longest fixed body */

struct http_reply; /* a row of the table of replies */

struct http_response {
    const struct http_reply *reply;
    uint64_t body_bytes;
    bool head_only;      /* answers HEAD: the head speaks of a body that is not sent */
    bool close;          /* the last response on this connection */
    bool say_keep_alive; /* an HTTP/1.0 client asked for it and must be told (RFC 9112 §9.3) */
};

/* The response to a complete request. */
struct http_response http_respond(const struct http_request *request);

/* The response to a broken request; its status comes from the parser. */
struct http_response http_refuse(unsigned status);

/* Write the head to out[HTTP_HEAD_MAX]; returns its length. */
size_t http_response_head(const struct http_response *response, char *out);

/* The body when it is a fixed text, at most HTTP_TEXT_MAX bytes; NULL when it is the pattern. */
const char *http_response_text(const struct http_response *response);

/* Bytes of body that follow the head on the wire. */
static inline uint64_t http_response_body_bytes(const struct http_response *response)
{
    return response->head_only ? 0 : response->body_bytes;
}

#endif
