/* test_ipv6.c - IPv6 frames into a worker's network layer: ping, TCP, what is refused and why; and VLAN tags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/net/neighbour.h"
#include "../../../host-lib/net/reassembly.h"
#include "../../../host-lib/wire/extension.h"
#include "../../../host-lib/wire/ipv4.h"
#include "one_net.h"

#define counters one_net_counters

static struct frame tcp_frame(const struct nb_addr *src, const struct nb_addr *dst)
{
    struct frame f = frame_ip6(src, dst, NB_IP_TCP);
    uint8_t header[20] = {0};

    frame_append(&f, header, sizeof header);
    return f;
}

static void test_ping_is_answered(void **state)
{
    struct frame f = frame_ping6(&US6, 56);
    struct nb_icmp icmp;
    struct nb_ipv6 ip;

    (void)state;
    one_net_learn_client6();
    one_net_input(&f);
    assert_int_equal(seen.frames, 1);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), client_mac, 6);
    assert_int_equal(nb_ipv6_parse(&ip, seen.frame[0], NB_ETH_HEADER_BYTES), 0);
    assert_memory_equal(&ip.src, &US6, 16);
    assert_memory_equal(&ip.dst, &CLIENT6, 16);
    assert_int_equal(ip.hop_limit, 64);
    assert_int_equal(nb_icmpv6_parse(&icmp, seen.frame[0], 54, 64, &ip.src, &ip.dst), 0);
    assert_int_equal(icmp.type, NB_ICMPV6_ECHO_REPLY);
    assert_int_equal(counters[NB_COUNTER_ECHO_REPLIES], 1);
}

static void test_ping_with_a_wrong_checksum_is_dropped(void **state)
{
    struct frame f = frame_ping6(&US6, 56);

    (void)state;
    f.bytes[90] ^= 1;
    one_net_input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_BAD_CHECKSUM], 1);
}

static void test_ping_to_a_group_is_not_answered(void **state)
{
    struct frame f = frame_ping6(&NB_IPV6_ALL_NODES, 56);

    (void)state;
    one_net_learn_client6();
    one_net_input(&f);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
}

static void test_tcp_segment_is_handed_up_without_padding(void **state)
{
    struct frame f = tcp_frame(&CLIENT6, &US6);

    (void)state;
    f.n += 6;
    assert_int_equal(one_net_input(&f), NB_NET_TCP);
    assert_memory_equal(&seen.key.local, &US6, 16);
    assert_memory_equal(&seen.key.remote, &CLIENT6, 16);
    assert_int_equal(seen.key.family, NB_FAMILY_IPV6);
    assert_int_equal(seen.segment.l4_offset, 54);
    assert_int_equal(seen.segment.l4_bytes, 20);
    assert_false(seen.segment.unsteered);
    assert_int_equal(one_net_drops(), 0);
}

static void test_tcp_segment_behind_extensions_is_unsteered(void **state)
{
    struct frame f = frame_ip6(&CLIENT6, &US6, NB_NEXT_DESTINATION);
    uint8_t rest[28] = {NB_IP_TCP, 0, 1, 4};

    (void)state;
    frame_append(&f, rest, sizeof rest);
    assert_int_equal(one_net_input(&f), NB_NET_TCP);
    assert_int_equal(seen.segment.l4_offset, 62);
    assert_true(seen.segment.unsteered);
}

static void test_what_is_not_for_us_is_dropped(void **state)
{
    struct frame other = tcp_frame(&CLIENT6, &OTHER6), group = tcp_frame(&CLIENT6, &NB_IPV6_ALL_NODES),
                 foreign = tcp_frame(&CLIENT6, &NB_IPV6_ALL_ROUTERS), broadcast = tcp_frame(&CLIENT6, &US6);

    (void)state;
    memcpy(broadcast.bytes, nb_mac_broadcast, 6);
    one_net_input(&other);
    one_net_input(&group);
    one_net_input(&foreign);
    one_net_input(&broadcast);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 4);
    assert_int_equal(one_net_drops(), 4);
}

static void test_martian_sources_are_dropped(void **state)
{
    const struct nb_addr sources[] = {
        {{0}}, {{0, 0, 0, RTE_BE32(1)}}, NB_IPV6_ALL_NODES, US6, {{0, 0, RTE_BE32(0xffff), RTE_BE32(0x0a630001)}}};

    (void)state;
    for (size_t i = 0; i < RTE_DIM(sources); i++) {
        struct frame f = tcp_frame(&sources[i], &US6);

        one_net_input(&f);
    }
    assert_int_equal(counters[NB_COUNTER_DROP_MARTIAN], RTE_DIM(sources));
}

static void test_frames_cut_anywhere_are_dropped_and_counted(void **state)
{
    struct frame f = frame_ping6(&US6, 100);

    (void)state;
    for (size_t n = 0; n < f.n; n++) {
        struct frame cut = f;

        cut.n = n;
        assert_int_equal(one_net_input(&cut), NB_NET_DONE);
        assert_int_equal(one_net_drops(), n + 1);
    }
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_MALFORMED], f.n);
}

static void test_every_changed_byte_is_answered_or_counted(void **state)
{
    const struct frame good = frame_ping6(&US6, 16);

    (void)state;
    one_net_learn_client6();
    for (size_t at = 0; at < good.n; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct frame f = good;
            uint64_t before = one_net_drops() + counters[NB_COUNTER_ECHO_REPLIES];
            bool tcp;

            f.bytes[at] = (uint8_t)value;
            tcp = one_net_input(&f) == NB_NET_TCP;
            nb_reassembly_advance(one_net.reassembly, NOW + NB_REASSEMBLY_US); /* it may look like a fragment */
            assert_int_equal(one_net_drops() + counters[NB_COUNTER_ECHO_REPLIES] + tcp, before + 1);
            one_net_forget();
        }
    }
}

