/* The statistics registers: cleared by reading, adding up, mapped by queue. */
#include "rig.h"

static struct sim_verdict receive_bytes(struct rig *rig, size_t n)
{
    return receive(rig, &(struct packet){.src = 1, .dst = 2, .payload = n - 54});
}

static void test_stats_receive_counters_add_up_and_clear(void **state)
{
    struct rig *rig = *state;

    receive_bytes(rig, 100);
    receive_bytes(rig, 1514);
    receive_bytes(rig, 60);
    assert_int_equal(rd(rig, REG_TPR), 3);
    assert_int_equal(rd(rig, REG_GPRC), 3);
    assert_int_equal(rd(rig, REG_QPRC), 3);
    assert_int_equal(rd(rig, REG_GORCL), 1674); /* without FCS, because it is stripped */
    assert_int_equal(rd(rig, REG_QBRC_L), 1674);
    assert_int_equal(rd(rig, REG_TORL), 1674 + 3 * 4);
    const uint32_t all[] = {REG_TPR, REG_GPRC, REG_QPRC, REG_GORCL, REG_GORCL + 4, REG_QBRC_L, REG_TORL};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_int_equal(rd(rig, all[i]), 0);
}

static void test_stats_octets_include_the_fcs_when_it_is_not_stripped(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_HLREG0, 0);
    wr(rig, REG_RDRXCTL, 0);
    receive_bytes(rig, 100);
    assert_int_equal(rd(rig, REG_GORCL), 104);
    assert_int_equal(rd(rig, REG_QBRC_L), 104);
}

static void test_stats_size_buckets_have_their_edges_at_wire_sizes(void **state)
{
    struct rig *rig = *state;
    const struct {
        size_t bytes; /* without FCS */
        unsigned bucket;
    } cases[] = {{60, 0},  {61, 1},  {123, 1},  {124, 2},  {251, 2}, {252, 3},
                 {507, 3}, {508, 4}, {1019, 4}, {1020, 5}, {1514, 5}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        receive_bytes(rig, cases[i].bytes);
        for (unsigned b = 0; b < 6; b++)
            assert_int_equal(rd(rig, REG_PRC64 + b * 4), b == cases[i].bucket);
    }
}

static void test_stats_broadcast_is_not_multicast(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    wr(rig, REG_FCTRL, FCTRL_BAM | FCTRL_MPE);
    rig->ops->rx_classify(rig->dev, frame, sizeof frame);
    frame[5] = 0xfe;
    rig->ops->rx_classify(rig->dev, frame, sizeof frame);
    rig->ops->rx_classify(rig->dev, frame, sizeof frame);
    assert_int_equal(rd(rig, REG_BPRC), 1);
    assert_int_equal(rd(rig, REG_MPRC), 2);
}

static void send(struct rig *rig, unsigned queue, size_t n)
{
    unsigned tail = rd(rig, tx_reg(queue, TXQ_TDT));
    uint32_t command = 3u << 20 | 1u << 24 | 1u << 25 | 1u << 27 | 1u << 29 | (uint32_t)n;

    put_tx_desc(rig, queue, tail, (struct tx_descriptor){RIG_BUS + TX_DATA_AT, command, (uint32_t)n << 14});
    wr(rig, tx_reg(queue, TXQ_TDT), (tail + 1) % RIG_RING);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 1), 1);
}

static void test_stats_transmit_counters_add_up_and_clear(void **state)
{
    struct rig *rig = *state;

    build(tx_data(rig), &(struct packet){.src = 1, .payload = 1460});
    send(rig, 0, 100);
    send(rig, 3, 1514);
    tx_data(rig)[0] = 0x01;
    send(rig, 3, 60);
    memset(tx_data(rig), 0xff, 6);
    send(rig, 3, 60);
    assert_int_equal(rd(rig, REG_GPTC), 4);
    assert_int_equal(rd(rig, REG_TPT), 4);
    assert_int_equal(rd(rig, REG_GOTCL), 1734 + 4 * 4); /* with FCS */
    assert_int_equal(rd(rig, REG_QBTC_L), 1734);        /* without */
    assert_int_equal(rd(rig, REG_QPTC), 4);
    assert_int_equal(rd(rig, REG_MPTC), 1);
    assert_int_equal(rd(rig, REG_BPTC), 1);
    assert_int_equal(rd(rig, REG_PTC64), 2);
    assert_int_equal(rd(rig, REG_PTC64 + 4), 1);
    assert_int_equal(rd(rig, REG_PTC64 + 20), 1);
    assert_int_equal(rd(rig, REG_GPTC) | rd(rig, REG_GOTCL) | rd(rig, REG_QPTC) | rd(rig, REG_QBTC_L), 0);
}

static void test_stats_queues_count_where_rqsmr_and_tqsm_map_them(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_RQSMR, 5);           /* receive queue 0 to counter 5 */
    wr(rig, REG_TQSM + 4, 15u << 8); /* transmit queue 5 to counter 15 */
    receive_bytes(rig, 100);
    send(rig, 5, 100);
    send(rig, 4, 100);
    assert_int_equal(rd(rig, REG_QPRC), 0);
    assert_int_equal(rd(rig, REG_QPRC + 5 * 0x40), 1);
    assert_int_equal(rd(rig, REG_QBRC_L + 5 * 0x40), 100);
    assert_int_equal(rd(rig, REG_QPTC + 15 * 0x40), 1);
    assert_int_equal(rd(rig, REG_QBTC_L + 15 * 8), 100);
    assert_int_equal(rd(rig, REG_QPTC), 1);
    wr(rig, rx_reg(0, RXQ_RXDCTL), 0);
    receive_bytes(rig, 100);
    assert_int_equal(rd(rig, REG_QPRDC + 5 * 0x40), 1);
}

static void test_stats_octets_carry_into_the_high_register(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[15868];

    build(frame, &(struct packet){.src = 1});
    wr(rig, REG_HLREG0, HLREG0_JUMBOEN | HLREG0_RXCRCSTRP);
    wr(rig, REG_MAXFRS, 15872u << 16);
    wr(rig, rx_reg(0, RXQ_RXDCTL), 0);
    uint64_t frames = (1ull << 32) / sizeof frame + 1;
    for (uint64_t i = 0; i < frames; i++) {
        rig->ops->rx_classify(rig->dev, frame, sizeof frame);
        rig->ops->rx_write(rig->dev, -1, 1);
    }
    uint64_t octets = rd(rig, REG_GORCL);
    octets |= (uint64_t)rd(rig, REG_GORCL + 4) << 32;
    assert_true(octets == frames * sizeof frame);
    assert_int_equal(rd(rig, REG_GPRC), frames);
}

#define STATS_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_started, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATS_TEST(test_stats_receive_counters_add_up_and_clear),
        STATS_TEST(test_stats_octets_include_the_fcs_when_it_is_not_stripped),
        STATS_TEST(test_stats_size_buckets_have_their_edges_at_wire_sizes),
        STATS_TEST(test_stats_broadcast_is_not_multicast),
        STATS_TEST(test_stats_transmit_counters_add_up_and_clear),
        STATS_TEST(test_stats_queues_count_where_rqsmr_and_tqsm_map_them),
        STATS_TEST(test_stats_octets_carry_into_the_high_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
