/* test_rtt.c - RFC 6298 §2 number by number, and where Linux departs from it. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/rtt.h"

#define FLOOR_US 200000 /* tcp_rto_min_us */

/* A connection that has measured nothing. */
static struct one_end *fresh(void)
{
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    nb__rtt_init(e->tcp, e->tcb);
    e->tcb->srtt_us = 0;
    return e;
}

static uint32_t measure(struct one_end *e, uint32_t us)
{
    nb__rtt_sample(e->tcp, e->tcb, us);
    return e->tcb->rto_us;
}

/* What was in flight is acknowledged: the next sample is one of another round. */
static void next_round(struct one_end *e)
{
    e->tcb->snd_una += 1;
    e->tcb->snd_nxt = e->tcb->snd_una;
}

static uint32_t srtt(const struct one_end *e)
{
    return nb__srtt_us(e->tcb->srtt_us);
}

static void test_nothing_measured_means_a_second(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    assert_int_equal(nb__rto_base_us(e->tcp, e->tcb), 1000000);
    end_free(e);
}

static void test_first_measurement_sets_srtt_and_half_of_it_as_variance(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    assert_int_equal(measure(e, 400000), 400000 + 4 * 200000);
    assert_int_equal(srtt(e), 400000);
    end_free(e);
}

static void test_next_measurement_moves_srtt_by_an_eighth_and_variance_by_a_quarter(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    measure(e, 400000);
    assert_int_equal(measure(e, 800000), 450000 + 4 * (150000 + 100000));
    assert_int_equal(srtt(e), 450000);
    end_free(e);
}

static void test_smaller_measurement_raises_the_variance_by_an_eighth_of_that_only(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    measure(e, 80000);
    uint32_t before = e->tcb->mdev_us;
    measure(e, 1);
    assert_int_equal(e->tcb->mdev_us, before + (79999 - before / 4) / 8);
    end_free(e);
}

static void test_variance_falls_once_a_round_by_a_quarter_of_the_difference(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    measure(e, 800000);
    uint32_t before = e->tcb->rttvar_us;
    measure(e, 800000);
    measure(e, 800000);
    assert_int_equal(e->tcb->rttvar_us, before);
    uint32_t largest = e->tcb->mdev_max_us;
    next_round(e);
    measure(e, 800000);
    assert_true(e->tcb->rttvar_us <= before - (before - largest) / 4);
    end_free(e);
}

static void test_steady_round_trip_leaves_200_ms_above_it(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    uint32_t rto = 0;
    for (unsigned i = 0; i < 100; i++) {
        rto = measure(e, 50000);
        next_round(e);
    }
    assert_in_range(srtt(e), 49990, 50000);
    assert_in_range(rto, 50000 + FLOOR_US - 10, 50000 + FLOOR_US);
    end_free(e);
}

static void test_immeasurably_short_round_trip_counts_as_measured(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    assert_int_equal(measure(e, 0), FLOOR_US + 1);
    for (unsigned i = 0; i < 20; i++)
        measure(e, 0);
    assert_true(e->tcb->srtt_us > 0);
    end_free(e);
}

static void test_absurd_measurement_is_bounded(void **state)
{
    (void)state;
    struct one_end *e = fresh();
    assert_int_equal(measure(e, UINT32_MAX), 120000000);
    for (unsigned i = 0; i < 10; i++)
        assert_true(measure(e, i % 2 ? UINT32_MAX : 0) <= 120000000);
    end_free(e);
}

static void test_least_round_trip_is_forgotten_after_five_minutes(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    nb__min_rtt_sample(e->tcp, e->tcb, 300);
    e->tcb->min_rtt_us = 300;
    wait_us(e, 200000000);
    nb__min_rtt_sample(e->tcp, e->tcb, 500);
    assert_int_equal(e->tcb->min_rtt_us, 300);
    wait_us(e, 101000000);
    nb__min_rtt_sample(e->tcp, e->tcb, 500);
    assert_int_equal(e->tcb->min_rtt_us, 500);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_measured_means_a_second),
        cmocka_unit_test(test_first_measurement_sets_srtt_and_half_of_it_as_variance),
        cmocka_unit_test(test_next_measurement_moves_srtt_by_an_eighth_and_variance_by_a_quarter),
        cmocka_unit_test(test_smaller_measurement_raises_the_variance_by_an_eighth_of_that_only),
        cmocka_unit_test(test_variance_falls_once_a_round_by_a_quarter_of_the_difference),
        cmocka_unit_test(test_steady_round_trip_leaves_200_ms_above_it),
        cmocka_unit_test(test_immeasurably_short_round_trip_counts_as_measured),
        cmocka_unit_test(test_absurd_measurement_is_bounded),
        cmocka_unit_test(test_least_round_trip_is_forgotten_after_five_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
