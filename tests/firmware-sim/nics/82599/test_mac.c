/* Which frames the MAC lets in, and under which counter the others go. */
#include "rig.h"

static uint8_t frame[20000];

static struct sim_verdict deliver(struct rig *rig, const char *destination, size_t n)
{
    build(frame, &(struct packet){.src = 1, .dst = 2, .payload = n > 54 ? n - 54 : 0});
    memcpy(frame, destination, 6);
    return rig->ops->rx_classify(rig->dev, frame, n);
}

#define OURS      "\x02\x82\x59\x90\x00\x01"
#define OTHER     "\x02\x82\x59\x90\x00\x02"
#define BROADCAST "\xff\xff\xff\xff\xff\xff"
#define MULTICAST "\x01\x00\x5e\x12\x34\x56"

static bool accepted(struct rig *rig, const char *destination)
{
    struct sim_verdict v = deliver(rig, destination, 64);

    assert_true(v.queue >= 0 || v.drop);
    return v.queue >= 0;
}

static void test_mac_receiver_off_takes_nothing(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_RXCTRL, 0);
    assert_false(accepted(rig, OURS));
    assert_int_equal(drops(rig, "receiver disabled"), 1);
    assert_int_equal(rd(rig, REG_TPR), 0);
}

static void test_mac_link_down_takes_nothing(void **state)
{
    struct rig *rig = *state;

    rig->ops->set_link(rig->dev, false);
    assert_false(accepted(rig, OURS));
    assert_int_equal(drops(rig, "link down"), 1);
}

static void test_mac_own_address_only(void **state)
{
    struct rig *rig = *state;

    assert_true(accepted(rig, OURS));
    assert_false(accepted(rig, OTHER));
    assert_int_equal(drops(rig, "destination address not accepted"), 1);
    assert_int_equal(rd(rig, REG_TPR), 2);
    assert_int_equal(rd(rig, REG_GPRC), 1);
}

static void test_mac_every_receive_address_counts_while_valid(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_RAL + 127 * 8, 0x90598202);
    wr(rig, REG_RAL + 127 * 8 + 4, 0x0200);
    assert_false(accepted(rig, OTHER)); /* not valid yet */
    wr(rig, REG_RAL + 127 * 8 + 4, RAH_AV | 0x0200);
    assert_true(accepted(rig, OTHER));
}

static void test_mac_broadcast_needs_bam(void **state)
{
    struct rig *rig = *state;

    assert_true(accepted(rig, BROADCAST));
    wr(rig, REG_FCTRL, 0);
    assert_false(accepted(rig, BROADCAST));
}

static void test_mac_unicast_promiscuous_takes_unicast_only(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_FCTRL, FCTRL_UPE);
    assert_true(accepted(rig, OTHER));
    assert_false(accepted(rig, MULTICAST));
}

static void test_mac_multicast_promiscuous_takes_multicast_only(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_FCTRL, FCTRL_MPE);
    assert_true(accepted(rig, MULTICAST));
    assert_true(accepted(rig, BROADCAST));
    assert_false(accepted(rig, OTHER));
}

static void test_mac_multicast_hash_uses_the_chosen_bits(void **state)
{
    struct rig *rig = *state;
    /* Bytes 4 and 5 are 34, 56: bits 47:32 are 0x5634; each offset takes twelve of them. */
    const unsigned bit_of_offset[] = {0x563, 0xac6, 0x58d, 0x634};

    for (unsigned offset = 0; offset < 4; offset++) {
        memcpy(frame, MULTICAST, 6);
        unsigned bit = bit_of_offset[offset];
        wr(rig, REG_MTA + bit / 32 * 4, 1u << bit % 32);
        wr(rig, REG_MCSTCTRL, offset);
        build(frame, &(struct packet){.src = 1});
        memcpy(frame, "\x01\x00\x5e\x00\x34\x56", 6);
        assert_int_equal(rig->ops->rx_classify(rig->dev, frame, 64).queue, -1); /* the table is not enabled */
        wr(rig, REG_MCSTCTRL, offset | MCSTCTRL_MFE);
        assert_int_equal(rig->ops->rx_classify(rig->dev, frame, 64).queue, 0);
        wr(rig, REG_MTA + bit / 32 * 4, 0);
        assert_int_equal(rig->ops->rx_classify(rig->dev, frame, 64).queue, -1);
    }
}

