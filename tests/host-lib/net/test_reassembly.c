/* test_reassembly.c - fragments of both families in every order, at every bound, and made to deceive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../../host-lib/net/reassembly.h"
#include "../../../host-lib/wire/extension.h"
#include "../../../host-lib/wire/ipv4.h"
#include "one_net.h"

#define counters one_net_counters
#define DATA     3000 /* bytes of the datagram behind its IP header */

static uint8_t datagram[DATA];

/* A ping of DATA bytes with identification id, cut from `offset` on. */
static struct frame piece4(uint16_t id, unsigned offset, unsigned bytes, bool more)
{
    struct frame f = frame_ip(CLIENT, US, NB_IP_ICMP, bytes);
    uint8_t *ip = f.bytes + NB_ETH_HEADER_BYTES;

    ip[4] = id >> 8;
    ip[5] = id & 0xff;
    ip[6] = (uint8_t)(offset / 8 >> 8 | (more ? 0x20 : 0));
    ip[7] = (uint8_t)(offset / 8);
    memcpy(ip + NB_IPV4_HEADER_BYTES, datagram + offset, bytes);
    frame_seal_ip(&f);
    return f;
}

static struct frame piece6(uint32_t id, unsigned offset, unsigned bytes, bool more)
{
    struct frame f = frame_ip6(&CLIENT6, &US6, NB_NEXT_FRAGMENT);
    uint8_t header[8] = {NB_NEXT_ICMPV6, 0, (uint8_t)(offset >> 8), (uint8_t)(offset | more), 0, 0, 0, (uint8_t)id};

    frame_append(&f, header, sizeof header);
    frame_append(&f, datagram + offset, bytes);
    return f;
}

static void put(struct frame f)
{
    assert_int_equal(one_net_input(&f), NB_NET_DONE);
}

/* The datagram is a ping in IPv4 or IPv6. */
static void make_ping(uint8_t family)
{
    uint32_t sum = 0;

    memset(datagram, 'p', sizeof datagram);
    memset(datagram, 0, 8);
    datagram[0] = family == NB_FAMILY_IPV4 ? NB_ICMP_ECHO_REQUEST : NB_ICMPV6_ECHO_REQUEST;
    if (family == NB_FAMILY_IPV6) { /* addresses, length and protocol; see one_net.h */
        const uint16_t words[] = {0xfd99, 1, 0xfd99, 2, DATA, NB_NEXT_ICMPV6};

        for (size_t i = 0; i < RTE_DIM(words); i++)
            sum += words[i];
    }
    for (unsigned i = 0; i < DATA; i += 2)
        sum += (uint32_t)datagram[i] << 8 | datagram[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    datagram[2] = (uint8_t) ~(sum >> 8);
    datagram[3] = (uint8_t)~sum;
}

static int setup(void **state)
{
    if (one_net_setup6(state))
        return -1;
    one_net_learn_client();
    one_net_learn_client6();
    make_ping(NB_FAMILY_IPV4);
    return 0;
}

static void was_answered(void)
{
    assert_int_equal(counters[NB_COUNTER_REASSEMBLED], 1);
    assert_int_equal(counters[NB_COUNTER_ECHO_REPLIES], 1);
    assert_int_equal(seen.frames, 1);
}

static void was_not_answered(void)
{
    assert_int_equal(counters[NB_COUNTER_ECHO_REPLIES], 0);
    assert_int_equal(counters[NB_COUNTER_REASSEMBLED], 0);
}

static void test_ipv4_pieces_in_every_order_make_the_datagram(void **state)
{
    static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    (void)state;
    for (uint16_t o = 0; o < RTE_DIM(orders); o++) {
        for (unsigned i = 0; i < 3; i++)
            put(piece4(o, orders[o][i] * 1000, 1000, orders[o][i] < 2));
        was_answered();
        counters[NB_COUNTER_REASSEMBLED] = counters[NB_COUNTER_ECHO_REPLIES] = 0;
        one_net_forget();
    }
    assert_int_equal(one_net_drops(), 0);
}

static void test_ipv6_pieces_make_the_packet(void **state)
{
    (void)state;
    make_ping(NB_FAMILY_IPV6);
    put(piece6(7, 2000, 1000, false));
    put(piece6(7, 0, 1000, true));
    put(piece6(7, 1000, 1000, true));
    was_answered();
    assert_int_equal(one_net_drops(), 0);
}

/* A TCP segment in pieces goes up as one, to be looked for at its home. */
static void test_tcp_segment_in_pieces_is_handed_up_as_unsteered(void **state)
{
    struct frame a = frame_ip(CLIENT, US, NB_IP_TCP, 24), b = frame_ip(CLIENT, US, NB_IP_TCP, 100);
    struct rte_mbuf *m;

    (void)state;
    a.bytes[20] = 0x20;
    b.bytes[21] = 3;
    frame_seal_ip(&a);
    frame_seal_ip(&b);
    put(a);
    m = rte_pktmbuf_alloc(one_net_pool);
    memcpy(rte_pktmbuf_append(m, (uint16_t)b.n), b.bytes, b.n);
    m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    assert_int_equal(nb_net_input(&one_net, 0, m, false, &seen.key, &seen.segment, NOW), NB_NET_TCP);
    assert_true(seen.segment.unsteered);
    assert_int_equal(seen.segment.l4_bytes, 124);
    assert_int_equal(rte_pktmbuf_pkt_len(seen.segment.m), 34 + 124);
    one_net.port[0].trust_rx_checksum = true;
    assert_true(nb_net_verify_l4(&one_net.port[0], seen.segment.m, false)); /* the port saw no whole segment */
    rte_pktmbuf_free(seen.segment.m);
}

static void test_repeated_piece_is_dropped_alone(void **state)
{
    (void)state;
    put(piece4(1, 0, 1000, true));
    put(piece4(1, 0, 1000, true));
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], 1);
    put(piece4(1, 1000, 1000, true));
    put(piece4(1, 2000, 1000, false));
    was_answered();
}

