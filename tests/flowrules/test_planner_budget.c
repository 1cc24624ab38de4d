/* The planner where places or abilities end: full tables, reserves, time for operations, rows of profiles. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "planner_bench.h"

/* --- budget ------------------------------------------------------------------------------------------------------- */

static void test_full_table_rejects_once_and_admits_when_a_rule_goes(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 3, 0);
    (void)state;

    for (uint64_t f = 1; f <= 5; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    run(b);
    assert_int_equal(b->creates, 3);
    check_plan(b, wish(4, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 2);
    nb_planner_gone(b->planner, 2, 1);
    run(b);
    check_plan(b, wish(4, 2, 2), true, NB_WHY_POLICY_EXACT); /* first come */
    check_plan(b, wish(5, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 2);
    assert_int_equal(nb_table_engine(b->table, 0)->used, 3);
    bench_free(b);
}

static void test_reserve_is_kept_for_flows_that_are_not_home(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 4, 2);
    (void)state;

    for (uint64_t f = 1; f <= 3; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_RESERVED);
    for (uint64_t f = 11; f <= 13; f++)
        tell(b, wish(f, 2, 1));
    run(b);
    check_plan(b, wish(12, 2, 1), true, NB_WHY_NOT_HOME);
    check_plan(b, wish(13, 2, 1), true, NB_WHY_NOT_HOME); /* in the place of flow 1 */
    check_plan(b, wish(1, 2, 2), false, NB_WHY_EVICTED);
    nb_planner_gone(b->planner, 13, 1);
    run(b);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_RESERVED);
    bench_free(b);
}

