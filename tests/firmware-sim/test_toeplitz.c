/* Toeplitz hash against every vector Microsoft publishes ("Verifying the RSS Hash Calculation"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "toeplitz.h"

static const uint8_t microsoft_key[SIM_TOEPLITZ_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct vector {
    int family;
    const char *src, *dst;
    uint16_t sport, dport;
    uint32_t with_ports, addresses_only;
};

static const struct vector vectors[] = {
    {AF_INET, "66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178, 0x323e8fc2},
    {AF_INET, "199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea, 0xd718262a},
    {AF_INET, "24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a, 0xd2d0a5de},
    {AF_INET, "38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f, 0x82989176},
    {AF_INET, "153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2, 0x5d1809c5},
    {AF_INET6, "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d, 0x2cc18cd5},
    {AF_INET6, "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf, 0x0f0c461c},
    {AF_INET6, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x02d1feef, 0x4b61e985},
};

static size_t input_of(const struct vector *v, uint8_t input[SIM_TOEPLITZ_INPUT_BYTES])
{
    size_t address = v->family == AF_INET ? 4 : 16;
    uint16_t ports[2] = {htons(v->sport), htons(v->dport)};

    assert_int_equal(inet_pton(v->family, v->src, input), 1);
    assert_int_equal(inet_pton(v->family, v->dst, input + address), 1);
    memcpy(input + 2 * address, ports, sizeof ports);
    return 2 * address;
}

static void test_hash_of_published_vectors_is_as_published(void **state)
{
    (void)state;
    static struct sim_toeplitz table;

    sim_toeplitz_init(&table, microsoft_key);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t input[SIM_TOEPLITZ_INPUT_BYTES];
        size_t addresses = input_of(&vectors[i], input);
        assert_int_equal(sim_toeplitz_hash(&table, input, addresses), vectors[i].addresses_only);
        assert_int_equal(sim_toeplitz_hash(&table, input, addresses + 4), vectors[i].with_ports);
    }
}

static void test_hash_after_key_change_is_of_the_new_key(void **state)
{
    (void)state;
    static struct sim_toeplitz table;
    uint8_t input[SIM_TOEPLITZ_INPUT_BYTES], key[SIM_TOEPLITZ_KEY_BYTES] = {0};
    size_t addresses = input_of(&vectors[0], input);

    sim_toeplitz_init(&table, microsoft_key);
    sim_toeplitz_init(&table, key);
    assert_int_equal(sim_toeplitz_hash(&table, input, addresses + 4), 0);
    /* A single key bit comes out where the input has ones: bit 32 + n of the key meets bit n + 1 of the input last. */
    key[0] = 0x80;
    sim_toeplitz_init(&table, key);
    uint8_t one[] = {0x80};
    assert_int_equal(sim_toeplitz_hash(&table, one, 1), 0x80000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_of_published_vectors_is_as_published),
        cmocka_unit_test(test_hash_after_key_change_is_of_the_new_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
