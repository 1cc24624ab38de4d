/* test_prr.c - Proportional Rate Reduction (RFC 6937): what is delivered decides what is sent, with SACK. Without it
 * see test_recovery.c.
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

/* Returns how many segments it let go. */
static unsigned sack(struct one_end *e, nb_seq_t n, nb_seq_t left, nb_seq_t right)
{
    unsigned before = e->n_sent;
    arrive(e, .flags = ACK, .seq = 1, .ack = n, .options = NB_SEG_SACK, .n_sack = 1, .sack = {{left, right}});
    assert_null(support_tcp_check(e->tcp));
    return e->n_sent - before;
}

/* Twenty segments are under way, twenty more are waiting. */
static struct one_end *twenty_in_flight(void)
{
    struct one_end *e = end_new(NULL);
    end_established_after(e, &sack_syn, RTT_US);
    end_write_n(e, 50000);
    wait_us(e, RTT_US);
    for (nb_seq_t n = 1001; n <= 10001; n += 1000)
        arrive(e, .flags = ACK, .seq = 1, .ack = n);
    assert_int_equal(end_info(e).unacked, 20);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    end_forget_sent(e);
    return e;
}

/* §3: 14 segments go out for the 20 of the window, never more than two for one delivery, and cwnd ends at ssthresh. */
static void test_window_comes_down_evenly_over_the_round_trip(void **state)
{
    (void)state;
    struct one_end *e = twenty_in_flight();
    unsigned sent = 0;
    for (nb_seq_t right = 12001; right <= 30001; right += 1000) {
        unsigned n = sack(e, 10001, 11001, right);
        assert_in_range(n, 0, 2);
        sent += n;
        if (right == 21001) /* half way */
            assert_in_range(sent, 6, 9);
    }
    assert_in_range(sent, 13, 15);
    arrive(e, .flags = ACK, .seq = 1, .ack = 30001); /* the hole was filled */
    assert_int_equal(end_info(e).ssthresh, 14);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = 44001);
    assert_in_range(end_info(e).cwnd, 14, 15);
    end_forget_sent(e);
    end_free(e);
}

/* §3, PRR-SSRB: when more was lost than the reduction takes, the window is filled up to ssthresh as in slow start, by
 * one segment more than was delivered, and not at one stroke. */
static void test_after_many_losses_the_window_fills_by_one_more_than_was_delivered(void **state)
{
    (void)state;
    struct one_end *e = twenty_in_flight();
    sack(e, 10001, 26001, 29001); /* sixteen are lost: three times dupthresh lie above */
    unsigned before = end_info(e).unacked - end_info(e).sacked - end_info(e).lost + end_info(e).retransmitting;
    assert_in_range(before, 1, 5);
    wait_us(e, RTT_US);
    for (nb_seq_t n = 11001; n <= 13001; n += 1000)
        assert_in_range(sack(e, n, 26001, 30001), 1, 3);
    end_forget_sent(e);
    end_free(e);
}

static void test_first_loss_is_sent_again_even_when_nothing_else_may_go(void **state)
{
    (void)state;
    struct one_end *e = twenty_in_flight();
    sack(e, 10001, 11001, 12001);
    sack(e, 10001, 11001, 13001);
    end_forget_sent(e);
    assert_true(sack(e, 10001, 11001, 14001) >= 1);
    assert_int_equal(end_sent(e)->seq, 10001);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_comes_down_evenly_over_the_round_trip),
        cmocka_unit_test(test_after_many_losses_the_window_fills_by_one_more_than_was_delivered),
        cmocka_unit_test(test_first_loss_is_sent_again_even_when_nothing_else_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
