/* test_worker.c - workers on one thread in virtual time, their port's wire in our hands: connections served, frames
 * read and sent, start and stop, and what their time is said to go into.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/arp.h"
#include "../../../host-lib/wire/checksum.h"
#include "../../../host-lib/wire/icmp.h"
#include "../../../host-lib/wire/ipv4.h"
#include "../../../host-lib/wire/segment_emit.h"
#include "../../../host-lib/worker/engine.h"
#include "eal.h"
#include "ring_port.h"
#include "worker_wire.h"

/* --- one worker's work ---------------------------------------------------------------------------------------------
 */

static void test_connection_at_home_is_served_by_its_worker(void **state)
{
    (void)state;
    for (unsigned home = 0; home < WORKERS; home++) {
        struct client c = client_at_home(home);

        open_on(home, &c);
        assert_int_equal(flow_count(home), 1);
        echo_on(home, &c, "hello");
        close_on(home, &c);
        assert_int_equal(flow_count(home), 0);
    }
    assert_int_equal(diary.accepted, WORKERS);
    assert_int_equal(diary.closed, WORKERS);
    assert_int_equal(diary.reason, NB_CLOSED_NORMAL);
    assert_int_equal(total(NB_COUNTER_FORWARDED_OUT), 0);
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
}

#define FULL_BYTES 600 /* not less than a full segment may be */

/* Of two flows, in batches of their own lengths: what is together in a batch is delivered together. */
static void test_full_segments_that_follow_each_other_in_a_batch_are_delivered_as_one(void **state)
{
    struct client c = client_at_home(1), other = client_at_home(1);
    char text[FULL_BYTES + 1] = "";

    (void)state;
    memset(text, 'a', FULL_BYTES);
    open_on(1, &c);
    open_on(1, &other);
    for (unsigned i = 0; i < 3; i++)
        send_on(1, &c, NB_TCP_ACK, text);
    for (unsigned i = 0; i < 2; i++)
        send_on(1, &other, NB_TCP_ACK, text);
    send_on(1, &c, NB_TCP_ACK, text);
    settle();
    assert_int_equal(diary.deliveries, 3);
    assert_int_equal(flow_count(1), 2);
    drain_wire();
}

static void test_refused_connection_is_reset_and_its_news_cancel_out(void **state)
{
    struct client c = client_at_home(1);
    struct nb_flow_news news[4];
    struct reply r;
    uint32_t lost;

    (void)state;
    diary.refuse_accept = true;
    exchange_on(1, &c, NB_TCP_SYN, "");
    r = exchange_on(1, &c, NB_TCP_ACK, "");
    assert_true(r.seg.flags & NB_TCP_RST);
    assert_int_equal(diary.closed, 0);
    assert_int_equal(nb_runtime_flow_news(rt, 1, news, 4, &lost), 2);
    assert_int_equal(news[0].kind, NB_FLOW_NEWS_ESTABLISHED);
    assert_int_equal(news[1].kind, NB_FLOW_NEWS_GONE);
    assert_int_equal(news[0].id, news[1].id);
}

/* What a turn has to tell is written into one piece of the ring; where that ends, it goes on at the ring's beginning.
 */
static void test_news_of_full_turns_come_whole_and_in_order_through_the_end_of_the_ring(void **state)
{
    struct client c[NB_BURST] = {client_at_home(1)};
    struct nb_flow_news news[2 * NB_BURST];
    uint32_t lost;

    (void)state;
    open_on(1, &c[0]); /* so that no turn ends where the ring does */
    assert_int_equal(nb_runtime_flow_news(rt, 1, news, 2, &lost), 1);
    diary.refuse_accept = true;
    for (unsigned round = 0; round <= NB_NEWS_SIZE / (2 * NB_BURST); round++) {
        for (unsigned i = 0; i < NB_BURST; i++) {
            c[i] = client_at_home(1);
            exchange_on(1, &c[i], NB_TCP_SYN, "");
        }
        for (unsigned i = 0; i < NB_BURST; i++)
            send_on(1, &c[i], NB_TCP_ACK, "");
        settle();
        drain_wire();
        assert_int_equal(nb_runtime_flow_news(rt, 1, news, 2 * NB_BURST, &lost), 2 * NB_BURST);
        assert_int_equal(lost, 0);
        for (unsigned i = 0; i < NB_BURST; i++) {
            assert_int_equal(news[2 * i].kind, NB_FLOW_NEWS_ESTABLISHED);
            assert_int_equal(news[2 * i + 1].kind, NB_FLOW_NEWS_GONE);
            assert_int_equal(news[2 * i].id, news[2 * i + 1].id);
            assert_int_equal(news[2 * i].key.remote_port, c[i].key.local_port);
        }
    }
}

