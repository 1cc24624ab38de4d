/* Receive side coalescing: what becomes one large receive, what ends it, and how its descriptors say so. */
#include "rig.h"

#include "nics/82599/rsc.h"

#include <stdio.h>

#define QUEUE       0
#define MSS         1000
#define FIRST_SEQ   0xfffffe00u /* wraps within a few segments */
#define EITR_500_US (244u << EITR_INTERVAL_SHIFT)
#define INTERVAL_NS (244u * 2048)
#define PSH_ACK     0x18
#define ACK         0x10
#define HEADERS     54 /* Ethernet, IPv4, TCP */

/* As the driver sets it up: every queue, 16 buffers, vector = queue. */
static int setup(void **state)
{
    rig_setup_started(state);
    struct rig *rig = *state;
    for (unsigned q = 0; q < RIG_QUEUES; q++) {
        wr(rig, rx_reg(q, RXQ_RSCCTL), RSCCTL_RSCEN | 3u << RSCCTL_MAXDESC_SHIFT);
        wr(rig, REG_EITR + q * 4, EITR_500_US);
    }
    for (unsigned i = 0; i < RIG_QUEUES / 2; i++)
        wr(rig, REG_IVAR + i * 4, 0x00800080 | i << 1 | (i << 1 | 1) << 16);
    wr(rig, REG_RDRXCTL, rd(rig, REG_RDRXCTL) | RDRXCTL_RSCACKC);
    return 0;
}

/* --- segments ----------------------------------------------------------------------------------------------------- */

struct shape {
    uint32_t seq, ack;
    uint8_t flags; /* ACK unless set */
    size_t payload;
    bool timestamps;
    uint32_t tsval;
    uint16_t sport; /* 1000 unless set */
    bool ipv6;
    uint16_t vlan;
    uint16_t window;
    uint8_t tos;
    bool bad_checksum;
};

/* A sound TCP segment; its payload's bytes are those of its place in the stream. */
static size_t make(uint8_t *frame, const struct shape *s)
{
    const struct packet p = {.src = IP(10, 0, 0, 1),
                             .dst = IP(10, 0, 0, 2),
                             .sport = s->sport ? s->sport : 1000,
                             .dport = 80,
                             .tcp_flags = s->flags,
                             .vlan = s->vlan,
                             .ipv6 = s->ipv6,
                             .payload = s->payload + (s->timestamps ? 12 : 0)};
    size_t n = build(frame, &p), ip_at = s->vlan ? 18 : 14, tcp_at = ip_at + (s->ipv6 ? 40 : 20);
    uint8_t *ip = frame + ip_at, *tcp = frame + tcp_at, *data = tcp + 20;
    put_be32(tcp + 4, s->seq);
    put_be32(tcp + 8, s->ack);
    put_be16(tcp + 14, s->window ? s->window : 500);
    if (s->timestamps) {
        tcp[12] = 0x80;
        memcpy(data, "\1\1\10\12", 4);
        put_be32(data + 4, s->tsval);
        put_be32(data + 8, 99);
        data += 12;
    }
    for (size_t i = 0; i < s->payload; i++)
        data[i] = (uint8_t)((s->seq + i) * 7);
    if (!s->ipv6) {
        ip[1] = s->tos;
        put_be16(ip + 10, 0);
        put_be16(ip + 10, plain_checksum(plain_sum(0, ip, 20)));
    }
    size_t l4_bytes = 20 + p.payload;
    put_be16(tcp + 16, 0);
    uint32_t sum = pseudo_sum(s->ipv6 ? ip + 8 : ip + 12, s->ipv6 ? 32 : 8, 6, l4_bytes);
    put_be16(tcp + 16, plain_checksum(plain_sum(sum, tcp, l4_bytes)) ^ s->bad_checksum);
    return n;
}

static void arrive(struct rig *rig, struct shape s)
{
    static uint8_t frame[20000];
    size_t n = make(frame, &s);
    assert_int_equal(rig->ops->rx_classify(rig->dev, frame, n).queue, QUEUE);
    assert_int_equal(rig->ops->rx_write(rig->dev, -1, 1), 1);
}

/* The i-th full segment of a stream. */
static struct shape nth(unsigned i)
{
    return (struct shape){.seq = FIRST_SEQ + i * MSS, .payload = MSS};
}

static unsigned held(struct rig *rig)
{
    return rig->ops->pending(rig->dev, SIM_EVENT_RSC, -1);
}

static unsigned release(struct rig *rig)
{
    return rig->ops->release(rig->dev, -1, 1);
}

