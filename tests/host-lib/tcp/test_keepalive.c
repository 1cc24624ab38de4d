/* test_keepalive.c - keepalive (RFC 9293 §3.8.4) and the user timeout (RFC 5482): how long silence is borne.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK
#define RST NB_TCP_RST
#define SYN NB_TCP_SYN
#define SEC 1000000ull

static struct one_end *with(const struct nb_tcp_options *options)
{
    struct one_end *e = end_new(NULL);
    end_listen(e);
    nb_tcp_listener_set_options(e->tcp, &e->key, options);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = END_MSS);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    return e;
}

static const struct nb_tcp_options ten_three_two = {
    .keepalive = true, .keepalive_idle_s = 10, .keepalive_interval_s = 3, .keepalive_probes = 2};

/* A probe lies below the window and has no data: every TCP answers it. */
static void test_silence_is_probed_and_then_ends_the_connection(void **state)
{
    (void)state;
    struct one_end *e = with(&ten_three_two);
    wait_us(e, 10 * SEC - 5000);
    end_nothing_sent(e);
    wait_us(e, 10000);
    end_expect(e, ACK, 0, 1, 0);
    wait_us(e, 3 * SEC);
    end_expect(e, ACK, 0, 1, 0);
    assert_int_equal(e->n_closed, 0);
    wait_us(e, 3 * SEC);
    end_expect(e, RST | ACK, 1, 1, 0);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_TIMED_OUT);
    end_free(e);
}

static void test_answer_to_a_probe_starts_the_silence_anew(void **state)
{
    (void)state;
    struct one_end *e = with(&ten_three_two);
    for (unsigned i = 0; i < 5; i++) {
        wait_us(e, 10 * SEC + 5000);
        end_expect(e, ACK, 0, 1, 0);
        arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    }
    assert_int_equal(e->n_closed, 0);
    end_nothing_sent(e);
    end_free(e);
}

static void test_data_puts_the_probe_off(void **state)
{
    (void)state;
    struct one_end *e = with(&ten_three_two);
    wait_us(e, 9 * SEC);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_forget_sent(e);
    wait_us(e, 9 * SEC);
    end_nothing_sent(e);
    wait_us(e, 2 * SEC);
    end_expect(e, ACK, 0, 11, 0);
    end_free(e);
}

static void test_without_keepalive_silence_lasts_for_ever(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    wait_us(e, 30 * 3600 * SEC);
    end_nothing_sent(e);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    end_free(e);
}

static void test_keepalive_switched_on_later_starts_then_and_off_stops(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_tcp_options options = ten_three_two;
    end_established(e);
    wait_us(e, 5 * SEC);
    nb_tcb_set_options(e->tcb, &options);
    nb_tcp_options_changed(e->tcp, e->tcb, NB_TCP_CHANGED_KEEPALIVE);
    wait_us(e, 10 * SEC + 5000);
    end_expect(e, ACK, 0, 1, 0);
    options.keepalive = false;
    nb_tcp_options_changed(e->tcp, e->tcb, NB_TCP_CHANGED_KEEPALIVE);
    wait_us(e, 100 * SEC);
    end_nothing_sent(e);
    nb_tcb_set_options(e->tcb, NULL);
    end_free(e);
}

/* --- user timeout ----------------------------------------------------------------------------- */

static void test_unacknowledged_data_is_given_up_at_the_users_time(void **state)
{
    (void)state;
    static const struct nb_tcp_options five = {.user_timeout_ms = 5000};
    struct one_end *e = with(&five);
    end_write_n(e, 1000);
    wait_us(e, 4 * SEC);
    assert_int_equal(e->n_closed, 0);
    wait_us(e, 3 * SEC); /* counted from the first retransmission */
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_TIMED_OUT);
    end_forget_sent(e);
    end_free(e);
}

static void test_acknowledgement_starts_the_users_time_anew(void **state)
{
    (void)state;
    static const struct nb_tcp_options five = {.user_timeout_ms = 5000};
    struct one_end *e = with(&five);
    for (unsigned i = 0; i < 4; i++) {
        end_write_n(e, 1000);
        wait_us(e, 4 * SEC);
        arrive(e, .flags = ACK, .seq = 1, .ack = 1001 + 1000 * i);
        end_forget_sent(e);
    }
    assert_int_equal(e->n_closed, 0);
    end_free(e);
}

static void test_closed_window_is_borne_for_the_users_time_only(void **state)
{
    (void)state;
    static const struct nb_tcp_options five = {.user_timeout_ms = 5000};
    struct one_end *e = with(&five);
    end_write_n(e, 60000);
    end_forget_sent(e);
    /* Take everything that the window allowed and close it. */
    for (unsigned i = 0; i < 200 && end_info(e).unacked; i++)
        arrive(e, .flags = ACK, .seq = 1, .ack = 1 + (uint32_t)end_info(e).bytes_sent);
    end_write_n(e, 1000);
    nb_seq_t all = 1 + (nb_seq_t)end_info(e).bytes_sent;
    e->window = 0;
    arrive(e, .flags = ACK, .seq = 1, .ack = all);
    arrive(e, .flags = ACK, .seq = 1, .ack = all, .n = 0);
    end_write_n(e, 1000);
    end_forget_sent(e);
    wait_us(e, 20 * SEC);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_TIMED_OUT);
    end_forget_sent(e);
    end_free(e);
}

static void test_keepalive_gives_up_at_the_users_time_whatever_its_probes(void **state)
{
    (void)state;
    static const struct nb_tcp_options options = {.keepalive = true,
                                                  .keepalive_idle_s = 10,
                                                  .keepalive_interval_s = 3,
                                                  .keepalive_probes = 50,
                                                  .user_timeout_ms = 15000};
    struct one_end *e = with(&options);
    wait_us(e, 15 * SEC);
    assert_int_equal(e->n_closed, 0);
    wait_us(e, 5 * SEC);
    assert_int_equal(e->n_closed, 1);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_is_probed_and_then_ends_the_connection),
        cmocka_unit_test(test_answer_to_a_probe_starts_the_silence_anew),
        cmocka_unit_test(test_data_puts_the_probe_off),
        cmocka_unit_test(test_without_keepalive_silence_lasts_for_ever),
        cmocka_unit_test(test_keepalive_switched_on_later_starts_then_and_off_stops),
        cmocka_unit_test(test_unacknowledged_data_is_given_up_at_the_users_time),
        cmocka_unit_test(test_acknowledgement_starts_the_users_time_anew),
        cmocka_unit_test(test_closed_window_is_borne_for_the_users_time_only),
        cmocka_unit_test(test_keepalive_gives_up_at_the_users_time_whatever_its_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
