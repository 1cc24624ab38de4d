/* The ethtool backend against the kernel drivers' manners: what they refuse, what they forget, what they say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <netbypass/audit.h>
#include <netbypass/backend.h>

#include "fake_ethtool.h"

static const struct nb_ethtool_api api = {.call = fake_ethtool};
static struct nb_profile profile;

static struct nb_backend *open_backend(enum fake_driver driver)
{
    char name[NB_ETHTOOL_DRIVER_MAX];
    struct nb_device device;
    struct nb_error err;

    fake_eth_reset(driver);
    assert_int_equal(nb_ethtool_describe("eth7", &api, 0, name, &device, &err), 0);
    nb_profile_probe(&device, &profile);
    struct nb_backend *b = nb_backend_ethtool_new("eth7", &profile, &api, NULL, &err);
    if (!b)
        fail_msg("%s", err.text);
    return b;
}

static struct nb_rule rule_of(const char *text)
{
    struct nb_rule rule;
    struct nb_error err;

    if (nb_rule_parse(text, &rule, &err))
        fail_msg("%s: %s", text, err.text);
    rule.engine = NB_ENGINE_NTUPLE;
    return rule;
}

static int try_create(struct nb_backend *b, const char *text, void **handle, struct nb_error *err)
{
    struct nb_rule rule = rule_of(text);

    return b->ops->create(b, &rule, handle, err);
}

static void *create(struct nb_backend *b, const char *text)
{
    struct nb_error err;
    void *handle = NULL;

    if (try_create(b, text, &handle, &err))
        fail_msg("%s: %s", text, err.text);
    return handle;
}

static void check_refused(struct nb_backend *b, const char *text, int code, const char *words)
{
    struct nb_error err;
    void *handle = NULL;
    unsigned before = fake_eth.n;

    assert_int_equal(try_create(b, text, &handle, &err), code);
    if (!strstr(err.text, words))
        fail_msg("'%s' lacks '%s'", err.text, words);
    assert_int_equal(fake_eth.n, before);
    assert_null(handle);
}

#define FLOW   "tcp 10.0.0.1:1000 -> 10.0.0.2:80 "
#define FLOW_2 "tcp 10.0.0.1:1001 -> 10.0.0.2:80 "
#define FLOW_6 "tcp [2001:db8::1]:1000 -> [2001:db8::2]:80 "

static void test_rule_is_written_as_the_kernel_reads_it(void **state)
{
    struct nb_backend *b = open_backend(FAKE_MLX5);
    (void)state;

    create(b, FLOW "queue 3");
    const struct ethtool_rx_flow_spec *fs = &fake_eth.rule[0];
    assert_int_equal(fs->flow_type, TCP_V4_FLOW);
    assert_int_equal(ntohl(fs->h_u.tcp_ip4_spec.ip4src), 0x0a000001);
    assert_int_equal(ntohs(fs->h_u.tcp_ip4_spec.pdst), 80);
    assert_int_equal(fs->m_u.tcp_ip4_spec.ip4dst, 0xffffffff); /* in the kernel's interface a 1 compares */
    assert_int_equal(fs->m_u.tcp_ip4_spec.tos, 0);
    assert_int_equal(fs->ring_cookie, 3);
    create(b, "vlan 5 udp [2001:db8::/32]:53 -> [2001:db8::1]:* drop");
    fs = &fake_eth.rule[1];
    assert_int_equal(fs->flow_type, (uint32_t)UDP_V6_FLOW | FLOW_EXT);
    assert_int_equal(fs->m_u.tcp_ip6_spec.ip6src[1], 0);
    assert_int_equal(fs->ring_cookie == RX_CLS_FLOW_DISC, 1);
    assert_int_equal(ntohs(fs->h_ext.vlan_tci), 5);
    b->ops->free(b);
}

