/* test_lend.c - buffers that other workers free come home, by the right way, and how many a worker holds is known. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../../host-lib/tcp/tcp.h"
#include "eal.h"
#include "worker_wire.h"

#define MBUFS 2048 /* of a worker, as worker_wire.h has them */

static uint32_t held(unsigned worker)
{
    return nb_lend_held(rt->lending, worker);
}

/* --- buffers alone: worker 0's, freed by whom the test says ------------------------------------------------------- */

static struct rte_mbuf *buffer_of(unsigned worker)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(rt->pool[worker]);

    assert_non_null(m);
    return m;
}

static struct rte_mbuf *taken_by(unsigned worker, struct rte_mbuf *m)
{
    bool copied;
    struct rte_mbuf *mine = nb_lend_take(rt->lending, worker, m, &copied);

    assert_false(copied);
    assert_ptr_equal(mine, m);
    return mine;
}

static void as_worker(unsigned worker)
{
    nb_lend_enter(rt->lending, worker);
}

static void test_buffer_freed_by_another_worker_waits_for_its_owner_in_a_ring(void **state)
{
    const unsigned before = rte_mempool_avail_count(rt->pool[0]);
    struct rte_mbuf *m[64];

    (void)state;
    as_worker(0);
    for (unsigned i = 0; i < 64; i++)
        m[i] = buffer_of(0);
    as_worker(1);
    for (unsigned i = 0; i < 64; i++)
        taken_by(1, m[i]);
    assert_int_equal(held(1), 64);
    assert_int_equal(rte_mempool_avail_count(rt->pool[0]), before - 64);
    for (unsigned i = 0; i < 64; i++)
        rte_pktmbuf_free(m[i]);
    assert_int_equal(held(1), 0);
    assert_int_equal(counter(1, NB_COUNTER_BUFFERS_RETURNED), 64);
    assert_int_equal(counter(1, NB_COUNTER_RETURN_RING_FULL), 0);
    assert_int_equal(rt->pool[0]->local_cache[1].len, 0);
    assert_int_equal(rte_mempool_avail_count(rt->pool[0]), before);
}

/* A pool is never short of what lies in rings on its way home. */
static void test_owner_finds_what_others_have_given_back(void **state)
{
    const unsigned all = rte_mempool_avail_count(rt->pool[0]);
    static struct rte_mbuf *m[MBUFS];
    unsigned n = 0;

    (void)state;
    as_worker(0);
    while (n < MBUFS && (m[n] = rte_pktmbuf_alloc(rt->pool[0])))
        n++;
    assert_in_range(n, 1, all);
    as_worker(2);
    for (unsigned i = 0; i < 500; i++)
        rte_pktmbuf_free(m[--n]);
    as_worker(0);
    for (unsigned i = 0; i < 500; i++)
        m[n++] = buffer_of(0);
    assert_null(rte_pktmbuf_alloc(rt->pool[0]));
    while (n > 0)
        rte_pktmbuf_free(m[--n]);
    assert_int_equal(rte_mempool_avail_count(rt->pool[0]), all);
}

static void test_full_ring_is_gone_round_and_counted(void **state)
{
    static struct rte_mbuf *m[NB_RETURN_RING_SIZE + 100];

    (void)state;
    as_worker(0);
    for (unsigned i = 0; i < RTE_DIM(m); i++)
        m[i] = buffer_of(0);
    as_worker(1);
    for (unsigned i = 0; i < RTE_DIM(m); i++)
        rte_pktmbuf_free(m[i]);
    assert_int_equal(counter(1, NB_COUNTER_BUFFERS_RETURNED), RTE_DIM(m));
    assert_int_equal(counter(1, NB_COUNTER_RETURN_RING_FULL), 101); /* a ring has a place less than its size */
}

static void *free_elsewhere(void *m)
{
    rte_pktmbuf_free(m);
    return NULL;
}

static void test_thread_that_is_no_worker_frees_it_too(void **state)
{
    pthread_t thread;

    (void)state;
    as_worker(1);
    pthread_create(&thread, NULL, free_elsewhere, buffer_of(1));
    pthread_join(thread, NULL);
    assert_int_equal(counter(0, NB_COUNTER_BUFFERS_RETURNED), 0);
}

/* An application may keep a buffer while its connection goes on to a third worker, and to the buffer's own. */
static void test_buffer_counts_for_who_took_it_until_anybody_frees_it(void **state)
{
    struct rte_mbuf *m, *n;

    (void)state;
    as_worker(0);
    m = buffer_of(0);
    n = buffer_of(0);
    as_worker(1);
    taken_by(1, m);
    taken_by(1, n);
    as_worker(2);
    rte_pktmbuf_free(m);
    assert_int_equal(held(1), 1);
    assert_int_equal(held(2), 0);
    as_worker(0);
    rte_pktmbuf_free(n);
    rte_mempool_cache_flush(&rt->pool[0]->local_cache[0], rt->pool[0]);
    assert_int_equal(held(1), 0);
}

