/* From classification to the driver's memory: descriptors, rings, order, and everything that can be wrong with them. */
#include "rig.h"

#include "checksum.h"

static const struct packet plain = {.src = 1, .dst = 2, .sport = 3, .dport = 4, .payload = 40};

/* A frame of exactly n bytes, recognisable by `mark`. */
static struct sim_verdict receive_sized(struct rig *rig, size_t n, uint8_t mark)
{
    return receive(rig, &(struct packet){.src = 1, .dst = 2, .payload = n - 54, .first_byte = mark});
}

static void jumbo(struct rig *rig)
{
    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) | HLREG0_JUMBOEN);
    wr(rig, REG_MAXFRS, 15872u << 16);
}

/* --- descriptors ----------------------------------------------------------------------------------------------------
 */

static void test_rx_frame_lies_in_its_buffer_and_descriptor_says_so(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[200];
    size_t n = build(frame, &plain);

    receive(rig, &plain);
    struct rx_descriptor d = rx_desc(rig, 0, 0);
    assert_int_equal(d.status & 3, 3); /* DD, EOP */
    assert_int_equal(d.length, n);
    assert_memory_equal(rx_buffer(rig, 0, 0), frame, n);
    assert_int_equal(rd(rig, rx_reg(0, RXQ_RDH)), 1);
    assert_int_equal(rx_desc(rig, 0, 1).status & 1, 0);
}

static void test_rx_packet_types_are_told(void **state)
{
    struct rig *rig = *state;
    const struct {
        struct packet p;
        uint32_t info;
    } cases[] = {
        {{.src = 1}, 0x110},
        {{.src = 1, .protocol = 17}, 0x210},
        {{.src = 1, .protocol = 132, .payload = 20}, 0x410},
        {{.src = 1, .protocol = 1}, 0x010},
        {{.src = 1, .fragment = 0x2000}, 0x010},
        {{.src = 1, .ipv6 = true}, 0x140},
        {{.src = 1, .ipv6 = true, .protocol = 17}, 0x240},
        {{.src = 1, .ipv6 = true, .protocol = 58, .payload = 8}, 0x040},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        receive(rig, &cases[i].p);
        assert_int_equal(rx_desc(rig, 0, i).info, cases[i].info);
    }
}

static void test_rx_good_checksums_are_confirmed(void **state)
{
    struct rig *rig = *state;
    const struct {
        struct packet p;
        uint32_t status;
    } cases[] = {
        {{.src = 1}, 0x63},                                          /* IPCS, L4CS */
        {{.src = 1, .protocol = 17, .payload = 3}, 0x73},            /* and UDPCS */
        {{.src = 1, .protocol = 17, .no_udp_checksum = true}, 0x43}, /* only the IP header's */
        {{.src = 1, .fragment = 0x2000}, 0x43},
        {{.src = 1, .ipv6 = true}, 0x23},
        {{.src = 1, .ipv6 = true, .protocol = 17, .payload = 5}, 0x33},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        receive(rig, &cases[i].p);
        assert_int_equal(rx_desc(rig, 0, i).status, cases[i].status);
    }
    assert_int_equal(rd(rig, REG_XEC), 0);
}

static void test_rx_bad_checksums_are_denounced_and_delivered(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[200];
    size_t n = build(frame, &plain);

    frame[n - 1] ^= 0x40; /* payload */
    rig->ops->rx_classify(rig->dev, frame, n);
    frame[n - 1] ^= 0x40;
    frame[14 + 8] ^= 1; /* TTL */
    rig->ops->rx_classify(rig->dev, frame, n);
    rig->ops->rx_write(rig->dev, -1, 2);
    assert_int_equal(rx_desc(rig, 0, 0).status, 0x63 | 1u << 30);
    assert_int_equal(rx_desc(rig, 0, 1).status, 0x63 | 1u << 31);
    assert_int_equal(rd(rig, REG_XEC), 2);
}

