/* RSS of packets to and from mobile IPv6 nodes: the IPv6Ex hash types and the home addresses they are about. */
#include "rig.h"
#include "toeplitz.h"

#define HOME_OPTION_BYTES 24 /* the destination options header with a home address, padded */
#define ROUTING_BYTES     24

static uint8_t key[40];

static int setup(void **state)
{
    rig_setup_started(state);
    struct rig *rig = *state;
    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 37 + 11);
    for (unsigned i = 0; i < 10; i++)
        wr(rig, REG_RSSRK + i * 4,
           key[4 * i] | key[4 * i + 1] << 8 | key[4 * i + 2] << 16 | (uint32_t)key[4 * i + 3] << 24);
    return 0;
}

static void hash_types(struct rig *rig, uint32_t types)
{
    wr(rig, REG_MRQC, MRQC_MRQE_RSS | types);
}

static const struct packet plain = {.src = 1, .dst = 2, .sport = 1000, .dport = 80, .ipv6 = true};

/* The plain packet with an extension header of n bytes before TCP; its first two bytes are filled in. */
static size_t with_extension(uint8_t *frame, uint8_t protocol, const uint8_t *extension, size_t n)
{
    size_t bytes = build(frame, &plain);
    uint8_t *ip = frame + 14, *at = ip + 40;
    memmove(at + n, at, 20);
    memcpy(at, extension, n);
    at[0] = ip[6];
    at[1] = (uint8_t)(n / 8 - 1);
    ip[6] = protocol;
    put_be16(ip + 4, (unsigned)(20 + n));
    return bytes + n;
}

/* The hash over these addresses, with the packet's ports when there are some. */
static uint32_t expected(const uint8_t *src, const uint8_t *dst, bool ports)
{
    struct sim_toeplitz t;
    uint8_t input[36], frame[200];
    build(frame, &plain);
    memcpy(input, src ? src : frame + 22, 16);
    memcpy(input + 16, dst ? dst : frame + 38, 16);
    memcpy(input + 32, frame + 54, 4);
    sim_toeplitz_init(&t, key);
    return sim_toeplitz_hash(&t, input, ports ? 36 : 32);
}

static const uint8_t home[16] = {0x20, 0x01, 0x0d, 0xb8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};

static size_t from_away(uint8_t *frame)
{
    uint8_t option[HOME_OPTION_BYTES] = {0, 0, 1, 2, 0, 0, 0xc9, 16}; /* PadN, then the option */
    memcpy(option + 8, home, sizeof home);
    return with_extension(frame, 60, option, sizeof option);
}

static size_t to_away(uint8_t *frame, uint8_t segments_left)
{
    uint8_t routing[ROUTING_BYTES] = {0, 0, 2, segments_left};
    memcpy(routing + 8, home, sizeof home);
    return with_extension(frame, 43, routing, sizeof routing);
}

static void expect_type(struct rig *rig, const uint8_t *frame, size_t n, uint32_t hash, unsigned type)
{
    static unsigned i;
    struct sim_verdict v = rig->ops->rx_classify(rig->dev, frame, n);
    assert_int_equal(v.rss_hash, hash);
    i = rd(rig, rx_reg((unsigned)v.queue, RXQ_RDH));
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, 1), 1);
    assert_int_equal(rx_desc(rig, (unsigned)v.queue, i).info & 0xf, type);
}

static void test_home_addresses_are_hashed_in_place_of_those_in_the_header(void **state)
{
    uint8_t frame[300];
    size_t n = from_away(frame);
    hash_types(*state, MRQC_TCP_IPV6_EX | MRQC_TCP_IPV6);
    expect_type(*state, frame, n, expected(home, NULL, true), 6);
    n = to_away(frame, 1);
    expect_type(*state, frame, n, expected(NULL, home, true), 6);
    hash_types(*state, MRQC_IPV6_EX | MRQC_IPV6);
    expect_type(*state, frame, n, expected(NULL, home, false), 4);
}

static void test_packet_without_any_is_of_the_plain_type_when_that_is_enabled(void **state)
{
    uint8_t frame[300];
    size_t n = build(frame, &plain);
    hash_types(*state, MRQC_TCP_IPV6_EX | MRQC_TCP_IPV6 | MRQC_IPV6_EX);
    expect_type(*state, frame, n, expected(NULL, NULL, true), 3);
    hash_types(*state, MRQC_TCP_IPV6_EX);
    expect_type(*state, frame, n, expected(NULL, NULL, true), 6);
}

static void test_plain_types_do_not_look_for_home_addresses(void **state)
{
    uint8_t frame[300];
    size_t n = from_away(frame);
    hash_types(*state, MRQC_TCP_IPV6);
    expect_type(*state, frame, n, expected(NULL, NULL, true), 3);
}

static void test_routing_header_that_is_done_with_names_nobody(void **state)
{
    uint8_t frame[300];
    size_t n = to_away(frame, 0);
    hash_types(*state, MRQC_TCP_IPV6_EX);
    expect_type(*state, frame, n, expected(NULL, NULL, true), 6);
}

static void test_checksums_about_other_addresses_are_not_judged(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[300];
    size_t n = from_away(frame);
    rig->ops->rx_classify(rig->dev, frame, n);
    rig->ops->rx_write(rig->dev, -1, 1);
    assert_int_equal(rx_desc(rig, 0, 0).status & (1u << 5 | 1u << 30), 0); /* L4CS, L4 error */
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_home_addresses_are_hashed_in_place_of_those_in_the_header),
        WITH_RIG(test_packet_without_any_is_of_the_plain_type_when_that_is_enabled),
        WITH_RIG(test_plain_types_do_not_look_for_home_addresses),
        WITH_RIG(test_routing_header_that_is_done_with_names_nobody),
        WITH_RIG(test_checksums_about_other_addresses_are_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
