/* test_rack.c - RACK (RFC 8985 §6): time tells what is lost; reordering is waited for, once it was seen.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tcb_check.h"

#define ACK    NB_TCP_ACK
#define RTT_US 40000

static const struct end_arrival sack_syn = {
    .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS};

static void sack(struct one_end *e, nb_seq_t n, nb_seq_t left, nb_seq_t right)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n, .options = NB_SEG_SACK, .n_sack = 1, .sack = {{left, right}});
    assert_null(support_tcp_check(e->tcp));
}

static void ack(struct one_end *e, nb_seq_t n)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n);
    assert_null(support_tcp_check(e->tcp));
}

/* n segments are under way and have just had the time for their round trip; nothing more is waiting. */
static struct one_end *in_flight(unsigned n)
{
    struct one_end *e = end_new(NULL);
    end_established_after(e, &sack_syn, RTT_US);
    end_write_n(e, 1000 * n);
    assert_int_equal(e->n_sent, n);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    end_forget_sent(e);
    return e;
}

static uint64_t retransmitted(struct one_end *e)
{
    return end_counter(e, NB_COUNTER_RETRANSMITTED);
}

/* The time until something is sent again, at most a second. */
static uint64_t until_retransmission(struct one_end *e)
{
    uint64_t began = e->now, before = retransmitted(e);
    while (retransmitted(e) == before && e->now - began < 1000000)
        wait_us(e, 100);
    return e->now - began;
}

/* Fewer than three SACKed segments: no count says so, but time does (§6.2 step 5), long before the RTO. */
static void test_two_segments_above_a_hole_mean_a_loss_after_a_quarter_round_trip(void **state)
{
    (void)state;
    struct one_end *e = in_flight(3);
    sack(e, 1, 1001, 3001);
    assert_int_equal(retransmitted(e), 0);
    assert_in_range(until_retransmission(e), RTT_US / 8, RTT_US / 4 + 3000);
    assert_int_equal(end_sent(e)->seq, 1);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_RECOVERY);
    assert_int_equal(end_info(e).rtos, 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_late_segment_within_the_window_is_not_sent_again(void **state)
{
    (void)state;
    struct one_end *e = in_flight(3);
    sack(e, 1, 1001, 3001);
    wait_us(e, RTT_US / 16);
    ack(e, 3001);
    wait_us(e, 1000000);
    assert_int_equal(retransmitted(e), 0);
    assert_int_equal(end_info(e).reorderings_seen, 1);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_OPEN);
    end_free(e);
}

/* §6.2 step 4: after reordering was seen three segments above a hole are no proof any more. */
static void test_three_segments_above_a_hole_wait_once_reordering_was_seen(void **state)
{
    (void)state;
    struct one_end *e = in_flight(10);
    sack(e, 1, 1001, 2001);
    ack(e, 10001);
    assert_int_equal(end_info(e).reorderings_seen, 1);
    end_write_n(e, 10000);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    end_forget_sent(e);
    sack(e, 10001, 11001, 20001);
    assert_int_equal(retransmitted(e), 0);
    assert_in_range(until_retransmission(e), RTT_US / 8, RTT_US / 4 + 3000);
    end_forget_sent(e);
    end_free(e);
}

/* A lost retransmission needs no RTO: something sent after it was delivered (§6, "lost retransmission detection"). */
static void test_lost_retransmission_is_sent_again_without_a_time_out(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_after(e, &sack_syn, RTT_US);
    end_write_n(e, 30000);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    sack(e, 1, 1001, 4001);
    assert_int_equal(retransmitted(e), 1);
    wait_us(e, 1000);
    sack(e, 1, 1001, 10001); /* clocks out new data behind the retransmission */
    nb_seq_t newest = e->sent[e->n_sent - 1].seq + 1000;
    assert_true(newest > 10001);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    sack(e, 1, 1001, newest);
    wait_us(e, RTT_US / 4 + 3000);
    assert_int_equal(retransmitted(e), 2);
    assert_int_equal(end_info(e).rtos, 0);
    end_forget_sent(e);
    end_free(e);
}

/* §6.2 step 4: D-SACK says we were hasty; the window becomes two quarters. */
static void test_reported_duplicate_widens_the_window(void **state)
{
    (void)state;
    struct one_end *e = in_flight(10);
    sack(e, 1, 1001, 2001); /* reordering */
    ack(e, 10001);
    end_write_n(e, 10000);
    wait_us(e, RTT_US);
    sack(e, 10001, 11001, 20001);
    uint64_t first = until_retransmission(e);
    wait_us(e, 3000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 20001, .options = NB_SEG_SACK, .n_sack = 1, .sack = {{10001, 11001}});
    end_write_n(e, 7000);
    wait_us(e, RTT_US);
    sack(e, 20001, 21001, 27001);
    uint64_t second = until_retransmission(e);
    assert_in_range(first, RTT_US / 4, RTT_US / 4 + 3000);
    assert_in_range(second, RTT_US / 2, RTT_US / 2 + 3000);
    end_forget_sent(e);
    end_free(e);
}

/* §6.2 step 3: a hole that a retransmission fills is none. */
static void test_holes_filled_by_retransmissions_are_no_reordering(void **state)
{
    (void)state;
    struct one_end *e = in_flight(10);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .options = NB_SEG_SACK, .n_sack = 2,
           .sack = {{6001, 10001}, {1001, 5001}});
    wait_us(e, RTT_US);
    sack(e, 5001, 6001, 10001);
    wait_us(e, RTT_US);
    ack(e, 10001);
    assert_int_equal(retransmitted(e), 2);
    assert_int_equal(end_info(e).reorderings_seen, 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_segment_sent_later_than_the_delivered_one_is_not_believed_lost(void **state)
{
    (void)state;
    struct one_end *e = in_flight(5);
    end_write_n(e, 3000); /* a round trip later */
    end_forget_sent(e);
    sack(e, 1, 1001, 5001);
    assert_int_equal(retransmitted(e), 1);
    assert_int_equal(end_info(e).lost, 1); /* the first, not 5001 and what follows */
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_segments_above_a_hole_mean_a_loss_after_a_quarter_round_trip),
        cmocka_unit_test(test_late_segment_within_the_window_is_not_sent_again),
        cmocka_unit_test(test_three_segments_above_a_hole_wait_once_reordering_was_seen),
        cmocka_unit_test(test_lost_retransmission_is_sent_again_without_a_time_out),
        cmocka_unit_test(test_reported_duplicate_widens_the_window),
        cmocka_unit_test(test_holes_filled_by_retransmissions_are_no_reordering),
        cmocka_unit_test(test_segment_sent_later_than_the_delivered_one_is_not_believed_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