static void test_rx_vlan_tag_is_stripped_only_where_asked(void **state)
{
    struct rig *rig = *state;
    struct packet tagged = plain;
    uint8_t frame[200];
    size_t n = build(frame, &plain);

    tagged.vlan = 0x6123;
    receive(rig, &tagged);
    assert_int_equal(rx_desc(rig, 0, 0).length, n + 4);
    assert_int_equal(rx_desc(rig, 0, 0).vlan, 0);
    assert_int_equal(rx_desc(rig, 0, 0).status & 8, 8); /* VP: it had a tag */
    wr(rig, rx_reg(0, RXQ_RXDCTL), QUEUE_ENABLE | RXDCTL_VME);
    receive(rig, &tagged);
    assert_int_equal(rx_desc(rig, 0, 1).length, n);
    assert_int_equal(rx_desc(rig, 0, 1).vlan, 0x6123);
    assert_memory_equal(rx_buffer(rig, 0, 1), frame, n);
    receive(rig, &plain);
    assert_int_equal(rx_desc(rig, 0, 2).status & 8, 0);
}

static void test_rx_fcs_is_delivered_when_not_stripped(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[200];
    size_t n = build(frame, &plain);
    uint32_t fcs;

    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) & ~HLREG0_RXCRCSTRP);
    wr(rig, REG_RDRXCTL, 0);
    receive(rig, &plain);
    assert_int_equal(rx_desc(rig, 0, 0).length, n + 4);
    memcpy(&fcs, rx_buffer(rig, 0, 0) + n, 4);
    assert_int_equal(fcs, sim_fcs(frame, n));
}

static void test_rx_long_frame_takes_as_many_buffers_as_it_needs(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[9100];
    const struct packet p = {.src = 1, .dst = 2, .payload = 9000 - 54, .first_byte = 1};
    size_t n = build(frame, &p);

    jumbo(rig);
    receive(rig, &p);
    for (unsigned i = 0; i < 5; i++) {
        struct rx_descriptor d = rx_desc(rig, 0, i);
        assert_int_equal(d.length, i < 4 ? 2048 : n - 4 * 2048);
        assert_int_equal(d.status & 3, i < 4 ? 1 : 3); /* EOP on the last */
        assert_int_equal(d.status & 0x60, i < 4 ? 0 : 0x60);
        assert_memory_equal(rx_buffer(rig, 0, i), frame + i * 2048, d.length);
    }
    assert_int_equal(rd(rig, rx_reg(0, RXQ_RDH)), 5);
    assert_int_equal(rd(rig, REG_QPRC), 1);
}

static void test_rx_frame_that_fills_a_buffer_takes_one(void **state)
{
    struct rig *rig = *state;

    jumbo(rig);
    receive_sized(rig, 2048, 1);
    assert_int_equal(rx_desc(rig, 0, 0).status & 3, 3);
    receive_sized(rig, 2049, 1);
    assert_int_equal(rx_desc(rig, 0, 1).status & 3, 1);
    assert_int_equal(rx_desc(rig, 0, 2).length, 1);
}

/* --- rings ----------------------------------------------------------------------------------------------------------
 */

static void test_rx_ring_wraps_for_ever(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 5 * RIG_RING; i++) {
        unsigned slot = i % RIG_RING;
        receive(rig, &(struct packet){.src = 1, .dst = 2, .payload = 10, .first_byte = (uint8_t)i});
        assert_int_equal(rx_desc(rig, 0, slot).status & 3, 3);
        assert_int_equal(rx_buffer(rig, 0, slot)[54], (uint8_t)i);
        uint64_t qword[2] = {RIG_BUS + rx_buffer_at(0, slot), 0};
        memcpy(rig->memory + rx_ring_at(0) + slot * 16, qword, 16);
        wr(rig, rx_reg(0, RXQ_RDT), slot); /* give it back, one behind */
    }
    assert_int_equal(rd(rig, REG_QPRC), 5 * RIG_RING);
}

static void test_rx_long_frame_wraps_in_the_middle(void **state)
{
    struct rig *rig = *state;

    jumbo(rig);
    wr(rig, rx_reg(0, RXQ_RDH), RIG_RING - 2);
    wr(rig, rx_reg(0, RXQ_RDT), RIG_RING - 3);
    receive_sized(rig, 5000, 7);
    assert_int_equal(rx_desc(rig, 0, RIG_RING - 2).status & 3, 1);
    assert_int_equal(rx_desc(rig, 0, RIG_RING - 1).status & 3, 1);
    assert_int_equal(rx_desc(rig, 0, 0).status & 3, 3);
    assert_int_equal(rd(rig, rx_reg(0, RXQ_RDH)), 1);
}

