/* test_timer_wheel.c - the timer wheel: when timers fire, and that nothing fires early, late or twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../host-lib/worker/timer_wheel.h"

#define TICK  NB_TIMER_TICK_US
#define START 1000000007u /* not a multiple of anything the wheel cares about */

struct entry {
    struct nb_timer timer;
    uint64_t fired_at;
    unsigned fired;
    uint64_t deadline_us; /* of the random test */
};

struct fixture {
    struct nb_timer_wheel wheel;
    uint64_t now;
    struct entry *rearm_for_past, *cancels;
};

static void on_fire(void *arg, struct nb_timer *timer)
{
    struct fixture *f = arg;
    struct entry *e = (struct entry *)timer;
    assert_false(nb_timer_armed(timer));
    e->fired++;
    e->fired_at = f->now;
    if (f->cancels)
        nb_timer_cancel(&f->wheel, &f->cancels->timer);
    if (f->rearm_for_past == e)
        nb_timer_arm(&f->wheel, timer, 0);
}

static void advance(struct fixture *f, uint64_t now)
{
    f->now = now;
    nb_timer_wheel_advance(&f->wheel, now, on_fire, f);
}

/* A wheel for timers in the same 4 GB as this one. */
static struct fixture *new_fixture(const void *timer)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->now = START;
    nb_timer_wheel_init(&f->wheel, (const void *)((uintptr_t)timer & ~(uintptr_t)UINT32_MAX), START);
    return f;
}

static void test_armed_timer_does_not_fire_before_its_deadline_and_fires_within_a_tick(void **state)
{
    (void)state;
    static const uint64_t after[] = {1,      63,         64,       65,          1000,        40000,
                                     200000, 16384 * 64, 60000000, 4000000000u, 90000000000u};
    for (unsigned i = 0; i < sizeof after / sizeof after[0]; i++) {
        struct entry e = {0};
        struct fixture *f = new_fixture(&e);
        nb_timer_arm(&f->wheel, &e.timer, START + after[i]);
        advance(f, START + after[i] - 1);
        if (e.fired)
            assert_true(0);
        advance(f, START + after[i] + TICK);
        assert_int_equal(e.fired, 1);
        assert_int_equal(f->wheel.armed, 0);
        assert_true(nb_timer_wheel_next_us(&f->wheel) == UINT64_MAX);
        free(f);
    }
}

static void test_deadline_in_the_past_fires_at_the_next_advance(void **state)
{
    (void)state;
    struct entry e = {0};
    struct fixture *f = new_fixture(&e);
    nb_timer_arm(&f->wheel, &e.timer, 5);
    advance(f, START);
    assert_int_equal(e.fired, 1);
    free(f);
}

static void test_callback_that_rearms_for_the_past_does_not_keep_advance_from_ending(void **state)
{
    (void)state;
    struct entry e = {0};
    struct fixture *f = new_fixture(&e);
    f->rearm_for_past = &e;
    nb_timer_arm(&f->wheel, &e.timer, START);
    advance(f, START + TICK);
    assert_in_range(e.fired, 1, 2);
    unsigned before = e.fired;
    advance(f, START + 2 * TICK);
    assert_int_equal(e.fired, before + 1);
    free(f);
}

static void test_moved_timer_fires_at_its_new_deadline_only(void **state)
{
    (void)state;
    struct entry e = {0};
    struct fixture *f = new_fixture(&e);
    nb_timer_arm(&f->wheel, &e.timer, START + 200000);
    nb_timer_arm(&f->wheel, &e.timer, START + 900000);
    advance(f, START + 899999);
    assert_int_equal(e.fired, 0);
    nb_timer_arm(&f->wheel, &e.timer, START + 899999 + 1000);
    advance(f, START + 901999);
    assert_int_equal(e.fired, 1);
    free(f);
}

static void test_cancelled_timer_does_not_fire_and_wheel_is_empty(void **state)
{
    (void)state;
    struct entry e = {0};
    struct fixture *f = new_fixture(&e);
    nb_timer_arm(&f->wheel, &e.timer, START + 5000);
    nb_timer_cancel(&f->wheel, &e.timer);
    nb_timer_cancel(&f->wheel, &e.timer);
    assert_false(nb_timer_armed(&e.timer));
    assert_true(nb_timer_wheel_next_us(&f->wheel) == UINT64_MAX);
    advance(f, START + 100000);
    assert_int_equal(e.fired, 0);
    free(f);
}

