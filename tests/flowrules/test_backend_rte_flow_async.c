/* The backend over rte_flow's template calls, against a driver that answers as mlx5 with hardware steering does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_templates.h"

#define JOBS 40

static struct nb_profile profile;

static void prepare(void)
{
    struct nb_error err;

    profile = *nb_profile_for_device(&(struct nb_device){.driver = "mlx5_pci", .templates = true});
    profile.engine[0].size = 1024;
    if (nb_rte_flow_prepare(FAKE_PORT, &profile, &fake_api, &err))
        fail_msg("%s", err.text);
    fake.started = true;
}

static struct nb_backend *backend_new(void)
{
    fake_reset();
    prepare();
    return nb_backend_rte_flow_async_new(FAKE_PORT, 16, &profile, &fake_api);
}

/* Nothing is left in the driver when the backend is gone. */
static void close_clean(struct nb_backend *b)
{
    b->ops->free(b);
    assert_int_equal(fake_count(FAKE_FREE), FAKE_FLOWS);
    assert_int_equal(fake.outstanding, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_false(fake.table[i].used || fake.pattern[i].used || fake.actions[i].used);
}

static struct nb_rule parse(const char *text)
{
    struct nb_rule rule;
    struct nb_error err;

    if (nb_rule_parse(text, &rule, &err))
        fail_msg("%s: %s", text, err.text);
    return rule;
}

static struct nb_rule numbered(unsigned n)
{
    struct nb_rule rule = parse("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3");

    rule.match.src_port.value = (uint16_t)(1000 + n);
    rule.queue = (uint16_t)(n % 16);
    return rule;
}

static int create(struct nb_backend *b, const struct nb_rule *rule, void **handle, struct nb_error *err)
{
    rte_errno = 0;
    *handle = NULL;
    return b->ops->create(b, rule, handle, err);
}

static void *must_create(struct nb_backend *b, const struct nb_rule *rule)
{
    struct nb_error err = {0};
    void *handle;

    if (create(b, rule, &handle, &err))
        fail_msg("%s", err.text);
    assert_non_null(handle);
    return handle;
}

static void check_words(const struct nb_error *err, const char *words)
{
    if (!strstr(err->text, words))
        fail_msg("'%s' lacks '%s'", err->text, words);
}

/* --- before the port starts --------------------------------------------------------------------------------------- */

static void test_port_of_templates_is_configured_with_queue_and_counters(void **state)
{
    (void)state;
    fake_reset();
    prepare();
    assert_true(fake.configured);
    assert_int_equal(fake.n_queues, 1);
    assert_int_equal(fake.counters, 1024);
}

static void test_few_counters_are_taken_as_they_are(void **state)
{
    (void)state;
    fake_reset();
    fake.max_counters = 100;
    prepare();
    assert_int_equal(fake.counters, 100);
}

static void test_port_without_templates_is_left_alone(void **state)
{
    struct nb_error err;
    (void)state;

    fake_reset();
    assert_int_equal(nb_rte_flow_prepare(FAKE_PORT, nb_profile_for_driver("mlx5_pci"), &fake_api, &err), 0);
    assert_false(fake.configured);
}

static void test_started_port_is_not_configured_and_the_reason_said(void **state)
{
    struct nb_error err;
    (void)state;

    fake_reset();
    fake.started = true;
    profile = *nb_profile_for_device(&(struct nb_device){.driver = "mlx5_pci", .templates = true});
    assert_int_equal(nb_rte_flow_prepare(FAKE_PORT, &profile, &fake_api, &err), -EINVAL);
    check_words(&err, "port 3: rte_flow_configure on steering");
}

static void test_rule_on_unconfigured_port_is_refused_with_words(void **state)
{
    struct nb_rule rule = numbered(1);
    struct nb_error err;
    void *handle;
    (void)state;

    fake_reset();
    fake.started = true;
    profile = *nb_profile_for_device(&(struct nb_device){.driver = "mlx5_pci", .templates = true});
    struct nb_backend *b = nb_backend_rte_flow_async_new(FAKE_PORT, 16, &profile, &fake_api);
    assert_int_equal(create(b, &rule, &handle, &err), -EINVAL);
    check_words(&err, "not configured");
    close_clean(b);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static void test_rule_is_in_force_when_create_returns(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = parse("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3");
    (void)state;

    fake.late = 5;
    void *handle = must_create(b, &rule);
    assert_int_equal(fake_count(FAKE_IN_FORCE), 1);
    assert_int_equal(fake.table[0].group, 1);
    assert_int_equal(fake.table[0].size, 1024);
    assert_int_equal(fake.flow[0].queue, 3);
    assert_int_equal(fake.flow[0].tcp.hdr.src_port, rte_cpu_to_be_16(1000));
    assert_int_equal(fake.flow[0].ip.hdr.dst_addr, rte_cpu_to_be_32(0x0a000002));
    assert_int_equal(nb_backend_hits(b, &rule, handle), 42);
    assert_int_equal(nb_backend_look(b, &rule, handle), NB_SEEN_THERE);
    assert_int_equal(b->ops->destroy(b, &rule, handle, NULL), 0);
    assert_int_equal(fake_count(FAKE_FREE), FAKE_FLOWS);
    close_clean(b);
}

static void test_each_protocol_has_a_table_and_drops_another_list_of_actions(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule tcp = numbered(1), udp = parse("udp 10.0.0.1:53 -> 10.0.0.2:53 drop");
    (void)state;

    void *a = must_create(b, &tcp), *c = must_create(b, &udp);
    assert_true(fake.table[0].used && fake.table[1].used);
    assert_true(fake.flow[1].drop);
    assert_int_equal(b->ops->destroy(b, &tcp, a, NULL), 0);
    assert_int_equal(b->ops->destroy(b, &udp, c, NULL), 0);
    close_clean(b);
}

static void test_what_the_table_is_not_made_for_never_reaches_the_driver(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *words;
    } cases[] = {
        {"tcp [2001:db8::1]:1 -> [2001:db8::2]:80 queue 1", -ENOTSUP, "no IPv6"},
        {"tcp 10.0.0.1:* -> 10.0.0.2:80 queue 1", -ENOTSUP, "every field"},
        {"tcp 10.0.0.0/8:1 -> 10.0.0.2:80 queue 1", -ENOTSUP, "all or nothing"},
        {"tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 16", -EINVAL, "16 receive queues"},
        {"tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1 mark 7", -EINVAL, "take none"},
    };
    struct nb_backend *b = backend_new();
    struct nb_error err;
    void *handle;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct nb_rule rule = parse(cases[i].text);
        assert_int_equal(create(b, &rule, &handle, &err), cases[i].code);
        check_words(&err, cases[i].words);
    }
    assert_int_equal(fake.order, 0);
    close_clean(b);
}

