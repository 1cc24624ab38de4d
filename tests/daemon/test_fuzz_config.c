/* test_fuzz_config.c - the fuzz entry over fixed seeds: a full configuration, damaged in ways that a seed repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fuzz/fuzz_config.c"

#define ROUNDS 4000 /* about a second in a sanitizer build */

void nb_runtime_config_init(struct nb_runtime_config *config)
{
    memset(config, 0, sizeof *config);
}

static const char seed_text[] = "workers: 2\ncpus: [0, 0]\nports:\n  - device: \"0000:01:00.0\"\n    arguments: a=1\n"
                                "    address: 10.99.0.2/24\n    gateway: 10.99.0.1\n    mtu: 9000\n"
                                "    software_checksums: true\n  - {device: net_ring0, address: 192.0.2.1/31}\n"
                                "apps:\n  - module: http\n    listen: [\"0.0.0.0:80\", \"10.99.0.2:8080\"]\n"
                                "    options: {size: 64, name: \"a: b\"}\nsteering: {policy: exact}\n"
                                "limits: {connections: 10}\neal: [--no-huge, -m, \"512\"]\n"
                                "control:\n  operators: {users: [0, 1234], groups: [0]}\nlog: debug\n";

/* xorshift64*: small, and the same everywhere. */
static uint64_t next(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return *random * UINT64_C(2685821657736338717);
}

static const char *const pieces[] = {"&a ", "*a",   "!!str ", "---\n", "{",           "}",  "[",   "]",
                                     ": ",  "- ",   "\n",     "\t",    "\"",          "'",  "\\0", "\xff",
                                     "~",   "null", "? ",     "|\n",   "99999999999", "-1", "#",   "%YAML 9\n"};

static size_t damage(uint64_t *random, char *text, size_t n, size_t room)
{
    size_t at = next(random) % n;
    const char *piece = pieces[next(random) % (sizeof pieces / sizeof pieces[0])];
    size_t length = strlen(piece);

    switch (next(random) % 4) {
    case 0:
        text[at] = (char)next(random);
        return n;
    case 1:
        return at ? at : 1;
    case 2: { /* a line's worth of bytes moved over another place */
        size_t from = next(random) % n, count = next(random) % 24;
        count = from + count > n ? n - from : count;
        count = at + count > n ? n - at : count;
        memmove(text + at, text + from, count);
        return n;
    }
    default:
        if (n + length > room)
            return n;
        memmove(text + at + length, text + at, n - at);
        memcpy(text + at, piece, length);
        return n + length;
    }
}

static void test_damaged_configurations_are_refused_or_mean_something(void **state)
{
    (void)state;
    uint64_t random = 20261120;
    char text[sizeof seed_text + 256];

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t n = sizeof seed_text - 1;
        memcpy(text, seed_text, n);
        for (uint64_t times = 1 + next(&random) % 3; times; times--)
            n = damage(&random, text, n, sizeof text);
        char *exact = malloc(n); /* so that a sanitizer sees the end */
        memcpy(exact, text, n);
        LLVMFuzzerTestOneInput((const uint8_t *)exact, n);
        free(exact);
    }
}

static void test_nothing_and_noise(void **state)
{
    (void)state;
    uint64_t random = 1;
    uint8_t noise[512] = {0};

    LLVMFuzzerTestOneInput(noise, 0);
    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)next(&random) & (round & 1 ? 0x7f : 0xff);
        LLVMFuzzerTestOneInput(noise, 1 + next(&random) % sizeof noise);
    }
}

static void test_deep_nesting_ends_early(void **state)
{
    (void)state;
    size_t n = NB_KEYWORD_FILE_MAX;
    uint8_t *deep = malloc(n);

    memset(deep, '[', n);
    LLVMFuzzerTestOneInput(deep, n);
    memset(deep, '{', n);
    LLVMFuzzerTestOneInput(deep, n);
    free(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_configurations_are_refused_or_mean_something),
        cmocka_unit_test(test_nothing_and_noise),
        cmocka_unit_test(test_deep_nesting_ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
