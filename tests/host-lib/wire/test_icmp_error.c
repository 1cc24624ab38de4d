/* test_icmp_error.c - ICMP errors: the segment they quote is found, and whatever else they hold is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/icmp_error.h"
#include "eal.h"

static struct rte_mempool *pool;

/* Fragmentation needed, next hop 1400, about 10.0.0.2:80 -> 10.0.0.1:40000, sequence number 0x01020304. */
static const uint8_t v4[] = {3, 4, 0,  0, 0, 0, 0x05, 0x78, 0x45, 0, 0x05, 0xdc, 0,    1,    0x40, 0, 64, 6,
                             0, 0, 10, 0, 0, 2, 10,   0,    0,    1, 0,    80,   0x9c, 0x40, 1,    2, 3,  4};

/* Packet too big, 0x00010500, about fd99::2 port 80 -> fd99::1 port 40000. */
static const uint8_t v6[] = {2, 0, 0, 0, 0, 1, 5, 0, 0x60, 0, 0, 0,  0,    20,   6,    64, 0xfd, 0x99, 0,
                             0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0,  2,    0xfd, 0x99, 0,  0,    0,    0,
                             0, 0, 0, 0, 0, 0, 0, 0, 0,    1, 0, 80, 0x9c, 0x40, 1,    2,  3,    4};

static bool parse(struct nb_icmp_error *error, const uint8_t *bytes, size_t n, size_t piece, uint8_t family)
{
    struct rte_mbuf *m = nb_test_packet(pool, bytes, n, piece);
    bool ok = nb_icmp_error_parse(error, m, 0, (uint32_t)n, family);
    rte_pktmbuf_free(m);
    return ok;
}

static void test_ipv4_error_is_read_in_one_piece_or_many(void **state)
{
    struct nb_icmp_error error;
    (void)state;
    for (size_t piece = 0; piece < sizeof v4; piece++) {
        assert_true(parse(&error, v4, sizeof v4, piece, NB_FAMILY_IPV4));
        assert_int_equal(error.type, 3);
        assert_int_equal(error.code, 4);
        assert_int_equal(error.mtu_bytes, 1400);
        assert_memory_equal(&error.key.local, v4 + 20, 4);
        assert_memory_equal(&error.key.remote, v4 + 24, 4);
        assert_int_equal(error.key.local_port, 80);
        assert_int_equal(error.key.remote_port, 40000);
        assert_int_equal(error.seq, 0x01020304);
    }
}

static void test_ipv6_error_is_read_with_all_32_bits_of_its_mtu(void **state)
{
    struct nb_icmp_error error;
    (void)state;
    assert_true(parse(&error, v6, sizeof v6, 0, NB_FAMILY_IPV6));
    assert_int_equal(error.mtu_bytes, 0x00010500);
    assert_memory_equal(&error.key.local, v6 + 16, 16);
    assert_memory_equal(&error.key.remote, v6 + 32, 16);
    assert_int_equal(error.key.local_port, 80);
    assert_int_equal(error.seq, 0x01020304);
}

static void test_quotation_that_is_cut_off_is_refused(void **state)
{
    struct nb_icmp_error error;
    (void)state;
    for (size_t n = 1; n < sizeof v4; n++)
        assert_false(parse(&error, v4, n, 0, NB_FAMILY_IPV4));
    for (size_t n = 1; n < sizeof v6; n++)
        assert_false(parse(&error, v6, n, 0, NB_FAMILY_IPV6));
}

static void refused_with(size_t at, uint8_t value)
{
    struct nb_icmp_error error;
    uint8_t bytes[sizeof v4];
    memcpy(bytes, v4, sizeof bytes);
    bytes[at] = value;
    assert_false(parse(&error, bytes, sizeof bytes, 0, NB_FAMILY_IPV4));
}

static void test_what_is_no_error_about_a_tcp_segment_is_refused(void **state)
{
    struct nb_icmp_error error;
    (void)state;
    refused_with(0, 8);    /* echo request */
    refused_with(8, 0x65); /* not IPv4 */
    refused_with(8, 0x44); /* a header of 16 bytes */
    refused_with(8, 0x4f); /* one that is longer than the message */
    refused_with(15, 1);   /* a later fragment: no ports in it */
    refused_with(17, 17);  /* UDP */
    assert_false(parse(&error, v4, sizeof v4, 0, NB_FAMILY_IPV6));
    assert_false(parse(&error, v6, sizeof v6, 0, NB_FAMILY_IPV4));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4_error_is_read_in_one_piece_or_many),
        cmocka_unit_test(test_ipv6_error_is_read_with_all_32_bits_of_its_mtu),
        cmocka_unit_test(test_quotation_that_is_cut_off_is_refused),
        cmocka_unit_test(test_what_is_no_error_about_a_tcp_segment_is_refused),
    };
    nb_test_eal();
    pool = nb_test_pool("icmp_error", 255);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
