/* test_rtt.c - RFC 6298 §2, number by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/rtt.h"

static void test_first_measurement_sets_srtt_and_half_of_it_as_variance(void **state)
{
    (void)state;
    uint32_t srtt = 0, rttvar = 0;
    assert_int_equal(nb_rtt_sample(&srtt, &rttvar, 400000), 400000 + 4 * 200000);
    assert_int_equal(srtt, 400000);
    assert_int_equal(rttvar, 200000);
}

static void test_next_measurement_moves_srtt_by_an_eighth_and_variance_by_a_quarter(void **state)
{
    (void)state;
    uint32_t srtt = 400000, rttvar = 200000;
    nb_rtt_sample(&srtt, &rttvar, 800000);
    assert_int_equal(rttvar, 150000 + 100000);
    assert_int_equal(srtt, 350000 + 100000);
}

static void test_steady_round_trip_leaves_200_ms_above_it(void **state)
{
    (void)state;
    uint32_t srtt = 0, rttvar = 0, rto = 0;
    for (unsigned i = 0; i < 100; i++)
        rto = nb_rtt_sample(&srtt, &rttvar, 50000);
    assert_in_range(srtt, 49990, 50000);
    assert_in_range(rto, 249990, 250000);
}

static void test_immeasurably_short_round_trip_counts_as_measured(void **state)
{
    (void)state;
    uint32_t srtt = 0, rttvar = 0;
    assert_int_equal(nb_rtt_sample(&srtt, &rttvar, 0), 200001);
    assert_int_equal(srtt, 1);
    for (unsigned i = 0; i < 20; i++)
        nb_rtt_sample(&srtt, &rttvar, 0);
    assert_int_equal(srtt, 1);
}

static void test_absurd_measurement_is_bounded(void **state)
{
    (void)state;
    uint32_t srtt = 0, rttvar = 0;
    assert_int_equal(nb_rtt_sample(&srtt, &rttvar, UINT32_MAX), NB_RTO_MAX_US);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(nb_rtt_sample(&srtt, &rttvar, i % 2 ? UINT32_MAX : 0), NB_RTO_MAX_US);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_measurement_sets_srtt_and_half_of_it_as_variance),
        cmocka_unit_test(test_next_measurement_moves_srtt_by_an_eighth_and_variance_by_a_quarter),
        cmocka_unit_test(test_steady_round_trip_leaves_200_ms_above_it),
        cmocka_unit_test(test_immeasurably_short_round_trip_counts_as_measured),
        cmocka_unit_test(test_absurd_measurement_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
