/* test_fuzz_reassembly.c - the fuzz entry over fixed, seeded inputs: datagrams cut at random, their pieces shuffled,
 * repeated, left out and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_reassembly.c"

#define ROUNDS 500
#define PIECES 12

static uint32_t next(uint32_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 17;
    *rng ^= *rng << 5;
    return *rng;
}

/* A datagram in pieces of two to nine units, in any order. */
static size_t make_input(uint8_t out[PIECES * 4], uint32_t *rng, bool damage)
{
    uint8_t flags = (uint8_t)(next(rng) & (FLAG_IPV6 | FLAG_TCP)) | (uint8_t)(next(rng) << 4), at = 0;

    for (unsigned i = 0; i < PIECES; i++) {
        uint8_t units = (uint8_t)(3 + next(rng) % 7);

        memcpy(out + 4 * i, (uint8_t[]){at, units, flags | (i + 1 < PIECES ? FLAG_MORE : 0), 0}, 4);
        at += units;
    }
    for (unsigned i = PIECES - 1; i > 0; i--) {
        uint8_t swap[4], *other = out + 4 * (next(rng) % (i + 1));

        memcpy(swap, out + 4 * i, 4);
        memcpy(out + 4 * i, other, 4);
        memcpy(other, swap, 4);
    }
    if (damage)
        out[next(rng) % (PIECES * 4)] = (uint8_t)next(rng);
    return PIECES * 4;
}

static void test_undamaged_datagrams_come_out_whole(void **state)
{
    uint8_t input[PIECES * 4];
    uint32_t rng = 1;

    (void)state;
    fuzz_whole = fuzz_dropped = 0;
    for (unsigned i = 0; i < ROUNDS; i++)
        LLVMFuzzerTestOneInput(input, make_input(input, &rng, false));
    assert_int_equal(fuzz_whole, ROUNDS);
    assert_int_equal(fuzz_dropped, 0);
}

static void test_damaged_datagrams_lose_nothing_and_never_come_out_wrong(void **state)
{
    uint8_t input[PIECES * 4];
    uint32_t rng = 20261120;

    (void)state;
    fuzz_whole = 0;
    for (unsigned i = 0; i < 4 * ROUNDS; i++)
        LLVMFuzzerTestOneInput(input, make_input(input, &rng, true));
    assert_true(fuzz_whole > ROUNDS / 8); /* damage to a delay does no harm */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undamaged_datagrams_come_out_whole),
        cmocka_unit_test(test_damaged_datagrams_lose_nothing_and_never_come_out_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
