/* The planner: which flow gets a rule, and what becomes of the rule when the flow moves, waits or ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "planner_bench.h"

/* --- policy ------------------------------------------------------------------------------------------------------- */

static void test_auto_makes_a_rule_only_for_a_flow_that_is_not_home(void **state)
{
    struct bench *b = small(NB_POLICY_AUTO, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 2, 3));
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_HOME);
    check_plan(b, wish(2, 2, 3), true, NB_WHY_NOT_HOME);
    assert_string_equal(b->log, "create 2 tcp 10.0.0.2:0 -> 10.9.9.9:80 queue 2 mark 1 engine flow-director\n");
    bench_free(b);
}

static void test_exact_makes_a_rule_for_a_flow_at_home_too(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    check_plan(b, wish(1, 2, 2), false, NB_WHY_PENDING);
    check_plan(b, wish(9, 2, 2), false, NB_WHY_UNKNOWN);
    run(b);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

static void test_exact_waits_until_the_connection_is_old_enough(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 5 * SECOND, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 1, 3)); /* not home: needed at once */
    b->now_us += SECOND;
    tell(b, wish(3, 2, 2));
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_YOUNG);
    check_plan(b, wish(2, 1, 3), true, NB_WHY_NOT_HOME);
    assert_int_equal(nb_planner_due_us(b->planner), 1005 * SECOND);
    b->now_us = 1005 * SECOND - 1;
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_YOUNG);
    b->now_us = 1005 * SECOND;
    run(b);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_YOUNG);
    assert_int_equal(nb_planner_due_us(b->planner), 1006 * SECOND);
    bench_free(b);
}

static void test_connection_that_ends_young_never_has_a_rule(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 5 * SECOND, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    nb_planner_gone(b->planner, 1, 1);
    b->now_us += 10 * SECOND;
    run(b);
    assert_int_equal(b->creates, 0);
    assert_true(nb_planner_due_us(b->planner) == UINT64_MAX);
    bench_free(b);
}

static void test_wish_and_end_in_one_batch_cancel_out(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    assert_string_equal(b->log, "");
    bench_free(b);
}

static void test_flow_that_ends_loses_its_rule(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    nb_planner_gone(b->planner, 1, 1);
    nb_planner_gone(b->planner, 7, 1); /* never heard of */
    run(b);
    assert_int_equal(b->destroys, 1);
    assert_int_equal(nb_table_used(b->table), 0);
    bench_free(b);
}

static void test_stale_incarnation_is_ignored(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish w = wish(1, 2, 2), old = wish(1, 3, 3);
    (void)state;

    w.incarnation = 2; /* across the wrap */
    old.incarnation = UINT32_MAX;
    tell(b, w);
    run(b);
    tell(b, old);
    nb_planner_gone(b->planner, 1, UINT32_MAX);
    run(b);
    assert_int_equal(b->creates, 1);
    assert_int_equal(b->destroys, 0);
    nb_planner_gone(b->planner, 1, 2);
    run(b);
    assert_int_equal(b->destroys, 1);
    bench_free(b);
}

/* What a move does under each row of `update`, with one flow whose rule is in force to queue 2. */
static void check_move(enum nb_update update, unsigned cover_places, const char *expected)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");

    profile.engine[0].update = update;
    profile.engine[1].size = cover_places;
    struct bench *b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish(1, 2, 2));
    run(b);
    b->log[0] = '\0';
    tell(b, wish(1, 3, 2));
    check_plan(b, wish(1, 3, 2), false, NB_WHY_PENDING);
    run(b);
    assert_string_equal(b->log, expected);
    check_plan(b, wish(1, 3, 2), true, NB_WHY_NOT_HOME);
    assert_int_equal(nb_table_used(b->table), 1);
    bench_free(b);
}

#define FLOW_1 "tcp 10.0.0.1:0 -> 10.9.9.9:80 "
#define TWICE                                                                                                          \
    "destroy 1 " FLOW_1 "queue 2 mark 1 engine flow-director\n"                                                        \
    "create 1 " FLOW_1 "queue 3 mark 2 engine flow-director\n"

