/* test_recovery.c - loss without SACK: duplicate ACKs, limited transmit, NewReno, PRR, time-outs and taking them back.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/flight.h"
#include "tcb_check.h"

#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH
#define SYN NB_TCP_SYN

static void ack(struct one_end *e, nb_seq_t n)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n);
    assert_null(support_tcp_check(e->tcp));
}

/* Ten segments are under way, ten more are waiting. A round trip takes 20 ms. */
static struct one_end *ten_in_flight(void)
{
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    wait_us(e, 20000);
    ack(e, 1);
    end_write_n(e, 20000);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(end_sent(e)->n, 1000);
    end_nothing_sent(e);
    return e;
}

static void expect_segment(struct one_end *e, nb_seq_t seq)
{
    struct end_packet *p = end_sent(e);
    if (p->seq != seq || p->n != 1000)
        fail_msg("expected 1000 bytes at %d, sent %u at %d", (int)seq, p->n, (int)p->seq);
}

static void test_first_two_duplicates_let_one_new_segment_each_go(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    ack(e, 1);
    expect_segment(e, 10001);
    ack(e, 1);
    expect_segment(e, 11001);
    assert_int_equal(e->tcb->cwnd, 10); /* RFC 3042: cwnd itself stays */
    assert_int_equal(e->tcb->recovery, NB_TCP_RECOVERY_DISORDER);
    end_free(e);
}

static void lose_first(struct one_end *e)
{
    ack(e, 1);
    ack(e, 1);
    end_forget_sent(e);
    ack(e, 1);
    expect_segment(e, 1);
    end_nothing_sent(e);
}

static void test_third_duplicate_sends_the_first_segment_again_and_reduces_the_window(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    assert_int_equal(e->tcb->recovery, NB_TCP_RECOVERY_RECOVERY);
    assert_int_equal(e->tcb->ssthresh, 7); /* RFC 9438: 0.7 of cwnd */
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 1);
    end_free(e);
}

/* RFC 6937: 7 new segments for 10 delivered, spread over the round trip, rather than none and then a burst. */
static void test_duplicates_in_recovery_let_new_segments_go_in_proportion(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    unsigned sent = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned before = e->n_sent;
        ack(e, 1);
        assert_in_range(e->n_sent - before, 0, 1);
        sent += e->n_sent - before;
    }
    assert_in_range(sent, 4, 6);
    end_forget_sent(e);
    end_free(e);
}

/* Late duplicates of before must not begin another recovery (RFC 6582 §4): the state stays until more is acknowledged.
 */
static void test_ack_of_everything_brings_cwnd_to_ssthresh(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    ack(e, 12001);
    assert_int_equal(e->tcb->cwnd, 7);
    for (unsigned i = 0; i < 7; i++)
        expect_segment(e, 12001 + 1000 * i);
    end_nothing_sent(e);
    for (unsigned i = 0; i < 3; i++)
        ack(e, 12001);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 1);
    ack(e, 13001);
    assert_int_equal(e->tcb->recovery, NB_TCP_RECOVERY_OPEN);
    end_forget_sent(e);
    end_free(e);
}

/* RFC 6582 §3.2 step 3: without SACK, an ACK of a part tells where the next hole is. Proportional rate reduction may
 * want one more delivery before it goes. */
static void test_partial_ack_sends_the_next_hole(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    lose_first(e);
    ack(e, 3001);
    end_nothing_sent(e);
    ack(e, 3001);
    expect_segment(e, 3001);
    assert_int_equal(e->tcb->recovery, NB_TCP_RECOVERY_RECOVERY);
    end_nothing_sent(e);
    ack(e, 5001);
    expect_segment(e, 5001);
    end_forget_sent(e);
    ack(e, 13001);
    assert_int_equal(e->tcb->recovery, NB_TCP_RECOVERY_OPEN);
    end_forget_sent(e);
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
    expect_segment(e, 1);
    ack(e, 4001);
    end_expect(e, ACK | NB_TCP_FIN, 4001, 1, 0);
    end_free(e);
}

static void test_what_is_no_duplicate_counts_for_nothing(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .window = 61000); /* a window update */
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .window = 61000, .n = 10);
    arrive(e, .flags = ACK, .seq = 50, .ack = 1, .window = 61000, .n = 10); /* data, ahead of a gap */
    assert_int_equal(e->tcb->flight->sacked_out, 0);
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
    assert_null(e->tcb->flight);
    end_free(e);
}

