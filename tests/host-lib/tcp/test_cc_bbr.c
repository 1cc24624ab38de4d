/* test_cc_bbr.c - BBR (draft-ietf-ccwg-bbr-06) over an ideal path in virtual time: a bottleneck of a known rate with a
 * queue, acknowledging each segment as it comes through; and loss where the test wants it.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/flight.h"
#include "tcb_check.h"

#define ACK         NB_TCP_ACK
#define RTT_US      40000
#define PER_SEG_US  500 /* the bottleneck: 2 million bytes a second */
#define RATE        (END_MSS * 1000000ull / PER_SEG_US)
#define BDP         (RTT_US / PER_SEG_US)
#define WAY_MAX     8192
#define WRITE_BYTES 100000

static const struct end_arrival syn = {
    .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE, .mss = END_MSS, .wscale = 7};

struct path {
    struct one_end *e;
    uint32_t per_seg_us, queue_segs;
    unsigned lose_every;     /* n-th segment; 0: none */
    unsigned lose_now;       /* so many of the next segments */
    bool application_pauses; /* nothing new is written */

    struct way {
        nb_seq_t seq, end;
        uint64_t at;
    } way[WAY_MAX]; /* a ring: to be delivered in this order */
    unsigned head, tail, passed, lost;
    uint64_t free_at;          /* the bottleneck */
    bool arrived[WAY_MAX * 4]; /* by number of segment, modulo */
    nb_seq_t acked;
    nb_seq_t high; /* the highest that arrived */
};

static struct nb_bbr *model(const struct path *p)
{
    return p->e->tcb->history->bbr;
}

static struct path path_of(const char *congestion)
{
    struct path p = {.e = end_new(&(struct end_options){.send_buffer = 900000}),
                     .per_seg_us = PER_SEG_US,
                     .queue_segs = 4 * BDP,
                     .acked = 1,
                     .high = 1};
    strcpy(nb_tcp_settings(p.e->tcp)->congestion_control, congestion);
    end_established_after(p.e, &syn, RTT_US);
    return p;
}

static bool *place_of(struct path *p, nb_seq_t seq)
{
    return &p->arrived[(seq - 1) / END_MSS % (WAY_MAX * 4)];
}

/* What left goes into the queue, or is lost. */
static void carry(struct path *p)
{
    struct one_end *e = p->e;
    while (e->n_read < e->n_sent) {
        const struct end_packet *sent = end_sent(e);
        uint64_t free_at = p->free_at > e->now ? p->free_at : e->now;
        bool full = (free_at - e->now) / p->per_seg_us >= p->queue_segs;
        bool lost = full || p->lose_now || (p->lose_every && ++p->passed % p->lose_every == 0);
        p->lose_now -= p->lose_now > 0;
        if (!sent->n)
            continue;
        p->lost += lost;
        if (lost)
            continue;
        p->free_at = free_at + p->per_seg_us;
        p->way[p->tail++ % WAY_MAX] = (struct way){sent->seq, sent->seq + sent->n, p->free_at + RTT_US - p->per_seg_us};
    }
    end_forget_sent(e);
}

/* The receiver has this segment: an ACK, with a SACK block for the run it belongs to if there is a gap before it. */
static void acknowledge(struct path *p, const struct way *w)
{
    nb_seq_t left = w->seq, right = w->end;
    *place_of(p, w->seq) = true;
    p->high = seq_max(p->high, w->end);
    while (seq_lt(p->acked, p->high) && *place_of(p, p->acked)) {
        *place_of(p, p->acked) = false;
        p->acked += END_MSS;
    }
    if (seq_leq(w->end, p->acked)) {
        arrive(p->e, .flags = ACK, .seq = 1, .ack = p->acked);
        return;
    }
    while (seq_gt(left, p->acked) && *place_of(p, left - END_MSS))
        left -= END_MSS;
    while (seq_lt(right, p->high) && *place_of(p, right))
        right += END_MSS;
    arrive(p->e, .flags = ACK, .seq = 1, .ack = p->acked, .options = NB_SEG_SACK, .n_sack = 1, .sack = {{left, right}});
}

static void run(struct path *p, uint64_t us)
{
    struct one_end *e = p->e;
    uint64_t until = e->now + us;
    while (e->now < until) {
        uint64_t next = e->now + PER_SEG_US / 5;
        if (!p->application_pauses && nb_tcp_writable(e->tcp, e->tcb) > 2 * WRITE_BYTES)
            end_write_n(e, WRITE_BYTES);
        carry(p);
        if (p->head != p->tail && p->way[p->head % WAY_MAX].at > next)
            next = p->way[p->head % WAY_MAX].at < e->now + 1000 ? p->way[p->head % WAY_MAX].at : e->now + 1000;
        wait_us(e, next - e->now);
        carry(p);
        while (p->head != p->tail && p->way[p->head % WAY_MAX].at <= e->now) {
            acknowledge(p, &p->way[p->head++ % WAY_MAX]);
            carry(p);
        }
    }
}

