/* test_buffers.c - buffers taken and given back by way of the thread's cache, and where that does not reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/tcp/buffers.h"
#include "eal.h"
#include "mbufs.h"

#define CACHE 8
#define MBUFS 63

static struct nb_buffers b;

static int setup(void **state)
{
    (void)state;
    nb_test_eal();
    b = (struct nb_buffers){.mempool = rte_pktmbuf_pool_create("cached", MBUFS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                                               SOCKET_ID_ANY)};
    assert_non_null(b.mempool);
    nb_buffers_use(&b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(support_pool_full(b.mempool));
    rte_mempool_free(b.mempool);
    return 0;
}

static void test_new_one_is_what_rte_pktmbuf_alloc_gives(void **state)
{
    (void)state;
    struct rte_mbuf *used = nb_buffer_new(&b), *m;
    rte_pktmbuf_append(used, 100);
    rte_pktmbuf_adj(used, 50);
    used->port = 3;
    used->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM;
    used->vlan_tci = used->vlan_tci_outer = 7;
    used->packet_type = 1;
    used->tx_offload = 5;
    nb_buffer_free(&b, used);
    m = nb_buffer_new(&b);
    assert_ptr_equal(m, used); /* the last one given back */
    assert_int_equal(rte_pktmbuf_headroom(m), RTE_PKTMBUF_HEADROOM);
    assert_int_equal(m->data_len | m->pkt_len | m->ol_flags | m->packet_type | m->tx_offload, 0);
    assert_int_equal(m->vlan_tci | m->vlan_tci_outer, 0);
    assert_int_equal(m->port, RTE_MBUF_PORT_INVALID);
    assert_int_equal(m->nb_segs, 1);
    assert_int_equal(rte_mbuf_refcnt_read(m), 1);
    assert_null(m->next);
    nb_buffer_free(&b, m);
}

static void test_all_of_the_pool_can_be_taken_and_given_back(void **state)
{
    (void)state;
    struct rte_mbuf *m[MBUFS];
    for (unsigned i = 0; i < MBUFS; i++)
        assert_non_null(m[i] = nb_buffer_new(&b));
    assert_null(nb_buffer_new(&b));
    for (unsigned i = 0; i < MBUFS; i++) {
        nb_buffer_free(&b, m[i]);
        assert_true(b.cache->len <= b.cache->flushthresh);
    }
}

static void test_one_that_somebody_refers_to_stays_out(void **state)
{
    (void)state;
    struct rte_mbuf *m = nb_buffer_new(&b), *reference = nb_buffer_new(&b);
    rte_pktmbuf_append(m, 10);
    rte_pktmbuf_attach(reference, m);
    nb_buffer_free(&b, m);
    assert_int_equal(rte_mempool_in_use_count(b.mempool), 2);
    nb_buffer_free(&b, reference);
    assert_int_equal(rte_mempool_in_use_count(b.mempool), 0);
}

static void test_chain_goes_back_whole(void **state)
{
    (void)state;
    struct rte_mbuf *head = nb_buffer_new(&b), *tail = nb_buffer_new(&b);
    rte_pktmbuf_append(tail, 10);
    assert_int_equal(rte_pktmbuf_chain(head, tail), 0);
    nb_buffer_free(&b, head);
    assert_int_equal(rte_mempool_in_use_count(b.mempool), 0);
}

static void test_one_of_another_pool_goes_back_there(void **state)
{
    (void)state;
    struct rte_mempool *other = support_pool_new(7);
    unsigned before = b.cache->len;
    nb_buffer_free(&b, rte_pktmbuf_alloc(other));
    assert_int_equal(b.cache->len, before);
    assert_true(support_pool_full(other));
    support_pool_free(other);
}

static void test_without_a_cache_the_pool_serves(void **state)
{
    (void)state;
    struct nb_buffers plain = {.mempool = support_pool_new(1)};
    struct rte_mbuf *m;
    nb_buffers_use(&plain);
    assert_null(plain.cache);
    assert_non_null(m = nb_buffer_new(&plain));
    assert_null(nb_buffer_new(&plain));
    nb_buffer_free(&plain, m);
    assert_true(support_pool_full(plain.mempool));
    support_pool_free(plain.mempool);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_new_one_is_what_rte_pktmbuf_alloc_gives),
        T(test_all_of_the_pool_can_be_taken_and_given_back),
        T(test_one_that_somebody_refers_to_stays_out),
        T(test_chain_goes_back_whole),
        T(test_one_of_another_pool_goes_back_there),
        T(test_without_a_cache_the_pool_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
