/* test_input.c - segment arrival where it is about trust: windows, resets, SYNs, timestamps; and text ahead of a gap.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mempool.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define RST NB_TCP_RST
#define PSH NB_TCP_PSH

static void check_received(struct one_end *e, size_t n)
{
    assert_int_equal(e->n_received, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(e->received[i], end_pattern(i));
}

/* --- RFC 5961
 * --------------------------------------------------------------------------------------------------------- */

static void test_challenge_acks_of_one_connection_are_rationed(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    for (unsigned i = 0; i < 10; i++)
        arrive(e, .flags = RST, .seq = 100 + i);
    end_expect(e, ACK, 1, 1, 0);
    end_nothing_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_CHALLENGE_ACK), 1);
    wait_us(e, 500000);
    arrive(e, .flags = SYN, .seq = 100);
    end_expect(e, ACK, 1, 1, 0);
    end_free(e);
}

static void test_answer_to_a_challenge_resets(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = RST, .seq = 100);
    nb_seq_t told = end_expect(e, ACK, 1, 1, 0)->ack;
    arrive(e, .flags = RST, .seq = told);
    assert_int_equal(e->reason, NB_CLOSED_RESET);
    assert_int_equal(end_counter(e, NB_COUNTER_RST_RECEIVED), 1);
    end_free(e);
}

static void test_two_confused_ends_do_not_answer_each_other_for_ever(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    for (unsigned i = 0; i < 100; i++)
        arrive(e, .flags = ACK, .seq = 100000, .ack = 1);
    end_expect(e, ACK, 1, 1, 0);
    end_nothing_sent(e);
    end_free(e);
}

static void test_data_outside_the_window_is_always_answered(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    for (unsigned i = 0; i < 3; i++) {
        arrive(e, .flags = ACK, .seq = 100000, .ack = 1, .n = 10);
        end_expect(e, ACK, 1, 1, 0);
    }
    end_free(e);
}

static void test_ack_from_the_right_edge_of_a_full_window_counts(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = 2000});
    end_established(e);
    end_write_n(e, 500);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 2001, .ack = 501); /* its data from 1 on was lost */
    assert_int_equal(e->tcb->snd_una - e->iss, 501);
    end_free(e);
}

/* --- timestamps
 * ------------------------------------------------------------------------------------------------------- */

#define TS_SYN                                                                                                         \
    &(struct end_arrival)                                                                                              \
    {                                                                                                                  \
        .flags = SYN, .options = NB_SEG_MSS | NB_SEG_TIMESTAMP | NB_SEG_SACK_PERMITTED, .mss = END_MSS,                \
        .ts_value = 0xfffffff0u                                                                                        \
    }

static void test_old_timestamp_is_dropped_and_acked(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .ts_value = 0xffffffe0u);
    end_expect(e, ACK, 1, 1, 0);
    assert_int_equal(e->n_received, 0);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_PAWS), 1);
    end_free(e);
}

static void test_timestamp_that_wrapped_is_new(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .ts_value = 5);
    assert_int_equal(end_expect(e, ACK, 1, 11, 0)->seg.ts_echo, 5);
    end_free(e);
}

static void test_rst_with_an_old_timestamp_still_resets(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    arrive(e, .flags = RST, .seq = 1, .ts_value = 0x80000000u);
    assert_int_equal(e->reason, NB_CLOSED_RESET);
    end_free(e);
}

/* As Linux; RFC 7323 §3.2 would have it dropped. */
static void test_segment_without_its_timestamp_is_taken(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    e->timestamps = false;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_expect(e, ACK, 1, 11, 0);
    assert_int_equal(e->n_received, 10);
    end_free(e);
}

static void test_timestamps_older_than_24_days_do_not_count(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    wait_us(e, 25ull * 86400 * 1000000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .ts_value = 0x7fffffffu);
    end_expect(e, ACK, 1, 11, 0);
    assert_int_equal(e->n_received, 10);
    end_free(e);
}

/* RFC 7323 §4.3: with ACKs held back the first segment's timestamp is echoed, so that the peer measures the delay too.
 */
static void test_echo_is_of_the_segment_that_the_last_ack_waited_for(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    e->no_flush = true;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .ts_value = 100);
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10, .ts_value = 200);
    end_flush(e);
    assert_int_equal(end_expect(e, ACK, 1, 21, 0)->seg.ts_echo, 100);
    end_free(e);
}