static bool done(struct rig *rig, unsigned i)
{
    return rx_desc(rig, QUEUE, i).status & 1;
}

static unsigned rsccnt(struct rig *rig, unsigned i)
{
    return rx_desc(rig, QUEUE, i).info >> 17 & 0xf;
}

struct counted {
    const char *start;
    unsigned long n;
};

static void count_line(void *arg, const char *text)
{
    struct counted *c = arg;
    size_t n = strlen(c->start);
    if (!strncmp(text, c->start, n) && text[n] == ':')
        c->n = strtoul(text + n + 1, NULL, 10);
}

static unsigned long counted(struct rig *rig, const char *what)
{
    struct counted c = {.start = what, .n = ~0ul};
    assert_int_equal(rig->ops->print_table(rig->dev, "rsc", count_line, &c), 0);
    return c.n;
}

/* --- one large receive -------------------------------------------------------------------------------------------- */

static void test_segments_in_order_are_held_and_handed_over_as_one(void **state)
{
    struct rig *rig = *state;
    arrive(rig, nth(0));
    assert_int_equal(held(rig), 1);
    assert_false(done(rig, 0));
    arrive(rig, (struct shape){.seq = FIRST_SEQ + MSS, .payload = 200, .window = 777});
    assert_int_equal(held(rig), 1);
    assert_false(done(rig, 0));
    assert_int_equal(release(rig), 1);
    assert_int_equal(held(rig), 0);
    struct rx_descriptor d = rx_desc(rig, QUEUE, 0);
    assert_int_equal(d.length, HEADERS + MSS + 200);
    assert_int_equal(d.status & 3, 3);   /* DD, EOP */
    assert_int_equal(rsccnt(rig, 0), 3); /* two packets begin here */
    assert_false(done(rig, 1));
    const uint8_t *frame = rx_buffer(rig, QUEUE, 0);
    for (unsigned i = 0; i < MSS + 200; i++)
        assert_int_equal(frame[HEADERS + i], (uint8_t)((FIRST_SEQ + i) * 7));
    assert_int_equal(frame[16] << 8 | frame[17], 40 + MSS + 200);
    assert_int_equal(plain_checksum(plain_sum(0, frame + 14, 20)), 0);
    assert_int_equal(frame[48] << 8 | frame[49], 777);
    assert_int_equal(rd(rig, REG_QPRC), 2);
    assert_int_equal(counted(rig, "large receives"), 1);
    assert_int_equal(counted(rig, "packets in them"), 2);
}

static void test_large_receive_over_several_buffers_is_chained_by_nextp(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 5; i++)
        arrive(rig, nth(i));
    assert_true(done(rig, 0)); /* full: handed back at once */
    assert_true(done(rig, 1));
    assert_false(done(rig, 2));
    release(rig);
    assert_int_equal(rx_desc(rig, QUEUE, 0).length, RIG_BUFFER);
    assert_int_equal(rx_desc(rig, QUEUE, 0).status & 0xfffff, 1 | 1 << 4);
    assert_int_equal(rx_desc(rig, QUEUE, 1).status & 0xfffff, 1 | 2 << 4);
    assert_int_equal(rx_desc(rig, QUEUE, 2).status & 3, 3);
    assert_int_equal(rx_desc(rig, QUEUE, 2).length, HEADERS + 5 * MSS - 2 * RIG_BUFFER);
    assert_int_equal(rsccnt(rig, 0) - 1 + rsccnt(rig, 1) - 1 + rsccnt(rig, 2) - 1, 5);
    unsigned at = HEADERS;
    for (unsigned i = 0; i < 5 * MSS; i++, at++)
        assert_int_equal(rx_buffer(rig, QUEUE, at / RIG_BUFFER)[at % RIG_BUFFER], (uint8_t)((FIRST_SEQ + i) * 7));
}

static void test_two_connections_interleave_on_one_ring(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 3; i++) {
        struct shape other = nth(i);
        arrive(rig, nth(i));
        other.sport = 2000;
        arrive(rig, other);
    }
    assert_int_equal(held(rig), 2);
    /* Buffers 0 and 2 are the first connection's, 1 and 3 the other's. */
    assert_int_equal(rx_desc(rig, QUEUE, 0).status & 0xfffff, 1 | 2 << 4);
    assert_int_equal(rx_desc(rig, QUEUE, 1).status & 0xfffff, 1 | 3 << 4);
    assert_int_equal(release(rig), 1); /* the oldest */
    assert_true(done(rig, 2));
    assert_false(done(rig, 3));
    release(rig);
    assert_true(done(rig, 3));
    assert_int_equal(rx_buffer(rig, QUEUE, 1)[34] << 8 | rx_buffer(rig, QUEUE, 1)[35], 2000);
}

