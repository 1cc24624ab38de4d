/* Transmit rings and offloads: what leaves on the wire, which descriptors come back, and what is refused. */
#include "rig.h"

#define DATA      (3u << 20 | 1u << 25 | 1u << 29) /* advanced data descriptor, insert FCS */
#define EOP       (1u << 24)
#define RS        (1u << 27)
#define VLE       (1u << 30)
#define TSE       (1u << 31)
#define IXSM      (1u << 8)
#define TXSM      (1u << 9)
#define UDP       0u
#define TCP       1u
#define SCTP      2u
#define PAYLEN(n) ((uint32_t)(n) << 14)

/* A driver's transmit queue: where the next descriptor goes. */
struct queue {
    struct rig *rig;
    unsigned q, tail;
};

static void put(struct queue *queue, uint64_t address, uint32_t command, uint32_t options)
{
    put_tx_desc(queue->rig, queue->q, queue->tail, (struct tx_descriptor){address, command, options});
    queue->tail = (queue->tail + 1) % RIG_RING;
}

static void ring_doorbell(struct queue *queue)
{
    wr(queue->rig, tx_reg(queue->q, TXQ_TDT), queue->tail);
}

/* n bytes at `at` in the scratch area, as one whole frame. */
static void put_frame(struct queue *queue, size_t at, size_t n, uint32_t command, uint32_t options)
{
    put(queue, RIG_BUS + TX_DATA_AT + at, DATA | EOP | RS | command | (uint32_t)n, PAYLEN(n) | options);
}

struct context {
    unsigned index, mac, ip, l4, mss, l4type;
    bool ipv4;
    uint16_t vlan;
};

static void put_context(struct queue *queue, const struct context *c)
{
    uint64_t lengths = (uint32_t)c->vlan << 16 | c->mac << 9 | c->ip;

    put(queue, lengths, 2u << 20 | 1u << 29 | (c->ipv4 ? 1u << 10 : 0) | c->l4type << 11,
        c->mss << 16 | c->l4 << 8 | c->index << 4);
}

static unsigned poll_all(struct rig *rig)
{
    return rig->ops->tx_poll(rig->dev, 1000);
}

/* A packet in the scratch area whose checksums the device shall fill in: IP zero, L4 the pseudo-header's sum.
 * Returns its length; *expected gets the finished packet. */
static size_t prepare(struct rig *rig, const struct packet *p, bool length_in_sum, uint8_t *expected)
{
    uint8_t *frame = tx_data(rig), protocol = p->protocol ? p->protocol : 6;
    size_t n = build(frame, p), ip = p->vlan ? 18 : 14, ip_bytes = p->ipv6 ? 40 : 20;
    size_t l4 = ip + ip_bytes, l4_bytes = n - l4;
    uint32_t sum =
        pseudo_sum(frame + ip + (p->ipv6 ? 8 : 12), p->ipv6 ? 32 : 8, protocol, length_in_sum ? l4_bytes : 0);

    memcpy(expected, frame, n);
    if (!p->ipv6)
        put_be16(frame + ip + 10, 0);
    put_be16(frame + l4 + (protocol == 6 ? 16 : 6), (uint16_t)~plain_checksum(sum));
    return n;
}

/* --- rings ----------------------------------------------------------------------------------------------------------
 */

static void test_tx_frame_leaves_and_descriptor_comes_back(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 2, 0};
    size_t n = build(tx_data(rig), &(struct packet){.src = 1, .dst = 2, .payload = 100});

    put_frame(&queue, 0, n, 0, 0);
    unsigned before = rig->ready;
    ring_doorbell(&queue);
    assert_int_equal(rig->ready, before + 1);
    assert_int_equal(rig->sent, 0); /* nothing happens inside the register write */
    assert_int_equal(poll_all(rig), 1);
    assert_int_equal(rig->sent, 1);
    assert_int_equal(rig->sent_bytes[0], n);
    assert_memory_equal(rig->sent_frame[0], tx_data(rig), n);
    assert_int_equal(tx_desc(rig, 2, 0).options, 1); /* DD */
    assert_int_equal(rd(rig, tx_reg(2, TXQ_TDH)), 1);
    assert_int_equal(poll_all(rig), 0);
}