static void test_each_driver_takes_its_whole_table_and_says_full(void **state)
{
    static const enum fake_driver drivers[] = {FAKE_IXGBE, FAKE_ICE, FAKE_MLX5};
    char text[96];
    (void)state;

    for (size_t d = 0; d < 3; d++) {
        struct nb_backend *b = open_backend(drivers[d]);
        assert_int_equal(profile.engine[0].size, fake_eth.size);
        for (unsigned i = 0; i < fake_eth.size; i++) {
            snprintf(text, sizeof text, "tcp 10.0.0.1:%u -> 10.0.0.2:80 queue 1", i + 1);
            create(b, text);
        }
        assert_int_equal(b->ops->device_used(b, NB_ENGINE_NTUPLE), fake_eth.size);
        check_refused(b, "tcp 10.9.9.9:9 -> 10.0.0.2:80 queue 1", -ENOSPC, "taken");
        b->ops->free(b);
    }
}

static void test_refusals_have_the_reason_that_the_driver_kept_to_itself(void **state)
{
    struct nb_backend *b = open_backend(FAKE_IXGBE);
    (void)state;

    create(b, FLOW "queue 3");
    check_refused(b, "tcp 0.0.0.0/0:* -> *:0/0xf queue 1", -EXDEV, "another mask");
    check_refused(b, FLOW_2 "queue 8", -EINVAL, "8 receive queues, 0 to 7");
    fake_eth.rings = 2; /* someone took queues away behind our back */
    check_refused(b, FLOW_2 "queue 5", -EINVAL, "2 receive queues");
    check_refused(b, FLOW_6 "queue 1", -ENOTSUP, "IPv6");
    fake_eth.ntuple = false;
    check_refused(b, FLOW_2 "queue 1", -ENOTSUP, "ntuple on");
    b->ops->free(b);

    b = open_backend(FAKE_ICE);
    create(b, FLOW "queue 3");
    check_refused(b, FLOW "queue 4", -EINVAL, "this match already");
    check_refused(b, "tcp 10.0.0.1:* -> 10.0.0.2:80 queue 1", -EXDEV, "another mask");
    check_refused(b, "tcp 10.0.0.0/8:1 -> 10.0.0.2:80 queue 1", -ENOTSUP, "all or nothing");
    create(b, FLOW_6 "queue 1"); /* another flow type has a mask of its own */
    fake_eth.error = EBUSY;
    check_refused(b, FLOW_2 "queue 1", -EBUSY, "reset");
    b->ops->free(b);

    b = open_backend(FAKE_MLX5);
    create(b, FLOW "queue 3");
    create(b, "tcp 10.0.0.0/8:1 -> 10.0.0.2:0/0xf queue 1");
    fake_eth.error = FAKE_ENOTSUP;
    check_refused(b, FLOW_2 "queue 1", -ENOTSUP, "kind of rule");
    fake_eth.error = EPERM;
    check_refused(b, FLOW_2 "queue 1", -EPERM, "CAP_NET_ADMIN");
    b->ops->free(b);
}

static void test_success_is_believed_only_when_the_rule_can_be_read_back(void **state)
{
    struct nb_backend *b = open_backend(FAKE_MLX5);
    (void)state;

    fake_eth.lies = true;
    check_refused(b, FLOW "queue 3", -EIO, "does not have it");
    fake_eth.lies = false;
    fake_eth.bends = true;
    check_refused(b, FLOW "queue 3", -EIO, "another rule");
    fake_eth.bends = false;
    assert_int_equal((uintptr_t)create(b, FLOW "queue 3"), 1); /* the location is free for the next try */
    b->ops->free(b);
}

static void test_locations_that_others_use_are_left_alone(void **state)
{
    struct nb_backend *b = open_backend(FAKE_MLX5);
    struct nb_error err;
    (void)state;

    b->ops->free(b);
    fake_eth.used[0] = fake_eth.used[2] = true;
    fake_eth.rule[0].flow_type = fake_eth.rule[2].flow_type = UDP_V4_FLOW;
    fake_eth.n = 2;
    b = nb_backend_ethtool_new("eth7", &profile, &api, NULL, &err);
    assert_non_null(b);
    assert_int_equal((uintptr_t)create(b, FLOW "queue 3") - 1, 1);
    assert_int_equal((uintptr_t)create(b, FLOW_2 "queue 3") - 1, 3);
    b->ops->free(b);
}