static void test_flows_and_news_say_the_same(void **state)
{
    struct client c = client_at_home(2);
    struct nb_flow_news news[4];
    struct nb_flow_info info;
    uint32_t lost;

    (void)state;
    open_on(2, &c);
    echo_on(2, &c, "12345");
    info = only_flow(2);
    assert_int_equal(info.worker, 2);
    assert_int_equal(info.queue, 2);
    assert_int_equal(info.home_queue, 2);
    assert_int_equal(info.key.remote_port, c.key.local_port);
    assert_int_equal(info.rx_bytes, 5);
    assert_int_equal(info.tx_bytes, 5);
    assert_string_equal(info.app, "echo");
    assert_string_equal(nb_tcp_state_name(info.state), "established");
    assert_int_equal(nb_runtime_flow_news(rt, 2, news, 4, &lost), 1);
    assert_int_equal(news[0].kind, NB_FLOW_NEWS_ESTABLISHED);
    assert_int_equal(news[0].id, info.id);
    assert_int_equal(news[0].incarnation, info.incarnation);
    assert_int_equal(news[0].home_queue, 2);
    assert_memory_equal(&news[0].key, &info.key, sizeof info.key);
    close_on(2, &c);
    assert_int_equal(nb_runtime_flow_news(rt, 2, news, 4, &lost), 1);
    assert_int_equal(news[0].kind, NB_FLOW_NEWS_GONE);
    assert_int_equal(lost, 0);
}

/* More flows than fit one answer: the walk returns each exactly once. */
static void test_walk_over_many_flows_returns_each_once(void **state)
{
    struct client c[40];
    uint64_t cursor = 0;
    bool met[40] = {0};
    unsigned calls = 0;

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        c[i] = client_at_home(0);
        open_on(0, &c[i]);
    }
    do {
        struct nb_flow_info info[7];
        unsigned n = nb_runtime_flows(rt, 0, &cursor, info, 7);

        for (unsigned k = 0; k < n; k++)
            for (unsigned i = 0; i < 40; i++)
                if (info[k].key.remote_port == c[i].key.local_port) {
                    assert_false(met[i]);
                    met[i] = true;
                }
        calls++;
    } while (cursor);
    for (unsigned i = 0; i < 40; i++)
        assert_true(met[i]);
    assert_in_range(calls, 6, 7);
}

/* Worker 0 alone speaks ARP: another worker that must send to a stranger asks it, and gets the answer over the ring. */
static void test_ping_at_another_worker_finds_its_neighbour_through_worker_0(void **state)
{
    const uint32_t stranger = RTE_BE32(0x0a630009);
    const uint8_t stranger_mac[6] = {2, 0, 0, 0, 0, 9};
    struct rte_mbuf *m = frame(rt->net_port[0].mac, NB_ETH_IPV4, NB_IPV4_HEADER_BYTES + NB_ICMP_HEADER_BYTES);
    struct nb_ipv4 ip = {.src = stranger, .dst = US, .total_bytes = 28, .protocol = NB_IP_ICMP, .ttl = 64};
    struct nb_arp arp;
    unsigned queue;

    (void)state;
    nb_ipv4_write(rte_pktmbuf_mtod_offset(m, void *, 14), &ip);
    memcpy(rte_pktmbuf_mtod_offset(m, void *, 34), (uint8_t[]){8, 0, 0xf7, 0xff, 0, 0, 0, 0}, 8);
    nb_test_port_inject(&wire, 2, m);
    settle();
    m = sent(&queue);
    assert_non_null(m);
    assert_int_equal(queue, 0);
    assert_int_equal(nb_arp_parse(&arp, m, NB_ETH_HEADER_BYTES), 0);
    assert_int_equal(arp.target, stranger);
    rte_pktmbuf_free(m);
    receive_nothing();

    m = frame(rt->net_port[0].mac, NB_ETH_ARP, NB_ARP_BYTES);
    arp = (struct nb_arp){.op = NB_ARP_REPLY, .sender = stranger, .target = US};
    memcpy(arp.sender_mac, stranger_mac, 6);
    nb_arp_write(rte_pktmbuf_mtod_offset(m, void *, 14), &arp);
    nb_test_port_inject(&wire, 1, m); /* a frame that only the speaker understands, at yet another worker */
    settle();
    m = sent(&queue);
    assert_non_null(m);
    assert_int_equal(queue, 2);
    assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), stranger_mac, 6);
    assert_int_equal(counter(2, NB_COUNTER_ECHO_REPLIES), 1);
    rte_pktmbuf_free(m);
}