static void test_time_stamps_and_push_of_the_last_segment_are_in_the_header(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 3; i++) {
        struct shape s = nth(i);
        s.timestamps = true;
        s.tsval = 5000 + i;
        s.flags = i == 2 ? PSH_ACK : ACK;
        arrive(rig, s);
    }
    assert_int_equal(held(rig), 0);
    const uint8_t *tcp = rx_buffer(rig, QUEUE, 0) + 34;
    assert_int_equal(tcp[13], PSH_ACK);
    assert_int_equal(tcp[26] << 8 | tcp[27], 5002);
    assert_int_equal(counted(rig, "ended by PSH"), 1);
}

static void test_ipv6_length_is_that_of_the_whole(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 2; i++) {
        struct shape s = nth(i);
        s.ipv6 = true;
        s.payload = 500;
        s.seq = FIRST_SEQ + i * 500;
        arrive(rig, s);
    }
    release(rig);
    assert_int_equal(rx_buffer(rig, QUEUE, 0)[18] << 8 | rx_buffer(rig, QUEUE, 0)[19], 20 + 1000);
    assert_int_equal(rx_desc(rig, QUEUE, 0).length, 74 + 1000);
}

static void test_padding_of_a_short_segment_is_not_payload(void **state)
{
    struct rig *rig = *state;
    arrive(rig, (struct shape){.seq = 1, .payload = 1}); /* 55 bytes, 60 on the wire */
    arrive(rig, (struct shape){.seq = 2, .payload = 1});
    release(rig);
    assert_int_equal(rx_desc(rig, QUEUE, 0).length, HEADERS + 2);
}

/* --- what ends it ------------------------------------------------------------------------------------------------- */

static void test_what_ends_a_large_receive(void **state)
{
    static const struct {
        struct shape next;
        const char *why;
        unsigned held_after; /* the segment begins another, or went its ordinary way */
    } cases[] = {
        {{.seq = FIRST_SEQ + 2 * MSS, .payload = MSS}, "segment out of order", 1},
        {{.seq = FIRST_SEQ, .payload = MSS}, "segment out of order", 1},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .ack = 5}, "acknowledgement number changed", 1},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .timestamps = true}, "time stamps, or none, unlike before", 1},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .flags = PSH_ACK}, "PSH", 0},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .flags = 0x11}, "segment that cannot be coalesced", 0},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .flags = 0x14}, "segment that cannot be coalesced", 0},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .flags = 0x30}, "segment that cannot be coalesced", 0},
        {{.seq = FIRST_SEQ + MSS, .payload = 0}, "segment that cannot be coalesced", 0},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .bad_checksum = true}, "segment that cannot be coalesced", 0},
        {{.seq = FIRST_SEQ + MSS, .payload = MSS, .tos = 3}, "segment that cannot be coalesced", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        void *fresh;
        char line[80];
        setup(&fresh);
        struct rig *rig = fresh;
        arrive(rig, nth(0));
        arrive(rig, cases[i].next);
        snprintf(line, sizeof line, "ended by %s", cases[i].why);
        if (counted(rig, line) != 1 || held(rig) != cases[i].held_after || !done(rig, 0))
            fail_msg("case %zu: %s: %lu, held %u", i, line, counted(rig, line), held(rig));
        rig_free(rig);
    }
}

static void test_ack_may_change_when_the_device_is_told_so(void **state)
{
    struct rig *rig = *state;
    wr(rig, REG_RDRXCTL, rd(rig, REG_RDRXCTL) & ~RDRXCTL_RSCACKC);
    arrive(rig, nth(0));
    arrive(rig, (struct shape){.seq = FIRST_SEQ + MSS, .payload = 10, .ack = 0x01020304});
    release(rig);
    assert_int_equal(rx_desc(rig, QUEUE, 0).length, HEADERS + MSS + 10);
    assert_memory_equal(rx_buffer(rig, QUEUE, 0) + 42, "\1\2\3\4", 4);
}

static void test_other_connection_and_other_tag_do_not_end_it(void **state)
{
    struct rig *rig = *state;
    struct shape other = nth(0), tagged = nth(0);
    other.sport = 2000;
    tagged.vlan = 5;
    arrive(rig, nth(0));
    arrive(rig, other);
    arrive(rig, tagged);
    assert_int_equal(held(rig), 3);
}

