/* RSS, the 5-tuple, SYN and EtherType filters, and which of them goes first. */
#include "rig.h"

#include <arpa/inet.h>

#define RSS_ALL (MRQC_MRQE_RSS | MRQC_TCP_IPV4 | MRQC_UDP_IPV4 | MRQC_IPV4 | MRQC_TCP_IPV6 | MRQC_UDP_IPV6 | MRQC_IPV6)

static const uint8_t microsoft_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                          0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                          0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                          0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static void set_key(struct rig *rig, const uint8_t key[40])
{
    for (unsigned i = 0; i < 10; i++) {
        uint32_t word;
        memcpy(&word, key + i * 4, 4);
        wr(rig, REG_RSSRK + i * 4, word);
    }
}

/* RETA entry i says queue i mod 16, so that the queue shows the hash's low bits. */
static int setup(void **state)
{
    rig_setup_started(state);
    struct rig *rig = *state;

    set_key(rig, microsoft_key);
    wr(rig, REG_MRQC, RSS_ALL);
    for (unsigned i = 0; i < 128; i += 4)
        wr(rig, REG_RETA + i, (i + 3) % 16 << 24 | (i + 2) % 16 << 16 | (i + 1) % 16 << 8 | i % 16);
    return 0;
}

/* --- RSS ------------------------------------------------------------------------------------------------------------
 */

static const struct packet published = {
    .src = IP(66, 9, 149, 187), .dst = IP(161, 142, 100, 80), .sport = 2794, .dport = 1766};

static struct sim_verdict receive_as(struct rig *rig, uint8_t protocol, uint16_t fragment)
{
    struct packet p = published;

    p.protocol = protocol;
    p.fragment = fragment;
    return receive(rig, &p);
}

static void test_rss_tcp_goes_where_the_published_hash_points(void **state)
{
    struct rig *rig = *state;
    struct sim_verdict v = receive_as(rig, 6, 0);

    assert_int_equal(v.rss_hash, 0x51ccc178);
    assert_string_equal(v.table, "rss");
    assert_int_equal(v.rule, 0x78);
    assert_int_equal(v.queue, 0x78 % 16);
    struct rx_descriptor d = rx_desc(rig, 8, 0);
    assert_int_equal(d.hash, 0x51ccc178);
    assert_int_equal(d.info & 0xf, 1);
}

static void test_rss_type_follows_packet_and_mrqc(void **state)
{
    struct rig *rig = *state;
    const struct {
        uint32_t mrqc;
        uint8_t protocol;
        uint16_t fragment;
        uint32_t hash;
    } cases[] = {
        {RSS_ALL, 17, 0, 0x51ccc178},
        {RSS_ALL, 1, 0, 0x323e8fc2},
        {RSS_ALL, 6, 0x2000, 0x323e8fc2}, /* the first fragment too */
        {RSS_ALL, 6, 0x0010, 0x323e8fc2},
        {MRQC_MRQE_RSS | MRQC_IPV4, 6, 0, 0x323e8fc2},
        {MRQC_MRQE_RSS | MRQC_TCP_IPV4, 17, 0, 0},
        {MRQC_MRQE_RSS | MRQC_UDP_IPV4, 17, 0, 0x51ccc178},
        {MRQC_TCP_IPV4 | MRQC_IPV4, 6, 0, 0}, /* RSS itself is off */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wr(rig, REG_MRQC, cases[i].mrqc);
        struct sim_verdict v = receive_as(rig, cases[i].protocol, cases[i].fragment);
        assert_int_equal(v.rss_hash, cases[i].hash);
        assert_string_equal(v.table, cases[i].hash ? "rss" : "default");
        assert_int_equal(v.queue, cases[i].hash % 16);
    }
}

/* An IPv6 packet whose addresses are text. */
static struct sim_verdict receive_ipv6(struct rig *rig, const char *src, const char *dst, uint16_t sport,
                                       uint16_t dport)
{
    uint8_t frame[200];
    size_t n = build(frame, &(struct packet){.ipv6 = true, .sport = sport, .dport = dport});

    inet_pton(AF_INET6, src, frame + 22);
    inet_pton(AF_INET6, dst, frame + 38);
    struct sim_verdict v = rig->ops->rx_classify(rig->dev, frame, n);
    rig->ops->rx_write(rig->dev, -1, 1);
    return v;
}

