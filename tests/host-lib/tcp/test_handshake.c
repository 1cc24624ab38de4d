/* test_handshake.c - opening: what the options agree on, who is refused, and the whole short connection. */
#include "one_end.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define RST NB_TCP_RST
#define PSH NB_TCP_PSH

#define ALL_OPTIONS (NB_SEG_MSS | NB_SEG_WSCALE | NB_SEG_SACK_PERMITTED | NB_SEG_TIMESTAMP)

static void test_short_connection_is_three_segments_each_way(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    assert_int_equal(nb_tcp_half_open(e->tcp), 1);
    assert_int_equal(e->n_accepted, 0);
    e->no_flush = true;
    arrive(e, .flags = ACK | PSH, .seq = 1, .ack = 1, .text = "GET");
    assert_int_equal(e->n_accepted, 1);
    assert_int_equal(nb_tcp_half_open(e->tcp), 0);
    assert_memory_equal(e->received, "GET", 3);
    nb_tcp_write(e->tcp, e->tcb, "200", 3);
    nb_tcp_close(e->tcp, e->tcb);
    end_flush(e);
    struct end_packet *p = end_expect(e, FIN | ACK | PSH, 1, 4, 3);
    assert_memory_equal(p->payload, "200", 3);
    arrive(e, .flags = FIN | ACK, .seq = 4, .ack = 5);
    end_flush(e);
    end_expect(e, ACK, 5, 5, 0);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_NORMAL);
    assert_int_equal(nb_tcp_connections(e->tcp), 0);
    end_free(e);
}

/* A matrix: every subset of the four options, in a SYN to us. */
static void test_syn_with_any_options_gets_exactly_those_back(void **state)
{
    (void)state;
    static const uint8_t bits[] = {NB_SEG_MSS, NB_SEG_WSCALE, NB_SEG_SACK_PERMITTED, NB_SEG_TIMESTAMP};
    for (unsigned subset = 0; subset < 16; subset++) {
        uint8_t options = 0;
        for (unsigned i = 0; i < 4; i++)
            options |= subset >> i & 1 ? bits[i] : 0;
        struct one_end *e = end_new(&(struct end_options){.recv_buffer = 300000});
        end_listen(e);
        arrive(e, .flags = SYN, .options = options, .mss = END_MSS, .wscale = 7,
               .ts_value = options & NB_SEG_TIMESTAMP ? 1234 : 0);
        struct end_packet *p = end_expect(e, SYN | ACK, 0, 1, 0);
        assert_int_equal(p->seg.options, options | NB_SEG_MSS);
        assert_int_equal(p->seg.mss, 1460);
        assert_int_equal(p->seg.window, 65535);
        if (options & NB_SEG_WSCALE)
            assert_int_equal(p->seg.wscale, 4); /* 2 * 300000 >> 4 fits 16 bits */
        if (options & NB_SEG_TIMESTAMP)
            assert_int_equal(p->seg.ts_echo, 1234);
        e->timestamps = options & NB_SEG_TIMESTAMP;
        arrive(e, .flags = ACK, .seq = 1, .ack = 1, .window = 2000, .ts_value = e->timestamps ? 1235 : 0);
        unsigned mss = options & NB_SEG_MSS ? END_MSS : 536;
        assert_int_equal(e->tcb->mss, mss - (e->timestamps ? 12 : 0));
        assert_int_equal(e->tcb->snd_wnd, options & NB_SEG_WSCALE ? 256000 : 2000);
        end_free(e);
    }
}

static void test_our_syn_offers_all_options_and_uses_what_comes_back(void **state)
{
    (void)state;
    for (unsigned with = 0; with < 2; with++) {
        struct one_end *e = end_new(&(struct end_options){.recv_buffer = 300000});
        int err;
        e->tcb = nb_tcp_connect(e->tcp, &e->key, e->now, &err);
        struct end_packet *p = end_expect(e, SYN, 0, 0, 0);
        assert_int_equal(p->seg.options, ALL_OPTIONS);
        assert_int_equal(p->seg.ts_echo, 0);
        arrive(e, .flags = SYN | ACK, .ack = 1, .options = with ? ALL_OPTIONS : NB_SEG_MSS, .mss = 1400, .wscale = 2,
               .window = 5000, .ts_value = with ? 99 : 0, .ts_echo = p->seg.ts_value);
        p = end_expect(e, ACK, 1, 1, 0);
        assert_int_equal(e->n_connected, 1);
        assert_int_equal(p->seg.options, with ? NB_SEG_TIMESTAMP : 0);
        assert_int_equal(e->tcb->snd_wnd, 5000); /* a SYN's window is not scaled */
        assert_int_equal(e->tcb->mss, with ? 1388 : 1400);
        assert_int_equal(p->seg.window, with ? 65536 >> 4 : 65535); /* no more than the SYN has offered */
        end_free(e);
    }
}

