/* test_fuzz_http.c - the fuzz entry over a fixed, seeded set of inputs: valid requests mixed and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_http.c"

#define ROUNDS    20000
#define INPUT_MAX 4096

static const char *const seed_text[] = {
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD http://h/bytes/12345?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "GET /bytes/1099511627776 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world",
    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "Content-Length: 99999999999\r\n",
    "\r\n",
};

static uint32_t next(uint32_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 17;
    *rng ^= *rng << 5;
    return *rng;
}

static size_t make_input(uint8_t *out, uint32_t *rng)
{
    size_t n = 0;
    out[n++] = (uint8_t)next(rng);
    for (uint32_t pieces = 1 + next(rng) % 8; pieces; pieces--) {
        const char *text = seed_text[next(rng) % (sizeof seed_text / sizeof seed_text[0])];
        memcpy(out + n, text, strlen(text));
        n += strlen(text);
    }
    for (uint32_t damage = next(rng) % 3; damage; damage--)
        out[next(rng) % n] = (uint8_t)next(rng);
    return n - next(rng) % (n / 8 + 1);
}

static void test_any_cut_gives_the_same_requests(void **state)
{
    (void)state;
    static uint8_t input[INPUT_MAX];
    uint32_t rng = 20240229;
    for (int i = 0; i < ROUNDS; i++)
        LLVMFuzzerTestOneInput(input, make_input(input, &rng));
}

static void test_empty_input_is_fine(void **state)
{
    (void)state;
    assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)"", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_gives_the_same_requests),
        cmocka_unit_test(test_empty_input_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