static void test_rx_out_of_descriptors_drops_when_told_to(void **state)
{
    struct rig *rig = *state;

    wr(rig, rx_reg(0, RXQ_RDT), 2);
    for (unsigned i = 0; i < 5; i++)
        receive(rig, &plain);
    assert_int_equal(rd(rig, REG_QPRC), 2);
    assert_int_equal(rd(rig, REG_QPRDC), 3);
    assert_int_equal(drops(rig, "no receive descriptor"), 3);
    assert_int_equal(rd(rig, REG_GPRC), 5); /* the erratum: received and missed */
}

static void no_drop(struct rig *rig, unsigned queue)
{
    wr(rig, rx_reg(queue, RXQ_SRRCTL), SRRCTL_ADV_ONEBUF | 2);
}

static void test_rx_out_of_descriptors_waits_otherwise_and_blocks_what_came_later(void **state)
{
    struct rig *rig = *state;
    struct packet other = plain;

    /* UDP goes to queue 1, the rest to 0. */
    wr(rig, REG_MRQC, MRQC_MRQE_RSS | MRQC_UDP_IPV4);
    for (unsigned i = 0; i < 32; i++)
        wr(rig, REG_RETA + i * 4, 0x01010101);
    other.protocol = 17;
    no_drop(rig, 0);
    wr(rig, rx_reg(0, RXQ_RDT), 1);
    receive(rig, &plain);
    receive(rig, &plain);
    receive(rig, &other);
    assert_int_equal(rx_desc(rig, 1, 0).status & 1, 0); /* behind the frame that waits */
    assert_int_equal(rig->ready, RIG_QUEUES * 2);       /* from starting the transmit queues */
    wr(rig, rx_reg(0, RXQ_RDT), 2);
    assert_int_equal(rig->ready, RIG_QUEUES * 2 + 1); /* the core is told that frames can move */
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, 10), 2);
    assert_int_equal(rx_desc(rig, 0, 1).status & 1, 1);
    assert_int_equal(rx_desc(rig, 1, 0).status & 1, 1);
    assert_int_equal(rd(rig, REG_QPRDC), 0);
}

static void test_rx_packet_buffer_overflow_is_missed_and_interrupts(void **state)
{
    struct rig *rig = *state;
    unsigned held = 0;

    no_drop(rig, 0);
    wr(rig, rx_reg(0, RXQ_RDT), 0);
    wr(rig, REG_RXPBSIZE, 64 << 10);
    wr(rig, REG_EIMS, EICR_RX_MISS);
    while (receive_sized(rig, 1514, 0).queue == 0)
        held++;
    assert_int_equal(held, 64 * 1024 / 1536); /* whole 64-byte lines */
    assert_int_equal(rd(rig, REG_MPC), 1);
    assert_int_equal(rig->interrupts, 1);
    assert_int_equal(drops(rig, "receive packet buffer full"), 1);
    wr(rig, rx_reg(0, RXQ_RDT), RIG_RING - 1);
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, ~0u), RIG_RING - 1);
    assert_int_equal(receive_sized(rig, 1514, 0).queue, 0); /* there is room again */
}

static void test_rx_stage_pool_is_the_last_limit(void **state)
{
    struct rig *rig = *state;
    unsigned held = 0;

    while (classify(rig, &(struct packet){.src = 1}).queue == 0)
        held++;
    assert_int_equal(held, 2048);
    wr(rig, REG_CTRL, CTRL_RST);
    rig_start(rig);
    for (unsigned i = 0; i < 2048; i++)
        assert_int_equal(classify(rig, &(struct packet){.src = 1}).queue, 0); /* none was lost */
}

static void test_rx_two_steps_keep_queues_apart(void **state)
{
    struct rig *rig = *state;
    struct packet other = plain;

    wr(rig, REG_MRQC, MRQC_MRQE_RSS | MRQC_UDP_IPV4);
    for (unsigned i = 0; i < 32; i++)
        wr(rig, REG_RETA + i * 4, 0x01010101);
    other.protocol = 17;
    classify(rig, &plain);
    classify(rig, &other);
    classify(rig, &plain);
    assert_int_equal(rx_desc(rig, 0, 0).status & 1, 0);
    assert_int_equal(rig->ops->rx_write(rig->dev, 1, 10), 1);
    assert_int_equal(rx_desc(rig, 1, 0).status & 1, 1);
    assert_int_equal(rx_desc(rig, 0, 0).status & 1, 0);
    assert_int_equal(rig->ops->rx_write(rig->dev, 0, 1), 1);
    assert_int_equal(rx_desc(rig, 0, 1).status & 1, 0);
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, 10), 1);
    assert_int_equal(rx_desc(rig, 0, 1).status & 1, 1);
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, 10), 0);
    assert_int_equal(rig->ops->rx_write(rig->dev, 999, 10), 0);
}

