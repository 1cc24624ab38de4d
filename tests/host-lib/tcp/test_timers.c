/* test_timers.c - time-outs: their values, their doubling, and how often before it is over. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/rtt.h"

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define PSH NB_TCP_PSH

/* Nothing is sent for `us`, and something within a tick after that; then it is the moment when it was. */
static void expect_silence_for(struct one_end *e, uint64_t us)
{
    wait_us(e, us - 1);
    end_nothing_sent(e);
    for (unsigned i = 0; i <= NB_TIMER_TICK_US && e->n_sent == e->n_read; i++)
        wait_us(e, 1);
    assert_true(e->n_sent > e->n_read);
}

/* Linux's tcp_syn_linear_timeouts and tcp_syn_retries: four more at an even pace, then six with doubling pauses. All in
 * all it lasts as long as seven with doubling pauses. */
static void test_syn_is_repeated_each_second_then_after_doubling_pauses_and_given_up(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    for (unsigned i = 0; i < 4; i++) {
        expect_silence_for(e, 1000000);
        end_expect(e, SYN, 0, 0, 0);
    }
    uint64_t began = e->now - 4000000;
    for (unsigned i = 0; i < 6; i++) {
        expect_silence_for(e, 1000000ull << i);
        end_expect(e, SYN, 0, 0, 0);
        assert_int_equal(e->n_closed, 0);
    }
    wait_us(e, began + 127000000 - e->now - 100000);
    assert_int_equal(e->n_closed, 0);
    wait_us(e, 10000000);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_TIMED_OUT);
    end_free(e);
}

static void test_syn_ack_is_repeated_five_times_and_forgotten_without_an_event(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    for (unsigned i = 0; i < 5; i++) {
        expect_silence_for(e, 1000000ull << i);
        end_expect(e, SYN | ACK, 0, 1, 0);
    }
    wait_us(e, 33000000);
    assert_int_equal(e->n_closed, 0);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    assert_int_equal(nb_tcp_half_open(e->tcp), 0);
    end_free(e);
}

static void test_data_is_sent_again_after_rto_with_doubling_pauses_one_segment_at_a_time(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 3000);
    end_forget_sent(e);
    uint32_t rto = e->tcb->rto_us;
    for (unsigned i = 0; i < 4; i++) {
        expect_silence_for(e, (uint64_t)rto << i);
        end_expect(e, ACK, 1, 1, 1000);
        end_nothing_sent(e);
        assert_int_equal(e->tcb->cwnd, 1);
    }
    assert_int_equal(nb__past(e->tcb)->retransmitted, 4);
    end_free(e);
}

/* On a crowded core. Once it waits for what the peer may have sent meanwhile; then it is time. */
static void test_time_out_of_a_worker_that_is_always_late_is_put_off_once(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 1000);
    end_forget_sent(e);
    for (unsigned i = 0; i < 2; i++) {
        end_nothing_sent(e);
        e->now += e->tcb->rto_us + 5000;
        nb_tcp_advance(e->tcp, e->now);
    }
    end_expect(e, ACK | PSH, 1, 1, 1000);
    end_free(e);
}

/* Linux's tcp_retries2 of 15 means 924.6 s; the time-out after that is the last. */
static void test_unacknowledged_data_is_given_up_at_the_first_time_out_after_fifteen_retries_time(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 10);
    end_forget_sent(e);
    uint64_t began = e->now;
    while (!e->n_closed)
        wait_us(e, 1000000);
    assert_int_equal(e->reason, NB_CLOSED_TIMED_OUT);
    assert_int_equal(e->n_sent, 16);
    assert_in_range((e->now - began) / 1000000, 924, 924 + 120 + 1); /* RFC 9293 §3.8.3: R2 at least 100 s */
    end_forget_sent(e);
    end_free(e);
}

static void test_closed_applications_data_is_given_up_after_the_time_of_eight_retries(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    nb_tcp_write(e->tcp, e->tcb, "x", 1);
    nb_tcp_close(e->tcp, e->tcb);
    end_flush(e);
    end_forget_sent(e);
    wait_us(e, 600ull * 1000000);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->n_sent, 9);
    end_forget_sent(e);
    end_free(e);
}

static void test_rto_follows_the_measured_round_trip(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    wait_us(e, 100000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(nb__srtt_us(e->tcb->srtt_us), 100000);
    assert_int_equal(e->tcb->mdev_us >> 2, 50000);
    assert_int_equal(e->tcb->rto_us, 300000);
    end_write(e, "x");
    end_expect(e, ACK | PSH, 1, 1, 1);
    wait_us(e, 100000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2);
    assert_int_equal(e->tcb->mdev_us >> 2, 37500);
    assert_int_equal(e->tcb->rto_us, 100000 + 200000); /* the floor is for the variance */
    end_free(e);
}

/* RFC 7323's Appendix G: an ACK of several measures from the first of them, for the peer has waited for the last. */
static void test_ack_of_two_segments_measures_from_the_first(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 1000);
    end_forget_sent(e);
    wait_us(e, 50000);
    end_write_n(e, 1000);
    end_forget_sent(e);
    uint32_t before = nb__srtt_us(e->tcb->srtt_us);
    wait_us(e, 30000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2001);
    uint32_t expected = before - before / 8 + 80000 / 8;
    assert_in_range(nb__srtt_us(e->tcb->srtt_us), expected - 1, expected);
    end_free(e);
}

