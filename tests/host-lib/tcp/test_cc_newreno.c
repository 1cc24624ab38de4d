/* test_cc_newreno.c - slow start, congestion avoidance and reduction of NewReno (RFC 5681 §3.1, RFC 6582).
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tcb_check.h"

#define ACK    NB_TCP_ACK
#define RTT_US 20000

static struct one_end *reno(void)
{
    static const struct end_arrival syn = {
        .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_WSCALE, .mss = END_MSS, .wscale = 4};
    struct one_end *e = end_new(NULL);
    strcpy(nb_tcp_settings(e->tcp)->congestion_control, "reno");
    end_established_after(e, &syn, RTT_US);
    assert_string_equal(end_info(e).congestion, "reno");
    end_write_n(e, 200000);
    return e;
}

static void ack(struct one_end *e, nb_seq_t n)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n);
    assert_null(support_tcp_check(e->tcp));
}

/* The n-th segment was the last that arrived. */
static nb_seq_t after(unsigned n)
{
    return 1 + 1000 * n;
}

static void test_slow_start_grows_by_what_was_acknowledged(void **state)
{
    (void)state;
    struct one_end *e = reno();
    ack(e, after(2)); /* RFC 3465: two segments, one ACK */
    assert_int_equal(end_info(e).cwnd, 12);
    ack(e, after(3));
    assert_int_equal(end_info(e).cwnd, 13);
    end_forget_sent(e);
    end_free(e);
}

/* Loses the first of ten and repairs it: the window is then 5. */
static void lose_one(struct one_end *e)
{
    for (unsigned i = 0; i < 3; i++)
        ack(e, after(0));
    assert_int_equal(end_info(e).recovery_state, NB_TCP_RECOVERY_RECOVERY);
}

static void test_loss_halves_the_window(void **state)
{
    (void)state;
    struct one_end *e = reno();
    lose_one(e);
    assert_int_equal(end_info(e).ssthresh, 5);
    ack(e, after(12));
    assert_int_equal(end_info(e).cwnd, 5);
    end_forget_sent(e);
    end_free(e);
}

static void test_avoidance_grows_by_one_segment_in_each_window(void **state)
{
    (void)state;
    struct one_end *e = reno();
    lose_one(e);
    ack(e, after(12));
    unsigned acked = 13;
    ack(e, after(acked)); /* leaves recovery */
    uint32_t before = end_info(e).cwnd;
    for (unsigned window = 0; window < 4; window++) {
        for (unsigned i = 0; i < before + window; i++)
            ack(e, after(++acked));
        assert_in_range(end_info(e).cwnd, before + window, before + window + 1);
    }
    assert_in_range(end_info(e).cwnd, before + 3, before + 4);
    end_forget_sent(e);
    end_free(e);
}

static void test_time_out_halves_the_threshold_and_starts_from_one(void **state)
{
    (void)state;
    struct one_end *e = reno();
    end_forget_sent(e);
    for (unsigned i = 0; i < 10000 && end_info(e).recovery_state != NB_TCP_RECOVERY_LOSS; i++)
        wait_us(e, 100);
    assert_int_equal(end_info(e).cwnd, 1);
    assert_int_equal(end_info(e).ssthresh, 5);
    end_forget_sent(e);
    end_free(e);
}

static void test_threshold_is_never_below_two(void **state)
{
    (void)state;
    struct one_end *e = reno();
    for (unsigned i = 0; i < 4; i++) { /* each with a segment acknowledged between */
        end_forget_sent(e);
        wait_us(e, 3000000);
        ack(e, after(i + 1));
    }
    end_forget_sent(e);
    assert_true(end_info(e).ssthresh >= 2);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_start_grows_by_what_was_acknowledged),
        cmocka_unit_test(test_loss_halves_the_window),
        cmocka_unit_test(test_avoidance_grows_by_one_segment_in_each_window),
        cmocka_unit_test(test_time_out_halves_the_threshold_and_starts_from_one),
        cmocka_unit_test(test_threshold_is_never_below_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
