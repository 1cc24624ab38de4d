/* Steering with its thread, and others that ask it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "steering_world.h"

static void wait_for_filters(unsigned n)
{
    pthread_mutex_lock(&fake.lock);
    while (fake.n_fdir != n)
        pthread_cond_wait(&fake.changed, &fake.lock);
    pthread_mutex_unlock(&fake.lock);
}

static uint64_t real_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec / 1000;
}

static void test_thread_installs_answers_and_cleans_up(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info f[40];
    struct nb_table_info tables[8];
    struct nb_error err;
    (void)state;

    s->world.now_us = real_now;
    settle(s); /* its first look at all flows is over: news alone count from here */
    assert_int_equal(nb__steering_spawn(s, &err), 0);
    for (uint64_t id = 0; id < 40; id++)
        f[id] = make_flow(id, (uint16_t)(id % WORKERS), 0), say(NB_FLOW_NEWS_ESTABLISHED, &f[id]);
    wait_for_filters(40);
    assert_int_equal(nb_steering_tables(s, tables, 8), 2);
    assert_int_equal(tables[0].used, 40);
    assert_int_equal(tables[0].device_used, 40);
    for (uint64_t id = 0; id < 10; id++)
        say(NB_FLOW_NEWS_GONE, &f[id]);
    wait_for_filters(30);
    assert_int_equal(nb_steering_flush(s, &err), 0);
    assert_int_equal(fake.n_fdir, 0);
    nb_steering_resume(s);
    wait_for_filters(30);
    nb_steering_stop(s);
    assert_int_equal(fake.n_flows, 0);
}

static void *ask_all_the_time(void *arg)
{
    struct nb_steering *s = arg;
    struct nb_rule_info rules[16];
    struct nb_table_info tables[4];
    struct nb_steering_flow out;

    for (int round = 0; round < 200; round++) {
        struct nb_flow_info f = make_flow((uint64_t)round % 40, 0, 0);
        int64_t cursor = 0, last = -1;
        nb_steering_flow(s, &f, &out);
        nb_steering_tables(s, tables, 4);
        for (unsigned n; (n = nb_steering_rules(s, &cursor, rules, 16));)
            for (unsigned i = 0; i < n; i++) {
                if (rules[i].id <= last)
                    return s;
                last = rules[i].id;
            }
    }
    return NULL;
}

static void test_questions_from_other_threads_while_rules_come_and_go(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    pthread_t asking[2];
    void *bad;
    struct nb_error err;
    (void)state;

    s->world.now_us = real_now;
    settle(s); /* its first look at all flows is over: news alone count from here */
    assert_int_equal(nb__steering_spawn(s, &err), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&asking[i], NULL, ask_all_the_time, s), 0);
    for (int round = 0; round < 30; round++) {
        struct nb_flow_info f[40];
        for (uint64_t id = 0; id < 40; id++)
            f[id] = make_flow(id, (uint16_t)(id % WORKERS), 0), say(NB_FLOW_NEWS_ESTABLISHED, &f[id]);
        wait_for_filters(40);
        for (uint64_t id = 0; id < 40; id++)
            say(NB_FLOW_NEWS_GONE, &f[id]);
        wait_for_filters(0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(asking[i], &bad);
        assert_null(bad);
    }
    nb_steering_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_installs_answers_and_cleans_up),
        cmocka_unit_test(test_questions_from_other_threads_while_rules_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
