/* What a driver looks at while it probes: reset, EEPROM by both ways, semaphores, the SFP module, the link, MDIO,
 * interrupts. */
#include "rig.h"

/* --- reset ----------------------------------------------------------------------------------------------------------
 */

static void test_reset_bits_clear_themselves(void **state)
{
    struct rig *rig = *state;

    for (unsigned bit = 3; bit <= 26; bit += 23) {
        wr(rig, REG_CTRL, 1u << bit | 4);
        assert_int_equal(rd(rig, REG_CTRL), 4);
    }
}

static void test_reset_puts_registers_and_address_back(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_RXCTRL, RXCTRL_RXEN);
    wr(rig, REG_RAL, 0);
    wr(rig, REG_RAL + 4, 0);
    wr(rig, REG_MRQC, 0x10001);
    assert_true(rig->ops->rx_enabled(rig->dev));
    wr(rig, REG_CTRL, CTRL_RST);
    assert_false(rig->ops->rx_enabled(rig->dev));
    assert_int_equal(rd(rig, REG_MRQC), 0);
    assert_int_equal(rd(rig, REG_RAL_LOW), 0x90598202);
    assert_int_equal(rd(rig, REG_RAL_LOW + 4), 0x80000100);
    assert_int_equal(rd(rig, REG_RXPBSIZE), 0x80000);
}

static void test_reset_loses_frames_in_flight_and_counts_them(void **state)
{
    struct rig *rig = *state;

    rig_start(rig);
    classify(rig, &(struct packet){.src = 1, .dst = 2});
    classify(rig, &(struct packet){.src = 1, .dst = 2});
    wr(rig, REG_CTRL, CTRL_RST);
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, 10), 0);
    assert_int_equal(drops(rig, "lost by a device reset"), 2);
}

/* --- EEPROM ---------------------------------------------------------------------------------------------------------
 */

static uint16_t eerd(struct rig *rig, unsigned word)
{
    wr(rig, REG_EERD, word << 2 | 1);
    assert_true(rd(rig, REG_EERD) & EERD_DONE);
    return (uint16_t)(rd(rig, REG_EERD) >> 16);
}

static void test_eeprom_words_sum_to_baba(void **state)
{
    struct rig *rig = *state;
    uint16_t sum = 0;

    for (unsigned i = 0; i <= 0x3f; i++)
        sum = (uint16_t)(sum + eerd(rig, i));
    assert_int_equal(sum, 0xbaba);
}

static void test_eeprom_sfp_init_list_knows_the_module(void **state)
{
    struct rig *rig = *state;
    unsigned list = eerd(rig, 0x2b) + 1u;
    bool found = false;

    for (; eerd(rig, list) != 0xffff; list += 2)
        found |= eerd(rig, list) == 5 && eerd(rig, list + 1) != 0 && eerd(rig, list + 1) != 0xffff; /* SR/LR, core 0 */
    assert_true(found);
}

static void test_eeprom_firmware_is_not_one_that_refuses_optics(void **state)
{
    struct rig *rig = *state;
    unsigned module = eerd(rig, 0x0f), patch = eerd(rig, module + 4);

    assert_int_equal(eerd(rig, module + 2), 0xffff); /* no link establishment state machine */
    assert_true(eerd(rig, patch + 7) > 5);
}

static void test_eewr_word_is_read_back(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_EEWR, 0xcafe0000 | 0x300 << 2 | 1);
    assert_true(rd(rig, REG_EEWR) & EERD_DONE);
    assert_int_equal(eerd(rig, 0x300), 0xcafe);
}

static void spi_pins(struct rig *rig, uint32_t pins)
{
    wr(rig, REG_EEC, (rd(rig, REG_EEC) & ~(EEC_SK | EEC_CS | EEC_DI)) | pins);
}

static void spi_out(struct rig *rig, uint32_t value, unsigned bits)
{
    while (bits--) {
        uint32_t di = value >> bits & 1 ? EEC_DI : 0;
        spi_pins(rig, di);
        spi_pins(rig, di | EEC_SK);
    }
    spi_pins(rig, 0);
}

static uint32_t spi_in(struct rig *rig, unsigned bits)
{
    uint32_t value = 0;

    while (bits--) {
        spi_pins(rig, EEC_SK);
        value = value << 1 | !!(rd(rig, REG_EEC) & EEC_DO);
        spi_pins(rig, 0);
    }
    return value;
}