static void test_segment_ahead_of_a_gap_does_not_change_the_echo(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10, .ts_value = 300);
    assert_int_equal(end_expect(e, ACK, 1, 1, 0)->seg.ts_echo, 0xfffffff0u);
    end_free(e);
}

/* --- gaps
 * ------------------------------------------------------------------------------------------------------------- */

static void test_text_ahead_of_a_gap_is_kept_and_acked_at_once_with_sack(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    e->no_flush = true;
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10, .ts_value = 1);
    struct end_packet *p = end_expect(e, ACK, 1, 1, 0);
    assert_int_equal(p->seg.n_sack, 1);
    assert_int_equal(p->seg.sack[0].left - e->pss, 11);
    assert_int_equal(p->seg.sack[0].right - e->pss, 21);
    arrive(e, .flags = ACK, .seq = 41, .ack = 1, .n = 10, .ts_value = 2);
    p = end_expect(e, ACK, 1, 1, 0);
    assert_int_equal(p->seg.n_sack, 2);
    assert_int_equal(p->seg.sack[0].left - e->pss, 41); /* RFC 2018 §4: the latest first */
    assert_int_equal(p->seg.sack[1].left - e->pss, 11);
    assert_int_equal(e->n_received, 0);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .ts_value = 3);
    check_received(e, 20);
    end_flush(e);
    p = end_expect(e, ACK, 1, 21, 0);
    assert_int_equal(p->seg.n_sack, 1);
    arrive(e, .flags = ACK, .seq = 21, .ack = 1, .n = 20, .ts_value = 4);
    check_received(e, 50);
    end_flush(e);
    assert_int_equal(end_expect(e, ACK, 1, 51, 0)->seg.n_sack, 0);
    assert_int_equal(end_counter(e, NB_COUNTER_OUT_OF_ORDER), 2);
    end_free(e);
}

static void test_without_sack_permitted_no_blocks_are_sent(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10);
    assert_int_equal(end_expect(e, ACK, 1, 1, 0)->seg.options, 0);
    end_free(e);
}

static void test_at_most_three_blocks_fit_beside_a_timestamp_and_four_alone(void **state)
{
    (void)state;
    for (unsigned ts = 0; ts < 2; ts++) {
        struct one_end *e = end_new(NULL);
        end_established_with(e, &(struct end_arrival){.flags = SYN,
                                                      .options = NB_SEG_SACK_PERMITTED | (ts ? NB_SEG_TIMESTAMP : 0),
                                                      .ts_value = ts});
        for (unsigned i = 1; i <= 6; i++)
            arrive(e, .flags = ACK, .seq = 20 * i, .ack = 1, .n = 10, .ts_value = ts);
        struct end_packet *p = NULL;
        while (e->n_read < e->n_sent)
            p = end_sent(e);
        assert_int_equal(p->seg.n_sack, ts ? 3 : 4);
        assert_int_equal(p->seg.sack[0].left - e->pss, 120);
        assert_int_equal(p->seg.sack[2].left - e->pss, 80);
        end_free(e);
    }
}

static void test_fin_ahead_of_a_gap_counts_when_the_gap_is_filled(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK | FIN, .seq = 11, .ack = 1, .n = 10);
    end_forget_sent(e);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_expect(e, ACK, 1, 22, 0);
    check_received(e, 20);
    assert_int_equal(e->n_peer_closed, 1);
    assert_int_equal(end_state(e), NB_TCP_CLOSE_WAIT);
    end_free(e);
}

static void test_forged_fin_ahead_does_not_keep_the_true_one_out(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK | FIN, .seq = 5, .ack = 1);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 20);
    arrive(e, .flags = ACK | FIN, .seq = 21, .ack = 1);
    end_forget_sent(e);
    assert_int_equal(end_state(e), NB_TCP_CLOSE_WAIT);
    end_free(e);
}

/* What overlaps what was delivered already is cut:  |1..10|  then  |6..15|  then  |1..20|  */
static void test_repeated_text_is_delivered_once(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    arrive(e, .flags = ACK, .seq = 6, .ack = 1, .n = 10);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 20);
    check_received(e, 20);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 20);
    check_received(e, 20);
    end_forget_sent(e);
    end_free(e);
}

static void test_filled_gap_is_acked_at_once(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    e->tcb->quick_acks = 0;
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10);
    end_expect(e, ACK, 1, 1, 0);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_expect(e, ACK, 1, 21, 0);
    end_free(e);
}

