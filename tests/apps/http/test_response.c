/* test_response.c - which response a request gets, and the exact bytes of its head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../../apps/http/response.h"

static struct http_response respond(enum http_method method, const char *path, bool keep_alive, unsigned minor)
{
    struct http_request request = {.method = method, .keep_alive = keep_alive, .minor_version = (uint8_t)minor};
    size_t n = strlen(path);
    request.path_bytes = n > HTTP_PATH_MAX ? HTTP_PATH_MAX + 1 : (uint8_t)n;
    memcpy(request.path, path, n > HTTP_PATH_MAX ? HTTP_PATH_MAX : n);
    return http_respond(&request);
}

static void expect_head(const struct http_response *response, const char *expected)
{
    char out[HTTP_HEAD_MAX + 1];
    size_t n = http_response_head(response, out);
    assert_true(n <= HTTP_HEAD_MAX);
    out[n] = 0;
    assert_string_equal(out, expected);
}

static void expect_status(const char *path, const char *line)
{
    char out[HTTP_HEAD_MAX];
    struct http_response r = respond(HTTP_METHOD_GET, path, true, 1);
    http_response_head(&r, out);
    assert_memory_equal(out, line, strlen(line));
}

static void test_root_is_64_bytes(void **state)
{
    (void)state;
    struct http_response r = respond(HTTP_METHOD_GET, "/", true, 1);
    assert_int_equal(http_response_body_bytes(&r), 64);
    assert_int_equal(strlen(http_response_text(&r)), 64);
    expect_head(&r, "HTTP/1.1 200 OK\r\nServer: netbypass\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n");
}

static void test_bytes_n_is_the_pattern(void **state)
{
    (void)state;
    struct http_response r = respond(HTTP_METHOD_GET, "/bytes/1099511627776", false, 1);
    assert_true(http_response_body_bytes(&r) == HTTP_BYTES_MAX);
    assert_null(http_response_text(&r));
    expect_head(&r, "HTTP/1.1 200 OK\r\nServer: netbypass\r\nContent-Type: application/octet-stream\r\n"
                    "Content-Length: 1099511627776\r\nConnection: close\r\n\r\n");
    r = respond(HTTP_METHOD_GET, "/bytes/0", true, 1);
    assert_int_equal(http_response_body_bytes(&r), 0);
    r = respond(HTTP_METHOD_GET, "/bytes/007", true, 1);
    assert_int_equal(http_response_body_bytes(&r), 7);
}

static void test_other_paths_are_404(void **state)
{
    (void)state;
    static const char *const missing[] = {
        "",
        "/x",
        "//",
        "/bytes",
        "/bytes/",
        "/bytes/-1",
        "/bytes/1x",
        "/bytes/1/",
        "/bytes/ 1",
        "/Bytes/1",
        "/bytes/1099511627777",
        "/bytes/18446744073709551617",
    };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        expect_status(missing[i], "HTTP/1.1 404 ");
    expect_status("/bytes/00000000000000000000000000000000000000001", "HTTP/1.1 404 ");
}

static void test_head_has_the_head_of_get_and_no_body(void **state)
{
    (void)state;
    struct http_response r = respond(HTTP_METHOD_HEAD, "/bytes/1000", true, 1);
    assert_int_equal(http_response_body_bytes(&r), 0);
    expect_head(&r, "HTTP/1.1 200 OK\r\nServer: netbypass\r\nContent-Type: application/octet-stream\r\n"
                    "Content-Length: 1000\r\n\r\n");
}

static void test_other_methods_are_405_and_told_which_are_allowed(void **state)
{
    (void)state;
    struct http_response r = respond(HTTP_METHOD_OTHER, "/", true, 1);
    assert_false(r.close);
    expect_head(&r, "HTTP/1.1 405 Method Not Allowed\r\nServer: netbypass\r\nContent-Type: text/plain\r\n"
                    "Allow: GET, HEAD\r\nContent-Length: 23\r\n\r\n");
}

static void test_http_1_0_keep_alive_is_said(void **state)
{
    (void)state;
    struct http_response r = respond(HTTP_METHOD_GET, "/", true, 0);
    assert_false(r.close);
    expect_head(&r, "HTTP/1.1 200 OK\r\nServer: netbypass\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n"
                    "Connection: keep-alive\r\n\r\n");
}

static void test_refusals_have_their_status_and_close(void **state)
{
    (void)state;
    static const unsigned status[] = {400, 413, 414, 431, 501, 505};
    for (size_t i = 0; i < sizeof status / sizeof status[0]; i++) {
        char out[HTTP_HEAD_MAX + 1], line[32];
        struct http_response r = http_refuse(status[i]);
        size_t n = http_response_head(&r, out);
        out[n] = 0;
        snprintf(line, sizeof line, "HTTP/1.1 %u ", status[i]);
        assert_memory_equal(out, line, strlen(line));
        assert_non_null(strstr(out, "\r\nConnection: close\r\n\r\n"));
        assert_true(r.close);
        assert_true(strlen(http_response_text(&r)) <= HTTP_TEXT_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_is_64_bytes),
        cmocka_unit_test(test_bytes_n_is_the_pattern),
        cmocka_unit_test(test_other_paths_are_404),
        cmocka_unit_test(test_head_has_the_head_of_get_and_no_body),
        cmocka_unit_test(test_other_methods_are_405_and_told_which_are_allowed),
        cmocka_unit_test(test_http_1_0_keep_alive_is_said),
        cmocka_unit_test(test_refusals_have_their_status_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
