/* test_fuzz_tcp_input.c - the fuzz entry over fixed seeds: programs whose steps mostly open connections and converse,
 * and programs of noise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_tcp_input.c"

#define SEEDS       1500
#define PROGRAM_MAX 1200

static uint8_t program[PROGRAM_MAX];
static size_t length;

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void put(uint8_t byte)
{
    if (length < PROGRAM_MAX)
        program[length++] = byte;
}

/* A segment as draw_arrival reads it: exactly what tuple's connection expects, with `flag` and a payload. */
static void put_segment(uint8_t tuple, uint8_t flag, uint64_t r)
{
    put(0);
    put(tuple);
    put(flag);
    put(0);                              /* the peer's ISS */
    put(0x50);                           /* seq: rcv_nxt */
    put(0x50);                           /* ack: snd_max */
    put((uint8_t)(r & 0x40 ? 0x10 : r)); /* window */
    put((uint8_t)(r >> 8));
    put((uint8_t)(flag == 3 || flag == 4 ? 0x0f : 0)); /* options: all in a SYN */
    if (flag == 3 || flag == 4) {
        put(2), put(0); /* MSS 512 */
        put(3);
        put(0); /* echo */
    }
    bool large = r & 0x100;
    put(flag == 0 || flag == 1 ? (large ? 3 : 0x21) : 0);
    if ((flag == 0 || flag == 1) && large)
        put((uint8_t)(r >> 16 & 3)), put((uint8_t)(r >> 24));
    put(0); /* the queue */
}

static void put_noise(uint64_t *random, unsigned n)
{
    while (n--)
        put((uint8_t)next(random));
}

static void make_program(uint64_t seed)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15 + 1;
    length = 0;
    put_noise(&random, 5);
    while (length < PROGRAM_MAX - 100 && next(&random) % 60) {
        uint64_t r = next(&random);
        uint8_t tuple = r >> 40 & 1;
        switch (r >> 48 & 7) {
        case 0:
            put_segment(tuple, 3, r);
            put_segment(tuple, 0, r);
            break;
        case 1:
        case 2:
            put_segment((uint8_t)(r >> 41 & 3), (uint8_t)(r >> 43 & 1), r);
            break;
        case 3:
            put(6), put(0);
            put_segment(2, 4, r);
            break;
        case 4:
            put(5), put((uint8_t)(r >> 3 & 3)), put((uint8_t)(r >> 5 & 0x83)), put(1), put((uint8_t)r);
            break;
        case 5:
            put_segment((uint8_t)(r >> 41 & 3), 2, r);
            break;
        case 6:
            put(4), put((uint8_t)(r % 26));
            break;
        default:
            put_noise(&random, r % 24);
        }
    }
    put_noise(&random, 8);
}

static void test_random_conversations_keep_every_invariant(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        make_program(seed);
        LLVMFuzzerTestOneInput(program, length);
    }
}

static void test_noise_keeps_every_invariant(void **state)
{
    (void)state;
    uint64_t random = 4711;
    for (unsigned i = 0; i < SEEDS; i++) {
        length = 0;
        put_noise(&random, 400);
        LLVMFuzzerTestOneInput(program, length);
    }
}

static void test_empty_program_is_fine(void **state)
{
    (void)state;
    assert_int_equal(LLVMFuzzerTestOneInput(program, 0), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_conversations_keep_every_invariant),
        cmocka_unit_test(test_noise_keeps_every_invariant),
        cmocka_unit_test(test_empty_program_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