static void test_mac_size_limits_are_60_and_the_maximum_frame(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(deliver(rig, OURS, 59).queue, -1);
    assert_int_equal(rd(rig, REG_RUC), 1);
    assert_int_equal(deliver(rig, OURS, 60).queue, 0);
    assert_int_equal(deliver(rig, OURS, 1514).queue, 0);
    assert_int_equal(deliver(rig, OURS, 1515).queue, -1);
    assert_int_equal(rd(rig, REG_ROC), 1);
}

static void test_mac_jumbo_limit_is_maxfrs_and_never_more_than_the_silicons(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_MAXFRS, 9018u << 16);
    assert_int_equal(deliver(rig, OURS, 9014).queue, -1); /* JUMBOEN is off */
    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) | HLREG0_JUMBOEN);
    assert_int_equal(deliver(rig, OURS, 9014).queue, 0);
    assert_int_equal(deliver(rig, OURS, 9015).queue, -1);
    wr(rig, REG_MAXFRS, 0xffffu << 16);
    assert_int_equal(deliver(rig, OURS, 15868).queue, 0);
    assert_int_equal(deliver(rig, OURS, 15869).queue, -1);
    assert_int_equal(rig->ops->rx_classify(rig->dev, frame, 0).queue, -1);
}

static void test_mac_vlan_tag_may_exceed_the_limit_by_its_size(void **state)
{
    struct rig *rig = *state;
    size_t n = build(frame, &(struct packet){.src = 1, .vlan = 5, .payload = 1460});

    assert_int_equal(n, 1518);
    assert_int_equal(rig->ops->rx_classify(rig->dev, frame, n).queue, 0);
}

static void test_mac_vlan_filter_takes_members_only(void **state)
{
    struct rig *rig = *state;
    const struct packet tagged = {.src = 1, .vlan = 0x2000 | 37};

    assert_int_equal(classify(rig, &tagged).queue, 0);
    wr(rig, REG_VLNCTRL, VLNCTRL_VFE | 0x8100);
    assert_int_equal(classify(rig, &tagged).queue, -1);
    assert_int_equal(drops(rig, "VLAN not in the filter table"), 1);
    assert_int_equal(classify(rig, &(struct packet){.src = 1}).queue, 0); /* untagged: not its business */
    wr(rig, REG_VFTA + 4, 1u << 5);
    assert_int_equal(classify(rig, &tagged).queue, 0);
}

#define MAC_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_started, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAC_TEST(test_mac_receiver_off_takes_nothing),
        MAC_TEST(test_mac_link_down_takes_nothing),
        MAC_TEST(test_mac_own_address_only),
        MAC_TEST(test_mac_every_receive_address_counts_while_valid),
        MAC_TEST(test_mac_broadcast_needs_bam),
        MAC_TEST(test_mac_unicast_promiscuous_takes_unicast_only),
        MAC_TEST(test_mac_multicast_promiscuous_takes_multicast_only),
        MAC_TEST(test_mac_multicast_hash_uses_the_chosen_bits),
        MAC_TEST(test_mac_size_limits_are_60_and_the_maximum_frame),
        MAC_TEST(test_mac_jumbo_limit_is_maxfrs_and_never_more_than_the_silicons),
        MAC_TEST(test_mac_vlan_tag_may_exceed_the_limit_by_its_size),
        MAC_TEST(test_mac_vlan_filter_takes_members_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
