/* test_parser.c - the request parser: what it accepts, what it refuses and with which status, however input is split.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../apps/http/parser.h"

#define HOST "Host: h\r\n"
#define GET  "GET / HTTP/1.1\r\n"

/* What happened, as text: "GET / 1.1 keep 0;" for each request, "!400" for a refusal. */
struct story {
    char text[4096];
    size_t n;
};

static void tell(struct story *story, const struct http_parser *p, enum http_outcome outcome)
{
    static const char *const method[] = {"GET", "HEAD", "OTHER"};
    const struct http_request *r = &p->request;
    size_t room = sizeof story->text - story->n;
    int path = r->path_bytes > HTTP_PATH_MAX ? HTTP_PATH_MAX : r->path_bytes;
    int n = outcome == HTTP_BROKEN
                ? snprintf(story->text + story->n, room, "!%u", p->status)
                : snprintf(story->text + story->n, room, "%s %.*s 1.%u %s %u;", method[r->method], path, r->path,
                           r->minor_version, r->keep_alive ? "keep" : "close", r->body_bytes);
    assert_true(n > 0 && (size_t)n < room);
    story->n += (size_t)n;
}

static void feed(struct http_parser *p, struct story *story, const char *bytes, size_t n)
{
    while (n) {
        size_t taken;
        enum http_outcome outcome = http_parser_feed(p, bytes, n, &taken);
        assert_true(taken <= n);
        if (outcome != HTTP_NEED_MORE)
            tell(story, p, outcome);
        if (outcome == HTTP_BROKEN)
            return;
        assert_true(outcome == HTTP_REQUEST || taken == n);
        bytes += taken;
        n -= taken;
    }
}

static void expect_split(const char *input, size_t n, size_t first, size_t second, const char *expected)
{
    struct http_parser p;
    struct story story = {.n = 0};
    http_parser_init(&p);
    feed(&p, &story, input, first);
    if (p.status == 0)
        feed(&p, &story, input + first, second - first);
    if (p.status == 0)
        feed(&p, &story, input + second, n - second);
    assert_string_equal(story.text, expected);
}

/* In one piece, at every pair of split points that are one byte apart, at every single split point, byte by byte. */
static void expect(const char *input, const char *expected)
{
    size_t n = strlen(input);
    for (size_t i = 0; i <= n; i++) {
        expect_split(input, n, i, i, expected);
        expect_split(input, n, i, i < n ? i + 1 : n, expected);
    }
    struct http_parser p;
    struct story story = {.n = 0};
    http_parser_init(&p);
    for (size_t i = 0; i < n && p.status == 0; i++)
        feed(&p, &story, input + i, 1);
    assert_string_equal(story.text, expected);
}

static void test_minimal_requests_are_accepted(void **state)
{
    (void)state;
    expect(GET HOST "\r\n", "GET / 1.1 keep 0;");
    expect("GET / HTTP/1.0\r\n\r\n", "GET / 1.0 close 0;");
    expect("HEAD /bytes/12 HTTP/1.1\r\nhost:h\r\n\r\n", "HEAD /bytes/12 1.1 keep 0;");
    expect("POST /x HTTP/1.1\r\nHOST:  h  \r\n\r\n", "OTHER /x 1.1 keep 0;");
    expect("get / HTTP/1.1\r\n" HOST "\r\n", "OTHER / 1.1 keep 0;");
    expect("GET / HTTP/1.7\r\n" HOST "\r\n", "GET / 1.1 keep 0;");
    expect(GET "Host:\r\nX:\r\nY: \t \r\nZ: a\tb\xff\r\n\r\n", "GET / 1.1 keep 0;");
}

