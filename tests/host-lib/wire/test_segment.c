/* test_segment.c - the TCP header parser: fields, options, and everything a hostile header can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/checksum.h"
#include "../../../host-lib/wire/segment.h"
#include "mbufs.h"

static struct rte_mempool *pool;
static struct nb_seg seg;

static int setup(void **state)
{
    (void)state;
    pool = support_pool_new(63);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(support_pool_full(pool));
    support_pool_free(pool);
    return 0;
}

/* A header as bytes: data offset from the option bytes, flags, and `payload` bytes behind. */
static unsigned header(uint8_t *p, uint8_t flags, const uint8_t *options, unsigned option_bytes, unsigned payload)
{
    static const uint8_t fixed[20] = {0x12, 0x34, 0x00, 0x50, 0xff, 0xff, 0xff, 0xf0, 0x01, 0x02,
                                      0x03, 0x04, 0,    0,    0xab, 0xcd, 0,    0,    0x00, 0x07};
    memcpy(p, fixed, sizeof fixed);
    if (option_bytes)
        memcpy(p + 20, options, option_bytes);
    memset(p + 20 + option_bytes, 'x', payload);
    p[12] = (uint8_t)((20 + option_bytes) / 4 << 4);
    p[13] = flags;
    return 20 + option_bytes + payload;
}

static struct nb_flow_key key(void)
{
    struct nb_flow_key k;
    memset(&k, 0, sizeof k);
    k.family = NB_FAMILY_IPV4;
    k.local.word[0] = 0x0200630a;
    k.remote.word[0] = 0x0100630a;
    return k;
}

/* The bytes in mbufs of `piece` bytes each (0: one), behind `before` bytes of another header. */
static struct rte_mbuf *packet(const uint8_t *p, unsigned n, unsigned before, unsigned piece)
{
    struct rte_mbuf *chain = NULL;
    uint8_t all[300] = {0};
    memcpy(all + before, p, n);
    n += before;
    for (unsigned at = 0; at < n || !chain; at += piece) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        unsigned part = piece && n - at > piece ? piece : n - at;
        memcpy(rte_pktmbuf_append(m, (uint16_t)part), all + at, part);
        if (chain)
            rte_pktmbuf_chain(chain, m);
        else
            chain = m;
        if (!piece)
            break;
    }
    return chain;
}

static int parse(const uint8_t *p, unsigned n, bool verify)
{
    struct rte_mbuf *m = packet(p, n, 0, 0);
    memset(&seg, 0x5a, sizeof seg);
    seg.key = key();
    int result = nb_seg_parse(&seg, m, 0, n, verify);
    rte_pktmbuf_free(m);
    return result;
}

static int parse_options(uint8_t flags, const uint8_t *options, unsigned n)
{
    uint8_t p[128], padded[40] = {0};
    memcpy(padded, options, n);
    return parse(p, header(p, flags, padded, (n + 3) / 4 * 4, 3), false);
}
#define OPTIONS(flags, ...) parse_options(flags, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_fields_are_in_host_order(void **state)
{
    (void)state;
    uint8_t p[128];
    assert_int_equal(parse(p, header(p, NB_TCP_ACK | NB_TCP_PSH, NULL, 0, 9), false), 0);
    assert_int_equal(seg.key.remote_port, 0x1234);
    assert_int_equal(seg.key.local_port, 80);
    assert_int_equal(seg.seq, 0xfffffff0);
    assert_int_equal(seg.ack, 0x01020304);
    assert_int_equal(seg.flags, NB_TCP_ACK | NB_TCP_PSH);
    assert_int_equal(seg.window, 0xabcd);
    assert_int_equal(seg.urgent, 7);
    assert_int_equal(seg.payload_offset, 20);
    assert_int_equal(seg.payload_bytes, 9);
    assert_int_equal(seg.options, 0);
    assert_int_equal(seg.n_sack, 0);
}

