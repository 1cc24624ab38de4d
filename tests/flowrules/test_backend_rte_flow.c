/* The rte_flow backend against a driver that lies as ixgbe does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_ixgbe.h"
#include "random.h"

static struct nb_profile profile;

static struct nb_backend *backend_new(void)
{
    fake_reset(16);
    profile = *nb_profile_for_driver("net_ixgbe");
    return nb_backend_rte_flow_new(FAKE_PORT, 16, &profile, &fake_api);
}

static void drop(struct nb_backend *b)
{
    b->ops->free(b);
}

static struct nb_rule parse(const char *text)
{
    struct nb_rule rule;
    struct nb_error err;

    if (nb_rule_parse(text, &rule, &err))
        fail_msg("%s: %s", text, err.text);
    return rule;
}

static int create(struct nb_backend *b, const struct nb_rule *rule, void **handle, struct nb_error *err)
{
    rte_errno = 0; /* as it is after something else succeeded: the worst case for the stale-errno bug */
    return b->ops->create(b, rule, handle, err);
}

static void *must_create(struct nb_backend *b, const struct nb_rule *rule)
{
    struct nb_error err = {0};
    void *handle = NULL;

    if (create(b, rule, &handle, &err))
        fail_msg("%s", err.text);
    assert_non_null(handle);
    return handle;
}

static void check_refused(struct nb_backend *b, const char *text, int code, const char *words)
{
    struct nb_rule rule = parse(text);
    struct nb_error err = {0};
    void *handle = NULL;
    unsigned before = fake.n_flows;

    assert_int_equal(create(b, &rule, &handle, &err), code);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, words))
        fail_msg("'%s': expected '%s' in: %s", text, words, err.text);
    assert_null(handle);
    assert_int_equal(fake.n_flows, before);
}

static struct nb_rule numbered(uint32_t n)
{
    struct nb_tuple t = {.src = {10, 0, (uint8_t)(n >> 8), (uint8_t)n},
                         .dst = {10, 9, 9, 9},
                         .src_port = (uint16_t)(1024 + n),
                         .dst_port = 80,
                         .family = NB_RULE_IPV4,
                         .protocol = NB_RULE_TCP};
    struct nb_rule rule = {.queue = (uint16_t)(n % 16), .mark = n + 1, .engine = NB_ENGINE_FLOW_DIRECTOR};

    nb_match_exact(&rule.match, &t);
    return rule;
}

static void test_exact_rule_reaches_flow_director_with_its_mark(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = parse("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3 mark 7 engine flow-director");
    (void)state;

    must_create(b, &rule);
    assert_int_equal(fake.n_fdir, 1);
    assert_int_equal(fake.n_ntuple, 0);
    assert_int_equal(fake.fdir[0].soft_id, 7);
    assert_int_equal(fake.fdir[0].queue, 3);
    assert_int_equal(fake.fdir[0].key.src, rte_cpu_to_be_32(0x0a000001));
    assert_int_equal(fake.fdir[0].key.dst, rte_cpu_to_be_32(0x0a000002));
    assert_int_equal(fake.fdir[0].key.src_port, rte_cpu_to_be_16(1000));
    assert_int_equal(fake.fdir[0].key.dst_port, rte_cpu_to_be_16(80));
    assert_int_equal(b->ops->hits(b, &rule, fake.flow), -1);
    b->ops->free(b);
}

static void test_five_tuple_rule_reaches_its_table_at_its_priority(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = parse("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3 priority 7 engine 5-tuple");
    (void)state;

    void *handle = must_create(b, &rule);
    assert_int_equal(fake.n_fdir, 0);
    assert_int_equal(fake.n_ntuple, 1);
    assert_int_equal(b->ops->device_used(b, NB_ENGINE_FIVE_TUPLE), -1);
    assert_int_equal(b->ops->destroy(b, &rule, handle, NULL), 0);
    assert_int_equal(fake.n_ntuple, 0);
    b->ops->free(b);
}

static void test_masked_port_rule_is_programmed_with_its_mask(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = parse("tcp 0.0.0.0/0:* -> *:0x1233/0x000f queue 3 mark 1 engine flow-director");
    (void)state;

    must_create(b, &rule);
    assert_int_equal(fake.fdir[0].key.dst_port, rte_cpu_to_be_16(3));
    assert_int_equal(fake.mask.dst_port, rte_cpu_to_be_16(0x000f));
    assert_int_equal(fake.mask.src, 0);
    b->ops->free(b);
}

