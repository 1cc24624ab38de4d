/* The register table: sound, and dispatched as its rows say. */
#include "rig.h"

static void test_rows_never_overlap_and_stay_inside_the_bar(void **state)
{
    struct rig *rig = *state;
    static uint8_t taken[I82599_BAR_BYTES / 4];
    size_t n;
    const struct sim_reg *rows = rig->ops->registers(&n);

    for (size_t r = 0; r < n; r++) {
        assert_non_null(rows[r].name);
        assert_non_null(rows[r].meaning);
        assert_true(rows[r].count > 0);
        assert_true(rows[r].count == 1 || rows[r].stride >= 4);
        for (unsigned i = 0; i < rows[r].count; i++) {
            uint32_t offset = rows[r].offset + i * rows[r].stride;
            assert_int_equal(offset % 4, 0);
            assert_true(offset < I82599_BAR_BYTES);
            if (taken[offset / 4]++)
                fail_msg("%s[%u] at 0x%05x is somebody else's", rows[r].name, i, offset);
        }
    }
}

/* "memory" alone says that a write has no effect, not why; a reader of the table wants to know that. */
static void test_every_row_says_what_the_model_makes_of_it(void **state)
{
    struct rig *rig = *state;
    size_t n;
    const struct sim_reg *rows = rig->ops->registers(&n);

    for (size_t r = 0; r < n; r++) {
        unsigned words = 0;
        for (const char *p = rows[r].meaning; *p; p++)
            words += *p != ' ' && (p[1] == ' ' || !p[1]);
        if (words < 3)
            fail_msg("%s: \"%s\" does not say what the model makes of it", rows[r].name, rows[r].meaning);
        if (!strncmp(rows[r].meaning, "memory:", 7) && rows[r].mode != SIM_REG_RW)
            fail_msg("%s is called memory and is not", rows[r].name);
        if (!strncmp(rows[r].meaning, "0:", 2) && (rows[r].reset || rows[r].mode == SIM_REG_RW))
            fail_msg("%s is called 0 and is not always", rows[r].name);
    }
}

static void test_plain_rows_read_their_reset_value_then_what_was_written(void **state)
{
    struct rig *rig = *state;
    size_t n;
    const struct sim_reg *rows = rig->ops->registers(&n);

    for (size_t r = 0; r < n; r++) {
        uint32_t last = rows[r].offset + (rows[r].count - 1u) * rows[r].stride;
        if (rows[r].mode != SIM_REG_RW)
            continue;
        assert_int_equal(rd(rig, last), rows[r].reset);
        wr(rig, last, 0xa5a5a5a5);
        assert_int_equal(rd(rig, last), 0xa5a5a5a5);
    }
}

static void test_fixed_and_counter_rows_ignore_writes(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_STATUS, ~0u);
    assert_int_equal(rd(rig, REG_STATUS), 0);
    wr(rig, REG_GPRC, 77);
    assert_int_equal(rd(rig, REG_GPRC), 0);
    wr(rig, REG_LINKS, 0);
    assert_true(rd(rig, REG_LINKS) & LINKS_UP);
}

static void test_unknown_offsets_read_zero_and_are_counted(void **state)
{
    struct rig *rig = *state;

    wr(rig, 0x7fffc, 1);
    assert_int_equal(rd(rig, 0x7fffc), 0);
    wr(rig, 0xfffffffc, 1); /* beyond the BAR: the core never does this */
    assert_int_equal(rd(rig, 0xfffffffc), 0);
    assert_int_equal(drops(rig, "reads of unknown registers"), 2);
    assert_int_equal(drops(rig, "writes to unknown registers"), 2);
}

static void test_second_addresses_show_the_same_register(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_SRRCTL + 4 * 5, 0x02000003);
    assert_int_equal(rd(rig, rx_reg(5, RXQ_SRRCTL)), 0x02000003);
    wr(rig, REG_RAL_LOW + 8 * 3, 0x11223344);
    assert_int_equal(rd(rig, REG_RAL + 8 * 3), 0x11223344);
    wr(rig, REG_RAL + 8 * 3 + 4, 0x80005566);
    assert_int_equal(rd(rig, REG_RAL_LOW + 8 * 3 + 4), 0x80005566);
}

static void test_print_table_of_unknown_name_is_refused(void **state)
{
    struct rig *rig = *state;
    struct rig_line line = {.start = ""};

    assert_int_equal(rig->ops->print_table(rig->dev, "arp", rig_match_line, &line), -2); /* ENOENT */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_never_overlap_and_stay_inside_the_bar, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_every_row_says_what_the_model_makes_of_it, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_plain_rows_read_their_reset_value_then_what_was_written, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_fixed_and_counter_rows_ignore_writes, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_unknown_offsets_read_zero_and_are_counted, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_second_addresses_show_the_same_register, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_print_table_of_unknown_name_is_refused, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