static void test_buffers_are_limited_by_maxdesc(void **state)
{
    struct rig *rig = *state;
    wr(rig, rx_reg(QUEUE, RXQ_RSCCTL), RSCCTL_RSCEN | 1u << RSCCTL_MAXDESC_SHIFT); /* 4 */
    for (unsigned i = 0; i < 8; i++)
        arrive(rig, nth(i));
    assert_int_equal(counted(rig, "ended by as long as it may get"), 0);
    arrive(rig, nth(8));
    assert_int_equal(counted(rig, "ended by as long as it may get"), 1);
    assert_int_equal(rx_desc(rig, QUEUE, 3).status & 3, 3);
    assert_int_equal(held(rig), 1);
}

static void test_fourteen_packets_fill_a_buffer_however_short(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 15; i++)
        arrive(rig, (struct shape){.seq = i, .payload = 1});
    assert_int_equal(counted(rig, "ended by as long as it may get"), 1);
    assert_int_equal(rsccnt(rig, 0), 15);
    assert_int_equal(held(rig), 1);
}

static void test_want_of_descriptors_ends_it_and_drops_the_next(void **state)
{
    struct rig *rig = *state;
    wr(rig, rx_reg(QUEUE, RXQ_RDT), 1); /* one descriptor */
    arrive(rig, nth(0));
    arrive(rig, nth(1));
    assert_int_equal(counted(rig, "ended by no receive descriptor"), 1);
    assert_int_equal(drops(rig, "no receive descriptor"), 1);
    assert_true(done(rig, 0));
}

