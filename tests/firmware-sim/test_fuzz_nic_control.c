/* test_fuzz_nic_control.c - the fuzz entry over a fixed, seeded set of inputs: words of the commands in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/fuzz_nic_control.c"

#include "../../firmware-sim/random.h"

#define ROUNDS 20000

static const char *const words[] = {
    "status",  "stats",  "reg",  "SCRATCH[3]", "scratch[9]", "0x7",      "-1",          "table", "reta",
    "link",    "up",     "down", "fault",      "drop",       "corrupt",  "rx",          "tx",    "1/10",
    "0.5",     "nth",    "seed", "off",        "on",         "trace",    "atr",         "wait",  "started",
    "played",  "port",   "0",    "1",          "help",       "inject",   "00",          "zz",    "frames",
    "queue=1", "flow=1", "[",    "]",          "\xff",       "10.0.0.1", "99999999999", "\n",
};

static size_t make_lines(struct sim_random *random, char *out, size_t room)
{
    size_t n = 0;
    for (unsigned k = 1 + sim_random_below(random, 12); k; k--)
        n += snprintf(out + n, room - n, "%s%s", words[sim_random_below(random, sizeof words / sizeof words[0])],
                      sim_random_below(random, 4) ? " " : "\n");
    return n;
}

static void test_words_in_any_order_are_answered(void **state)
{
    struct sim_random random = {.state = 20261130};
    char text[512];
    (void)state;
    for (int i = 0; i < ROUNDS; i++)
        LLVMFuzzerTestOneInput((const uint8_t *)text, make_lines(&random, text, sizeof text));
    assert_true(control_obeyed > ROUNDS / 20);
    assert_true(control_refused > ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words_in_any_order_are_answered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
