/* MAC loopback: what is sent comes back through the receive filters, and the wire is out of it. */
#include "rig.h"

#define COMMAND_SEND (3u << 20 | 1u << 24 | 1u << 27 | 1u << 29) /* data, EOP, RS, DEXT */

static int setup(void **state)
{
    rig_setup_started(state);
    struct rig *rig = *state;
    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) | HLREG0_LPBK);
    return 0;
}

static const struct packet mine = {
    .src = IP(10, 0, 0, 1), .dst = IP(10, 0, 0, 2), .sport = 1, .dport = 2, .payload = 100};

static size_t transmit(struct rig *rig, bool to_somebody_else)
{
    size_t n = build(tx_data(rig), &mine);
    tx_data(rig)[5] ^= to_somebody_else;
    put_tx_desc(rig, 0, 0, (struct tx_descriptor){RIG_BUS + TX_DATA_AT, COMMAND_SEND | (uint32_t)n, (uint32_t)n << 14});
    wr(rig, tx_reg(0, TXQ_TDH), 0);
    wr(rig, tx_reg(0, TXQ_TDT), 1);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 8), 1);
    return n;
}

static void test_sent_frame_is_received_and_not_on_the_wire(void **state)
{
    struct rig *rig = *state;
    size_t n = transmit(rig, false);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(rig->looped.queue, 0);
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, 8), 1);
    assert_int_equal(rx_desc(rig, 0, 0).length, n);
    assert_memory_equal(rx_buffer(rig, 0, 0), tx_data(rig), n);
    assert_int_equal(rd(rig, REG_GPTC), 1);
    assert_int_equal(rd(rig, REG_GPRC), 1);
}

static void test_filters_apply_to_what_comes_back(void **state)
{
    struct rig *rig = *state;
    transmit(rig, true);
    assert_int_equal(rig->looped.queue, -1);
    assert_int_equal(drops(rig, "destination address not accepted"), 1);
}

static void test_frames_from_the_wire_are_not_heard(void **state)
{
    struct rig *rig = *state;
    struct sim_verdict v = classify(rig, &mine);
    assert_int_equal(v.queue, -1);
    assert_int_equal(drops(rig, "from the wire while in loopback"), 1);
}

static void test_link_is_up_with_nothing_plugged_in(void **state)
{
    struct rig *rig = *state;
    rig->ops->set_link(rig->dev, false);
    assert_true(rd(rig, REG_LINKS) & LINKS_UP);
    transmit(rig, false);
    assert_int_equal(rig->looped.queue, 0);
    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) & ~HLREG0_LPBK);
    assert_false(rd(rig, REG_LINKS) & LINKS_UP);
    transmit(rig, false);
    assert_int_equal(drops(rig, "sent while the link is down"), 1);
}

static void test_end_of_loopback_gives_the_wire_back(void **state)
{
    struct rig *rig = *state;
    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) & ~HLREG0_LPBK);
    transmit(rig, false);
    assert_int_equal(rig->sent, 1);
    assert_int_equal(classify(rig, &mine).queue, 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_sent_frame_is_received_and_not_on_the_wire), WITH_RIG(test_filters_apply_to_what_comes_back),
        WITH_RIG(test_frames_from_the_wire_are_not_heard),         WITH_RIG(test_link_is_up_with_nothing_plugged_in),
        WITH_RIG(test_end_of_loopback_gives_the_wire_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