/* Karn: the ACK of what was sent twice measures nothing and the doubled RTO stays, until new data is acknowledged. */
static void test_ack_of_retransmitted_data_measures_nothing_and_keeps_the_backoff(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 1000);
    uint32_t srtt = e->tcb->srtt_us, rto = e->tcb->rto_us;
    wait_us(e, rto + 100);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001);
    assert_int_equal(e->tcb->srtt_us, srtt);
    assert_int_equal(e->tcb->rto_us, 2 * rto);
    end_write_n(e, 1000);
    end_forget_sent(e);
    wait_us(e, 10000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2001);
    assert_int_equal(e->tcb->backoff, 0);
    assert_true(e->tcb->srtt_us != srtt);
    end_free(e);
}

#define TS_SYN                                                                                                         \
    &(struct end_arrival)                                                                                              \
    {                                                                                                                  \
        .flags = SYN, .options = NB_SEG_MSS | NB_SEG_TIMESTAMP, .mss = END_MSS, .ts_value = 7000                       \
    }

static void test_echoed_timestamp_of_the_retransmission_measures_it(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    end_write_n(e, 500);
    uint32_t first = end_sent(e)->seg.ts_value;
    wait_us(e, e->tcb->rto_us + 100);
    uint32_t second = end_sent(e)->seg.ts_value;
    wait_us(e, 20000);
    assert_true(second != first);
    arrive(e, .flags = ACK, .seq = 1, .ack = 501, .ts_value = 7001, .ts_echo = second);
    assert_int_equal(e->tcb->backoff, 0);
    end_free(e);
}

/* The echo of the first transmission: it was only late. Then the whole time counts. */
static void test_echoed_timestamp_of_the_first_transmission_measures_from_that(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    end_write_n(e, 500);
    uint32_t first = end_sent(e)->seg.ts_value, srtt = e->tcb->srtt_us;
    wait_us(e, e->tcb->rto_us + 100);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 501, .ts_value = 7001, .ts_echo = first);
    assert_int_equal(e->tcb->backoff, 0);
    assert_true(e->tcb->srtt_us > srtt);
    end_free(e);
}

static void test_ack_moves_the_deadline_without_touching_the_wheel(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 2000);
    end_forget_sent(e);
    uint32_t armed_for = e->tcb->timer.deadline;
    wait_us(e, 100000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001);
    assert_int_equal(e->tcb->timer.deadline, armed_for);
    uint64_t due = e->now + e->tcb->rto_us;
    wait_us(e, due - 1 - e->now); /* passes the old deadline */
    end_nothing_sent(e);
    wait_us(e, 100);
    end_expect(e, ACK | PSH, 1001, 1, 1000);
    end_free(e);
}

static void test_idle_connection_has_no_timer(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    wait_us(e, 2000000);
    assert_true(nb_tcp_next_us(e->tcp) == UINT64_MAX);
    end_free(e);
}

static void test_fin_wait_2_of_a_closed_application_ends_after_a_minute(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_fin_wait_2(e);
    wait_us(e, 300000000);
    assert_int_equal(end_state(e), NB_TCP_FIN_WAIT_2); /* a half-closed connection may stay so */
    nb_tcp_close(e->tcp, e->tcb);
    end_flush(e);
    wait_us(e, 59900000);
    assert_int_equal(end_state(e), NB_TCP_FIN_WAIT_2);
    wait_us(e, 200000);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    assert_int_equal(e->n_closed, 1);
    end_free(e);
}

static void test_pause_longer_than_the_rto_brings_cwnd_back_to_the_initial_window(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    for (unsigned i = 0; i < 3; i++) {
        end_write_n(e, 10000);
        end_forget_sent(e);
        arrive(e, .flags = ACK, .seq = 1, .ack = 1 + 10000 * (i + 1));
    }
    assert_true(e->tcb->cwnd > 10);
    wait_us(e, 5000000);
    end_write_n(e, 1000);
    assert_int_equal(e->tcb->cwnd, 10);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syn_is_repeated_each_second_then_after_doubling_pauses_and_given_up),
        cmocka_unit_test(test_syn_ack_is_repeated_five_times_and_forgotten_without_an_event),
        cmocka_unit_test(test_data_is_sent_again_after_rto_with_doubling_pauses_one_segment_at_a_time),
        cmocka_unit_test(test_time_out_of_a_worker_that_is_always_late_is_put_off_once),
        cmocka_unit_test(test_unacknowledged_data_is_given_up_at_the_first_time_out_after_fifteen_retries_time),
        cmocka_unit_test(test_closed_applications_data_is_given_up_after_the_time_of_eight_retries),
        cmocka_unit_test(test_rto_follows_the_measured_round_trip),
        cmocka_unit_test(test_ack_of_two_segments_measures_from_the_first),
        cmocka_unit_test(test_ack_of_retransmitted_data_measures_nothing_and_keeps_the_backoff),
        cmocka_unit_test(test_echoed_timestamp_of_the_retransmission_measures_it),
        cmocka_unit_test(test_echoed_timestamp_of_the_first_transmission_measures_from_that),
        cmocka_unit_test(test_ack_moves_the_deadline_without_touching_the_wheel),
        cmocka_unit_test(test_idle_connection_has_no_timer),
        cmocka_unit_test(test_fin_wait_2_of_a_closed_application_ends_after_a_minute),
        cmocka_unit_test(test_pause_longer_than_the_rto_brings_cwnd_back_to_the_initial_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
