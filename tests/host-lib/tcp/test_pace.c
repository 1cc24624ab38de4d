/* test_pace.c - bursts that leave at a rate: the operator's choice, or the user's bound. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK

#define RTT_US  100000
#define SEGMENT 1000

static const struct end_arrival syn = {.flags = NB_TCP_SYN, .options = NB_SEG_MSS, .mss = SEGMENT};

static struct nb_tcp_options options;

/* Ten segments are under way, as an initial window, and so many are to follow. */
static struct one_end *started(bool pacing, unsigned more)
{
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->pacing = pacing;
    end_established_after(e, &syn, RTT_US);
    end_write_n(e, (10 + more) * SEGMENT);
    for (unsigned i = 0; i < 10; i++)
        end_sent(e);
    end_nothing_sent(e);
    return e;
}

/* When each of n segments leaves, in microseconds from now. */
static void departures(struct one_end *e, uint64_t *at_us, unsigned n, uint64_t limit_us)
{
    uint64_t began = e->now;
    for (unsigned seen = 0; e->now - began < limit_us; wait_us(e, 100)) {
        while (e->n_read < e->n_sent && seen < n) {
            end_sent(e);
            at_us[seen++] = e->now - began;
        }
    }
}

static void test_window_that_opens_is_spread_over_the_round_trip(void **state)
{
    (void)state;
    struct one_end *e = started(true, 20);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1 + 10 * SEGMENT);
    assert_int_equal(end_info(e).cwnd, 20);
    uint64_t at[20] = {0};
    departures(e, at, 20, 60000); /* twice the rate of 20 segments a round trip: one each 2.5 ms */
    assert_true(at[1] == 0 && at[2] > 0);
    for (unsigned i = 4; i < 20; i += 2)
        assert_in_range(at[i] - at[i - 2], 4800, 5300);
    assert_int_equal(end_info(e).unsent_bytes, 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_not_wanted_it_leaves_at_once(void **state)
{
    (void)state;
    struct one_end *e = started(false, 20);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1 + 10 * SEGMENT);
    assert_int_equal(e->n_sent, 20);
    end_forget_sent(e);
    end_free(e);
}

static void test_users_bound_holds_over_flights_that_are_acknowledged_at_once(void **state)
{
    (void)state;
    struct one_end *e = started(false, 0);
    options = (struct nb_tcp_options){.max_pacing_rate = 100000}; /* a hundred segments a second */
    nb_tcb_set_options(e->tcb, &options);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1 + 10 * SEGMENT);
    end_forget_sent(e);
    nb_seq_t acked = 1 + 10 * SEGMENT;
    uint64_t began = e->now;
    for (unsigned sent = 0; sent < 100;) {
        if (end_info(e).unsent_bytes == 0)
            end_write_n(e, 2 * SEGMENT);
        for (; e->n_read < e->n_sent; sent++)
            acked += end_sent(e)->n;
        end_forget_sent(e);
        arrive(e, .flags = ACK, .seq = 1, .ack = acked);
        wait_us(e, 500);
    }
    assert_in_range(e->now - began, 950000, 1050000);
    e->accepts_unread = true;
    end_free(e);
}

/* A worker that looks each 9 ms, and single segments that take 10 ms each: however late each leaves, the rate is kept.
 */
static void test_single_segments_that_leave_late_keep_the_rate(void **state)
{
    (void)state;
    struct one_end *e = started(false, 0);
    options = (struct nb_tcp_options){.max_pacing_rate = SEGMENT * 10000 / 3};
    nb_tcb_set_options(e->tcb, &options);
    nb_seq_t acked = 1 + 10 * SEGMENT;
    uint64_t began = e->now;
    for (unsigned sent = 0; sent < 1100; e->now += 270) {
        nb_tcp_advance(e->tcp, e->now);
        began = sent < 100 ? e->now : began; /* what the first ones earned in waiting is spent by then */
        for (; e->n_read < e->n_sent; sent++)
            acked += end_sent(e)->n;
        end_forget_sent(e);
        arrive(e, .flags = ACK, .seq = 1, .ack = acked);
        if (end_info(e).unsent_bytes == 0)
            end_write_n(e, SEGMENT);
    }
    assert_in_range(e->now - began, 297000, 303000);
    e->accepts_unread = true;
    end_forget_sent(e);
    end_free(e);
}

static void test_what_is_sent_again_is_paced_too(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->pacing = true;
    end_established_after(
        e, &(struct end_arrival){.flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = SEGMENT},
        RTT_US);
    end_write_n(e, 10 * SEGMENT);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .options = NB_SEG_SACK, .n_sack = 1, .sack = {{7001, 10001}});
    unsigned at_once = e->n_sent;
    assert_in_range(at_once, 1, 3);
    wait_us(e, 60000);
    assert_true(e->n_sent > at_once);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_that_opens_is_spread_over_the_round_trip),
        cmocka_unit_test(test_not_wanted_it_leaves_at_once),
        cmocka_unit_test(test_users_bound_holds_over_flights_that_are_acknowledged_at_once),
        cmocka_unit_test(test_single_segments_that_leave_late_keep_the_rate),
        cmocka_unit_test(test_what_is_sent_again_is_paced_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
