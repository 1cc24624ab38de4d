/* test_net.c - whole frames into a worker's network layer, honest and hostile, as the speaker and as one of the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../../host-lib/net/neighbour.h"
#include "../../../host-lib/wire/arp.h"
#include "../../../host-lib/wire/checksum.h"
#include "../../../host-lib/wire/ipv4.h"
#include "eal.h"
#include "one_net.h"

#define net      one_net
#define counters one_net_counters
#define pool     one_net_pool

static const uint8_t gateway_mac[6] = {2, 0, 0, 0, 0, 0x99};

static const uint8_t *destination_mac(uint32_t address)
{
    return one_net_destination(NB_FAMILY_IPV4, &(struct nb_addr){{address}});
}

/* --- ARP -----------------------------------------------------------------------------------------------------------
 */

static void test_arp_request_for_us_is_answered_and_learned(void **state)
{
    struct frame f = frame_arp(NB_ARP_REQUEST, client_mac, CLIENT, US);
    struct nb_arp arp;

    (void)state;
    one_net_input(&f);
    assert_int_equal(seen.frames, 1);
    assert_int_equal(rte_pktmbuf_pkt_len(seen.frame[0]), NB_ETH_MIN_BYTES);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), client_mac, 6);
    assert_int_equal(nb_arp_parse(&arp, seen.frame[0], NB_ETH_HEADER_BYTES), 0);
    assert_int_equal(arp.op, NB_ARP_REPLY);
    assert_memory_equal(arp.sender_mac, our_mac, 6);
    assert_int_equal(arp.sender, US);
    assert_int_equal(arp.target, CLIENT);
    assert_int_equal(counters[NB_COUNTER_ARP_REPLIES], 1);
    assert_memory_equal(destination_mac(CLIENT), client_mac, 6);
}

static void test_arp_request_for_another_is_ignored(void **state)
{
    struct frame f = frame_arp(NB_ARP_REQUEST, client_mac, CLIENT, OTHER);

    (void)state;
    one_net_input(&f);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
    assert_null(destination_mac(CLIENT));
}

static void test_arp_address_probe_is_answered_and_not_learned(void **state)
{
    struct frame f = frame_arp(NB_ARP_REQUEST, client_mac, 0, US);

    (void)state;
    one_net_input(&f);
    assert_int_equal(counters[NB_COUNTER_ARP_REPLIES], 1);
}

/* Each of these would poison a credulous table. None may be answered, learned, or change what we send to whom. */
static void test_arp_spoof_attempts_change_nothing(void **state)
{
    const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1}, zero[6] = {0};
    const struct frame attempts[] = {
        frame_arp(NB_ARP_REPLY, evil_mac, CLIENT, US),                 /* an answer nobody asked for, contradicting */
        frame_arp(NB_ARP_REPLY, evil_mac, OTHER, US),                  /* the same about a host we do not know */
        frame_arp(NB_ARP_REPLY, evil_mac, US, US),                     /* claims our address */
        frame_arp(NB_ARP_REQUEST, evil_mac, US, US),                   /* the same, as an announcement */
        frame_arp(NB_ARP_REQUEST, evil_mac, CLIENT, CLIENT),           /* gratuitous, contradicting */
        frame_arp(NB_ARP_REQUEST, evil_mac, OUTSIDE, US),              /* not on the link */
        frame_arp(NB_ARP_REQUEST, evil_mac, RTE_BE32(0x0a6300ff), US), /* broadcast */
        frame_arp(NB_ARP_REQUEST, group, CLIENT, US),
        frame_arp(NB_ARP_REQUEST, zero, CLIENT, US),
        frame_arp(NB_ARP_REQUEST, our_mac, CLIENT, US),
        frame_arp(77, evil_mac, CLIENT, US),
    };

    (void)state;
    one_net_learn_client();
    counters[NB_COUNTER_ARP_REPLIES] = 0;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        one_net_input(&attempts[i]);
    assert_int_equal(counters[NB_COUNTER_ARP_REPLIES], 0);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(nb_neighbours_count(net.neighbours), 1);
    assert_memory_equal(destination_mac(CLIENT), client_mac, 6);
    assert_null(destination_mac(OTHER));
}

