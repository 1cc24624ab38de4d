/* Frame parser: what it finds in sound frames, and that it finds no more than is there in others. */
#include "nics/82599/rig.h"

#include "parse.h"

/* A frame in its own heap block, so that a sanitizer sees a read beyond it. */
static struct sim_frame parse_exact(const uint8_t *bytes, size_t n, uint8_t **copy)
{
    struct sim_frame frame;

    *copy = malloc(n ? n : 1);
    memcpy(*copy, bytes, n);
    sim_parse(&frame, *copy, n);
    return frame;
}

static void test_parse_tcp_ipv4_finds_every_field(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;
    size_t n = build(bytes, &(struct packet){.src = IP(10, 0, 0, 1),
                                             .dst = IP(10, 0, 0, 2),
                                             .sport = 1000,
                                             .dport = 80,
                                             .tcp_flags = SIM_TCP_SYN,
                                             .payload = 30});

    sim_parse(&f, bytes, n);
    assert_int_equal(f.ethertype, SIM_ETHERTYPE_IPV4);
    assert_false(f.vlan);
    assert_int_equal(f.ip_version, 4);
    assert_false(f.ip_options);
    assert_false(f.fragment);
    assert_int_equal(f.protocol, 6);
    assert_ptr_equal(f.src, bytes + 26);
    assert_ptr_equal(f.dst, bytes + 30);
    assert_int_equal(f.l4, SIM_L4_TCP);
    assert_int_equal(f.sport, 1000);
    assert_int_equal(f.dport, 80);
    assert_int_equal(f.tcp_flags, SIM_TCP_SYN);
    assert_int_equal(f.l4_bytes, 50);
    assert_int_equal(sim_check_ipv4_header(&f), SIM_CHECKSUM_GOOD);
    assert_int_equal(sim_check_l4(&f), SIM_CHECKSUM_GOOD);
}

static void test_parse_padded_frame_leaves_padding_out(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;
    size_t n = build(bytes, &(struct packet){.src = 1, .dst = 2, .protocol = 17, .payload = 1});

    memset(bytes + 14 + 20 + 9, 0xee, n - 43); /* padding is anything */
    sim_parse(&f, bytes, n);
    assert_int_equal(f.l4_bytes, 9);
    assert_int_equal(sim_check_l4(&f), SIM_CHECKSUM_GOOD);
}

static void test_parse_vlan_tag_is_looked_behind(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;

    sim_parse(&f, bytes, build(bytes, &(struct packet){.src = 1, .dst = 2, .sport = 7, .dport = 8, .vlan = 0x6005}));
    assert_true(f.vlan);
    assert_int_equal(f.tci, 0x6005);
    assert_int_equal(f.ethertype, SIM_ETHERTYPE_IPV4);
    assert_int_equal(f.dport, 8);
}

static void test_parse_fragment_has_no_ports(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;

    sim_parse(&f, bytes, build(bytes, &(struct packet){.src = 1, .dst = 2, .sport = 7, .fragment = 0x2000}));
    assert_true(f.fragment); /* the first one: it has ports, but hardware does not look */
    assert_int_equal(f.l4, SIM_L4_NONE);
    assert_int_equal(sim_check_l4(&f), SIM_CHECKSUM_NONE);
    sim_parse(&f, bytes, build(bytes, &(struct packet){.src = 1, .dst = 2, .sport = 7, .fragment = 0x4000}));
    assert_false(f.fragment); /* only "don't fragment" */
    assert_int_equal(f.l4, SIM_L4_TCP);
}

static void test_parse_ipv4_options_are_skipped(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;
    size_t n = build(bytes, &(struct packet){.src = 1, .dst = 2, .sport = 0x0102, .dport = 0x0304, .payload = 40});

    bytes[14] = 0x46; /* the first four bytes of TCP become an option */
    sim_parse(&f, bytes, n);
    assert_true(f.ip_options);
    assert_int_equal(f.l3_bytes, 24);
    assert_ptr_equal(f.l4_header, bytes + 14 + 24);
}

static void test_parse_ipv6_extension_headers_are_walked(void **state)
{
    (void)state;
    uint8_t bytes[200] = {0};
    struct sim_frame f;

    put_be16(bytes + 12, 0x86dd);
    bytes[14] = 0x60;
    put_be16(bytes + 18, 8 + 16 + 8);
    bytes[20] = 0;  /* hop-by-hop, 8 bytes */
    bytes[54] = 60; /* destination options, 16 bytes */
    bytes[62] = 17;
    bytes[63] = 1;
    put_be16(bytes + 78, 53);
    put_be16(bytes + 80, 1234);
    sim_parse(&f, bytes, 86);
    assert_int_equal(f.ip_version, 6);
    assert_true(f.ip_options);
    assert_int_equal(f.l3_bytes, 64);
    assert_int_equal(f.l4, SIM_L4_UDP);
    assert_int_equal(f.sport, 53);
    assert_int_equal(f.dport, 1234);
}

