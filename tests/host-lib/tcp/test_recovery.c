/* test_recovery.c - duplicate ACKs, limited transmit, fast retransmit, NewReno, and what a time-out leaves behind. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH
#define SYN NB_TCP_SYN

static void ack(struct one_end *e, nb_seq_t n)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n);
}

/* Ten segments are under way, ten more are waiting. */
static struct one_end *ten_in_flight(void)
{
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 20000);
    for (unsigned i = 0; i < 10; i++)
        end_expect(e, ACK, 1 + 1000 * i, 1, 1000);
    end_nothing_sent(e);
    return e;
}

static void test_first_two_duplicates_let_one_new_segment_each_go(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    ack(e, 1);
    end_expect(e, ACK, 10001, 1, 1000);
    ack(e, 1);
    end_expect(e, ACK, 11001, 1, 1000);
    assert_int_equal(e->tcb->cwnd, 10000); /* RFC 3042: cwnd itself stays */
    end_free(e);
}

static void lose_first(struct one_end *e)
{
    ack(e, 1);
    ack(e, 1);
    end_forget_sent(e);
    ack(e, 1);
    end_expect(e, ACK, 1, 1, 1000);
    end_nothing_sent(e);
}

static void test_third_duplicate_sends_the_first_segment_again_and_halves_the_window(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    assert_int_equal(e->tcb->ssthresh, 6000); /* half of the 12 in flight */
    assert_int_equal(e->tcb->cwnd, 9000);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 1);
    end_free(e);
}

static void test_further_duplicates_inflate_until_new_segments_go(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    for (unsigned i = 0; i < 3; i++) { /* 10, 11, 12 segments: 12 are in flight */
        ack(e, 1);
        end_nothing_sent(e);
    }
    ack(e, 1);
    end_expect(e, ACK, 12001, 1, 1000);
    end_free(e);
}

static void test_ack_of_everything_ends_recovery_at_ssthresh(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    ack(e, 12001);
    assert_int_equal(e->tcb->cwnd, 2000); /* RFC 6582: min(ssthresh, max(flight, a segment) + a segment) */
    assert_int_equal(e->tcb->flags & NB_TCB_FAST_RECOVERY, 0);
    end_expect(e, ACK, 12001, 1, 1000);
    end_expect(e, ACK, 13001, 1, 1000);
    end_free(e);
}

static void test_partial_ack_sends_the_next_hole_and_deflates(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    ack(e, 3001);
    end_expect(e, ACK, 3001, 1, 1000);
    assert_int_equal(e->tcb->cwnd, 9000 - 3000 + 1000);
    assert_true(e->tcb->flags & NB_TCB_FAST_RECOVERY);
    ack(e, 5001);
    end_expect(e, ACK, 5001, 1, 1000);
    ack(e, 12001);
    assert_int_equal(e->tcb->flags & NB_TCB_FAST_RECOVERY, 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_partial_ack_of_less_than_a_segment_deflates_by_just_that(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    ack(e, 501);
    end_expect(e, ACK, 501, 1, 1000);
    assert_int_equal(e->tcb->cwnd, 9000 - 500);
    end_free(e);
}

static void test_last_segment_sent_again_carries_the_fin_again(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 4000);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_forget_sent(e);
    for (unsigned i = 0; i < 3; i++)
        ack(e, 1);
    end_expect(e, ACK, 1, 1, 1000);
    ack(e, 4001);
    end_expect(e, ACK | NB_TCP_FIN, 4001, 1, 0);
    end_free(e);
}

static void test_only_the_first_partial_ack_restarts_the_timer(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    wait_us(e, 10000);
    ack(e, 3001);
    uint32_t deadline = e->tcb->send_at;
    wait_us(e, 10000);
    ack(e, 5001);
    assert_int_equal(e->tcb->send_at, deadline);
    end_forget_sent(e);
    end_free(e);
}

static void test_what_is_no_duplicate_counts_for_nothing(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .window = 50000); /* a window update */
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .window = 50000, .n = 10);
    arrive(e, .flags = ACK, .seq = 50, .ack = 1, .window = 50000, .n = 10); /* data, ahead of a gap */
    assert_int_equal(e->tcb->dup_acks, 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_changed_window_with_sack_blocks_is_a_duplicate(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .window = 50000, .options = NB_SEG_SACK, .n_sack = 1,
           .sack = {{1001, 2001}});
    assert_int_equal(e->tcb->dup_acks, 1);
    end_forget_sent(e);
    end_free(e);
}

static void test_duplicates_without_data_in_flight_count_for_nothing(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    for (unsigned i = 0; i < 5; i++)
        ack(e, 1);
    assert_int_equal(e->tcb->dup_acks, 0);
    end_free(e);
}

