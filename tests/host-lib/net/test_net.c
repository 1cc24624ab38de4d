/* test_net.c - whole frames into a worker's network layer, honest and hostile, as the speaker and as one of the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../../host-lib/net/neighbour.h"
#include "../../../host-lib/net/net.h"
#include "../../../host-lib/wire/arp.h"
#include "../../../host-lib/wire/checksum.h"
#include "../../../host-lib/wire/icmp.h"
#include "../../../host-lib/wire/ipv4.h"
#include "eal.h"

#define US      RTE_BE32(0x0a630002)
#define CLIENT  RTE_BE32(0x0a630001)
#define OTHER   RTE_BE32(0x0a630003)
#define OUTSIDE RTE_BE32(0x08080808)
#define NOW     1000

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 2}, client_mac[6] = {2, 0, 0, 0, 0, 1},
                     evil_mac[6] = {2, 0, 0, 0, 0, 0xee};

static struct rte_mempool *pool;
static struct nb_net net;
static uint64_t counters[NB_COUNTER_COUNT];

static struct {
    struct rte_mbuf *frame[8]; /* transmitted */
    unsigned frames, asked, to_speaker, told;
    uint32_t told_address;
    bool told_ok;
} seen;

static void on_transmit(void *arg, unsigned port, struct rte_mbuf *frame)
{
    (void)arg, (void)port;
    assert_true(seen.frames < 8);
    seen.frame[seen.frames++] = frame;
}

static void on_ask_speaker(void *arg, unsigned port, uint32_t address)
{
    (void)arg, (void)port, (void)address;
    seen.asked++;
}

static void on_to_speaker(void *arg, unsigned port, struct rte_mbuf *frame)
{
    (void)arg, (void)port;
    seen.to_speaker++;
    rte_pktmbuf_free(frame);
}

static void on_tell(void *arg, unsigned port, uint32_t address, const uint8_t *mac)
{
    (void)arg, (void)port;
    seen.told++;
    seen.told_address = address;
    seen.told_ok = mac;
}

static int start(bool speaker)
{
    memset(counters, 0, sizeof counters);
    memset(&seen, 0, sizeof seen);
    net = (struct nb_net){
        .port = {{.route = {.address = US, .netmask = nb_netmask(24), .gateway = RTE_BE32(0x0a6300fe)},
                  .mtu_bytes = 1500}},
        .n_ports = 1,
        .speaker = speaker,
        .mempool = pool,
        .counters = counters,
        .env = {.transmit = on_transmit, .ask_speaker = on_ask_speaker, .to_speaker = on_to_speaker, .tell = on_tell},
    };
    memcpy(net.port[0].mac, our_mac, 6);
    return nb_net_init(&net, 7) ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    return start(true);
}

static int setup_other(void **state)
{
    (void)state;
    return start(false);
}

static int teardown(void **state)
{
    (void)state;
    rte_pktmbuf_free_bulk(seen.frame, seen.frames);
    nb_net_fini(&net);
    return rte_mempool_full(pool) ? 0 : -1;
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

struct frame {
    uint8_t bytes[2048];
    size_t n;
};

static void eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
    memcpy(f->bytes, dst, 6);
    memcpy(f->bytes + 6, src, 6);
    f->bytes[12] = type >> 8;
    f->bytes[13] = type & 0xff;
}

static struct frame arp_frame(uint16_t op, const uint8_t mac[6], uint32_t sender, uint32_t target)
{
    struct nb_arp arp = {.op = op, .sender = sender, .target = target};
    struct frame f = {.n = NB_ETH_MIN_BYTES};

    memcpy(arp.sender_mac, mac, 6);
    eth(&f, op == NB_ARP_REQUEST ? nb_mac_broadcast : our_mac, mac, NB_ETH_ARP);
    nb_arp_write(f.bytes + NB_ETH_HEADER_BYTES, &arp);
    return f;
}

/* Put the right checksum into an IP header of ihl words at its place in the frame. */
static void seal_ip(struct frame *f, unsigned ihl)
{
    uint8_t *h = f->bytes + NB_ETH_HEADER_BYTES;
    uint16_t sum;

    h[10] = h[11] = 0;
    sum = nb_checksum_finish(nb_checksum_add(0, h, ihl * 4));
    memcpy(h + 10, &sum, 2);
}