static void test_spi_read_gives_the_words_eerd_gives(void **state)
{
    struct rig *rig = *state;
    const unsigned words[] = {0, 0x0f, 0x2c, 0x3f, 0x227, 0x3fff};

    wr(rig, REG_EEC, EEC_REQ);
    assert_true(rd(rig, REG_EEC) & EEC_GNT);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        spi_pins(rig, EEC_CS);
        spi_pins(rig, 0);
        spi_out(rig, 0x03, 8);
        spi_out(rig, words[i] * 2, 16);
        uint32_t bytes = spi_in(rig, 16);
        assert_int_equal((bytes & 0xff) << 8 | bytes >> 8, eerd(rig, words[i]));
    }
    wr(rig, REG_EEC, 0);
    assert_false(rd(rig, REG_EEC) & EEC_GNT);
}

static void test_spi_status_is_ready(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_EEC, EEC_REQ);
    spi_out(rig, 0x05, 8);
    assert_int_equal(spi_in(rig, 8), 0);
}

static void test_semaphore_read_as_free_is_taken(void **state)
{
    struct rig *rig = *state;

    assert_false(rd(rig, REG_SWSM) & SWSM_SMBI);
    assert_true(rd(rig, REG_SWSM) & SWSM_SMBI);
    wr(rig, REG_SWSM, SWSM_SMBI | SWSM_SWESMBI);
    assert_true(rd(rig, REG_SWSM) & SWSM_SWESMBI);
    wr(rig, REG_SWSM, 0);
    assert_false(rd(rig, REG_SWSM) & SWSM_SMBI);
}

/* --- SFP over I2C ---------------------------------------------------------------------------------------------------
 */

static void i2c_lines(struct rig *rig, bool scl, bool sda)
{
    wr(rig, REG_I2CCTL, (scl ? I2CCTL_CLK_OUT : 0) | (sda ? I2CCTL_DATA_OUT : 0));
}

static bool i2c_sda(struct rig *rig)
{
    return rd(rig, REG_I2CCTL) & I2CCTL_DATA_IN;
}

static void i2c_start(struct rig *rig)
{
    i2c_lines(rig, false, true);
    i2c_lines(rig, true, true);
    i2c_lines(rig, true, false);
    i2c_lines(rig, false, false);
}

static void i2c_stop(struct rig *rig)
{
    i2c_lines(rig, false, false);
    i2c_lines(rig, true, false);
    i2c_lines(rig, true, true);
}

static bool i2c_bit(struct rig *rig, bool bit)
{
    i2c_lines(rig, false, bit);
    i2c_lines(rig, true, bit);
    bool seen = i2c_sda(rig);
    i2c_lines(rig, false, bit);
    return seen;
}

/* Returns whether the module acknowledged. */
static bool i2c_send(struct rig *rig, uint8_t byte)
{
    for (int bit = 7; bit >= 0; bit--)
        i2c_bit(rig, byte >> bit & 1);
    return !i2c_bit(rig, true);
}

static uint8_t i2c_receive(struct rig *rig, bool acknowledge)
{
    uint8_t byte = 0;

    for (int bit = 7; bit >= 0; bit--)
        byte = (uint8_t)(byte << 1 | i2c_bit(rig, true));
    i2c_bit(rig, !acknowledge);
    return byte;
}

static uint8_t sfp_byte(struct rig *rig, uint8_t offset)
{
    i2c_start(rig);
    assert_true(i2c_send(rig, 0xa0));
    assert_true(i2c_send(rig, offset));
    i2c_start(rig);
    assert_true(i2c_send(rig, 0xa1));
    uint8_t byte = i2c_receive(rig, false);
    i2c_stop(rig);
    return byte;
}

static void test_i2c_idle_lines_are_high(void **state)
{
    struct rig *rig = *state;
    uint32_t lines = rd(rig, REG_I2CCTL);

    assert_true(lines & I2CCTL_CLK_IN);
    assert_true(lines & I2CCTL_DATA_IN);
}

static void test_sfp_is_a_10gbase_sr_module_of_intel(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(sfp_byte(rig, 0), 3);
    assert_int_equal(sfp_byte(rig, 3), 0x10);
    assert_int_equal(sfp_byte(rig, 6), 0);
    assert_int_equal(sfp_byte(rig, 8), 0); /* no passive or active cable */
    assert_int_equal(sfp_byte(rig, 37), 0x00);
    assert_int_equal(sfp_byte(rig, 38), 0x1b);
    assert_int_equal(sfp_byte(rig, 39), 0x21);
}

