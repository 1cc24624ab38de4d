/* test_sack.c - selective acknowledgements: what they repair (RFC 2018, RFC 6675), duplicates reported both ways (RFC
 * 2883), and peers that take them back.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tcb_check.h"

#define ACK    NB_TCP_ACK
#define RTT_US 20000

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

/* Ten segments are under way, ten more are waiting. */
static struct one_end *ten_in_flight(const struct end_arrival *syn)
{
    struct one_end *e = end_new(NULL);
    end_established_after(e, syn, RTT_US);
    end_write_n(e, 20000);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(end_sent(e)->n, 1000);
    end_nothing_sent(e);
    wait_us(e, RTT_US);
    return e;
}

static unsigned times_sent(const struct one_end *e, nb_seq_t seq)
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->n_sent; i++)
        n += e->sent[i].n && e->sent[i].seq == seq;
    return n;
}

static void test_three_segments_above_a_hole_send_it_again_and_nothing_else(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight(&sack_syn);
    sack(e, 1, 1001, 2001);
    sack(e, 1, 1001, 3001);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 0);
    sack(e, 1, 1001, 4001);
    assert_int_equal(times_sent(e, 1), 1);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 1);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_RECOVERY);
    assert_int_equal(end_info(e).sacked, 3);
    end_forget_sent(e);
    end_free(e);
}

static void test_one_ack_with_three_segments_is_as_good_as_three(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight(&sack_syn);
    sack(e, 1, 1001, 4001);
    assert_int_equal(times_sent(e, 1), 1);
    end_forget_sent(e);
    end_free(e);
}

/* What NewReno needs three round trips for. */
static void test_three_holes_are_filled_within_one_round_trip(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight(&sack_syn);
    for (nb_seq_t right = 2001; right <= 10001; right += 1000) {
        struct nb_seq_range blocks[3] = {{1001, right}};
        uint8_t n = 1;
        if (right == 3001 || right == 6001) /* lost: nothing arrives */
            continue;
        if (right > 6001)
            blocks[0] = (struct nb_seq_range){6001, right}, blocks[1] = (struct nb_seq_range){3001, 5001},
            blocks[2] = (struct nb_seq_range){1001, 2001}, n = 3;
        else if (right > 3001)
            blocks[0] = (struct nb_seq_range){3001, right}, blocks[1] = (struct nb_seq_range){1001, 2001}, n = 2;
        arrive(e, .flags = ACK, .seq = 1, .ack = 1, .options = NB_SEG_SACK, .n_sack = n,
               .sack = {blocks[0], blocks[1], blocks[2]});
    }
    assert_int_equal(times_sent(e, 1), 1);
    assert_int_equal(times_sent(e, 2001), 1);
    assert_int_equal(times_sent(e, 5001), 1);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 3);
    end_forget_sent(e);
    end_free(e);
}

