/* test_segment_plain.c - what is written as a row of stores has every byte that segment_emit.c writes, one at a time or
 * in a row, with checksums computed here or left to the port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/segment_emit.h"
#include "../../../host-lib/wire/segment_plain.h"
#include "mbufs.h"

#define ROUNDS 500

static struct rte_mempool *pool;
static struct nb_flow_key key;

static uint32_t any32(void)
{
    uint32_t v = (uint32_t)rand() << 16 ^ (uint32_t)rand();
    return rand() % 4 ? v : UINT32_MAX; /* ones make carries */
}

static struct nb_seg_plain any_segment(void)
{
    key = (struct nb_flow_key){.local.word = {any32()},
                               .remote.word = {any32()},
                               .local_port = (uint16_t)any32(),
                               .remote_port = (uint16_t)any32(),
                               .family = NB_FAMILY_IPV4};
    return (struct nb_seg_plain){.key = &key,
                                 .seq = any32(),
                                 .ack = any32(),
                                 .ts_value = any32(),
                                 .ts_echo = any32(),
                                 .window = (uint16_t)any32(),
                                 .flags = NB_TCP_ACK};
}

static struct rte_mbuf *packet_of(unsigned header_bytes, unsigned payload_bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(header_bytes + payload_bytes));
    assert_non_null(bytes);
    memset(bytes, 0, header_bytes);
    for (unsigned i = 0; i < payload_bytes; i++)
        bytes[header_bytes + i] = (uint8_t)(i * 13 + payload_bytes);
    return m;
}

static uint64_t payload_sum(const struct rte_mbuf *m, unsigned header_bytes)
{
    return nb_checksum_add(0, rte_pktmbuf_mtod_offset(m, const uint8_t *, header_bytes), m->data_len - header_bytes);
}

static void assert_same(struct rte_mbuf *is, struct rte_mbuf *wanted)
{
    assert_int_equal(is->data_len, wanted->data_len);
    assert_memory_equal(rte_pktmbuf_mtod(is, uint8_t *), rte_pktmbuf_mtod(wanted, uint8_t *), is->data_len);
    assert_int_equal(is->ol_flags, wanted->ol_flags);
    assert_int_equal(is->tx_offload, wanted->tx_offload);
    rte_pktmbuf_free(is);
    rte_pktmbuf_free(wanted);
}

static struct rte_mbuf *written_the_long_way(const struct nb_seg_plain *s, unsigned payload_bytes, bool offload)
{
    struct nb_seg_out out = {.key = s->key,
                             .seq = s->seq,
                             .ack = s->ack,
                             .window = s->window,
                             .flags = s->flags,
                             .options = NB_SEG_TIMESTAMP,
                             .ts_value = s->ts_value,
                             .ts_echo = s->ts_echo};
    struct rte_mbuf *m = packet_of(nb_seg_header_bytes(&out), payload_bytes);
    m->tx_offload = 0;
    nb_seg_emit(m, &out, offload);
    return m;
}

static void test_plain_segment_is_what_the_long_way_writes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct nb_seg_plain s = any_segment();
        bool offload = i % 2;
        unsigned n = (unsigned)rand() % 600;
        s.flags |= (uint8_t)(i % 3 ? NB_TCP_PSH : NB_TCP_FIN);
        struct rte_mbuf *m = packet_of(NB_SEG_PLAIN_HEADER_BYTES, n);
        nb_seg_emit_plain(m, &s, payload_sum(m, NB_SEG_PLAIN_HEADER_BYTES), offload);
        assert_same(m, written_the_long_way(&s, n, offload));
    }
}

static void test_segments_in_a_row_are_what_the_long_way_writes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct nb_seg_plain s = any_segment();
        const struct nb_seg_headers headers = nb_seg_headers_of(&s);
        bool offload = i % 2;
        for (unsigned k = 0; k < 3; k++) {
            unsigned n = k < 2 ? 512 : (unsigned)rand() % 512;
            uint8_t flags = k < 2 ? 0 : NB_TCP_PSH | NB_TCP_FIN;
            struct rte_mbuf *m = packet_of(NB_SEG_PLAIN_HEADER_BYTES, n);
            struct nb_seg_plain one = s;
            one.flags |= flags;
            one.seq += 512 * k;
            nb_seg_emit_next(m, &headers, one.seq, flags, payload_sum(m, NB_SEG_PLAIN_HEADER_BYTES), offload);
            assert_same(m, written_the_long_way(&one, n, offload));
        }
    }
}

static void test_plain_syn_is_what_the_long_way_writes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct nb_seg_plain s = any_segment();
        struct nb_cookie none = {.bytes = -1};
        struct nb_seg_out out = {.key = s.key,
                                 .seq = s.seq,
                                 .ack = s.ack,
                                 .window = s.window,
                                 .flags = NB_TCP_SYN | NB_TCP_ACK,
                                 .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_TIMESTAMP | NB_SEG_WSCALE,
                                 .mss = (uint16_t)any32(),
                                 .wscale = (uint8_t)(rand() % 15),
                                 .ts_value = s.ts_value,
                                 .ts_echo = s.ts_echo,
                                 .cookie = &none};
        bool offload = i % 2;
        struct rte_mbuf *m = packet_of(NB_SEG_SYN_HEADER_BYTES, 0), *wanted = packet_of(nb_seg_header_bytes(&out), 0);
        s.flags = out.flags;
        nb_seg_emit_plain_syn(m, &s, out.mss, out.wscale, offload);
        wanted->tx_offload = 0;
        nb_seg_emit(wanted, &out, offload);
        assert_same(m, wanted);
    }
}

static int setup(void **state)
{
    (void)state;
    srand(4);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_segment_is_what_the_long_way_writes),
        cmocka_unit_test(test_segments_in_a_row_are_what_the_long_way_writes),
        cmocka_unit_test(test_plain_syn_is_what_the_long_way_writes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