static void test_syn_with_tiny_mss_is_raised_to_the_least(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_listen(e);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = 1);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(e->tcb->mss, 88);
    end_free(e);
}

static void test_syn_with_huge_mss_is_bounded_by_our_mtu(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_listen(e);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = 9000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(e->tcb->mss, 1460);
    end_free(e);
}

static void test_ipv6_announces_mss_for_its_longer_header(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.family = NB_FAMILY_IPV6});
    end_listen(e);
    arrive(e, .flags = SYN);
    assert_int_equal(end_sent(e)->seg.mss, 1440);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(e->tcb->mss, 1220); /* RFC 9293 §3.7.1: without the option */
    end_free(e);
}

static void test_window_scale_beyond_14_is_used_as_14(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_listen(e);
    arrive(e, .flags = SYN, .options = NB_SEG_WSCALE, .wscale = 200);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .window = 1);
    assert_int_equal(e->tcb->snd_wnd, 1 << 14);
    end_free(e);
}

static void test_refused_connection_is_reset_without_closed_event(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->refuse = true;
    end_syn_received(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 5);
    end_expect(e, RST | ACK, 1, 1, 0);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    assert_int_equal(e->n_closed, 0);
    assert_int_equal(e->n_received, 0);
    end_free(e);
}

static void test_syn_from_the_tuple_it_goes_to_is_dropped(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->key.remote = e->key.local;
    e->key.remote_port = e->key.local_port;
    end_listen(e);
    arrive(e, .flags = SYN);
    arrive(e, .flags = ACK, .ack = 3);
    end_nothing_sent(e);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MARTIAN), 2);
    end_free(e);
}

static void test_connect_to_itself_and_to_a_tuple_in_use_is_refused(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_flow_key self = e->key;
    int err = 0;
    self.remote = self.local;
    self.remote_port = self.local_port;
    assert_null(nb_tcp_connect(e->tcp, &self, e->now, &err));
    assert_int_equal(err, -EADDRINUSE);
    end_established(e);
    err = 0;
    assert_null(nb_tcp_connect(e->tcp, &e->key, e->now, &err));
    assert_int_equal(err, -EADDRINUSE);
    end_free(e);
}

/* The worker looks a whole burst up before the first segment is handled: the second SYN was not found either. */
static void test_same_syn_twice_in_a_burst_makes_one_connection(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_listen(e);
    for (unsigned i = 0; i < 2; i++) {
        struct nb_seg seg = {.key = e->key, .hash = nb_flow_hash(e->flows, &e->key), .seq = e->pss, .flags = SYN};
        nb_tcp_input(e->tcp, &seg, (struct nb_flow_ref){.kind = NB_FLOW_NONE}, 0, e->now);
    }
    end_flush(e);
    end_expect(e, SYN | ACK, 0, 1, 0);
    end_expect(e, SYN | ACK, 0, 1, 0);
    assert_int_equal(nb_tcp_connections(e->tcp), 1);
    end_free(e);
}

static void test_data_in_syn_ack_is_delivered(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    arrive(e, .flags = SYN | ACK, .ack = 1, .text = "hello");
    end_expect(e, ACK, 1, 6, 0);
    assert_memory_equal(e->received, "hello", 5);
    end_free(e);
}

static void test_data_written_before_established_leaves_with_the_handshakes_ack(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    end_write(e, "early");
    end_nothing_sent(e);
    arrive(e, .flags = SYN | ACK, .ack = 1);
    struct end_packet *p = end_expect(e, ACK | PSH, 1, 1, 5);
    assert_memory_equal(p->payload, "early", 5);
    end_free(e);
}

static void test_shutdown_before_established_sends_fin_afterwards(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_nothing_sent(e);
    arrive(e, .flags = SYN | ACK, .ack = 1);
    end_expect(e, FIN | ACK, 1, 1, 0);
    assert_int_equal(end_state(e), NB_TCP_FIN_WAIT_1);
    end_free(e);
}

static void test_listener_on_the_address_goes_before_one_on_any(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_addr any = {{0}};
    int exact_user, any_user;
    assert_int_equal(nb_tcp_listen(e->tcp, &any, NB_FAMILY_IPV4, END_OWN_PORT, &any_user), 0);
    assert_true(nb_tcp_is_listening(e->tcp, &e->key.local, NB_FAMILY_IPV4, END_OWN_PORT));
    assert_false(nb_tcp_is_listening(e->tcp, &e->key.local, NB_FAMILY_IPV6, END_OWN_PORT));
    assert_int_equal(nb_tcp_listen(e->tcp, &e->key.local, NB_FAMILY_IPV4, END_OWN_PORT, &exact_user), 0);
    assert_int_equal(nb_tcp_listen(e->tcp, &e->key.local, NB_FAMILY_IPV4, END_OWN_PORT, &exact_user), -EADDRINUSE);
    arrive(e, .flags = SYN);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_ptr_equal(nb_tcb_listener_user(e->tcb), &exact_user);
    end_free(e);
}