static void test_what_the_driver_would_misunderstand_never_reaches_it(void **state)
{
    struct nb_backend *b = backend_new();
    (void)state;

    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 16 mark 1 engine flow-director", -EINVAL,
                  "queue 16: port 3 has 16 receive queues, 0 to 15");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1 engine flow-director", -EINVAL,
                  "mark 0: flow-director needs a mark of its own for every rule, 1 to 32767");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1 mark 32768 engine flow-director", -EINVAL, "1 to 32767");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1 mark 1 engine 5-tuple", -EINVAL, "5-tuple rules take none");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1 mark 1 priority 1 engine flow-director", -EINVAL,
                  "priority 1: flow-director rules take none");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1 priority 8 engine 5-tuple", -EINVAL, "1 to 7");
    check_refused(b, "tcp [2001:db8::1]:1 -> [2001:db8::2]:80 queue 1 mark 1 engine flow-director", -ENOTSUP,
                  "flow-director: not supported by the port: no IPv6 filters");
    check_refused(b, "tcp *:* -> *:80 queue 1 mark 1 engine flow-director", -EINVAL, "one address family");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 drop mark 1 engine flow-director", -ENOTSUP, "no such action");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queues 0-1 mark 1 engine flow-director", -ENOTSUP,
                  "no such action");
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1", -ENOTSUP, "port 3 has no table 'any'");
    assert_int_equal(fake.creates, 0);

    struct nb_rule rule = numbered(1);
    struct nb_error err;
    rule.match.src.value[0] = 0xff; /* a value outside its mask */
    rule.match.src.mask[0] = 0x0f;
    assert_int_equal(b->ops->validate(b, &rule, &err), -EINVAL);
    b->ops->free(b);
}

static void test_second_mask_is_explained_whatever_memcmp_returned(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule exact = numbered(1);
    (void)state;

    void *handle = must_create(b, &exact);
    check_refused(b, "tcp 0.0.0.0/0:* -> *:3/0x000f queue 3 mark 9 engine flow-director", -EXDEV, "another mask");
    check_refused(b, "tcp 10.0.0.0/8:1 -> 10.0.0.2:80 queue 3 mark 9 engine flow-director", -EXDEV, "error");
    assert_int_equal(b->ops->destroy(b, &exact, handle, NULL), 0);
    struct nb_rule masked = parse("tcp 0.0.0.0/0:* -> *:3/0x000f queue 3 mark 9 engine flow-director");
    must_create(b, &masked); /* the last rule took the mask with it */
    b->ops->free(b);
}

static void test_duplicate_is_refused_with_words(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = numbered(1);
    (void)state;

    must_create(b, &rule);
    check_refused(b, "tcp 10.0.0.1:1025 -> 10.9.9.9:80 queue 2 mark 99 engine flow-director", -EINVAL,
                  "has one with this match already (driver: Failed to create flow.)");
    b->ops->free(b);
}

static void test_silent_full_table_is_found_out_and_leaves_no_trace(void **state)
{
    struct nb_backend *b = backend_new();
    static void *handle[2046];
    (void)state;

    for (uint32_t n = 0; n < 2046; n++) {
        struct nb_rule rule = numbered(n);
        handle[n] = must_create(b, &rule);
    }
    assert_int_equal(b->ops->device_used(b, NB_ENGINE_FLOW_DIRECTOR), 2046);
    for (uint32_t n = 2046; n < 2400; n++) { /* more than the 8-bit error counter holds */
        struct nb_rule rule = numbered(n);
        struct nb_error err;
        void *none = NULL;
        assert_int_equal(create(b, &rule, &none, &err), -ENOSPC);
        assert_non_null(strstr(err.text, "flow-director is full"));
    }
    assert_int_equal(fake.n_flows, 2046); /* no rule in the driver's list without a filter */
    for (uint32_t n = 0; n < 2046; n++) {
        struct nb_rule rule = numbered(n);
        assert_int_equal(b->ops->destroy(b, &rule, handle[n], NULL), 0);
    }
    assert_int_equal(fake.n_fdir, 0);
    assert_int_equal(b->ops->device_used(b, NB_ENGINE_FLOW_DIRECTOR), 0);
    b->ops->free(b);
}

/* rte_eth_stats_get clears the registers between the driver's add and our question: the level of free places stays. */
static struct rte_flow *create_then_steal(uint16_t port_id, const struct rte_flow_attr *attr,
                                          const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
                                          struct rte_flow_error *error)
{
    struct rte_flow *flow = fake_create(port_id, attr, pattern, actions, error);
    fake_steal_registers();
    return flow;
}

