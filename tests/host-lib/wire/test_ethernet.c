/* test_ethernet.c - the Ethernet header, on whole and cut frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/ethernet.h"
#include "eal.h"

static struct rte_mempool *pool;

static const uint8_t frame[] = {1, 2, 3, 4, 5, 6, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x08, 0x06, 0xee};

static void test_header_is_read_in_one_piece_or_many(void **state)
{
    (void)state;
    for (size_t piece = 0; piece < sizeof frame; piece++) {
        struct rte_mbuf *m = nb_test_packet(pool, frame, sizeof frame, piece);
        struct nb_eth eth;

        assert_int_equal(nb_eth_parse(&eth, m), 0);
        assert_memory_equal(eth.dst, frame, 6);
        assert_memory_equal(eth.src, frame + 6, 6);
        assert_int_equal(eth.type, NB_ETH_ARP);
        rte_pktmbuf_free(m);
    }
}

static void test_frame_shorter_than_a_header_is_malformed(void **state)
{
    (void)state;
    for (size_t n = 0; n < NB_ETH_HEADER_BYTES; n++) {
        struct rte_mbuf *m = nb_test_packet(pool, frame, n, 0);
        struct nb_eth eth;

        assert_int_equal(nb_eth_parse(&eth, m), NB_COUNTER_DROP_MALFORMED);
        rte_pktmbuf_free(m);
    }
}

static void test_prepended_header_parses_back(void **state)
{
    struct rte_mbuf *m = nb_test_packet(pool, "x", 1, 0);
    struct nb_eth eth;

    (void)state;
    assert_true(nb_eth_prepend(m, frame, frame + 6, NB_ETH_IPV4, 0));
    assert_int_equal(rte_pktmbuf_pkt_len(m), NB_ETH_HEADER_BYTES + 1);
    assert_int_equal(m->l2_len, NB_ETH_HEADER_BYTES);
    assert_int_equal(nb_eth_parse(&eth, m), 0);
    assert_memory_equal(eth.dst, frame, 6);
    assert_int_equal(eth.type, NB_ETH_IPV4);
    rte_pktmbuf_free(m);
}

static void test_prepend_without_headroom_is_refused(void **state)
{
    struct rte_mbuf *m = nb_test_packet(pool, "x", 1, 0);

    (void)state;
    rte_pktmbuf_prepend(m, rte_pktmbuf_headroom(m) - NB_ETH_HEADER_BYTES + 1);
    assert_false(nb_eth_prepend(m, frame, frame + 6, NB_ETH_IPV4, 0));
    rte_pktmbuf_free(m);
}

static void test_host_addresses_are_told_from_groups_and_zero(void **state)
{
    const uint8_t zero[6] = {0}, multicast[6] = {1, 0, 0x5e, 0, 0, 1}, host[6] = {2, 0, 0, 0, 0, 1};

    (void)state;
    assert_false(nb_mac_is_host(zero));
    assert_false(nb_mac_is_host(multicast));
    assert_false(nb_mac_is_host(nb_mac_broadcast));
    assert_true(nb_mac_is_host(host));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_is_read_in_one_piece_or_many),
        cmocka_unit_test(test_frame_shorter_than_a_header_is_malformed),
        cmocka_unit_test(test_prepended_header_parses_back),
        cmocka_unit_test(test_prepend_without_headroom_is_refused),
        cmocka_unit_test(test_host_addresses_are_told_from_groups_and_zero),
    };

    nb_test_eal();
    pool = nb_test_pool("ethernet", 255);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
