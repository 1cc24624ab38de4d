/* test_segment_emit.c - what is written is what the parser reads, and the bytes are where the RFCs put them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/checksum.h"
#include "../../../host-lib/wire/segment_emit.h"
#include "mbufs.h"

static struct rte_mempool *pool;

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

static struct nb_flow_key key_of(uint8_t family)
{
    struct nb_flow_key k;
    memset(&k, 0, sizeof k);
    k.family = family;
    for (unsigned i = 0; i < (family == NB_FAMILY_IPV4 ? 1 : 4); i++) {
        k.local.word[i] = htonl(0x0a630002 + i);
        k.remote.word[i] = htonl(0x0a630001 + i * 77);
    }
    k.local_port = 80;
    k.remote_port = 40000;
    return k;
}

static struct rte_mbuf *emit(const struct nb_seg_out *out, unsigned payload, bool chained, bool offload)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    rte_pktmbuf_append(m, (uint16_t)nb_seg_header_bytes(out));
    if (payload && chained) {
        struct rte_mbuf *tail = rte_pktmbuf_alloc(pool);
        memset(rte_pktmbuf_append(tail, (uint16_t)payload), 'p', payload);
        rte_pktmbuf_chain(m, tail);
    } else if (payload) {
        memset(rte_pktmbuf_append(m, (uint16_t)payload), 'p', payload);
    }
    nb_seg_emit(m, out, offload);
    return m;
}

static void check_ip(const struct rte_mbuf *m, const struct nb_flow_key *key, bool offload)
{
    const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
    if (key->family == NB_FAMILY_IPV4) {
        assert_int_equal(ip[0], 0x45);
        assert_int_equal(ip[2] << 8 | ip[3], m->pkt_len);
        assert_int_equal(ip[6], 0x40); /* do not fragment */
        assert_int_equal(ip[9], 6);
        assert_int_equal(nb_checksum_fold(nb_checksum_add(0, ip, 20)) == 0xffff, !offload);
        assert_memory_equal(ip + 12, &key->local, 4);
        assert_memory_equal(ip + 16, &key->remote, 4);
    } else {
        assert_int_equal(ip[0], 0x60);
        assert_int_equal(ip[4] << 8 | ip[5], m->pkt_len - 40);
        assert_int_equal(ip[6], 6);
        assert_memory_equal(ip + 8, &key->local, 16);
        assert_memory_equal(ip + 24, &key->remote, 16);
    }
}

/* Every set of options that is ever sent, in both families, with payloads in the same and in another mbuf. */
static void test_parser_reads_what_the_emitter_wrote(void **state)
{
    (void)state;
    static const struct nb_seq_range blocks[4] = {{1, 2}, {0xfffffff0, 5}, {7, 9}, {100, 200}};
    for (unsigned options = 0; options < 32; options++)
        for (unsigned variant = 0; variant < 8; variant++) {
            struct nb_flow_key key = key_of(variant & 1 ? NB_FAMILY_IPV4 : NB_FAMILY_IPV6);
            struct nb_seg_out out = {.key = &key,
                                     .seq = 0xfffffff1,
                                     .ack = 0x80000002,
                                     .window = 0x1234,
                                     .flags = NB_TCP_SYN | NB_TCP_ACK,
                                     .options = (uint8_t)options,
                                     .mss = 1440,
                                     .wscale = 9,
                                     .n_sack = options & NB_SEG_TIMESTAMP ? 1 : 2,
                                     .ts_value = 0xaabbccdd,
                                     .ts_echo = 0x11223344,
                                     .sack = blocks};
            bool chained = variant & 2, offload = variant & 4;
            struct rte_mbuf *m = emit(&out, 33, chained, offload);
            struct nb_seg seg = {.key = key};
            check_ip(m, &key, offload);
            assert_int_equal(nb_seg_parse(&seg, m, (uint16_t)m->l3_len, m->pkt_len - m->l3_len, !offload), 0);
            assert_int_equal(seg.key.local_port, key.remote_port); /* the parser is the peer */
            assert_int_equal(seg.seq, out.seq);
            assert_int_equal(seg.ack, out.ack);
            assert_int_equal(seg.window, out.window);
            assert_int_equal(seg.options, options);
            assert_int_equal(seg.payload_bytes, 33);
            if (options & NB_SEG_MSS)
                assert_int_equal(seg.mss, 1440);
            if (options & NB_SEG_WSCALE)
                assert_int_equal(seg.wscale, 9);
            if (options & NB_SEG_TIMESTAMP)
                assert_true(seg.ts_value == out.ts_value && seg.ts_echo == out.ts_echo);
            if (options & NB_SEG_SACK)
                assert_memory_equal(seg.sack, blocks, out.n_sack * sizeof blocks[0]);
            rte_pktmbuf_free(m);
        }
}

static void test_offloaded_checksum_field_holds_the_pseudo_headers_sum(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct nb_flow_key key = key_of(v6 ? NB_FAMILY_IPV6 : NB_FAMILY_IPV4);
        struct nb_seg_out out = {.key = &key, .flags = NB_TCP_ACK};
        struct rte_mbuf *m = emit(&out, 100, false, true);
        uint16_t field;
        memcpy(&field, rte_pktmbuf_mtod_offset(m, const uint8_t *, m->l3_len + 16), 2);
        assert_int_equal(field, nb_checksum_fold(nb_checksum_pseudo(&key, 120)));
        assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM);
        assert_true(m->ol_flags & (v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IP_CKSUM));
        assert_int_equal(m->l4_len, 20);
        rte_pktmbuf_free(m);
    }
}

static void test_syns_options_take_twenty_bytes(void **state)
{
    (void)state;
    struct nb_flow_key key = key_of(NB_FAMILY_IPV4);
    struct nb_seg_out out = {.key = &key,
                             .flags = NB_TCP_SYN,
                             .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_TIMESTAMP | NB_SEG_WSCALE};
    assert_int_equal(nb_seg_header_bytes(&out), 60);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_parser_reads_what_the_emitter_wrote),
        T(test_offloaded_checksum_field_holds_the_pseudo_headers_sum),
        T(test_syns_options_take_twenty_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