static struct frame ip_frame(uint32_t src, uint32_t dst, uint8_t protocol, size_t payload)
{
    struct nb_ipv4 ip = {.src = src,
                         .dst = dst,
                         .total_bytes = (uint16_t)(NB_IPV4_HEADER_BYTES + payload),
                         .protocol = protocol,
                         .ttl = 64};
    struct frame f = {.n = NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES + payload};

    eth(&f, our_mac, client_mac, NB_ETH_IPV4);
    nb_ipv4_write(f.bytes + NB_ETH_HEADER_BYTES, &ip);
    return f;
}

static struct frame ping_frame(uint32_t dst, size_t data)
{
    struct frame f = ip_frame(CLIENT, dst, NB_IP_ICMP, NB_ICMP_HEADER_BYTES + data);
    uint8_t *icmp = f.bytes + NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES;
    uint16_t sum;

    icmp[0] = NB_ICMP_ECHO_REQUEST;
    memset(icmp + NB_ICMP_HEADER_BYTES, 'p', data);
    sum = nb_checksum_finish(nb_checksum_add(0, icmp, NB_ICMP_HEADER_BYTES + data));
    memcpy(icmp + 2, &sum, 2);
    return f;
}

static enum nb_net_verdict input_at(const struct frame *f, struct nb_net_segment *segment, uint64_t now_us)
{
    struct rte_mbuf *m = nb_test_packet(pool, f->bytes, f->n, 0);
    enum nb_net_verdict verdict = nb_net_input(&net, 0, m, false, segment, now_us);

    if (verdict == NB_NET_TCP) {
        assert_int_equal(rte_pktmbuf_pkt_len(m), segment->l4_offset + segment->l4_bytes);
        rte_pktmbuf_free(m);
    }
    return verdict;
}

static enum nb_net_verdict input(const struct frame *f)
{
    struct nb_net_segment segment;

    return input_at(f, &segment, NOW);
}

static void learn_client(void)
{
    struct frame f = arp_frame(NB_ARP_REQUEST, client_mac, CLIENT, US);

    input(&f);
    rte_pktmbuf_free_bulk(seen.frame, seen.frames);
    memset(&seen, 0, sizeof seen);
}

/* Where a packet to an address goes now: NULL when it waits. */
static const uint8_t *destination_mac(uint32_t address)
{
    uint32_t path = UINT32_MAX;
    unsigned before = seen.frames;

    nb_net_output(&net, 0, address, &path, nb_test_packet(pool, "ip packet", 9, 0), NOW);
    for (unsigned i = before; i < seen.frames; i++)
        if (rte_pktmbuf_mtod(seen.frame[i], uint8_t *)[13] == 0)
            return rte_pktmbuf_mtod(seen.frame[i], uint8_t *);
    return NULL;
}

static uint64_t all_drops(void)
{
    uint64_t n = 0;

    for (int i = NB_COUNTER_DROP_NOT_FOR_US; i < NB_COUNTER_COUNT; i++)
        n += counters[i];
    return n;
}

/* --- ARP -----------------------------------------------------------------------------------------------------------
 */

static void test_arp_request_for_us_is_answered_and_learned(void **state)
{
    struct frame f = arp_frame(NB_ARP_REQUEST, client_mac, CLIENT, US);
    struct nb_arp arp;

    (void)state;
    input(&f);
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
    struct frame f = arp_frame(NB_ARP_REQUEST, client_mac, CLIENT, OTHER);

    (void)state;
    input(&f);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
    assert_null(destination_mac(CLIENT));
}

static void test_arp_address_probe_is_answered_and_not_learned(void **state)
{
    struct frame f = arp_frame(NB_ARP_REQUEST, client_mac, 0, US);

    (void)state;
    input(&f);
    assert_int_equal(counters[NB_COUNTER_ARP_REPLIES], 1);
}

