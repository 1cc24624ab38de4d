/* fuzz_frame.c - hostile frames of both families into two workers, Neighbour Discovery, ICMP and fragments among them:
 * nothing crashes, no buffer is lost, nothing is dropped uncounted.
 *
 * The input is a sequence of frames, each with a control byte and a length before it. The control byte chooses the
 * queue, lets time pass, and may make the frame one that is not stopped at the door: checksums vouched for by the port,
 * the acknowledgement number what the stack last sent, the checksums of IPv4, ICMP and ICMPv6 right. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../host-lib/wire/checksum.h"
#include "../../host-lib/wire/extension.h"
#include "../../host-lib/wire/icmp.h"
#include "../../host-lib/wire/ipv4.h"
#include "../../host-lib/worker/engine.h"
#include "../support/eal.h"
#include "../support/ring_port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_WORKERS 2

enum control {
    CONTROL_QUEUE = 1 << 0,   /* second queue */
    CONTROL_VOUCHED = 1 << 1, /* the port says that checksums are right */
    CONTROL_ACK = 1 << 2,     /* write the acknowledgement number that the stack waits for */
    CONTROL_TIME = 1 << 3,    /* a second passes first */
    CONTROL_SEAL = 1 << 4,    /* write the checksums that nobody vouches for */
};

static struct rte_mempool *wire_pool;
static struct nb_test_port wire;
static uint32_t last_ack;
static unsigned fuzz_accepted;

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "violated: %s\n", what);
    abort();
}

/* An application that takes everything and sends it back. */
static void fuzz_on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state, (void)user;
    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    if (nb_conn_send(w, c, data) != 0)
        rte_pktmbuf_free(data);
}

static void fuzz_on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_close(w, c);
}

static bool fuzz_on_accept(struct nb_worker *w, void *state, struct nb_conn c)
{
    (void)w, (void)state, (void)c;
    fuzz_accepted++;
    return true;
}

static const struct nb_app fuzz_app = {.abi = NB_APP_ABI,
                                       .name = "fuzz",
                                       .on_accept = fuzz_on_accept,
                                       .on_data = fuzz_on_data,
                                       .on_peer_closed = fuzz_on_peer_closed};

static struct nb_runtime *fuzz_start(void)
{
    static struct nb_runtime_config config;
    struct nb_error err = {0};
    struct nb_runtime *rt;

