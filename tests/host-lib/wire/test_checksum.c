/* test_checksum.c - the Internet checksum against RFC 1071's example and against the plainest way to compute it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <rte_mbuf.h>

#include <netbypass/flow.h>

#include "../../../host-lib/wire/checksum.h"
#include "mbufs.h"

/* Sixteen bits at a time in network order, as RFC 1071 §1 says it. */
static uint16_t plain(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i += 2)
        sum += (uint32_t)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void test_sum_of_rfc_1071s_example(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_add(0, bytes, sizeof bytes))), 0xddf2);
}

static void test_every_length_and_alignment_agrees_with_the_plain_sum(void **state)
{
    (void)state;
    uint8_t bytes[1700]; /* longer than what goes through wide registers */
    srand(3);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(rand() % 4 ? rand() : 0xff);
    for (unsigned from = 0; from < 9; from++)
        for (unsigned n = 0; n + from <= sizeof bytes; n++)
            assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_add(0, bytes + from, n))), plain(bytes + from, n));
}

static void test_copy_has_the_bytes_and_their_sum_and_ends_where_it_should(void **state)
{
    (void)state;
    uint8_t bytes[700], copy[sizeof bytes + 1];
    srand(4);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(rand() % 4 ? rand() : 0xff);
    for (unsigned from = 0; from < 9; from++) {
        for (unsigned n = 0; n + from <= sizeof bytes; n++) {
            copy[n] = 0x5a;
            assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_copy(copy, bytes + from, n))), plain(bytes + from, n));
            assert_memory_equal(copy, bytes + from, n);
            assert_int_equal(copy[n], 0x5a);
        }
    }
}

/* Long stretches are summed up otherwise than short ones, and very long ones again. */
static void test_stretches_of_any_size_agree_with_the_plain_sum(void **state)
{
    (void)state;
    size_t most = 130000; /* the plain sum has 32 bits */
    uint8_t *bytes = malloc(most);
    assert_non_null(bytes);
    for (size_t i = 0; i < most; i++)
        bytes[i] = (uint8_t)(rand() % 3 ? rand() : 0xff);
    for (size_t n = 250; n < most; n += n / 3 + 1)
        assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_add(0xffff, bytes, n))), plain(bytes, n));
    free(bytes);
}

static void test_all_ones_do_not_overflow(void **state)
{
    (void)state;
    static uint8_t bytes[65535];
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_add(UINT64_MAX, bytes, sizeof bytes))),
                     plain(bytes, sizeof bytes));
}

/* A chain of links of every small size: parts that begin at odd offsets. */
static void test_chain_in_pieces_of_any_size_has_the_sum_of_the_whole(void **state)
{
    (void)state;
    struct rte_mempool *pool = support_pool_new(127);
    uint8_t bytes[120];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (unsigned piece = 1; piece < 20; piece++) {
        struct rte_mbuf *chain = NULL;
        for (unsigned at = 0; at < sizeof bytes; at += piece) {
            struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
            unsigned n = sizeof bytes - at < piece ? (unsigned)sizeof bytes - at : piece;
            memcpy(rte_pktmbuf_append(m, (uint16_t)n), bytes + at, n);
            if (chain)
                rte_pktmbuf_chain(chain, m);
            else
                chain = m;
        }
        for (unsigned from = 0; from < 50; from++)
            for (unsigned n = 0; n <= 70; n++)
                assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_add_mbuf(0, chain, from, n))),
                                 plain(bytes + from, n));
        rte_pktmbuf_free(chain);
    }
    assert_true(support_pool_full(pool));
    support_pool_free(pool);
}

static void test_pseudo_header_is_the_rfcs_layout(void **state)
{
    (void)state;
    struct nb_flow_key key;
    memset(&key, 0, sizeof key);
    key.family = NB_FAMILY_IPV4;
    key.local.word[0] = htonl(0x0a630002);
    key.remote.word[0] = htonl(0x0a630001);
    static const uint8_t ipv4[] = {10, 99, 0, 1, 10, 99, 0, 2, 0, 6, 5, 0xdc};
    assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_pseudo(&key, 1500))), plain(ipv4, sizeof ipv4));
    uint8_t ipv6[40] = {0};
    key.family = NB_FAMILY_IPV6;
    for (unsigned i = 0; i < 32; i++)
        ipv6[i] = (uint8_t)(i * 9 + 200);
    memcpy(&key.remote, ipv6, 16);
    memcpy(&key.local, ipv6 + 16, 16);
    ipv6[33] = 1, ipv6[34] = 0x11, ipv6[35] = 0x70, ipv6[39] = 6; /* 70000: longer than 16 bits */
    assert_int_equal(ntohs(nb_checksum_fold(nb_checksum_pseudo(&key, 70000))), plain(ipv6, sizeof ipv6));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum_of_rfc_1071s_example),
        cmocka_unit_test(test_every_length_and_alignment_agrees_with_the_plain_sum),
        cmocka_unit_test(test_copy_has_the_bytes_and_their_sum_and_ends_where_it_should),
        cmocka_unit_test(test_stretches_of_any_size_agree_with_the_plain_sum),
        cmocka_unit_test(test_all_ones_do_not_overflow),
        cmocka_unit_test(test_chain_in_pieces_of_any_size_has_the_sum_of_the_whole),
        cmocka_unit_test(test_pseudo_header_is_the_rfcs_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