static void test_location_that_somebody_took_since_is_left_alone(void **state)
{
    struct nb_backend *b = open_backend(FAKE_MLX5); /* replaces what is at a location */
    (void)state;

    fake_eth.used[0] = true;
    fake_eth.rule[0].flow_type = UDP_V4_FLOW;
    fake_eth.n = 1;
    assert_int_equal((uintptr_t)create(b, FLOW "queue 3") - 1, 1);
    assert_int_equal(fake_eth.rule[0].flow_type, UDP_V4_FLOW);
    b->ops->free(b);
}

static void reset_device(enum fake_driver driver)
{
    struct nb_backend *b = open_backend(driver);

    b->ops->free(b);
}

/* A process that dies leaves its rules, and its memory as it was: so does freeing a backend. */
static struct nb_backend *open_again(const char *memory)
{
    struct nb_error err;
    struct nb_backend *b = nb_backend_ethtool_new("eth7", &profile, &api, memory, &err);

    if (!b)
        fail_msg("%s", err.text);
    return b;
}

static void test_rules_of_a_dead_process_are_deleted_and_those_of_others_not(void **state)
{
    static const enum fake_driver drivers[] = {FAKE_IXGBE, FAKE_ICE, FAKE_MLX5};
    char memory[] = "/tmp/nb-ethtool-XXXXXX";
    (void)state;

    close(mkstemp(memory));
    for (size_t i = 0; i < 3; i++) {
        reset_device(drivers[i]);
        struct nb_backend *b = open_again(memory);
        struct nb_rule moved = rule_of(FLOW "queue 3");
        void *first = create(b, FLOW "queue 3");
        create(b, FLOW_2 "queue 4");
        create(b, "tcp 10.0.0.1:1002 -> 10.0.0.2:80 queue 1");
        if (b->ops->update && profile.engine[0].update == NB_UPDATE_IN_PLACE)
            assert_int_equal(b->ops->update(b, &moved, first, 5, NULL), 0);
        b->ops->free(b); /* dies here */

        fake_eth.rule[1].ring_cookie = 6;    /* somebody else's now */
        fake_eth.rule[9] = fake_eth.rule[1]; /* and one that never was ours */
        fake_eth.rule[9].location = 9;
        fake_eth.rule[9].h_u.tcp_ip4_spec.psrc = 7;
        fake_eth.used[9] = true;
        fake_eth.n = 4;
        b = open_again(memory);
        assert_int_equal(nb_backend_ethtool_cleaned(b), 2);
        assert_int_equal(fake_eth.n, 2);
        assert_true(fake_eth.used[1] && fake_eth.used[9]);
        b->ops->free(b);
        b = open_again(memory); /* and not twice */
        assert_int_equal(nb_backend_ethtool_cleaned(b), 0);
        b->ops->free(b);
    }
    assert_int_equal(access(memory, F_OK), -1); /* nothing left to remember */
}

static void test_rule_that_cannot_be_cleaned_up_is_tried_again_by_the_next_run(void **state)
{
    char memory[] = "/tmp/nb-ethtool-XXXXXX";
    (void)state;

    close(mkstemp(memory));
    reset_device(FAKE_ICE);
    struct nb_backend *b = open_again(memory);
    create(b, FLOW "queue 3");
    b->ops->free(b);
    fake_eth.error = EBUSY;
    b = open_again(memory);
    assert_int_equal(nb_backend_ethtool_cleaned(b), 0);
    create(b, FLOW_2 "queue 3"); /* elsewhere */
    assert_int_equal(fake_eth.n, 2);
    b->ops->free(b);
    b = open_again(memory);
    assert_int_equal(nb_backend_ethtool_cleaned(b), 2);
    b->ops->free(b);
    unlink(memory);
}

