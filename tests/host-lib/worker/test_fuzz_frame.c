/* test_fuzz_frame.c - the fuzz entry over a fixed, seeded set of inputs: conversations that would work, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../host-lib/wire/arp.h"
#include "../../../host-lib/wire/ipv4.h"
#include "../../fuzz/fuzz_frame.c"

#ifndef ROUNDS
#define ROUNDS 400
#endif
#define INPUT_MAX 4096

struct seed {
    uint8_t control, n;
    uint8_t bytes[128];
};

static struct seed seeds[6];

static uint32_t next(uint32_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 17;
    *rng ^= *rng << 5;
    return *rng;
}

static void make_ip(struct seed *s, uint8_t control, uint8_t protocol, const void *payload, uint8_t n)
{
    const struct nb_ipv4 ip = {.src = RTE_BE32(0x0a630001),
                               .dst = RTE_BE32(0x0a630002),
                               .total_bytes = 20 + n,
                               .protocol = protocol,
                               .ttl = 64};

    *s = (struct seed){.control = control, .n = 34 + n};
    memcpy(s->bytes, "\2\0\0\0\0\2\2\0\0\0\0\1\10\0", 14);
    nb_ipv4_write(s->bytes + 14, &ip);
    memcpy(s->bytes + 34, payload, n);
}

static void make_tcp(struct seed *s, uint8_t control, uint8_t seq, uint8_t flags, const char *text)
{
    uint8_t tcp[64] = {0x9c, 0x40, 0, 7, 0, 0, 0, seq, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff};

    memcpy(tcp + 20, text, strlen(text));
    make_ip(s, control | CONTROL_VOUCHED, 6, tcp, (uint8_t)(20 + strlen(text)));
}

/* In order: who has our address, ping, and a connection from SYN to FIN. */
static void make_seeds(void)
{
    const struct nb_arp arp = {.op = NB_ARP_REQUEST,
                               .sender_mac = {2, 0, 0, 0, 0, 1},
                               .sender = RTE_BE32(0x0a630001),
                               .target = RTE_BE32(0x0a630002)};

    seeds[0] = (struct seed){.n = 60};
    memcpy(seeds[0].bytes, "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1\10\6", 14);
    nb_arp_write(seeds[0].bytes + 14, &arp);
    make_ip(&seeds[1], 0, 1, "\10\0\xf7\xff\0\0\0\0", 8);
    make_tcp(&seeds[2], 0, 0, 0x02, "");
    make_tcp(&seeds[3], CONTROL_ACK, 1, 0x10, "");
    make_tcp(&seeds[4], CONTROL_ACK, 1, 0x18, "hello");
    make_tcp(&seeds[5], CONTROL_ACK, 6, 0x11, "");
}

/* A conversation, its frames sometimes repeated, left out, swapped, sent to the other queue, or damaged. */
static size_t make_input(uint8_t *out, uint32_t *rng, bool damage)
{
    size_t n = 0;

    for (unsigned i = 0; i < 6 && n + 260 < INPUT_MAX; i++) {
        const struct seed *s = &seeds[damage && next(rng) % 8 == 0 ? next(rng) % 6 : i];

        for (unsigned copies = damage ? next(rng) % 8 > 0 ? 1 : next(rng) % 3 : 1; copies; copies--) {
            out[n] = s->control ^ (damage ? next(rng) & (CONTROL_QUEUE | CONTROL_TIME) : 0);
            out[n + 1] = s->n;
            memcpy(out + n + 2, s->bytes, s->n);
            for (unsigned hits = damage && next(rng) % 3 == 0 ? next(rng) % 4 : 0; hits; hits--)
                out[n + 2 + next(rng) % s->n] = (uint8_t)next(rng);
            n += 2u + s->n;
        }
    }
    return n;
}

/* The seeds are worth something: undamaged they make a connection, damaged they often still do. */
static void test_undamaged_seeds_are_a_conversation(void **state)
{
    static uint8_t input[INPUT_MAX];
    uint32_t rng = 1;

    (void)state;
    LLVMFuzzerTestOneInput(input, make_input(input, &rng, false));
    assert_int_equal(fuzz_accepted, 1);
}

static void test_damaged_conversations_lose_nothing(void **state)
{
    static uint8_t input[INPUT_MAX];
    uint32_t rng = 20240229;

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++)
        LLVMFuzzerTestOneInput(input, make_input(input, &rng, true));
    assert_true(fuzz_accepted > ROUNDS / 4);
}

static void test_empty_frames_and_empty_input_are_fine(void **state)
{
    (void)state;
    assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)"", 0), 0);
    assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)"\0\0\1\0\2\0", 6), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undamaged_seeds_are_a_conversation),
        cmocka_unit_test(test_damaged_conversations_lose_nothing),
        cmocka_unit_test(test_empty_frames_and_empty_input_are_fine),
    };

    make_seeds();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