static void test_what_was_sacked_is_not_sent_again_when_the_rest_is(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight(&sack_syn);
    sack(e, 1, 5001, 10001);
    end_forget_sent(e);
    for (nb_seq_t n = 1001; n <= 4001; n += 1000)
        sack(e, n, 5001, 10001);
    for (nb_seq_t n = 5001; n <= 9001; n += 1000)
        assert_int_equal(times_sent(e, n), 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_without_sack_permitted_blocks_mean_nothing(void **state)
{
    (void)state;
    static const struct end_arrival plain = {.flags = NB_TCP_SYN, .options = NB_SEG_MSS, .mss = END_MSS};
    struct one_end *e = ten_in_flight(&plain);
    sack(e, 1, 1001, 9001);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_setting_off_offers_and_accepts_no_sack(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->sack = false;
    end_listen(e);
    end_arrive(e, &sack_syn);
    assert_false(end_expect(e, NB_TCP_SYN | ACK, 0, 1, 0)->seg.options & NB_SEG_SACK_PERMITTED);
    end_free(e);
}

static void test_blocks_about_what_was_never_sent_or_upside_down_are_ignored(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight(&sack_syn);
    sack(e, 1, 8001, 40001);
    sack(e, 1, 50001, 60001);
    sack(e, 1, 9001, 2001);
    sack(e, 1, 3001, 3001);
    assert_int_equal(end_info(e).sacked, 0);
    end_forget_sent(e);
    end_free(e);
}

/* RFC 2018 §8: the receiver may drop what it SACKed; at a time-out the sender must not rely on it. */
static void test_time_out_of_a_sacked_head_sends_everything_again(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight(&sack_syn);
    nb_tcp_settings(e->tcp)->frto = 0;
    sack(e, 1, 1001, 10001);
    ack(e, 1001); /* the hole is filled, and yet nothing of the rest is acknowledged */
    end_forget_sent(e);
    wait_us(e, 1000000);
    assert_true(times_sent(e, 1001) >= 1);
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_LOSS);
    assert_int_equal(end_info(e).sacked, 0);
    end_forget_sent(e);
    for (nb_seq_t n = 2001; n <= 9001; n += 1000) /* segment by segment the rest comes again, too */
        ack(e, n);
    assert_int_equal(times_sent(e, 9001), 1);
    end_forget_sent(e);
    end_free(e);
}

/* --- duplicates, as a receiver ---------------------------------------------------------------- */

static void expect_blocks(struct one_end *e, unsigned n, const struct nb_seq_range *blocks)
{
    const struct end_packet *p = end_sent(e);
    assert_int_equal(p->seg.options & NB_SEG_SACK ? p->seg.n_sack : 0, n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(p->seg.sack[i].left - e->pss, blocks[i].left);
        assert_int_equal(p->seg.sack[i].right - e->pss, blocks[i].right);
    }
}

static void test_repeated_segment_is_reported_once_in_the_first_block(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, &sack_syn);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    expect_blocks(e, 1, (struct nb_seq_range[]){{1, 1001}});
    arrive(e, .flags = ACK, .seq = 2001, .ack = 1, .n = 1000);
    expect_blocks(e, 1, (struct nb_seq_range[]){{2001, 3001}});
    arrive(e, .flags = ACK, .seq = 501, .ack = 1, .n = 500); /* RFC 2883 §4.2: the duplicate, then the gap's far side */
    expect_blocks(e, 2, (struct nb_seq_range[]){{501, 1001}, {2001, 3001}});
    end_free(e);
}

static void test_partly_repeated_segment_is_reported_as_far_as_it_is_old(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established_with(e, &sack_syn);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 501, .ack = 1, .n = 1000);
    expect_blocks(e, 1, (struct nb_seq_range[]){{501, 1001}});
    assert_int_equal(e->n_received, 1500);
    end_free(e);
}

static void test_with_dsack_off_duplicates_are_acked_without_a_block(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->dsack = false;
    end_established_with(e, &sack_syn);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    expect_blocks(e, 0, NULL);
    end_free(e);
}

/* --- duplicates, as a sender ------------------------------------------------------------------ */

static void test_reported_duplicates_are_counted_and_not_taken_for_sacks(void **state)
{
    (void)state;
    struct one_end *e = ten_in_flight(&sack_syn);
    sack(e, 1, 1001, 4001);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 1);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    sack(e, 5001, 1, 1001); /* the first one had only been late */
    assert_int_equal(end_info(e).dsacks, 1);
    assert_int_equal(end_info(e).sacked, 0);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_segments_above_a_hole_send_it_again_and_nothing_else),
        cmocka_unit_test(test_one_ack_with_three_segments_is_as_good_as_three),
        cmocka_unit_test(test_three_holes_are_filled_within_one_round_trip),
        cmocka_unit_test(test_what_was_sacked_is_not_sent_again_when_the_rest_is),
        cmocka_unit_test(test_without_sack_permitted_blocks_mean_nothing),
        cmocka_unit_test(test_setting_off_offers_and_accepts_no_sack),
        cmocka_unit_test(test_blocks_about_what_was_never_sent_or_upside_down_are_ignored),
        cmocka_unit_test(test_time_out_of_a_sacked_head_sends_everything_again),
        cmocka_unit_test(test_repeated_segment_is_reported_once_in_the_first_block),
        cmocka_unit_test(test_partly_repeated_segment_is_reported_as_far_as_it_is_old),
        cmocka_unit_test(test_with_dsack_off_duplicates_are_acked_without_a_block),
        cmocka_unit_test(test_reported_duplicates_are_counted_and_not_taken_for_sacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