static void test_stop_resets_connections_and_tells_applications(void **state)
{
    struct client c = client_at_home(1);
    struct reply r;

    (void)state;
    open_on(1, &c);
    for (unsigned i = 0; i < WORKERS; i++)
        nb_worker_stop(rt->worker[i], now_us);
    assert_true(receive(&c, &r));
    assert_true(r.seg.flags & NB_TCP_RST);
    assert_int_equal(diary.closed, 1);
    assert_int_equal(diary.reason, NB_CLOSED_ABORTED);
    assert_int_equal(diary.stops, WORKERS);
}

#define WIRE_TAKES 1023 /* frames, then the ring is full */

/* So many frames are to be transmitted: resets, each the answer to a segment for nothing. */
static void transmit_resets(struct client *c, unsigned n)
{
    for (unsigned i = 1; i <= n; i++) {
        send_on(1, c, NB_TCP_ACK, "");
        if (i % 100 == 0 || i == n)
            settle();
    }
}

static unsigned take_resets(struct client *c, unsigned most)
{
    struct reply r;
    unsigned n = 0;

    while (n < most && receive(c, &r) && r.seg.flags & NB_TCP_RST)
        n++;
    return n;
}

static void test_transmit_ring_full_keeps_frames_and_drops_what_is_beyond_the_backlog(void **state)
{
    struct client c = client_at_home(1);

    (void)state;
    transmit_resets(&c, WIRE_TAKES + NB_TX_BACKLOG);
    assert_int_equal(counter(1, NB_COUNTER_DROP_TX_FULL), 0);
    assert_int_equal(counter(1, NB_COUNTER_TX_PACKETS), WIRE_TAKES);
    assert_true(nb_worker_next_us(rt->worker[1]) <= now_us + NB_TX_RETRY_US);
    transmit_resets(&c, 100);
    assert_int_equal(counter(1, NB_COUNTER_DROP_TX_FULL), 100);
    assert_int_equal(take_resets(&c, WIRE_TAKES), WIRE_TAKES);
    settle();
    assert_int_equal(take_resets(&c, UINT_MAX), NB_TX_BACKLOG);
    assert_int_equal(counter(1, NB_COUNTER_TX_PACKETS), WIRE_TAKES + NB_TX_BACKLOG);
}

static void test_transmit_ring_full_holds_data_back_and_loses_none(void **state)
{
    struct client c = client_at_home(1), nobody = client_at_home(1);
    struct reply r;

    (void)state;
    open_on(1, &c);
    transmit_resets(&nobody, WIRE_TAKES + NB_TX_DATA_MAX);
    send_on(1, &c, NB_TCP_ACK | NB_TCP_PSH, "patience");
    settle();
    assert_int_equal(take_resets(&nobody, WIRE_TAKES), WIRE_TAKES);
    settle(); /* what waited makes room, and the connection goes on by itself */
    assert_int_equal(take_resets(&nobody, NB_TX_DATA_MAX), NB_TX_DATA_MAX);
    do {
        assert_true(receive(&c, &r));
    } while (r.seg.payload_bytes == 0);
    assert_string_equal(r.text, "patience");
    assert_int_equal(counter(1, NB_COUNTER_DROP_TX_FULL), 0);
    assert_int_equal(counter(1, NB_COUNTER_RETRANSMITTED), 0);
}

/* --- the usual frame (rx_usual.h) ----------------------------------------------------------------------------------
 */

