/* test_hystart_plus.c - HyStart++ (RFC 9406) on an ideal path whose round trip the test chooses, under both algorithms.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/hystart_plus.h"
#include "tcb_check.h"

#define ACK NB_TCP_ACK

static const struct end_arrival syn = {
    .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE, .mss = END_MSS, .wscale = 7};

struct path {
    struct one_end *e;
    uint64_t rtt_us;
    nb_seq_t acked; /* all below */
};

static struct path path_of(const char *congestion, uint64_t rtt_us)
{
    struct path p = {.e = end_new(&(struct end_options){.send_buffer = 900000}), .rtt_us = rtt_us, .acked = 1};
    nb_tcp_settings(p.e->tcp)->hystart = NB_HYSTART_PLUS;
    strcpy(nb_tcp_settings(p.e->tcp)->congestion_control, congestion);
    end_established_after(p.e, &syn, rtt_us);
    end_write_n(p.e, 900000);
    return p;
}

static uint32_t cwnd(const struct path *p)
{
    return end_info(p->e).cwnd;
}

/* What was sent is acknowledged segment by segment, a round trip later; the window's growth by it. */
static uint32_t round_trip(struct path *p)
{
    struct one_end *e = p->e;
    nb_seq_t end[END_SENT_MAX];
    uint32_t before = cwnd(p);
    unsigned n = 0;
    while (e->n_read < e->n_sent) {
        const struct end_packet *sent = end_sent(e);
        end[n++] = sent->seq + sent->n;
    }
    end_forget_sent(e);
    wait_us(e, p->rtt_us);
    for (unsigned i = 0; i < n; i++) {
        p->acked = seq_max(p->acked, end[i]);
        arrive(e, .flags = ACK, .seq = 1, .ack = p->acked);
    }
    assert_null(support_tcp_check(e->tcp));
    end_write_n(e, 900000);
    return cwnd(p) - before;
}

static void finish(struct path *p)
{
    end_forget_sent(p->e);
    end_free(p->e);
}

static const char *const algorithms[] = {"cubic", "reno"};

static void test_steady_round_trip_doubles_the_window(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct path p = path_of(algorithms[i], 50000);
        assert_int_equal(round_trip(&p), 10);
        assert_int_equal(round_trip(&p), 20);
        assert_int_equal(round_trip(&p), 40);
        finish(&p);
    }
}

static void test_risen_round_trip_slows_growth_to_a_quarter_and_after_five_rounds_ends_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct path p = path_of(algorithms[i], 50000);
        round_trip(&p);
        p.rtt_us = 60000; /* by more than an eighth */
        uint32_t before = cwnd(&p), grown = round_trip(&p);
        assert_true(grown < before * 2 / 3); /* the eighth sample shows it */
        before = cwnd(&p);
        assert_in_range(round_trip(&p), before / 4 - 1, before / 4 + 1);
        assert_true(end_info(p.e).ssthresh > 1000);
        for (unsigned round = 0; round < 5; round++)
            round_trip(&p);
        assert_true(end_info(p.e).ssthresh <= cwnd(&p));
        assert_int_equal(end_counter(p.e, NB_COUNTER_RETRANSMITTED), 0);
        finish(&p);
    }
}

static void test_rise_that_was_jitter_lets_slow_start_go_on(void **state)
{
    (void)state;
    struct path p = path_of("cubic", 50000);
    round_trip(&p);
    p.rtt_us = 60000;
    round_trip(&p);
    p.rtt_us = 50000;
    round_trip(&p);
    uint32_t before = cwnd(&p);
    assert_true(round_trip(&p) > before * 2 / 3);
    finish(&p);
}

static void test_rise_below_an_eighth_is_none(void **state)
{
    (void)state;
    struct path p = path_of("cubic", 50000);
    round_trip(&p);
    p.rtt_us = 55000;
    assert_int_equal(round_trip(&p), 20);
    finish(&p);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady_round_trip_doubles_the_window),
        cmocka_unit_test(test_risen_round_trip_slows_growth_to_a_quarter_and_after_five_rounds_ends_it),
        cmocka_unit_test(test_rise_that_was_jitter_lets_slow_start_go_on),
        cmocka_unit_test(test_rise_below_an_eighth_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
