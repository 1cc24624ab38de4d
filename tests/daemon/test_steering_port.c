/* One port's steering over a backend that takes batches: rte_flow's template calls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../flowrules/fake_templates.h"

#include "steering_port.h"

#define RULES 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t next_id;

static void open_port(struct nb_steering_port *port)
{
    const struct nb_device device = {.driver = "mlx5_pci", .templates = true};
    const struct nb_planner_config config = {.policy = NB_POLICY_EXACT};
    const struct nb_port_info info = {.port_id = FAKE_PORT, .queues = 4};
    const struct nb_steering_apis api = {.templates = fake_api};
    struct nb_error err;

    fake_reset();
    if (nb_rte_flow_prepare(FAKE_PORT, nb_profile_for_device(&device), &fake_api, &err))
        fail_msg("%s", err.text);
    fake.started = true;
    next_id = 1;
    if (nb__steering_port_open(port, 0, &info, &device, &config, &api, 1, &next_id, &err))
        fail_msg("%s", err.text);
}

static void wish(struct nb_steering_port *port, unsigned n)
{
    struct nb_wish w = {.flow = n + 1, .queue = 1};

    w.tuple = (struct nb_tuple){.src = {10, 0, 0, 1},
                                .dst = {10, 0, 0, 2},
                                .src_port = (uint16_t)(1000 + n),
                                .dst_port = 80,
                                .family = NB_RULE_IPV4,
                                .protocol = NB_RULE_TCP};
    assert_int_equal(nb_planner_wish(port->planner, &w, 1), 0);
}

static void apply(struct nb_steering_port *port)
{
    pthread_mutex_lock(&lock);
    while (nb__steering_port_apply(port, &lock, 1, RULES))
        continue;
    pthread_mutex_unlock(&lock);
}

static void test_due_operations_reach_the_device_in_batches(void **state)
{
    struct nb_steering_port port;
    (void)state;

    open_port(&port);
    for (unsigned n = 0; n < RULES; n++)
        wish(&port, n);
    apply(&port);
    assert_int_equal(fake_count(FAKE_IN_FORCE), RULES);
    assert_true(fake.pushes <= 8); /* not one for each */
    assert_int_equal(nb_table_used(port.table), RULES);
    nb_planner_pause(port.planner);
    apply(&port);
    assert_int_equal(fake_count(FAKE_FREE), FAKE_FLOWS);
    nb__steering_port_close(&port);
    assert_false(fake.table[0].used);
}

static void test_refused_operation_of_a_batch_fails_alone(void **state)
{
    struct nb_steering_port port;
    (void)state;

    open_port(&port);
    for (unsigned n = 0; n < 10; n++)
        wish(&port, n);
    fake.fail = 1;
    apply(&port);
    assert_int_equal(nb_table_used(port.table), 9);
    assert_int_equal(nb_table_engine(port.table, 0)->failed, 1);
    assert_int_equal(port.refusals, 1);
    nb_planner_pause(port.planner);
    apply(&port);
    nb__steering_port_close(&port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_operations_reach_the_device_in_batches),
        cmocka_unit_test(test_refused_operation_of_a_batch_fails_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