static void test_more_connections_than_contexts_go_their_ordinary_way(void **state)
{
    struct rig *rig = *state;
    wr(rig, rx_reg(QUEUE, RXQ_RDLEN), 2 * RIG_RING * 16); /* its ring and the next queue's lie side by side */
    wr(rig, rx_reg(QUEUE, RXQ_RDT), 2 * RIG_RING - 1);
    for (unsigned i = 0; i < RSC_CONTEXTS; i++)
        arrive(rig, (struct shape){.seq = 1, .payload = 1, .sport = (uint16_t)(1000 + i)});
    assert_int_equal(held(rig), RSC_CONTEXTS);
    assert_int_equal(counted(rig, "packets that found no context"), 0);
    arrive(rig, (struct shape){.seq = 1, .payload = 1, .sport = 3000});
    assert_int_equal(held(rig), RSC_CONTEXTS);
    assert_int_equal(counted(rig, "packets that found no context"), 1);
    assert_true(done(rig, RSC_CONTEXTS));
    assert_int_equal(rsccnt(rig, RSC_CONTEXTS), 0);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void test_interval_of_the_interrupt_ends_it(void **state)
{
    struct rig *rig = *state;
    rig->now_ns = 1000;
    assert_int_equal(rig->ops->due_ns(rig->dev), UINT64_MAX);
    arrive(rig, nth(0));
    assert_int_equal(rig->ops->due_ns(rig->dev), 1000 + INTERVAL_NS);
    rig->now_ns = 1000 + INTERVAL_NS - 1;
    arrive(rig, nth(1)); /* a later segment does not put it off */
    assert_int_equal(held(rig), 1);
    rig->now_ns++;
    unsigned before = rig->interrupts;
    wr(rig, REG_EIMS, 1);
    rig->ops->rx_write(rig->dev, -1, 1);
    assert_int_equal(held(rig), 0);
    assert_true(done(rig, 0));
    assert_int_equal(rig->interrupts, before + 1);
    assert_int_equal(counted(rig, "ended by interval of the queue's interrupt"), 1);
    assert_int_equal(rig->ops->due_ns(rig->dev), UINT64_MAX);
}

/* --- when there is none ------------------------------------------------------------------------------------------- */

static void test_nothing_is_coalesced_unless_all_of_it_is_enabled(void **state)
{
    static const struct {
        uint32_t offset, value;
    } off[] = {
        {REG_RX_QUEUE + RXQ_RSCCTL, 3u << RSCCTL_MAXDESC_SHIFT},
        {REG_RFCTL, RFCTL_RSC_DIS},
        {REG_IVAR, 0},
        {REG_HLREG0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        void *fresh;
        setup(&fresh);
        struct rig *rig = fresh;
        wr(rig, off[i].offset, off[i].value);
        if (off[i].offset == REG_HLREG0)
            wr(rig, REG_RDRXCTL, 0); /* the FCS is to be delivered */
        arrive(rig, nth(0));
        assert_int_equal(held(rig), 0);
        assert_true(done(rig, 0));
        assert_int_equal(rsccnt(rig, 0), 0);
        rig_free(rig);
    }
}

static void test_disabled_queue_and_reset_lose_what_was_held(void **state)
{
    struct rig *rig = *state;
    arrive(rig, nth(0));
    arrive(rig, (struct shape){.seq = FIRST_SEQ + MSS, .payload = 10});
    wr(rig, rx_reg(QUEUE, RXQ_RXDCTL), 0);
    release(rig);
    assert_false(done(rig, 0));
    assert_int_equal(drops(rig, "receive queue disabled"), 2);
    wr(rig, rx_reg(QUEUE, RXQ_RXDCTL), QUEUE_ENABLE);
    arrive(rig, nth(0));
    wr(rig, REG_CTRL, CTRL_RST);
    assert_int_equal(held(rig), 0);
    assert_int_equal(drops(rig, "lost by a device reset"), 1);
}

static void test_ring_that_was_moved_is_not_written_to(void **state)
{
    struct rig *rig = *state;
    arrive(rig, nth(0));
    wr(rig, rx_reg(QUEUE, RXQ_RDBAL), (uint32_t)(RIG_BUS + rx_ring_at(3)));
    release(rig);
    assert_false(rx_desc(rig, 3, 0).status & 1);
    assert_int_equal(drops(rig, "receive queue disabled"), 1);
}

static void test_queue_started_again_does_not_write_to_the_buffers_it_had(void **state)
{
    struct rig *rig = *state;
    arrive(rig, nth(0));
    wr(rig, rx_reg(QUEUE, RXQ_RXDCTL), 0);
    wr(rig, rx_reg(QUEUE, RXQ_RXDCTL), QUEUE_ENABLE);
    assert_int_equal(held(rig), 0);
    assert_int_equal(drops(rig, "receive queue disabled"), 1);
    arrive(rig, nth(1)); /* begins another large receive */
    release(rig);
    assert_false(done(rig, 0));
    assert_int_equal(rx_desc(rig, QUEUE, 1).length, HEADERS + MSS);
}

static void test_segment_for_a_ring_that_was_changed_begins_another(void **state)
{
    struct rig *rig = *state;
    arrive(rig, nth(0));
    wr(rig, rx_reg(QUEUE, RXQ_SRRCTL), SRRCTL_ADV_ONEBUF | 1); /* less than what is in the buffer */
    arrive(rig, nth(1));
    assert_int_equal(drops(rig, "receive queue disabled"), 1);
    assert_int_equal(held(rig), 1);
    release(rig);
    assert_int_equal(rx_desc(rig, QUEUE, 2).length, HEADERS + MSS - 1024);
}

static void test_buffer_that_is_no_memory_loses_the_large_receive(void **state)
{
    struct rig *rig = *state;
    const uint64_t wild = 0x10;
    memcpy(rig->memory + rx_ring_at(QUEUE) + 16, &wild, sizeof wild); /* the second buffer */
    for (unsigned i = 0; i < 2; i++)
        arrive(rig, nth(i));
    assert_int_equal(held(rig), 0);
    assert_true(drops(rig, "receive ring or buffer address is not the program's memory") > 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_segments_in_order_are_held_and_handed_over_as_one),
        WITH_RIG(test_large_receive_over_several_buffers_is_chained_by_nextp),
        WITH_RIG(test_two_connections_interleave_on_one_ring),
        WITH_RIG(test_time_stamps_and_push_of_the_last_segment_are_in_the_header),
        WITH_RIG(test_ipv6_length_is_that_of_the_whole),
        WITH_RIG(test_padding_of_a_short_segment_is_not_payload),
        cmocka_unit_test(test_what_ends_a_large_receive),
        WITH_RIG(test_ack_may_change_when_the_device_is_told_so),
        WITH_RIG(test_other_connection_and_other_tag_do_not_end_it),
        WITH_RIG(test_buffers_are_limited_by_maxdesc),
        WITH_RIG(test_fourteen_packets_fill_a_buffer_however_short),
        WITH_RIG(test_want_of_descriptors_ends_it_and_drops_the_next),
        WITH_RIG(test_more_connections_than_contexts_go_their_ordinary_way),
        WITH_RIG(test_interval_of_the_interrupt_ends_it),
        cmocka_unit_test(test_nothing_is_coalesced_unless_all_of_it_is_enabled),
        WITH_RIG(test_disabled_queue_and_reset_lose_what_was_held),
        WITH_RIG(test_ring_that_was_moved_is_not_written_to),
        WITH_RIG(test_queue_started_again_does_not_write_to_the_buffers_it_had),
        WITH_RIG(test_segment_for_a_ring_that_was_changed_begins_another),
        WITH_RIG(test_buffer_that_is_no_memory_loses_the_large_receive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