static void test_second_process_on_an_interface_is_refused(void **state)
{
    char memory[] = "/tmp/nb-ethtool-XXXXXX";
    struct nb_error err;
    (void)state;

    close(mkstemp(memory));
    reset_device(FAKE_ICE);
    struct nb_backend *b = open_again(memory);
    assert_null(nb_backend_ethtool_new("eth7", &profile, &api, memory, &err));
    assert_non_null(strstr(err.text, "another process"));
    b->ops->free(b);
}

static void test_update_changes_the_queue_in_place_or_leaves_the_rule(void **state)
{
    struct nb_backend *b = open_backend(FAKE_IXGBE);
    struct nb_rule rule = rule_of(FLOW "queue 3");
    void *handle = create(b, FLOW "queue 3");
    struct nb_error err;
    (void)state;

    assert_int_equal(b->ops->update(b, &rule, handle, 5, &err), 0);
    assert_int_equal(fake_eth.rule[0].ring_cookie, 5);
    assert_int_equal(fake_eth.n, 1);
    fake_eth.error = EINVAL;
    assert_int_equal(b->ops->update(b, &rule, handle, 6, &err), -EINVAL);
    assert_int_equal(fake_eth.rule[0].ring_cookie, 5);
    b->ops->free(b);
}

static void test_destroy_frees_the_location_and_tells_a_lost_rule(void **state)
{
    struct nb_backend *b = open_backend(FAKE_IXGBE);
    struct nb_rule rule = rule_of(FLOW "queue 3");
    void *handle = create(b, FLOW "queue 3");
    struct nb_error err;
    (void)state;

    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), 0);
    assert_int_equal(fake_eth.n, 0);
    handle = create(b, FLOW "queue 3");
    assert_int_equal((uintptr_t)handle, 1);
    fake_eth.used[0] = false; /* the port was reset */
    fake_eth.n = 0;
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -ENOENT);
    handle = create(b, FLOW "queue 3");
    fake_eth.error = EBUSY;
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -EBUSY); /* still there, still ours */
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), 0);
    b->ops->free(b);
}

static void test_audit_names_orphan_missing_and_mismatch(void **state)
{
    struct nb_backend *b = open_backend(FAKE_MLX5);
    struct nb_audit_rule ours[3];
    struct nb_audit audit;
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        char text[96];
        snprintf(text, sizeof text, "tcp 10.0.0.1:%u -> 10.0.0.2:80 queue 1", i + 1);
        ours[i] = (struct nb_audit_rule){.id = 10 + i, .rule = rule_of(text), .handle = create(b, text)};
    }
    nb_audit_engine(b, NB_ENGINE_NTUPLE, ours, 3, &audit);
    assert_int_equal(audit.confirmed, 3);
    assert_int_equal(audit.n_findings, 0);
    assert_string_equal(audit.witness, "every rule, both ways");
    fake_eth.used[100] = true; /* planted */
    fake_eth.rule[100].flow_type = TCP_V4_FLOW;
    fake_eth.used[0] = false;
    fake_eth.rule[1].ring_cookie = 7;
    nb_audit_engine(b, NB_ENGINE_NTUPLE, ours, 3, &audit);
    assert_int_equal(audit.confirmed, 1);
    assert_int_equal(audit.n_findings, 3);
    assert_int_equal(audit.count[NB_AUDIT_MISSING], 1);
    assert_int_equal(audit.count[NB_AUDIT_MISMATCH], 1);
    assert_int_equal(audit.count[NB_AUDIT_ORPHAN], 1);
    assert_int_equal(audit.finding[0].rule, 10);
    assert_int_equal(audit.finding[1].rule, 11);
    assert_non_null(strstr(audit.finding[2].words, "location 100"));
    b->ops->free(b);
}

