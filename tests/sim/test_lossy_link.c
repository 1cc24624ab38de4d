/* test_lossy_link.c - whole conversations over bad links, from seeds: every byte arrives, both ends close, every pool
 * is full again. A failing seed is printed and replays exactly (SIM_SEED=n runs that one alone; SIM_SEEDS=n runs n of
 * each).
 */
#include "../../host-lib/tcp/settings.h"
#include "random.h"
#include "two_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <netbypass/flow.h>

#define SEEDS 60 /* of each kind of link: ten kinds, 600 conversations */

static struct run_options options_for(uint64_t seed)
{
    uint64_t state = rng_mix(seed);
    static const char *const congestions[] = {NULL, "reno", "bbr"};
    struct run_options o = {.seed = seed, .family = RNG_PICK(&state, NB_FAMILY_IPV4, NB_FAMILY_IPV6)};
    o.simultaneous_open = RNG_PICK(&state, 0, 0, 0, 1);
    o.link.delay_us = RNG_PICK(&state, 10, 200, 5000, 40000);
    for (unsigned i = 0; i < 2; i++) {
        o.side[i].send_bytes = RNG_PICK(&state, 0, 1, 700, 5000, 40000, 150000);
        o.side[i].send_buffer = RNG_PICK(&state, 2000, 16000, 256000);
        o.side[i].recv_buffer = RNG_PICK(&state, 1500, 8000, 60000, 200000);
        o.side[i].mtu = (uint16_t)RNG_PICK(&state, 576, 1500, 1500, 1280);
        o.side[i].mbufs = 2047;
        o.side[i].slow_reader = RNG_PICK(&state, 0, 0, 1);
        o.side[i].by_chain = RNG_PICK(&state, 0, 0, 1);
        o.side[i].plain = RNG_PICK(&state, 0, 0, 0, 1);
        o.side[i].ecn = (uint8_t)RNG_PICK(&state, 0, NB_ECN_ON, NB_ECN_ACCECN, NB_ECN_ACCECN);
        o.side[i].congestion = congestions[RNG_PICK(&state, 0, 1, 2)];
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
        shape(&o, rng_mix(seed ^ 0x5eed));
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
    o->link.loss_ppm = RNG_PICK(&state, 5000, 20000, 50000, 150000);
}

static void losing_in_bursts(struct run_options *o, uint64_t state)
{
    o->link.burst_ppm = RNG_PICK(&state, 1000, 10000);
    o->link.burst_us = RNG_PICK(&state, 100, 10000, 2000000);
}

/* Not every second or third: a window of two segments and the retransmission of one can fall into step with that. */
static void losing_every_nth(struct run_options *o, uint64_t state)
{
    o->link.lose_every = RNG_PICK(&state, 7, 10, 100);
}

/* Whole round trips of jitter, so that order means nothing. */
static void shuffling(struct run_options *o, uint64_t state)
{
    o->link.jitter_us = o->link.delay_us * RNG_PICK(&state, 1, 3);
    o->link.duplicate_ppm = RNG_PICK(&state, 0, 20000, 100000);
    o->link.loss_ppm = RNG_PICK(&state, 0, 10000, 50000);
}

/* A few packets come late, as on two paths of different length. */
static void reordering(struct run_options *o, uint64_t state)
{
    o->link.reorder_ppm = RNG_PICK(&state, 10000, 100000);
    o->link.reorder_us = (unsigned)o->link.delay_us / 4 + RNG_PICK(&state, 0, 10, 1000);
    o->link.loss_ppm = RNG_PICK(&state, 0, 0, 10000);
}

static void corrupting(struct run_options *o, uint64_t state)
{
    o->link.corrupt_ppm = RNG_PICK(&state, 10000, 100000);
}

/* A slow link with a short queue, and few buffers at the ends. */
static void narrow(struct run_options *o, uint64_t state)
{
    o->link.rate_bps = RNG_PICK(&state, 1000000, 12000000, 200000000);
    o->link.queue_bytes = RNG_PICK(&state, 6000, 30000);
    for (unsigned i = 0; i < 2; i++)
        o->side[i].mbufs = RNG_PICK(&state, 31, 63, 255);
}

/* Large packets vanish and nobody says so: probing has to find out. */
static void swallowing(struct run_options *o, uint64_t state)
{
    o->link.mtu_bytes = (uint16_t)RNG_PICK(&state, 1100, 1200, 1492);
    o->link.loss_ppm = RNG_PICK(&state, 0, 0, 10000);
    for (unsigned i = 0; i < 2; i++)
        o->side[i].mtu_probing = (uint8_t)RNG_PICK(&state, 1, 1, 2);
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

static void test_link_losing_in_bursts_delivers_everything(void **state)
{
    (void)state;
    run_seeds(3, losing_in_bursts);
}

static void test_link_losing_every_nth_packet_delivers_everything(void **state)
{
    (void)state;
    run_seeds(4, losing_every_nth);
}

static void test_shuffling_and_repeating_link_delivers_everything(void **state)
{
    (void)state;
    run_seeds(5, shuffling);
}

static void test_reordering_link_delivers_everything(void **state)
{
    (void)state;
    run_seeds(6, reordering);
}

static void test_corrupting_link_delivers_everything(void **state)
{
    (void)state;
    run_seeds(7, corrupting);
}

static void test_narrow_link_and_scarce_buffers_deliver_everything(void **state)
{
    (void)state;
    run_seeds(8, narrow);
}

static void test_link_that_swallows_large_packets_delivers_everything(void **state)
{
    (void)state;
    run_seeds(9, swallowing);
}

/* Congestion marks beside losses and whatever ECN the ends agree on. */
static void marking(struct run_options *o, uint64_t state)
{
    o->link.mark_every = RNG_PICK(&state, 1, 3, 10, 50);
    o->link.loss_ppm = RNG_PICK(&state, 0, 0, 20000);
}

static void test_marking_link_delivers_everything(void **state)
{
    (void)state;
    run_seeds(10, marking);
}

/* Nothing is lost or overtaken: each mark is counted where it arrives, and where it was told of. */
static void test_marks_are_counted_exactly_at_both_ends(void **state)
{
    (void)state;
    static const unsigned every[] = {1, 2, 7, 40};
    static const uint8_t families[] = {NB_FAMILY_IPV4, NB_FAMILY_IPV6};
    for (unsigned i = 0; i < 8; i++) {
        struct side_options side = {.send_bytes = 400000,
                                    .send_buffer = 256000,
                                    .recv_buffer = 200000,
                                    .mtu = 1500,
                                    .mbufs = 2047,
                                    .ecn = NB_ECN_ACCECN};
        struct run_options o = {.seed = 11 + i,
                                .family = families[i % 2],
                                .link = {.delay_us = 5000, .mark_every = every[i / 2]},
                                .side = {side, side}};
        struct run_result result = two_ends_run(&o);
        if (!result.ok)
            fail_msg("%s", result.why);
        for (unsigned to = 0; to < 2; to++) {
            assert_true(result.marked[to] >= 270 / every[i / 2]);
            assert_int_equal(result.received_ce[to], result.marked[to]);
            assert_int_equal(result.delivered_ce[!to], result.marked[to]);
        }
    }
}

/* 100 Mbit/s over 100 ms: twenty of the windows that a connection begins with. */
static void test_receive_buffer_grows_to_fill_a_long_path(void **state)
{
    (void)state;
    const uint32_t bytes = 15000000, buffer = 4000000;
    struct run_options o = {
        .seed = 10,
        .family = NB_FAMILY_IPV4,
        .link = {.delay_us = 50000, .rate_bps = 100000000, .queue_bytes = 1250000},
        .side = {{.send_bytes = bytes, .send_buffer = buffer, .recv_buffer = buffer, .mtu = 1500, .mbufs = 8191},
                 {.send_buffer = buffer, .recv_buffer = buffer, .mtu = 1500, .mbufs = 8191}}};
    struct run_result result = two_ends_run(&o);
    if (!result.ok)
        fail_msg("%s", result.why);
    uint64_t ideal_us = bytes * 8ull / 100, slow_start_us = 1000000;
    print_message("# %.1f s, of which sending takes %.1f s\n", (double)result.took_us / 1e6, (double)ideal_us / 1e6);
    assert_true(result.took_us < ideal_us * 10 / 9 + slow_start_us);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_link_delivers_everything),
        cmocka_unit_test(test_losing_link_delivers_everything),
        cmocka_unit_test(test_link_losing_in_bursts_delivers_everything),
        cmocka_unit_test(test_link_losing_every_nth_packet_delivers_everything),
        cmocka_unit_test(test_shuffling_and_repeating_link_delivers_everything),
        cmocka_unit_test(test_reordering_link_delivers_everything),
        cmocka_unit_test(test_corrupting_link_delivers_everything),
        cmocka_unit_test(test_narrow_link_and_scarce_buffers_deliver_everything),
        cmocka_unit_test(test_marking_link_delivers_everything),
        cmocka_unit_test(test_marks_are_counted_exactly_at_both_ends),
        cmocka_unit_test(test_receive_buffer_grows_to_fill_a_long_path),
        cmocka_unit_test(test_link_that_swallows_large_packets_delivers_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
