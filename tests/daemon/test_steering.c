/* Steering, from flow news to filters in the NIC: policy, rules as shown, news that were lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "steering_world.h"

/* --- policy through to the NIC ------------------------------------------------------------------------------------ */

static void test_exact_puts_every_connection_into_the_nic_and_takes_it_out(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
    (void)state;

    settle(s);
    assert_true(steered(&a));
    assert_true(steered(&b));
    check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
    check_flow(s, &b, NB_METHOD_EXACT, "owner is not home");
    end_flow(&a);
    settle(s);
    assert_false(steered(&a));
    assert_int_equal(fake.n_fdir, 1);
    nb_steering_stop(s);
    assert_int_equal(fake.n_flows, 0);
    assert_int_equal(fake.n_fdir, 0);
}

static void test_auto_rules_only_flows_that_are_not_home(void **state)
{
    struct nb_steering *s = start(NB_STEERING_AUTO, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
    (void)state;

    check_flow(s, &a, NB_METHOD_RSS, "home queue");
    check_flow(s, &b, NB_METHOD_SOFTWARE, "not reported to steering yet");
    settle(s);
    check_flow(s, &a, NB_METHOD_RSS, "home queue");
    check_flow(s, &b, NB_METHOD_EXACT, "owner is not home");
    assert_int_equal(fake.n_fdir, 1);
    nb_steering_stop(s);
}

/* Rings are read in the order of workers: the end first, then that it had come to the worker before the last. */
static void test_flow_that_moved_and_ended_gets_no_rule_from_what_is_read_last(void **state)
{
    struct nb_steering *s = start(NB_STEERING_AUTO, 0, 0);
    struct nb_flow_info before = make_flow(1, 3, 0), last = make_flow(1, 1, 0);
    (void)state;

    settle(s);
    before.moves = 1;
    say(NB_FLOW_NEWS_ESTABLISHED, &before);
    last.moves = 2;
    say(NB_FLOW_NEWS_ESTABLISHED, &last);
    say(NB_FLOW_NEWS_GONE, &last);
    settle(s);
    assert_int_equal(fake.n_fdir, 0);
    assert_false(steered(&before));
    nb_steering_stop(s);
}

/* And where its end is read before the news of the worker before are even there. */
static void test_end_of_a_flow_counts_when_all_rings_have_been_read_once_more(void **state)
{
    struct nb_steering *s = start(NB_STEERING_AUTO, 0, 0);
    struct nb_flow_info before = make_flow(1, 0, 2), last = make_flow(1, 3, 2);
    (void)state;

    settle(s);
    last.moves = 2;
    say(NB_FLOW_NEWS_GONE, &last);
    nb__steering_turn(s);
    before.moves = 1;
    say(NB_FLOW_NEWS_ESTABLISHED, &before);
    settle(s);
    assert_int_equal(fake.n_fdir, 0);
    nb_steering_stop(s);
}

static void test_connection_gets_its_rule_when_it_is_old_enough(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 2000, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2);
    (void)state;

    settle(s);
    check_flow(s, &a, NB_METHOD_RSS, "younger than exact_after");
    now += 2 * SECOND;
    settle(s);
    check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
    nb_steering_stop(s);
}

static void test_ipv6_and_ports_without_filters_say_why_there_is_no_rule(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info v6 = make_flow(1, 2, 2), ring = make_flow(2, 2, 2), nowhere = make_flow(3, 2, 1);
    struct nb_flow_info v4 = make_flow(4, 2, 2);
    (void)state;

    v6.key.family = NB_FAMILY_IPV6;
    ring.key.port_group = 1;
    nowhere.key.port_group = 9;
    say(NB_FLOW_NEWS_ESTABLISHED, &v6);
    say(NB_FLOW_NEWS_ESTABLISHED, &ring);
    say(NB_FLOW_NEWS_ESTABLISHED, &nowhere);
    settle(s);
    check_flow(s, &v6, NB_METHOD_RSS, "not supported by the port: no IPv6 filters");
    check_flow(s, &ring, NB_METHOD_RSS, "not supported by the port: it has no filters");
    check_flow(s, &nowhere, NB_METHOD_SOFTWARE, "not supported by the port: it has no filters");
    assert_false(nb_steering_takes(s, &v6.key));
    assert_false(nb_steering_takes(s, &ring.key));
    assert_false(nb_steering_takes(s, &nowhere.key));
    assert_true(nb_steering_takes(s, &v4.key));
    assert_int_equal(fake.creates, 0);
    nb_steering_stop(s);
}