/* Each of these would poison a credulous table. None may be answered, learned, or change what we send to whom. */
static void test_arp_spoof_attempts_change_nothing(void **state)
{
    const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1}, zero[6] = {0};
    const struct frame attempts[] = {
        arp_frame(NB_ARP_REPLY, evil_mac, CLIENT, US),                 /* an answer nobody asked for, contradicting */
        arp_frame(NB_ARP_REPLY, evil_mac, OTHER, US),                  /* the same about a host we do not know */
        arp_frame(NB_ARP_REPLY, evil_mac, US, US),                     /* claims our address */
        arp_frame(NB_ARP_REQUEST, evil_mac, US, US),                   /* the same, as an announcement */
        arp_frame(NB_ARP_REQUEST, evil_mac, CLIENT, CLIENT),           /* gratuitous, contradicting */
        arp_frame(NB_ARP_REQUEST, evil_mac, OUTSIDE, US),              /* not on the link */
        arp_frame(NB_ARP_REQUEST, evil_mac, RTE_BE32(0x0a6300ff), US), /* broadcast */
        arp_frame(NB_ARP_REQUEST, group, CLIENT, US),
        arp_frame(NB_ARP_REQUEST, zero, CLIENT, US),
        arp_frame(NB_ARP_REQUEST, our_mac, CLIENT, US),
        arp_frame(77, evil_mac, CLIENT, US),
    };

    (void)state;
    learn_client();
    counters[NB_COUNTER_ARP_REPLIES] = 0;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        input(&attempts[i]);
    assert_int_equal(counters[NB_COUNTER_ARP_REPLIES], 0);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(nb_neighbours_count(net.neighbours), 1);
    assert_memory_equal(destination_mac(CLIENT), client_mac, 6);
    assert_null(destination_mac(OTHER));
}

static void test_arp_contradicting_request_makes_us_ask_the_one_we_know(void **state)
{
    struct frame f = arp_frame(NB_ARP_REQUEST, evil_mac, CLIENT, US);
    struct nb_net_segment segment;
    struct nb_arp arp;

    (void)state;
    learn_client();
    input_at(&f, &segment, NOW + 2000000);
    assert_int_equal(nb_arp_parse(&arp, seen.frame[0], NB_ETH_HEADER_BYTES), 0);
    assert_int_equal(arp.op, NB_ARP_REQUEST);
    assert_int_equal(arp.target, CLIENT);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), client_mac, 6);
}

static void test_arp_answer_to_our_question_is_told_to_the_others(void **state)
{
    struct frame f = arp_frame(NB_ARP_REPLY, client_mac, CLIENT, US);

    (void)state;
    nb_net_asked(&net, 0, CLIENT, NOW);
    assert_int_equal(seen.frames, 1); /* our question */
    input(&f);
    assert_int_equal(seen.told, 1);
    assert_true(seen.told_ok);
    assert_int_equal(seen.told_address, CLIENT);
}

static void test_questions_about_no_neighbour_are_not_asked(void **state)
{
    (void)state;
    nb_net_asked(&net, 0, OUTSIDE, NOW);
    nb_net_asked(&net, 0, US, NOW);
    nb_net_asked(&net, 0, RTE_BE32(0x0a6300ff), NOW);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(nb_net_next_us(&net), UINT64_MAX);
}

static void test_other_worker_asks_the_speaker_and_hears_from_it(void **state)
{
    struct frame f = arp_frame(NB_ARP_REQUEST, client_mac, CLIENT, US);

    (void)state;
    input(&f);
    assert_int_equal(seen.to_speaker, 1);
    assert_int_equal(seen.frames, 0);
    assert_null(destination_mac(CLIENT));
    assert_int_equal(seen.asked, 1);
    nb_net_told(&net, 0, CLIENT, client_mac, NOW);
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
    assert_false(seen.told_ok);
}

static void test_output_outside_the_prefix_asks_for_the_gateway(void **state)
{
    struct nb_arp arp;

    (void)state;
    assert_null(destination_mac(OUTSIDE));
    assert_int_equal(nb_arp_parse(&arp, seen.frame[0], NB_ETH_HEADER_BYTES), 0);
    assert_int_equal(arp.target, net.port[0].route.gateway);
}

static void test_output_with_no_way_is_dropped_and_counted(void **state)
{
    (void)state;
    net.port[0].route.gateway = 0;
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
    struct frame f = ping_frame(US, 56);

    (void)state;
    learn_client();
    input(&f);
    check_reply(56);
}

static void test_ping_of_a_whole_mtu_is_answered(void **state)
{
    struct frame f = ping_frame(US, 1500 - NB_IPV4_HEADER_BYTES - NB_ICMP_HEADER_BYTES);

    (void)state;
    learn_client();
    input(&f);
    check_reply(1500 - NB_IPV4_HEADER_BYTES - NB_ICMP_HEADER_BYTES);
}