static void begin(struct nb_backend_job *job, const struct nb_rule *rule, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        job[i] = (struct nb_backend_job){.rule = &rule[i]};
}

static void test_batch_is_pushed_once_and_each_job_has_its_result(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_backend_job job[JOBS];
    struct nb_rule rule[JOBS];
    (void)state;

    for (unsigned i = 0; i < JOBS; i++)
        rule[i] = numbered(i);
    rule[7].queue = 99;
    begin(job, rule, JOBS);
    b->ops->batch(b, job, JOBS);
    assert_true(fake.pushes <= 2);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(job[i].result, i == 7 ? -EINVAL : 0);
        job[i].destroy = true;
    }
    assert_int_equal(fake_count(FAKE_IN_FORCE), JOBS - 1);
    job[7] = job[JOBS - 1];
    b->ops->batch(b, job, JOBS - 1);
    assert_int_equal(fake_count(FAKE_FREE), FAKE_FLOWS);
    close_clean(b);
}

static void test_queue_shorter_than_the_batch_is_waited_for(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_backend_job job[JOBS];
    struct nb_rule rule[JOBS];
    (void)state;

    fake.queue_size = 4; /* the driver made it shorter than it was asked to */
    fake.late = 3;
    for (unsigned i = 0; i < JOBS; i++)
        rule[i] = numbered(i);
    begin(job, rule, JOBS);
    b->ops->batch(b, job, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(job[i].result, 0);
        job[i].destroy = true;
    }
    b->ops->batch(b, job, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(job[i].result, 0);
    close_clean(b);
}

static void test_full_table_is_told_from_a_full_queue(void **state)
{
    struct nb_backend *b;
    struct nb_rule rule;
    struct nb_error err;
    void *handle[4], *more;
    (void)state;

    fake_reset();
    prepare();
    profile.engine[0].size = 4;
    b = nb_backend_rte_flow_async_new(FAKE_PORT, 16, &profile, &fake_api);
    for (unsigned i = 0; i < 4; i++) {
        rule = numbered(i);
        handle[i] = must_create(b, &rule);
    }
    rule = numbered(4);
    assert_int_equal(create(b, &rule, &more, &err), -ENOSPC);
    check_words(&err, "full");
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(b->ops->destroy(b, &rule, handle[i], NULL), 0);
    close_clean(b);
}

/* --- what goes wrong ---------------------------------------------------------------------------------------------- */

static void test_completion_with_error_is_a_refusal_and_leaves_no_memory(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = numbered(1);
    struct nb_error err;
    void *handle;
    (void)state;

    fake.fail = 1;
    assert_int_equal(create(b, &rule, &handle, &err), -EIO);
    assert_null(handle);
    check_words(&err, "did not take the rule");
    handle = must_create(b, &rule); /* and the next one takes its end along */
    assert_int_equal(fake_count(FAKE_FREE), FAKE_FLOWS - 1);
    assert_int_equal(b->ops->destroy(b, &rule, handle, NULL), 0);
    close_clean(b);
}

static void test_rule_that_comes_late_is_destroyed(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule first = numbered(1), second = numbered(2);
    struct nb_error err;
    void *handle;
    (void)state;

    fake.late = 1000000;
    assert_int_equal(create(b, &first, &handle, &err), -ETIMEDOUT);
    check_words(&err, "in time");
    assert_true(fake.pauses > 0);
    fake.late = 0;
    handle = must_create(b, &second);
    assert_int_equal(b->ops->destroy(b, &second, handle, NULL), 0);
    assert_int_equal(fake_count(FAKE_IN_FORCE), 0);
    close_clean(b);
}

static void test_end_that_comes_late_is_found_by_the_next_try(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = numbered(1), other = numbered(2);
    void *handle = must_create(b, &rule);
    struct nb_error err;
    (void)state;

    fake.late = 1000000;
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -ETIMEDOUT);
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -ETIMEDOUT); /* still on its way: not put twice */
    assert_int_equal(fake.outstanding, 1);
    fake.late = 0;
    void *later = must_create(b, &other); /* its completion comes with this one's */
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), 0);
    assert_int_equal(b->ops->destroy(b, &other, later, &err), 0);
    close_clean(b);
}