/* RFC 5722: an overlap makes an end of the datagram, and of what still comes of it. */
static void test_overlaps_end_the_datagram(void **state)
{
    static const struct {
        unsigned offset, bytes;
    } bad[] = {{992, 16}, {8, 992}, {0, 992}, {0, 1008}, {504, 8}};

    (void)state;
    for (uint16_t i = 0; i < RTE_DIM(bad); i++) {
        uint64_t before = counters[NB_COUNTER_DROP_FRAGMENT];

        put(piece4(i, 0, 1000, true));
        put(piece4(i, bad[i].offset, bad[i].bytes, true));
        assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], before + 2);
        put(piece4(i, 1000, 1000, true));
        put(piece4(i, 2000, 1000, false));
        put(piece4(i, 0, 1000, true));
        assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], before + 5);
    }
    was_not_answered();
}

static void test_two_ends_end_the_datagram(void **state)
{
    (void)state;
    put(piece4(1, 2000, 1000, false));
    put(piece4(1, 1000, 500, false));
    put(piece4(2, 2000, 1000, false));
    put(piece4(2, 1000, 1000, false));
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], 4);
    put(piece4(3, 1000, 1000, false));
    put(piece4(3, 2000, 1000, true)); /* behind the end */
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], 6);
    was_not_answered();
}

/* RFC 1858: no piece may split a TCP header. */
static void test_tiny_pieces_are_dropped(void **state)
{
    struct frame first = frame_ip(CLIENT, US, NB_IP_TCP, 16), second = frame_ip(CLIENT, US, NB_IP_TCP, 100),
                 odd = piece4(1, 0, 1001, true), none = piece4(1, 0, 0, true);

    (void)state;
    first.bytes[20] = 0x20;
    second.bytes[21] = 1;
    frame_seal_ip(&first);
    frame_seal_ip(&second);
    put(first);
    put(second);
    put(odd);
    put(none);
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], 4);
    assert_int_equal(nb_reassembly_next_us(one_net.reassembly), UINT64_MAX);
}

