/* test_rss.c - a flow's hash against Microsoft's published vectors, and the table behind it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_byteorder.h>
#include <rte_ip.h>

#include "../../../host-lib/worker/rss.h"

/* "Verifying the RSS Hash Calculation", Microsoft, network driver documentation. */
static const uint8_t published_key[40] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
    uint32_t destination;
    uint16_t destination_port;
    uint32_t source;
    uint16_t source_port;
    uint32_t hash;
} published[] = {
    {RTE_IPV4(161, 142, 100, 80), 1766, RTE_IPV4(66, 9, 149, 187), 2794, 0x51ccc178},
    {RTE_IPV4(65, 69, 140, 83), 4739, RTE_IPV4(199, 92, 111, 2), 14230, 0xc626b0ea},
    {RTE_IPV4(12, 22, 207, 184), 38024, RTE_IPV4(24, 19, 198, 95), 12898, 0x5c2b394a},
    {RTE_IPV4(209, 142, 163, 6), 2217, RTE_IPV4(38, 27, 205, 30), 48228, 0xafc7327f},
    {RTE_IPV4(202, 188, 127, 2), 1303, RTE_IPV4(153, 39, 163, 191), 44251, 0x10e828a2},
};

static struct nb_flow_key key_of(size_t i)
{
    return (struct nb_flow_key){
        .local.word = {rte_cpu_to_be_32(published[i].destination)},
        .remote.word = {rte_cpu_to_be_32(published[i].source)},
        .local_port = published[i].destination_port,
        .remote_port = published[i].source_port,
        .family = NB_FAMILY_IPV4,
    };
}

static void test_hash_is_what_microsoft_published(void **state)
{
    struct nb_rss_key keyed;
    struct nb_rss rss = {.key = &keyed};

    (void)state;
    assert_int_equal(nb_rss_key_init(&keyed, published_key, sizeof published_key, 128, NULL), 0);
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        struct nb_flow_key key = key_of(i);

        assert_int_equal(nb_rss_hash(&rss, &key), published[i].hash);
    }
}

static void test_ipv6_hash_is_what_microsoft_published(void **state)
{
    struct nb_rss_key keyed;
    struct nb_rss rss = {.key = &keyed};
    struct nb_flow_key key = {.local_port = 1766, .remote_port = 2794, .family = NB_FAMILY_IPV6};

    (void)state;
    assert_int_equal(nb_rss_key_init(&keyed, published_key, sizeof published_key, 128, NULL), 0);
    assert_int_equal(inet_pton(AF_INET6, "3ffe:2501:200:3::1", &key.local), 1);
    assert_int_equal(inet_pton(AF_INET6, "3ffe:2501:200:1fff::7", &key.remote), 1);
    assert_int_equal(nb_rss_hash(&rss, &key), 0x40207d3d);
}

static void test_queue_is_the_entry_that_the_hash_names(void **state)
{
    struct nb_rss_key keyed;
    struct nb_rss rss = {.key = &keyed};
    struct nb_flow_key key = key_of(0);
    uint16_t reta[128] = {0};

    (void)state;
    assert_int_equal(nb_rss_key_init(&keyed, published_key, sizeof published_key, 128, NULL), 0);
    reta[0x51ccc178 % 128] = 9;
    nb_rss_set_reta(&rss, reta, 128);
    assert_int_equal(nb_rss_queue(&rss, &key), 9);
}

static void test_port_without_rss_has_one_queue(void **state)
{
    struct nb_rss rss = {.key = NULL};
    struct nb_flow_key key = key_of(0);

    (void)state;
    nb_rss_set_reta(&rss, NULL, 0);
    assert_int_equal(nb_rss_queue(&rss, &key), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_what_microsoft_published),
        cmocka_unit_test(test_ipv6_hash_is_what_microsoft_published),
        cmocka_unit_test(test_queue_is_the_entry_that_the_hash_names),
        cmocka_unit_test(test_port_without_rss_has_one_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