/* A segment as Linux sends them: with a timestamp, or with a SYN's options. Its text may lie in a buffer of its own. */
static void send_usual(struct client *c, uint8_t flags, const char *text, bool in_two, bool spoilt)
{
    struct nb_seg_out out = {.key = &c->key, .seq = c->seq, .ack = c->ack, .window = 65535, .flags = flags};
    unsigned n = (unsigned)strlen(text);

    out.options =
        flags & NB_TCP_SYN ? NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_TIMESTAMP | NB_SEG_WSCALE : NB_SEG_TIMESTAMP;
    out.mss = 1460;
    out.ts_value = 1;
    unsigned header = nb_seg_header_bytes(&out);
    struct rte_mbuf *m = frame(rt->net_port[0].mac, NB_ETH_IPV4, header + (in_two ? 0 : n));
    struct rte_mbuf *link = m;

    if (in_two) {
        link = rte_pktmbuf_alloc(clients_pool);
        assert_non_null(rte_pktmbuf_append(link, (uint16_t)n));
        assert_int_equal(rte_pktmbuf_chain(m, link), 0);
    }
    memcpy(rte_pktmbuf_mtod_offset(link, char *, link->data_len - n), text, n);
    rte_pktmbuf_adj(m, NB_ETH_HEADER_BYTES);
    nb_seg_emit(m, &out, false);
    if (spoilt)
        *rte_pktmbuf_mtod_offset(link, char *, link->data_len - 1) ^= 1;
    assert_true(nb_eth_prepend(m, rt->net_port[0].mac, client_mac, NB_ETH_IPV4, 0));
    m->ol_flags = 0;
    nb_test_port_inject(&wire, c->home, m);
    c->seq += spoilt ? 0 : n + ((flags & (NB_TCP_SYN | NB_TCP_FIN)) != 0);
    settle();
}

static void test_usual_frame_in_one_buffer_or_two_is_read_and_verified(void **state)
{
    struct client c = client_at_home(1);
    struct reply r;

    (void)state;
    send_usual(&c, NB_TCP_SYN, "", false, false);
    assert_true(receive(&c, &r));
    assert_true(r.seg.options & NB_SEG_TIMESTAMP);
    send_usual(&c, NB_TCP_ACK, "", false, false);
    for (int in_two = 0; in_two < 2; in_two++) {
        uint64_t before = total(NB_COUNTER_DROP_BAD_CHECKSUM);

        send_usual(&c, NB_TCP_ACK, "spoilt", in_two, true);
        receive_nothing();
        assert_int_equal(total(NB_COUNTER_DROP_BAD_CHECKSUM), before + 1);
        send_usual(&c, NB_TCP_ACK, "hello", in_two, false);
        assert_true(receive(&c, &r));
        assert_string_equal(r.text, "hello");
    }
    send_usual(&c, NB_TCP_ACK, "", false, false);
    receive_nothing();
}

static void test_usual_syn_from_an_impossible_address_is_dropped(void **state)
{
    static const uint8_t nobody[][4] = {{0, 0, 0, 1}, {127, 0, 0, 1}, {224, 0, 0, 1}, {255, 255, 255, 255}};
    uint32_t mask = rt->net_port[0].route.netmask, address[RTE_DIM(nobody) + 3] = {US, US & mask, US | ~mask};

    (void)state;
    memcpy(address + 3, nobody, sizeof nobody);
    for (unsigned i = 0; i < RTE_DIM(address); i++) {
        struct client c = client_at_home(1);

        c.key.local.word[0] = address[i];
        send_usual(&c, NB_TCP_SYN, "", false, false);
        receive_nothing();
        assert_int_equal(total(NB_COUNTER_DROP_MARTIAN), i + 1);
    }
    assert_int_equal(total(NB_COUNTER_FORWARDED_OUT), 0);
}

/* --- starting ------------------------------------------------------------------------------------------------------
 */