static void test_arp_contradicting_request_makes_us_ask_the_one_we_know(void **state)
{
    struct frame f = frame_arp(NB_ARP_REQUEST, evil_mac, CLIENT, US);
    struct nb_arp arp;

    (void)state;
    one_net_learn_client();
    one_net_input_at(&f, NOW + 2000000);
    assert_int_equal(nb_arp_parse(&arp, seen.frame[0], NB_ETH_HEADER_BYTES), 0);
    assert_int_equal(arp.op, NB_ARP_REQUEST);
    assert_int_equal(arp.target, CLIENT);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), client_mac, 6);
}

static void test_arp_answer_to_our_question_is_told_to_the_others(void **state)
{
    struct frame f = frame_arp(NB_ARP_REPLY, client_mac, CLIENT, US);

    (void)state;
    nb_net_asked(&net, 0, NB_FAMILY_IPV4, &(struct nb_addr){{CLIENT}}, NOW);
    assert_int_equal(seen.frames, 1); /* our question */
    one_net_input(&f);
    assert_int_equal(seen.told, 1);
    assert_true(seen.news.reachable);
    assert_int_equal(seen.news.address.word[0], CLIENT);
}

static void test_questions_about_no_neighbour_are_not_asked(void **state)
{
    (void)state;
    nb_net_asked(&net, 0, NB_FAMILY_IPV4, &(struct nb_addr){{OUTSIDE}}, NOW);
    nb_net_asked(&net, 0, NB_FAMILY_IPV4, &(struct nb_addr){{US}}, NOW);
    nb_net_asked(&net, 0, NB_FAMILY_IPV4, &(struct nb_addr){{RTE_BE32(0x0a6300ff)}}, NOW);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(nb_net_next_us(&net), UINT64_MAX);
}

static void test_other_worker_asks_the_speaker_and_hears_from_it(void **state)
{
    const struct nb_net_news news = {.kind = NB_NEWS_NEIGHBOUR,
                                     .family = NB_FAMILY_IPV4,
                                     .reachable = true,
                                     .mac = {2, 0, 0, 0, 0, 1},
                                     .address = {{CLIENT}}};
    struct frame f = frame_arp(NB_ARP_REQUEST, client_mac, CLIENT, US);

    (void)state;
    one_net_input(&f);
    assert_int_equal(seen.to_speaker, 1);
    assert_int_equal(seen.frames, 0);
    assert_null(destination_mac(CLIENT));
    assert_int_equal(seen.asked, 1);
    nb_net_told(&net, 0, &news, NOW);
    assert_int_equal(seen.frames, 1);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), client_mac, 6);
    assert_memory_equal(destination_mac(CLIENT), client_mac, 6);
}

static void test_no_answer_drops_are_counted(void **state)
{
    (void)state;
    assert_null(destination_mac(CLIENT));
    while (nb_net_next_us(&net) != UINT64_MAX)
        nb_net_advance(&net, nb_net_next_us(&net));
    assert_int_equal(counters[NB_COUNTER_DROP_NO_NEIGHBOUR], 1);
    assert_int_equal(seen.told, 1);
    assert_false(seen.news.reachable);
}

static void test_output_outside_the_prefix_asks_for_the_gateway(void **state)
{
    struct nb_arp arp;

    (void)state;
    assert_null(destination_mac(OUTSIDE));
    assert_int_equal(nb_arp_parse(&arp, seen.frame[0], NB_ETH_HEADER_BYTES), 0);
    assert_int_equal(arp.target, net.port[0].gateway.word[0]);
}