static void test_tx_done_is_written_only_where_asked(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    for (unsigned i = 0; i < 4; i++)
        put(&queue, RIG_BUS + TX_DATA_AT, DATA | EOP | (i == 2 ? RS : 0) | 60, PAYLEN(60));
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(tx_desc(rig, 0, i).options & 1, i == 2);
}

static void test_tx_pieces_are_joined(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, RIG_RING - 2}; /* and the ring wraps between them */
    size_t n = build(tx_data(rig), &(struct packet){.src = 1, .dst = 2, .payload = 300, .first_byte = 9});

    wr(rig, tx_reg(0, TXQ_TDH), RIG_RING - 2);
    wr(rig, tx_reg(0, TXQ_TDT), RIG_RING - 2);
    put(&queue, RIG_BUS + TX_DATA_AT, DATA | 54, PAYLEN(n));
    put(&queue, 0, DATA | 0, PAYLEN(n)); /* an empty piece needs no address */
    put(&queue, RIG_BUS + TX_DATA_AT + 54, DATA | 1, PAYLEN(n));
    put(&queue, RIG_BUS + TX_DATA_AT + 55, DATA | EOP | RS | (uint32_t)(n - 55), PAYLEN(n));
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 1);
    assert_int_equal(rig->sent_bytes[0], n);
    assert_memory_equal(rig->sent_frame[0], tx_data(rig), n);
    assert_int_equal(rd(rig, tx_reg(0, TXQ_TDH)), 2);
}

static void test_tx_frame_without_its_end_waits_for_it(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put(&queue, RIG_BUS + TX_DATA_AT, DATA | 40, PAYLEN(80));
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 0);
    assert_int_equal(rd(rig, tx_reg(0, TXQ_TDH)), 0);
    put(&queue, RIG_BUS + TX_DATA_AT + 40, DATA | EOP | 40, PAYLEN(80));
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 1);
    assert_int_equal(rig->sent_bytes[0], 80);
}

static void test_tx_short_frame_is_padded_with_zeros(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    memset(tx_data(rig), 0xee, 100);
    put_frame(&queue, 0, 42, 0, 0);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_bytes[0], 60);
    assert_int_equal(rig->sent_frame[0][41], 0xee);
    for (unsigned i = 42; i < 60; i++)
        assert_int_equal(rig->sent_frame[0][i], 0);
    wr(rig, REG_HLREG0, rd(rig, REG_HLREG0) & ~HLREG0_TXPADEN);
    put_frame(&queue, 0, 42, 0, 0);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_bytes[1], 42);
}

static void test_tx_max_bounds_the_work_and_the_rest_stays(void **state)
{
    struct rig *rig = *state;
    struct queue a = {rig, 0, 0}, b = {rig, 9, 0};

    for (unsigned i = 0; i < 10; i++) {
        put_frame(&a, 0, 60, 0, 0);
        put_frame(&b, 0, 60, 0, 0);
    }
    ring_doorbell(&a);
    ring_doorbell(&b);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 3), 3);
    assert_int_equal(rig->sent, 3);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 3), 3);
    assert_true(rd(rig, tx_reg(9, TXQ_TDH)) > 0); /* the other queue has had a turn */
    assert_int_equal(rig->ops->tx_poll(rig->dev, 100), 14);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 100), 0);
}

static void test_tx_nothing_leaves_before_everything_is_enabled(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    wr(rig, REG_DMATXCTL, 0);
    wr(rig, tx_reg(0, TXQ_TXDCTL), 0);
    put_frame(&queue, 0, 60, 0, 0);
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 0);
    wr(rig, REG_DMATXCTL, DMATXCTL_TE);
    assert_int_equal(poll_all(rig), 0);
    unsigned before = rig->ready;
    wr(rig, tx_reg(0, TXQ_TXDCTL), QUEUE_ENABLE);
    assert_int_equal(rig->ready, before + 1);
    assert_int_equal(poll_all(rig), 1);
}

static void test_tx_link_down_loses_frames_and_returns_descriptors(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    rig->ops->set_link(rig->dev, false);
    put_frame(&queue, 0, 60, 0, 0);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "sent while the link is down"), 1);
    assert_int_equal(tx_desc(rig, 0, 0).options & 1, 1);
    assert_int_equal(rd(rig, REG_GPTC), 0);
}