static void test_parse_ipv6_fragment_has_no_ports(void **state)
{
    (void)state;
    uint8_t bytes[200] = {0};
    struct sim_frame f;

    put_be16(bytes + 12, 0x86dd);
    bytes[14] = 0x60;
    put_be16(bytes + 18, 28);
    bytes[20] = 44;
    bytes[54] = 6;
    put_be16(bytes + 56, 8 << 3); /* not the first */
    sim_parse(&f, bytes, 82);
    assert_true(f.fragment);
    assert_int_equal(f.protocol, 6);
    assert_int_equal(f.l4, SIM_L4_NONE);
}

static void test_parse_contradictory_ipv4_headers_are_no_headers(void **state)
{
    (void)state;
    const struct {
        unsigned at;
        uint8_t value;
    } damage[] = {{14, 0x44}, {14, 0x55}, {14, 0x4f}, {16, 0xff}, {17, 19}};

    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        uint8_t bytes[200];
        struct sim_frame f;
        size_t n = build(bytes, &(struct packet){.src = 1, .dst = 2, .sport = 1, .payload = 4});
        bytes[damage[i].at] = damage[i].value;
        sim_parse(&f, bytes, n);
        assert_int_equal(f.ethertype, SIM_ETHERTYPE_IPV4);
        assert_int_equal(f.ip_version, 0);
    }
}

static void test_parse_every_truncation_stays_inside(void **state)
{
    (void)state;
    const struct packet packets[] = {
        {.src = 1, .dst = 2, .sport = 3, .payload = 10, .vlan = 5},
        {.src = 1, .dst = 2, .sport = 3, .protocol = 17, .payload = 10, .ipv6 = true},
    };

    for (size_t i = 0; i < 2; i++) {
        uint8_t bytes[300];
        size_t n = build(bytes, &packets[i]);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *copy;
            struct sim_frame f = parse_exact(bytes, cut, &copy);
            char text[128];
            sim_check_ipv4_header(&f);
            sim_check_l4(&f);
            sim_frame_text(&f, text, sizeof text);
            if (f.ip_version)
                assert_true(f.l4_header + f.l4_bytes <= copy + cut);
            free(copy);
        }
    }
}

static void test_parse_endless_ipv6_extensions_end(void **state)
{
    (void)state;
    uint8_t bytes[1500] = {0}, *copy;

    put_be16(bytes + 12, 0x86dd);
    bytes[14] = 0x60;
    put_be16(bytes + 18, 1400);
    bytes[20] = 60;
    for (size_t at = 54; at + 8 < sizeof bytes; at += 8)
        bytes[at] = 60;
    struct sim_frame f = parse_exact(bytes, sizeof bytes, &copy);
    assert_int_equal(f.ip_version, 6);
    assert_int_equal(f.l4, SIM_L4_NONE);
    free(copy);
}

static void test_check_l4_wrong_byte_is_bad(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;
    size_t n = build(bytes, &(struct packet){.src = 1, .dst = 2, .protocol = 17, .payload = 33, .ipv6 = true});

    sim_parse(&f, bytes, n);
    assert_int_equal(sim_check_l4(&f), SIM_CHECKSUM_GOOD);
    bytes[n - 1] ^= 1;
    assert_int_equal(sim_check_l4(&f), SIM_CHECKSUM_BAD);
    assert_int_equal(sim_check_ipv4_header(&f), SIM_CHECKSUM_NONE);
}

static void test_check_l4_udp_without_checksum_is_not_judged(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;

    sim_parse(&f, bytes, build(bytes, &(struct packet){.src = 1, .dst = 2, .protocol = 17, .no_udp_checksum = true}));
    assert_int_equal(sim_check_l4(&f), SIM_CHECKSUM_NONE);
}

static void test_frame_text_names_addresses_and_ports(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct sim_frame f;
    char text[128];

    sim_parse(&f, bytes,
              build(bytes, &(struct packet){.src = IP(10, 0, 0, 1), .dst = IP(10, 0, 0, 2), .sport = 1, .dport = 80}));
    sim_frame_text(&f, text, sizeof text);
    assert_string_equal(text, "10.0.0.1:1 > 10.0.0.2:80 tcp");
    sim_parse(&f, bytes, build(bytes, &(struct packet){.src = 1, .dst = 2, .sport = 1, .dport = 80, .ipv6 = true}));
    sim_frame_text(&f, text, sizeof text);
    assert_string_equal(text, "[fd99::1]:1 > [fd99::2]:80 tcp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_tcp_ipv4_finds_every_field),
        cmocka_unit_test(test_parse_padded_frame_leaves_padding_out),
        cmocka_unit_test(test_parse_vlan_tag_is_looked_behind),
        cmocka_unit_test(test_parse_fragment_has_no_ports),
        cmocka_unit_test(test_parse_ipv4_options_are_skipped),
        cmocka_unit_test(test_parse_ipv6_extension_headers_are_walked),
        cmocka_unit_test(test_parse_ipv6_fragment_has_no_ports),
        cmocka_unit_test(test_parse_contradictory_ipv4_headers_are_no_headers),
        cmocka_unit_test(test_parse_every_truncation_stays_inside),
        cmocka_unit_test(test_parse_endless_ipv6_extensions_end),
        cmocka_unit_test(test_check_l4_wrong_byte_is_bad),
        cmocka_unit_test(test_check_l4_udp_without_checksum_is_not_judged),
        cmocka_unit_test(test_frame_text_names_addresses_and_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
