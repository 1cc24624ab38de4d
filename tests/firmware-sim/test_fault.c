/* A faulty cable alone: what comes out of it, when, and what is counted. Time is a number that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fault.h"

#include <string.h>

#define MS     1000000ull
#define FRAMES 1000
#define FRAME  64

static struct sim_fault fault;
static unsigned came;
static uint8_t order[4 * FRAMES]; /* first byte of each frame that came */
static uint8_t last[FRAME];

static int setup(void **state)
{
    (void)state;
    sim_fault_init(&fault);
    came = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_fault_fini(&fault);
    return 0;
}

static void sink(void *arg, const void *frame, size_t n)
{
    (void)arg;
    assert_int_equal(n, FRAME);
    memcpy(last, frame, n);
    order[came++] = last[0];
}

static void send_frames(unsigned n, uint64_t now_ns)
{
    uint8_t frame[FRAME] = {0};
    for (unsigned i = 0; i < n; i++) {
        frame[0] = i;
        sim_fault_frame(&fault, SIM_FAULT_RX, frame, sizeof frame, now_ns, sink, NULL);
    }
}

static void set(enum sim_fault_kind kind, unsigned percent)
{
    fault.path[SIM_FAULT_RX].parts[kind] = SIM_FAULT_CERTAIN / 100 * percent;
}

static uint64_t count_of(enum sim_fault_kind kind)
{
    return fault.path[SIM_FAULT_RX].count[kind];
}

static void test_sound_cable_passes_all_in_order_at_once(void **state)
{
    (void)state;
    send_frames(200, 0);
    assert_int_equal(came, 200);
    for (unsigned i = 0; i < came; i++)
        assert_int_equal(order[i], i);
    assert_true(sim_fault_next_ns(&fault) == SIM_FAULT_NEVER);
}

static void test_loss_takes_its_share_and_counts_it(void **state)
{
    (void)state;
    set(SIM_FAULT_LOSS, 10);
    send_frames(FRAMES, 0);
    assert_int_equal(came + count_of(SIM_FAULT_LOSS), FRAMES);
    assert_in_range(count_of(SIM_FAULT_LOSS), 60, 140);
}

static void test_certain_loss_leaves_nothing_and_the_other_direction_alone(void **state)
{
    (void)state;
    uint8_t frame[FRAME] = {0};
    set(SIM_FAULT_LOSS, 100);
    send_frames(50, 0);
    assert_int_equal(came, 0);
    sim_fault_frame(&fault, SIM_FAULT_TX, frame, sizeof frame, 0, sink, NULL);
    assert_int_equal(came, 1);
}

static void test_duplicate_comes_twice(void **state)
{
    (void)state;
    set(SIM_FAULT_DUPLICATE, 100);
    send_frames(3, 0);
    assert_int_equal(came, 6);
    assert_int_equal(order[0], 0);
    assert_int_equal(order[1], 0);
    assert_int_equal(order[5], 2);
}

static void test_corruption_flips_one_bit_behind_the_ethernet_header(void **state)
{
    (void)state;
    set(SIM_FAULT_CORRUPT, 100);
    for (int i = 0; i < 100; i++) {
        unsigned flipped = 0;
        send_frames(1, 0);
        for (unsigned b = 0; b < FRAME; b++)
            flipped += __builtin_popcount(last[b]);
        assert_int_equal(flipped, 1);
        for (unsigned b = 0; b < 14; b++)
            assert_int_equal(last[b], 0);
    }
}

static void test_reordered_frame_is_overtaken_and_not_lost(void **state)
{
    (void)state;
    unsigned descents = 0;
    set(SIM_FAULT_REORDER, 20);
    send_frames(200, 0);
    assert_int_equal(came + count_of(SIM_FAULT_REORDER), 200);
    sim_fault_due(&fault, SIM_FAULT_RX, sim_fault_next_ns(&fault), sink, NULL);
    assert_int_equal(came, 200);
    for (unsigned i = 1; i < came; i++)
        descents += order[i] < order[i - 1];
    assert_true(descents > 0);
}