/* Every destination is asked for twice, as by two connections; there are more than are remembered. */
static void test_output_to_many_destinations_finds_each_ones_next_hop_again(void **state)
{
    struct frame client = frame_arp(NB_ARP_REQUEST, client_mac, CLIENT, US);
    struct frame gateway = frame_arp(NB_ARP_REQUEST, gateway_mac, net.port[0].gateway.word[0], US);

    (void)state;
    one_net_input(&client);
    one_net_input(&gateway);
    for (uint32_t i = 0; i < 2 * NB_NET_RECENT; i++) {
        for (unsigned twice = 0; twice < 2; twice++) {
            assert_memory_equal(destination_mac(rte_cpu_to_be_32(rte_be_to_cpu_32(OUTSIDE) + i)), gateway_mac, 6);
            assert_memory_equal(destination_mac(CLIENT), client_mac, 6);
            one_net_forget();
        }
    }
}

static void test_output_after_the_gateway_has_changed_goes_to_the_new_one(void **state)
{
    struct frame client = frame_arp(NB_ARP_REQUEST, client_mac, CLIENT, US);
    struct frame gateway = frame_arp(NB_ARP_REQUEST, gateway_mac, net.port[0].gateway.word[0], US);

    (void)state;
    one_net_input(&client);
    one_net_input(&gateway);
    assert_memory_equal(destination_mac(OUTSIDE), gateway_mac, 6);
    net.port[0].gateway.word[0] = CLIENT;
    nb_neighbours_reroute(net.neighbours);
    assert_memory_equal(destination_mac(OUTSIDE), client_mac, 6);
}

static void test_output_with_no_way_is_dropped_and_counted(void **state)
{
    (void)state;
    net.port[0].gateway.word[0] = 0;
    assert_null(destination_mac(OUTSIDE));
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NO_NEIGHBOUR], 1);
}

/* --- ping ----------------------------------------------------------------------------------------------------------
 */

static void check_reply(size_t data)
{
    struct rte_mbuf *m = seen.frame[0];
    struct nb_icmp icmp;
    struct nb_ipv4 ip;

    assert_int_equal(seen.frames, 1);
    assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), client_mac, 6);
    assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 6, our_mac, 6);
    assert_int_equal(nb_ipv4_parse(&ip, m, NB_ETH_HEADER_BYTES, true), 0);
    assert_int_equal(ip.src, US);
    assert_int_equal(ip.dst, CLIENT);
    assert_int_equal(ip.header_bytes, NB_IPV4_HEADER_BYTES);
    assert_int_equal(ip.total_bytes, NB_IPV4_HEADER_BYTES + NB_ICMP_HEADER_BYTES + data);
    assert_int_equal(rte_pktmbuf_pkt_len(m), NB_ETH_HEADER_BYTES + (size_t)ip.total_bytes);
    assert_int_equal(nb_icmp_parse(&icmp, m, NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES, NB_ICMP_HEADER_BYTES + data),
                     0);
    assert_int_equal(icmp.type, NB_ICMP_ECHO_REPLY);
    for (size_t i = 0; i < data; i++)
        assert_int_equal(*rte_pktmbuf_mtod_offset(m, char *, 42 + i), 'p');
    assert_int_equal(counters[NB_COUNTER_ECHO_REPLIES], 1);
}

static void test_ping_is_answered(void **state)
{
    struct frame f = frame_ping(US, 56);

    (void)state;
    one_net_learn_client();
    one_net_input(&f);
    check_reply(56);
}

static void test_ping_of_a_whole_mtu_is_answered(void **state)
{
    struct frame f = frame_ping(US, 1500 - NB_IPV4_HEADER_BYTES - NB_ICMP_HEADER_BYTES);

    (void)state;
    one_net_learn_client();
    one_net_input(&f);
    check_reply(1500 - NB_IPV4_HEADER_BYTES - NB_ICMP_HEADER_BYTES);
}

