/* test_fuzz_nic.c - the fuzz entry over a fixed, seeded set of inputs. */
#include "../fuzz/fuzz_nic.c"

#include "../../firmware-sim/random.h"

#ifndef ROUNDS
#define ROUNDS 400
#endif
#define INPUT_MAX 2000

static void test_whatever_is_done_to_it_the_card_stays_sane(void **state)
{
    static uint8_t input[INPUT_MAX];
    struct sim_random random = {.state = 82599};

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof input; i++)
            input[i] = (uint8_t)sim_random_next(&random);
        LLVMFuzzerTestOneInput(input, 1 + sim_random_below(&random, INPUT_MAX));
    }
    assert_true(fuzz_received > ROUNDS); /* the deeds are not all refused at the door */
    assert_true(fuzz_sent > ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whatever_is_done_to_it_the_card_stays_sane)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (fuzzed)
        rig_free(fuzzed);
    return failed;
}
