/* test_cc_cubic.c - CUBIC's window over time against the formulas of RFC 9438, on an ideal path: every segment is
 * acknowledged one round trip after it was sent.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tcb_check.h"

#define ACK  NB_TCP_ACK
#define C    0.4
#define BETA 0.7

static const struct end_arrival cubic_syn = {
    .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE, .mss = END_MSS, .wscale = 7};

struct path {
    struct one_end *e;
    uint64_t rtt_us;
    nb_seq_t acked; /* all below */
};

static struct path path_of(uint64_t rtt_us)
{
    struct path p = {.e = end_new(&(struct end_options){.send_buffer = 900000}), .rtt_us = rtt_us, .acked = 1};
    end_established_after(p.e, &cubic_syn, rtt_us);
    end_write_n(p.e, 900000);
    return p;
}

static uint32_t cwnd(const struct path *p)
{
    return end_info(p->e).cwnd;
}

/* What was sent is acknowledged segment by segment, a round trip later. With `losing` the first one was lost. */
static void round_trip(struct path *p, bool losing)
{
    struct one_end *e = p->e;
    nb_seq_t end[END_SENT_MAX], hole = p->acked;
    unsigned n = 0;
    while (e->n_read < e->n_sent) {
        const struct end_packet *sent = end_sent(e);
        end[n++] = sent->seq + sent->n;
    }
    end_forget_sent(e);
    wait_us(e, p->rtt_us);
    for (unsigned i = losing; i < n; i++) {
        if (losing) {
            arrive(e, .flags = ACK, .seq = 1, .ack = hole, .options = NB_SEG_SACK, .n_sack = 1,
                   .sack = {{hole + 1000, end[i]}});
        } else {
            p->acked = seq_max(p->acked, end[i]);
            arrive(e, .flags = ACK, .seq = 1, .ack = p->acked);
        }
    }
    assert_null(support_tcp_check(e->tcp));
    end_write_n(e, 900000);
}

/* The hole is filled: everything that was sent before it and SACKed is acknowledged with it. */
static void repair(struct path *p, nb_seq_t everything)
{
    end_forget_sent(p->e);
    wait_us(p->e, p->rtt_us);
    p->acked = everything;
    arrive(p->e, .flags = ACK, .seq = 1, .ack = everything);
    end_write_n(p->e, 900000);
}

/* One loss, and its repair. Returns cwnd before it. */
static uint32_t lose_one(struct path *p)
{
    uint32_t before = cwnd(p);
    round_trip(p, true);
    nb_seq_t everything = p->acked;
    for (unsigned i = 0; i < p->e->n_sent; i++)
        everything = seq_max(everything, p->e->sent[i].seq + p->e->sent[i].n);
    repair(p, everything);
    return before;
}

static struct path grown_to(uint64_t rtt_us, uint32_t segs)
{
    struct path p = path_of(rtt_us);
    while (cwnd(&p) < segs)
        round_trip(&p, false);
    return p;
}

static double cube_root(double v)
{
    double low = 0, high = v + 1;
    for (unsigned i = 0; i < 100; i++) {
        double mid = (low + high) / 2;
        *(mid * mid * mid > v ? &high : &low) = mid;
    }
    return low;
}

static double curve(double w_max, double t)
{
    double k = cube_root(w_max * (1 - BETA) / C);
    return C * (t - k) * (t - k) * (t - k) + w_max;
}

static double reno_friendly(double w_max, double t, double rtt)
{
    return BETA * w_max + 3 * (1 - BETA) / (1 + BETA) * t / rtt;
}

static void expect_about(double is, double wanted, double t)
{
    double off = is > wanted ? is - wanted : wanted - is;
    if (off > 2 + wanted * 0.03)
        fail_msg("at %d ms cwnd is %d, wanted is %d", (int)(t * 1000), (int)is, (int)wanted);
}