/* --- VLAN ----------------------------------------------------------------------------------------------------------
 */

static void use_vlan(uint16_t vlan)
{
    one_net.port[0].vlan = vlan;
    one_net.port[0].simple = false;
}

static void test_frame_with_the_ports_tag_is_received_and_answered_with_it(void **state)
{
    struct frame f = frame_ping6(&US6, 56), tcp = frame_ip(CLIENT, US, NB_IP_TCP, 20);
    const uint8_t *out;

    (void)state;
    use_vlan(100);
    one_net_learn_client6();
    frame_tag(&f, 0x2000 | 100); /* a priority does not matter */
    one_net_input(&f);
    assert_int_equal(seen.frames, 1);
    out = rte_pktmbuf_mtod(seen.frame[0], uint8_t *);
    assert_memory_equal(out + 12, "\x81\x00\x00\x64\x86\xdd", 6);
    assert_int_equal(seen.frame[0]->l2_len, 18);
    frame_tag(&tcp, 100);
    assert_int_equal(one_net_input(&tcp), NB_NET_TCP);
    assert_int_equal(seen.key.vlan, 100);
    assert_int_equal(seen.segment.l4_offset, 38);
}

static void test_tag_that_the_port_took_out_counts(void **state)
{
    struct frame f = frame_ip(CLIENT, US, NB_IP_TCP, 20);
    struct rte_mbuf *m;

    (void)state;
    use_vlan(100);
    m = rte_pktmbuf_alloc(one_net_pool);
    memcpy(rte_pktmbuf_append(m, (uint16_t)f.n), f.bytes, f.n);
    m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    m->vlan_tci = 100;
    assert_int_equal(nb_net_input(&one_net, 0, m, false, &seen.key, &seen.segment, NOW), NB_NET_TCP);
    assert_int_equal(seen.segment.l4_offset, 34);
    rte_pktmbuf_free(m);
}

static void test_other_tags_and_none_are_dropped_and_counted(void **state)
{
    struct frame none = frame_ping6(&US6, 8), other = none, priority = none, tagged = frame_ping6(&US6, 8);

    (void)state;
    use_vlan(100);
    frame_tag(&other, 101);
    frame_tag(&priority, 0);
    one_net_input(&none);
    one_net_input(&other);
    one_net_input(&priority);
    assert_int_equal(counters[NB_COUNTER_DROP_VLAN], 3);
    one_net.port[0].vlan = 0;
    frame_tag(&tagged, 100);
    one_net_input(&tagged);
    assert_int_equal(counters[NB_COUNTER_DROP_VLAN], 4);
    one_net_learn_client6();
    one_net_input(&priority); /* a tag that says only the priority is no VLAN */
    assert_int_equal(counters[NB_COUNTER_ECHO_REPLIES], 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, one_net_setup6, one_net_teardown)
    const struct CMUnitTest tests[] = {
        T(test_ping_is_answered),
        T(test_ping_with_a_wrong_checksum_is_dropped),
        T(test_ping_to_a_group_is_not_answered),
        T(test_tcp_segment_is_handed_up_without_padding),
        T(test_tcp_segment_behind_extensions_is_unsteered),
        T(test_what_is_not_for_us_is_dropped),
        T(test_martian_sources_are_dropped),
        T(test_frames_cut_anywhere_are_dropped_and_counted),
        T(test_every_changed_byte_is_answered_or_counted),
        T(test_frame_with_the_ports_tag_is_received_and_answered_with_it),
        T(test_tag_that_the_port_took_out_counts),
        T(test_other_tags_and_none_are_dropped_and_counted),
    };

    one_net_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