static void test_tx_legacy_descriptor_sends_plain_frames(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put(&queue, RIG_BUS + TX_DATA_AT, EOP | RS | 1u << 25 | 70, 0);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_bytes[0], 70);
}

#define LEGACY_IC  (1u << 26)
#define LEGACY_VLE (1u << 30)

static void test_tx_legacy_descriptor_inserts_a_checksum_and_a_tag(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    uint8_t *frame = tx_data(rig);
    const struct packet p = {.src = IP(10, 0, 0, 1), .dst = IP(10, 0, 0, 2), .sport = 1, .dport = 2, .payload = 46};
    size_t n = build(frame, &p);
    uint16_t right = (uint16_t)(frame[50] << 8 | frame[51]);

    put_be16(frame + 50, (uint16_t)~plain_checksum(pseudo_sum(frame + 26, 8, 6, 20 + 46))); /* of the pseudo-header */
    put(&queue, RIG_BUS + TX_DATA_AT, EOP | RS | LEGACY_IC | LEGACY_VLE | 50u << 16 | (uint32_t)n,
        0x0123u << 16 | 34u << 8);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_bytes[0], n + 4);
    assert_memory_equal(rig->sent_frame[0] + 12, "\x81\x00\x01\x23\x08\x00", 6);
    assert_int_equal(rig->sent_frame[0][54] << 8 | rig->sent_frame[0][55], right);
}

static void test_tx_legacy_offloads_are_those_of_the_last_descriptor(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put(&queue, RIG_BUS + TX_DATA_AT, LEGACY_VLE | 40, 0x0111u << 16);
    put(&queue, RIG_BUS + TX_DATA_AT + 40, EOP | RS | LEGACY_VLE | 40, 0x0222u << 16);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_bytes[0], 84);
    assert_memory_equal(rig->sent_frame[0] + 12, "\x81\x00\x02\x22", 4);
}

static void test_tx_legacy_checksum_beyond_the_frame_is_refused(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put(&queue, RIG_BUS + TX_DATA_AT, EOP | RS | LEGACY_IC | 69u << 16 | 70, 34u << 8);
    put(&queue, RIG_BUS + TX_DATA_AT, EOP | RS | LEGACY_IC | 50u << 16 | 70, 70u << 8);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit descriptors that make no frame"), 2);
}

/* --- checksums ------------------------------------------------------------------------------------------------------
 */

static const struct packet packets[] = {
    {.src = IP(10, 0, 0, 2), .dst = IP(10, 0, 0, 1), .sport = 80, .dport = 1000, .payload = 101, .first_byte = 3},
    {.src = IP(10, 0, 0, 2), .dst = IP(10, 0, 0, 1), .sport = 53, .dport = 99, .protocol = 17, .payload = 40},
    {.src = 2, .dst = 1, .sport = 80, .dport = 1000, .payload = 77, .ipv6 = true},
    {.src = 2, .dst = 1, .sport = 53, .dport = 99, .protocol = 17, .payload = 33, .ipv6 = true},
    {.src = 2, .dst = 1, .sport = 80, .dport = 1000, .payload = 77, .vlan = 12},
};

static struct context context_of(const struct packet *p)
{
    return (struct context){
        .mac = p->vlan ? 18 : 14,
        .ip = p->ipv6 ? 40 : 20,
        .l4 = p->protocol == 17 ? 8 : 20,
        .l4type = p->protocol == 17 ? UDP : TCP,
        .ipv4 = !p->ipv6,
    };
}

static void test_tx_checksums_are_inserted_right(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    uint8_t expected[2000];

    for (unsigned i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        struct context context = context_of(&packets[i]);
        size_t n = prepare(rig, &packets[i], true, expected);
        put_context(&queue, &context);
        put_frame(&queue, 0, n, 0, (packets[i].ipv6 ? 0 : IXSM) | TXSM);
        ring_doorbell(&queue);
        assert_int_equal(poll_all(rig), 1);
        assert_int_equal(rig->sent_bytes[i], n);
        assert_memory_equal(rig->sent_frame[i], expected, n);
        assert_memory_not_equal(tx_data(rig), expected, n); /* the program's copy is not touched */
    }
}