static void test_end_with_error_is_said_and_never_called_done(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = numbered(1);
    void *handle = must_create(b, &rule);
    struct nb_error err;
    (void)state;

    fake.fail = 1;
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -EIO);
    check_words(&err, "did not remove");
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -EIO);
    check_words(&err, "forgotten");
    assert_int_equal(nb_backend_look(b, &rule, handle), NB_SEEN_UNKNOWN);
    close_clean(b);
}

static void test_driver_that_fails_to_answer_fails_the_operation(void **state)
{
    struct nb_backend *b = backend_new();
    struct nb_rule rule = numbered(1);
    struct nb_error err;
    void *handle;
    (void)state;

    fake.pull_fails = true;
    assert_int_equal(create(b, &rule, &handle, &err), -ETIMEDOUT);
    fake.pull_fails = false;
    close_clean(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_of_templates_is_configured_with_queue_and_counters),
        cmocka_unit_test(test_few_counters_are_taken_as_they_are),
        cmocka_unit_test(test_port_without_templates_is_left_alone),
        cmocka_unit_test(test_started_port_is_not_configured_and_the_reason_said),
        cmocka_unit_test(test_rule_on_unconfigured_port_is_refused_with_words),
        cmocka_unit_test(test_rule_is_in_force_when_create_returns),
        cmocka_unit_test(test_each_protocol_has_a_table_and_drops_another_list_of_actions),
        cmocka_unit_test(test_what_the_table_is_not_made_for_never_reaches_the_driver),
        cmocka_unit_test(test_batch_is_pushed_once_and_each_job_has_its_result),
        cmocka_unit_test(test_queue_shorter_than_the_batch_is_waited_for),
        cmocka_unit_test(test_full_table_is_told_from_a_full_queue),
        cmocka_unit_test(test_completion_with_error_is_a_refusal_and_leaves_no_memory),
        cmocka_unit_test(test_rule_that_comes_late_is_destroyed),
        cmocka_unit_test(test_end_that_comes_late_is_found_by_the_next_try),
        cmocka_unit_test(test_end_with_error_is_said_and_never_called_done),
        cmocka_unit_test(test_driver_that_fails_to_answer_fails_the_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
