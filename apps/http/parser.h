/* parser.h - incremental HTTP/1.x request parser: bytes in, requests out. Pure: no clock, no memory, no connection.
 *
 * Feed it whatever arrived, split anywhere. It takes bytes up to the end of one request's head and says so; the next
 * feed skips that request's body, then goes on with the next head (pipelining). It keeps no input: a request is reduced
 * to the few facts a responder needs while its bytes pass by, so a connection costs sizeof(struct http_parser) whatever
 * the peer sends.
 *
 * What it decides where RFC 9112 leaves a choice (the strict side each time, because being lenient about framing is how
 * request smuggling works):
 *   - a line ends with CRLF; a bare LF or a bare CR is refused (§2.2 allows either);
 *   - empty lines (CRLF) before a request line are skipped (§2.2), within the request line's limit;
 *   - obs-fold is refused (§5.2), white space before the colon is refused (§5.1);
 *   - Transfer-Encoding in a request is refused with 501 (§6.1); Content-Length may occur once, as digits (§6.3);
 *   - HTTP/1.1 needs exactly one Host (§3.2), HTTP/1.0 at most one; HTTP/0.9 does not exist;
 *   - origin-form and http:// absolute-form name a path (§3.2); any other target is accepted as an empty path, which no
 *     resource has. A query is cut off. Percent-encoding is not decoded.
 */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_REQUEST_LINE_MAX 8192      /* RFC 9112 §3 recommends 8000 at least */
#define HTTP_HEADER_BYTES_MAX 16384     /* all header lines together; what browsers with large cookies stay below */
#define HTTP_HEADER_COUNT_MAX 100       /* as Apache's LimitRequestFields */
#define HTTP_BODY_MAX         (1 << 20) /* a responder has no use for a body: so much is skipped, more is refused */
#define HTTP_PATH_MAX         47        /* longer than any path that exists here ("/bytes/" and 13 digits) */
#define HTTP_WORD_MAX         23        /* longer than any method, header name or token that means something here */

enum http_method { HTTP_METHOD_GET, HTTP_METHOD_HEAD, HTTP_METHOD_OTHER };

struct http_request {
    enum http_method method;
    uint8_t minor_version;        /* 0 or 1; HTTP/1.2 and later count as 1 (RFC 9110 §2.5) */
    uint8_t path_bytes;           /* HTTP_PATH_MAX + 1: longer than that, path holds only its beginning */
    char path[HTTP_PATH_MAX + 1]; /* not terminated; empty for a target that names no path */
    bool keep_alive;              /* by version and Connection (RFC 9112 §9.3) */
    uint32_t body_bytes;          /* Content-Length; the parser skips the body itself */
};

enum http_outcome {
    HTTP_NEED_MORE, /* everything was taken, no request is complete */
    HTTP_REQUEST,   /* parser->request is valid until the next feed */
    HTTP_BROKEN,    /* parser->status says why; framing is lost and nothing more is taken */
};

struct http_parser {
    uint8_t state;          /* parser.c */
    uint8_t field;          /* which header the line being read is */
    uint8_t matched;        /* characters of a fixed text matched so far */
    uint8_t word_bytes;     /* HTTP_WORD_MAX + 1: too long to mean anything */
    uint16_t section_bytes; /* of the request line, then of the header section */
    uint16_t status;        /* of a broken request: 400, 413, 414, 431, 501 or 505 */
    uint8_t headers;        /* header lines so far */
    uint8_t seen;           /* which headers and tokens have been seen */
    uint32_t body_left;     /* of the last request's body, still to be skipped */
    char word[HTTP_WORD_MAX + 1];
    struct http_request request;
};

void http_parser_init(struct http_parser *parser);

/* Take bytes[0..n); *taken says how many were used. */
enum http_outcome http_parser_feed(struct http_parser *parser, const void *bytes, size_t n, size_t *taken);

#endif
