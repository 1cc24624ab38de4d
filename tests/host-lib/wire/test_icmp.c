/* test_icmp.c - echo requests: verified, answered in place, refused when they lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/icmp.h"
#include "eal.h"

static struct rte_mempool *pool;

/* Echo request, identifier 0x1234, sequence 1, data "abc": an odd length, padded with zero for the sum (RFC 1071). */
static const uint8_t request[11] = {8, 0, 0x21, 0x68, 0x12, 0x34, 0, 1, 'a', 'b', 'c'};

static int parse(struct nb_icmp *icmp, const uint8_t *bytes, size_t n, size_t piece)
{
    struct rte_mbuf *m = nb_test_packet(pool, bytes, n, piece);
    int reason = nb_icmp_parse(icmp, m, 0, (uint32_t)n);

    rte_pktmbuf_free(m);
    return reason;
}

static void test_request_is_read_in_one_piece_or_many(void **state)
{
    struct nb_icmp icmp;

    (void)state;
    for (size_t piece = 0; piece < sizeof request; piece++) {
        assert_int_equal(parse(&icmp, request, sizeof request, piece), 0);
        assert_int_equal(icmp.type, NB_ICMP_ECHO_REQUEST);
        assert_int_equal(icmp.code, 0);
    }
}

static void test_any_flipped_bit_fails_the_checksum(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof request; bit++) {
        uint8_t bytes[sizeof request];
        struct nb_icmp icmp;

        memcpy(bytes, request, sizeof bytes);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(parse(&icmp, bytes, sizeof bytes, 0), NB_COUNTER_DROP_BAD_CHECKSUM);
    }
}

static void test_message_shorter_than_its_header_is_malformed(void **state)
{
    struct nb_icmp icmp;

    (void)state;
    for (size_t n = 0; n < NB_ICMP_HEADER_BYTES; n++)
        assert_int_equal(parse(&icmp, request, n, 0), NB_COUNTER_DROP_MALFORMED);
}

static void test_length_beyond_the_packet_is_malformed(void **state)
{
    struct rte_mbuf *m = nb_test_packet(pool, request, sizeof request, 0);
    struct nb_icmp icmp;

    (void)state;
    assert_int_equal(nb_icmp_parse(&icmp, m, 0, sizeof request + 1), NB_COUNTER_DROP_MALFORMED);
    rte_pktmbuf_free(m);
}

/* All checksums that a request can have, the ones that carry among them: the reply must verify each time. */
static void test_reply_has_the_right_checksum_whatever_the_data(void **state)
{
    (void)state;
    for (uint32_t word = 0; word <= 0xffff; word += 7) {
        uint32_t sum = 0x0800 + word;
        uint16_t check = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
        const uint8_t bytes[8] = {8, 0, check >> 8, check & 0xff, 0, 0, word >> 8, word & 0xff};
        struct rte_mbuf *m = nb_test_packet(pool, bytes, sizeof bytes, 0);
        struct nb_icmp icmp;

        assert_int_equal(nb_icmp_parse(&icmp, m, 0, sizeof bytes), 0);
        nb_icmp_make_echo_reply(m, 0);
        assert_int_equal(nb_icmp_parse(&icmp, m, 0, sizeof bytes), 0);
        assert_int_equal(icmp.type, NB_ICMP_ECHO_REPLY);
        assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 4, bytes + 4, 4);
        rte_pktmbuf_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_read_in_one_piece_or_many),
        cmocka_unit_test(test_any_flipped_bit_fails_the_checksum),
        cmocka_unit_test(test_message_shorter_than_its_header_is_malformed),
        cmocka_unit_test(test_length_beyond_the_packet_is_malformed),
        cmocka_unit_test(test_reply_has_the_right_checksum_whatever_the_data),
    };

    nb_test_eal();
    pool = nb_test_pool("icmp", 255);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
