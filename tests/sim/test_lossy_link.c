/* test_lossy_link.c - whole conversations over bad links, from seeds: every byte arrives, both ends close, every pool
 * is full again. A failing seed is printed and replays exactly (SIM_SEED=n runs that one alone; SIM_SEEDS=n runs n of
 * each).
 */
#include "two_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <netbypass/flow.h>

#define SEEDS 50 /* of each kind of link: four kinds, 200 conversations */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint32_t pick(uint64_t *state, const uint32_t *of, unsigned n)
{
    *state = mix(*state);
    return of[*state % n];
}
#define PICK(...) pick(&state, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static struct run_options options_for(uint64_t seed)
{
    uint64_t state = mix(seed);
    struct run_options o = {.seed = seed, .family = PICK(NB_FAMILY_IPV4, NB_FAMILY_IPV6)};
    o.simultaneous_open = PICK(0, 0, 0, 1);
    o.link.delay_us = PICK(10, 200, 5000, 40000);
    for (unsigned i = 0; i < 2; i++) {
        o.side[i].send_bytes = PICK(0, 1, 700, 5000, 40000, 150000);
        o.side[i].send_buffer = PICK(2000, 16000, 256000);
        o.side[i].recv_buffer = PICK(1500, 8000, 60000, 200000);
        o.side[i].mtu = (uint16_t)PICK(576, 1500, 1500, 1280);
        o.side[i].mbufs = 2047;
        o.side[i].slow_reader = PICK(0, 0, 1);
        o.side[i].by_chain = PICK(0, 0, 1);
    }
    return o;
}

static unsigned seeds(void)
{
    const char *n = getenv("SIM_SEEDS");
    return n ? (unsigned)atoi(n) : SEEDS;
}

static void run_seeds(unsigned kind, void (*shape)(struct run_options *o, uint64_t state))
{
    const char *only = getenv("SIM_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : kind * 1000000ull, packets = 0, lost = 0;
    for (uint64_t seed = first; seed < first + (only ? 1 : seeds()); seed++) {
        struct run_options o = options_for(seed);
        shape(&o, mix(seed ^ 0x5eed));
        struct run_result result = two_ends_run(&o);
        packets += result.packets;
        lost += result.lost;
        if (!result.ok)
            fail_msg("%s", result.why);
    }
    print_message("# %llu packets, %llu lost\n", (unsigned long long)packets, (unsigned long long)lost);
}

static void clean(struct run_options *o, uint64_t state)
{
    (void)o;
    (void)state;
}

static void losing(struct run_options *o, uint64_t state)
{
    o->link.loss_permille = PICK(5, 20, 50, 150);
}

static void reordering(struct run_options *o, uint64_t state)
{
    o->link.jitter_us = o->link.delay_us * PICK(1, 3);
    o->link.duplicate_permille = PICK(0, 20, 100);
    o->link.loss_permille = PICK(0, 10, 50);
}

/* A slow link with a short queue, and few buffers at the ends. */
static void narrow(struct run_options *o, uint64_t state)
{
    o->link.packet_us = PICK(50, 1000);
    o->link.queue_packets = PICK(4, 20);
    for (unsigned i = 0; i < 2; i++)
        o->side[i].mbufs = PICK(31, 63, 255);
}

static void test_clean_link_delivers_everything(void **state)
{
    (void)state;
    run_seeds(1, clean);
}

static void test_losing_link_delivers_everything(void **state)
{
    (void)state;
    run_seeds(2, losing);
}

static void test_reordering_and_repeating_link_delivers_everything(void **state)
{
    (void)state;
    run_seeds(3, reordering);
}

static void test_narrow_link_and_scarce_buffers_deliver_everything(void **state)
{
    (void)state;
    run_seeds(4, narrow);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_link_delivers_everything),
        cmocka_unit_test(test_losing_link_delivers_everything),
        cmocka_unit_test(test_reordering_and_repeating_link_delivers_everything),
        cmocka_unit_test(test_narrow_link_and_scarce_buffers_deliver_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
