/* test_syncookie.c - SYN cookies: a flood does not keep clients out, and what the SYNs agreed on survives it. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH
#define RST NB_TCP_RST

#define HALF_OPEN 8
#define FLOOD     5000

static const struct end_arrival full_syn = {
    .flags = SYN,
    .options = NB_SEG_MSS | NB_SEG_TIMESTAMP | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE,
    .mss = 1400,
    .wscale = 7,
    .ts_value = 1000,
};

/* SYNs from everywhere that nobody follows up. */
static void flood(struct one_end *e, unsigned n)
{
    const struct nb_addr client = e->key.remote;
    for (unsigned i = 0; i < n; i++) {
        e->key.remote.word[0] = 0x0001a8c0 + (i << 24 | (i & 0xff00) << 8);
        end_arrive(e, &full_syn);
        assert_int_equal(end_sent(e)->flags, SYN | ACK);
        end_forget_sent(e);
    }
    e->key.remote = client;
}

static struct one_end *flooded(unsigned n)
{
    struct one_end *e = end_new(&(struct end_options){.half_open = HALF_OPEN});
    end_listen(e);
    flood(e, n);
    return e;
}

/* A client's SYN is answered: the cookie. */
static struct end_packet open_with(struct one_end *e, const struct end_arrival *syn)
{
    e->iss = 0;
    end_arrive(e, syn);
    struct end_packet p = *end_sent(e);
    assert_int_equal(p.flags, SYN | ACK);
    e->iss = p.seg.seq;
    return p;
}

static void test_flood_takes_no_state_and_new_clients_still_connect(void **state)
{
    (void)state;
    struct one_end *e = flooded(FLOOD);
    assert_int_equal(nb_tcp_connections(e->tcp), HALF_OPEN);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_HALF_OPEN_FULL), 0);
    assert_int_equal(end_counter(e, NB_COUNTER_SYNCOOKIES_SENT), FLOOD - HALF_OPEN);
    struct end_packet p = open_with(e, &full_syn);
    wait_us(e, 30000);
    flood(e, 100);
    arrive(e, .flags = ACK | PSH, .seq = 1, .ack = 1, .text = "hello", .ts_value = 1030, .ts_echo = p.seg.ts_value);
    assert_int_equal(e->n_accepted, 1);
    assert_int_equal(end_counter(e, NB_COUNTER_SYNCOOKIES_RETURNED), 1);
    assert_memory_equal(e->received, "hello", 5);
    end_expect(e, ACK, 1, 6, 0);
    assert_int_equal(end_write(e, "answer"), 6);
    end_expect(e, ACK | PSH, 1, 6, 6);
    e->accepts_unread = true;
    end_free(e);
}

static void test_timestamps_bring_back_what_was_agreed_on(void **state)
{
    (void)state;
    struct one_end *e = flooded(HALF_OPEN);
    struct end_packet p = open_with(e, &full_syn);
    assert_int_equal(p.seg.options, full_syn.options);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .ts_value = 1001, .ts_echo = p.seg.ts_value);
    struct nb_tcp_info info = end_info(e);
    assert_true(info.timestamps && info.sack && info.wscale);
    assert_int_equal(info.snd_wscale, 7);
    assert_int_equal(info.rcv_wscale, p.seg.wscale);
    assert_int_equal(info.snd_mss_bytes, 1400 - 12);
    assert_int_equal(info.srtt_us, 0); /* nobody knows when the SYN-ACK left */
    e->accepts_unread = true;
    end_free(e);
}

static void test_without_timestamps_only_the_mss_is_kept(void **state)
{
    (void)state;
    struct one_end *e = flooded(HALF_OPEN);
    struct end_packet p =
        open_with(e, &(struct end_arrival){
                         .flags = SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE, .mss = 1430});
    assert_int_equal(p.seg.options, NB_SEG_MSS);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    struct nb_tcp_info info = end_info(e);
    assert_false(info.timestamps || info.sack || info.wscale);
    assert_int_equal(info.snd_mss_bytes, 1400); /* the largest code that does not exceed it */
    end_free(e);
}

static void test_timestamp_with_hidden_bits_is_never_from_the_future(void **state)
{
    (void)state;
    struct one_end *e = flooded(HALF_OPEN);
    uint32_t offset = 0, last = 0;
    for (unsigned i = 0; i < 200; i++) {
        struct end_packet p = open_with(e, &full_syn);
        uint32_t now_ms = (uint32_t)(e->now / 1000), ts = p.seg.ts_value;
        if (i == 0)
            offset = nb_isn_of((const uint8_t *)"a test's secret", &e->key, 0).ts_offset;
        assert_true((int32_t)(ts - (now_ms + offset)) <= 0);
        assert_true(now_ms + offset - ts < 128);
        assert_true(i == 0 || (int32_t)(ts - last) >= 0);
        last = ts;
        end_forget_sent(e);
        wait_us(e, 1000);
    }
    end_free(e);
}

static void test_ack_with_a_wrong_or_old_cookie_is_answered_with_rst(void **state)
{
    (void)state;
    struct one_end *e = flooded(HALF_OPEN);
    open_with(e, &full_syn);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2);
    assert_int_equal(end_sent(e)->flags, RST);
    arrive(e, .flags = ACK, .seq = 2, .ack = 1); /* the hash is over the peer's ISN, too */
    assert_int_equal(end_sent(e)->flags, RST);
    e->key.remote_port++;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(end_sent(e)->flags, RST);
    e->key.remote_port--;
    e->accepts_unread = true;
    nb_tcp_settings(e->tcp)->syncookies = 2; /* so that others are sent meanwhile */
    nb_seq_t iss = e->iss;
    wait_us(e, 140 * 1000000ull);
    end_forget_sent(e);
    flood(e, 1);
    end_forget_sent(e);
    e->iss = iss;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(end_sent(e)->flags, RST);
    assert_int_equal(e->n_accepted, 0);
    end_free(e);
}

static void test_no_cookie_is_taken_while_none_are_sent(void **state)
{
    (void)state;
    struct one_end *e = flooded(HALF_OPEN);
    open_with(e, &full_syn);
    nb_seq_t cookie = e->iss;
    e->accepts_unread = true;
    wait_us(e, 135 * 1000000ull);
    end_forget_sent(e);
    struct nb_tcp_settings *s = nb_tcp_settings(e->tcp);
    s->syncookies = 0;
    e->iss = cookie;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(end_sent(e)->flags, RST);
    end_free(e);
}

static void test_switched_off_more_syns_than_may_be_half_open_are_dropped(void **state)
{
    (void)state;
    struct one_end *e = flooded(HALF_OPEN);
    nb_tcp_settings(e->tcp)->syncookies = 0;
    end_arrive(e, &full_syn);
    end_nothing_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_HALF_OPEN_FULL), 1);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood_takes_no_state_and_new_clients_still_connect),
        cmocka_unit_test(test_timestamps_bring_back_what_was_agreed_on),
        cmocka_unit_test(test_without_timestamps_only_the_mss_is_kept),
        cmocka_unit_test(test_timestamp_with_hidden_bits_is_never_from_the_future),
        cmocka_unit_test(test_ack_with_a_wrong_or_old_cookie_is_answered_with_rst),
        cmocka_unit_test(test_no_cookie_is_taken_while_none_are_sent),
        cmocka_unit_test(test_switched_off_more_syns_than_may_be_half_open_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
