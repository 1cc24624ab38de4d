/* test_tlp.c - tail loss probes (RFC 8985 §7). */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tcb_check.h"

#define ACK    NB_TCP_ACK
#define RTT_US 20000

static const struct end_arrival sack_syn = {
    .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS};

static struct one_end *in_flight(unsigned n, uint8_t early_retrans)
{
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->early_retrans = early_retrans;
    end_established_after(e, &sack_syn, RTT_US);
    end_write_n(e, 1000 * n);
    end_forget_sent(e);
    return e;
}

static void ack(struct one_end *e, nb_seq_t n)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n);
    assert_null(support_tcp_check(e->tcp));
}

static void sack(struct one_end *e, nb_seq_t n, nb_seq_t left, nb_seq_t right)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n, .options = NB_SEG_SACK, .n_sack = 1, .sack = {{left, right}});
    assert_null(support_tcp_check(e->tcp));
}

static uint64_t until_sent(struct one_end *e)
{
    uint64_t began = e->now;
    while (e->n_sent == e->n_read && e->now - began < 2000000)
        wait_us(e, 100);
    return e->now - began;
}

/* §7.2: two round trips, and our 2 ms. */
static void test_silence_of_two_round_trips_sends_the_last_segment_again(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    assert_in_range(until_sent(e), 2 * RTT_US, 2 * RTT_US + 2500);
    const struct end_packet *p = end_sent(e);
    assert_int_equal(p->seq, 3001);
    assert_int_equal(p->n, 1000);
    assert_int_equal(end_counter(e, NB_COUNTER_LOSS_PROBES), 1);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_OPEN);
    assert_int_equal(end_info(e).cwnd, 10);
    end_free(e);
}

static void test_new_data_is_the_better_probe(void **state)
{
    (void)state;
    struct one_end *e = in_flight(20, 3);
    assert_in_range(until_sent(e), 2 * RTT_US, 2 * RTT_US + 2500);
    assert_int_equal(end_sent(e)->seq, 10001);
    end_nothing_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 0);
    end_free(e);
}

static void test_second_silence_is_a_time_out(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    until_sent(e);
    end_forget_sent(e);
    until_sent(e);
    assert_int_equal(end_sent(e)->seq, 1);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_LOSS);
    end_free(e);
}

/* The point of it: the SACK of the probe shows the other losses, and no time-out is needed. */
static void test_sack_of_the_probe_repairs_the_tail_by_fast_recovery(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    ack(e, 1001);
    end_forget_sent(e);
    until_sent(e);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    sack(e, 1001, 3001, 4001);
    wait_us(e, RTT_US / 4 + 3000);
    assert_int_equal(end_sent(e)->seq, 1001);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_RECOVERY);
    assert_int_equal(end_info(e).rtos, 0);
    end_forget_sent(e);
    end_free(e);
}

/* §7.4.2: the probe was the repair, so there was a loss: cwnd answers for it. */
static void test_loss_that_the_probe_repaired_reduces_the_window(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    ack(e, 3001);
    until_sent(e);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    ack(e, 4001);
    assert_int_equal(end_info(e).cwnd, 10);
    end_write_n(e, 1000);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    ack(e, 5001); /* and no duplicate was reported meanwhile */
    assert_int_equal(end_info(e).cwnd, 7);
    end_free(e);
}

static void test_reported_duplicate_of_the_probe_leaves_the_window_alone(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    ack(e, 3001);
    until_sent(e);
    end_forget_sent(e);
    ack(e, 4001);
    sack(e, 4001, 3001, 4001);
    end_write_n(e, 1000);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    ack(e, 5001);
    assert_int_equal(end_info(e).cwnd, 10);
    end_free(e);
}

/* A worker that did not run for a while finds its deadlines passed and the peer's ACK in the queue. */
static void test_turn_that_comes_late_looks_at_arrivals_before_it_probes(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    e->now += 2 * RTT_US + 10000;
    nb_tcp_advance(e->tcp, e->now);
    end_nothing_sent(e);
    ack(e, 4001);
    wait_us(e, 10000);
    end_nothing_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_LOSS_PROBES), 0);
    end_free(e);
}

static void test_turn_that_comes_late_probes_a_little_later(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    e->now += 2 * RTT_US + 10000;
    nb_tcp_advance(e->tcp, e->now);
    end_nothing_sent(e);
    assert_in_range(until_sent(e), 1000, 3000);
    end_forget_sent(e);
    end_free(e);
}

/* What was sent may not even have left. */
static void test_frames_that_wait_for_the_port_put_off_the_probe(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    e->backlog = true;
    wait_us(e, 3 * RTT_US);
    end_nothing_sent(e);
    e->backlog = false;
    assert_in_range(until_sent(e), 0, 3000);
    assert_int_equal(end_counter(e, NB_COUNTER_LOSS_PROBES), 1);
    end_forget_sent(e);
    end_free(e);
}

/* But not for ever: then something is wrong, and the time-out says so. */
static void test_port_that_never_takes_anything_does_not_put_off_the_time_out(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 3);
    e->backlog = true;
    assert_in_range(until_sent(e), 200000, 400000);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_LOSS);
    end_forget_sent(e);
    end_free(e);
}

static void test_setting_off_waits_for_the_time_out(void **state)
{
    (void)state;
    struct one_end *e = in_flight(4, 0);
    assert_true(until_sent(e) > 200000);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_LOSS);
    assert_int_equal(end_counter(e, NB_COUNTER_LOSS_PROBES), 0);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_of_two_round_trips_sends_the_last_segment_again),
        cmocka_unit_test(test_new_data_is_the_better_probe),
        cmocka_unit_test(test_second_silence_is_a_time_out),
        cmocka_unit_test(test_sack_of_the_probe_repairs_the_tail_by_fast_recovery),
        cmocka_unit_test(test_loss_that_the_probe_repaired_reduces_the_window),
        cmocka_unit_test(test_reported_duplicate_of_the_probe_leaves_the_window_alone),
        cmocka_unit_test(test_turn_that_comes_late_looks_at_arrivals_before_it_probes),
        cmocka_unit_test(test_turn_that_comes_late_probes_a_little_later),
        cmocka_unit_test(test_frames_that_wait_for_the_port_put_off_the_probe),
        cmocka_unit_test(test_port_that_never_takes_anything_does_not_put_off_the_time_out),
        cmocka_unit_test(test_setting_off_waits_for_the_time_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