static void test_ping_padded_by_ethernet_loses_the_padding(void **state)
{
    struct frame f = frame_ping(US, 4);

    (void)state;
    one_net_learn_client();
    f.n = NB_ETH_MIN_BYTES;
    one_net_input(&f);
    check_reply(4);
}

/* IP options (a record route here, full of room) are skipped, and the reply has none. */
static void test_ping_with_options_is_answered_without(void **state)
{
    struct frame f = frame_ping(US, 8);
    uint8_t *ip = f.bytes + NB_ETH_HEADER_BYTES;

    (void)state;
    one_net_learn_client();
    memmove(ip + 28, ip + 20, 16);
    memcpy(ip + 20, (uint8_t[]){7, 7, 4, 0, 0, 0, 0, 0}, 8);
    ip[0] = 0x47;
    ip[3] += 8;
    f.n += 8;
    frame_seal_ip(&f);
    one_net_input(&f);
    check_reply(8);
}

/* Whoever wants it sent on may also want it to seem another's. Options that contradict their length are refused, too.
 */
static void test_source_routes_are_refused(void **state)
{
    static const uint8_t options[][4] = {{131, 4, 4, 0}, {137, 4, 4, 0}, {1, 131, 3, 4}, {7, 1, 0, 0}, {7, 5, 4, 0}};

    (void)state;
    one_net_learn_client();
    for (size_t i = 0; i < RTE_DIM(options); i++) {
        struct frame f = frame_ping(US, 8);
        uint8_t *ip = f.bytes + NB_ETH_HEADER_BYTES;

        memmove(ip + 24, ip + 20, 16);
        memcpy(ip + 20, options[i], 4);
        ip[0] = 0x46;
        ip[3] += 4;
        f.n += 4;
        frame_seal_ip(&f);
        one_net_input(&f);
    }
    assert_int_equal(counters[NB_COUNTER_DROP_SOURCE_ROUTE], 3);
    assert_int_equal(counters[NB_COUNTER_DROP_MALFORMED], 2);
    assert_int_equal(seen.frames, 0);
}

static void test_ping_with_a_wrong_checksum_is_dropped(void **state)
{
    struct frame f = frame_ping(US, 56);

    (void)state;
    one_net_learn_client();
    f.bytes[80] ^= 1;
    one_net_input(&f);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_BAD_CHECKSUM], 1);
}

static void test_ping_to_a_broadcast_address_is_nobodys(void **state)
{
    const uint32_t targets[] = {RTE_BE32(0x0a6300ff), RTE_BE32(0xffffffff), RTE_BE32(0xe0000001), OTHER};

    (void)state;
    one_net_learn_client();
    for (size_t i = 0; i < 4; i++) {
        struct frame f = frame_ping(targets[i], 56);

        one_net_input(&f);
        memcpy(f.bytes, nb_mac_broadcast, 6);
        one_net_input(&f);
    }
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 8);
}

/* RFC 1122 §3.3.6: our own address inside a link-layer broadcast is how storms begin. */
static void test_ping_in_a_link_layer_broadcast_is_dropped(void **state)
{
    struct frame f = frame_ping(US, 56);

    (void)state;
    one_net_learn_client();
    memcpy(f.bytes, nb_mac_broadcast, 6);
    one_net_input(&f);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
}

static void test_icmp_other_than_echo_is_counted(void **state)
{
    struct frame f = frame_ping(US, 56);
    uint8_t *icmp = f.bytes + 34;
    uint16_t sum;

    (void)state;
    icmp[0] = 3;
    icmp[2] = icmp[3] = 0;
    sum = nb_checksum_finish(nb_checksum_add(0, icmp, 64));
    memcpy(icmp + 2, &sum, 2);
    one_net_input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_UNKNOWN_PROTOCOL], 1);
}

/* --- IPv4 ----------------------------------------------------------------------------------------------------------
 */

