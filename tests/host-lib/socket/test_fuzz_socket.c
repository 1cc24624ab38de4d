/* test_fuzz_socket.c - the fuzz entry over fixed seeds: programs of random calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_socket.c"

#define SEEDS       200
#define PROGRAM_MAX 1500

static void run_seeds(uint8_t setup)
{
    uint8_t program[PROGRAM_MAX];
    uint64_t random = 4711 + setup;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        for (unsigned i = 0; i < PROGRAM_MAX; i++)
            program[i] = (uint8_t)link_random(&random);
        program[0] = setup;
        LLVMFuzzerTestOneInput(program, PROGRAM_MAX);
    }
}

static void test_random_calls_keep_every_invariant(void **state)
{
    (void)state;
    run_seeds(4);
}

static void test_random_calls_that_block_keep_every_invariant(void **state)
{
    (void)state;
    run_seeds(4 | 8);
}

static void test_random_calls_with_fast_open_keep_every_invariant(void **state)
{
    (void)state;
    run_seeds(1 | 2 | 4);
}

static void test_empty_program_is_fine(void **state)
{
    (void)state;
    assert_int_equal(LLVMFuzzerTestOneInput(NULL, 0), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_calls_keep_every_invariant),
        cmocka_unit_test(test_random_calls_that_block_keep_every_invariant),
        cmocka_unit_test(test_random_calls_with_fast_open_keep_every_invariant),
        cmocka_unit_test(test_empty_program_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
