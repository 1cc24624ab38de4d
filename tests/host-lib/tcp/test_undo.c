/* test_undo.c - reductions that were not deserved are taken back: by timestamps (Eifel, RFC 3522), by D-SACK (RFC
 * 3708), and after a time-out by F-RTO (RFC 5682).
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tcb_check.h"

#define ACK    NB_TCP_ACK
#define RTT_US 20000

#define SYN_WITH(more)                                                                                                 \
    &(struct end_arrival)                                                                                              \
    {                                                                                                                  \
        .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | (more),                                   \
        .mss = END_MSS + ((more) ? 12 : 0), /* the timestamp takes that much of each */                                \
            .ts_value = (more) ? 100 : 0                                                                               \
    }

struct story {
    struct one_end *e;
    uint32_t original_ts, retransmission_ts;
};

static void sack(struct one_end *e, nb_seq_t n, nb_seq_t left, nb_seq_t right, uint32_t echo)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n, .options = NB_SEG_SACK, .n_sack = 1, .sack = {{left, right}},
           .ts_value = e->timestamps ? 100 : 0, .ts_echo = echo);
    assert_null(support_tcp_check(e->tcp));
}

static void ack(struct one_end *e, nb_seq_t n, uint32_t echo)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = n, .ts_value = e->timestamps ? 100 : 0, .ts_echo = echo);
    assert_null(support_tcp_check(e->tcp));
}

static struct story ten_in_flight(const struct end_arrival *syn)
{
    struct story s = {.e = end_new(NULL)};
    end_established_after(s.e, syn, RTT_US);
    end_write_n(s.e, 20000);
    s.original_ts = end_sent(s.e)->seg.ts_value;
    end_forget_sent(s.e);
    wait_us(s.e, RTT_US);
    return s;
}

/* Three segments overtook the first; it is sent again and the window reduced. */
static struct story overtaken(uint8_t more)
{
    struct story s = ten_in_flight(SYN_WITH(more));
    sack(s.e, 1, 1001, 4001, s.original_ts);
    const struct end_packet *p = end_sent(s.e);
    assert_int_equal(p->seq, 1);
    s.retransmission_ts = p->seg.ts_value;
    end_forget_sent(s.e);
    assert_int_equal(end_info(s.e).ssthresh, 7);
    wait_us(s.e, 5000);
    return s;
}

static void test_echo_of_the_first_transmission_takes_the_reduction_back(void **state)
{
    (void)state;
    struct story s = overtaken(NB_SEG_TIMESTAMP);
    ack(s.e, 10001, s.original_ts);
    assert_true(end_info(s.e).cwnd >= 10);
    assert_true(end_info(s.e).ssthresh > 1000);
    assert_int_equal(end_info(s.e).recovery_state, NB_TCP_RECOVERY_OPEN);
    end_forget_sent(s.e);
    end_free(s.e);
}

static void test_echo_of_the_retransmission_leaves_it(void **state)
{
    (void)state;
    struct story s = overtaken(NB_SEG_TIMESTAMP);
    wait_us(s.e, RTT_US);
    end_forget_sent(s.e);
    ack(s.e, 10001, s.retransmission_ts);
    assert_int_equal(end_info(s.e).ssthresh, 7);
    end_forget_sent(s.e);
    end_free(s.e);
}

static void test_partial_ack_of_the_first_transmission_ends_the_recovery(void **state)
{
    (void)state;
    struct story s = overtaken(NB_SEG_TIMESTAMP);
    ack(s.e, 4001, s.original_ts);
    assert_true(end_info(s.e).cwnd >= 10);
    assert_int_equal(end_info(s.e).recovery_state, NB_TCP_RECOVERY_OPEN);
    end_forget_sent(s.e);
    end_free(s.e);
}

static void test_duplicate_of_every_retransmission_takes_the_reduction_back(void **state)
{
    (void)state;
    struct story s = overtaken(0);
    ack(s.e, 10001, 0);
    assert_int_equal(end_info(s.e).ssthresh, 7);
    end_forget_sent(s.e);
    sack(s.e, 10001, 1, 1001, 0);
    assert_true(end_info(s.e).cwnd >= 10);
    assert_true(end_info(s.e).ssthresh > 1000);
    end_forget_sent(s.e);
    end_free(s.e);
}

