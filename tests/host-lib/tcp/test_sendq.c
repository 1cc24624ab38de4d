/* test_sendq.c - the send queue: filling, looking up, referring to, acknowledging, its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/tcp/sendq.h"
#include "../../../host-lib/wire/checksum.h"
#include "mbufs.h"

#define BASE 0xfffffff0u

static struct nb_sendq_pool pool;
static struct nb_sendq q;

static int setup(void **state)
{
    (void)state;
    pool = (struct nb_sendq_pool){.buffers = {.mempool = support_pool_new(127)}, .mbufs_max = 20};
    nb_sendq_init(&q, BASE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nb_sendq_free(&q, &pool);
    assert_int_equal(pool.mbufs, 0);
    assert_true(support_pool_full(pool.buffers.mempool));
    support_pool_free(pool.buffers.mempool);
    return 0;
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 13 + (i >> 8));
}

static size_t written;

static size_t put(size_t n, unsigned fill)
{
    uint8_t bytes[20000];
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(written + i);
    size_t taken = nb_sendq_append(&q, &pool, bytes, n, fill);
    written += taken;
    return taken;
}

static void check(uint32_t from, unsigned n)
{
    uint8_t bytes[20000], again[sizeof bytes];
    uint64_t sum = nb_sendq_copy_sum(&q, NULL, BASE + from, again, n);
    nb_sendq_copy(&q, NULL, BASE + from, bytes, n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(bytes[i], byte_at(from + i));
    assert_memory_equal(again, bytes, n);
    assert_int_equal(nb_checksum_fold(sum), nb_checksum_fold(nb_checksum_add(0, bytes, n)));
}

static unsigned mbufs(void)
{
    unsigned n = 0;
    for (const struct rte_mbuf *m = q.head; m; m = m->next)
        n++;
    assert_int_equal(n, pool.mbufs);
    return n;
}

static void test_small_writes_share_an_mbuf_up_to_a_segments_size(void **state)
{
    (void)state;
    written = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(put(30, 100), 30);
    assert_int_equal(mbufs(), 3);
    check(0, 300);
}

static void test_any_part_can_be_copied_in_any_order(void **state)
{
    (void)state;
    written = 0;
    put(5000, 700);
    srand(1);
    for (unsigned i = 0; i < 500; i++) {
        unsigned from = (unsigned)rand() % 5000, n = (unsigned)rand() % (5000 - from + 1);
        if (n)
            check(from, n);
    }
}

static void test_acknowledged_mbufs_are_freed_and_the_rest_stays(void **state)
{
    (void)state;
    written = 0;
    put(1000, 100);
    check(950, 50);
    nb_sendq_acked(&q, &pool, BASE + 99);
    assert_int_equal(mbufs(), 10);
    nb_sendq_acked(&q, &pool, BASE + 100);
    assert_int_equal(mbufs(), 9);
    nb_sendq_acked(&q, &pool, BASE + 555);
    assert_int_equal(mbufs(), 5);
    check(555, 445);
    nb_sendq_acked(&q, &pool, BASE + 1001); /* a FIN behind the data */
    assert_int_equal(mbufs(), 0);
    put(50, 100);
    check(1000, 50);
}

/* Holes one after the other: no look-up begins at the head again, nor at what was freed. */
static void test_place_moves_on_and_outlives_what_was_acknowledged(void **state)
{
    (void)state;
    struct nb_sendq_place again = {0};
    written = 0;
    put(1000, 100);
    check(950, 50);
    for (unsigned hole = 210; hole < 700; hole += 200) {
        uint8_t byte;
        nb_sendq_copy(&q, &again, BASE + hole, &byte, 1);
        assert_int_equal(byte, byte_at(hole));
        assert_int_equal(again.seq, BASE + hole / 100 * 100);
        nb_sendq_acked(&q, &pool, BASE + hole); /* at first not what the place is in, */
    }
    nb_sendq_acked(&q, &pool, BASE + 700); /* and then that too */
    static const unsigned back_and_forth[] = {750, 850, 730};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t byte;
        nb_sendq_copy(&q, &again, BASE + back_and_forth[i], &byte, 1);
        assert_int_equal(byte, byte_at(back_and_forth[i]));
    }
    assert_int_equal(again.seq, BASE + 700);
}

static void test_mbuf_that_a_packet_refers_to_is_not_written_to(void **state)
{
    (void)state;
    written = 0;
    put(50, 100);
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool.buffers.mempool);
    assert_true(nb_sendq_attach(&q, NULL, &pool, BASE + 10, 40, packet));
    put(30, 100);
    assert_int_equal(mbufs(), 2);
    uint8_t copy[40];
    const uint8_t *p = rte_pktmbuf_read(packet, 0, 40, copy);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(p[i], byte_at(10 + i));
    rte_pktmbuf_free(packet);
    check(0, 80);
}

static void test_reference_outlives_the_queue(void **state)
{
    (void)state;
    written = 0;
    put(300, 100);
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool.buffers.mempool);
    assert_true(nb_sendq_attach(&q, NULL, &pool, BASE + 50, 200, packet));
    assert_int_equal(packet->pkt_len, 200);
    assert_int_equal(packet->nb_segs, 4);
    rte_mbuf_sanity_check(packet, 1);
    nb_sendq_acked(&q, &pool, BASE + 300);
    uint8_t copy[200];
    assert_non_null(rte_pktmbuf_read(packet, 0, 200, copy));
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(copy[i], byte_at(50 + i));
    rte_pktmbuf_free(packet);
}

static void test_reference_without_buffers_leaves_the_packet_as_it_was(void **state)
{
    (void)state;
    written = 0;
    put(500, 100);
    struct rte_mbuf *held[128], *packet = rte_pktmbuf_alloc(pool.buffers.mempool);
    unsigned n = 0;
    while (rte_mempool_avail_count(pool.buffers.mempool) > 2)
        held[n++] = rte_pktmbuf_alloc(pool.buffers.mempool);
    assert_false(nb_sendq_attach(&q, NULL, &pool, BASE, 500, packet));
    assert_int_equal(packet->nb_segs, 1);
    assert_int_equal(packet->pkt_len, 0);
    assert_null(packet->next);
    assert_int_equal(rte_mempool_avail_count(pool.buffers.mempool), 2);
    while (n)
        rte_pktmbuf_free(held[--n]);
    rte_pktmbuf_free(packet);
}

static void test_append_stops_at_the_bound_of_the_pool(void **state)
{
    (void)state;
    written = 0;
    assert_int_equal(put(3000, 100), 2000);
    struct rte_mbuf *chain = rte_pktmbuf_alloc(pool.buffers.mempool);
    rte_pktmbuf_append(chain, 5);
    assert_false(nb_sendq_append_chain(&q, &pool, chain));
    nb_sendq_acked(&q, &pool, BASE + 100);
    assert_true(nb_sendq_append_chain(&q, &pool, chain));
    assert_int_equal(mbufs(), 20);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_small_writes_share_an_mbuf_up_to_a_segments_size),
        T(test_any_part_can_be_copied_in_any_order),
        T(test_acknowledged_mbufs_are_freed_and_the_rest_stays),
        T(test_place_moves_on_and_outlives_what_was_acknowledged),
        T(test_mbuf_that_a_packet_refers_to_is_not_written_to),
        T(test_reference_outlives_the_queue),
        T(test_reference_without_buffers_leaves_the_packet_as_it_was),
        T(test_append_stops_at_the_bound_of_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