static void test_loss_multiplies_the_window_by_seven_tenths(void **state)
{
    (void)state;
    struct path p = grown_to(100000, 100);
    uint32_t before = lose_one(&p);
    expect_about(end_info(p.e).ssthresh, before * BETA, 0);
    end_forget_sent(p.e);
    end_free(p.e);
}

/* §4.2: concave up to the old window, reached after K, and convex beyond. */
static void test_window_follows_the_cubic_curve_on_a_long_path(void **state)
{
    (void)state;
    struct path p = grown_to(100000, 100);
    uint32_t w_max = lose_one(&p);
    uint64_t began = p.e->now;
    for (unsigned i = 0; i < 65; i++) {
        round_trip(&p, false);
        double t = (double)(p.e->now - began) / 1e6, reno = reno_friendly(w_max, t, 0.1);
        double wanted = curve(w_max, t);
        expect_about(cwnd(&p), wanted > reno ? wanted : reno, t);
    }
    assert_true(cwnd(&p) > w_max);
    end_forget_sent(p.e);
    end_free(p.e);
}

/* §4.3: on a short path the curve would be too slow; Reno's pace, with CUBIC's factor, is the least. */
static void test_window_grows_at_renos_pace_on_a_short_path(void **state)
{
    (void)state;
    struct path p = grown_to(10000, 40);
    uint32_t w_max = lose_one(&p);
    uint64_t began = p.e->now;
    for (unsigned i = 0; i < 40; i++) {
        round_trip(&p, false);
        double t = (double)(p.e->now - began) / 1e6;
        expect_about(cwnd(&p), reno_friendly(w_max, t, 0.01), t);
    }
    end_forget_sent(p.e);
    end_free(p.e);
}

/* §4.7: a second loss below the old plateau leaves room for others: the new plateau is lower than the window was. */
static void test_second_loss_below_the_plateau_lowers_it(void **state)
{
    (void)state;
    struct path p = grown_to(100000, 100);
    lose_one(&p);
    for (unsigned i = 0; i < 5; i++)
        round_trip(&p, false);
    uint32_t before = lose_one(&p);
    uint64_t began = p.e->now;
    double w_max = before * (1 + BETA) / 2;
    double k = cube_root((w_max - before * BETA) / C);
    while ((double)(p.e->now - began) / 1e6 < k)
        round_trip(&p, false);
    double t = (double)(p.e->now - began) / 1e6, reno = reno_friendly(before, t, 0.1);
    expect_about(cwnd(&p), w_max > reno ? w_max : reno, t);
    end_forget_sent(p.e);
    end_free(p.e);
}

/* RFC 5681 §3.1: as much as is acknowledged. */
static void test_slow_start_doubles_each_round_trip(void **state)
{
    (void)state;
    struct path p = path_of(50000);
    for (uint32_t wanted = 20; wanted <= 160; wanted *= 2) {
        round_trip(&p, false);
        assert_int_equal(cwnd(&p), wanted);
    }
    end_forget_sent(p.e);
    end_free(p.e);
}

/* HyStart: a round trip that has clearly become longer means a queue, before anything is lost. */
static void test_growing_round_trip_ends_slow_start(void **state)
{
    (void)state;
    struct path p = path_of(50000);
    round_trip(&p, false);
    round_trip(&p, false);
    p.rtt_us = 70000;
    round_trip(&p, false);
    round_trip(&p, false);
    assert_true(end_info(p.e).ssthresh < 1000);
    assert_true(cwnd(&p) < 160);
    assert_int_equal(end_counter(p.e, NB_COUNTER_RETRANSMITTED), 0);
    end_forget_sent(p.e);
    end_free(p.e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_multiplies_the_window_by_seven_tenths),
        cmocka_unit_test(test_window_follows_the_cubic_curve_on_a_long_path),
        cmocka_unit_test(test_window_grows_at_renos_pace_on_a_short_path),
        cmocka_unit_test(test_second_loss_below_the_plateau_lowers_it),
        cmocka_unit_test(test_slow_start_doubles_each_round_trip),
        cmocka_unit_test(test_growing_round_trip_ends_slow_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