static void test_rss_ipv6_hashes_are_as_published(void **state)
{
    struct rig *rig = *state;
    struct sim_verdict v = receive_ipv6(rig, "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766);

    assert_int_equal(v.rss_hash, 0x40207d3d);
    assert_int_equal(rx_desc(rig, 0x3d % 16, 0).info & 0xf, 3);
    wr(rig, REG_MRQC, MRQC_MRQE_RSS | MRQC_IPV6);
    v = receive_ipv6(rig, "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739);
    assert_int_equal(v.rss_hash, 0x0f0c461c);
}

static void test_rss_key_rewrite_changes_the_hash_at_once(void **state)
{
    struct rig *rig = *state;
    uint8_t key[40] = {0};

    set_key(rig, key);
    assert_int_equal(receive_as(rig, 6, 0).rss_hash, 0);
    set_key(rig, microsoft_key);
    assert_int_equal(receive_as(rig, 6, 0).rss_hash, 0x51ccc178);
}

static void test_rss_reta_entry_has_four_bits(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_RETA + 0x78, 0x13); /* entry 0x78: 0x13 is cut to 3 */
    assert_int_equal(receive_as(rig, 6, 0).queue, 3);
}

static void test_rss_frame_without_ip_goes_to_queue_0(void **state)
{
    struct rig *rig = *state;
    uint8_t arp[60] = "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x02\x08\x06";
    struct sim_verdict v = rig->ops->rx_classify(rig->dev, arp, sizeof arp);

    assert_string_equal(v.table, "default");
    assert_int_equal(v.queue, 0);
    assert_int_equal(v.rss_hash, 0);
}

static void test_rss_hash_field_is_empty_without_pcsd(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_RXCSUM, 0);
    assert_int_equal(receive_as(rig, 6, 0).queue, 8); /* the queue is not affected */
    assert_int_equal(rx_desc(rig, 8, 0).hash, 0);
}

/* --- 5-tuple --------------------------------------------------------------------------------------------------------
 */

struct five_tuple {
    unsigned priority, protocol; /* 0 TCP, 1 UDP, 2 SCTP, 3 other */
    uint32_t ignore;             /* FTQF_IGNORE_ bits */
    unsigned queue;
};

/* Filter `index` on the addresses and ports of `published`. */
static void set_five_tuple(struct rig *rig, unsigned index, const struct five_tuple *t)
{
    wr(rig, REG_SAQF + index * 4, htonl(published.src));
    wr(rig, REG_DAQF + index * 4, htonl(published.dst));
    wr(rig, REG_SDPQF + index * 4, (uint32_t)htons(published.dport) << 16 | htons(published.sport));
    wr(rig, REG_L34T_IMIR + index * 4, t->queue << 21 | 0x80000);
    wr(rig, REG_FTQF + index * 4, FTQF_QUEUE_ENABLE | 1u << 30 | t->ignore | t->priority << 2 | t->protocol);
}

static struct sim_verdict receive_published(struct rig *rig)
{
    return receive(rig, &published);
}

static void test_five_tuple_exact_packet_hits(void **state)
{
    struct rig *rig = *state;

    set_five_tuple(rig, 9, &(struct five_tuple){.priority = 1, .queue = 11});
    struct sim_verdict v = receive_published(rig);
    assert_string_equal(v.table, "5-tuple");
    assert_int_equal(v.rule, 9);
    assert_int_equal(v.queue, 11);
    assert_int_equal(v.rss_hash, 0x51ccc178);
}

static void test_five_tuple_compares_each_field_unless_told_to_ignore_it(void **state)
{
    struct rig *rig = *state;
    struct packet p[5];
    const uint32_t ignore[] = {FTQF_IGNORE_SRC, FTQF_IGNORE_DST, FTQF_IGNORE_SPORT, FTQF_IGNORE_DPORT,
                               FTQF_IGNORE_PROTO};

    for (unsigned i = 0; i < 5; i++)
        p[i] = published;
    p[0].src ^= 1;
    p[1].dst ^= 1;
    p[2].sport ^= 1;
    p[3].dport ^= 1;
    p[4].protocol = 17;
    for (unsigned field = 0; field < 5; field++) {
        for (unsigned ignored = 0; ignored < 5; ignored++) {
            set_five_tuple(rig, 0, &(struct five_tuple){.ignore = ignore[ignored], .queue = 11});
            assert_string_equal(receive(rig, &p[field]).table, field == ignored ? "5-tuple" : "rss");
        }
    }
}