    nb_test_eal();
    if (!wire_pool)
        wire_pool = nb_test_pool("fuzz", 1023);
    nb_test_port_open(&wire, FUZZ_WORKERS, 256);
    nb_runtime_config_init(&config);
    config.n_workers = FUZZ_WORKERS;
    config.n_ports = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", wire.device);
    config.port[0].n_addresses = 2;
    config.port[0].address[0] =
        (struct nb_port_address){.address = {{RTE_BE32(0x0a630002)}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    config.port[0].address[1] = (struct nb_port_address){
        .address = {{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(2)}}, .family = NB_FAMILY_IPV6, .prefix_bits = 64};
    config.port[0].asks_routers = true;
    config.port[0].rx_descriptors = config.port[0].tx_descriptors = 64;
    config.n_listeners = 2;
    config.listener[0] = (struct nb_listener_config){.tcp_port = 7, .app = &fuzz_app};
    config.listener[1] = (struct nb_listener_config){.family = NB_FAMILY_IPV6, .tcp_port = 7, .app = &fuzz_app};
    config.limits.connections = config.limits.time_wait = config.limits.half_open = 4;
    config.limits.mbufs = 512;
    if (nb__engine_start_stepped(&config, 1000, &rt, &err) < 0)
        require(false, err.text);
    const uint16_t home[] = {1, 1}; /* worker 1, whatever the tuple */
    for (unsigned i = 0; i < FUZZ_WORKERS; i++) {
        rt->worker[i]->net.port[0].trust_rx_checksum = true;
        memcpy(rt->worker[i]->net.port[0].mac, "\2\0\0\0\0\2", 6);
        for (unsigned k = 0; k < rt->worker[i]->net.port[0].n_addresses; k++) /* as if a second had passed */
            rt->worker[i]->net.port[0].address[k].state = NB_ADDRESS_USABLE;
        nb_rss_set_reta(&rt->worker[i]->port[0].rss, home, 2);
    }
    return rt;
}

/* What the stack sent leaves the wire; the number after its last segment is what a peer would acknowledge. */
static void fuzz_drain(void)
{
    struct rte_mbuf *m;
    unsigned queue;

    while ((m = nb_test_port_take(&wire, &queue))) {
        uint8_t copy[54];
        const uint8_t *p = rte_pktmbuf_read(m, 0, sizeof copy, copy);

        if (p && p[12] == 8 && p[13] == 0 && p[23] == 6) {
            uint32_t seq, payload = rte_pktmbuf_pkt_len(m) - 34 - (p[46] >> 4) * 4u;

            memcpy(&seq, p + 38, sizeof seq);
            last_ack = rte_be_to_cpu_32(seq) + payload + ((p[47] & 3) != 0);
        }
        rte_pktmbuf_free(m);
    }
}

static void put_sum(uint8_t *field, uint64_t sum)
{
    uint16_t word = nb_checksum_finish(sum);

    memcpy(field, &word, sizeof word);
}

static void seal_ipv4(uint8_t *ip, size_t n)
{
    size_t header = (ip[0] & 15) * 4u;

    if (header < 20 || header > n)
        return;
    ip[10] = ip[11] = 0;
    put_sum(ip + 10, nb_checksum_add(0, ip, header));
    if (ip[9] == NB_IP_ICMP && n >= header + NB_ICMP_HEADER_BYTES) {
        ip[header + 2] = ip[header + 3] = 0;
        put_sum(ip + header + 2, nb_checksum_add(0, ip + header, n - header));
    }
}

static void seal_ipv6(uint8_t *ip, size_t n)
{
    struct nb_addr src, dst;
    uint32_t bytes = (uint32_t)n - NB_IPV6_HEADER_BYTES;

    if (ip[6] != NB_NEXT_ICMPV6 || bytes < NB_ICMP_HEADER_BYTES)
        return;
    ip[4] = (uint8_t)(bytes >> 8);
    ip[5] = (uint8_t)bytes;
    memcpy(&src, ip + 8, sizeof src);
    memcpy(&dst, ip + 24, sizeof dst);
    ip[42] = ip[43] = 0;
    put_sum(ip + 42, nb_checksum_add(nb_checksum_pseudo_ipv6(&src, &dst, NB_NEXT_ICMPV6, bytes), ip + 40, bytes));
}

static void fuzz_seal(uint8_t *frame, size_t n)
{
    if (n >= 34 && frame[12] == 8 && frame[13] == 0)
        seal_ipv4(frame + 14, n - 14);
    if (n >= 54 && frame[12] == 0x86 && frame[13] == 0xdd)
        seal_ipv6(frame + 14, n - 14);
}

static void fuzz_inject(const uint8_t *bytes, size_t n, uint8_t control)
{
    struct rte_mbuf *m = nb_test_packet(wire_pool, bytes, n, 0);

    if (control & CONTROL_VOUCHED)
        m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    if (control & CONTROL_ACK && n >= 54) {
        uint32_t ack = rte_cpu_to_be_32(last_ack);

        memcpy(rte_pktmbuf_mtod_offset(m, void *, 42), &ack, sizeof ack);
    }
    if (control & CONTROL_SEAL)
        fuzz_seal(rte_pktmbuf_mtod(m, uint8_t *), n);
    nb_test_port_inject(&wire, control & CONTROL_QUEUE, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nb_runtime *rt = fuzz_start();
    uint64_t now_us = 1000;

    last_ack = 0;
    for (size_t at = 0; at + 2 <= size;) {
        uint8_t control = data[at];
        size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;

        now_us += control & CONTROL_TIME ? 1000000 : 10;
        fuzz_inject(data + at + 2, n, control);
        for (unsigned turns = 0; turns < 4; turns++)
            nb__engine_step(rt, now_us);
        fuzz_drain();
        at += 2 + n;
    }
    for (unsigned i = 0; i < FUZZ_WORKERS; i++)
        nb_worker_stop(rt->worker[i], now_us);
    fuzz_drain();
    require(nb__engine_stop_stepped(rt, now_us) == 0, "the workers' buffers are all back");
    nb_test_port_close(&wire);
    require(rte_mempool_full(wire_pool), "the wire's buffers are all back");
    return 0;
}
