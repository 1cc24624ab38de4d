/* test_fuzz_rpc.c - the fuzz entry over fixed seeds: calls and batches, damaged in ways that a seed repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fuzz/fuzz_rpc.c"

#define ROUNDS 2000 /* per seed; about a second in a sanitizer build */

static const char *const seeds[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.list\",\"params\":{\"state\":\"established\",\"src\":\"10/8\","
    "\"limit\":7,\"cursor\":\"0:12\"}}",
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"},{\"jsonrpc\":\"2.0\",\"id\":\"\\u0041\",\"method\":"
    "\"port.show\",\"params\":{\"port\":\"0\"}},[[{}]],1e309,-0]",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"rule.flush\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"flow.show\",\"params\":{\"id\":281474976710656}}",
};

/* xorshift64*: small, and the same everywhere. */
static uint64_t next(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return *random * UINT64_C(2685821657736338717);
}

static void test_damaged_calls_are_answered_in_bounds(void **state)
{
    (void)state;
    uint64_t random = 20261120;

    for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            size_t n = strlen(seeds[s]);
            uint8_t *text = malloc(n); /* of its exact size, so that a sanitizer sees the end */
            memcpy(text, seeds[s], n);
            for (uint64_t times = next(&random) % 5; times; times--)
                text[next(&random) % n] = (uint8_t) "{}[]\",:\\\x01\xc3 09tn"[next(&random) % 16];
            if (next(&random) % 4 == 0)
                n = next(&random) % n;
            LLVMFuzzerTestOneInput(text, n);
            free(text);
        }
    }
}

static void test_undamaged_seeds(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++)
        LLVMFuzzerTestOneInput((const uint8_t *)seeds[s], strlen(seeds[s]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undamaged_seeds),
        cmocka_unit_test(test_damaged_calls_are_answered_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