static void test_lengths_that_contradict_each_other_are_malformed(void **state)
{
    (void)state;
    uint8_t p[128];
    unsigned n = header(p, NB_TCP_ACK, NULL, 0, 0);
    for (unsigned shorter = 0; shorter < 20; shorter++)
        assert_int_equal(parse(p, shorter, false), NB_COUNTER_DROP_MALFORMED);
    for (unsigned words = 0; words < 16; words++) {
        p[12] = (uint8_t)(words << 4);
        assert_int_equal(parse(p, n, false), words == 5 ? 0 : NB_COUNTER_DROP_MALFORMED);
    }
    struct rte_mbuf *m = packet(p, n, 0, 0);
    p[12] = 5 << 4;
    assert_int_equal(nb_seg_parse(&seg, m, 0, n + 1, false), NB_COUNTER_DROP_MALFORMED); /* beyond the packet */
    assert_int_equal(nb_seg_parse(&seg, m, 1, n, false), NB_COUNTER_DROP_MALFORMED);
    rte_pktmbuf_free(m);
}

static void test_port_zero_is_malformed(void **state)
{
    (void)state;
    uint8_t p[128];
    unsigned n = header(p, NB_TCP_ACK, NULL, 0, 0);
    p[0] = p[1] = 0;
    assert_int_equal(parse(p, n, false), NB_COUNTER_DROP_MALFORMED);
    n = header(p, NB_TCP_ACK, NULL, 0, 0);
    p[3] = 0;
    assert_int_equal(parse(p, n, false), NB_COUNTER_DROP_MALFORMED);
}