static void test_tcp_segment_is_handed_up_without_padding(void **state)
{
    struct frame f = frame_ip(CLIENT, US, NB_IP_TCP, 20);

    (void)state;
    f.n = NB_ETH_MIN_BYTES;
    assert_int_equal(one_net_input_at(&f, NOW), NB_NET_TCP);
    assert_int_equal(seen.key.remote.word[0], CLIENT);
    assert_int_equal(seen.key.local.word[0], US);
    assert_int_equal(seen.key.family, NB_FAMILY_IPV4);
    assert_int_equal(seen.segment.l4_offset, 34);
    assert_int_equal(seen.segment.l4_bytes, 20);
    assert_int_equal(one_net_drops(), 0);
}

static void test_frames_cut_anywhere_are_dropped_and_counted(void **state)
{
    struct frame f = frame_ping(US, 100);
    uint64_t dropped = 0;

    (void)state;
    one_net_learn_client();
    for (size_t n = 0; n < f.n; n++) {
        struct frame cut = f;

        cut.n = n;
        assert_int_equal(one_net_input(&cut), NB_NET_DONE);
        assert_int_equal(one_net_drops(), ++dropped);
    }
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_MALFORMED], dropped);
}

static void test_bad_header_checksum_is_dropped_unless_the_port_vouches(void **state)
{
    struct frame f = frame_ip(CLIENT, US, NB_IP_TCP, 20);
    struct rte_mbuf *m;

    (void)state;
    f.bytes[22] = 1; /* TTL */
    one_net_input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_BAD_CHECKSUM], 1);
    m = nb_test_packet(pool, f.bytes, f.n, 0);
    m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    net.port[0].trust_rx_checksum = true;
    assert_int_equal(nb_net_input(&net, 0, m, false, &seen.key, &seen.segment, NOW), NB_NET_TCP);
    assert_false(nb_net_verify_l4(&net.port[0], m, false));
    net.port[0].trust_rx_checksum = false;
    assert_true(nb_net_verify_l4(&net.port[0], m, false));
    assert_false(nb_net_verify_l4(&net.port[0], m, true));
    m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
    net.port[0].trust_rx_checksum = true;
    assert_true(nb_net_verify_l4(&net.port[0], m, false));
    rte_pktmbuf_free(m);
}

static void test_fragments_are_dropped_and_counted(void **state)
{
    struct frame f = frame_ip(CLIENT, US, NB_IP_TCP, 20);

    (void)state;
    f.bytes[20] = 0x20;
    frame_seal_ip(&f);
    one_net_input(&f);
    f.bytes[20] = 0;
    f.bytes[21] = 1;
    frame_seal_ip(&f);
    one_net_input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], 2);
}

static void test_martian_sources_are_dropped_and_counted(void **state)
{
    const uint32_t sources[] = {0, US, RTE_BE32(0x7f000001), RTE_BE32(0xe0000001), RTE_BE32(0x0a6300ff), 0xffffffff};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct frame f = frame_ip(sources[i], US, NB_IP_TCP, 20);

        one_net_input(&f);
    }
    assert_int_equal(counters[NB_COUNTER_DROP_MARTIAN], 6);
}

static void test_other_protocols_and_other_hosts_are_counted(void **state)
{
    struct frame udp = frame_ip(CLIENT, US, 17, 20), ipv6 = udp, vlan = udp, length = udp, other = udp;

    (void)state;
    frame_eth(&ipv6, our_mac, client_mac, 0x86dd);
    frame_eth(&vlan, our_mac, client_mac, 0x8100);
    frame_eth(&length, our_mac, client_mac, 0x0026);
    frame_eth(&other, evil_mac, client_mac, NB_ETH_IPV4);
    one_net_input(&udp);
    one_net_input(&length);
    assert_int_equal(counters[NB_COUNTER_DROP_UNKNOWN_PROTOCOL], 2);
    one_net_input(&ipv6); /* by its type only */
    assert_int_equal(counters[NB_COUNTER_DROP_MALFORMED], 1);
    one_net_input(&vlan);
    assert_int_equal(counters[NB_COUNTER_DROP_VLAN], 1);
    one_net_input(&other);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
}