static void test_five_tuple_highest_priority_wins(void **state)
{
    struct rig *rig = *state;

    set_five_tuple(rig, 3, &(struct five_tuple){.priority = 2, .queue = 3});
    set_five_tuple(rig, 50, &(struct five_tuple){.priority = 7, .queue = 4});
    set_five_tuple(rig, 127, &(struct five_tuple){.priority = 6, .queue = 5});
    assert_int_equal(receive_published(rig).rule, 50);
    wr(rig, REG_FTQF + 50 * 4, 0);
    assert_int_equal(receive_published(rig).rule, 127);
    wr(rig, REG_FTQF + 127 * 4, 0);
    assert_int_equal(receive_published(rig).rule, 3);
    wr(rig, REG_FTQF + 3 * 4, 0);
    assert_string_equal(receive_published(rig).table, "rss");
}

static void test_five_tuple_among_equals_the_first_wins(void **state)
{
    struct rig *rig = *state;

    set_five_tuple(rig, 20, &(struct five_tuple){.priority = 1, .queue = 3});
    set_five_tuple(rig, 10, &(struct five_tuple){.priority = 1, .queue = 4});
    assert_int_equal(receive_published(rig).rule, 10);
}

static void test_five_tuple_rewritten_while_enabled_stays_counted_once(void **state)
{
    struct rig *rig = *state;

    struct rig_line one = {.start = "1 of 128 filters"};

    for (unsigned i = 0; i < 5; i++)
        set_five_tuple(rig, 1, &(struct five_tuple){.queue = i});
    assert_int_equal(receive_published(rig).queue, 4);
    rig->ops->print_table(rig->dev, "5-tuple", rig_match_line, &one);
    assert_true(one.seen);
    wr(rig, REG_FTQF + 4, 0);
    wr(rig, REG_FTQF + 4, 0);
    assert_string_equal(receive_published(rig).table, "rss");
    set_five_tuple(rig, 2, &(struct five_tuple){.queue = 6});
    assert_int_equal(receive_published(rig).queue, 6);
}

static void test_five_tuple_never_takes_fragments_or_ipv6(void **state)
{
    struct rig *rig = *state;
    const uint32_t everything =
        FTQF_IGNORE_SRC | FTQF_IGNORE_DST | FTQF_IGNORE_SPORT | FTQF_IGNORE_DPORT | FTQF_IGNORE_PROTO;

    set_five_tuple(rig, 0, &(struct five_tuple){.ignore = everything, .queue = 11});
    assert_string_equal(receive_as(rig, 1, 0).table, "5-tuple");
    assert_string_equal(receive_as(rig, 6, 0x2000).table, "rss");
    assert_string_equal(receive_ipv6(rig, "::1", "::2", 1, 2).table, "rss");
}

/* --- SYN and EtherType ----------------------------------------------------------------------------------------------
 */

static struct sim_verdict receive_flags(struct rig *rig, uint8_t flags)
{
    struct packet p = published;

    p.tcp_flags = flags;
    return receive(rig, &p);
}

static void test_syn_filter_takes_syns_only(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_SYNQF, SYNQF_QUEUE_EN | 13 << 1);
    assert_string_equal(receive_flags(rig, 0x10).table, "rss");
    struct sim_verdict v = receive_flags(rig, 0x02);
    assert_string_equal(v.table, "syn");
    assert_int_equal(v.queue, 13);
}

static void test_syn_filter_priority_decides_against_5_tuple(void **state)
{
    struct rig *rig = *state;

    set_five_tuple(rig, 0, &(struct five_tuple){.queue = 11});
    wr(rig, REG_SYNQF, SYNQF_QUEUE_EN | 13 << 1);
    assert_string_equal(receive_flags(rig, 0x02).table, "5-tuple");
    wr(rig, REG_SYNQF, SYNQF_PRIORITY | SYNQF_QUEUE_EN | 13 << 1);
    assert_string_equal(receive_flags(rig, 0x02).table, "syn");
}

