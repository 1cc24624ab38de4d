/* test_ecn.c - Explicit Congestion Notification (RFC 3168 §6.1), both roles.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK
#define SYN NB_TCP_SYN
#define ECE NB_TCP_ECE
#define CWR NB_TCP_CWR

enum { NOT_ECT, ECT1, ECT0, CE };

static const struct end_arrival ecn_syn = {
    .flags = SYN | ECE | CWR, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS};

static struct one_end *agreed(void)
{
    struct one_end *e = end_new(NULL);
    end_listen(e);
    end_arrive(e, &ecn_syn);
    end_expect(e, SYN | ACK | ECE, 0, 1, 0);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    assert_true(end_info(e).ecn);
    end_nothing_sent(e);
    return e;
}

static void test_offer_is_accepted_by_default_and_refused_when_off(void **state)
{
    (void)state;
    end_free(agreed());
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->ecn = NB_ECN_OFF;
    end_listen(e);
    end_arrive(e, &ecn_syn);
    end_expect(e, SYN | ACK, 0, 1, 0);
    end_free(e);
}

static void test_syn_that_is_marked_itself_or_offers_half_is_no_offer(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_listen(e);
    arrive(e, .flags = SYN | ECE, .options = NB_SEG_MSS, .mss = END_MSS);
    end_expect(e, SYN | ACK, 0, 1, 0);
    end_free(e);
}

static void test_active_open_offers_only_when_asked_to_and_not_after_a_loss(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e); /* plain: passive is the default */
    end_free(e);
    e = end_new(NULL);
    nb_tcp_settings(e->tcp)->ecn = NB_ECN_ON;
    int err = 0;
    e->tcb = nb_tcp_connect(e->tcp, &e->key, e->now, &err);
    end_expect(e, SYN | ECE | CWR, 0, 0, 0);
    wait_us(e, 1100000); /* §6.1.1.1: some paths drop the flags */
    end_expect(e, SYN, 0, 0, 0);
    end_free(e);
}

static void test_active_open_takes_ece_alone_for_an_agreement(void **state)
{
    (void)state;
    for (unsigned both = 0; both < 2; both++) {
        struct one_end *e = end_new(NULL);
        nb_tcp_settings(e->tcp)->ecn = NB_ECN_ON;
        int err = 0;
        e->tcb = nb_tcp_connect(e->tcp, &e->key, e->now, &err);
        end_forget_sent(e);
        arrive(e, .flags = (uint8_t)(SYN | ACK | ECE | (both ? CWR : 0)), .ack = 1, .options = NB_SEG_MSS,
               .mss = END_MSS);
        assert_int_equal(end_info(e).ecn, !both); /* both: an echo of our flags by something that knows no ECN */
        end_forget_sent(e);
        end_free(e);
    }
}

static void test_new_data_is_marked_capable_and_nothing_else_is(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    end_write_n(e, 1000);
    assert_int_equal(end_sent(e)->seg.ecn, ECT0);
    wait_us(e, 2000000); /* §6.1.5: no retransmission */
    assert_true(e->n_sent > e->n_read);
    while (e->n_read < e->n_sent)
        assert_int_equal(end_sent(e)->seg.ecn, NOT_ECT);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .n = 1000);
    const struct end_packet *p = end_sent(e);
    assert_int_equal(p->n, 0); /* §6.1.4: no bare ACK */
    assert_int_equal(p->seg.ecn, NOT_ECT);
    end_free(e);
}

static void test_without_agreement_nothing_is_marked(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 1000);
    assert_int_equal(end_sent(e)->seg.ecn, NOT_ECT);
    end_free(e);
}

/* §6.1.3: on every ACK until the sender has reduced. */
static void test_congestion_seen_is_echoed_until_cwr(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000, .ecn = CE);
    end_expect(e, ACK | ECE, 1, 1001, 0);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 1, .n = 1000, .ecn = ECT0);
    end_expect(e, ACK | ECE, 1, 2001, 0);
    arrive(e, .flags = ACK | CWR, .seq = 2001, .ack = 1, .n = 1000, .ecn = ECT0);
    end_expect(e, ACK, 1, 3001, 0);
    end_free(e);
}

static void test_reduction_and_new_congestion_in_one_segment_go_on_echoing(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    arrive(e, .flags = ACK | CWR, .seq = 1, .ack = 1, .n = 1000, .ecn = CE);
    end_expect(e, ACK | ECE, 1, 1001, 0);
    end_free(e);
}

/* §6.1.2: as for a loss, once a window, and the next data says so. */
static void test_echo_reduces_the_window_once_and_the_next_data_says_so(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    end_write_n(e, 40000);
    assert_int_equal(e->n_sent, 10);
    end_forget_sent(e);
    unsigned cwr = 0;
    for (nb_seq_t n = 1001; n <= 10001; n += 1000)
        arrive(e, .flags = ACK | ECE, .seq = 1, .ack = n);
    while (e->n_read < e->n_sent)
        cwr += (end_sent(e)->flags & CWR) != 0;
    assert_int_equal(cwr, 1);
    assert_int_equal(end_info(e).ssthresh, 7); /* RFC 9438 §4.6; once, not ten times */
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 0);
    end_free(e);
}

static void test_echo_without_agreement_means_nothing(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 20000);
    for (nb_seq_t n = 1001; n <= 5001; n += 1000)
        arrive(e, .flags = ACK | ECE, .seq = 1, .ack = n);
    assert_true(end_info(e).cwnd >= 10);
    assert_true(end_info(e).ssthresh > 1000);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offer_is_accepted_by_default_and_refused_when_off),
        cmocka_unit_test(test_syn_that_is_marked_itself_or_offers_half_is_no_offer),
        cmocka_unit_test(test_active_open_offers_only_when_asked_to_and_not_after_a_loss),
        cmocka_unit_test(test_active_open_takes_ece_alone_for_an_agreement),
        cmocka_unit_test(test_new_data_is_marked_capable_and_nothing_else_is),
        cmocka_unit_test(test_without_agreement_nothing_is_marked),
        cmocka_unit_test(test_congestion_seen_is_echoed_until_cwr),
        cmocka_unit_test(test_reduction_and_new_congestion_in_one_segment_go_on_echoing),
        cmocka_unit_test(test_echo_reduces_the_window_once_and_the_next_data_says_so),
        cmocka_unit_test(test_echo_without_agreement_means_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