/* Every byte of a ping, every value: nothing crashes, every frame is answered or counted once. */
static void test_every_changed_byte_is_answered_or_counted(void **state)
{
    const struct frame good = frame_ping(US, 16);

    (void)state;
    one_net_learn_client();
    for (size_t at = 0; at < good.n; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct frame f = good;
            uint64_t before = one_net_drops() + counters[NB_COUNTER_ECHO_REPLIES];
            bool tcp;

            f.bytes[at] = (uint8_t)value;
            tcp = one_net_input_at(&f, NOW) == NB_NET_TCP;
            assert_int_equal(one_net_drops() + counters[NB_COUNTER_ECHO_REPLIES] + tcp, before + 1);
            rte_pktmbuf_free_bulk(seen.frame, seen.frames);
            seen.frames = 0;
        }
    }
}

static void test_pool_empty_arp_is_counted(void **state)
{
    static struct rte_mbuf *all[2048];
    struct frame f = frame_arp(NB_ARP_REQUEST, client_mac, CLIENT, US);
    struct rte_mbuf *m = nb_test_packet(pool, f.bytes, f.n, 0);
    unsigned n = rte_mempool_avail_count(pool);

    (void)state;
    assert_int_equal(rte_pktmbuf_alloc_bulk(pool, all, n), 0);
    nb_net_input(&net, 0, m, false, &seen.key, &seen.segment, NOW);
    assert_int_equal(counters[NB_COUNTER_DROP_NO_MBUF], 1);
    rte_pktmbuf_free_bulk(all, n);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, one_net_setup, one_net_teardown)
    const struct CMUnitTest tests[] = {
        T(test_arp_request_for_us_is_answered_and_learned),
        T(test_arp_request_for_another_is_ignored),
        T(test_arp_address_probe_is_answered_and_not_learned),
        T(test_arp_spoof_attempts_change_nothing),
        T(test_arp_contradicting_request_makes_us_ask_the_one_we_know),
        T(test_arp_answer_to_our_question_is_told_to_the_others),
        T(test_questions_about_no_neighbour_are_not_asked),
        cmocka_unit_test_setup_teardown(test_other_worker_asks_the_speaker_and_hears_from_it, one_net_setup_other,
                                        one_net_teardown),
        T(test_no_answer_drops_are_counted),
        T(test_output_outside_the_prefix_asks_for_the_gateway),
        T(test_output_to_many_destinations_finds_each_ones_next_hop_again),
        T(test_output_after_the_gateway_has_changed_goes_to_the_new_one),
        T(test_output_with_no_way_is_dropped_and_counted),
        T(test_ping_is_answered),
        T(test_ping_of_a_whole_mtu_is_answered),
        T(test_ping_padded_by_ethernet_loses_the_padding),
        T(test_ping_with_options_is_answered_without),
        T(test_source_routes_are_refused),
        T(test_ping_with_a_wrong_checksum_is_dropped),
        T(test_ping_to_a_broadcast_address_is_nobodys),
        T(test_ping_in_a_link_layer_broadcast_is_dropped),
        T(test_icmp_other_than_echo_is_counted),
        T(test_tcp_segment_is_handed_up_without_padding),
        T(test_frames_cut_anywhere_are_dropped_and_counted),
        T(test_bad_header_checksum_is_dropped_unless_the_port_vouches),
        T(test_fragments_are_dropped_and_counted),
        T(test_martian_sources_are_dropped_and_counted),
        T(test_other_protocols_and_other_hosts_are_counted),
        T(test_every_changed_byte_is_answered_or_counted),
        T(test_pool_empty_arp_is_counted),
    };

    one_net_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