static void test_wrong_checksum_is_found_in_any_bit_and_any_piece(void **state)
{
    (void)state;
    uint8_t p[128];
    struct nb_flow_key k = key();
    unsigned n = header(p, NB_TCP_ACK, NULL, 0, 23);
    uint16_t sum = nb_checksum_finish(nb_checksum_add(nb_checksum_pseudo(&k, n), p, n));
    memcpy(p + 16, &sum, 2);
    for (unsigned piece = 0; piece < 12; piece++) {
        struct rte_mbuf *m = packet(p, n, 14, piece);
        seg.key = key();
        assert_int_equal(nb_seg_parse(&seg, m, 14, n, true), 0);
        assert_int_equal(seg.payload_offset, 34);
        assert_int_equal(seg.payload_bytes, 23);
        rte_pktmbuf_free(m);
    }
    for (unsigned bit = 0; bit < 8 * n; bit++) {
        if (bit / 8 == 12 && bit % 8 >= 4) /* the data offset, which is looked at first */
            continue;
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(parse(p, n, true), NB_COUNTER_DROP_BAD_CHECKSUM);
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_options_of_a_syn_are_read(void **state)
{
    (void)state;
    assert_int_equal(OPTIONS(NB_TCP_SYN, 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7), 0);
    assert_int_equal(seg.options, NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_TIMESTAMP | NB_SEG_WSCALE);
    assert_int_equal(seg.mss, 1460);
    assert_int_equal(seg.wscale, 7);
    assert_int_equal(seg.ts_value, 0x01020304);
    assert_int_equal(seg.ts_echo, 0x05060708);
}

static void test_options_that_only_a_syn_may_carry_mean_nothing_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(OPTIONS(NB_TCP_ACK, 2, 4, 0x05, 0xb4, 4, 2, 1, 3, 3, 7), 0);
    assert_int_equal(seg.options, 0);
}

static void test_timestamp_in_its_usual_place_and_in_any_other(void **state)
{
    (void)state;
    OPTIONS(NB_TCP_ACK, 1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8);
    assert_int_equal(seg.options, NB_SEG_TIMESTAMP);
    assert_int_equal(seg.ts_value, 9);
    OPTIONS(NB_TCP_ACK, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8, 1, 1);
    assert_int_equal(seg.options, NB_SEG_TIMESTAMP);
    assert_int_equal(seg.ts_echo, 8);
}

static void test_sack_blocks_one_to_four(void **state)
{
    (void)state;
    uint8_t options[40] = {1, 1, 5};
    for (unsigned n = 1; n <= 4; n++) {
        options[3] = (uint8_t)(2 + 8 * n);
        for (unsigned i = 0; i < 8 * n; i++)
            options[4 + i] = (uint8_t)i;
        assert_int_equal(parse_options(NB_TCP_ACK, options, 4 + 8 * n), 0);
        assert_int_equal(seg.options, NB_SEG_SACK);
        assert_int_equal(seg.n_sack, n);
        assert_int_equal(seg.sack[n - 1].left, (8 * n - 8) << 24 | (8 * n - 7) << 16 | (8 * n - 6) << 8 | (8 * n - 5));
    }
}

/* RFC 9768 §3.2.3, table 5, and other lengths. */
static void test_accecn_options_are_read_in_both_orders_as_far_as_they_go(void **state)
{
    (void)state;
    for (unsigned bytes = 0; bytes <= 12; bytes++) {
        for (unsigned backwards = 0; backwards < 2; backwards++) {
            uint8_t option[16] = {
                (uint8_t)(172 + 2 * backwards), (uint8_t)(2 + bytes), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
            static const uint32_t values[] = {0x010203, 0x040506, 0x070809};
            parse_options(NB_TCP_ACK, option, 2 + bytes);
            assert_int_equal(seg.options, NB_SEG_ACCECN);
            assert_int_equal(seg.accecn.n, bytes / 3 < 3 ? bytes / 3 : 3);
            assert_int_equal(seg.accecn.backwards, backwards);
            for (unsigned i = 0; i < 3; i++)
                assert_int_equal(seg.accecn.bytes[backwards ? 2 - i : i], i < bytes / 3 ? values[i] : 0);
        }
    }
}

static void test_option_with_a_wrong_length_is_skipped_and_what_follows_is_read(void **state)
{
    (void)state;
    OPTIONS(NB_TCP_SYN, 2, 3, 9, 3, 4, 7, 7, 5, 5, 0, 0, 0, 8, 4, 0, 0, 253, 4, 1, 2, 3, 3, 2);
    assert_int_equal(seg.options, NB_SEG_WSCALE);
    assert_int_equal(seg.wscale, 2);
}

static void test_option_with_an_impossible_length_ends_the_list(void **state)
{
    (void)state;
    static const uint8_t lengths[] = {0, 1, 200};
    for (unsigned i = 0; i < sizeof lengths; i++) {
        assert_int_equal(OPTIONS(NB_TCP_SYN, 3, 3, 5, 2, lengths[i], 5, 0xb4, 4, 2), 0);
        assert_int_equal(seg.options, NB_SEG_WSCALE);
    }
    assert_int_equal(OPTIONS(NB_TCP_SYN, 3, 3, 5, 8, 10, 0, 0, 0), 0); /* its value would lie in the payload */
    assert_int_equal(seg.options, NB_SEG_WSCALE);
    assert_int_equal(OPTIONS(NB_TCP_SYN, 1, 1, 1, 2), 0); /* no room for a length */
    assert_int_equal(seg.options, 0);
}

static void test_end_of_list_ends_it(void **state)
{
    (void)state;
    OPTIONS(NB_TCP_SYN, 1, 0, 3, 3, 5, 0, 0, 0);
    assert_int_equal(seg.options, 0);
}

static void test_segment_length_counts_syn_and_fin(void **state)
{
    (void)state;
    struct nb_seg s = {.payload_bytes = 10, .flags = NB_TCP_SYN | NB_TCP_FIN | NB_TCP_ACK};
    assert_int_equal(nb_seg_len(&s), 12);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_fields_are_in_host_order),
        T(test_lengths_that_contradict_each_other_are_malformed),
        T(test_port_zero_is_malformed),
        T(test_wrong_checksum_is_found_in_any_bit_and_any_piece),
        T(test_options_of_a_syn_are_read),
        T(test_options_that_only_a_syn_may_carry_mean_nothing_elsewhere),
        T(test_timestamp_in_its_usual_place_and_in_any_other),
        T(test_sack_blocks_one_to_four),
        T(test_accecn_options_are_read_in_both_orders_as_far_as_they_go),
        T(test_option_with_a_wrong_length_is_skipped_and_what_follows_is_read),
        T(test_option_with_an_impossible_length_ends_the_list),
        T(test_end_of_list_ends_it),
        T(test_segment_length_counts_syn_and_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