static void test_new_owner_means_what_the_row_says(void **state)
{
    (void)state;
    check_move(NB_UPDATE_DESTROY_CREATE, 128, TWICE);
    check_move(NB_UPDATE_COVERED, 128,
               "create 1 " FLOW_1 "queue 3 engine 5-tuple\n" TWICE "destroy 1 " FLOW_1 "queue 3 engine 5-tuple\n");
    check_move(NB_UPDATE_COVERED, 0, TWICE); /* no place for a cover */
    check_move(NB_UPDATE_SHADOWED, 128,
               "create 1 " FLOW_1 "queue 3 mark 2 engine flow-director\n"
               "destroy 1 " FLOW_1 "queue 2 mark 1 engine flow-director\n");
    check_move(NB_UPDATE_IN_PLACE, 128, "update 1 " FLOW_1 "queue 2 mark 1 engine flow-director\n");
}

static void test_move_that_is_taken_back_at_once_does_nothing(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, wish(1, 3, 2));
    tell(b, wish(1, 2, 2));
    run(b);
    assert_int_equal(b->creates, 1);
    assert_int_equal(b->destroys, 0);
    bench_free(b);
}

static void test_failed_first_step_of_a_move_still_ends_with_the_right_rule(void **state)
{
    static const enum nb_update way[] = {NB_UPDATE_COVERED, NB_UPDATE_SHADOWED, NB_UPDATE_IN_PLACE};
    struct nb_op op;
    (void)state;

    for (size_t i = 0; i < sizeof way / sizeof way[0]; i++) {
        struct bench *b = small(NB_POLICY_EXACT, 10, 0);
        b->profile.engine[0].update = way[i];
        tell(b, wish(1, 2, 2));
        run(b);
        tell(b, wish(1, 3, 2));
        assert_true(nb_planner_next(b->planner, b->now_us, &op));
        nb_planner_done(b->planner, &op, -EIO, NULL, b->now_us);
        run(b);
        check_plan(b, wish(1, 3, 2), true, NB_WHY_NOT_HOME);
        assert_int_equal(nb_table_next(b->table, 0)->rule.queue, 3);
        assert_int_equal(nb_table_used(b->table), 1);
        bench_free(b);
    }
}

static void test_installed_rule_is_settled_when_the_nic_has_emptied_its_pipe(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    assert_int_equal(plan(b, wish(1, 2, 2)).settled_us, b->now_us + b->profile.classify_us);
    b->profile.classify_us += 77;
    tell(b, wish(2, 2, 2));
    run(b);
    assert_int_equal(plan(b, wish(2, 2, 2)).settled_us, b->now_us + b->profile.classify_us);
    bench_free(b);
}

static void test_auto_drops_the_rule_of_a_flow_that_came_home(void **state)
{
    struct bench *b = small(NB_POLICY_AUTO, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 3));
    run(b);
    tell(b, wish(1, 2, 2)); /* the RETA changed */
    run(b);
    assert_int_equal(b->destroys, 1);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_HOME);
    bench_free(b);
}

static void test_home_change_under_exact_keeps_the_rule(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, wish(1, 2, 0));
    run(b);
    assert_int_equal(b->creates, 1);
    assert_int_equal(b->destroys, 0);
    check_plan(b, wish(1, 2, 0), true, NB_WHY_NOT_HOME);
    assert_int_equal(nb_table_next(b->table, 0)->why, NB_WHY_NOT_HOME);
    bench_free(b);
}

/* --- one match, several flows ------------------------------------------------------------------------------------- */