static void test_describe_says_what_the_interface_is(void **state)
{
    char name[NB_ETHTOOL_DRIVER_MAX];
    struct nb_device device;
    struct nb_error err;
    (void)state;

    fake_eth_reset(FAKE_ICE);
    assert_int_equal(nb_ethtool_describe("eth7", &api, 100, name, &device, &err), 0);
    assert_string_equal(device.driver, "ice");
    assert_int_equal(device.table_size, 1400);
    assert_int_equal(device.queues, 8);
    assert_int_equal(device.reta_size, 512);
    fake_eth_reset(FAKE_VETH);
    assert_int_equal(nb_ethtool_describe("eth7", &api, 0, name, &device, &err), 0);
    nb_profile_probe(&device, &profile);
    assert_int_equal(profile.n_engines, 0);
    assert_int_equal(nb_ethtool_describe("eth8", &api, 0, name, &device, &err), -ENODEV);
}

static void test_ntuple_feature_is_switched_and_looked_at(void **state)
{
    struct nb_error err;
    (void)state;

    fake_eth_reset(FAKE_ICE);
    fake_eth.ntuple = false;
    assert_int_equal(nb_ethtool_set_ntuple("eth7", &api, true, &err), 0);
    assert_true(fake_eth.ntuple);
    unsigned calls = fake_eth.calls;
    assert_int_equal(nb_ethtool_set_ntuple("eth7", &api, true, &err), 0);
    assert_int_equal(fake_eth.calls, calls + 1); /* no port is reset for nothing */
    fake_eth_reset(FAKE_VETH);
    fake_eth.ntuple = false;
    assert_int_equal(nb_ethtool_set_ntuple("eth7", &api, true, &err), -EINVAL);
}

static void test_rss_is_written_read_back_and_left_alone_where_not_given(void **state)
{
    struct nb_ethtool_rss rss = {.reta_size = 128, .key_bytes = 40}, kept;
    struct nb_error err;
    (void)state;

    fake_eth_reset(FAKE_IXGBE);
    for (unsigned i = 0; i < 128; i++)
        rss.reta[i] = i % 8;
    memset(rss.key, 0x6d, 40);
    assert_int_equal(nb_ethtool_rss_set("eth7", &api, &rss, &err), 0);
    assert_int_equal(nb_ethtool_rss_get("eth7", &api, &kept, &err), 0);
    assert_memory_equal(kept.reta, rss.reta, 128 * 4);
    assert_memory_equal(kept.key, rss.key, 40);
    struct nb_ethtool_rss only_key = {.key_bytes = 40, .key = {1}};
    assert_int_equal(nb_ethtool_rss_set("eth7", &api, &only_key, &err), 0);
    assert_int_equal(fake_eth.reta[9], 1);
    assert_int_equal(fake_eth.key[0], 1);
    rss.reta[5] = 8;
    assert_int_equal(nb_ethtool_rss_set("eth7", &api, &rss, &err), -EINVAL);
    fake_eth_reset(FAKE_VETH);
    assert_int_equal(nb_ethtool_rss_get("eth7", &api, &kept, &err), -EOPNOTSUPP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_is_written_as_the_kernel_reads_it),
        cmocka_unit_test(test_each_driver_takes_its_whole_table_and_says_full),
        cmocka_unit_test(test_refusals_have_the_reason_that_the_driver_kept_to_itself),
        cmocka_unit_test(test_success_is_believed_only_when_the_rule_can_be_read_back),
        cmocka_unit_test(test_rules_of_a_dead_process_are_deleted_and_those_of_others_not),
        cmocka_unit_test(test_rule_that_cannot_be_cleaned_up_is_tried_again_by_the_next_run),
        cmocka_unit_test(test_second_process_on_an_interface_is_refused),
        cmocka_unit_test(test_locations_that_others_use_are_left_alone),
        cmocka_unit_test(test_location_that_somebody_took_since_is_left_alone),
        cmocka_unit_test(test_update_changes_the_queue_in_place_or_leaves_the_rule),
        cmocka_unit_test(test_destroy_frees_the_location_and_tells_a_lost_rule),
        cmocka_unit_test(test_audit_names_orphan_missing_and_mismatch),
        cmocka_unit_test(test_describe_says_what_the_interface_is),
        cmocka_unit_test(test_ntuple_feature_is_switched_and_looked_at),
        cmocka_unit_test(test_rss_is_written_read_back_and_left_alone_where_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