static void test_application_that_refuses_to_start_stops_the_start(void **state)
{
    struct nb_error err = {0};

    (void)state;
    memset(&diary, 0, sizeof diary);
    diary.refuse_start = true;
    rt = NULL;
    nb_test_port_open(&wire, WORKERS, 64);
    make_config();
    assert_int_equal(nb__engine_start_stepped(&config, 0, &rt, &err), -EINVAL);
    assert_string_equal(err.text, "echo: no");
    assert_int_equal(diary.starts, WORKERS - 1);
    assert_int_equal(diary.stops, WORKERS - 1);
    assert_int_equal(finish(), 0);
}

static void test_two_listeners_on_one_port_are_refused(void **state)
{
    struct nb_error err = {0};

    (void)state;
    memset(&diary, 0, sizeof diary);
    nb_test_port_open(&wire, WORKERS, 64);
    make_config();
    config.listener[config.n_listeners++] = config.listener[0];
    assert_int_equal(nb__engine_start_stepped(&config, 0, &rt, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "echo on TCP port 7"));
    assert_int_equal(diary.starts, diary.stops);
    assert_int_equal(finish(), 0);
}

/* A packet leaves through the port that owns its source address, whatever port the neighbour is also known on. */
static void test_two_ports_answer_each_for_its_own_address(void **state)
{
    const uint32_t second = RTE_BE32(0x0a640002), far = RTE_BE32(0x0a640001);
    const struct nb_net_news news = {
        .kind = NB_NEWS_NEIGHBOUR,
        .family = NB_FAMILY_IPV4,
        .reachable = true,
        .mac = {client_mac[0], client_mac[1], client_mac[2], client_mac[3], client_mac[4], client_mac[5]},
        .address = {{far}}};
    struct client c = {.key = {.local.word = {far}, .remote.word = {second}, .remote_port = PORT}};
    struct nb_test_port wire2;
    struct nb_error err = {0};
    struct nb_seg seg;
    struct rte_mbuf *m;
    unsigned queue;

    (void)state;
    memset(&diary, 0, sizeof diary);
    nb_test_port_open(&wire, 1, 64);
    nb_test_port_open(&wire2, 1, 64);
    make_config();
    config.n_workers = 1;
    config.n_ports = 2;
    config.port[1] = config.port[0];
    snprintf(config.port[1].device, sizeof config.port[1].device, "%s", wire2.device);
    config.port[1].address[0].address.word[0] = second;
    config.limits.mbufs = 4096;
    assert_int_equal(nb__engine_start_stepped(&config, now_us, &rt, &err), 0);
    nb_net_told(&rt->worker[0]->net, 0, &news, now_us);
    nb_net_told(&rt->worker[0]->net, 1, &news, now_us);

    c.key.local_port = 1234;
    c.key.family = NB_FAMILY_IPV4;
    send_through(&wire, rt->net_port[0].mac, 0, &c, NB_TCP_SYN, ""); /* not this port's address */
    settle();
    assert_null(nb_test_port_take(&wire2, &queue));
    assert_int_equal(rt->worker[0]->counters[NB_COUNTER_DROP_NOT_FOR_US], 1);
    send_through(&wire2, rt->net_port[1].mac, 0, &c, NB_TCP_SYN, "");
    settle();
    assert_null(nb_test_port_take(&wire, &queue));
    m = nb_test_port_take(&wire2, &queue);
    assert_non_null(m);
    assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + 6, rt->net_port[1].mac, 6);
    seg.key = (struct nb_flow_key){.local.word = {far}, .remote.word = {second}, .family = NB_FAMILY_IPV4};
    assert_int_equal(nb_seg_parse(&seg, m, 34, rte_pktmbuf_pkt_len(m) - 34, true), 0);
    assert_int_equal(seg.flags, NB_TCP_SYN | NB_TCP_ACK);
    assert_int_equal(only_flow(0).key.port_group, 1);
    rte_pktmbuf_free(m);

    nb_worker_stop(rt->worker[0], now_us);
    while ((m = nb_test_port_take(&wire2, &queue)))
        rte_pktmbuf_free(m);
    assert_int_equal(finish(), 0);
    nb_test_port_close(&wire2);
}

