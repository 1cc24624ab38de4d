/* test_fuzz_segment.c - the fuzz entry over fixed seeds: headers with every option, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_segment.c"

#define ROUNDS 20000

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static const uint8_t seed_packet[] = {3,    17,   0x9c, 0x40, 0x00, 0x50, 1, 2, 3, 4, 5, 6,    7,    8,
                                      0xf0, 0x12, 0xff, 0xff, 0,    0,    0, 0, 2, 4, 5, 0xb4, 4,    2,
                                      8,    10,   0,    0,    0,    1,    0, 0, 0, 2, 1, 3,    3,    7,
                                      1,    5,    10,   0,    0,    0,    1, 0, 0, 0, 2, 0,    0x41, 0x42};

static void test_damaged_headers_are_refused_or_consistent(void **state)
{
    (void)state;
    uint64_t random = 20240301;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t input[128];
        memcpy(input, seed_packet, sizeof seed_packet);
        size_t n = sizeof seed_packet - next(&random) % 24;
        input[0] = (uint8_t)next(&random);
        input[1] = (uint8_t)next(&random);
        input[14] = (uint8_t)(next(&random) % 2 ? 0xd0 : 0x50 + next(&random) % 11 * 16);
        for (uint64_t damage = next(&random) % 4; damage; damage--)
            input[next(&random) % n] = (uint8_t)next(&random);
        LLVMFuzzerTestOneInput(input, n);
    }
}

static void test_tiny_inputs_are_fine(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    for (size_t n = 0; n < sizeof zeros; n++)
        LLVMFuzzerTestOneInput(zeros, n);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_headers_are_refused_or_consistent),
        cmocka_unit_test(test_tiny_inputs_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
