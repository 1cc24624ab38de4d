/* Receive side coalescing in stepped time, under ixgbe's own LRO path: a test sees segments held, has them released,
 * and finds the coalesced packet in the ring, as many mbufs as it has buffers. */
#include "stepped_port.h"

#define QUEUES    2
#define SEGMENT   1000 /* bytes of payload */
#define HEADERS   54
#define FIRST_SEQ 0xffffff00u /* wraps within the first segment */
#define PSH_ACK   0x18
#define ACK       0x10

static int group_setup(void **state)
{
    (void)state;
    return start_port(QUEUES, RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_CHECKSUM);
}

static int setup(void **state)
{
    struct rte_mbuf *m;
    (void)state;
    nb_nicsim_begin(nic, 1);
    for (uint16_t q = 0; q < QUEUES; q++)
        while (rte_eth_rx_burst(0, q, &m, 1))
            rte_pktmbuf_free(m);
    return 0;
}

static uint8_t stream_byte(size_t i)
{
    return i * 31 + (i >> 8);
}

/* Bytes at..at + n of the stream of a connection, to memory. The queue. */
static int arrive(uint16_t sport, size_t at, size_t n, uint8_t flags)
{
    static uint8_t frame[2048];
    uint32_t seq = FIRST_SEQ + at;
    make_frame(frame, sport);
    put16(frame + 16, 40 + n);
    put16(frame + 38, seq >> 16);
    put16(frame + 40, seq);
    frame[47] = flags;
    put16(frame + 48, 500);
    for (size_t i = 0; i < n; i++)
        frame[HEADERS + i] = stream_byte(at + i);
    put16(frame + 24, checksum(0, frame + 14, 20));
    put16(frame + 50, checksum(2 * 10 * 256 + 3 + 6 + 20 + n, frame + 34, 20 + n));
    struct nb_nicsim_verdict v = nb_nicsim_inject(nic, frame, HEADERS + n);
    assert_in_range(v.queue, 0, QUEUES - 1);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, v.queue, 1), 1);
    return v.queue;
}

/* The next packet of a queue, its payload that of the stream from at on. Its length; 0: there is none. */
static size_t received(int queue, size_t at, uint16_t *segments)
{
    struct rte_mbuf *m;
    uint8_t byte;
    if (!rte_eth_rx_burst(0, queue, &m, 1))
        return 0;
    size_t n = m->pkt_len;
    *segments = m->nb_segs;
    for (size_t i = HEADERS; i < n; i++)
        assert_int_equal(*(const uint8_t *)rte_pktmbuf_read(m, i, 1, &byte), stream_byte(at + i - HEADERS));
    assert_true(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD);
    rte_pktmbuf_free(m);
    return n;
}

static void test_segments_are_held_until_they_are_released_and_are_one_packet(void **state)
{
    uint16_t segments;
    int queue = 0;
    (void)state;
    for (size_t i = 0; i < 10; i++)
        queue = arrive(1000, i * SEGMENT, SEGMENT, ACK);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_RX_WRITE, -1), 0);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_RSC, queue), 1);
    assert_int_equal(received(queue, 0, &segments), 0); /* though full buffers have been handed back */
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RSC, queue, 1), 1);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_RSC, -1), 0);
    assert_int_equal(received(queue, 0, &segments), HEADERS + 10 * SEGMENT);
    assert_int_equal(segments, 5); /* buffers of 2 KB */
    assert_int_equal(received(queue, 0, &segments), 0);
}

static void test_push_needs_no_release(void **state)
{
    uint16_t segments;
    (void)state;
    arrive(1000, 0, SEGMENT, ACK);
    int queue = arrive(1000, SEGMENT, 10, PSH_ACK);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_RSC, -1), 0);
    assert_int_equal(received(queue, 0, &segments), HEADERS + SEGMENT + 10);
    assert_int_equal(segments, 1);
}

/* Client ports that share port 1000's queue. */
static uint16_t neighbour(int queue)
{
    uint16_t sport = 1000;
    while (inject(++sport).queue != queue)
        ;
    setup(NULL);
    return sport;
}

static void test_interleaved_connections_come_out_whole(void **state)
{
    uint16_t segments, other;
    (void)state;
    int queue = arrive(1000, 0, SEGMENT, ACK);
    setup(NULL);
    other = neighbour(queue);
    for (size_t i = 0; i < 7; i++) {
        arrive(1000, i * SEGMENT, SEGMENT, ACK);
        arrive(other, i * SEGMENT, SEGMENT, ACK);
    }
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RSC, -1, 8), 2);
    assert_int_equal(received(queue, 0, &segments), HEADERS + 7 * SEGMENT);
    assert_int_equal(received(queue, 0, &segments), HEADERS + 7 * SEGMENT);
}

static void test_ring_serves_many_turns(void **state)
{
    uint16_t segments;
    (void)state;
    for (unsigned turn = 0; turn < 5 * RING; turn++) {
        int queue = 0;
        for (size_t i = 0; i < 3 + turn % 5; i++)
            queue = arrive(1000, i * SEGMENT, SEGMENT, ACK);
        assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RSC, -1, 1), 1);
        assert_int_equal(received(queue, 0, &segments), HEADERS + (3 + turn % 5) * SEGMENT);
    }
}

static void test_any_step_may_be_the_release(void **state)
{
    uint16_t segments;
    (void)state;
    int queue = arrive(1000, 0, SEGMENT, ACK);
    assert_true(nb_nicsim_step_any(nic));
    assert_int_equal(received(queue, 0, &segments), HEADERS + SEGMENT);
    assert_false(nb_nicsim_step_any(nic));
}

#define IN_A_RUN(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_RUN(test_segments_are_held_until_they_are_released_and_are_one_packet),
        IN_A_RUN(test_push_needs_no_release),
        IN_A_RUN(test_interleaved_connections_come_out_whole),
        IN_A_RUN(test_ring_serves_many_turns),
        IN_A_RUN(test_any_step_may_be_the_release),
    };
    return cmocka_run_group_tests(tests, group_setup, stop_port);
}
