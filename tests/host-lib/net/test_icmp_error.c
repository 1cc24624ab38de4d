/* test_icmp_error.c - ICMP errors in: to whom they go; and out: about what, and how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/checksum.h"
#include "../../../host-lib/wire/extension.h"
#include "../../../host-lib/wire/ipv4.h"
#include "one_net.h"

#define counters one_net_counters

static int setup(void **state)
{
    if (one_net_setup6(state))
        return -1;
    one_net_learn_client();
    one_net_learn_client6();
    return 0;
}

/* "Too big, the next hop takes 1400", about a segment from our port 80 to the client's 4660, sequence number 7. */
static struct frame too_big4(uint32_t quoted_source)
{
    struct frame f = frame_ip(CLIENT, US, NB_IP_ICMP, 36);
    struct nb_ipv4 quoted = {.src = quoted_source, .dst = CLIENT, .total_bytes = 1500, .protocol = NB_IP_TCP, .ttl = 9};
    uint8_t *icmp = f.bytes + 34;
    uint16_t sum;

    memcpy(icmp, (uint8_t[]){3, 4, 0, 0, 0, 0, 1400 >> 8, 1400 & 0xff}, 8);
    nb_ipv4_write(icmp + 8, &quoted);
    memcpy(icmp + 28, (uint8_t[]){0, 80, 0x12, 0x34, 0, 0, 0, 7}, 8);
    sum = nb_checksum_finish(nb_checksum_add(0, icmp, 36));
    memcpy(icmp + 2, &sum, 2);
    return f;
}

static struct frame too_big6(void)
{
    struct frame f = frame_ip6(&CLIENT6, &US6, NB_NEXT_ICMPV6);
    struct nb_ipv6 quoted = {.src = US6, .dst = CLIENT6, .payload_bytes = 1460, .next = NB_IP_TCP, .hop_limit = 9};
    uint8_t icmp[56] = {NB_ICMPV6_TOO_BIG, 0, 0, 0, 0, 0, 1300 >> 8, 1300 & 0xff};

    nb_ipv6_write(icmp + 8, &quoted);
    memcpy(icmp + 48, (uint8_t[]){0, 80, 0x12, 0x34, 0, 0, 0, 7}, 8);
    frame_append(&f, icmp, sizeof icmp);
    frame_seal_icmp6(&f, 54);
    return f;
}

static void test_errors_of_both_families_go_to_the_flow_they_are_about(void **state)
{
    struct frame v4 = too_big4(US), v6 = too_big6();

    (void)state;
    one_net_input(&v4);
    assert_int_equal(seen.icmp_errors, 1);
    assert_int_equal(seen.error.key.local.word[0], US);
    assert_int_equal(seen.error.key.local_port, 80);
    assert_int_equal(seen.error.key.remote_port, 0x1234);
    assert_int_equal(seen.error.mtu_bytes, 1400);
    one_net_input(&v6);
    assert_int_equal(seen.icmp_errors, 2);
    assert_memory_equal(&seen.error.key.remote, &CLIENT6, 16);
    assert_int_equal(seen.error.mtu_bytes, 1300);
    assert_int_equal(one_net_drops(), 0);
}

static void test_errors_about_what_we_cannot_have_sent_are_dropped(void **state)
{
    struct frame other = too_big4(OTHER), broken = too_big4(US);

    (void)state;
    one_net_input(&other);
    assert_int_equal(counters[NB_COUNTER_DROP_UNKNOWN_PROTOCOL], 1);
    broken.bytes[50] ^= 1;
    one_net_input(&broken);
    assert_int_equal(counters[NB_COUNTER_DROP_BAD_CHECKSUM], 1);
    assert_int_equal(seen.icmp_errors, 0);
}

static struct nb_icmp sent4(void)
{
    struct rte_mbuf *m = seen.frame[seen.frames - 1];
    struct nb_icmp icmp;

    assert_int_equal(nb_icmp_parse(&icmp, m, 34, rte_pktmbuf_pkt_len(m) - 34), 0);
    return icmp;
}

static void test_udp_and_unknown_protocols_are_told_so(void **state)
{
    struct frame udp = frame_ip(CLIENT, US, NB_IP_UDP, 1000), sctp = frame_ip(CLIENT, US, 132, 20);

    (void)state;
    one_net_input(&udp);
    assert_int_equal(sent4().type, NB_ICMP_UNREACHABLE);
    assert_int_equal(sent4().code, NB_ICMP_PORT_UNREACHABLE);
    assert_int_equal(rte_pktmbuf_pkt_len(seen.frame[0]), 14 + 576); /* what is quoted is bounded */
    assert_memory_equal(rte_pktmbuf_mtod_offset(seen.frame[0], uint8_t *, 42), udp.bytes + 14, 100);
    one_net_input(&sctp);
    assert_int_equal(sent4().code, NB_ICMP_PROTOCOL_UNREACHABLE);
    assert_int_equal(counters[NB_COUNTER_DROP_UNKNOWN_PROTOCOL], 2);
}

static void test_ipv6_problems_are_told_with_their_place(void **state)
{
    struct frame esp = frame_ip6(&CLIENT6, &US6, 50);
    uint8_t rest[16] = {0};
    struct rte_mbuf *m;
    struct nb_icmp icmp;

    (void)state;
    frame_append(&esp, rest, sizeof rest);
    one_net_input(&esp);
    m = seen.frame[0];
    assert_int_equal(nb_icmpv6_parse(&icmp, m, 54, rte_pktmbuf_pkt_len(m) - 54, &US6, &CLIENT6), 0);
    assert_int_equal(icmp.type, NB_ICMPV6_PARAMETER_PROBLEM);
    assert_int_equal(icmp.code, NB_ICMPV6_UNKNOWN_NEXT_HEADER);
    assert_int_equal(icmp.rest, 6);
}

static void test_errors_are_limited(void **state)
{
    struct frame udp = frame_ip(CLIENT, US, NB_IP_UDP, 20);

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        one_net_input(&udp);
    assert_int_equal(counters[NB_COUNTER_ICMP_SENT], 50);
    assert_int_equal(counters[NB_COUNTER_ICMP_LIMITED], 10);
    one_net_input_at(&udp, NOW + 10000);
    assert_int_equal(counters[NB_COUNTER_ICMP_SENT], 51);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, one_net_teardown)
    const struct CMUnitTest tests[] = {
        T(test_errors_of_both_families_go_to_the_flow_they_are_about),
        T(test_errors_about_what_we_cannot_have_sent_are_dropped),
        T(test_udp_and_unknown_protocols_are_told_so),
        T(test_ipv6_problems_are_told_with_their_place),
        T(test_errors_are_limited),
    };

    one_net_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
