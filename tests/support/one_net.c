/* one_net.c - see one_net.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../host-lib/net/neighbour.h"
#include "../../host-lib/wire/arp.h"
#include "../../host-lib/wire/checksum.h"
#include "../../host-lib/wire/extension.h"
#include "../../host-lib/wire/ipv4.h"
#include "eal.h"
#include "one_net.h"

const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 2}, client_mac[6] = {2, 0, 0, 0, 0, 1}, evil_mac[6] = {2, 0, 0, 0, 0, 0xee};

struct rte_mempool *one_net_pool;
struct nb_net one_net;
uint64_t one_net_counters[NB_COUNTER_COUNT];
struct one_net_seen seen;

/* --- what it does --------------------------------------------------------------------------------------------------
 */

static void on_transmit(void *arg, unsigned port, struct rte_mbuf *frame)
{
    (void)arg, (void)port;
    assert_true(seen.frames < RTE_DIM(seen.frame));
    seen.frame[seen.frames++] = frame;
}

static void on_ask_speaker(void *arg, unsigned port, uint8_t family, const struct nb_addr *address)
{
    (void)arg, (void)port, (void)family, (void)address;
    seen.asked++;
}

static void on_to_speaker(void *arg, unsigned port, struct rte_mbuf *frame)
{
    (void)arg, (void)port;
    seen.to_speaker++;
    rte_pktmbuf_free(frame);
}

static void on_icmp_error(void *arg, const struct nb_icmp_error *error)
{
    (void)arg;
    seen.icmp_errors++;
    seen.error = *error;
}

static void on_tell(void *arg, unsigned port, const struct nb_net_news *news)
{
    (void)arg, (void)port;
    seen.told++;
    seen.news = *news;
}

void one_net_forget(void)
{
    rte_pktmbuf_free_bulk(seen.frame, seen.frames);
    memset(&seen, 0, sizeof seen);
}