static void test_tx_only_the_checksum_asked_for_is_touched(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct context context = context_of(&packets[0]);
    uint8_t expected[2000];
    size_t n = prepare(rig, &packets[0], true, expected);

    put_context(&queue, &context);
    put_frame(&queue, 0, n, 0, TXSM);
    put_frame(&queue, 0, n, 0, IXSM);
    put_frame(&queue, 0, n, 0, 0);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_memory_equal(rig->sent_frame[0] + 50, expected + 50, 2);
    assert_memory_equal(rig->sent_frame[0] + 24, tx_data(rig) + 24, 2);
    assert_memory_equal(rig->sent_frame[1] + 24, expected + 24, 2);
    assert_memory_equal(rig->sent_frame[1] + 50, tx_data(rig) + 50, 2);
    assert_memory_equal(rig->sent_frame[2], tx_data(rig), n);
}

static void test_tx_udp_checksum_zero_leaves_as_ffff(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct packet p = packets[1];
    struct context context = context_of(&p);
    uint8_t expected[2000];
    size_t n = prepare(rig, &p, true, expected);

    /* Add what the checksum lacks to the last word of the payload: the sum becomes ffff, its complement 0. */
    uint32_t sum = ((unsigned)expected[40] << 8 | expected[41]) + ((unsigned)expected[n - 2] << 8 | expected[n - 1]);
    put_be16(tx_data(rig) + n - 2, (sum & 0xffff) + (sum >> 16));
    put_context(&queue, &context);
    put_frame(&queue, 0, n, 0, IXSM | TXSM);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_frame[0][40] << 8 | rig->sent_frame[0][41], 0xffff);
}

static void test_tx_badly_prepared_packet_leaves_with_a_bad_checksum(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct context context = context_of(&packets[0]);
    uint8_t expected[2000];
    size_t n = prepare(rig, &packets[0], true, expected);

    put_be16(tx_data(rig) + 24, 0x1234); /* the IP checksum was not zeroed */
    put_context(&queue, &context);
    put_frame(&queue, 0, n, 0, IXSM | TXSM);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_memory_not_equal(rig->sent_frame[0] + 24, expected + 24, 2);
}

static void test_tx_two_contexts_are_kept_per_queue(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0}, other = {rig, 1, 0};
    struct context tcp = context_of(&packets[0]), udp = context_of(&packets[1]);
    uint8_t expected[2000];
    size_t n = prepare(rig, &packets[0], true, expected);

    udp.index = 1;
    put_context(&queue, &tcp);
    put_context(&queue, &udp);
    put_frame(&queue, 0, n, 0, IXSM | TXSM | 0 << 4);
    ring_doorbell(&queue);
    put_frame(&other, 0, n, 0, IXSM | TXSM); /* this queue has none */
    ring_doorbell(&other);
    poll_all(rig);
    assert_int_equal(rig->sent, 1);
    assert_memory_equal(rig->sent_frame[0], expected, n);
    assert_int_equal(drops(rig, "transmit descriptors that make no frame"), 1);
    wr(rig, REG_CTRL, CTRL_RST);
    rig_start(rig);
    queue.tail = 0;
    put_frame(&queue, 0, n, 0, IXSM | TXSM); /* a reset forgets them */
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 1);
}

static void test_tx_context_that_does_not_fit_the_frame_is_refused(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    const struct context bad[] = {
        {.mac = 127, .ip = 511, .l4type = TCP, .ipv4 = true},
        {.mac = 14, .ip = 0, .l4type = TCP, .ipv4 = true},
        {.mac = 14, .ip = 46, .l4type = TCP, .ipv4 = true}, /* the TCP checksum would lie beyond byte 74 */
    };

    for (unsigned i = 0; i < 3; i++) {
        put_context(&queue, &bad[i]);
        put_frame(&queue, 0, 74, 0, IXSM | TXSM);
        ring_doorbell(&queue);
        poll_all(rig);
    }
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit descriptors that make no frame"), 3);
    assert_int_equal(tx_desc(rig, 0, 5).options & 1, 1); /* completed all the same */
}