/* "Too big" about the client's connection, quoting this sequence number. */
static void send_too_big(unsigned queue, const struct client *c, uint32_t seq)
{
    struct rte_mbuf *m = frame(rt->net_port[0].mac, NB_ETH_IPV4, 20 + 36);
    struct nb_ipv4 outer = {.src = CLIENT, .dst = US, .total_bytes = 56, .protocol = NB_IP_ICMP, .ttl = 64},
                   quoted = {.src = US, .dst = CLIENT, .total_bytes = 1500, .protocol = NB_IP_TCP, .ttl = 60};
    const uint8_t tcp[] = {PORT >> 8,       PORT & 0xff,     c->key.local_port >> 8, c->key.local_port & 0xff,
                           seq >> 24 & 255, seq >> 16 & 255, seq >> 8 & 255,         seq & 255};
    uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, NB_ETH_HEADER_BYTES);
    uint16_t sum;

    nb_ipv4_write(ip, &outer);
    memcpy(ip + 20, (uint8_t[]){3, 4, 0, 0, 0, 0, 1400 >> 8, 1400 & 0xff}, 8);
    nb_ipv4_write(ip + 28, &quoted);
    memcpy(ip + 48, tcp, sizeof tcp);
    sum = nb_checksum_finish(nb_checksum_add(0, ip + 20, 36));
    memcpy(ip + 22, &sum, sizeof sum);
    nb_test_port_inject(&wire, queue, m);
}

/* An error lands where its sender's address is hashed to; the flow's owner hears of it, and everybody of the path. */
static void test_icmp_error_reaches_the_owner_and_its_path_everybody(void **state)
{
    struct client c = client_at_home(1);
    struct nb_flow_key key = {.local.word = {US}, .remote.word = {CLIENT}, .family = NB_FAMILY_IPV4};

    (void)state;
    open_on(1, &c);
    exchange_on(1, &c, NB_TCP_ACK | NB_TCP_PSH, "echo");
    send_too_big(0, &c, c.ack + 100); /* nothing of that is in flight */
    settle();
    assert_int_equal(counter(1, NB_COUNTER_DROP_ICMP_STALE), 1);
    send_too_big(0, &c, c.ack - 4);
    settle();
    assert_int_equal(counter(1, NB_COUNTER_ICMP_ERRORS), 1);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(nb_tcp_path_mtu(rt->worker[i]->tcp, &key), 1400);
}

/* --- load ----------------------------------------------------------------------------------------------------------
 */

/* One segment of c arrives on a queue, and its worker is then said to have worked for so long. */
static void work_on(unsigned queue, struct client *c, uint64_t us)
{
    send_on(queue, c, NB_TCP_ACK, "");
    assert_true(nb_worker_step(rt->worker[queue], now_us));
    nb__load_add(rt->worker[queue], us);
}

static void test_sample_names_the_flow_and_the_bucket_that_the_time_went_into(void **state)
{
    struct client c[2] = {client_at_home(1), client_at_home(1)};
    struct nb_load_sample sample[8];
    uint64_t cursor = 0;

    (void)state;
    open_on(1, &c[0]);
    uint64_t id = only_flow(1).id;
    open_on(1, &c[1]);
    work_on(1, &c[0], NB_LOAD_SAMPLE_US);
    work_on(1, &c[1], NB_LOAD_SAMPLE_US / 2); /* not yet due */
    work_on(1, &c[0], NB_LOAD_SAMPLE_US / 2);
    work_on(1, &c[1], NB_LOAD_SAMPLE_US);
    assert_int_equal(nb_runtime_load(rt, 1, &cursor, sample, 8), 3);
    assert_true(sample[0].flow == id && sample[1].flow == id);
    assert_true(sample[2].flow != id && sample[2].flow != 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(sample[i].by_bucket);
        assert_int_equal(nic.reta.queue[sample[i].bucket], 1);
    }
    assert_int_equal(sample[0].bucket, sample[1].bucket);
    assert_int_equal(nb_runtime_load(rt, 1, &cursor, sample, 8), 0);
    assert_int_equal(nb_runtime_load(rt, 0, &(uint64_t){0}, sample, 8), 0);
}