static void test_ethertype_filter_outranks_all(void **state)
{
    struct rig *rig = *state;
    uint8_t lldp[60] = "\x02\x82\x59\x90\x00\x01\x02\x00\x00\x00\x00\x02\x88\xcc";

    wr(rig, REG_ETQF + 5 * 4, ETQF_FILTER_EN | 0x88cc);
    struct sim_verdict v = rig->ops->rx_classify(rig->dev, lldp, sizeof lldp);
    assert_string_equal(v.table, "default"); /* recognised, but the filter names no queue */
    wr(rig, REG_ETQS + 5 * 4, ETQS_QUEUE_EN | 14 << 16);
    v = rig->ops->rx_classify(rig->dev, lldp, sizeof lldp);
    assert_string_equal(v.table, "ethertype");
    assert_int_equal(v.rule, 5);
    assert_int_equal(v.queue, 14);
    rig->ops->rx_write(rig->dev, -1, 2);
    assert_int_equal(rx_desc(rig, 14, 0).info & 0xfff0, 0x8000 | 5 << 4);
}

static void test_five_tuple_outranks_flow_director(void **state)
{
    struct rig *rig = *state;

    wr(rig, REG_FDIRCTRL, FDIRCTRL_PERFECT | 1);
    wr(rig, REG_FDIRIPSA, htonl(published.src));
    wr(rig, REG_FDIRIPDA, htonl(published.dst));
    wr(rig, REG_FDIRPORT, (uint32_t)published.dport << 16 | published.sport);
    wr(rig, REG_FDIRM, 0x37);
    wr(rig, REG_FDIRHKEY, 0); /* every hash is 0 */
    wr(rig, REG_FDIRHASH, 77 << 16);
    wr(rig, REG_FDIRCMD, FDIRCMD_ADD | 2 << 5 | FDIRCMD_QUEUE_EN | 6 << 16);
    assert_string_equal(receive_published(rig).table, "flow-director");
    assert_int_equal(rd(rig, REG_FDIRMATCH), 1);
    set_five_tuple(rig, 0, &(struct five_tuple){.queue = 11});
    assert_string_equal(receive_published(rig).table, "5-tuple");
    assert_int_equal(rd(rig, REG_FDIRMATCH) | rd(rig, REG_FDIRMISS), 0); /* not asked */
}

static void count_line(void *arg, const char *text)
{
    (void)text;
    ++*(unsigned *)arg;
}

static void test_tables_are_printable(void **state)
{
    struct rig *rig = *state;
    unsigned lines = 0;
    struct rig_line filter = {.start = "filter 9 priority 3"}, entry = {.start = "entry 17 queue 1"};

    set_five_tuple(rig, 9, &(struct five_tuple){.priority = 3, .queue = 11});
    assert_int_equal(rig->ops->print_table(rig->dev, "5-tuple", rig_match_line, &filter), 0);
    assert_true(filter.seen);
    assert_int_equal(rig->ops->print_table(rig->dev, "reta", rig_match_line, &entry), 0);
    assert_true(entry.seen);
    assert_int_equal(rig->ops->print_table(rig->dev, "reta", count_line, &lines), 0);
    assert_int_equal(lines, 128);
}

#define FILTER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILTER_TEST(test_rss_tcp_goes_where_the_published_hash_points),
        FILTER_TEST(test_rss_type_follows_packet_and_mrqc),
        FILTER_TEST(test_rss_ipv6_hashes_are_as_published),
        FILTER_TEST(test_rss_key_rewrite_changes_the_hash_at_once),
        FILTER_TEST(test_rss_reta_entry_has_four_bits),
        FILTER_TEST(test_rss_frame_without_ip_goes_to_queue_0),
        FILTER_TEST(test_rss_hash_field_is_empty_without_pcsd),
        FILTER_TEST(test_five_tuple_exact_packet_hits),
        FILTER_TEST(test_five_tuple_compares_each_field_unless_told_to_ignore_it),
        FILTER_TEST(test_five_tuple_highest_priority_wins),
        FILTER_TEST(test_five_tuple_among_equals_the_first_wins),
        FILTER_TEST(test_five_tuple_rewritten_while_enabled_stays_counted_once),
        FILTER_TEST(test_five_tuple_never_takes_fragments_or_ipv6),
        FILTER_TEST(test_syn_filter_takes_syns_only),
        FILTER_TEST(test_syn_filter_priority_decides_against_5_tuple),
        FILTER_TEST(test_ethertype_filter_outranks_all),
        FILTER_TEST(test_five_tuple_outranks_flow_director),
        FILTER_TEST(test_tables_are_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