static void test_targets_name_a_path_or_none(void **state)
{
    (void)state;
    expect("GET /a?b=c&d HTTP/1.1\r\n" HOST "\r\n", "GET /a 1.1 keep 0;");
    expect("GET http://h/a?b HTTP/1.1\r\n" HOST "\r\n", "GET /a 1.1 keep 0;");
    expect("GET HTTP://h:80 HTTP/1.1\r\n" HOST "\r\n", "GET / 1.1 keep 0;");
    expect("GET http://h?b HTTP/1.1\r\n" HOST "\r\n", "GET / 1.1 keep 0;");
    expect("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OTHER  1.1 keep 0;");
    expect("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n", "OTHER  1.1 keep 0;");
    expect("GET https://h/ HTTP/1.1\r\n" HOST "\r\n", "GET  1.1 keep 0;");
    expect("GET h HTTP/1.1\r\n" HOST "\r\n", "GET  1.1 keep 0;");
}

static void test_connection_header_decides_persistence(void **state)
{
    (void)state;
    expect(GET HOST "Connection: close\r\n\r\n", "GET / 1.1 close 0;");
    expect(GET HOST "Connection: CLOSE \r\n\r\n", "GET / 1.1 close 0;");
    expect(GET HOST "Connection: te, close\r\n\r\n", "GET / 1.1 close 0;");
    expect(GET HOST "Connection: te\r\nConnection: ,close,\r\n\r\n", "GET / 1.1 close 0;");
    expect(GET HOST "Connection: closed, xclose, close-\r\n\r\n", "GET / 1.1 keep 0;");
    expect(GET HOST "Xonnection: close\r\nConnectio: close\r\n\r\n", "GET / 1.1 keep 0;");
    expect("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0 keep 0;");
    expect("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET / 1.0 close 0;");
}

static void test_pipelined_requests_come_one_by_one(void **state)
{
    (void)state;
    expect(GET HOST "\r\nHEAD /b HTTP/1.1\r\n" HOST "\r\n\r\n\r\nGET /c HTTP/1.0\r\n\r\n",
           "GET / 1.1 keep 0;HEAD /b 1.1 keep 0;GET /c 1.0 close 0;");
}

static void test_content_length_bodies_are_skipped(void **state)
{
    (void)state;
    expect(GET HOST "Content-Length: 5\r\n\r\n\r\n\r\nx" GET HOST "\r\n", "GET / 1.1 keep 5;GET / 1.1 keep 0;");
    expect(GET HOST "content-length:\t0 \r\n\r\n" GET HOST "\r\n", "GET / 1.1 keep 0;GET / 1.1 keep 0;");
    expect(GET HOST "Content-Length: 1048576\r\n\r\n", "GET / 1.1 keep 1048576;");
}

static void test_malformed_requests_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        " GET / HTTP/1.1\r\n",
        "\nGET / HTTP/1.1\r\n",
        "\r\r\n",
        "GET\r\n",
        "GET /\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / \r\n",
        "GET /\tHTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\r\n",
        "GET / HTTP/1.11\r\n",
        "GET / HTTP/1.x\r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/\r\n",
        "GET / HTP/1.1\r\n",
        "G@T / HTTP/1.1\r\n",
        "GET /\x01 HTTP/1.1\r\n",
        "GET /\x80 HTTP/1.1\r\n",
        "GET http://\x7f HTTP/1.1\r\n",
        "GET hx\x01 HTTP/1.1\r\n",
        "GET h\x01 HTTP/1.1\r\n",
        GET "\n",
        GET " Host: h\r\n",
        GET "Host: h\n\r\n",
        GET "Host: h\rX: y\r\n",
        GET "Host : h\r\n",
        GET "Host\r\n",
        GET ": h\r\n",
        GET "H\xc3\xb6st: h\r\n",
        GET HOST " folded\r\n\r\n",
        GET HOST "\tfolded\r\n\r\n",
        GET "Host: a\x01\r\n",
        GET "Host: a\x7f\r\n",
        GET "\r\n",           /* no Host */
        GET HOST HOST "\r\n", /* two */
        GET HOST "\r\r\n",
        GET HOST "Content-Length:\r\n",
        GET HOST "Content-Length: -1\r\n",
        GET HOST "Content-Length: +1\r\n",
        GET HOST "Content-Length: 0x1\r\n",
        GET HOST "Content-Length: 1, 1\r\n",
        GET HOST "Content-Length: 1 1\r\n",
        GET HOST "Content-Length: 1\r\nContent-Length: 1\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n",
        "\x16\x03\x01\x02", /* a TLS hello */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(bad[i], "!400");
    struct http_parser p;
    struct story story = {.n = 0};
    http_parser_init(&p);
    feed(&p, &story, "GET /\0 HTTP/1.1\r\n", 18);
    assert_string_equal(story.text, "!400");
}