static void test_ping_padded_by_ethernet_loses_the_padding(void **state)
{
    struct frame f = ping_frame(US, 4);

    (void)state;
    learn_client();
    f.n = NB_ETH_MIN_BYTES;
    input(&f);
    check_reply(4);
}

/* IP options (a record route here, full of room) are skipped, and the reply has none. */
static void test_ping_with_options_is_answered_without(void **state)
{
    struct frame f = ping_frame(US, 8);
    uint8_t *ip = f.bytes + NB_ETH_HEADER_BYTES;

    (void)state;
    learn_client();
    memmove(ip + 28, ip + 20, 16);
    memcpy(ip + 20, (uint8_t[]){7, 7, 4, 0, 0, 0, 0, 0}, 8);
    ip[0] = 0x47;
    ip[3] += 8;
    f.n += 8;
    seal_ip(&f, 7);
    input(&f);
    check_reply(8);
}

static void test_ping_with_a_wrong_checksum_is_dropped(void **state)
{
    struct frame f = ping_frame(US, 56);

    (void)state;
    learn_client();
    f.bytes[80] ^= 1;
    input(&f);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_BAD_CHECKSUM], 1);
}

static void test_ping_to_a_broadcast_address_is_nobodys(void **state)
{
    const uint32_t targets[] = {RTE_BE32(0x0a6300ff), RTE_BE32(0xffffffff), RTE_BE32(0xe0000001), OTHER};

    (void)state;
    learn_client();
    for (size_t i = 0; i < 4; i++) {
        struct frame f = ping_frame(targets[i], 56);

        input(&f);
        memcpy(f.bytes, nb_mac_broadcast, 6);
        input(&f);
    }
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 8);
}

/* RFC 1122 §3.3.6: our own address inside a link-layer broadcast is how storms begin. */
static void test_ping_in_a_link_layer_broadcast_is_dropped(void **state)
{
    struct frame f = ping_frame(US, 56);

    (void)state;
    learn_client();
    memcpy(f.bytes, nb_mac_broadcast, 6);
    input(&f);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
}

static void test_icmp_other_than_echo_is_counted(void **state)
{
    struct frame f = ping_frame(US, 56);
    uint8_t *icmp = f.bytes + 34;
    uint16_t sum;

    (void)state;
    icmp[0] = 3;
    icmp[2] = icmp[3] = 0;
    sum = nb_checksum_finish(nb_checksum_add(0, icmp, 64));
    memcpy(icmp + 2, &sum, 2);
    input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_UNKNOWN_PROTOCOL], 1);
}

/* --- IPv4 ----------------------------------------------------------------------------------------------------------
 */

static void test_tcp_segment_is_handed_up_without_padding(void **state)
{
    struct frame f = ip_frame(CLIENT, US, NB_IP_TCP, 20);
    struct nb_net_segment segment;

    (void)state;
    f.n = NB_ETH_MIN_BYTES;
    assert_int_equal(input_at(&f, &segment, NOW), NB_NET_TCP);
    assert_int_equal(segment.src, CLIENT);
    assert_int_equal(segment.dst, US);
    assert_int_equal(segment.l4_offset, 34);
    assert_int_equal(segment.l4_bytes, 20);
    assert_int_equal(all_drops(), 0);
}

static void test_frames_cut_anywhere_are_dropped_and_counted(void **state)
{
    struct frame f = ping_frame(US, 100);
    uint64_t dropped = 0;

    (void)state;
    learn_client();
    for (size_t n = 0; n < f.n; n++) {
        struct frame cut = f;

        cut.n = n;
        assert_int_equal(input(&cut), NB_NET_DONE);
        assert_int_equal(all_drops(), ++dropped);
    }
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_DROP_MALFORMED], dropped);
}

static void test_bad_header_checksum_is_dropped_unless_the_port_vouches(void **state)
{
    struct frame f = ip_frame(CLIENT, US, NB_IP_TCP, 20);
    struct nb_net_segment segment;
    struct rte_mbuf *m;

    (void)state;
    f.bytes[22] = 1; /* TTL */
    input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_BAD_CHECKSUM], 1);
    m = nb_test_packet(pool, f.bytes, f.n, 0);
    m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    net.port[0].trust_rx_checksum = true;
    assert_int_equal(nb_net_input(&net, 0, m, false, &segment, NOW), NB_NET_TCP);
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
    struct frame f = ip_frame(CLIENT, US, NB_IP_TCP, 20);

    (void)state;
    f.bytes[20] = 0x20;
    seal_ip(&f, 5);
    input(&f);
    f.bytes[20] = 0;
    f.bytes[21] = 1;
    seal_ip(&f, 5);
    input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_FRAGMENT], 2);
}