static void test_rx_queues_64_and_up_have_their_registers_elsewhere(void **state)
{
    struct rig *rig = *state;
    uint64_t base = RIG_BUS + rx_ring_at(0);

    wr(rig, rx_reg(0, RXQ_RXDCTL), 0);
    rig_refill(rig, 0);
    wr(rig, 0x0d000 + 36 * 0x40, (uint32_t)base); /* queue 100 */
    wr(rig, 0x0d004 + 36 * 0x40, (uint32_t)(base >> 32));
    wr(rig, 0x0d008 + 36 * 0x40, RIG_RING * 16);
    wr(rig, 0x0d014 + 36 * 0x40, SRRCTL_ADV_ONEBUF | 2);
    wr(rig, 0x0d018 + 36 * 0x40, 5);
    wr(rig, 0x0d028 + 36 * 0x40, QUEUE_ENABLE);
    wr(rig, REG_SYNQF, SYNQF_QUEUE_EN | 100 << 1);
    struct packet syn = plain;
    syn.tcp_flags = 2;
    assert_int_equal(receive(rig, &syn).queue, 100);
    assert_int_equal(rd(rig, 0x0d010 + 36 * 0x40), 1);
    assert_int_equal(rx_desc(rig, 0, 0).status & 3, 3);
}

/* --- hostile registers and memory -----------------------------------------------------------------------------------
 */

static void test_rx_disabled_queue_drops(void **state)
{
    struct rig *rig = *state;

    wr(rig, rx_reg(0, RXQ_RXDCTL), 0);
    receive(rig, &plain);
    assert_int_equal(drops(rig, "receive queue disabled"), 1);
    assert_int_equal(rd(rig, REG_QPRDC), 1);
    assert_int_equal(rd(rig, rx_reg(0, RXQ_RDH)), 0);
}

static void test_rx_senseless_ring_registers_drop(void **state)
{
    struct rig *rig = *state;
    const struct {
        uint32_t reg, bad, good;
    } cases[] = {
        {RXQ_RDLEN, 0, RIG_RING * 16},
        {RXQ_RDLEN, 127, RIG_RING * 16}, /* below one unit */
        {RXQ_RDT, RIG_RING, RIG_RING - 1},
        {RXQ_RDT, ~0u, RIG_RING - 1},
        {RXQ_RDH, RIG_RING, 0},
        {RXQ_SRRCTL, SRRCTL_ADV_ONEBUF, SRRCTL_ADV_ONEBUF | 2}, /* no buffer size */
    };
    const unsigned n = sizeof cases / sizeof cases[0];

    for (unsigned i = 0; i < n; i++) {
        wr(rig, rx_reg(0, cases[i].reg), cases[i].bad);
        receive(rig, &plain);
        wr(rig, rx_reg(0, cases[i].reg), cases[i].good);
    }
    assert_int_equal(drops(rig, "receive ring registers out of range"), n);
    assert_int_equal(rd(rig, REG_QPRDC), n);
    receive(rig, &plain);
    assert_int_equal(rd(rig, REG_QPRC), 1);
}

static void test_rx_other_descriptor_types_are_refused(void **state)
{
    struct rig *rig = *state;

    wr(rig, rx_reg(0, RXQ_SRRCTL), 2); /* legacy */
    receive(rig, &plain);
    wr(rig, rx_reg(0, RXQ_SRRCTL), 2 | 2u << 25); /* header split */
    receive(rig, &plain);
    assert_int_equal(drops(rig, "receive descriptor type not modelled"), 2);
}

static void test_rx_ring_outside_memory_drops(void **state)
{
    struct rig *rig = *state;

    wr(rig, rx_reg(0, RXQ_RDBAH), 0xdeadbeef);
    receive(rig, &plain);
    wr(rig, rx_reg(0, RXQ_RDBAH), (uint32_t)((RIG_BUS + RIG_MEMORY) >> 32));
    wr(rig, rx_reg(0, RXQ_RDBAL), (uint32_t)(RIG_BUS + RIG_MEMORY)); /* just behind the end */
    receive(rig, &plain);
    assert_int_equal(drops(rig, "receive ring or buffer address is not the program's memory"), 2);
}