static void test_next_use_of_a_tuple_waits_for_the_rule_of_the_last(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish next = wish(1, 3, 3);
    (void)state;

    next.flow = 500;
    next.incarnation = 2;
    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, next); /* another worker's news came first */
    run(b);
    check_plan(b, next, false, NB_WHY_MATCH_TAKEN);
    assert_int_equal(b->creates, 1);
    nb_planner_gone(b->planner, 1, 1);
    b->log[0] = '\0';
    run(b);
    assert_string_equal(b->log, "destroy 1 tcp 10.0.0.1:0 -> 10.9.9.9:80 queue 2 mark 1 engine flow-director\n"
                                "create 500 tcp 10.0.0.1:0 -> 10.9.9.9:80 queue 3 mark 2 engine flow-director\n");
    bench_free(b);
}

static void test_flow_that_ends_while_waiting_for_a_match_leaves_no_trace(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish second = wish(1, 3, 3), third = wish(1, 4, 4);
    (void)state;

    second.flow = 500;
    third.flow = 501;
    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, second);
    run(b);
    tell(b, third);
    run(b);
    nb_planner_gone(b->planner, 501, 1);
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    check_plan(b, second, true, NB_WHY_POLICY_EXACT); /* displaced, but not forgotten */
    nb_planner_gone(b->planner, 500, 1);
    run(b);
    assert_int_equal(nb_table_used(b->table), 0);
    bench_free(b);
}

/* --- everything at once ------------------------------------------------------------------------------------------- */

static void test_resync_drops_what_was_not_seen_and_keeps_the_rest_untouched(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    for (uint64_t f = 1; f <= 4; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    nb_planner_resync_begin(b->planner);
    tell(b, wish(3, 2, 2));
    nb_planner_resync_begin(b->planner); /* news were lost again: from the start */
    tell(b, wish(2, 2, 2));
    tell(b, wish(5, 2, 2));
    nb_planner_resync_sweep(b->planner);
    run(b);
    assert_int_equal(b->destroys, 3);
    assert_int_equal(b->creates, 5);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(5, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_UNKNOWN);
    bench_free(b);
}

static void test_pause_removes_every_rule_and_resume_brings_them_back(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 3, 0);
    (void)state;

    for (uint64_t f = 1; f <= 4; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    nb_planner_pause(b->planner);
    tell(b, wish(5, 2, 2));
    run(b);
    assert_int_equal(nb_table_used(b->table), 0);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_FLUSHED);
    check_plan(b, wish(5, 2, 2), false, NB_WHY_FLUSHED);
    nb_planner_gone(b->planner, 1, 1);
    nb_planner_resume(b->planner, b->now_us);
    run(b);
    assert_int_equal(nb_table_used(b->table), 3);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auto_makes_a_rule_only_for_a_flow_that_is_not_home),
        cmocka_unit_test(test_exact_makes_a_rule_for_a_flow_at_home_too),
        cmocka_unit_test(test_exact_waits_until_the_connection_is_old_enough),
        cmocka_unit_test(test_connection_that_ends_young_never_has_a_rule),
        cmocka_unit_test(test_wish_and_end_in_one_batch_cancel_out),
        cmocka_unit_test(test_flow_that_ends_loses_its_rule),
        cmocka_unit_test(test_stale_incarnation_is_ignored),
        cmocka_unit_test(test_new_owner_means_what_the_row_says),
        cmocka_unit_test(test_move_that_is_taken_back_at_once_does_nothing),
        cmocka_unit_test(test_failed_first_step_of_a_move_still_ends_with_the_right_rule),
        cmocka_unit_test(test_installed_rule_is_settled_when_the_nic_has_emptied_its_pipe),
        cmocka_unit_test(test_auto_drops_the_rule_of_a_flow_that_came_home),
        cmocka_unit_test(test_home_change_under_exact_keeps_the_rule),
        cmocka_unit_test(test_next_use_of_a_tuple_waits_for_the_rule_of_the_last),
        cmocka_unit_test(test_flow_that_ends_while_waiting_for_a_match_leaves_no_trace),
        cmocka_unit_test(test_resync_drops_what_was_not_seen_and_keeps_the_rest_untouched),
        cmocka_unit_test(test_pause_removes_every_rule_and_resume_brings_them_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