static void test_full_table_keeps_flows_on_rss_and_counts_them(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 2042); /* room for two needs and two wishes */
    struct nb_flow_info f[5];
    struct nb_table_info tables[8];
    (void)state;

    for (uint64_t id = 0; id < 5; id++)
        f[id] = connect_flow(id, 2, id < 3 ? 2 : 1);
    settle(s);
    check_flow(s, &f[0], NB_METHOD_EXACT, "policy exact");
    check_flow(s, &f[2], NB_METHOD_RSS, "the rest of the table is reserved");
    check_flow(s, &f[4], NB_METHOD_EXACT, "owner is not home");
    assert_int_equal(nb_steering_tables(s, tables, 8), 2);
    assert_string_equal(tables[0].engine, "flow-director");
    assert_string_equal(tables[0].profile, "82599 (net_ixgbe, DPDK 22.11)");
    assert_int_equal(tables[0].used, 4);
    assert_int_equal(tables[0].max, 2046);
    assert_int_equal(tables[0].rejected, 1);
    assert_int_equal(tables[0].added, 4);
    assert_int_equal(tables[0].device_used, 4);
    assert_string_equal(tables[1].engine, "5-tuple");
    assert_int_equal(tables[1].used, 0);
    assert_int_equal(tables[1].device_used, -1);
    nb_steering_stop(s);
}

static void test_silently_full_nic_is_noticed_and_shown(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info f[4];
    struct nb_table_info tables[8];
    (void)state;

    fake.capacity = 3;
    for (uint64_t id = 0; id < 4; id++)
        f[id] = connect_flow(id, 2, 2);
    settle(s);
    check_flow(s, &f[3], NB_METHOD_RSS, "table full");
    nb_steering_tables(s, tables, 8);
    assert_int_equal(tables[0].used, 3);
    assert_int_equal(tables[0].rejected, 1);
    assert_int_equal(tables[0].device_used, 3);
    end_flow(&f[1]);
    settle(s);
    assert_true(steered(&f[3]));
    nb_steering_stop(s);
}

/* --- rules as shown ----------------------------------------------------------------------------------------------- */

static void test_rules_are_listed_by_id_with_what_the_operator_needs(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_rule_info rules[8];
    struct nb_steering_flow out;
    int64_t cursor = 0;
    (void)state;

    struct nb_flow_info a = connect_flow(1, 2, 2);
    connect_flow(2, 3, 3);
    connect_flow(3, 1, 1);
    settle(s);
    now += 5;
    assert_int_equal(nb_steering_rules(s, &cursor, rules, 2), 2);
    nb_steering_flow(s, &a, &out);
    assert_int_equal(rules[0].id < rules[1].id, 1);
    const struct nb_rule_info *r = rules[0].id == out.rule ? &rules[0] : &rules[1];
    assert_string_equal(r->match, "tcp 10.99.1.1:40001 -> 10.99.0.2:80");
    assert_string_equal(r->engine, "flow-director");
    assert_string_equal(r->why, "policy exact");
    assert_int_equal(r->queue, 2);
    assert_in_range(r->mark, 1, 0x7fff);
    assert_int_equal(r->flow, 1);
    assert_int_equal(r->age_us, 5);
    assert_int_equal(r->hits, -1);
    assert_string_equal(r->no_hits, "the driver has no counters of rules");
    assert_int_equal(nb_steering_rules(s, &cursor, rules, 8), 1);
    assert_int_equal(nb_steering_rules(s, &cursor, rules, 8), 0);
    nb_steering_stop(s);
}

static void test_flush_removes_all_rules_and_resume_brings_them_back(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a;
    struct nb_error err;
    (void)state;

    for (uint64_t id = 0; id < 100; id++) {
        a = connect_flow(id, 2, 2);
        settle(s);
    }
    assert_int_equal(nb_steering_flush(s, &err), 0);
    assert_int_equal(fake.n_flows, 0);
    check_flow(s, &a, NB_METHOD_RSS, "rules were flushed");
    struct nb_flow_info later = connect_flow(200, 1, 1);
    settle(s);
    assert_int_equal(fake.n_flows, 0);
    nb_steering_resume(s);
    settle(s);
    assert_int_equal(fake.n_fdir, 101);
    assert_true(steered(&later));
    nb_steering_stop(s);
}

static void test_flush_that_the_driver_refuses_says_so(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_error err;
    (void)state;

    connect_flow(1, 2, 2);
    settle(s);
    fake.destroy_errno = ETIMEDOUT;
    assert_int_equal(nb_steering_flush(s, &err), -EIO);
    assert_non_null(strstr(err.text, "1 rules could not be removed"));
    assert_non_null(strstr(err.text, "the NIC did not complete the command in time"));
    fake.destroy_errno = 0;
    nb_steering_stop(s); /* tries again */
    assert_int_equal(fake.n_flows, 0);
}

/* --- lost news ---------------------------------------------------------------------------------------------------- */