static void run_until(struct path *p, enum nb_bbr_state state)
{
    for (unsigned i = 0; i < 400000 && (!p->e->tcb->history || !model(p) || model(p)->state != state); i++)
        run(p, 500);
    assert_int_equal(model(p)->state, state);
}

/* The same for what a state too short to be seen leaves behind. */
#define run_until_true(p, condition)                                                                                   \
    do {                                                                                                               \
        for (unsigned i_ = 0; i_ < 400000 && !(condition); i_++)                                                       \
            run(p, 500);                                                                                               \
        assert_true(condition);                                                                                        \
    } while (0)

static void end(struct path *p)
{
    carry(p);
    assert_null(support_tcp_check(p->e->tcp));
    end_free(p->e);
}

static void expect_within(uint64_t is, uint64_t wanted, unsigned percent)
{
    assert_in_range(is, wanted * (100 - percent) / 100, wanted * (100 + percent) / 100);
}

/* --- Startup and Drain ------------------------------------------------------------------------ */

/* §5.3.1.2: three rounds without growth, and the rate is known; §5.3.2: then the queue goes. */
static void test_startup_finds_the_rate_and_drain_empties_the_queue(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    uint64_t began = p.e->now;
    run_until(&p, NB_BBR_DRAIN);
    assert_true(p.e->now - began < 20 * RTT_US);
    expect_within(nb__bbr_max_bw(model(&p)), RATE, 5);
    assert_true(nb__in_flight(p.e->tcb) > BDP * 3 / 2);
    expect_within(end_info(p.e).pacing_rate, RATE / 2, 5);
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    assert_true(nb__in_flight(p.e->tcb) <= BDP + 2);
    assert_int_equal(end_counter(p.e, NB_COUNTER_RETRANSMITTED), 0);
    end(&p);
}

/* §5.3.1.3: a queue that overflows ends it sooner, and bounds what is in flight. */
static void test_losses_of_a_full_queue_end_startup_and_bound_the_volume(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    p.queue_segs = BDP / 4;
    run_until(&p, NB_BBR_DRAIN);
    assert_true(model(&p)->inflight_longterm != NB_BBR_INFINITE_SEGS);
    assert_int_equal(model(&p)->undo_state, NB_BBR_STARTUP);
    assert_false(model(&p)->full_bw_now); /* it was not the plateau */
    end(&p);
}

/* The loss that a round begins with lies before it, as a segment and as a range: five more are too many of fifty, but no
 * six ranges, and of ninety they are not too many. */
static void test_loss_that_a_round_begins_with_is_not_of_that_round(void **state)
{
    (void)state;
    static const uint32_t in_flight[] = {30, 60};
    for (unsigned n = 0; n < 2; n++) {
        struct path p = path_of("bbr");
        run_until_true(&p, nb__in_flight(p.e->tcb) >= in_flight[n]);
        for (unsigned i = 0; i < 6; i++) {
            p.lose_now = 1;
            run(&p, RTT_US / 8);
        }
        run_until_true(&p, model(&p)->lost_ranges == 5);
        run_until_true(&p, model(&p)->lost_ranges == 0);
        assert_int_equal(model(&p)->state, NB_BBR_STARTUP);
        end(&p);
    }
}

/* Rates of an application with little to say are no plateau. */
static void test_startup_goes_on_while_the_application_is_what_limits(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    p.application_pauses = true;
    for (unsigned i = 0; i < 20; i++) {
        end_write_n(p.e, 12000);
        run(&p, 3 * RTT_US);
    }
    assert_int_equal(model(&p)->state, NB_BBR_STARTUP);
    end(&p);
}

/* --- ProbeBW ---------------------------------------------------------------------------------- */

static void test_cycle_is_down_cruise_refill_up_at_its_gains(void **state)
{
    (void)state;
    static const struct {
        enum nb_bbr_state state;
        unsigned gain;
    } cycle[] = {{NB_BBR_PROBE_BW_DOWN, 90},
                 {NB_BBR_PROBE_BW_CRUISE, 100},
                 {NB_BBR_PROBE_BW_REFILL, 100},
                 {NB_BBR_PROBE_BW_UP, 125}};
    struct path p = path_of("bbr");
    for (unsigned i = 0; i < 8; i++) {
        run_until(&p, cycle[i % 4].state);
        expect_within(end_info(p.e).pacing_rate, RATE * cycle[i % 4].gain * 99 / 10000, 4);
    }
    end(&p);
}