static void test_sample_of_a_segment_from_elsewhere_or_of_none_has_no_bucket(void **state)
{
    struct client c = client_at_home(1);
    struct nb_load_sample sample[8];
    uint64_t cursor = 0;

    (void)state;
    open_on(1, &c);
    uint64_t id = only_flow(1).id;
    work_on(2, &c, NB_LOAD_SAMPLE_US); /* goes astray, to be forwarded */
    assert_true(nb_worker_step(rt->worker[1], now_us));
    nb__load_add(rt->worker[1], NB_LOAD_SAMPLE_US);
    nb_worker_step(rt->worker[1], now_us);
    nb__load_add(rt->worker[1], NB_LOAD_SAMPLE_US); /* a turn about nothing */
    assert_int_equal(nb_runtime_load(rt, 2, &(uint64_t){0}, sample, 8), 1);
    assert_true(sample[0].flow == 0 && !sample[0].by_bucket);
    assert_int_equal(nb_runtime_load(rt, 1, &cursor, sample, 8), 2);
    assert_true(sample[0].flow == id && !sample[0].by_bucket);
    assert_true(sample[1].flow == 0 && !sample[1].by_bucket);
}

static void test_sample_of_a_turn_in_which_nothing_came_names_who_waits_for_the_port(void **state)
{
    struct client c = client_at_home(1), nobody = client_at_home(1);
    struct nb_load_sample sample[8];
    struct reply r;

    (void)state;
    open_on(1, &c);
    uint64_t id = only_flow(1).id;
    transmit_resets(&nobody, WIRE_TAKES + NB_TX_DATA_MAX);
    send_on(1, &c, NB_TCP_ACK | NB_TCP_PSH, "patience");
    settle();
    nb_worker_step(rt->worker[1], now_us);
    nb__load_add(rt->worker[1], NB_LOAD_SAMPLE_US);
    assert_int_equal(nb_runtime_load(rt, 1, &(uint64_t){0}, sample, 8), 1);
    assert_int_equal(sample[0].flow, id);
    assert_true(sample[0].by_bucket);
    assert_int_equal(nic.reta.queue[sample[0].bucket], 1);
    take_resets(&nobody, WIRE_TAKES);
    settle();
    take_resets(&nobody, NB_TX_DATA_MAX);
    assert_true(receive(&c, &r));
}

static void test_samples_beyond_the_ring_are_passed_over(void **state)
{
    static struct nb_load_sample sample[NB_LOAD_RING + 8];
    uint64_t cursor = 0;

    (void)state;
    for (unsigned i = 0; i < NB_LOAD_RING + 5; i++)
        nb__load_add(rt->worker[0], NB_LOAD_SAMPLE_US);
    assert_int_equal(nb_runtime_load(rt, 0, &cursor, sample, 10), 10);
    assert_int_equal(cursor, 15); /* the first five are gone */
    assert_int_equal(nb_runtime_load(rt, 0, &cursor, sample, NB_LOAD_RING + 8), NB_LOAD_RING - 10);
    assert_int_equal(cursor, NB_LOAD_RING + 5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_icmp_error_reaches_the_owner_and_its_path_everybody),
        T(test_connection_at_home_is_served_by_its_worker),
        T(test_full_segments_that_follow_each_other_in_a_batch_are_delivered_as_one),
        T(test_refused_connection_is_reset_and_its_news_cancel_out),
        T(test_news_of_full_turns_come_whole_and_in_order_through_the_end_of_the_ring),
        T(test_flows_and_news_say_the_same),
        T(test_walk_over_many_flows_returns_each_once),
        T(test_ping_at_another_worker_finds_its_neighbour_through_worker_0),
        T(test_stop_resets_connections_and_tells_applications),
        T(test_transmit_ring_full_keeps_frames_and_drops_what_is_beyond_the_backlog),
        T(test_transmit_ring_full_holds_data_back_and_loses_none),
        T(test_usual_frame_in_one_buffer_or_two_is_read_and_verified),
        T(test_usual_syn_from_an_impossible_address_is_dropped),
        T(test_sample_names_the_flow_and_the_bucket_that_the_time_went_into),
        T(test_sample_of_a_segment_from_elsewhere_or_of_none_has_no_bucket),
        T(test_sample_of_a_turn_in_which_nothing_came_names_who_waits_for_the_port),
        T(test_samples_beyond_the_ring_are_passed_over),
        cmocka_unit_test(test_application_that_refuses_to_start_stops_the_start),
        cmocka_unit_test(test_two_ports_answer_each_for_its_own_address),
        cmocka_unit_test(test_two_listeners_on_one_port_are_refused),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