static void test_packet_sent_on_is_held_by_the_last_and_by_nobody_at_home(void **state)
{
    struct rte_mbuf *m;

    (void)state;
    as_worker(0);
    m = buffer_of(0);
    as_worker(1);
    taken_by(1, m);
    as_worker(2);
    taken_by(2, m);
    assert_int_equal(held(1), 0);
    assert_int_equal(held(2), 1);
    as_worker(0);
    taken_by(0, m);
    assert_int_equal(held(2), 0);
    assert_int_equal(held(0), 0);
    rte_pktmbuf_free(m);
}

/* --- the bound -----------------------------------------------------------------------------------------------------
 */

#define MOST 4

/* As a port would receive it: into a buffer of the queue's worker. */
static void receive_on(unsigned queue, struct client *c, const char *text)
{
    struct rte_mempool *pool = clients_pool;

    as_worker(queue);
    clients_pool = rt->pool[queue];
    send_on(queue, c, NB_TCP_ACK | NB_TCP_PSH, text);
    clients_pool = pool;
}

/* Out of order, so that worker 0 keeps every segment that worker 1 sends it. */
static void send_ahead(struct client *c, unsigned n)
{
    struct client ahead = *c;

    ahead.seq++;
    for (unsigned i = 0; i < n; i++) {
        receive_on(1, &ahead, "abcdefgh");
        ahead.seq += 8; /* a gap, so that they are not copied together */
        settle();
    }
}

static void drain_replies(struct client *c)
{
    struct reply r;

    while (receive(c, &r))
        ;
}

static void test_beyond_the_bound_segments_are_copied_and_the_stream_is_exact(void **state)
{
    struct client c = client_at_home(0);
    struct reply r;

    (void)state;
    rt->lending->most = MOST;
    open_on(0, &c);
    send_ahead(&c, 3 * MOST);
    drain_replies(&c);
    assert_int_equal(held(0), MOST);
    assert_int_equal(counter(0, NB_COUNTER_FORWARDED_COPIED), 2 * MOST);
    send_on(0, &c, NB_TCP_ACK | NB_TCP_PSH, "x");
    settle();
    assert_true(receive(&c, &r));
    assert_string_equal(r.text, "xabcdefgh");
    drain_replies(&c);
    c.seq += 8;
    send_on(0, &c, NB_TCP_ACK, ""); /* the echo, which was sent from the very buffer, has arrived */
    settle();
    assert_int_equal(held(0), MOST - 1);
}

static void test_without_a_buffer_to_copy_into_the_segment_is_dropped_and_counted(void **state)
{
    struct client c = client_at_home(0);
    static struct rte_mbuf *m[MBUFS];
    unsigned n = 0;

    (void)state;
    rt->lending->most = 0;
    open_on(0, &c);
    as_worker(0);
    while (n < MBUFS && (m[n] = rte_pktmbuf_alloc(rt->pool[0])))
        n++;
    receive_on(1, &c, "lost");
    settle();
    assert_int_equal(counter(0, NB_COUNTER_DROP_NO_MBUF), 1);
    assert_int_equal(held(0), 0);
    as_worker(0);
    while (n > 0)
        rte_pktmbuf_free(m[--n]);
}

/* The echo is not acknowledged, and so it would have to come along. */
static void test_move_that_would_bring_too_many_is_refused(void **state)
{
    struct client c = client_at_home(0);
    struct nb_move_ticket ticket = {0};
    struct nb_flow_info info;
    struct nb_tcb *tcb;
    uint32_t slot = 0;

    (void)state;
    rt->lending->most = 0;
    open_on(0, &c);
    exchange_on(0, &c, NB_TCP_ACK | NB_TCP_PSH, "echo");
    assert_true(nb_tcp_next_flow(rt->worker[0]->tcp, &slot, now_us, &info, &tcb));
    nb_tcb_set_user(tcb, NULL); /* an application that does not follow its connections would be a reason, too */
    nb__move_begin(rt->worker[0], tcb, 1, &ticket);
    settle();
    assert_int_equal(ticket.report.result, -ENOBUFS);
    assert_string_equal(ticket.report.why, "the target has no room for it");
    nb_tcb_set_user(tcb, &diary);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_buffer_freed_by_another_worker_waits_for_its_owner_in_a_ring),
        T(test_owner_finds_what_others_have_given_back),
        T(test_full_ring_is_gone_round_and_counted),
        T(test_thread_that_is_no_worker_frees_it_too),
        T(test_buffer_counts_for_who_took_it_until_anybody_frees_it),
        T(test_packet_sent_on_is_held_by_the_last_and_by_nobody_at_home),
        T(test_beyond_the_bound_segments_are_copied_and_the_stream_is_exact),
        T(test_without_a_buffer_to_copy_into_the_segment_is_dropped_and_counted),
        T(test_move_that_would_bring_too_many_is_refused),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
