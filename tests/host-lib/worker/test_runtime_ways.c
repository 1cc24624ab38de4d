/* test_runtime_ways.c - the way by which a flow's packets come is about to change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eal.h"
#include "worker_wire.h"

static struct nb_way way_of(unsigned worker, uint16_t from, uint16_t to)
{
    struct nb_flow_info info = only_flow(worker);

    return (struct nb_way){.key = info.key, .flow = info.id, .from = from, .to = to};
}

static void close_way(const struct nb_way *way)
{
    nb_runtime_way_opened(rt, way, 0);
    for (unsigned i = 0; i < 100 && rt->worker[way->owner]->n_gates; i++) {
        now_us++;
        settle();
    }
    assert_int_equal(rt->worker[way->owner]->n_gates, 0);
}

static void test_way_home_that_opens_late_leads_where_home_is_then(void **state)
{
    struct client c = client_at_home(1);
    struct nb_way there, back;
    uint16_t reta[RETA_SIZE];

    (void)state;
    open_on(1, &c);
    there = way_of(1, NB_WAY_HOME, 2);
    back = way_of(1, 2, NB_WAY_HOME);
    assert_int_equal(nb_runtime_way_opens(rt, &there), 0);
    assert_int_equal(there.from, 1);
    assert_int_equal(nb_runtime_way_opens(rt, &back), -EAGAIN); /* one change at a time */
    close_way(&there);
    all_to(reta, 0);
    change_reta(reta, false, send_nothing);
    assert_int_equal(nb_runtime_way_opens(rt, &back), 0);
    assert_int_equal(back.owner, 1);
    assert_int_equal(back.to, 0);
    close_way(&back);
    echo_on(0, &c, "home");
}

static void test_way_between_one_queue_and_itself_is_none(void **state)
{
    struct client c = client_at_home(1);
    struct nb_way way;

    (void)state;
    open_on(1, &c);
    way = way_of(1, NB_WAY_HOME, 1);
    assert_int_equal(nb_runtime_way_opens(rt, &way), -ENOENT);
    assert_int_equal(rt->worker[1]->n_gates, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_way_home_that_opens_late_leads_where_home_is_then),
        T(test_way_between_one_queue_and_itself_is_none),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