static int destroy_then_steal(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error)
{
    int rc = fake_destroy(port_id, flow, error);
    fake_steal_registers();
    return rc;
}

static void test_counters_read_by_others_do_not_mislead(void **state)
{
    struct nb_rte_flow_api api = {.create = create_then_steal, .destroy = destroy_then_steal, .fdir_stats = fake_stats};
    struct nb_rule one = numbered(1), two = numbered(2), three = numbered(3);
    struct nb_error err;
    void *none = NULL;
    (void)state;

    drop(backend_new());
    fake.capacity = 2;
    fake.free_start = 32768; /* whatever an empty table shows on silicon */
    struct nb_backend *b = nb_backend_rte_flow_new(FAKE_PORT, 16, &profile, &api);
    void *handle = must_create(b, &one);
    must_create(b, &two);
    assert_int_equal(create(b, &three, &none, &err), -ENOSPC);
    assert_int_equal(b->ops->device_used(b, NB_ENGINE_FLOW_DIRECTOR), 2);
    assert_int_equal(b->ops->destroy(b, &one, handle, NULL), 0);
    assert_int_equal(b->ops->device_used(b, NB_ENGINE_FLOW_DIRECTOR), 1);
    assert_true(fake.stolen > 0);
    b->ops->free(b);
}

static void test_filter_lost_by_the_nic_is_reported_on_destroy(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = numbered(1);
    struct nb_error err;
    (void)state;

    void *handle = must_create(b, &rule);
    fake.fdir[0].used = false; /* a reset behind our back */
    fake.n_fdir = 0;
    assert_int_equal(b->ops->device_used(b, NB_ENGINE_FLOW_DIRECTOR), 0);
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -ENOENT);
    assert_non_null(strstr(err.text, "did not have the filter"));
    assert_int_equal(fake.n_flows, 0);
    b->ops->free(b);
}

static void test_five_tuple_table_says_that_it_is_full(void **state)
{
    struct nb_backend *b = backend_new();
    (void)state;

    for (uint32_t n = 0; n < 128; n++) {
        struct nb_rule rule = numbered(n);
        rule.engine = NB_ENGINE_FIVE_TUPLE;
        rule.mark = 0;
        must_create(b, &rule);
    }
    check_refused(b, "tcp 10.1.0.1:1 -> 10.9.9.9:80 queue 2 engine 5-tuple", -ENOSPC, "its table is full");
    b->ops->free(b);
}

static void test_driver_errors_become_words(void **state)
{
    static const struct {
        int value, code;
        const char *words;
    } cases[] = {{ETIMEDOUT, -ETIMEDOUT, "did not complete the command"},
                 {ENODEV, -ENODEV, "gone or not started"},
                 {ENOSPC, -ENOSPC, "list of rules is full"},
                 {EEXIST, -EEXIST, "this match already"},
                 {ENOSYS, -ENOTSUP, "no such operation"},
                 {0, -EXDEV, "another mask"}};
    struct nb_backend *b = backend_new();
    (void)state;

    fake.create_fails = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake.create_errno = cases[i].value;
        check_refused(b, "tcp 10.1.0.1:1 -> 10.9.9.9:80 queue 2 mark 1 engine flow-director", cases[i].code,
                      cases[i].words);
    }
    b->ops->free(b);
}

static void test_failed_destroy_keeps_the_rule(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = numbered(1);
    struct nb_error err;
    (void)state;

    void *handle = must_create(b, &rule);
    fake.destroy_errno = ETIMEDOUT;
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -ETIMEDOUT);
    fake.destroy_errno = ENOENT; /* must not pass for "the device did not have it" */
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -EINVAL);
    fake.destroy_errno = 0;
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), 0);
    assert_int_equal(fake.n_flows, 0);
    b->ops->free(b);
}

/* With a mark of its own for every rule the NIC removes the right filter, whatever the bucket holds. */
static void test_removal_in_any_order_never_hits_another_filter(void **state)
{
    enum { RULES = 1000 };
    struct nb_backend *b = backend_new();
    static void *handle[RULES];
    struct rng r = {1};
    (void)state;

    for (uint32_t n = 0; n < RULES; n++) {
        struct nb_rule rule = numbered(n);
        handle[n] = must_create(b, &rule);
    }
    for (int i = 0; i < 500; i++) {
        uint32_t n = rng_below(&r, RULES);
        if (!handle[n])
            continue;
        struct nb_rule rule = numbered(n);
        assert_int_equal(b->ops->destroy(b, &rule, handle[n], NULL), 0);
        handle[n] = NULL;
    }
    for (uint32_t n = 0; n < RULES; n++) {
        struct nb_tuple t = {.dst = {10, 9, 9, 9}, .src_port = (uint16_t)(1024 + n), .dst_port = 80};
        memcpy(t.src, ((uint8_t[]){10, 0, (uint8_t)(n >> 8), (uint8_t)n}), 4);
        assert_int_equal(fake_steers(&t, (uint16_t)(n % 16)), handle[n] != NULL);
    }
    b->ops->free(b);
}

