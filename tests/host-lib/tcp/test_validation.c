/* test_validation.c - cwnd that the application does not fill (RFC 7661), under NewReno, whose growth is simple.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ACK    NB_TCP_ACK
#define RTT_US 50000

static const struct end_arrival syn = {
    .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE, .mss = END_MSS, .wscale = 7};

static nb_seq_t written;

static struct one_end *established(enum nb_cwnd_validation validation)
{
    struct one_end *e = end_new(&(struct end_options){.send_buffer = 900000});
    strcpy(nb_tcp_settings(e->tcp)->congestion_control, "reno");
    nb_tcp_settings(e->tcp)->cwnd_validation = (uint8_t)validation;
    end_established_after(e, &syn, RTT_US);
    written = 1;
    return e;
}

/* So many segments, acknowledged one by one a round trip later. */
static void round_trip(struct one_end *e, unsigned segs)
{
    nb_seq_t from = written;
    end_write_n(e, (size_t)segs * END_MSS);
    written += segs * END_MSS;
    end_forget_sent(e);
    wait_us(e, RTT_US);
    while (seq_lt(from, written)) {
        from += END_MSS;
        arrive(e, .flags = ACK, .seq = 1, .ack = from);
        end_forget_sent(e);
    }
}

static uint32_t cwnd(const struct one_end *e)
{
    return e->tcb->cwnd;
}

/* A cwnd of 40 to 80, all of it seen to be in use. */
static struct one_end *grown(void)
{
    struct one_end *e = established(NB_VALIDATION_PIPE_ACK);
    while (cwnd(e) < 40)
        round_trip(e, cwnd(e));
    return e;
}

static void use(struct one_end *e, unsigned segs, uint64_t for_us)
{
    for (uint64_t until = e->now + for_us; e->now < until;)
        round_trip(e, segs);
}

/* §4.2: the application fills little more than half: that is use enough. Linux's way would not let it grow. */
static void test_window_grows_only_while_half_of_it_is_in_use(void **state)
{
    (void)state;
    struct one_end *e = grown();
    e->tcb->ssthresh = 20;
    use(e, 6, 3000000);
    uint32_t before = cwnd(e);
    use(e, 6, 3000000);
    assert_int_equal(cwnd(e), before);
    use(e, before * 6 / 10, 2000000);
    assert_true(cwnd(e) > before);
    end_free(e);
}

/* §4.4: not the RTO's but five minutes' silence or little use. */
static void test_window_that_is_not_in_use_is_kept_for_five_minutes_and_then_halved(void **state)
{
    (void)state;
    struct one_end *e = grown();
    use(e, 2, 5000000); /* at first what was seen before still counts */
    uint32_t before = cwnd(e);
    wait_us(e, 200000000);
    round_trip(e, 2);
    assert_int_equal(cwnd(e), before);
    wait_us(e, 100000000);
    round_trip(e, 2);
    assert_int_equal(cwnd(e), before / 2);
    assert_true(e->tcb->ssthresh >= before * 3 / 4);
    round_trip(e, 2);
    assert_int_equal(cwnd(e), before / 2);
    end_free(e);
}

static void test_linuxs_way_forgets_the_window_after_a_pause(void **state)
{
    (void)state;
    struct one_end *e = established(NB_VALIDATION_LINUX);
    while (cwnd(e) < 40)
        round_trip(e, cwnd(e));
    wait_us(e, 10000000);
    round_trip(e, 2);
    assert_int_equal(cwnd(e), 10);
    end_free(e);
}

/* §4.4.1: half of what was in use, not of a window that nobody knows the path would bear. */
static void test_loss_while_little_is_in_use_leaves_half_of_that(void **state)
{
    (void)state;
    struct one_end *e = grown();
    use(e, 12, 4000000);
    assert_true(cwnd(e) >= 40);
    end_write_n(e, 12 * END_MSS);
    end_forget_sent(e);
    wait_us(e, RTT_US);
    for (unsigned i = 2; i <= 5; i++)
        arrive(e, .flags = ACK, .seq = 1, .ack = written, .options = NB_SEG_SACK, .n_sack = 1,
               .sack = {{written + END_MSS, written + i * END_MSS}});
    assert_in_range(e->tcb->ssthresh, 5, 6);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_grows_only_while_half_of_it_is_in_use),
        cmocka_unit_test(test_window_that_is_not_in_use_is_kept_for_five_minutes_and_then_halved),
        cmocka_unit_test(test_linuxs_way_forgets_the_window_after_a_pause),
        cmocka_unit_test(test_loss_while_little_is_in_use_leaves_half_of_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
