/* test_fuzz_rule_text.c - the fuzz entry over fixed seeds: rules damaged in a few places, and plain noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fuzz/fuzz_rule_text.c"
#include "random.h"

static const char *const seeds[] = {
    "tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3",
    "vlan 16/0xff0 udp 10.0.0.0/8:* -> *:992/0xfff0 drop priority 7",
    "tcp [2001:db8::/32]:1000 -> [2001:db8::1/ffff::ffff]:80 queue 3 mark 7 priority 2 engine 5-tuple",
    "ip 10.0.0.1/255.0.255.0 -> * queue 65535 engine flow-director",
};
static const char bytes[] = "0123456789abcdefx.:/[]*-> \t\n\xff";

static void test_damaged_rules(void **state)
{
    struct rng r = {1};
    (void)state;

    for (int round = 0; round < 100000; round++) {
        const char *seed = seeds[rng_below(&r, sizeof seeds / sizeof seeds[0])];
        uint8_t text[128];
        size_t n = strlen(seed);

        memcpy(text, seed, n);
        for (uint32_t k = rng_below(&r, 5); k; k--)
            text[rng_below(&r, (uint32_t)n)] = (uint8_t)bytes[rng_below(&r, sizeof bytes)];
        LLVMFuzzerTestOneInput(text, rng_below(&r, 4) ? n : rng_below(&r, (uint32_t)n));
    }
}

static void test_noise(void **state)
{
    struct rng r = {2};
    (void)state;

    for (int round = 0; round < 20000; round++) {
        uint8_t text[2000];
        size_t n = rng_below(&r, sizeof text);

        for (size_t i = 0; i < n; i++)
            text[i] = round % 2 ? (uint8_t)rng_next(&r) : (uint8_t)bytes[rng_below(&r, sizeof bytes)];
        LLVMFuzzerTestOneInput(text, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_rules),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
