/* Steering: what an audit finds in a NIC, and how a port stops and starts with its rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "steering_world.h"

static void test_audit_finds_the_filter_that_someone_else_put_into_the_nic(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    static struct nb_audit_report report;
    (void)state;

    connect_flow(1, 2, 2);
    connect_flow(2, 3, 1);
    settle(s);
    nb_steering_audit(s, &report);
    assert_int_equal(report.n_engines, 2);
    assert_string_equal(report.engine[0].witness, "count only");
    assert_int_equal(report.engine[0].rules, 2);
    assert_int_equal(report.engine[0].device_used, 2);
    assert_int_equal(report.n_findings, 0);

    fake.fdir[FAKE_FDIR_MAX - 1].used = true; /* planted */
    fake.n_fdir++;
    nb_steering_audit(s, &report);
    assert_int_equal(report.engine[0].orphans, 1);
    assert_int_equal(report.n_findings, 1);
    assert_string_equal(report.finding[0].kind, "orphan");
    assert_string_equal(report.finding[0].engine, "flow-director");

    fake.fdir[FAKE_FDIR_MAX - 1].used = false;
    fake.n_fdir -= 2; /* and one of ours taken away */
    nb_steering_audit(s, &report);
    assert_int_equal(report.engine[0].orphans, 0);
    assert_int_equal(report.engine[0].missing, 1);
    fake.n_fdir++;
    nb_steering_stop(s);
}

static void test_restart_takes_every_rule_out_first_and_puts_it_back(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
    struct nb_error err;
    (void)state;

    settle(s);
    restarts = 0;
    rules_at_restart = 99;
    assert_int_equal(nb_steering_port_restart(s, 0, &err), 0);
    assert_int_equal(restarts, 1);
    assert_int_equal(rules_at_restart, 0);
    settle(s);
    assert_true(steered(&a));
    assert_true(steered(&b));
    assert_int_equal(nb_steering_port_restart(s, 7, &err), -ENOENT);
    nb_steering_stop(s);
}

static uint64_t hurried_now(void)
{
    return now += 11 * SECOND;
}

static void test_restart_does_not_wait_for_ever_until_every_rule_is_back(void **state)
{
    enum { CONNECTIONS = 100 };
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_error err;
    (void)state;

    for (uint64_t id = 1; id <= CONNECTIONS; id++)
        connect_flow(id, 2, 2);
    settle(s);
    assert_int_equal(fake.n_fdir, CONNECTIONS);
    s->world.now_us = hurried_now;
    assert_int_equal(nb_steering_port_restart(s, 0, &err), 0);
    assert_in_range(fake.n_fdir, 1, CONNECTIONS - 1);
    s->world.now_us = fake_now;
    settle(s);
    assert_int_equal(fake.n_fdir, CONNECTIONS);
    nb_steering_stop(s);
}

static void test_port_with_a_rule_that_cannot_be_removed_is_not_restarted(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2);
    struct nb_error err;
    (void)state;

    settle(s);
    restarts = 0;
    fake.destroy_errno = ETIMEDOUT;
    assert_int_equal(nb_steering_port_restart(s, 0, &err), -EIO);
    assert_int_equal(restarts, 0);
    fake.destroy_errno = 0;
    now += SECOND;
    settle(s);
    check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
    nb_steering_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_finds_the_filter_that_someone_else_put_into_the_nic),
        cmocka_unit_test(test_restart_takes_every_rule_out_first_and_puts_it_back),
        cmocka_unit_test(test_restart_does_not_wait_for_ever_until_every_rule_is_back),
        cmocka_unit_test(test_port_with_a_rule_that_cannot_be_removed_is_not_restarted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
