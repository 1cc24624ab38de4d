/* RSS: Microsoft's published hashes, table against scalar, indirection, symmetric keys. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <netbypass/rss.h>

#include "random_tuple.h"

/* "Verifying the RSS hash calculation", Windows network driver documentation. */
static const uint8_t microsoft_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                          0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                          0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                          0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct {
    uint8_t family;
    const char *dst;
    uint16_t dst_port;
    const char *src;
    uint16_t src_port;
    uint32_t hash_addresses, hash_ports;
} vectors[] = {
    {4, "161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
    {4, "65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
    {4, "12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
    {4, "209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
    {4, "202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
    {6, "3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
    {6, "ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
    {6, "fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4b61e985, 0x02d1feef},
};

static void test_microsoft_vectors_scalar_and_table(void **state)
{
    struct nb_toeplitz toeplitz;
    (void)state;

    assert_int_equal(nb_toeplitz_init(&toeplitz, microsoft_key, sizeof microsoft_key, NULL), 0);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct nb_tuple t = {.family = vectors[i].family, .protocol = IPPROTO_TCP};
        uint8_t input[NB_RSS_INPUT_BYTES];
        int af = t.family == 6 ? AF_INET6 : AF_INET;

        assert_int_equal(inet_pton(af, vectors[i].src, t.src), 1);
        assert_int_equal(inet_pton(af, vectors[i].dst, t.dst), 1);
        t.src_port = vectors[i].src_port;
        t.dst_port = vectors[i].dst_port;
        size_t n = nb_rss_input(&t, input);
        assert_int_equal(n, t.family == 6 ? 36 : 12);
        assert_int_equal(nb_toeplitz_scalar(microsoft_key, input, n - 4), vectors[i].hash_addresses);
        assert_int_equal(nb_toeplitz_scalar(microsoft_key, input, n), vectors[i].hash_ports);
        assert_int_equal(nb_toeplitz_hash(&toeplitz, input, n - 4), vectors[i].hash_addresses);
        assert_int_equal(nb_toeplitz_tuple(&toeplitz, &t), vectors[i].hash_ports);
    }
}

static void test_table_equals_scalar_on_random_keys(void **state)
{
    struct rng r = {3};
    (void)state;

    for (int i = 0; i < 200; i++) {
        uint8_t key[52], input[NB_RSS_INPUT_BYTES];
        struct nb_toeplitz toeplitz;

        rng_fill(&r, key, sizeof key);
        assert_int_equal(nb_toeplitz_init(&toeplitz, key, i % 2 ? 40 : 52, NULL), 0);
        for (size_t n = 0; n <= sizeof input; n++) {
            rng_fill(&r, input, sizeof input);
            assert_int_equal(nb_toeplitz_hash(&toeplitz, input, n), nb_toeplitz_scalar(key, input, n));
        }
    }
}

static void test_short_key_is_refused(void **state)
{
    struct nb_toeplitz toeplitz;
    struct nb_error err;
    (void)state;

    assert_int_equal(nb_toeplitz_init(&toeplitz, microsoft_key, 39, &err), -EINVAL);
    assert_string_equal(err.text, "RSS key of 39 bytes; accepted: 40 or more");
}

static void test_symmetric_key_hashes_both_directions_alike(void **state)
{
    struct rng r = {4};
    struct nb_toeplitz toeplitz;
    uint8_t key[40];
    (void)state;

    nb_rss_symmetric_key(key, sizeof key, 0x6d5a);
    assert_int_equal(nb_toeplitz_init(&toeplitz, key, sizeof key, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        struct nb_tuple t = rng_tuple(&r, i % 2 ? 4 : 6), back = t;
        memcpy(back.src, t.dst, sizeof t.dst);
        memcpy(back.dst, t.src, sizeof t.src);
        back.src_port = t.dst_port;
        back.dst_port = t.src_port;
        assert_int_equal(nb_toeplitz_tuple(&toeplitz, &t), nb_toeplitz_tuple(&toeplitz, &back));
    }
}

static void test_home_queue_is_the_reta_entry_of_the_low_hash_bits(void **state)
{
    struct nb_toeplitz toeplitz;
    struct nb_reta reta;
    uint16_t queue[128];
    (void)state;

    for (uint16_t i = 0; i < 128; i++)
        queue[i] = (uint16_t)(500 - i);
    assert_int_equal(nb_reta_init(&reta, queue, 128, NULL), 0);
    assert_int_equal(nb_toeplitz_init(&toeplitz, microsoft_key, sizeof microsoft_key, NULL), 0);
    struct nb_tuple t = {.src = {66, 9, 149, 187},
                         .dst = {161, 142, 100, 80},
                         .src_port = 2794,
                         .dst_port = 1766,
                         .family = 4,
                         .protocol = IPPROTO_TCP};
    assert_int_equal(nb_rss_home_queue(&toeplitz, &reta, &t), 500 - (0x51ccc178 & 127));
}

static void test_reta_lists_every_bucket_under_its_queue(void **state)
{
    uint16_t queue[NB_RETA_SIZE_MAX];
    struct nb_reta reta;
    struct rng r = {5};
    (void)state;

    for (uint16_t i = 0; i < NB_RETA_SIZE_MAX; i++)
        queue[i] = (uint16_t)rng_below(&r, 7) * 85;
    assert_int_equal(nb_reta_init(&reta, queue, NB_RETA_SIZE_MAX, NULL), 0);
    unsigned seen = 0;
    for (unsigned q = 0; q < NB_RETA_SIZE_MAX; q++)
        for (unsigned i = reta.first[q]; i < reta.first[q + 1]; i++, seen++)
            assert_int_equal(queue[reta.bucket[i]], q);
    assert_int_equal(seen, NB_RETA_SIZE_MAX);
}

static void test_reta_of_odd_size_or_wild_queue_is_refused(void **state)
{
    uint16_t queue[NB_RETA_SIZE_MAX * 2] = {0};
    struct nb_reta reta;
    struct nb_error err;
    (void)state;

    assert_int_equal(nb_reta_init(&reta, queue, 0, &err), -EINVAL);
    assert_int_equal(nb_reta_init(&reta, queue, 100, &err), -EINVAL);
    assert_int_equal(nb_reta_init(&reta, queue, NB_RETA_SIZE_MAX * 2, &err), -EINVAL);
    queue[3] = NB_RETA_SIZE_MAX;
    assert_int_equal(nb_reta_init(&reta, queue, 4, &err), -EINVAL);
    assert_string_equal(err.text, "RETA entry 3: queue 512; accepted: 0 to 511");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_microsoft_vectors_scalar_and_table),
        cmocka_unit_test(test_table_equals_scalar_on_random_keys),
        cmocka_unit_test(test_short_key_is_refused),
        cmocka_unit_test(test_symmetric_key_hashes_both_directions_alike),
        cmocka_unit_test(test_home_queue_is_the_reta_entry_of_the_low_hash_bits),
        cmocka_unit_test(test_reta_lists_every_bucket_under_its_queue),
        cmocka_unit_test(test_reta_of_odd_size_or_wild_queue_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