uint64_t one_net_drops(void)
{
    uint64_t n = 0;

    for (int i = NB_COUNTER_DROP_NOT_FOR_US; i < NB_COUNTER_COUNT; i++)
        n += one_net_counters[i];
    return n;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

void one_net_open(void)
{
    nb_test_eal();
    one_net_pool = nb_test_pool("net", 1023);
}

static int start(bool speaker, bool ipv6)
{
    memset(one_net_counters, 0, sizeof one_net_counters);
    memset(&seen, 0, sizeof seen);
    one_net = (struct nb_net){
        .port = {{.gateway = {{RTE_BE32(0x0a6300fe)}}, .mtu_bytes = 1500}},
        .n_ports = 1,
        .speaker = speaker,
        .mempool = one_net_pool,
        .counters = one_net_counters,
        .env = {.transmit = on_transmit,
                .ask_speaker = on_ask_speaker,
                .to_speaker = on_to_speaker,
                .tell = on_tell,
                .icmp_error = on_icmp_error},
    };
    memcpy(one_net.port[0].mac, our_mac, 6);
    nb_net_port_add(&one_net.port[0], NB_FAMILY_IPV4, &(struct nb_addr){{US}}, 24);
    if (ipv6)
        nb_net_port_add(&one_net.port[0], NB_FAMILY_IPV6, &US6, 64);
    if (!nb_net_init(&one_net, 7))
        return -1;
    nb_net_advance(&one_net, NOW - 2000000);
    nb_net_advance(&one_net, NOW - 1000000);
    one_net_forget();
    return 0;
}

int one_net_setup(void **state)
{
    (void)state;
    return start(true, false);
}

int one_net_setup_other(void **state)
{
    (void)state;
    return start(false, false);
}

int one_net_setup6(void **state)
{
    (void)state;
    return start(true, true);
}

int one_net_setup6_other(void **state)
{
    (void)state;
    return start(false, true);
}

int one_net_teardown(void **state)
{
    (void)state;
    one_net_forget();
    nb_net_fini(&one_net);
    return rte_mempool_full(one_net_pool) ? 0 : -1;
}

/* --- in and out ----------------------------------------------------------------------------------------------------
 */

enum nb_net_verdict one_net_input_at(const struct frame *f, uint64_t now_us)
{
    struct rte_mbuf *m = nb_test_packet(one_net_pool, f->bytes, f->n, 0);
    enum nb_net_verdict verdict = nb_net_input(&one_net, 0, m, false, &seen.key, &seen.segment, now_us);

    if (verdict == NB_NET_TCP) {
        assert_int_equal(rte_pktmbuf_pkt_len(m), seen.segment.l4_offset + seen.segment.l4_bytes);
        rte_pktmbuf_free(m);
    }
    return verdict;
}

enum nb_net_verdict one_net_input(const struct frame *f)
{
    return one_net_input_at(f, NOW);
}

void one_net_learn_client(void)
{
    struct frame f = frame_arp(NB_ARP_REQUEST, client_mac, CLIENT, US);

    one_net_input(&f);
    one_net_forget();
}

void one_net_learn_client6(void)
{
    nb_neighbour_told(one_net.neighbours, 0, NB_FAMILY_IPV6, &CLIENT6, client_mac, NOW);
}

const uint8_t *one_net_destination(uint8_t family, const struct nb_addr *address)
{
    uint32_t path = UINT32_MAX;
    unsigned before = seen.frames;

    nb_net_output(&one_net, 0, family, address, &path, nb_test_packet(one_net_pool, "ip packet", 9, 0), NOW);
    for (unsigned i = before; i < seen.frames; i++)
        if (memcmp(rte_pktmbuf_mtod(seen.frame[i], uint8_t *) + NB_ETH_HEADER_BYTES, "ip packet", 9) == 0)
            return rte_pktmbuf_mtod(seen.frame[i], uint8_t *);
    return NULL;
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

void frame_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
    memcpy(f->bytes, dst, 6);
    memcpy(f->bytes + 6, src, 6);
    f->bytes[12] = type >> 8;
    f->bytes[13] = type & 0xff;
}

void frame_tag(struct frame *f, uint16_t vlan)
{
    memmove(f->bytes + 16, f->bytes + 12, f->n - 12);
    memcpy(f->bytes + 12, (uint8_t[]){0x81, 0x00, vlan >> 8, vlan & 0xff}, 4);
    f->n += 4;
}

struct frame frame_arp(uint16_t op, const uint8_t mac[6], uint32_t sender, uint32_t target)
{
    struct nb_arp arp = {.op = op, .sender = sender, .target = target};
    struct frame f = {.n = NB_ETH_MIN_BYTES};

    memcpy(arp.sender_mac, mac, 6);
    frame_eth(&f, op == NB_ARP_REQUEST ? nb_mac_broadcast : our_mac, mac, NB_ETH_ARP);
    nb_arp_write(f.bytes + NB_ETH_HEADER_BYTES, &arp);
    return f;
}

void frame_seal_ip(struct frame *f)
{
    uint8_t *h = f->bytes + NB_ETH_HEADER_BYTES;
    uint16_t sum;

    h[10] = h[11] = 0;
    sum = nb_checksum_finish(nb_checksum_add(0, h, (h[0] & 0x0f) * 4u));
    memcpy(h + 10, &sum, 2);
}

struct frame frame_ip(uint32_t src, uint32_t dst, uint8_t protocol, size_t bytes)
{
    struct nb_ipv4 ip = {.src = src,
                         .dst = dst,
                         .total_bytes = (uint16_t)(NB_IPV4_HEADER_BYTES + bytes),
                         .protocol = protocol,
                         .ttl = 64};
    struct frame f = {.n = NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES + bytes};

    frame_eth(&f, our_mac, client_mac, NB_ETH_IPV4);
    nb_ipv4_write(f.bytes + NB_ETH_HEADER_BYTES, &ip);
    return f;
}

struct frame frame_ip6(const struct nb_addr *src, const struct nb_addr *dst, uint8_t next)
{
    struct nb_ipv6 ip = {.src = *src, .dst = *dst, .next = next, .hop_limit = 255};
    struct frame f = {.n = NB_ETH_HEADER_BYTES + NB_IPV6_HEADER_BYTES};
    uint8_t mac[6];

    nb_ipv6_multicast_mac(dst, mac);
    frame_eth(&f, nb_ipv6_is_multicast(dst) ? mac : our_mac, client_mac, NB_ETH_IPV6);
    nb_ipv6_write(f.bytes + NB_ETH_HEADER_BYTES, &ip);
    return f;
}

void frame_append(struct frame *f, const void *bytes, size_t n)
{
    uint8_t *length = f->bytes + NB_ETH_HEADER_BYTES + 4;
    size_t payload;

    assert_true(f->n + n <= sizeof f->bytes);
    memcpy(f->bytes + f->n, bytes, n);
    f->n += n;
    payload = f->n - NB_ETH_HEADER_BYTES - NB_IPV6_HEADER_BYTES;
    length[0] = (uint8_t)(payload >> 8);
    length[1] = (uint8_t)payload;
}

struct frame frame_ping(uint32_t dst, size_t data)
{
    struct frame f = frame_ip(CLIENT, dst, NB_IP_ICMP, NB_ICMP_HEADER_BYTES + data);
    uint8_t *icmp = f.bytes + NB_ETH_HEADER_BYTES + NB_IPV4_HEADER_BYTES;
    uint16_t sum;

    icmp[0] = NB_ICMP_ECHO_REQUEST;
    memset(icmp + NB_ICMP_HEADER_BYTES, 'p', data);
    sum = nb_checksum_finish(nb_checksum_add(0, icmp, NB_ICMP_HEADER_BYTES + data));
    memcpy(icmp + 2, &sum, 2);
    return f;
}

void frame_seal_icmp6(struct frame *f, size_t at)
{
    struct nb_addr src, dst;
    uint64_t sum;
    uint16_t field;

    memcpy(&src, f->bytes + NB_ETH_HEADER_BYTES + 8, 16);
    memcpy(&dst, f->bytes + NB_ETH_HEADER_BYTES + 24, 16);
    f->bytes[at + 2] = f->bytes[at + 3] = 0;
    sum = nb_checksum_pseudo_ipv6(&src, &dst, NB_NEXT_ICMPV6, (uint32_t)(f->n - at));
    field = nb_checksum_finish(nb_checksum_add(sum, f->bytes + at, f->n - at));
    memcpy(f->bytes + at + 2, &field, 2);
}

struct frame frame_ping6(const struct nb_addr *dst, size_t data)
{
    struct frame f = frame_ip6(&CLIENT6, dst, NB_NEXT_ICMPV6);
    uint8_t message[2048] = {NB_ICMPV6_ECHO_REQUEST};

    memset(message + NB_ICMP_HEADER_BYTES, 'p', data);
    frame_append(&f, message, NB_ICMP_HEADER_BYTES + data);
    frame_seal_icmp6(&f, NB_ETH_HEADER_BYTES + NB_IPV6_HEADER_BYTES);
    return f;
}
