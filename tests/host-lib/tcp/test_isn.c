/* test_isn.c - initial sequence numbers against values from an independent SipHash-2-4, and what RFC 6528 asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/isn.h"

static void counting_secret(uint8_t secret[16])
{
    for (uint8_t i = 0; i < 16; i++)
        secret[i] = i;
}

static struct nb_flow_key ipv4_key(void)
{
    struct nb_flow_key key;
    memset(&key, 0, sizeof key);
    key.local.word[0] = 0x0200630a;
    key.remote.word[0] = 0x0100630a;
    key.local_port = 80;
    key.remote_port = 40000;
    key.family = NB_FAMILY_IPV4;
    return key;
}

static void test_hash_of_forty_counting_bytes_is_siphashs(void **state)
{
    (void)state;
    uint8_t secret[16], bytes[40];
    struct nb_flow_key key;
    counting_secret(secret);
    for (uint8_t i = 0; i < 40; i++)
        bytes[i] = i;
    memcpy(&key, bytes, sizeof key);
    struct nb_isn isn = nb_isn_of(secret, &key, 0);
    assert_int_equal(isn.iss, 0x5304a7d0);
    assert_int_equal(isn.ts_offset, 0x0e3ea96b);
}

static void test_hash_of_an_ipv4_tuple_is_siphash_of_its_two_words(void **state)
{
    (void)state;
    uint8_t secret[16];
    counting_secret(secret);
    struct nb_flow_key key = ipv4_key();
    struct nb_isn isn = nb_isn_of(secret, &key, 0);
    assert_int_equal(isn.iss, 0x021cd666);
    assert_int_equal(isn.ts_offset, 0xe120494b);
}

static void test_iss_of_a_tuple_advances_once_in_four_microseconds(void **state)
{
    (void)state;
    uint8_t secret[16] = {1};
    struct nb_flow_key key = ipv4_key();
    struct nb_isn a = nb_isn_of(secret, &key, 1000), b = nb_isn_of(secret, &key, 5000);
    assert_int_equal(b.iss - a.iss, 1000);
    assert_int_equal(b.ts_offset, a.ts_offset);
}

static void test_every_part_of_the_tuple_and_the_secret_matter(void **state)
{
    (void)state;
    uint8_t secret[16] = {0};
    struct nb_flow_key key = ipv4_key();
    nb_seq_t iss = nb_isn_of(secret, &key, 0).iss;
    static const size_t offsets[] = {offsetof(struct nb_flow_key, local), offsetof(struct nb_flow_key, remote),
                                     offsetof(struct nb_flow_key, local_port),
                                     offsetof(struct nb_flow_key, remote_port), offsetof(struct nb_flow_key, vlan)};
    for (unsigned i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        struct nb_flow_key other = key;
        ((uint8_t *)&other)[offsets[i]] ^= 1;
        assert_int_not_equal(nb_isn_of(secret, &other, 0).iss, iss);
    }
    secret[15] = 1;
    assert_int_not_equal(nb_isn_of(secret, &key, 0).iss, iss);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_of_forty_counting_bytes_is_siphashs),
        cmocka_unit_test(test_hash_of_an_ipv4_tuple_is_siphash_of_its_two_words),
        cmocka_unit_test(test_iss_of_a_tuple_advances_once_in_four_microseconds),
        cmocka_unit_test(test_every_part_of_the_tuple_and_the_secret_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
