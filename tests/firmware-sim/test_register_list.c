/* A model's registers as a table for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "register_list.h"

#include <stdlib.h>

static const struct sim_reg *two_rows(size_t *n)
{
    static const struct sim_reg rows[] = {
        {"CTRL", 0, 0, 1, SIM_REG_ACTION, 0, "resets the device", NULL, NULL, 0},
        {"RDT", 0xd018, 0x40, 64, SIM_REG_RW, 0x402, "the tail of a ring", NULL, NULL, 64},
    };
    *n = 2;
    return rows;
}

static void test_row_is_a_line_and_an_array_says_its_indices_and_stride(void **state)
{
    static const struct sim_device_ops ops = {.registers = two_rows};
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    (void)state;
    sim_register_list_print(out, &ops);
    fclose(out);
    assert_string_equal(
        text, "| register           | offset       | access             | reset    | what the model makes of it |\n"
              "|---|---|---|---|---|\n"
              "| CTRL               | 00000        | acts               | 00000000 | resets the device |\n"
              "| RDT[64-127]        | 0d018 + 40n  | stored             | 00000402 | the tail of a ring |\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_is_a_line_and_an_array_says_its_indices_and_stride),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