static void test_driver_without_statistics_is_used_unverified(void **state)
{
    struct nb_rte_flow_api api = {.create = fake_create, .destroy = fake_destroy};
    struct nb_rule rule = numbered(1);
    (void)state;

    drop(backend_new());
    struct nb_backend *b = nb_backend_rte_flow_new(FAKE_PORT, 16, &profile, &api);
    void *handle = must_create(b, &rule);
    assert_int_equal(b->ops->device_used(b, NB_ENGINE_FLOW_DIRECTOR), -1);
    assert_int_equal(b->ops->destroy(b, &rule, handle, NULL), 0);
    b->ops->free(b);
}

static void test_real_api_has_statistics_only_where_the_driver_is_loaded(void **state)
{
    (void)state;
    assert_null(nb_rte_flow_api_real("net_ring").fdir_stats);
    assert_null(nb_rte_flow_api_real("net_ixgbe").fdir_stats); /* this program has not loaded it */
    assert_non_null(nb_rte_flow_api_real("net_ring").create);
}

/* --- other drivers than ixgbe ------------------------------------------------------------------------------------- */

/* A driver that says no with an errno and words, or yes, and remembers what it was asked. */
static struct {
    int error;
    const char *message;
    uint32_t group;
    bool count, mark;
    uint64_t hits;
    uint32_t queues, first, last; /* of an RSS action */
    uint64_t hash_types;
} other;

static void other_group(const struct rte_flow_action_rss *rss)
{
    other.queues = rss->queue_num;
    other.first = rss->queue[0];
    other.last = rss->queue[rss->queue_num - 1];
    other.hash_types = rss->types;
    assert_true(!rss->key && !rss->key_len && rss->func == RTE_ETH_HASH_FUNCTION_DEFAULT && !rss->level);
}

static struct rte_flow *other_create(uint16_t port_id, const struct rte_flow_attr *attr,
                                     const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
                                     struct rte_flow_error *error)
{
    (void)port_id, (void)pattern;
    other.group = attr->group;
    other.count = other.mark = false;
    for (; actions->type != RTE_FLOW_ACTION_TYPE_END; actions++) {
        other.count |= actions->type == RTE_FLOW_ACTION_TYPE_COUNT;
        other.mark |= actions->type == RTE_FLOW_ACTION_TYPE_MARK;
        if (actions->type == RTE_FLOW_ACTION_TYPE_RSS)
            other_group(actions->conf);
    }
    error->message = other.message;
    rte_errno = other.error;
    return other.error ? NULL : (struct rte_flow *)&other;
}

static int other_query(uint16_t port_id, struct rte_flow *flow, const struct rte_flow_action *action, void *data,
                       struct rte_flow_error *error)
{
    struct rte_flow_query_count *answer = data;

    (void)port_id, (void)flow, (void)error;
    if (other.error || action->type != RTE_FLOW_ACTION_TYPE_COUNT)
        return -EINVAL;
    answer->hits_set = 1;
    answer->hits = other.hits;
    return 0;
}

static int create_text_on(const char *driver, const char *text, enum nb_engine engine, uint32_t mark, int error,
                          const char *message, struct nb_error *err)
{
    struct nb_rte_flow_api calls = {.create = other_create, .destroy = fake_destroy, .query = other_query};
    struct nb_backend *b = nb_backend_rte_flow_new(FAKE_PORT, 4, nb_profile_for_driver(driver), &calls);
    struct nb_rule rule;
    void *handle;

    assert_int_equal(nb_rule_parse(text, &rule, err), 0);
    rule.engine = engine;
    rule.mark = mark;
    other.error = error;
    other.message = message;
    other.hits = 42;
    int rc = b->ops->create(b, &rule, &handle, err);
    if (!rc) {
        bool counts = nb_profile_for_driver(driver)->engine[0].counts_hits;
        assert_int_equal(b->ops->hits(b, &rule, handle), counts ? 42 : -1);
        assert_int_equal(b->ops->look(b, &rule, handle), counts ? NB_SEEN_THERE : NB_SEEN_UNKNOWN);
        other.error = EINVAL;
        assert_int_equal(b->ops->look(b, &rule, handle), counts ? NB_SEEN_MISSING : NB_SEEN_UNKNOWN);
    }
    b->ops->free(b);
    return rc;
}