static void test_sfp_check_codes_are_right(void **state)
{
    struct rig *rig = *state;
    uint8_t base = 0, extended = 0;

    for (uint8_t i = 0; i < 63; i++)
        base = (uint8_t)(base + sfp_byte(rig, i));
    for (uint8_t i = 64; i < 95; i++)
        extended = (uint8_t)(extended + sfp_byte(rig, i));
    assert_int_equal(sfp_byte(rig, 63), base);
    assert_int_equal(sfp_byte(rig, 95), extended);
}

static void test_sfp_sequential_read_continues_until_not_acknowledged(void **state)
{
    struct rig *rig = *state;

    i2c_start(rig);
    i2c_send(rig, 0xa0);
    i2c_send(rig, 37);
    i2c_start(rig);
    i2c_send(rig, 0xa1);
    assert_int_equal(i2c_receive(rig, true), 0x00);
    assert_int_equal(i2c_receive(rig, true), 0x1b);
    assert_int_equal(i2c_receive(rig, false), 0x21);
    assert_int_equal(i2c_receive(rig, false), 0xff); /* the module has let go of the bus */
    i2c_stop(rig);
    assert_int_equal(sfp_byte(rig, 0), 3);
}

static void test_i2c_other_address_is_not_acknowledged(void **state)
{
    struct rig *rig = *state;

    i2c_start(rig);
    assert_false(i2c_send(rig, 0xa2));
    i2c_stop(rig);
    assert_int_equal(sfp_byte(rig, 0), 3);
}

static void test_i2c_write_is_acknowledged_and_changes_nothing(void **state)
{
    struct rig *rig = *state;

    i2c_start(rig);
    assert_true(i2c_send(rig, 0xa0));
    assert_true(i2c_send(rig, 0));
    assert_true(i2c_send(rig, 0x55));
    i2c_stop(rig);
    assert_int_equal(sfp_byte(rig, 0), 3);
}

static void test_i2c_broken_off_anywhere_recovers_with_start(void **state)
{
    struct rig *rig = *state;

    for (unsigned bits = 1; bits < 30; bits++) {
        i2c_start(rig);
        for (unsigned i = 0; i < bits; i++)
            i2c_bit(rig, 0xa0a00 >> (i % 20) & 1);
        /* What drivers do to clear the bus: clock until a slave that holds SDA lets go. */
        for (unsigned i = 0; i < 10; i++)
            i2c_bit(rig, true);
        i2c_start(rig);
        i2c_stop(rig);
        assert_int_equal(sfp_byte(rig, 0), 3);
    }
}

/* --- link, MDIO, interrupts -----------------------------------------------------------------------------------------
 */

static void test_link_change_shows_in_links_and_raises_lsc(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_EIMS, EICR_LSC);
    assert_int_equal(rd(rig, REG_LINKS) & (LINKS_UP | LINKS_SPEED_10G), LINKS_UP | LINKS_SPEED_10G);
    rig->ops->set_link(rig->dev, false);
    assert_int_equal(rd(rig, REG_LINKS) & LINKS_UP, 0);
    assert_int_equal(rig->interrupts, 1);
    assert_int_equal(rd(rig, REG_EICR), EICR_LSC);
    rig->ops->set_link(rig->dev, false); /* no change, no interrupt */
    assert_int_equal(rig->interrupts, 1);
    wr(rig, REG_CTRL, CTRL_RST);
    assert_int_equal(rd(rig, REG_LINKS) & LINKS_UP, 0); /* a reset does not mend the cable */
}

static void test_cage_is_full_whatever_is_written_to_esdp(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_ESDP, 0);
    assert_true(rd(rig, REG_ESDP) & ESDP_SDP2);
}

static void test_mdio_command_completes_and_finds_nobody(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_MSCA, MSCA_MDI_COMMAND | 0x0c010002);
    assert_int_equal(rd(rig, REG_MSCA) & MSCA_MDI_COMMAND, 0);
    assert_int_equal(rd(rig, REG_MSRWD) >> 16, 0xffff);
}