static void test_listeners_are_bounded(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_addr any = {{0}};
    for (uint16_t i = 0; i < NB_MAX_LISTENERS; i++)
        assert_int_equal(nb_tcp_listen(e->tcp, &any, NB_FAMILY_IPV4, (uint16_t)(100 + i), NULL), 0);
    assert_int_equal(nb_tcp_listen(e->tcp, &any, NB_FAMILY_IPV4, 9000, NULL), -ENOSPC);
    for (uint16_t i = 0; i < NB_MAX_LISTENERS; i++)
        assert_true(nb_tcp_is_listening(e->tcp, &e->key.local, NB_FAMILY_IPV4, (uint16_t)(100 + i)));
    end_free(e);
}

static void test_lost_syn_ack_means_a_window_of_one_segment_and_a_longer_rto(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    wait_us(e, 1000100);
    end_expect(e, SYN | ACK, 0, 1, 0);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(e->tcb->cwnd, 1);
    assert_int_equal(e->tcb->rto_us, 3000000);
    end_free(e);
}

static void test_handle_of_a_dead_connection_finds_nothing_even_when_the_slot_is_used_again(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.connections = 1});
    end_established(e);
    struct nb_conn c = nb_tcb_conn(e->tcb);
    assert_ptr_equal(nb_tcp_lookup(e->tcp, c), e->tcb);
    nb_tcp_abort(e->tcp, e->tcb);
    assert_null(nb_tcp_lookup(e->tcp, c));
    end_flush(e);
    end_forget_sent(e);
    arrive(e, .flags = SYN);
    end_forget_sent(e);
    assert_int_equal(nb_tcp_connections(e->tcp), 1);
    assert_null(nb_tcp_lookup(e->tcp, c));
    assert_null(nb_tcp_lookup(e->tcp, (struct nb_conn){.index = 77, .generation = 1}));
    end_free(e);
}

static void test_flow_info_says_what_the_connection_is(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_forget_sent(e);
    uint32_t slot = 0;
    struct nb_flow_info info;
    struct nb_tcb *tcb;
    assert_true(nb_tcp_next_flow(e->tcp, &slot, e->now + 5, &info, &tcb));
    assert_ptr_equal(tcb, e->tcb);
    assert_memory_equal(&info.key, &e->key, sizeof info.key);
    assert_int_equal(info.state, NB_TCP_ESTABLISHED);
    assert_int_equal(info.rx_packets, 3);
    assert_int_equal(info.tx_packets, 2);
    assert_int_equal(info.rx_bytes, 10);
    assert_int_equal(info.mss_bytes, END_MSS);
    assert_int_equal(info.cwnd_bytes, 10 * END_MSS);
    assert_int_equal(info.age_us, 5);
    assert_true(info.id == nb_tcb_id(tcb) && info.incarnation == nb_tcb_incarnation(tcb));
    assert_false(nb_tcp_next_flow(e->tcp, &slot, e->now, &info, &tcb));
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_connection_is_three_segments_each_way),
        cmocka_unit_test(test_syn_with_any_options_gets_exactly_those_back),
        cmocka_unit_test(test_our_syn_offers_all_options_and_uses_what_comes_back),
        cmocka_unit_test(test_syn_with_tiny_mss_is_raised_to_the_least),
        cmocka_unit_test(test_syn_with_huge_mss_is_bounded_by_our_mtu),
        cmocka_unit_test(test_ipv6_announces_mss_for_its_longer_header),
        cmocka_unit_test(test_window_scale_beyond_14_is_used_as_14),
        cmocka_unit_test(test_refused_connection_is_reset_without_closed_event),
        cmocka_unit_test(test_syn_from_the_tuple_it_goes_to_is_dropped),
        cmocka_unit_test(test_connect_to_itself_and_to_a_tuple_in_use_is_refused),
        cmocka_unit_test(test_same_syn_twice_in_a_burst_makes_one_connection),
        cmocka_unit_test(test_data_in_syn_ack_is_delivered),
        cmocka_unit_test(test_data_written_before_established_leaves_with_the_handshakes_ack),
        cmocka_unit_test(test_shutdown_before_established_sends_fin_afterwards),
        cmocka_unit_test(test_listener_on_the_address_goes_before_one_on_any),
        cmocka_unit_test(test_listeners_are_bounded),
        cmocka_unit_test(test_lost_syn_ack_means_a_window_of_one_segment_and_a_longer_rto),
        cmocka_unit_test(test_handle_of_a_dead_connection_finds_nothing_even_when_the_slot_is_used_again),
        cmocka_unit_test(test_flow_info_says_what_the_connection_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