static int create_on(const char *driver, enum nb_engine engine, uint32_t mark, int error, const char *message,
                     struct nb_error *err)
{
    return create_text_on(driver, "tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3", engine, mark, error, message, err);
}

static void test_group_of_queues_is_an_rss_action_as_the_driver_takes_it(void **state)
{
    static const char text[] = "tcp 10.0.0.1:1000 -> 10.0.0.2:80 queues 2-3",
                      beyond[] = "tcp 10.0.0.1:1000 -> 10.0.0.2:80 queues 3-4";
    struct nb_error err;
    (void)state;

    assert_int_equal(create_text_on("net_ice", text, NB_ENGINE_FLOW_DIRECTOR, 1, 0, NULL, &err), 0);
    assert_true(other.queues == 2 && other.first == 2 && other.last == 3 && !other.hash_types && other.mark);
    assert_int_equal(create_text_on("mlx5_pci", text, NB_ENGINE_STEERING, 0, 0, NULL, &err), 0);
    assert_true(other.queues == 2 && other.first == 2 && other.last == 3);
    assert_true(other.hash_types == (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP));
    assert_int_equal(create_text_on("mlx5_pci", beyond, NB_ENGINE_STEERING, 0, 0, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "queue 4"));
}

static void test_ice_is_understood_by_its_words_and_gets_a_mark(void **state)
{
    struct nb_error err;
    (void)state;

    assert_int_equal(create_on("net_ice", NB_ENGINE_FLOW_DIRECTOR, 1, 0, NULL, &err), 0);
    assert_true(other.mark && !other.count);
    assert_int_equal(create_on("net_ice", NB_ENGINE_FLOW_DIRECTOR, 1, EINVAL, "Add filter rule failed.", &err),
                     -ENOSPC);
    assert_int_equal(create_on("net_ice", NB_ENGINE_FLOW_DIRECTOR, 1, EINVAL, "Profile configure failed.", &err),
                     -EXDEV);
    assert_int_equal(create_on("net_ice", NB_ENGINE_FLOW_DIRECTOR, 1, EEXIST, "Rule already exists!", &err), -EEXIST);
    assert_int_equal(create_on("net_ice", NB_ENGINE_FLOW_DIRECTOR, 1, EINVAL, "Invalid input", &err), -EINVAL);
}

static void test_mlx5_rules_go_to_group_1_and_count(void **state)
{
    struct nb_error err;
    (void)state;

    assert_int_equal(create_on("mlx5_pci", NB_ENGINE_STEERING, 0, 0, NULL, &err), 0);
    assert_int_equal(other.group, 1);
    assert_true(other.count && !other.mark);
    assert_int_equal(create_on("mlx5_pci", NB_ENGINE_STEERING, 0, ENOMEM, "no room", &err), -ENOSPC);
    assert_int_equal(create_on("mlx5_pci", NB_ENGINE_STEERING, 0, ENOTSUP, "non-Q", &err), -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_rule_reaches_flow_director_with_its_mark),
        cmocka_unit_test(test_five_tuple_rule_reaches_its_table_at_its_priority),
        cmocka_unit_test(test_masked_port_rule_is_programmed_with_its_mask),
        cmocka_unit_test(test_what_the_driver_would_misunderstand_never_reaches_it),
        cmocka_unit_test(test_second_mask_is_explained_whatever_memcmp_returned),
        cmocka_unit_test(test_duplicate_is_refused_with_words),
        cmocka_unit_test(test_silent_full_table_is_found_out_and_leaves_no_trace),
        cmocka_unit_test(test_counters_read_by_others_do_not_mislead),
        cmocka_unit_test(test_filter_lost_by_the_nic_is_reported_on_destroy),
        cmocka_unit_test(test_five_tuple_table_says_that_it_is_full),
        cmocka_unit_test(test_driver_errors_become_words),
        cmocka_unit_test(test_failed_destroy_keeps_the_rule),
        cmocka_unit_test(test_removal_in_any_order_never_hits_another_filter),
        cmocka_unit_test(test_driver_without_statistics_is_used_unverified),
        cmocka_unit_test(test_real_api_has_statistics_only_where_the_driver_is_loaded),
        cmocka_unit_test(test_group_of_queues_is_an_rss_action_as_the_driver_takes_it),
        cmocka_unit_test(test_ice_is_understood_by_its_words_and_gets_a_mark),
        cmocka_unit_test(test_mlx5_rules_go_to_group_1_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