static void test_piece_beyond_the_largest_packet_is_dropped(void **state)
{
    struct frame f = piece4(1, 0, 1000, false);

    (void)state;
    f.bytes[20] = 0x1f; /* the ping of death */
    f.bytes[21] = 0xff;
    frame_seal_ip(&f);
    put(f);
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], 1);
}

static void test_time_out_drops_and_tells_who_sent_the_first_piece(void **state)
{
    struct rte_mbuf *last;
    struct nb_icmp icmp;

    (void)state;
    put(piece4(1, 0, 1000, true));
    put(piece4(2, 1000, 1000, true)); /* whose first piece is missing: nobody is told */
    assert_int_equal(nb_net_next_us(&one_net), NOW + NB_REASSEMBLY_US);
    nb_net_advance(&one_net, NOW + NB_REASSEMBLY_US);
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT_TIMEOUT], 2);
    assert_int_equal(counters[NB_COUNTER_ICMP_SENT], 1);
    last = seen.frame[seen.frames - 1]; /* after a question: the neighbour is old by now */
    assert_int_equal(nb_icmp_parse(&icmp, last, 34, rte_pktmbuf_pkt_len(last) - 34), 0);
    assert_int_equal(icmp.type, NB_ICMP_TIME_EXCEEDED);
    assert_int_equal(icmp.code, 1);
    assert_int_equal(nb_reassembly_next_us(one_net.reassembly), UINT64_MAX);
}

static void test_datagrams_beyond_their_number_push_out_the_oldest(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < NB_REASSEMBLY_DATAGRAMS; i++)
        put(piece4(i, 0, 1000, true));
    assert_int_equal(one_net_drops(), 0);
    put(piece4(NB_REASSEMBLY_DATAGRAMS, 0, 1000, true));
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT_FULL], 1);
}

static void test_pieces_beyond_their_number_push_out_or_end_a_datagram(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NB_REASSEMBLY_PIECES; i++)
        put(piece4(1, i * 8, 8, true));
    for (unsigned i = 0; i < NB_REASSEMBLY_HELD - NB_REASSEMBLY_PIECES; i++)
        put(piece4(2, i * 8, 8, true));
    assert_int_equal(one_net_drops(), 0);
    put(piece4(3, 0, 8, true));
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT_FULL], NB_REASSEMBLY_PIECES);
    put(piece4(2, NB_REASSEMBLY_PIECES * 8, 8, true)); /* one more than a datagram may have */
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], NB_REASSEMBLY_PIECES + 1);
}

/* RFC 6980: who answers for an address is not read from fragments. */
static void test_neighbour_discovery_in_pieces_is_dropped(void **state)
{
    (void)state;
    make_ping(NB_FAMILY_IPV6);
    datagram[2] -= NB_ICMPV6_NEIGHBOUR_SOLICITATION - NB_ICMPV6_ECHO_REQUEST; /* the checksum, which has room */
    datagram[0] = NB_ICMPV6_NEIGHBOUR_SOLICITATION;
    put(piece6(7, 0, 1000, true));
    put(piece6(7, 1000, 1000, true));
    put(piece6(7, 2000, 1000, false));
    assert_int_equal(counters[NB_COUNTER_REASSEMBLED], 1);
    assert_int_equal(one_net_drops(), 1);
    assert_int_equal(seen.frames, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, one_net_teardown)
    const struct CMUnitTest tests[] = {
        T(test_ipv4_pieces_in_every_order_make_the_datagram),
        T(test_ipv6_pieces_make_the_packet),
        T(test_tcp_segment_in_pieces_is_handed_up_as_unsteered),
        T(test_repeated_piece_is_dropped_alone),
        T(test_overlaps_end_the_datagram),
        T(test_two_ends_end_the_datagram),
        T(test_tiny_pieces_are_dropped),
        T(test_piece_beyond_the_largest_packet_is_dropped),
        T(test_time_out_drops_and_tells_who_sent_the_first_piece),
        T(test_datagrams_beyond_their_number_push_out_the_oldest),
        T(test_pieces_beyond_their_number_push_out_or_end_a_datagram),
        T(test_neighbour_discovery_in_pieces_is_dropped),
    };

    one_net_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