static void test_connections_older_than_steering_are_found_by_walking(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 10000, 0);
    struct nb_flow_info old = make_flow(1, 2, 2), young = make_flow(2, 2, 2);
    (void)state;

    old.age_us = 60 * SECOND;
    young.age_us = 2 * SECOND;
    runtime.flow[runtime.n_flows++] = old;
    runtime.flow[runtime.n_flows++] = young;
    settle(s);
    check_flow(s, &old, NB_METHOD_EXACT, "policy exact");
    check_flow(s, &young, NB_METHOD_RSS, "younger than exact_after");
    now += 8 * SECOND;
    settle(s);
    check_flow(s, &young, NB_METHOD_EXACT, "policy exact");
    nb_steering_stop(s);
}

static void test_lost_news_are_made_good_by_walking_all_flows(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    static struct nb_flow_info f[250];
    (void)state;

    settle(s);
    for (uint64_t id = 0; id < 250; id++)
        f[id] = connect_flow(id, (uint16_t)(id % 2), (uint16_t)(id % 2)); /* 125 in rings of 64 */
    settle(s);
    for (uint64_t id = 0; id < 250; id++)
        assert_true(steered(&f[id]));
    for (uint64_t id = 0; id < 200; id++)
        end_flow(&f[id]);
    settle(s);
    for (uint64_t id = 0; id < 250; id++)
        assert_int_equal(steered(&f[id]), id >= 200);
    assert_int_equal(fake.n_fdir, 50);
    nb_steering_stop(s);
}

static void test_walk_takes_only_flows_between_established_and_time_wait(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info half_open = make_flow(1, 2, 2), over = make_flow(2, 2, 2);
    (void)state;

    half_open.state = STATE_SYN_RECEIVED;
    over.state = STATE_TIME_WAIT;
    runtime.flow[runtime.n_flows++] = half_open;
    runtime.flow[runtime.n_flows++] = over;
    settle(s);
    assert_int_equal(fake.creates, 0);
    nb_steering_stop(s);
}

static void test_resync_after_a_new_reta_rules_the_flows_that_left_home(void **state)
{
    struct nb_steering *s = start(NB_STEERING_AUTO, 0, 0);
    (void)state;

    connect_flow(1, 2, 2);
    connect_flow(2, 3, 3);
    settle(s);
    assert_int_equal(fake.n_fdir, 0);
    for (unsigned i = 0; i < runtime.n_flows; i++)
        runtime.flow[i].home_queue = 3;
    nb_steering_resync(s);
    settle(s);
    check_flow(s, &runtime.flow[0], NB_METHOD_EXACT, "owner is not home");
    check_flow(s, &runtime.flow[1], NB_METHOD_RSS, "home queue");
    assert_true(steered(&runtime.flow[0]));
    assert_int_equal(fake.n_fdir, 1);
    nb_steering_stop(s);
}

static void test_port_that_cannot_be_described_fails_the_start(void **state)
{
    struct nb_steering_config config = {0};
    struct nb_steering *s = NULL;
    struct nb_error err = {0};
    (void)state;

    nb_steering_stop(start(NB_STEERING_AUTO, 0, 0));
    runtime.port_info_error = -ENODEV;
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), -ENODEV);
    assert_string_equal(err.text, "port 0: the runtime does not describe it");
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_puts_every_connection_into_the_nic_and_takes_it_out),
        cmocka_unit_test(test_auto_rules_only_flows_that_are_not_home),
        cmocka_unit_test(test_flow_that_moved_and_ended_gets_no_rule_from_what_is_read_last),
        cmocka_unit_test(test_end_of_a_flow_counts_when_all_rings_have_been_read_once_more),
        cmocka_unit_test(test_connection_gets_its_rule_when_it_is_old_enough),
        cmocka_unit_test(test_ipv6_and_ports_without_filters_say_why_there_is_no_rule),
        cmocka_unit_test(test_full_table_keeps_flows_on_rss_and_counts_them),
        cmocka_unit_test(test_silently_full_nic_is_noticed_and_shown),
        cmocka_unit_test(test_rules_are_listed_by_id_with_what_the_operator_needs),
        cmocka_unit_test(test_flush_removes_all_rules_and_resume_brings_them_back),
        cmocka_unit_test(test_flush_that_the_driver_refuses_says_so),
        cmocka_unit_test(test_connections_older_than_steering_are_found_by_walking),
        cmocka_unit_test(test_lost_news_are_made_good_by_walking_all_flows),
        cmocka_unit_test(test_walk_takes_only_flows_between_established_and_time_wait),
        cmocka_unit_test(test_resync_after_a_new_reta_rules_the_flows_that_left_home),
        cmocka_unit_test(test_port_that_cannot_be_described_fails_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
