/* The planner when the device refuses, loses or is late. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "planner_bench.h"

static void test_refused_create_is_tried_again_later_and_not_for_ever(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    b->create_result = -ETIMEDOUT;
    tell(b, wish(1, 2, 2));
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_TIMED_OUT);
    assert_int_equal(nb_table_used(b->table), 0);
    for (int i = 0; i < 10; i++) {
        run(b);
        b->now_us += SECOND;
    }
    assert_int_equal(b->creates, 3);
    assert_int_equal(nb_table_engine(b->table, 0)->failed, 3);
    assert_true(nb_planner_due_us(b->planner) == UINT64_MAX);
    b->create_result = 0;
    tell(b, wish(1, 3, 2)); /* a new wish is a new chance */
    run(b);
    check_plan(b, wish(1, 3, 2), true, NB_WHY_NOT_HOME);
    bench_free(b);
}

static void test_refused_destroy_keeps_the_place_and_is_tried_again(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 1, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    b->destroy_result = -EIO;
    nb_planner_gone(b->planner, 1, 1);
    tell(b, wish(2, 2, 2));
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->used, 1);
    assert_int_equal(nb_table_engine(b->table, 0)->failed, 1);
    assert_int_equal(nb_planner_due_us(b->planner), b->now_us + SECOND);
    b->destroy_result = 0;
    b->now_us += SECOND;
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

static void test_rule_that_the_device_lost_is_forgotten_and_counted(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 1, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    b->destroy_result = -ENOENT;
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    assert_int_equal(nb_table_used(b->table), 0);
    assert_int_equal(nb_table_engine(b->table, 0)->failed, 1);
    bench_free(b);
}

static void test_flow_that_ends_while_its_create_is_on_its_way_is_cleaned_up(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 1, 0);
    struct nb_op op;
    (void)state;

    tell(b, wish(1, 2, 2));
    assert_true(nb_planner_next(b->planner, b->now_us, &op));
    nb_planner_gone(b->planner, 1, 1);
    struct nb_wish again = wish(1, 3, 3);
    again.flow = 2;
    tell(b, again);
    run(b); /* the match is still on its way out */
    assert_int_equal(b->creates, 0);
    nb_planner_done(b->planner, &op, 0, b, b->now_us);
    run(b);
    assert_int_equal(b->destroys, 1);
    check_plan(b, again, true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_create_is_tried_again_later_and_not_for_ever),
        cmocka_unit_test(test_refused_destroy_keeps_the_place_and_is_tried_again),
        cmocka_unit_test(test_rule_that_the_device_lost_is_forgotten_and_counted),
        cmocka_unit_test(test_flow_that_ends_while_its_create_is_on_its_way_is_cleaned_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