static void test_delay_holds_for_its_time_and_keeps_order_under_jitter(void **state)
{
    (void)state;
    fault.path[SIM_FAULT_RX].delay_ns = 10 * MS;
    fault.path[SIM_FAULT_RX].jitter_ns = 5 * MS;
    send_frames(100, 0);
    assert_int_equal(came, 0);
    sim_fault_due(&fault, SIM_FAULT_RX, 10 * MS - 1, sink, NULL);
    assert_int_equal(came, 0);
    sim_fault_due(&fault, SIM_FAULT_RX, 15 * MS, sink, NULL);
    assert_int_equal(came, 100);
    for (unsigned i = 0; i < came; i++)
        assert_int_equal(order[i], i);
}

static void test_frames_behind_delayed_ones_wait_their_turn_when_the_delay_ends(void **state)
{
    (void)state;
    fault.path[SIM_FAULT_RX].delay_ns = 10 * MS;
    send_frames(1, 0);
    sim_fault_clear(&fault);
    send_frames(2, MS);
    assert_int_equal(came, 0);
    sim_fault_due(&fault, SIM_FAULT_RX, 10 * MS, sink, NULL);
    assert_int_equal(came, 3);
    send_frames(1, 10 * MS);
    assert_int_equal(came, 4);
}

static void test_too_many_held_frames_are_counted_as_lost(void **state)
{
    (void)state;
    fault.path[SIM_FAULT_RX].delay_ns = MS;
    for (int i = 0; i < 100; i++)
        send_frames(100, 0);
    assert_int_equal(fault.path[SIM_FAULT_RX].held_count + fault.path[SIM_FAULT_RX].overflowed, 10000);
    assert_true(fault.path[SIM_FAULT_RX].overflowed > 0);
}

static void test_same_seed_means_same_fate(void **state)
{
    uint8_t first[sizeof order];
    unsigned first_came;
    set(SIM_FAULT_LOSS, 30);
    set(SIM_FAULT_DUPLICATE, 30);
    sim_fault_seed(&fault, 42);
    send_frames(FRAMES, 0);
    first_came = came;
    memcpy(first, order, sizeof order);
    teardown(state);
    setup(state);
    set(SIM_FAULT_LOSS, 30);
    set(SIM_FAULT_DUPLICATE, 30);
    sim_fault_seed(&fault, 42);
    send_frames(FRAMES, 0);
    assert_int_equal(came, first_came);
    assert_memory_equal(order, first, came);
    came = 0;
    sim_fault_seed(&fault, 43);
    send_frames(FRAMES, 0);
    assert_true(came != first_came || memcmp(order, first, came) != 0);
}

static void test_loose_plug_goes_out_and_in_and_stays_in_when_fixed(void **state)
{
    (void)state;
    bool up = true;
    uint64_t now = 0;
    sim_fault_flap(&fault, 4 * MS, 8 * MS, now);
    for (int i = 0; i < 10; i++) {
        assert_true(sim_fault_flap_due(&fault, now, &up));
        assert_int_equal(up, i % 2);
        assert_false(sim_fault_flap_due(&fault, now, &up));
        uint64_t span = sim_fault_next_ns(&fault) - now;
        assert_in_range(span, up ? 4 * MS : 2 * MS, up ? 12 * MS : 6 * MS);
        now += span;
    }
    assert_int_equal(fault.flap.count, 5);
    assert_true(sim_fault_flap_due(&fault, now, &up)); /* out again */
    sim_fault_flap(&fault, 0, 0, now);
    assert_true(sim_fault_flap_due(&fault, now, &up));
    assert_true(up);
    assert_false(sim_fault_flap_due(&fault, now + 1000 * MS, &up));
    assert_true(sim_fault_next_ns(&fault) == SIM_FAULT_NEVER);
}

#define WITH_CABLE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CABLE(test_sound_cable_passes_all_in_order_at_once),
        WITH_CABLE(test_loss_takes_its_share_and_counts_it),
        WITH_CABLE(test_certain_loss_leaves_nothing_and_the_other_direction_alone),
        WITH_CABLE(test_duplicate_comes_twice),
        WITH_CABLE(test_corruption_flips_one_bit_behind_the_ethernet_header),
        WITH_CABLE(test_reordered_frame_is_overtaken_and_not_lost),
        WITH_CABLE(test_delay_holds_for_its_time_and_keeps_order_under_jitter),
        WITH_CABLE(test_frames_behind_delayed_ones_wait_their_turn_when_the_delay_ends),
        WITH_CABLE(test_too_many_held_frames_are_counted_as_lost),
        WITH_CABLE(test_same_seed_means_same_fate),
        WITH_CABLE(test_loose_plug_goes_out_and_in_and_stays_in_when_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