static void test_tx_offloads_that_are_not_modelled_never_leave_wrong(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct context sctp = {.mac = 14, .ip = 20, .l4type = SCTP, .ipv4 = true};

    put_context(&queue, &sctp);
    put_frame(&queue, 0, 100, 0, TXSM);
    put_frame(&queue, 0, 100, 1u << 18, 0); /* LinkSec */
    put_frame(&queue, 0, 100, 0, 1u << 10); /* IPsec */
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit offload not modelled"), 3);
}

static void test_tx_vlan_tag_is_inserted_from_the_context(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    size_t n = build(tx_data(rig), &packets[0]);

    put_context(&queue, &(struct context){.vlan = 0x6007, .l4type = 3});
    put_frame(&queue, 0, n, VLE, 0);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_bytes[0], n + 4);
    assert_memory_equal(rig->sent_frame[0], tx_data(rig), 12);
    assert_memory_equal(rig->sent_frame[0] + 12, "\x81\x00\x60\x07", 4);
    assert_memory_equal(rig->sent_frame[0] + 16, tx_data(rig) + 12, n - 12);
}

/* --- TSO ------------------------------------------------------------------------------------------------------------
 */

/* Put a TSO request of `payload` bytes on the queue. */
static void put_tso(struct queue *queue, const struct packet *p, unsigned mss, uint8_t *expected)
{
    struct context context = context_of(p);
    size_t n = prepare(queue->rig, p, false, expected);

    context.mss = mss;
    put_context(queue, &context);
    /* In pieces of at most 32 KiB, as drivers do. */
    for (size_t at = 0; at < n; at += 32768) {
        size_t piece = n - at < 32768 ? n - at : 32768;
        put(queue, RIG_BUS + TX_DATA_AT + at, DATA | TSE | (at + piece == n ? EOP | RS : 0) | (uint32_t)piece,
            PAYLEN(p->payload) | TXSM | (p->ipv6 ? 0 : IXSM));
    }
    ring_doorbell(queue);
}

/* Is sent frame i a sound segment carrying `bytes` of the request's payload from `offset` on? */
static void check_segment(struct rig *rig, unsigned i, const struct packet *p, const uint8_t *request, size_t offset,
                          size_t bytes, uint8_t flags)
{
    const uint8_t *f = rig->sent_frame[i];
    size_t ip = 14, l4 = ip + (p->ipv6 ? 40 : 20), header = l4 + 20;

    assert_int_equal(rig->sent_bytes[i], header + bytes);
    assert_memory_equal(f, request, ip);
    if (p->ipv6) {
        assert_int_equal(f[ip + 4] << 8 | f[ip + 5], 20 + bytes);
    } else {
        assert_int_equal(f[ip + 2] << 8 | f[ip + 3], 40 + bytes);
        assert_int_equal(f[ip + 4] << 8 | f[ip + 5], i);
        assert_int_equal(plain_checksum(plain_sum(0, f + ip, 20)), 0);
    }
    uint32_t seq = (uint32_t)f[l4 + 4] << 24 | (uint32_t)f[l4 + 5] << 16 | (uint32_t)f[l4 + 6] << 8 | f[l4 + 7];
    assert_int_equal(seq, (uint32_t)offset);
    assert_int_equal(f[l4 + 13], flags);
    uint32_t sum = pseudo_sum(f + ip + (p->ipv6 ? 8 : 12), p->ipv6 ? 32 : 8, 6, 20 + bytes);
    assert_int_equal(plain_checksum(plain_sum(sum, f + l4, 20 + bytes)), 0);
    assert_memory_equal(f + header, request + header + offset, bytes);
}

static void test_tso_request_is_cut_into_sound_segments(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    static uint8_t request[40000];

    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct packet p = {
            .src = 1, .dst = 2, .sport = 80, .dport = 1000, .payload = 5000, .ipv6 = v6, .tcp_flags = 0x99};
        rig->sent = 0;
        put_tso(&queue, &p, 1400, request);
        assert_int_equal(poll_all(rig), 4);
        assert_int_equal(rig->sent, 4);
        check_segment(rig, 0, &p, request, 0, 1400, 0x90); /* CWR, ACK */
        check_segment(rig, 1, &p, request, 1400, 1400, 0x90);
        check_segment(rig, 2, &p, request, 2800, 1400, 0x90);
        check_segment(rig, 3, &p, request, 4200, 800, 0x19); /* FIN, PSH, ACK; no CWR */
    }
    assert_int_equal(tx_desc(rig, 0, 1).options & 1, 1);
}

