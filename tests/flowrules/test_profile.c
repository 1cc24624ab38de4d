/* Profiles: found by driver, and what the 82599's rows let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <netbypass/profile.h>

static struct nb_rule rule_of(const char *text)
{
    struct nb_rule rule;
    struct nb_error err;

    if (nb_rule_parse(text, &rule, &err))
        fail_msg("%s: %s", text, err.text);
    return rule;
}

static enum nb_why why_82599(enum nb_purpose purpose, const char *text)
{
    struct nb_rule rule = rule_of(text);
    enum nb_why why;

    nb_profile_engine_for(nb_profile_for_driver("net_ixgbe"), purpose, &rule, &why);
    return why;
}

static void test_profile_is_found_by_driver_and_is_none_for_others(void **state)
{
    (void)state;
    assert_string_equal(nb_profile_for_driver("net_ixgbe")->name, "82599 (net_ixgbe, DPDK 22.11)");
    assert_int_equal(nb_profile_for_driver("net_ring")->n_engines, 0);
    assert_int_equal(nb_profile_for_driver("net_ixgbe_vf")->n_engines, 0);
    assert_int_equal(nb_profile_for_driver("")->n_engines, 0);
}

static void test_82599_sizes_are_those_of_the_driver(void **state)
{
    const struct nb_profile *p = nb_profile_for_driver("net_ixgbe");
    (void)state;

    assert_int_equal(p->engine[0].engine, NB_ENGINE_FLOW_DIRECTOR);
    assert_int_equal(p->engine[0].size, 2046);
    assert_int_equal(p->engine[1].engine, NB_ENGINE_FIVE_TUPLE);
    assert_int_equal(p->engine[1].size, 128);
    assert_true(p->mark_last - p->mark_first + 1 >= p->engine[0].size);
}

static void test_82599_connection_rules_go_to_flow_director_only(void **state)
{
    struct nb_rule rule = rule_of("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3");
    const struct nb_profile *p = nb_profile_for_driver("net_ixgbe");
    enum nb_why why;
    (void)state;

    assert_ptr_equal(nb_profile_engine_for(p, NB_PURPOSE_CONNECTIONS, &rule, &why), &p->engine[0]);
    assert_ptr_equal(nb_profile_engine_for(p, NB_PURPOSE_MOVES, &rule, &why), &p->engine[1]);
}

static void test_82599_says_what_it_cannot_do(void **state)
{
    (void)state;
    enum nb_purpose c = NB_PURPOSE_CONNECTIONS, m = NB_PURPOSE_MOVES;

    assert_int_equal(why_82599(c, "tcp [2001:db8::1]:1 -> [2001:db8::2]:2 queue 1"), NB_WHY_NO_IPV6);
    assert_int_equal(why_82599(c, "tcp *:* -> *:80 queue 1"), NB_WHY_NO_IPV6);
    assert_int_equal(why_82599(c, "vlan 5 tcp 10.0.0.1:1 -> 10.0.0.2:2 queue 1"), NB_WHY_NO_FIELD);
    assert_int_equal(why_82599(c, "tcp 10.0.0.1:1 -> 10.0.0.2:2 drop"), NB_WHY_NO_ACTION);
    assert_int_equal(why_82599(c, "tcp 10.0.0.1:1 -> 10.0.0.2:2 queue 128"), NB_WHY_NO_QUEUE);
    assert_int_equal(why_82599(c, "tcp 10.0.0.1:1 -> 10.0.0.2:2 queue 1 engine 5-tuple"), NB_WHY_NO_ENGINE);
    assert_int_equal(why_82599(c, "tcp 0.0.0.0/0:* -> *:0/0xf queue 1"), NB_WHY_PENDING);
    assert_int_equal(why_82599(m, "tcp 0.0.0.0/0:* -> *:0/0xf queue 1"), NB_WHY_NO_PARTIAL_MASK);
    assert_int_equal(why_82599(m, "tcp 0.0.0.0/0:* -> *:80 queue 1"), NB_WHY_PENDING);
}

#define DEVICE(name, vendor, id, reta)                                                                                 \
    {                                                                                                                  \
        .driver = (name), .vendor_id = (vendor), .device_id = (id), .reta_size = (reta)                                \
    }

static void test_ids_and_reta_tell_the_devices_of_one_driver_apart(void **state)
{
    static const struct {
        struct nb_device device;
        const char *name;
    } cases[] = {
        {DEVICE("net_ixgbe", 0x8086, 0x10fb, 128), "82599 (net_ixgbe, DPDK 22.11)"},
        {DEVICE("net_ixgbe", 0x8086, 0x1528, 128), "X540 (net_ixgbe, DPDK 22.11)"},
        {DEVICE("net_ixgbe", 0x8086, 0x1563, 512), "X550 (net_ixgbe, DPDK 22.11)"},
        {DEVICE("net_ixgbe", 0x8086, 0x15ac, 512), "X550 (net_ixgbe, DPDK 22.11)"}, /* by its RETA */
        {DEVICE("net_ixgbe", 0x8086, 0x9999, 128), "none (no filters)"},            /* not taken for what it is not */
        {DEVICE("net_ixgbe", 0, 0, 0), "82599 (net_ixgbe, DPDK 22.11)"},
        {DEVICE("net_ice", 0x8086, 0x159b, 512), "E810 (net_ice, DPDK 22.11)"},
        {DEVICE("mlx5_pci", 0x15b3, 0x1017, 0), "ConnectX-5/6/7 (mlx5, DPDK 22.11)"},
        {DEVICE("ixgbe", 0, 0, 0), "82599/X540/X550 (kernel ixgbe, ethtool)"},
        {DEVICE("virtio_net", 0, 0, 0), "none (no filters)"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(nb_profile_for_device(&cases[i].device)->name, cases[i].name);
}