static void test_martian_sources_are_dropped_and_counted(void **state)
{
    const uint32_t sources[] = {0, US, RTE_BE32(0x7f000001), RTE_BE32(0xe0000001), RTE_BE32(0x0a6300ff), 0xffffffff};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct frame f = ip_frame(sources[i], US, NB_IP_TCP, 20);

        input(&f);
    }
    assert_int_equal(counters[NB_COUNTER_DROP_MARTIAN], 6);
}

static void test_other_protocols_and_other_hosts_are_counted(void **state)
{
    struct frame udp = ip_frame(CLIENT, US, 17, 20), ipv6 = udp, vlan = udp, length = udp, other = udp;

    (void)state;
    eth(&ipv6, our_mac, client_mac, 0x86dd);
    eth(&vlan, our_mac, client_mac, 0x8100);
    eth(&length, our_mac, client_mac, 0x0026);
    eth(&other, evil_mac, client_mac, NB_ETH_IPV4);
    input(&udp);
    input(&ipv6);
    input(&vlan);
    input(&length);
    assert_int_equal(counters[NB_COUNTER_DROP_UNKNOWN_PROTOCOL], 4);
    input(&other);
    assert_int_equal(counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
}

/* Every byte of a ping, every value: nothing crashes, every frame is answered or counted once. */
static void test_every_changed_byte_is_answered_or_counted(void **state)
{
    const struct frame good = ping_frame(US, 16);

    (void)state;
    learn_client();
    for (size_t at = 0; at < good.n; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct frame f = good;
            uint64_t before = all_drops() + counters[NB_COUNTER_ECHO_REPLIES];
            struct nb_net_segment segment;
            bool tcp;

            f.bytes[at] = (uint8_t)value;
            tcp = input_at(&f, &segment, NOW) == NB_NET_TCP;
            assert_int_equal(all_drops() + counters[NB_COUNTER_ECHO_REPLIES] + tcp, before + 1);
            rte_pktmbuf_free_bulk(seen.frame, seen.frames);
            seen.frames = 0;
        }
    }
}

static void test_pool_empty_arp_is_counted(void **state)
{
    static struct rte_mbuf *all[2048];
    struct frame f = arp_frame(NB_ARP_REQUEST, client_mac, CLIENT, US);
    struct rte_mbuf *m = nb_test_packet(pool, f.bytes, f.n, 0);
    struct nb_net_segment segment;
    unsigned n = rte_mempool_avail_count(pool);

    (void)state;
    assert_int_equal(rte_pktmbuf_alloc_bulk(pool, all, n), 0);
    nb_net_input(&net, 0, m, false, &segment, NOW);
    assert_int_equal(counters[NB_COUNTER_DROP_NO_MBUF], 1);
    rte_pktmbuf_free_bulk(all, n);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_arp_request_for_us_is_answered_and_learned),
        T(test_arp_request_for_another_is_ignored),
        T(test_arp_address_probe_is_answered_and_not_learned),
        T(test_arp_spoof_attempts_change_nothing),
        T(test_arp_contradicting_request_makes_us_ask_the_one_we_know),
        T(test_arp_answer_to_our_question_is_told_to_the_others),
        T(test_questions_about_no_neighbour_are_not_asked),
        cmocka_unit_test_setup_teardown(test_other_worker_asks_the_speaker_and_hears_from_it, setup_other, teardown),
        T(test_no_answer_drops_are_counted),
        T(test_output_outside_the_prefix_asks_for_the_gateway),
        T(test_output_with_no_way_is_dropped_and_counted),
        T(test_ping_is_answered),
        T(test_ping_of_a_whole_mtu_is_answered),
        T(test_ping_padded_by_ethernet_loses_the_padding),
        T(test_ping_with_options_is_answered_without),
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

    nb_test_eal();
    pool = nb_test_pool("net", 1023);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