static void test_tso_with_a_vlan_tag_tags_every_segment(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct packet p = {.src = 1, .dst = 2, .sport = 80, .dport = 1000, .payload = 250};
    struct context context = context_of(&p);
    static uint8_t request[1000];
    size_t n = prepare(rig, &p, false, request);

    context.mss = 100;
    context.vlan = 0x6007;
    put_context(&queue, &context);
    put(&queue, RIG_BUS + TX_DATA_AT, DATA | TSE | VLE | EOP | RS | (uint32_t)n, PAYLEN(p.payload) | TXSM | IXSM);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_memory_equal(rig->sent_frame[i] + 12, "\x81\x00\x60\x07", 4);
        assert_int_equal(rig->sent_bytes[i], 14 + 4 + 40 + (i < 2 ? 100 : 50));
        assert_memory_equal(rig->sent_frame[i] + 58, request + 54 + 100 * i, i < 2 ? 100 : 50);
    }
}

static void test_tso_flag_masks_are_programmable(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct packet p = {.src = 1, .dst = 2, .payload = 300, .tcp_flags = 0xff};
    static uint8_t request[2000];

    wr(rig, REG_DTXTCPFLGL, 0x0f0f0ff0);
    wr(rig, REG_DTXTCPFLGH, 0x00000f33);
    put_tso(&queue, &p, 100, request);
    poll_all(rig);
    check_segment(rig, 0, &p, request, 0, 100, 0xf0);
    check_segment(rig, 1, &p, request, 100, 100, 0x0f);
    check_segment(rig, 2, &p, request, 200, 100, 0x33);
}

static void test_tso_that_needs_no_cutting_is_one_segment_as_it_is(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct packet p = {.src = 1, .dst = 2, .payload = 1400, .tcp_flags = 0x99};
    static uint8_t request[2000];

    put_tso(&queue, &p, 1400, request);
    assert_int_equal(poll_all(rig), 1);
    check_segment(rig, 0, &p, request, 0, 1400, 0x99);
}

static void test_tso_is_resumed_when_max_interrupts_it(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 3, 0}, other = {rig, 5, 0};
    struct packet p = {.src = 1, .dst = 2, .payload = 1000};
    static uint8_t request[2000];

    put_tso(&queue, &p, 100, request);
    put_frame(&other, 0, 60, 0, 0);
    ring_doorbell(&other);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 4), 4);
    assert_int_equal(tx_desc(rig, 3, 1).options & 1, 0); /* not done yet */
    assert_int_equal(rig->ops->tx_poll(rig->dev, 4), 4);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 4), 3); /* the last two, and the other queue's */
    assert_int_equal(tx_desc(rig, 3, 1).options & 1, 1);
    for (unsigned i = 0; i < 10; i++)
        check_segment(rig, i, &p, request, i * 100, 100, 0x10);
    assert_int_equal(rig->sent_bytes[10], 60);
}

static void test_tso_stopped_in_the_middle_leaves_other_queues_alone(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 3, 0}, other = {rig, 5, 0};
    struct packet p = {.src = 1, .dst = 2, .payload = 1000};
    static uint8_t request[2000];

    put_tso(&queue, &p, 100, request);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 2), 2);
    wr(rig, tx_reg(3, TXQ_TXDCTL), 0);
    put_frame(&other, 0, 60, 0, 0);
    ring_doorbell(&other);
    assert_int_equal(poll_all(rig), 1);
    assert_int_equal(rig->sent, 3);
    assert_int_equal(rig->sent_bytes[2], 60);
    assert_int_equal(rd(rig, tx_reg(5, TXQ_TDH)), 1);
    assert_int_equal(rd(rig, tx_reg(3, TXQ_TDH)), 0);
}

static void test_tso_64k_request_is_sent_whole(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    struct packet p = {.src = 1, .dst = 2, .payload = 65000};
    static uint8_t request[70000];

    put_tso(&queue, &p, 1460, request);
    assert_int_equal(poll_all(rig), 45);
    assert_int_equal(rd(rig, REG_GPTC), 45);
    check_segment(rig, 44, &p, request, 44 * 1460, 65000 - 44 * 1460, 0x10);
}

