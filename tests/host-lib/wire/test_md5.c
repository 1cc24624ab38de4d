/* test_md5.c - TCP-MD5 signatures (RFC 2385 §2) against digests that were computed elsewhere, from the RFC's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <rte_mbuf.h>

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

static const struct nb_md5_secret secret = {.n = 15, .bytes = "a shared secret"};

/* From port 179 of ....2 to port 40000 of ....1, 1000 bytes of 'p', all but `split` of them in a second buffer. */
static struct rte_mbuf *signed_packet(struct nb_flow_key *key, uint8_t family, uint16_t split)
{
    *key = (struct nb_flow_key){.family = family, .local_port = 179, .remote_port = 40000};
    inet_pton(AF_INET, "10.99.0.2", &key->local);
    inet_pton(AF_INET, "10.99.0.1", &key->remote);
    if (family == NB_FAMILY_IPV6) {
        inet_pton(AF_INET6, "fd99::2", &key->local);
        inet_pton(AF_INET6, "fd99::1", &key->remote);
    }
    const struct nb_seg_out out = {.key = key,
                                   .seq = 0x01020304,
                                   .ack = 0x05060708,
                                   .window = 0x1234,
                                   .flags = NB_TCP_PSH | NB_TCP_ACK,
                                   .options = NB_SEG_MD5,
                                   .md5 = &secret};
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *tail = rte_pktmbuf_alloc(pool);
    rte_pktmbuf_append(m, (uint16_t)nb_seg_header_bytes(&out));
    memset(rte_pktmbuf_append(m, split), 'p', split);
    memset(rte_pktmbuf_append(tail, 1000 - split), 'p', 1000 - split);
    rte_pktmbuf_chain(m, tail);
    nb_seg_emit(m, &out, false);
    return m;
}

static void check_digest(uint8_t family, uint16_t split, const uint8_t expected[NB_MD5_DIGEST_BYTES])
{
    struct nb_flow_key key;
    struct rte_mbuf *m = signed_packet(&key, family, split);
    struct nb_seg seg = {.key = key};
    uint16_t l3 = (uint16_t)nb_ip_header_bytes(family);
    assert_int_equal(nb_seg_parse(&seg, m, l3, m->pkt_len - l3, true), 0); /* the checksum counts the signature */
    assert_int_equal(seg.options, NB_SEG_MD5);
    assert_int_equal(seg.md5_header_bytes, 40);
    assert_memory_equal(seg.md5, expected, NB_MD5_DIGEST_BYTES);
    rte_pktmbuf_free(m);
}

static void test_signature_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const uint8_t v4[] = {0xf1, 0x55, 0x3d, 0x6a, 0x5d, 0xac, 0x3d, 0xca,
                                 0x26, 0x1f, 0xa2, 0x18, 0x53, 0x30, 0xef, 0x73};
    static const uint8_t v6[] = {0xdd, 0x4e, 0xc5, 0x94, 0x97, 0xfe, 0x17, 0x39,
                                 0xd0, 0x4b, 0x2a, 0xaa, 0x34, 0x82, 0x38, 0xa6};
    for (uint16_t split = 0; split <= 1000; split += 250) {
        check_digest(NB_FAMILY_IPV4, split, v4);
        check_digest(NB_FAMILY_IPV6, split, v6);
    }
}

static void test_receiver_computes_what_the_sender_did(void **state)
{
    (void)state;
    uint8_t digest[NB_MD5_DIGEST_BYTES];
    struct nb_flow_key key, theirs;
    struct rte_mbuf *m = signed_packet(&key, NB_FAMILY_IPV4, 100);
    struct nb_md5_segment segment = {.m = m, .header = 20, .header_bytes = 40, .n = 1000};
    theirs = (struct nb_flow_key){.family = key.family, .local = key.remote, .remote = key.local};
    nb_md5_digest(digest, &theirs, NB_MD5_REMOTE, &segment, &secret);
    assert_memory_equal(digest, rte_pktmbuf_mtod_offset(m, uint8_t *, 20 + 20 + 4), sizeof digest);
    *rte_pktmbuf_mtod_offset(m, uint8_t *, 20 + 40 + 99) ^= 1; /* the last byte of the first buffer */
    nb_md5_digest(digest, &theirs, NB_MD5_REMOTE, &segment, &secret);
    assert_memory_not_equal(digest, rte_pktmbuf_mtod_offset(m, uint8_t *, 20 + 20 + 4), sizeof digest);
    rte_pktmbuf_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature_is_that_of_the_rfc),
        cmocka_unit_test(test_receiver_computes_what_the_sender_did),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