/* A probe finds that the path has become twice as fast. */
static void test_probes_find_more_bandwidth(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    p.per_seg_us /= 2;
    run(&p, 12000000);
    expect_within(nb__bbr_max_bw(model(&p)), 2 * RATE, 6);
    end(&p);
}

/* Two cycles later a rate that the path no longer has is forgotten. */
static void test_bandwidth_of_two_cycles_ago_is_forgotten(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    p.per_seg_us *= 2;
    run(&p, 15000000);
    expect_within(nb__bbr_max_bw(model(&p)), RATE / 2, 6);
    end(&p);
}

/* §5.5.10.2: more than 2 % of a probe are lost: that volume is the long-term bound, and the probe ends. */
static void test_probe_that_loses_much_bounds_the_volume_and_ends(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_UP);
    assert_int_equal(model(&p)->inflight_longterm, NB_BBR_INFINITE_SEGS);
    run(&p, RTT_US);
    p.lose_now = 16;
    run_until(&p, NB_BBR_PROBE_BW_DOWN);
    assert_true(model(&p)->prev_probe_too_high);
    assert_in_range(model(&p)->inflight_longterm, BDP * 7 / 10, BDP * 3 / 2);
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    assert_true(end_info(p.e).cwnd <= model(&p)->inflight_longterm * 85 / 100 + 1);
    end(&p);
}

/* The probe after that one only goes as far as the bound, and when that is well the next follows at once. */
static void test_next_probe_is_cautious_and_then_raises_the_bound(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_UP);
    run(&p, RTT_US);
    p.lose_now = 16;
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    uint32_t bound = model(&p)->inflight_longterm;
    run_until_true(&p, model(&p)->prev_probe_precautionary);
    assert_int_equal(model(&p)->inflight_longterm, bound);
    assert_int_equal(model(&p)->state, NB_BBR_PROBE_BW_DOWN);
    run_until(&p, NB_BBR_PROBE_BW_REFILL);
    run_until(&p, NB_BBR_PROBE_BW_UP);
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    assert_true(model(&p)->inflight_longterm > bound);
    end(&p);
}

/* --- losses between probes -------------------------------------------------------------------- */

/* §5.5.10.3: a round that loses much lowers rate and volume, to no less than what arrives; the next probe forgets. */
static void test_losses_between_probes_lower_the_rate_until_the_next(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    p.lose_now = BDP / 4;
    run(&p, 3 * RTT_US);
    assert_int_equal(model(&p)->state, NB_BBR_PROBE_BW_CRUISE);
    assert_in_range(model(&p)->bw_shortterm, RATE * 69 / 100, RATE * 99 / 100);
    assert_true(model(&p)->inflight_shortterm < 2 * BDP);
    assert_int_equal(model(&p)->bw, model(&p)->bw_shortterm);
    run_until(&p, NB_BBR_PROBE_BW_REFILL);
    assert_true(model(&p)->bw_shortterm == NB_BBR_INFINITE_RATE);
    end(&p);
}

/* A few losses in each round are the path's own. */
static void test_one_percent_of_loss_costs_little(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    p.lose_every = 100;
    run(&p, 10000000);
    uint64_t before = p.acked;
    run(&p, 20000000);
    assert_in_range((nb_seq_t)(p.acked - before), RATE * 20 * 90 / 100 * 99 / 100, RATE * 20);
    assert_int_equal(end_info(p.e).rtos, 0);
    end(&p);
}

/* §5.6.4.4: after loss recovery cwnd is what it was. */
static void test_cwnd_is_restored_after_loss_recovery(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    run(&p, 5 * RTT_US);
    uint32_t before = end_info(p.e).cwnd;
    p.lose_now = 1;
    run(&p, 6 * RTT_US);
    assert_int_equal(end_counter(p.e, NB_COUNTER_RETRANSMITTED), 1);
    assert_int_equal(p.e->tcb->recovery, NB_TCP_RECOVERY_OPEN);
    assert_true(end_info(p.e).cwnd >= before);
    end(&p);
}

static void test_time_out_leaves_one_segment_and_is_recovered_from(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    p.lose_now = 100000;
    run(&p, 500000);
    assert_int_equal(end_info(p.e).rtos, 1);
    assert_true(end_info(p.e).cwnd <= 2);
    p.lose_now = 0;
    run(&p, 3000000);
    assert_int_equal(p.e->tcb->recovery, NB_TCP_RECOVERY_OPEN);
    expect_within(nb__bbr_max_bw(model(&p)), RATE, 6);
    end(&p);
}