static void test_tso_senseless_requests_are_refused(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};
    const struct context bad[] = {
        {.mac = 14, .ip = 20, .l4 = 20, .mss = 0, .l4type = TCP, .ipv4 = true},
        {.mac = 14, .ip = 20, .l4 = 8, .mss = 100, .l4type = TCP, .ipv4 = true},
        {.mac = 14, .ip = 20, .l4 = 20, .mss = 100, .l4type = UDP, .ipv4 = true},
        {.mac = 14, .ip = 20, .l4 = 20, .mss = 65535, .l4type = TCP, .ipv4 = true},
        {.mac = 14, .ip = 20, .l4 = 20, .mss = 100, .l4type = TCP}, /* no IPv6 header has 20 bytes */
    };

    for (unsigned i = 0; i < 5; i++) {
        put_context(&queue, &bad[i]);
        size_t headers = bad[i].mac + bad[i].ip + bad[i].l4;
        put(&queue, RIG_BUS + TX_DATA_AT, DATA | TSE | EOP | RS | (uint32_t)(headers + 500), PAYLEN(500) | TXSM | IXSM);
        ring_doorbell(&queue);
        poll_all(rig);
    }
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit descriptors that make no frame"), 5);
}

/* --- hostile registers and memory -----------------------------------------------------------------------------------
 */

static void test_tx_paylen_that_lies_is_refused(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put(&queue, RIG_BUS + TX_DATA_AT, DATA | EOP | RS | 100, PAYLEN(99));
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit descriptors that make no frame"), 1);
}

static void test_tx_oversize_and_tiny_frames_are_refused(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put_frame(&queue, 0, 15873, 0, 0);
    put_frame(&queue, 0, 13, 0, 0);
    put(&queue, RIG_BUS + TX_DATA_AT, DATA | EOP | 0, 0);
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 3);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit frame longer than the silicon sends"), 1);
    assert_int_equal(drops(rig, "transmit descriptors that make no frame"), 2);
    put_frame(&queue, 0, 15872, 0, 0);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent_bytes[0], 15872);
}

static void test_tx_huge_request_of_many_descriptors_is_refused(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put_context(&queue, &(struct context){.mac = 14, .ip = 20, .l4 = 20, .mss = 1000, .l4type = TCP, .ipv4 = true});
    for (unsigned i = 0; i < 20; i++)
        put(&queue, RIG_BUS + TX_DATA_AT, DATA | TSE | (i == 19 ? EOP : 0) | 65535, PAYLEN(0x3ffff) | TXSM);
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 1);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit frame longer than the silicon sends"), 1);
}

static void test_tx_buffer_outside_memory_is_counted_and_completed(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put(&queue, RIG_BUS + RIG_MEMORY - 99, DATA | EOP | RS | 100, PAYLEN(100));
    put(&queue, 0, DATA | EOP | RS | 100, PAYLEN(100));
    put(&queue, RIG_BUS + RIG_MEMORY - 100, DATA | EOP | RS | 100, PAYLEN(100));
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 1);
    assert_int_equal(drops(rig, "transmit ring or buffer address is not the program's memory"), 2);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(tx_desc(rig, 0, i).options & 1, 1);
}

static void test_tx_senseless_rings_are_left_alone_until_the_next_doorbell(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put_frame(&queue, 0, 60, 0, 0);
    wr(rig, tx_reg(0, TXQ_TDLEN), 0);
    ring_doorbell(&queue);
    poll_all(rig);
    poll_all(rig);
    assert_int_equal(drops(rig, "transmit ring registers out of range"), 1);
    wr(rig, tx_reg(0, TXQ_TDLEN), RIG_RING * 16);
    wr(rig, tx_reg(0, TXQ_TDT), RIG_RING);
    poll_all(rig);
    wr(rig, tx_reg(0, TXQ_TDH), 0xffffffff);
    wr(rig, tx_reg(0, TXQ_TDT), 1);
    poll_all(rig);
    assert_int_equal(drops(rig, "transmit ring registers out of range"), 3);
    wr(rig, tx_reg(0, TXQ_TDH), 0);
    wr(rig, tx_reg(0, TXQ_TDBAH), 0xffffffff);
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(drops(rig, "transmit ring or buffer address is not the program's memory"), 1);
    wr(rig, tx_reg(0, TXQ_TDBAH), (uint32_t)(RIG_BUS >> 32));
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 1);
}