static void test_needed_flow_takes_the_place_of_the_coldest_wished_one(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 3, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 2, 1)); /* needed: never a victim */
    tell(b, wish(3, 2, 2));
    run(b);
    nb_planner_traffic(b->planner, 3, 10, b->now_us);
    nb_planner_traffic(b->planner, 1, 10, b->now_us + 1); /* 3 is the coldest now */
    tell(b, wish(4, 2, 1));
    run(b);
    check_plan(b, wish(4, 2, 1), true, NB_WHY_NOT_HOME);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_EVICTED);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    tell(b, wish(5, 2, 1));
    tell(b, wish(6, 2, 1)); /* nothing is left to evict: served by software, refused by nobody */
    run(b);
    check_plan(b, wish(5, 2, 1), true, NB_WHY_NOT_HOME);
    check_plan(b, wish(6, 2, 1), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_idle_rule_goes_to_a_waiting_flow_and_not_before_its_time(void **state)
{
    struct nb_planner_config config = {.policy = NB_POLICY_EXACT, .idle_after_us = 10 * SECOND};
    struct bench *b = small(NB_POLICY_EXACT, 2, 0);
    (void)state;

    nb_planner_free(b->planner);
    b->planner = nb_planner_new(&b->profile, b->table, &config);
    for (uint64_t f = 1; f <= 3; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    b->now_us += 5 * SECOND;
    nb_planner_traffic(b->planner, 1, 10, b->now_us);
    assert_int_equal(nb_planner_due_us(b->planner), 1010 * SECOND);
    b->now_us = 1010 * SECOND - 1;
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    b->now_us = 1010 * SECOND;
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_IDLE);
    check_plan(b, wish(3, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    assert_true(nb_planner_due_us(b->planner) == UINT64_MAX); /* nobody waits: idle rules stay */
    nb_planner_traffic(b->planner, 2, 1, b->now_us);          /* active again, so it waits */
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_spill_lets_connections_use_the_engine_for_moves(void **state)
{
    struct nb_planner_config config = {.policy = NB_POLICY_EXACT, .spill = 128};
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 0, 0);
    (void)state;

    nb_planner_free(b->planner);
    b->planner = nb_planner_new(&b->profile, b->table, &config);
    for (uint64_t f = 1; f <= 2046 + 128 + 1; f++) {
        tell(b, wish(f, 2, 2));
        b->log[0] = '\0';
        run(b);
    }
    assert_int_equal(nb_table_engine(b->table, 0)->used, 2046);
    assert_int_equal(nb_table_engine(b->table, 1)->used, 128);
    check_plan(b, wish(2174, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(2175, 2, 2), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_policy_takes_a_share_of_time_by_what_an_operation_costs(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 2000, 0);
    (void)state;

    b->profile.engine[0].latency_us = 10000; /* ten times that of another row, a tenth of the rules */
    for (uint64_t f = 1; f <= 100; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    assert_int_equal(b->creates, 25);
    uint64_t due_us = nb_planner_due_us(b->planner);
    assert_int_equal(due_us, b->now_us + 40000);
    b->now_us = due_us;
    run(b);
    assert_int_equal(b->creates, 26);
    for (uint64_t f = 201; f <= 210; f++) /* needed ones do not wait */
        tell(b, wish(f, 2, 1));
    run(b);
    assert_int_equal(b->creates, 36);
    bench_free(b);
}

static void test_82599_holds_2046_rules_and_the_next_flow_stays_on_rss(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 0, 0);
    (void)state;

    for (uint64_t f = 1; f <= 2100; f++) {
        tell(b, wish(f, 2, 2));
        b->log[0] = '\0';
        run(b);
    }
    assert_int_equal(nb_table_engine(b->table, 0)->used, 2046);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 54);
    assert_int_equal(nb_table_engine(b->table, 1)->used, 0);
    check_plan(b, wish(2100, 2, 2), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_device_that_is_full_early_is_believed_until_a_rule_goes(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 2, 2));
    run(b);
    b->create_result = -ENOSPC;
    tell(b, wish(3, 2, 2));
    tell(b, wish(4, 2, 2));
    run(b);
    assert_int_equal(b->creates, 3); /* one try, then the table counts as full */
    check_plan(b, wish(3, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 2);
    assert_int_equal(nb_table_engine(b->table, 0)->used, 2);
    b->create_result = 0;
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    check_plan(b, wish(4, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(3, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

/* --- profile rows ------------------------------------------------------------------------------------------------- */

static struct nb_wish wish_v6(uint64_t flow)
{
    struct nb_wish w = wish(flow, 2, 3);

    w.tuple.family = NB_RULE_IPV6;
    return w;
}

static void test_ipv6_on_82599_says_that_it_is_not_supported(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish_v6(1));
    run(b);
    check_plan(b, wish_v6(1), false, NB_WHY_NO_IPV6);
    assert_int_equal(b->creates, 0);
    bench_free(b);
}

static void test_one_row_changed_and_ipv6_gets_a_rule(void **state)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");
    (void)state;

    profile.engine[0].families |= NB_FAMILIES_IPV6;
    struct bench *b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish_v6(1));
    run(b);
    check_plan(b, wish_v6(1), true, NB_WHY_NOT_HOME);
    tell(b, wish(2, 2, 2)); /* other address masks, and this table has one */
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_OTHER_MASK);
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);

    profile.engine[0].masks = NB_MASKS_FREE;
    b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish_v6(1));
    tell(b, wish(2, 2, 2));
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

static void test_one_row_changed_and_connections_use_the_other_engine(void **state)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");
    (void)state;

    profile.engine[0].purpose = NB_PURPOSE_MOVES;
    profile.engine[1].purpose = NB_PURPOSE_CONNECTIONS;
    struct bench *b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish(1, 2, 2));
    run(b);
    assert_string_equal(b->log, "create 1 tcp 10.0.0.1:0 -> 10.9.9.9:80 queue 2 engine 5-tuple\n");
    bench_free(b);
}

static void test_port_without_filters_plans_nothing_and_says_so(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ring"), NB_POLICY_EXACT, 0, 0);
    (void)state;

    tell(b, wish(1, 2, 3));
    run(b);
    check_plan(b, wish(1, 2, 3), false, NB_WHY_NO_ENGINE);
    assert_string_equal(b->log, "");
    bench_free(b);
}

static void test_tagged_flow_is_not_steered_by_a_nic_that_cannot_see_the_tag(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish w = wish(1, 2, 2);
    (void)state;

    w.tuple.vlan = 5;
    tell(b, w);
    run(b);
    check_plan(b, w, false, NB_WHY_NO_FIELD);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_table_rejects_once_and_admits_when_a_rule_goes),
        cmocka_unit_test(test_reserve_is_kept_for_flows_that_are_not_home),
        cmocka_unit_test(test_needed_flow_takes_the_place_of_the_coldest_wished_one),
        cmocka_unit_test(test_idle_rule_goes_to_a_waiting_flow_and_not_before_its_time),
        cmocka_unit_test(test_spill_lets_connections_use_the_engine_for_moves),
        cmocka_unit_test(test_policy_takes_a_share_of_time_by_what_an_operation_costs),
        cmocka_unit_test(test_82599_holds_2046_rules_and_the_next_flow_stays_on_rss),
        cmocka_unit_test(test_device_that_is_full_early_is_believed_until_a_rule_goes),
        cmocka_unit_test(test_ipv6_on_82599_says_that_it_is_not_supported),
        cmocka_unit_test(test_one_row_changed_and_ipv6_gets_a_rule),
        cmocka_unit_test(test_one_row_changed_and_connections_use_the_other_engine),
        cmocka_unit_test(test_port_without_filters_plans_nothing_and_says_so),
        cmocka_unit_test(test_tagged_flow_is_not_steered_by_a_nic_that_cannot_see_the_tag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