/* --- the round trip --------------------------------------------------------------------------- */

/* §5.3.4: five seconds without a low round trip; then half a BDP for 200 ms and a round. */
static void test_probe_rtt_comes_every_five_seconds_and_lowers_the_volume(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    uint64_t seen[3], low;
    for (unsigned i = 0; i < 3; i++) {
        run_until(&p, NB_BBR_PROBE_RTT);
        seen[i] = p.e->now;
        run(&p, 2 * RTT_US);
        low = p.e->now;
        assert_int_equal(model(&p)->state, NB_BBR_PROBE_RTT);
        assert_true(nb__in_flight(p.e->tcb) <= BDP / 2 + 2);
        run_until(&p, NB_BBR_PROBE_BW_CRUISE);
        assert_in_range(p.e->now - low, 100000, 300000);
        assert_true(end_info(p.e).cwnd > BDP);
    }
    assert_in_range(seen[2] - seen[1], 5000000, 6500000);
    expect_within(model(&p)->min_rtt_us, RTT_US, 3);
    end(&p);
}

/* §5.4: who pauses has drained the queue; the rate is as it was. */
static void test_pause_of_the_application_needs_no_probe_rtt_and_keeps_the_rate(void **state)
{
    (void)state;
    struct path p = path_of("bbr");
    run_until(&p, NB_BBR_PROBE_BW_CRUISE);
    p.application_pauses = true;
    run(&p, 8000000);
    assert_int_equal(nb__packets_out(p.e->tcb), 0);
    uint32_t cwnd = end_info(p.e).cwnd;
    p.application_pauses = false;
    run(&p, 2 * RTT_US);
    assert_true(nb__bbr_is_probe_bw(model(&p)));
    assert_true(end_info(p.e).cwnd >= cwnd); /* no slow start after idling */
    expect_within(end_info(p.e).pacing_rate, RATE, 30);
    end(&p);
}

/* --- choice ----------------------------------------------------------------------------------- */

static void test_connection_without_bbr_has_no_block_and_one_with_it_gives_it_back(void **state)
{
    (void)state;
    struct path p = path_of("cubic");
    run(&p, 1000000);
    assert_null(p.e->tcb->history->bbr);
    static struct nb_tcp_options options;
    options = nb_tcp_options_default;
    options.congestion = NB_CC_BBR + 1;
    nb_tcb_set_options(p.e->tcb, &options);
    nb_tcp_options_changed(p.e->tcp, p.e->tcb, NB_TCP_CHANGED_CONGESTION);
    run(&p, 3000000);
    assert_string_equal(end_info(p.e).congestion, "bbr");
    expect_within(nb__bbr_max_bw(model(&p)), RATE, 6);
    carry(&p);
    assert_int_equal(nb_block_pool_used(&p.e->tcp->bbrs), 1);
    nb_tcp_abort(p.e->tcp, p.e->tcb);
    assert_int_equal(nb_block_pool_used(&p.e->tcp->bbrs), 0);
    end(&p);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_startup_finds_the_rate_and_drain_empties_the_queue),
        cmocka_unit_test(test_losses_of_a_full_queue_end_startup_and_bound_the_volume),
        cmocka_unit_test(test_loss_that_a_round_begins_with_is_not_of_that_round),
        cmocka_unit_test(test_startup_goes_on_while_the_application_is_what_limits),
        cmocka_unit_test(test_cycle_is_down_cruise_refill_up_at_its_gains),
        cmocka_unit_test(test_probes_find_more_bandwidth),
        cmocka_unit_test(test_bandwidth_of_two_cycles_ago_is_forgotten),
        cmocka_unit_test(test_probe_that_loses_much_bounds_the_volume_and_ends),
        cmocka_unit_test(test_next_probe_is_cautious_and_then_raises_the_bound),
        cmocka_unit_test(test_losses_between_probes_lower_the_rate_until_the_next),
        cmocka_unit_test(test_one_percent_of_loss_costs_little),
        cmocka_unit_test(test_cwnd_is_restored_after_loss_recovery),
        cmocka_unit_test(test_time_out_leaves_one_segment_and_is_recovered_from),
        cmocka_unit_test(test_probe_rtt_comes_every_five_seconds_and_lowers_the_volume),
        cmocka_unit_test(test_pause_of_the_application_needs_no_probe_rtt_and_keeps_the_rate),
        cmocka_unit_test(test_connection_without_bbr_has_no_block_and_one_with_it_gives_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