static void test_rx_buffer_outside_memory_drops_and_keeps_the_descriptor(void **state)
{
    struct rig *rig = *state;
    const uint64_t bad[] = {0, RIG_BUS - 1, RIG_BUS + RIG_MEMORY - 93, UINT64_MAX};

    for (unsigned i = 0; i < 4; i++) {
        memcpy(rig->memory + rx_ring_at(0), &bad[i], 8);
        receive(rig, &plain); /* 94 bytes */
        assert_int_equal(rd(rig, rx_reg(0, RXQ_RDH)), 0);
    }
    assert_int_equal(drops(rig, "receive ring or buffer address is not the program's memory"), 4);
    uint64_t last = RIG_BUS + RIG_MEMORY - 94; /* fits to the byte */
    memcpy(rig->memory + rx_ring_at(0), &last, 8);
    receive(rig, &plain);
    assert_int_equal(rx_desc(rig, 0, 0).status & 3, 3);
}

static void test_rx_second_buffer_bad_hands_nothing_back(void **state)
{
    struct rig *rig = *state;
    uint64_t bad = 42;

    jumbo(rig);
    memcpy(rig->memory + rx_ring_at(0) + 16, &bad, 8);
    receive_sized(rig, 3000, 1);
    assert_int_equal(rx_desc(rig, 0, 0).status & 1, 0);
    assert_int_equal(rd(rig, rx_reg(0, RXQ_RDH)), 0);
}

static void test_rx_frame_bigger_than_the_whole_ring_is_dropped_not_waited_for(void **state)
{
    struct rig *rig = *state;

    jumbo(rig);
    wr(rig, rx_reg(0, RXQ_RDLEN), 8 * 16);
    wr(rig, rx_reg(0, RXQ_RDT), 7);
    wr(rig, rx_reg(0, RXQ_SRRCTL), SRRCTL_ADV_ONEBUF | 1); /* 7 KiB at most, and no DROP_EN */
    receive_sized(rig, 15000, 1);
    assert_int_equal(drops(rig, "no receive descriptor"), 1);
    receive(rig, &plain);
    assert_int_equal(rx_desc(rig, 0, 0).status & 3, 3);
}

static void test_rx_drop_in_the_second_step_is_remarked(void **state)
{
    struct rig *rig = *state;

    rig->tracing = true;
    wr(rig, rx_reg(0, RXQ_RXDCTL), 0);
    receive(rig, &plain);
    assert_string_equal(rig->trace, "rx queue 0: frame dropped (receive queue disabled)");
}

#define RX_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_started, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RX_TEST(test_rx_frame_lies_in_its_buffer_and_descriptor_says_so),
        RX_TEST(test_rx_packet_types_are_told),
        RX_TEST(test_rx_good_checksums_are_confirmed),
        RX_TEST(test_rx_bad_checksums_are_denounced_and_delivered),
        RX_TEST(test_rx_vlan_tag_is_stripped_only_where_asked),
        RX_TEST(test_rx_fcs_is_delivered_when_not_stripped),
        RX_TEST(test_rx_long_frame_takes_as_many_buffers_as_it_needs),
        RX_TEST(test_rx_frame_that_fills_a_buffer_takes_one),
        RX_TEST(test_rx_ring_wraps_for_ever),
        RX_TEST(test_rx_long_frame_wraps_in_the_middle),
        RX_TEST(test_rx_out_of_descriptors_drops_when_told_to),
        RX_TEST(test_rx_out_of_descriptors_waits_otherwise_and_blocks_what_came_later),
        RX_TEST(test_rx_packet_buffer_overflow_is_missed_and_interrupts),
        RX_TEST(test_rx_stage_pool_is_the_last_limit),
        RX_TEST(test_rx_two_steps_keep_queues_apart),
        RX_TEST(test_rx_queues_64_and_up_have_their_registers_elsewhere),
        RX_TEST(test_rx_disabled_queue_drops),
        RX_TEST(test_rx_senseless_ring_registers_drop),
        RX_TEST(test_rx_other_descriptor_types_are_refused),
        RX_TEST(test_rx_ring_outside_memory_drops),
        RX_TEST(test_rx_buffer_outside_memory_drops_and_keeps_the_descriptor),
        RX_TEST(test_rx_second_buffer_bad_hands_nothing_back),
        RX_TEST(test_rx_frame_bigger_than_the_whole_ring_is_dropped_not_waited_for),
        RX_TEST(test_rx_drop_in_the_second_step_is_remarked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
