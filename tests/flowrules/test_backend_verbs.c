/* The verbs backend: what the kernel would get, what it refuses, and that nothing is left behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>

#include <cmocka.h>

#include "fake_verbs.h"

static struct nb_verbs_queues queues;

static struct nb_backend *open_backend(void)
{
    struct nb_error err;

    if (nb_verbs_open(&queues, fake_verbs_reset(), &fake_verbs_api, 1, 4, 64, &err))
        fail_msg("%s", err.text);
    return nb_backend_verbs_new(&queues, nb_profile_for_driver("verbs"));
}

static void close_backend(struct nb_backend *b)
{
    b->ops->free(b);
    nb_verbs_close(&queues);
    assert_int_equal(fake_ib.n_pd + fake_ib.n_cq + fake_ib.n_qp, 0);
}

static int create(struct nb_backend *b, const char *text, void **handle, struct nb_error *err)
{
    struct nb_rule rule;

    if (nb_rule_parse(text, &rule, err))
        fail_msg("%s: %s", text, err->text);
    return b->ops->create(b, &rule, handle, err);
}

#define FLOW "tcp 10.0.0.1:1000 -> 10.0.0.2:80 "

static void test_rule_is_packed_as_the_kernel_reads_it(void **state)
{
    struct nb_backend *b = open_backend();
    struct ibv_flow_spec_ipv4 ip;
    struct ibv_flow_spec_tcp_udp l4;
    struct nb_error err;
    void *handle;
    (void)state;

    assert_int_equal(create(b, FLOW "queue 3", &handle, &err), 0);
    const struct fake_verbs_flow *f = &fake_ib.flow[0];
    assert_ptr_equal(handle, f);
    assert_ptr_equal(f->qp, &fake_ib.qp[3]);
    assert_int_equal(f->size, 20 + 40 + 24 + 16);
    memcpy(&ip, f->bytes + 60, sizeof ip);
    memcpy(&l4, f->bytes + 84, sizeof l4);
    assert_int_equal(ntohl(ip.val.src_ip), 0x0a000001);
    assert_int_equal(ip.mask.dst_ip, 0xffffffff);
    assert_int_equal(ntohs(l4.val.dst_port), 80);
    assert_int_equal(ntohs(l4.val.src_port), 1000);
    assert_int_equal(l4.mask.src_port, 0xffff);
    assert_int_equal(create(b, "vlan 7 udp [2001:db8::/32]:* -> [::1]:53 drop", &handle, &err), 0);
    assert_int_equal(fake_ib.flow[1].size, 20 + 40 + 88 + 16 + 8);
    close_backend(b);
}

static void check_refused(struct nb_backend *b, const char *text, int code, const char *words)
{
    struct nb_error err;
    void *handle = NULL;
    unsigned before = fake_ib.n_flows;

    assert_int_equal(create(b, text, &handle, &err), code);
    if (!strstr(err.text, words))
        fail_msg("'%s' lacks '%s'", err.text, words);
    assert_null(handle);
    assert_int_equal(fake_ib.n_flows, before);
}

static void test_every_refusal_has_a_reason(void **state)
{
    struct nb_backend *b = open_backend();
    struct nb_error err;
    void *handle;
    (void)state;

    assert_int_equal(create(b, FLOW "queue 3", &handle, &err), 0);
    check_refused(b, FLOW "queue 2", -EEXIST, "already");
    check_refused(b, FLOW "queue 4", -EINVAL, "0 to 3");
    check_refused(b, FLOW "queue 1 priority 8", -EINVAL, "0 to 7");
    check_refused(b, FLOW "queue 1 mark 5", -EINVAL, "none");
    fake_ib.error = EPERM;
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1", -EPERM, "CAP_NET_RAW");
    fake_ib.error = EOPNOTSUPP;
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1", -ENOTSUP, "support");
    fake_ib.error = 99;
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1", -EIO, "99");
    fake_ib.capacity = 1;
    check_refused(b, "tcp 10.0.0.1:1 -> 10.0.0.2:80 queue 1", -ENOSPC, "full");
    close_backend(b);
}

static void test_context_without_flow_support_is_understood(void **state)
{
    struct nb_backend *b = open_backend();
    (void)state;

    fake_ib.context.ibv_create_flow = NULL;
    check_refused(b, FLOW "queue 1", -ENOTSUP, "support");
    close_backend(b);
}

static void test_destroy_says_what_the_kernel_says(void **state)
{
    struct nb_backend *b = open_backend();
    struct nb_error err;
    struct nb_rule rule = {0};
    void *handle;
    (void)state;

    assert_int_equal(create(b, FLOW "queue 3", &handle, &err), 0);
    fake_ib.error = EBUSY;
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), -EBUSY);
    assert_int_equal(fake_ib.n_flows, 1);
    assert_int_equal(b->ops->destroy(b, &rule, handle, &err), 0);
    assert_int_equal(fake_ib.n_flows, 0);
    close_backend(b);
}

static void test_failure_of_each_step_leaves_nothing_behind(void **state)
{
    struct nb_error err;
    (void)state;

    for (unsigned step = 1;; step++) {
        struct ibv_context *context = fake_verbs_reset();
        fake_ib.fail_at = step;
        int rc = nb_verbs_open(&queues, context, &fake_verbs_api, 1, 3, 64, &err);
        if (!rc) {
            assert_int_equal(step, 1 + 3 * 4 + 1);
            nb_verbs_close(&queues);
            break;
        }
        assert_int_equal(rc, -EPERM);
        assert_non_null(strstr(err.text, "CAP_NET_RAW"));
        assert_int_equal(fake_ib.n_pd + fake_ib.n_cq + fake_ib.n_qp, 0);
    }
    assert_int_equal(nb_verbs_open(&queues, fake_verbs_reset(), &fake_verbs_api, 1, 65, 64, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_is_packed_as_the_kernel_reads_it),
        cmocka_unit_test(test_every_refusal_has_a_reason),
        cmocka_unit_test(test_context_without_flow_support_is_understood),
        cmocka_unit_test(test_destroy_says_what_the_kernel_says),
        cmocka_unit_test(test_failure_of_each_step_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