static void test_interrupt_masked_cause_waits_for_the_mask(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_EICS, EICR_LSC);
    assert_int_equal(rig->interrupts, 0);
    wr(rig, REG_EIMS, EICR_LSC);
    assert_int_equal(rig->interrupts, 1);
    wr(rig, REG_EIMS, EICR_RX_MISS); /* the line is high already */
    assert_int_equal(rig->interrupts, 1);
    assert_int_equal(rd(rig, REG_EIMS), EICR_LSC | EICR_RX_MISS);
    wr(rig, REG_EIMC, EICR_RX_MISS);
    assert_int_equal(rd(rig, REG_EIMS), EICR_LSC);
}

static void test_interrupt_causes_are_cleared_by_reading_and_by_writing_ones(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_EIMS, ~0u);
    wr(rig, REG_EICS, EICR_LSC | EICR_FLOW_DIR);
    wr(rig, REG_EICR, EICR_LSC);
    assert_int_equal(rd(rig, REG_EICR), EICR_FLOW_DIR);
    assert_int_equal(rd(rig, REG_EICR), 0);
    wr(rig, REG_EICS, EICR_LSC); /* the line was low: it rises again */
    assert_int_equal(rig->interrupts, 2);
}

static void test_interrupt_auto_mask_applies_only_when_enabled(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_EIMS, EICR_LSC | EICR_FLOW_DIR);
    wr(rig, REG_EIAM, EICR_LSC);
    rd(rig, REG_EICR);
    assert_int_equal(rd(rig, REG_EIMS), EICR_LSC | EICR_FLOW_DIR);
    wr(rig, REG_GPIE, GPIE_EIAME);
    rd(rig, REG_EICR);
    assert_int_equal(rd(rig, REG_EIMS), EICR_FLOW_DIR);
}

static void test_interrupt_queue_write_back_sets_the_bit_ivar_names(void **state)
{
    struct rig *rig = *state;

    rig_start(rig);
    wr(rig, REG_EIMS, 0xffff);
    receive(rig, &(struct packet){.src = 1, .dst = 2});
    assert_int_equal(rig->interrupts, 0); /* no entry is valid yet */
    wr(rig, REG_IVAR, IVAR_VALID | 5);    /* receive, queue 0 */
    receive(rig, &(struct packet){.src = 1, .dst = 2});
    assert_int_equal(rig->interrupts, 1);
    assert_int_equal(rd(rig, REG_EICR), 1u << 5);
}

#define PROBE_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_TEST(test_reset_bits_clear_themselves),
        PROBE_TEST(test_reset_puts_registers_and_address_back),
        PROBE_TEST(test_reset_loses_frames_in_flight_and_counts_them),
        PROBE_TEST(test_eeprom_words_sum_to_baba),
        PROBE_TEST(test_eeprom_sfp_init_list_knows_the_module),
        PROBE_TEST(test_eeprom_firmware_is_not_one_that_refuses_optics),
        PROBE_TEST(test_eewr_word_is_read_back),
        PROBE_TEST(test_spi_read_gives_the_words_eerd_gives),
        PROBE_TEST(test_spi_status_is_ready),
        PROBE_TEST(test_semaphore_read_as_free_is_taken),
        PROBE_TEST(test_i2c_idle_lines_are_high),
        PROBE_TEST(test_sfp_is_a_10gbase_sr_module_of_intel),
        PROBE_TEST(test_sfp_check_codes_are_right),
        PROBE_TEST(test_sfp_sequential_read_continues_until_not_acknowledged),
        PROBE_TEST(test_i2c_other_address_is_not_acknowledged),
        PROBE_TEST(test_i2c_write_is_acknowledged_and_changes_nothing),
        PROBE_TEST(test_i2c_broken_off_anywhere_recovers_with_start),
        PROBE_TEST(test_link_change_shows_in_links_and_raises_lsc),
        PROBE_TEST(test_cage_is_full_whatever_is_written_to_esdp),
        PROBE_TEST(test_mdio_command_completes_and_finds_nobody),
        PROBE_TEST(test_interrupt_masked_cause_waits_for_the_mask),
        PROBE_TEST(test_interrupt_causes_are_cleared_by_reading_and_by_writing_ones),
        PROBE_TEST(test_interrupt_auto_mask_applies_only_when_enabled),
        PROBE_TEST(test_interrupt_queue_write_back_sets_the_bit_ivar_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