static void test_more_duplicates_than_retransmissions_leave_it(void **state)
{
    (void)state;
    struct story s = overtaken(0);
    ack(s.e, 10001, 0);
    end_forget_sent(s.e);
    sack(s.e, 10001, 1, 9001, 0);
    assert_int_equal(end_info(s.e).ssthresh, 7);
    end_forget_sent(s.e);
    end_free(s.e);
}

/* --- F-RTO ------------------------------------------------------------------------------------ */

static struct story timed_out(uint8_t frto)
{
    struct story s = {.e = end_new(NULL)};
    nb_tcp_settings(s.e->tcp)->frto = frto;
    end_established_after(s.e, SYN_WITH(0), RTT_US);
    end_write_n(s.e, 20000);
    for (unsigned i = 0; i < 10000 && end_info(s.e).recovery_state != NB_TCP_RECOVERY_LOSS; i++)
        wait_us(s.e, 100);
    assert_int_equal(end_info(s.e).cwnd, 1);
    end_forget_sent(s.e);
    return s;
}

/* RFC 5682 §3.1: what was never sent again is SACKed, so it had been under way all the time. */
static void test_sack_of_what_was_sent_once_takes_the_time_out_back(void **state)
{
    (void)state;
    struct story s = timed_out(2);
    sack(s.e, 1, 1001, 2001, 0);
    assert_int_equal(end_info(s.e).recovery_state == NB_TCP_RECOVERY_LOSS, false);
    assert_true(end_info(s.e).cwnd >= 10);
    end_forget_sent(s.e);
    end_free(s.e);
}

static void test_ack_beyond_the_retransmission_takes_the_time_out_back(void **state)
{
    (void)state;
    struct story s = timed_out(2);
    ack(s.e, 3001, 0);
    assert_true(end_info(s.e).cwnd >= 10);
    assert_true(end_info(s.e).ssthresh > 1000);
    assert_int_equal(end_counter(s.e, NB_COUNTER_RETRANSMITTED), 1);
    end_forget_sent(s.e);
    end_free(s.e);
}

static void test_with_frto_off_the_time_out_stands(void **state)
{
    (void)state;
    struct story s = timed_out(0);
    sack(s.e, 1, 1001, 2001, 0);
    assert_int_equal(end_info(s.e).recovery_state, NB_TCP_RECOVERY_LOSS);
    assert_int_equal(end_info(s.e).ssthresh, 7);
    end_forget_sent(s.e);
    end_free(s.e);
}

static void test_echo_of_the_first_transmission_takes_a_time_out_back(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->frto = 0;
    end_established_after(e, SYN_WITH(NB_SEG_TIMESTAMP), RTT_US);
    end_write_n(e, 4000);
    uint32_t original = end_sent(e)->seg.ts_value;
    for (unsigned i = 0; i < 10000 && end_info(e).recovery_state != NB_TCP_RECOVERY_LOSS; i++)
        wait_us(e, 100);
    end_forget_sent(e);
    ack(e, 1001, original);
    assert_true(end_info(e).cwnd >= 10);
    assert_true(end_info(e).ssthresh > 1000);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_of_the_first_transmission_takes_the_reduction_back),
        cmocka_unit_test(test_echo_of_the_retransmission_leaves_it),
        cmocka_unit_test(test_partial_ack_of_the_first_transmission_ends_the_recovery),
        cmocka_unit_test(test_duplicate_of_every_retransmission_takes_the_reduction_back),
        cmocka_unit_test(test_more_duplicates_than_retransmissions_leave_it),
        cmocka_unit_test(test_sack_of_what_was_sent_once_takes_the_time_out_back),
        cmocka_unit_test(test_ack_beyond_the_retransmission_takes_the_time_out_back),
        cmocka_unit_test(test_with_frto_off_the_time_out_stands),
        cmocka_unit_test(test_echo_of_the_first_transmission_takes_a_time_out_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