static void test_text_kept_from_behind_a_fin_is_freed_when_the_fin_counts(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK, .seq = 21, .ack = 1, .n = 10);
    arrive(e, .flags = ACK | FIN, .seq = 1, .ack = 1, .n = 10);
    end_forget_sent(e);
    assert_int_equal(end_state(e), NB_TCP_CLOSE_WAIT);
    assert_int_equal(rte_mempool_in_use_count(e->peer_pool), 0);
    end_free(e);
}

static void test_repeated_segment_whose_ack_was_lost_refreshes_the_echo(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, TS_SYN);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .ts_value = 100);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .ts_value = 900);
    assert_int_equal(end_expect(e, ACK, 1, 11, 0)->seg.ts_echo, 900);
    end_free(e);
}

/* The worker looks a whole burst up before the first segment is handled. */
static void test_syn_looked_up_as_a_connection_that_ended_meanwhile_opens_a_new_one(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    struct nb_flow_ref before = nb_flow_find(e->flows, &e->key, nb_flow_hash(e->flows, &e->key));
    e->no_flush = true;
    arrive(e, .flags = RST, .seq = 1);
    struct nb_seg seg = {.key = e->key, .hash = nb_flow_hash(e->flows, &e->key), .seq = 77, .flags = SYN};
    nb_tcp_input(e->tcp, &seg, before, 0, e->now);
    assert_int_equal(end_state(e), NB_TCP_SYN_RECEIVED);
    assert_int_equal(end_sent(e)->flags, SYN | ACK);
    end_flush(e);
    end_free(e);
}

static void test_older_segment_does_not_take_the_window_back(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10, .window = 30000);
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10, .window = 20000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 5, .ack = 1, .n = 20, .window = 10); /* sent before, comes after */
    assert_int_equal(e->tcb->snd_wnd, 20000);
    end_forget_sent(e);
    end_free(e);
}

static void test_ack_of_what_was_acknowledged_before_does_not_tell_a_window(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 1000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .window = 20000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 501, .window = 10); /* same number, sent before, comes after */
    assert_int_equal(e->tcb->snd_wnd, 20000);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenge_acks_of_one_connection_are_rationed),
        cmocka_unit_test(test_answer_to_a_challenge_resets),
        cmocka_unit_test(test_two_confused_ends_do_not_answer_each_other_for_ever),
        cmocka_unit_test(test_data_outside_the_window_is_always_answered),
        cmocka_unit_test(test_ack_from_the_right_edge_of_a_full_window_counts),
        cmocka_unit_test(test_old_timestamp_is_dropped_and_acked),
        cmocka_unit_test(test_timestamp_that_wrapped_is_new),
        cmocka_unit_test(test_rst_with_an_old_timestamp_still_resets),
        cmocka_unit_test(test_segment_without_its_timestamp_is_taken),
        cmocka_unit_test(test_timestamps_older_than_24_days_do_not_count),
        cmocka_unit_test(test_echo_is_of_the_segment_that_the_last_ack_waited_for),
        cmocka_unit_test(test_segment_ahead_of_a_gap_does_not_change_the_echo),
        cmocka_unit_test(test_text_ahead_of_a_gap_is_kept_and_acked_at_once_with_sack),
        cmocka_unit_test(test_without_sack_permitted_no_blocks_are_sent),
        cmocka_unit_test(test_at_most_three_blocks_fit_beside_a_timestamp_and_four_alone),
        cmocka_unit_test(test_fin_ahead_of_a_gap_counts_when_the_gap_is_filled),
        cmocka_unit_test(test_forged_fin_ahead_does_not_keep_the_true_one_out),
        cmocka_unit_test(test_repeated_text_is_delivered_once),
        cmocka_unit_test(test_filled_gap_is_acked_at_once),
        cmocka_unit_test(test_text_kept_from_behind_a_fin_is_freed_when_the_fin_counts),
        cmocka_unit_test(test_repeated_segment_whose_ack_was_lost_refreshes_the_echo),
        cmocka_unit_test(test_syn_looked_up_as_a_connection_that_ended_meanwhile_opens_a_new_one),
        cmocka_unit_test(test_ack_of_what_was_acknowledged_before_does_not_tell_a_window),
        cmocka_unit_test(test_older_segment_does_not_take_the_window_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
