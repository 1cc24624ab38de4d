/* Through what a port's rules go, as the configuration wants it: chosen, and refused with words where it cannot be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../flowrules/fake_ethtool.h"
#include "../flowrules/fake_verbs.h"

#include "steering_port.h"

#define QUEUES 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nb_steering_port port;
static struct nb_error err;
static int64_t next_id;

static int open_port(const char *driver, const char *interface, enum nb_rules_through through,
                     const struct nb_verbs_queues *verbs)
{
    const struct nb_planner_config config = {.policy = NB_POLICY_EXACT};
    const struct nb_port_info info = {.port_id = 3, .queues = QUEUES};
    const struct nb_steering_apis api = {.ethtool = {.call = fake_ethtool}, .through = through, .verbs = verbs};
    struct nb_device device = {.driver = driver};

    strcpy(device.interface, interface);
    next_id = 1;
    err = (struct nb_error){0};
    return nb__steering_port_open(&port, 0, &info, &device, &config, &api, 1, &next_id, &err);
}

static void wish_and_apply(void)
{
    struct nb_wish wish = {.flow = 1, .queue = 2};

    wish.tuple = (struct nb_tuple){.src = {10, 0, 0, 1},
                                   .dst = {10, 0, 0, 2},
                                   .src_port = 1000,
                                   .dst_port = 80,
                                   .family = NB_RULE_IPV4,
                                   .protocol = NB_RULE_TCP};
    assert_int_equal(nb_planner_wish(port.planner, &wish, 1), 0);
    pthread_mutex_lock(&lock);
    while (nb__steering_port_apply(&port, &lock, 1, 8))
        continue;
    pthread_mutex_unlock(&lock);
}

static void take_out_and_close(void)
{
    nb_planner_pause(port.planner);
    pthread_mutex_lock(&lock);
    while (nb__steering_port_apply(&port, &lock, 1, 8))
        continue;
    pthread_mutex_unlock(&lock);
    assert_int_equal(nb_table_used(port.table), 0);
    nb__steering_port_close(&port);
}

static void test_verbs_steers_to_the_queue_pairs_that_workers_poll(void **state)
{
    struct nb_verbs_queues queues;
    (void)state;

    assert_int_equal(nb_verbs_open(&queues, fake_verbs_reset(), &fake_verbs_api, 1, QUEUES, 64, &err), 0);
    assert_int_equal(open_port("mlx5_pci", "", NB_RULES_VERBS, &queues), 0);
    assert_string_equal(port.backend->ops->name, "verbs");
    wish_and_apply();
    assert_int_equal(fake_ib.n_flows, 1);
    assert_ptr_equal(fake_ib.flow[0].qp, queues.qp[2]);
    take_out_and_close();
    assert_int_equal(fake_ib.n_flows, 0);
    nb_verbs_close(&queues);
}

static void test_af_xdp_port_goes_through_ethtool_by_choice_and_by_itself(void **state)
{
    static const enum nb_rules_through ways[] = {NB_RULES_AUTO, NB_RULES_ETHTOOL};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        fake_eth_reset(FAKE_MLX5);
        assert_int_equal(open_port("net_af_xdp", "eth7", ways[i], NULL), 0);
        assert_string_equal(port.backend->ops->name, "ethtool");
        wish_and_apply();
        assert_int_equal(fake_eth.n, 1);
        take_out_and_close();
    }
}

static void test_no_rules_where_none_are_wanted(void **state)
{
    (void)state;
    fake_eth_reset(FAKE_MLX5);
    assert_int_equal(open_port("net_af_xdp", "eth7", NB_RULES_NONE, NULL), 0);
    assert_int_equal(port.profile.n_engines, 0);
    wish_and_apply();
    assert_int_equal(fake_eth.n, 0);
    nb__steering_port_close(&port);
}

static void check_refused(const char *driver, const char *interface, enum nb_rules_through through,
                          const struct nb_verbs_queues *verbs, const char *words)
{
    assert_int_equal(open_port(driver, interface, through, verbs), -ENOTSUP);
    if (!strstr(err.text, words))
        fail_msg("'%s' lacks '%s'", err.text, words);
    assert_null(port.backend);
}

static void test_what_a_port_cannot_is_refused_with_words(void **state)
{
    struct nb_verbs_queues few = {.n = QUEUES - 1};
    (void)state;

    fake_eth_reset(FAKE_VETH);
    check_refused("mlx5_pci", "", NB_RULES_VERBS, NULL, "poll no RAW_PACKET queue pairs");
    check_refused("mlx5_pci", "", NB_RULES_VERBS, &few, "poll no RAW_PACKET queue pairs");
    check_refused("net_ixgbe", "", NB_RULES_ETHTOOL, NULL, "the kernel does not own its NIC");
    check_refused("net_af_xdp", "eth7", NB_RULES_ETHTOOL, NULL, "takes no rules that we know of");
    check_refused("net_af_xdp", "eth7", NB_RULES_RTE_FLOW, NULL, "rules_through: rte_flow");
    check_refused("net_ring", "", NB_RULES_RTE_FLOW, NULL, "accepted for it: auto, none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verbs_steers_to_the_queue_pairs_that_workers_poll),
        cmocka_unit_test(test_af_xdp_port_goes_through_ethtool_by_choice_and_by_itself),
        cmocka_unit_test(test_no_rules_where_none_are_wanted),
        cmocka_unit_test(test_what_a_port_cannot_is_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
