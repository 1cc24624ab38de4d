/* test_ipv4.c - the IPv4 header: the example every textbook has, options, fragments and lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/ipv4.h"
#include "eal.h"

static struct rte_mempool *pool;

/* 10.99.0.1 -> 10.99.0.2, TCP, 24 bytes in all, DF; the checksum was computed by hand from RFC 1071. */
static const uint8_t good[24] = {0x45, 0, 0, 24, 0, 0, 0x40, 0, 64, 6, 0x26, 0x18, 10, 0x63, 0, 1, 10, 0x63, 0, 2};

static int parse(struct nb_ipv4 *ip, const uint8_t *bytes, size_t n, size_t piece, bool verify)
{
    struct rte_mbuf *m = nb_test_packet(pool, bytes, n, piece);
    int reason = nb_ipv4_parse(ip, m, 0, verify);

    rte_pktmbuf_free(m);
    return reason;
}

static int parse_changed(size_t at, uint8_t value, bool verify, struct nb_ipv4 *ip)
{
    uint8_t bytes[sizeof good];

    memcpy(bytes, good, sizeof bytes);
    bytes[at] = value;
    return parse(ip, bytes, sizeof bytes, 0, verify);
}

static void test_header_is_read_in_one_piece_or_many(void **state)
{
    struct nb_ipv4 ip;

    (void)state;
    for (size_t piece = 0; piece < sizeof good; piece++) {
        assert_int_equal(parse(&ip, good, sizeof good, piece, true), 0);
        assert_int_equal(ip.src, RTE_BE32(0x0a630001));
        assert_int_equal(ip.dst, RTE_BE32(0x0a630002));
        assert_int_equal(ip.header_bytes, 20);
        assert_int_equal(ip.total_bytes, 24);
        assert_int_equal(ip.protocol, NB_IP_TCP);
        assert_int_equal(ip.ttl, 64);
        assert_false(ip.fragment);
    }
}

static void test_written_header_is_the_same(void **state)
{
    const struct nb_ipv4 ip = {.src = RTE_BE32(0x0a630001),
                               .dst = RTE_BE32(0x0a630002),
                               .total_bytes = 24,
                               .protocol = NB_IP_TCP,
                               .ttl = NB_IPV4_TTL};
    uint8_t bytes[NB_IPV4_HEADER_BYTES];

    (void)state;
    nb_ipv4_write(bytes, &ip);
    assert_memory_equal(bytes, good, sizeof bytes);
}

static void test_any_flipped_bit_fails_the_checksum(void **state)
{
    struct nb_ipv4 ip;

    (void)state;
    for (size_t bit = 0; bit < 8 * NB_IPV4_HEADER_BYTES; bit++)
        assert_int_not_equal(parse_changed(bit / 8, good[bit / 8] ^ (1u << bit % 8), true, &ip), 0);
    assert_int_equal(parse_changed(8, 63, true, &ip), NB_COUNTER_DROP_BAD_CHECKSUM);
    assert_int_equal(parse_changed(8, 63, false, &ip), 0);
}

static void test_lengths_that_lie_are_malformed(void **state)
{
    struct nb_ipv4 ip;

    (void)state;
    for (size_t n = 0; n < sizeof good; n++)
        assert_int_equal(parse(&ip, good, n, 0, false), NB_COUNTER_DROP_MALFORMED);
    assert_int_equal(parse_changed(0, 0x65, false, &ip), NB_COUNTER_DROP_MALFORMED); /* version 6 */
    assert_int_equal(parse_changed(0, 0x44, false, &ip), NB_COUNTER_DROP_MALFORMED); /* header of 16 bytes */
    assert_int_equal(parse_changed(0, 0x47, false, &ip), NB_COUNTER_DROP_MALFORMED); /* options beyond the total */
    assert_int_equal(parse_changed(3, 19, false, &ip), NB_COUNTER_DROP_MALFORMED);   /* total below the header */
    assert_int_equal(parse_changed(3, 25, false, &ip), NB_COUNTER_DROP_MALFORMED);   /* total beyond the packet */
}

static void test_options_are_counted_in(void **state)
{
    struct nb_ipv4 ip;

    (void)state;
    assert_int_equal(parse_changed(0, 0x46, false, &ip), 0);
    assert_int_equal(ip.header_bytes, 24);
}

static void test_fragments_are_told_from_whole_datagrams(void **state)
{
    struct nb_ipv4 ip;

    (void)state;
    assert_int_equal(parse_changed(6, 0x20, false, &ip), 0); /* more fragments */
    assert_true(ip.fragment);
    assert_int_equal(parse_changed(7, 1, false, &ip), 0); /* offset 8 */
    assert_true(ip.fragment);
    assert_int_equal(parse_changed(6, 0, false, &ip), 0); /* neither, DF not set */
    assert_false(ip.fragment);
}

static void test_martians(void **state)
{
    (void)state;
    assert_true(nb_ipv4_is_martian(RTE_BE32(0x00000000)));
    assert_true(nb_ipv4_is_martian(RTE_BE32(0x7f000001)));
    assert_true(nb_ipv4_is_martian(RTE_BE32(0xe0000001)));
    assert_true(nb_ipv4_is_martian(RTE_BE32(0xffffffff)));
    assert_false(nb_ipv4_is_martian(RTE_BE32(0x0a630001)));
    assert_false(nb_ipv4_is_martian(RTE_BE32(0xdfffffff)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_is_read_in_one_piece_or_many),
        cmocka_unit_test(test_written_header_is_the_same),
        cmocka_unit_test(test_any_flipped_bit_fails_the_checksum),
        cmocka_unit_test(test_lengths_that_lie_are_malformed),
        cmocka_unit_test(test_options_are_counted_in),
        cmocka_unit_test(test_fragments_are_told_from_whole_datagrams),
        cmocka_unit_test(test_martians),
    };

    nb_test_eal();
    pool = nb_test_pool("ipv4", 255);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