static void test_timer_cancelled_by_a_callback_of_the_same_tick_does_not_fire(void **state)
{
    (void)state;
    struct entry a = {0}, b = {0};
    struct fixture *f = new_fixture(&a);
    nb_timer_arm(&f->wheel, &a.timer, START + 500);
    nb_timer_arm(&f->wheel, &b.timer, START + 500);
    f->cancels = &a; /* b was armed last and lies first */
    advance(f, START + 1000);
    assert_int_equal(a.fired + b.fired, 1);
    assert_int_equal(f->wheel.armed, 0);
    free(f);
}

static void test_next_is_never_late_and_close_to_the_deadline_when_near(void **state)
{
    (void)state;
    struct entry near = {0}, far = {0};
    struct fixture *f = new_fixture(&near);
    nb_timer_arm(&f->wheel, &far.timer, START + 60000000);
    assert_true(nb_timer_wheel_next_us(&f->wheel) <= START + 60000000 + TICK);
    nb_timer_arm(&f->wheel, &near.timer, START + 4000);
    uint64_t next = nb_timer_wheel_next_us(&f->wheel);
    assert_in_range(next, START + 4000, START + 4000 + TICK);
    free(f);
}

static void test_timer_beyond_the_wheels_reach_fires_there(void **state)
{
    (void)state;
    struct entry e = {0};
    struct fixture *f = new_fixture(&e);
    nb_timer_arm(&f->wheel, &e.timer, START + 7ull * 86400 * 1000000);
    advance(f, START + NB_TIMER_REACH_US - TICK);
    assert_int_equal(e.fired, 0);
    advance(f, START + NB_TIMER_REACH_US + TICK);
    assert_int_equal(e.fired, 1);
    free(f);
}

static void test_timer_armed_by_a_deadline_moves_only_to_an_earlier_one(void **state)
{
    (void)state;
    struct entry e = {0};
    struct fixture *f = new_fixture(&e);
    nb_timer_arm_by(&f->wheel, &e.timer, START + 9000);
    nb_timer_arm_by(&f->wheel, &e.timer, START + 90000);
    nb_timer_arm_by(&f->wheel, &e.timer, START + 5000);
    advance(f, START + 4999);
    assert_int_equal(e.fired, 0);
    advance(f, START + 5000 + TICK);
    assert_int_equal(e.fired, 1);
    free(f);
}

/* Against a list of deadlines: random arms, moves, cancels and steps; each fires in the first advance that reaches it.
 */
static void test_random_use_agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { N = 200, ROUNDS = 20000 };
    struct entry *e = calloc(N, sizeof *e);
    struct fixture *f = new_fixture(e);
    srand(7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct entry *x = &e[rand() % N];
        if (rand() % 4 == 0)
            nb_timer_cancel(&f->wheel, &x->timer);
        else
            nb_timer_arm(&f->wheel, &x->timer, x->deadline_us = f->now + ((uint64_t)rand() >> (rand() % 31)));
        uint64_t deadline[N];
        unsigned before[N];
        for (unsigned i = 0; i < N; i++) {
            deadline[i] = nb_timer_armed(&e[i].timer) ? e[i].deadline_us : UINT64_MAX;
            before[i] = e[i].fired;
        }
        uint64_t next = nb_timer_wheel_next_us(&f->wheel);
        uint64_t step = (uint64_t)rand() >> (8 + rand() % 23);
        advance(f, f->now + step);
        for (unsigned i = 0; i < N; i++) {
            bool fired = e[i].fired != before[i];
            if (fired)
                assert_true(deadline[i] <= f->now && next <= f->now);
            else
                assert_true(deadline[i] == UINT64_MAX || deadline[i] + TICK > f->now);
        }
    }
    free(e);
    free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_armed_timer_does_not_fire_before_its_deadline_and_fires_within_a_tick),
        cmocka_unit_test(test_deadline_in_the_past_fires_at_the_next_advance),
        cmocka_unit_test(test_callback_that_rearms_for_the_past_does_not_keep_advance_from_ending),
        cmocka_unit_test(test_moved_timer_fires_at_its_new_deadline_only),
        cmocka_unit_test(test_cancelled_timer_does_not_fire_and_wheel_is_empty),
        cmocka_unit_test(test_timer_cancelled_by_a_callback_of_the_same_tick_does_not_fire),
        cmocka_unit_test(test_next_is_never_late_and_close_to_the_deadline_when_near),
        cmocka_unit_test(test_timer_beyond_the_wheels_reach_fires_there),
        cmocka_unit_test(test_timer_armed_by_a_deadline_moves_only_to_an_earlier_one),
        cmocka_unit_test(test_random_use_agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