static void test_tx_context_inside_a_frame_is_refused(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    put(&queue, RIG_BUS + TX_DATA_AT, DATA | 40, PAYLEN(80));
    put_context(&queue, &(struct context){.mac = 14});
    put(&queue, RIG_BUS + TX_DATA_AT, DATA | EOP | RS | 40, PAYLEN(80));
    ring_doorbell(&queue);
    poll_all(rig);
    assert_int_equal(rig->sent, 0);
    assert_int_equal(drops(rig, "transmit descriptors that make no frame"), 1);
    assert_int_equal(rd(rig, tx_reg(0, TXQ_TDH)), 3);
}

static void test_tx_ring_without_any_end_of_packet_stands_still(void **state)
{
    struct rig *rig = *state;
    struct queue queue = {rig, 0, 0};

    for (unsigned i = 0; i < RIG_RING - 1; i++)
        put(&queue, RIG_BUS + TX_DATA_AT, DATA | 100, PAYLEN(100));
    ring_doorbell(&queue);
    assert_int_equal(poll_all(rig), 0);
    assert_int_equal(poll_all(rig), 0);
    assert_int_equal(rd(rig, tx_reg(0, TXQ_TDH)), 0);
}

#define TX_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_started, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TX_TEST(test_tx_frame_leaves_and_descriptor_comes_back),
        TX_TEST(test_tx_done_is_written_only_where_asked),
        TX_TEST(test_tx_pieces_are_joined),
        TX_TEST(test_tx_frame_without_its_end_waits_for_it),
        TX_TEST(test_tx_short_frame_is_padded_with_zeros),
        TX_TEST(test_tx_max_bounds_the_work_and_the_rest_stays),
        TX_TEST(test_tx_nothing_leaves_before_everything_is_enabled),
        TX_TEST(test_tx_link_down_loses_frames_and_returns_descriptors),
        TX_TEST(test_tx_legacy_descriptor_sends_plain_frames),
        TX_TEST(test_tx_legacy_descriptor_inserts_a_checksum_and_a_tag),
        TX_TEST(test_tx_legacy_offloads_are_those_of_the_last_descriptor),
        TX_TEST(test_tx_legacy_checksum_beyond_the_frame_is_refused),
        TX_TEST(test_tx_checksums_are_inserted_right),
        TX_TEST(test_tx_only_the_checksum_asked_for_is_touched),
        TX_TEST(test_tx_udp_checksum_zero_leaves_as_ffff),
        TX_TEST(test_tx_badly_prepared_packet_leaves_with_a_bad_checksum),
        TX_TEST(test_tx_two_contexts_are_kept_per_queue),
        TX_TEST(test_tx_context_that_does_not_fit_the_frame_is_refused),
        TX_TEST(test_tx_offloads_that_are_not_modelled_never_leave_wrong),
        TX_TEST(test_tx_vlan_tag_is_inserted_from_the_context),
        TX_TEST(test_tso_request_is_cut_into_sound_segments),
        TX_TEST(test_tso_with_a_vlan_tag_tags_every_segment),
        TX_TEST(test_tso_flag_masks_are_programmable),
        TX_TEST(test_tso_that_needs_no_cutting_is_one_segment_as_it_is),
        TX_TEST(test_tso_is_resumed_when_max_interrupts_it),
        TX_TEST(test_tso_stopped_in_the_middle_leaves_other_queues_alone),
        TX_TEST(test_tso_64k_request_is_sent_whole),
        TX_TEST(test_tso_senseless_requests_are_refused),
        TX_TEST(test_tx_paylen_that_lies_is_refused),
        TX_TEST(test_tx_oversize_and_tiny_frames_are_refused),
        TX_TEST(test_tx_huge_request_of_many_descriptors_is_refused),
        TX_TEST(test_tx_buffer_outside_memory_is_counted_and_completed),
        TX_TEST(test_tx_senseless_rings_are_left_alone_until_the_next_doorbell),
        TX_TEST(test_tx_context_inside_a_frame_is_refused),
        TX_TEST(test_tx_ring_without_any_end_of_packet_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