static void test_requests_beyond_this_responder_are_refused(void **state)
{
    (void)state;
    expect("GET / HTTP/2.0\r\n", "!505");
    expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505");
    expect(GET HOST "Transfer-Encoding: chunked\r\n\r\n", "!501");
    expect(GET HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", "!501");
    expect("GET / HTTP/1.0\r\ntransfer-encoding:\r\n\r\n", "!501");
    expect(GET HOST "Content-Length: 1048577\r\n\r\n", "!413");
    expect(GET HOST "Content-Length: 4294967297\r\n\r\n", "!413");
    expect(GET HOST "Content-Length: 18446744073709551617\r\n\r\n", "!413");
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* Feed prefix, n times filler, suffix; in pieces of an awkward size. */
static void expect_filled(const char *prefix, const char *filler, size_t n, const char *suffix, const char *expected)
{
    size_t size = strlen(prefix) + n * strlen(filler) + strlen(suffix);
    char *text = malloc(size + 1);
    char *at = stpcpy(text, prefix);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, filler);
    strcpy(at, suffix);
    for (size_t piece = 1; piece <= size; piece = piece * 7 + 1) {
        struct http_parser p;
        struct story story = {.n = 0};
        http_parser_init(&p);
        for (size_t i = 0; i < size && p.status == 0; i += piece)
            feed(&p, &story, text + i, size - i < piece ? size - i : piece);
        assert_string_equal(story.text, expected);
    }
    free(text);
}

static void test_request_line_at_its_limit_passes_and_beyond_it_is_414(void **state)
{
    (void)state;
    const char *rest = " HTTP/1.1\r\n" HOST "\r\n";
    const size_t fits = HTTP_REQUEST_LINE_MAX - strlen("GET /? HTTP/1.1\r\n");
    expect_filled("GET /?", "q", fits, rest, "GET / 1.1 keep 0;");
    expect_filled("GET /?", "q", fits + 1, rest, "!400"); /* exceeded behind the target: the whole line is to blame */
    expect_filled("GET /?", "q", HTTP_REQUEST_LINE_MAX, rest, "!414");
    expect_filled("GET /", "p", HTTP_REQUEST_LINE_MAX, rest, "!414");
    expect_filled("GET http://", "h", HTTP_REQUEST_LINE_MAX, rest, "!414");
    expect_filled("GET x", "x", HTTP_REQUEST_LINE_MAX, rest, "!414");
    expect_filled("G", "G", HTTP_REQUEST_LINE_MAX, rest, "!400");
    expect_filled("", "\r\n", HTTP_REQUEST_LINE_MAX, rest, "!400");
}

static void test_header_bytes_at_their_limit_pass_and_beyond_it_are_431(void **state)
{
    (void)state;
    const size_t fits = HTTP_HEADER_BYTES_MAX - strlen(HOST "X: \r\n\r\n");
    expect_filled(GET HOST "X: ", "v", fits, "\r\n\r\n", "GET / 1.1 keep 0;");
    expect_filled(GET HOST "X: ", "v", fits + 1, "\r\n\r\n", "!431");
    expect_filled(GET HOST "X: ", "v", HTTP_HEADER_BYTES_MAX * 5, "\r\n\r\n", "!431");
    expect_filled(GET HOST "Connection: ", "c", HTTP_HEADER_BYTES_MAX, "\r\n\r\n", "!431");
    expect_filled(GET HOST "X", "X", HTTP_HEADER_BYTES_MAX, ": v\r\n\r\n", "!431");
    expect_filled(GET HOST "X:", " ", HTTP_HEADER_BYTES_MAX, "v\r\n\r\n", "!431");
}

static void test_header_count_at_its_limit_passes_and_beyond_it_is_431(void **state)
{
    (void)state;
    expect_filled(GET HOST, "X: y\r\n", HTTP_HEADER_COUNT_MAX - 1, "\r\n", "GET / 1.1 keep 0;");
    expect_filled(GET HOST, "X: y\r\n", HTTP_HEADER_COUNT_MAX, "\r\n", "!431");
}

static void test_limits_begin_anew_with_each_request(void **state)
{
    (void)state;
    static const char request[] = "GET /bytes/1 HTTP/1.1\r\nX: 0123456789\r\n" HOST "\r\n";
    struct http_parser p;
    size_t taken;
    http_parser_init(&p);
    for (int i = 0; i < HTTP_HEADER_BYTES_MAX; i++) {
        assert_int_equal(http_parser_feed(&p, request, sizeof request - 1, &taken), HTTP_REQUEST);
        assert_int_equal(taken, sizeof request - 1);
        assert_int_equal(p.request.path_bytes, strlen("/bytes/1"));
    }
}

static void test_path_longer_than_any_resource_is_marked(void **state)
{
    (void)state;
    struct http_parser p;
    size_t taken;
    char line[128];
    http_parser_init(&p);
    int n = snprintf(line, sizeof line, "GET /%0*d HTTP/1.0\r\n\r\n", HTTP_PATH_MAX - 1, 0);
    assert_int_equal(http_parser_feed(&p, line, (size_t)n, &taken), HTTP_REQUEST);
    assert_int_equal(p.request.path_bytes, HTTP_PATH_MAX);
    n = snprintf(line, sizeof line, "GET /%0*d HTTP/1.0\r\n\r\n", HTTP_PATH_MAX + 20, 0);
    assert_int_equal(http_parser_feed(&p, line, (size_t)n, &taken), HTTP_REQUEST);
    assert_int_equal(p.request.path_bytes, HTTP_PATH_MAX + 1);
}

static void test_broken_parser_takes_nothing_more(void **state)
{
    (void)state;
    struct http_parser p;
    size_t taken;
    http_parser_init(&p);
    assert_int_equal(http_parser_feed(&p, "\n", 1, &taken), HTTP_BROKEN);
    assert_int_equal(http_parser_feed(&p, GET HOST "\r\n", 20, &taken), HTTP_BROKEN);
    assert_int_equal(taken, 0);
    assert_int_equal(p.status, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimal_requests_are_accepted),
        cmocka_unit_test(test_targets_name_a_path_or_none),
        cmocka_unit_test(test_connection_header_decides_persistence),
        cmocka_unit_test(test_pipelined_requests_come_one_by_one),
        cmocka_unit_test(test_content_length_bodies_are_skipped),
        cmocka_unit_test(test_malformed_requests_are_refused),
        cmocka_unit_test(test_requests_beyond_this_responder_are_refused),
        cmocka_unit_test(test_request_line_at_its_limit_passes_and_beyond_it_is_414),
        cmocka_unit_test(test_header_bytes_at_their_limit_pass_and_beyond_it_are_431),
        cmocka_unit_test(test_header_count_at_its_limit_passes_and_beyond_it_is_431),
        cmocka_unit_test(test_limits_begin_anew_with_each_request),
        cmocka_unit_test(test_path_longer_than_any_resource_is_marked),
        cmocka_unit_test(test_broken_parser_takes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