static void test_time_out_starts_again_from_the_first_segment_in_slow_start(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    wait_us(e, nb__rto_us(e->tcb) + 100);
    end_expect(e, ACK, 1, 1, 1000);
    end_nothing_sent(e);
    assert_int_equal(e->tcb->ssthresh, 5000);
    assert_int_equal(e->tcb->cwnd, 1000);
    ack(e, 1001);
    end_expect(e, ACK, 1001, 1, 1000);
    end_expect(e, ACK, 2001, 1, 1000);
    end_nothing_sent(e);
    ack(e, 10001); /* the rest had arrived after all */
    assert_int_equal(e->tcb->snd_nxt, e->tcb->snd_max);
    end_forget_sent(e);
    end_free(e);
}

static void test_duplicates_of_what_a_time_out_sent_again_cause_no_fast_retransmit(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    wait_us(e, nb__rto_us(e->tcb) + 100);
    ack(e, 1001);
    end_forget_sent(e);
    ack(e, 1001);
    end_expect(e, ACK, 3001, 1, 1000); /* limited transmit */
    ack(e, 1001);
    end_expect(e, ACK, 4001, 1, 1000);
    ack(e, 1001);
    ack(e, 1001);
    end_nothing_sent(e);
    assert_int_equal(e->tcb->flags & NB_TCB_FAST_RECOVERY, 0);
    end_free(e);
}

static void test_second_time_out_in_a_row_keeps_ssthresh(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    wait_us(e, nb__rto_us(e->tcb) + 100);
    assert_int_equal(e->tcb->ssthresh, 5000);
    wait_us(e, nb__rto_us(e->tcb) + 100);
    assert_int_equal(e->tcb->ssthresh, 5000);
    end_forget_sent(e);
    end_free(e);
}

static void test_congestion_avoidance_grows_a_segment_a_window(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    e->tcb->ssthresh = 5000;
    for (unsigned i = 1; i <= 9; i++) {
        ack(e, 1 + 1000 * i);
        assert_int_equal(e->tcb->cwnd, 10000);
    }
    ack(e, 10001);
    assert_int_equal(e->tcb->cwnd, 11000);
    end_forget_sent(e);
    end_free(e);
}

static void test_window_does_not_grow_while_the_application_is_what_limits(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    for (unsigned i = 0; i < 20; i++) {
        end_write_n(e, 1000);
        end_expect(e, ACK | PSH, 1 + 1000 * i, 1, 1000);
        ack(e, 1001 + 1000 * i);
    }
    assert_int_equal(e->tcb->cwnd, 10000);
    end_free(e);
}

static void test_window_does_not_grow_in_congestion_avoidance_either(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    e->tcb->ssthresh = 5000;
    for (unsigned i = 0; i < 20; i++) {
        end_write_n(e, 1000);
        end_expect(e, ACK | PSH, 1 + 1000 * i, 1, 1000);
        ack(e, 1001 + 1000 * i);
    }
    assert_int_equal(e->tcb->cwnd, 10000);
    assert_int_equal(e->tcb->cc_acked, 0);
    end_free(e);
}

/* Karn again: the timed segment is the one that fast retransmit sends twice. */
static void test_ack_after_fast_retransmit_measures_nothing(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    uint32_t srtt = e->tcb->srtt_us;
    lose_first(e);
    wait_us(e, 50000);
    ack(e, 1001);
    assert_int_equal(e->tcb->srtt_us, srtt);
    end_forget_sent(e);
    end_free(e);
}

static void test_fast_retransmit_restarts_the_timer(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    wait_us(e, 100000);
    lose_first(e);
    assert_int_equal(e->tcb->send_at, (uint32_t)e->now + nb__rto_us(e->tcb));
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_two_duplicates_let_one_new_segment_each_go),
        cmocka_unit_test(test_third_duplicate_sends_the_first_segment_again_and_halves_the_window),
        cmocka_unit_test(test_further_duplicates_inflate_until_new_segments_go),
        cmocka_unit_test(test_ack_of_everything_ends_recovery_at_ssthresh),
        cmocka_unit_test(test_partial_ack_sends_the_next_hole_and_deflates),
        cmocka_unit_test(test_partial_ack_of_less_than_a_segment_deflates_by_just_that),
        cmocka_unit_test(test_last_segment_sent_again_carries_the_fin_again),
        cmocka_unit_test(test_only_the_first_partial_ack_restarts_the_timer),
        cmocka_unit_test(test_what_is_no_duplicate_counts_for_nothing),
        cmocka_unit_test(test_changed_window_with_sack_blocks_is_a_duplicate),
        cmocka_unit_test(test_duplicates_without_data_in_flight_count_for_nothing),
        cmocka_unit_test(test_time_out_starts_again_from_the_first_segment_in_slow_start),
        cmocka_unit_test(test_duplicates_of_what_a_time_out_sent_again_cause_no_fast_retransmit),
        cmocka_unit_test(test_second_time_out_in_a_row_keeps_ssthresh),
        cmocka_unit_test(test_congestion_avoidance_grows_a_segment_a_window),
        cmocka_unit_test(test_window_does_not_grow_in_congestion_avoidance_either),
        cmocka_unit_test(test_ack_after_fast_retransmit_measures_nothing),
        cmocka_unit_test(test_fast_retransmit_restarts_the_timer),
        cmocka_unit_test(test_window_does_not_grow_while_the_application_is_what_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