static void time_out(struct one_end *e)
{
    end_forget_sent(e);
    for (unsigned i = 0; i < 10000 && e->tcb->recovery != NB_TCP_RECOVERY_LOSS; i++)
        wait_us(e, 100);
    assert_int_equal(e->tcb->recovery, NB_TCP_RECOVERY_LOSS);
}

static void test_time_out_starts_again_from_the_first_segment_in_slow_start(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    time_out(e);
    expect_segment(e, 1);
    end_nothing_sent(e);
    assert_int_equal(e->tcb->ssthresh, 7);
    assert_int_equal(e->tcb->cwnd, 1);
    ack(e, 1001);
    expect_segment(e, 10001); /* RFC 5682 step 2b: two new ones find out whether the rest was */
    expect_segment(e, 11001);
    end_nothing_sent(e);
    ack(e, 1001); /* a duplicate: yes */
    expect_segment(e, 1001);
    end_forget_sent(e);
    end_free(e);
}

/* RFC 5682: after a spurious time-out the ACKs of what was sent first go on as if nothing had happened. */
static void test_time_out_without_a_loss_is_taken_back(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    time_out(e);
    expect_segment(e, 1);
    ack(e, 2001); /* more than was sent again */
    end_forget_sent(e);
    ack(e, 4001);
    end_forget_sent(e);
    assert_int_equal(e->tcb->recovery, NB_TCP_RECOVERY_OPEN);
    assert_true(e->tcb->cwnd >= 10);
    assert_true(e->tcb->ssthresh >= NB_INFINITE_SSTHRESH);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 1);
    end_free(e);
}

static void test_second_time_out_in_a_row_keeps_ssthresh_and_doubles_the_pause(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    time_out(e);
    expect_segment(e, 1);
    uint32_t rto = e->tcb->rto_us;
    wait_us(e, rto - 1000);
    end_nothing_sent(e);
    wait_us(e, 1200);
    expect_segment(e, 1);
    assert_int_equal(e->tcb->rto_us, 2 * rto);
    assert_int_equal(e->tcb->ssthresh, 7);
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
    assert_int_equal(e->tcb->cwnd, 10);
    end_free(e);
}

static void test_reno_grows_a_segment_a_window(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    e->tcb->cc = NB_CC_NEWRENO;
    e->tcb->ssthresh = 5;
    for (unsigned i = 1; i <= 9; i++) {
        ack(e, 1 + 1000 * i);
        assert_int_equal(e->tcb->cwnd, 10);
    }
    ack(e, 10001);
    assert_int_equal(e->tcb->cwnd, 11);
    end_forget_sent(e);
    end_free(e);
}

/* Karn again: the segment that fast retransmit sends twice. */
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

static void test_fast_retransmit_of_the_head_restarts_the_timer(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    wait_us(e, 100000);
    lose_first(e);
    assert_int_equal(e->tcb->send_at, (uint32_t)e->now + e->tcb->rto_us);
    end_free(e);
}

static void test_retransmission_waits_for_room_at_the_port(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight();
    ack(e, 1);
    ack(e, 1);
    end_forget_sent(e);
    e->narrow = true;
    ack(e, 1);
    end_nothing_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 0);
    e->room = 1;
    end_flush(e);
    expect_segment(e, 1);
    end_nothing_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_two_duplicates_let_one_new_segment_each_go),
        cmocka_unit_test(test_third_duplicate_sends_the_first_segment_again_and_reduces_the_window),
        cmocka_unit_test(test_duplicates_in_recovery_let_new_segments_go_in_proportion),
        cmocka_unit_test(test_ack_of_everything_brings_cwnd_to_ssthresh),
        cmocka_unit_test(test_partial_ack_sends_the_next_hole),
        cmocka_unit_test(test_last_segment_sent_again_carries_the_fin_again),
        cmocka_unit_test(test_what_is_no_duplicate_counts_for_nothing),
        cmocka_unit_test(test_duplicates_without_data_in_flight_count_for_nothing),
        cmocka_unit_test(test_time_out_starts_again_from_the_first_segment_in_slow_start),
        cmocka_unit_test(test_time_out_without_a_loss_is_taken_back),
        cmocka_unit_test(test_second_time_out_in_a_row_keeps_ssthresh_and_doubles_the_pause),
        cmocka_unit_test(test_window_does_not_grow_while_the_application_is_what_limits),
        cmocka_unit_test(test_reno_grows_a_segment_a_window),
        cmocka_unit_test(test_ack_after_fast_retransmit_measures_nothing),
        cmocka_unit_test(test_fast_retransmit_of_the_head_restarts_the_timer),
        cmocka_unit_test(test_retransmission_waits_for_room_at_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