static void test_what_the_device_says_overrides_what_the_profile_assumes(void **state)
{
    struct nb_device device = {.driver = "ice", .table_size = 1000, .queues = 8, .reta_size = 2048};
    struct nb_profile p;
    (void)state;

    nb_profile_probe(&device, &p);
    assert_int_equal(p.engine[0].size, 1000);
    assert_int_equal(p.engine[0].queue_last, 7);
    assert_int_equal(p.rss.reta_size, 2048);
    device = (struct nb_device){.driver = "ice"};
    nb_profile_probe(&device, &p);
    assert_int_equal(p.engine[0].size, 14848);
}

static enum nb_why why_group(const char *driver, const char *queues)
{
    struct nb_rule rule;
    char text[100];
    enum nb_why why;

    snprintf(text, sizeof text, "tcp 10.0.0.1:1 -> 10.0.0.2:2 queues %s", queues);
    rule = rule_of(text);
    nb_profile_engine_for(nb_profile_for_driver(driver), NB_PURPOSE_CONNECTIONS, &rule, &why);
    return why;
}

static void test_groups_of_queues_are_those_that_the_row_takes(void **state)
{
    (void)state;
    assert_int_equal(why_group("mlx5_pci", "2-4"), NB_WHY_PENDING);
    assert_int_equal(why_group("mlx5_pci", "1022-1024"), NB_WHY_NO_QUEUE);
    assert_int_equal(why_group("net_ice", "2-5"), NB_WHY_PENDING);
    assert_int_equal(why_group("net_ice", "0-127"), NB_WHY_PENDING);
    assert_int_equal(why_group("net_ice", "2-4"), NB_WHY_NO_GROUP); /* not a power of two */
    assert_int_equal(why_group("net_ixgbe", "0-1"), NB_WHY_NO_ACTION);
    assert_int_equal(why_group("ixgbe", "0-1"), NB_WHY_NO_ACTION);
    assert_int_equal(why_group("verbs", "0-1"), NB_WHY_NO_ACTION);
}

static void test_every_profile_is_consistent(void **state)
{
    const struct nb_profile *p;
    (void)state;

    for (unsigned i = 0; (p = nb_profile_at(i)); i++) {
        assert_in_range(strlen(p->name), 1, 63);
        assert_true((p->n_engines == 0) == (p->dialect == NB_DIALECT_NONE));
        for (unsigned e = 0; e < p->n_engines; e++) {
            const struct nb_engine_profile *row = &p->engine[e];
            assert_true(row->group_max <= NB_RULE_GROUP_MAX);
            assert_true(row->size && row->families && row->fields && row->latency_us && p->classify_us);
            if (row->quirks & NB_QUIRK_NEEDS_MARK)
                assert_true(p->mark_last - p->mark_first + 1 >= row->size);
        }
    }
}

static void test_every_reason_has_a_text_that_fits_the_control_protocol(void **state)
{
    (void)state;
    for (unsigned why = 0; why < NB_WHY_COUNT; why++)
        assert_in_range(strlen(nb_why_text(why)), 1, 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_is_found_by_driver_and_is_none_for_others),
        cmocka_unit_test(test_82599_sizes_are_those_of_the_driver),
        cmocka_unit_test(test_82599_connection_rules_go_to_flow_director_only),
        cmocka_unit_test(test_82599_says_what_it_cannot_do),
        cmocka_unit_test(test_ids_and_reta_tell_the_devices_of_one_driver_apart),
        cmocka_unit_test(test_what_the_device_says_overrides_what_the_profile_assumes),
        cmocka_unit_test(test_groups_of_queues_are_those_that_the_row_takes),
        cmocka_unit_test(test_every_profile_is_consistent),
        cmocka_unit_test(test_every_reason_has_a_text_that_fits_the_control_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
