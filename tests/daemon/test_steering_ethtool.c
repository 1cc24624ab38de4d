/* Steering where the kernel owns the NIC (AF_XDP), and NICs that count hits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "steering_world.h"

static struct nb_steering *start_af_xdp(enum fake_driver driver)
{
    struct nb_steering_config config = {.policy = NB_STEERING_EXACT};
    struct nb_steering *s;
    struct nb_error err = {0};

    fake_eth_reset(driver);
    fake_eth.ntuple = false;
    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"net_af_xdp"}, .n_ports = 1};
    now = 1000 * SECOND;
    if (nb__steering_new(&runtime, &config, &world, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

static void test_port_of_af_xdp_is_steered_through_ethtool(void **state)
{
    static const enum fake_driver drivers[] = {FAKE_IXGBE, FAKE_ICE, FAKE_MLX5};
    static struct nb_audit_report report;
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct nb_steering *s = start_af_xdp(drivers[i]);
        struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
        struct nb_table_info table;
        settle(s);
        assert_true(fake_eth.ntuple);
        assert_int_equal(fake_eth.n, 2);
        check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
        assert_int_equal(nb_steering_tables(s, &table, 1), 1);
        assert_string_equal(table.engine, "ntuple");
        assert_int_equal(table.max, fake_eth.size - 64);
        assert_int_equal(table.device_used, 2);
        fake_eth.used[100] = true; /* planted */
        fake_eth.n++;
        nb_steering_audit(s, &report);
        assert_int_equal(report.engine[0].confirmed, 2);
        assert_int_equal(report.engine[0].orphans, 1);
        fake_eth.used[100] = false;
        fake_eth.n--;
        end_flow(&b);
        settle(s);
        assert_int_equal(fake_eth.n, 1);
        nb_steering_stop(s);
        assert_int_equal(fake_eth.n, 0);
    }
}

/* A process that is gone leaves rules and memory as they are: so does freeing steering without clearing it. */
static void test_rules_of_a_crashed_run_are_gone_after_the_start_and_those_of_others_stay(void **state)
{
    struct nb_steering_config config = {.policy = NB_STEERING_EXACT, .state_folder = "/tmp/nb-steering-XXXXXX"};
    struct nb_steering *s;
    struct nb_error err = {0};
    (void)state;

    assert_non_null(mkdtemp(config.state_folder));
    fake_eth_reset(FAKE_IXGBE);
    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"net_af_xdp"}, .n_ports = 1};
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), 0);
    connect_flow(1, 2, 2), connect_flow(2, 3, 1);
    settle(s);
    assert_int_equal(fake_eth.n, 2);
    nb__steering_free(s); /* crashes */

    fake_eth.rule[5] = fake_eth.rule[0];
    fake_eth.rule[5].ring_cookie = 7;
    fake_eth.used[5] = true; /* an operator's */
    fake_eth.n = 3;
    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"net_af_xdp"}, .n_ports = 1};
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), 0);
    assert_int_equal(fake_eth.n, 1);
    assert_true(fake_eth.used[5]);
    nb_steering_stop(s);
    assert_int_equal(rmdir(config.state_folder), 0); /* nothing was left to remember */
}

static void check_hits(struct nb_steering *s)
{
    struct nb_rule_info rule[3];
    int64_t cursor = 0;

    assert_int_equal(nb_steering_rules(s, &cursor, rule, 3), 2);
    assert_int_equal(rule[0].hits, 10);
    assert_string_equal(rule[0].no_hits, "");
    assert_int_equal(rule[1].hits, -1);
    assert_string_equal(rule[1].no_hits, "the driver did not answer");
}

static void test_hits_are_asked_of_the_nic_that_counts_them(void **state)
{
    struct nb_steering_config config = {.policy = NB_STEERING_EXACT};
    struct nb_steering *s;
    struct nb_error err = {0};
    (void)state;

    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"mlx5_pci"}, .n_ports = 1};
    mlx5_rules = 0;
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), 0);
    connect_flow(1, 2, 2), connect_flow(2, 3, 1);
    settle(s);
    check_hits(s);
    assert_int_equal(nb__steering_spawn(s, &err), 0);
    check_hits(s);
    nb_steering_stop(s);
}

static void test_kernel_driver_without_filters_leaves_flows_to_rss(void **state)
{
    struct nb_steering *s = start_af_xdp(FAKE_VETH);
    struct nb_flow_info a = connect_flow(1, 2, 2);
    (void)state;

    settle(s);
    check_flow(s, &a, NB_METHOD_RSS, "not supported by the port: it has no filters");
    nb_steering_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_of_af_xdp_is_steered_through_ethtool),
        cmocka_unit_test(test_rules_of_a_crashed_run_are_gone_after_the_start_and_those_of_others_stay),
        cmocka_unit_test(test_hits_are_asked_of_the_nic_that_counts_them),
        cmocka_unit_test(test_kernel_driver_without_filters_leaves_flows_to_rss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
