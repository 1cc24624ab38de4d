/* Internet checksum and FCS against values from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "checksum.h"

static void test_fold_of_rfc1071_example_is_ddf2(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

    assert_int_equal(sim_checksum_fold(sim_checksum_add(0, bytes, sizeof bytes)), 0xddf2);
}

static void test_add_any_length_and_alignment_equals_byte_by_byte(void **state)
{
    (void)state;
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 151 + 7);
    for (size_t from = 0; from < 8; from++) {
        for (size_t n = 0; n < 200; n++) {
            uint32_t sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += i % 2 ? bytes[from + i] : (uint32_t)bytes[from + i] << 8;
            while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
            assert_int_equal(sim_checksum_fold(sim_checksum_add(0, bytes + from, n)), sum);
        }
    }
}

static void test_add_in_even_pieces_equals_whole(void **state)
{
    (void)state;
    uint8_t bytes[101];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 200);
    uint16_t whole = sim_checksum_fold(sim_checksum_add(0, bytes, sizeof bytes));
    for (size_t cut = 0; cut <= 100; cut += 2) {
        uint64_t sum = sim_checksum_add(sim_checksum_add(0, bytes, cut), bytes + cut, sizeof bytes - cut);
        assert_int_equal(sim_checksum_fold(sum), whole);
    }
}

static void test_fcs_of_check_string_is_cbf43926(void **state)
{
    (void)state;
    /* The check value every CRC-32 catalogue gives for IEEE 802.3. */
    assert_int_equal(sim_fcs("123456789", 9), 0xcbf43926);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold_of_rfc1071_example_is_ddf2),
        cmocka_unit_test(test_add_any_length_and_alignment_equals_byte_by_byte),
        cmocka_unit_test(test_add_in_even_pieces_equals_whole),
        cmocka_unit_test(test_fcs_of_check_string_is_cbf43926),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
