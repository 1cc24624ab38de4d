/* test_mail.c - letters between workers, doorbells, and waking a worker that sleeps. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../../host-lib/worker/call.h"
#include "../../../host-lib/worker/mail.h"
#include "eal.h"

static struct rte_mempool *pool;
static struct nb_post *post;

static int setup(void **state)
{
    (void)state;
    post = nb_post_new(3);
    return post ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    nb_post_free(post);
    return rte_mempool_full(pool) ? 0 : -1;
}

static struct nb_mail letter(uint32_t what)
{
    return (struct nb_mail){.kind = NB_MAIL_NEIGHBOUR_WANTED, .neighbour = {.address = {{what}}}};
}

static void test_letters_arrive_in_order_and_only_where_they_were_sent(void **state)
{
    struct nb_mail in[4];

    (void)state;
    for (uint32_t i = 1; i <= 3; i++) {
        struct nb_mail out = letter(i);

        assert_true(nb_mail_put(post, 0, 1, &out));
    }
    assert_int_equal(nb_mail_take(post, 2, 1, in, 4), 0);
    assert_int_equal(nb_mail_take(post, 0, 2, in, 4), 0);
    assert_int_equal(nb_mail_take(post, 0, 1, in, 4), 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(in[i].neighbour.address.word[0], i + 1);
}

static void test_doorbell_says_who_and_forgets(void **state)
{
    (void)state;
    assert_int_equal(nb_post_rung(post, 1), 0);
    nb_post_ring(post, 0, 1 << 1 | 1 << 2);
    nb_post_ring(post, 2, 1 << 1);
    assert_int_equal(nb_post_rung(post, 1), 1 << 0 | 1 << 2);
    assert_int_equal(nb_post_rung(post, 1), 0);
    assert_int_equal(nb_post_rung(post, 2), 1 << 0);
}

static void test_full_ring_refuses_and_loses_nothing(void **state)
{
    struct nb_mail out = letter(7), in;
    unsigned n = 0;

    (void)state;
    while (nb_mail_put(post, 0, 1, &out))
        n++;
    assert_int_equal(n, NB_MAIL_RING_SIZE - 1);
    while (nb_mail_take(post, 0, 1, &in, 1))
        n--;
    assert_int_equal(n, 0);
}

static void test_free_releases_packets_in_undelivered_letters(void **state)
{
    const struct nb_mail out = {.kind = NB_MAIL_SEGMENT, .packet = {.m = nb_test_packet(pool, "x", 1, 0)}};

    (void)state;
    assert_true(nb_mail_put(post, 2, 0, &out));
}

static void test_rung_worker_does_not_sleep(void **state)
{
    (void)state;
    nb_post_ring(post, 0, 1 << 1);
    nb_post_sleep(post, 1, 3600u * 1000000u);
    assert_int_equal(nb_post_rung(post, 1), 1 << 0);
}

static void *sleeper(void *arg)
{
    uint64_t *rung = arg;

    while ((*rung = nb_post_rung(post, 1)) == 0)
        nb_post_sleep(post, 1, 3600u * 1000000u);
    return NULL;
}

/* Whether the bell rings before or while the worker sleeps: the thread ends. */
static void test_ring_wakes_a_sleeping_worker(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t rung = 0;
        pthread_t t;

        assert_int_equal(pthread_create(&t, NULL, sleeper, &rung), 0);
        nb_post_ring(post, 0, 1 << 1);
        pthread_join(t, NULL);
        assert_int_equal(rung, 1 << 0);
    }
}

/* --- calls ---------------------------------------------------------------------------------------------------------
 */

static struct nb_call_desk desk;
static atomic_bool stop;

static void *server(void *arg)
{
    while (!atomic_load(&stop)) {
        if (nb_post_rung(post, 0))
            nb_call_serve(&desk, arg);
        nb_post_sleep(post, 0, 3600u * 1000000u);
    }
    return NULL;
}

static void increment(struct nb_worker *w, void *arg)
{
    assert_ptr_equal(w, &desk);
    ++*(unsigned *)arg;
}

static void *caller(void *arg)
{
    for (unsigned i = 0; i < 500; i++)
        if (nb_call(&desk, post, 0, increment, arg) != 0)
            return NULL;
    return arg;
}

static void test_calls_of_several_threads_are_served_one_by_one(void **state)
{
    unsigned count = 0;
    pthread_t serves, calls[3];

    (void)state;
    nb_call_desk_init(&desk);
    nb_call_desk_open(&desk);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&serves, NULL, server, &desk), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&calls[i], NULL, caller, &count), 0);
    for (unsigned i = 0; i < 3; i++) {
        void *ok;

        pthread_join(calls[i], &ok);
        assert_ptr_equal(ok, &count);
    }
    assert_int_equal(count, 1500);
    nb_call_desk_close(&desk);
    atomic_store(&stop, true);
    nb_post_ring(post, 0, 1 << 0);
    pthread_join(serves, NULL);
    assert_int_equal(nb_call(&desk, post, 0, increment, &count), -ESHUTDOWN);
    assert_int_equal(count, 1500);
    nb_call_desk_fini(&desk);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_letters_arrive_in_order_and_only_where_they_were_sent),
        T(test_doorbell_says_who_and_forgets),
        T(test_full_ring_refuses_and_loses_nothing),
        T(test_free_releases_packets_in_undelivered_letters),
        T(test_rung_worker_does_not_sleep),
        T(test_ring_wakes_a_sleeping_worker),
        T(test_calls_of_several_threads_are_served_one_by_one),
    };

    nb_test_eal();
    pool = nb_test_pool("mail", 63);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
