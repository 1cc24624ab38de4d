/* test_icmp.c - ICMP errors: which are believed (RFC 5927), and what they mean in which state.
 */
#include "one_end.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH

enum { UNREACHABLE = 3, HOST = 1, PORT = 3, TOO_BIG = 4, SOURCE_QUENCH = 4, TIME_EXCEEDED = 11 };
enum { V6_UNREACHABLE = 1, V6_TOO_BIG = 2, V6_PORT = 4 };

static struct one_end *established_with_data(uint32_t n)
{
    struct one_end *e = end_new(NULL);
    end_established(e);
    assert_int_equal(end_write_n(e, n), n);
    return e;
}

static void test_syn_sent_host_unreachable_ends_the_attempt_and_says_why(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    end_icmp(e, UNREACHABLE, HOST, 0, 0);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_UNREACHABLE);
    assert_int_equal(e->soft_error, EHOSTUNREACH);
    assert_int_equal(end_counter(e, NB_COUNTER_ICMP_ERRORS), 1);
    end_free(e);
}

static void test_syn_sent_over_ipv6_port_unreachable_is_a_refusal(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.family = NB_FAMILY_IPV6});
    end_syn_sent(e);
    end_icmp(e, V6_UNREACHABLE, V6_PORT, 0, 0);
    assert_int_equal(e->reason, NB_CLOSED_UNREACHABLE);
    assert_int_equal(e->soft_error, ECONNREFUSED);
    end_free(e);
}

static void test_error_about_what_is_not_in_flight_counts_for_nothing(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(1000);
    end_forget_sent(e);
    end_icmp(e, UNREACHABLE, HOST, 0, 0);    /* acknowledged already */
    end_icmp(e, UNREACHABLE, HOST, 1001, 0); /* never sent */
    assert_int_equal(e->soft_error, 0);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_ICMP_STALE), 2);
    end_icmp(e, UNREACHABLE, HOST, 1000, 0);
    assert_int_equal(e->soft_error, EHOSTUNREACH);
    end_free(e);
}

/* RFC 5927 §5.2: otherwise anybody who guesses well could end any connection. */
static void test_established_hard_error_is_only_noted(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(1000);
    end_forget_sent(e);
    end_icmp(e, UNREACHABLE, PORT, 1, 0);
    assert_int_equal(e->soft_error, ECONNREFUSED);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    assert_int_equal(e->n_closed, 0);
    end_free(e);
}

static void test_source_quench_is_ignored(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(1000);
    uint32_t cwnd = end_info(e).cwnd;
    end_forget_sent(e);
    end_icmp(e, SOURCE_QUENCH, 0, 1, 0); /* RFC 6633 */
    assert_int_equal(e->soft_error, 0);
    assert_int_equal(end_info(e).cwnd, cwnd);
    end_free(e);
}

static void test_half_open_connection_is_forgotten_when_the_way_back_ends(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    end_icmp(e, UNREACHABLE, PORT, 0, 0);
    assert_int_equal(end_state(e), NB_TCP_SYN_RECEIVED);
    end_icmp(e, TIME_EXCEEDED, 0, 0, 0);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    assert_int_equal(nb_tcp_half_open(e->tcp), 0);
    assert_int_equal(e->n_closed, 0); /* the application never heard of it */
    end_free(e);
}

/* --- path MTU --------------------------------------------------------------------------------- */

static void test_smaller_path_mtu_sends_what_was_too_large_again_without_slowing_down(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(2000);
    uint32_t cwnd = end_info(e).cwnd;
    end_forget_sent(e);
    end_icmp(e, UNREACHABLE, TOO_BIG, 1, 700);
    end_expect(e, ACK, 1, 1, 660);
    for (nb_seq_t seq = 661; seq < 2001;) {
        struct end_packet *p = end_sent(e);
        assert_int_equal(p->seq, seq);
        assert_true(p->n <= 660);
        seq += p->n;
    }
    assert_int_equal(end_info(e).pmtu_bytes, 700);
    assert_int_equal(end_info(e).cwnd, cwnd);
    end_free(e);
}

/* The size of the largest segment that a write of 3000 bytes, from `seq` on, leaves in; all is acknowledged. */
static uint32_t largest_of_a_write(struct one_end *e, nb_seq_t seq)
{
    uint32_t largest = 0;
    end_write_n(e, 3000);
    for (unsigned i = 0; i < e->n_sent; i++)
        largest = e->sent[i].n > largest ? e->sent[i].n : largest;
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = seq + 3000);
    return largest;
}

/* RFC 1191 §6.3: and if the path is as narrow as before, its router says so again. */
static void test_path_mtu_is_forgotten_by_a_live_connection_after_ten_minutes(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(2000);
    end_icmp(e, UNREACHABLE, TOO_BIG, 1, 700);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2001);
    wait_us(e, 599ull * 1000000);
    assert_int_equal(largest_of_a_write(e, 2001), 660);
    wait_us(e, 2ull * 1000000);
    end_write_n(e, 3000);
    assert_int_equal(end_sent(e)->n, END_MSS);
    end_forget_sent(e);
    end_icmp(e, UNREACHABLE, TOO_BIG, 5001, 800);
    assert_int_equal(end_info(e).pmtu_bytes, 800);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 8001);
    wait_us(e, 599ull * 1000000);
    assert_int_equal(largest_of_a_write(e, 8001), 760);
    wait_us(e, 2ull * 1000000);
    assert_int_equal(largest_of_a_write(e, 11001), END_MSS);
    assert_int_equal(end_info(e).pmtu_bytes, 1500);
    end_free(e);
}

static void test_path_mtu_below_what_any_path_has_is_not_believed(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(1000);
    end_forget_sent(e);
    end_icmp(e, UNREACHABLE, TOO_BIG, 1, 68);
    assert_int_equal(end_info(e).pmtu_bytes, 552);
    end_forget_sent(e); /* sent again, in smaller pieces */
    end_free(e);
    e = end_new(&(struct end_options){.family = NB_FAMILY_IPV6});
    end_established(e);
    end_write_n(e, 1000);
    end_icmp(e, V6_TOO_BIG, 0, 1, 300);
    assert_int_equal(end_info(e).pmtu_bytes, 1280);
    end_forget_sent(e);
    end_free(e);
}

static void test_path_mtu_never_grows_by_hearsay(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(1000);
    end_forget_sent(e);
    end_icmp(e, UNREACHABLE, TOO_BIG, 1, 9000);
    assert_int_equal(end_info(e).pmtu_bytes, 1500);
    end_free(e);
}

static void test_path_mtu_is_remembered_for_ten_minutes(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(1000);
    end_icmp(e, UNREACHABLE, TOO_BIG, 1, 700);
    nb_tcp_abort(e->tcp, e->tcb);
    end_forget_sent(e);
    wait_us(e, 599 * 1000000ull);
    e->iss = 0;
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = END_MSS);
    assert_int_equal(end_sent(e)->seg.mss, 660);
    end_icmp(e, UNREACHABLE, HOST, e->sent[0].seq, 0); /* forget the attempt */
    wait_us(e, 2 * 1000000);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = END_MSS);
    assert_int_equal(end_sent(e)->seg.mss, 1460);
    end_free(e);
}

/* --- RFC 6069 --------------------------------------------------------------------------------- */

static void test_retransmission_that_met_no_route_takes_a_doubling_back(void **state)
{
    (void)state;
    struct one_end *e = established_with_data(1000);
    wait_us(e, 3 * 1000000);
    struct nb_tcp_info before = end_info(e);
    assert_true(before.backoff >= 2);
    end_forget_sent(e);
    end_icmp(e, UNREACHABLE, HOST, 1, 0);
    assert_int_equal(end_info(e).backoff, before.backoff - 1);
    assert_int_equal(end_info(e).rto_us, before.rto_us / 2);
    end_icmp(e, UNREACHABLE, PORT, 1, 0); /* says nothing about the way */
    assert_int_equal(end_info(e).backoff, before.backoff - 1);
    end_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syn_sent_host_unreachable_ends_the_attempt_and_says_why),
        cmocka_unit_test(test_syn_sent_over_ipv6_port_unreachable_is_a_refusal),
        cmocka_unit_test(test_error_about_what_is_not_in_flight_counts_for_nothing),
        cmocka_unit_test(test_established_hard_error_is_only_noted),
        cmocka_unit_test(test_source_quench_is_ignored),
        cmocka_unit_test(test_half_open_connection_is_forgotten_when_the_way_back_ends),
        cmocka_unit_test(test_smaller_path_mtu_sends_what_was_too_large_again_without_slowing_down),
        cmocka_unit_test(test_path_mtu_is_forgotten_by_a_live_connection_after_ten_minutes),
        cmocka_unit_test(test_path_mtu_below_what_any_path_has_is_not_believed),
        cmocka_unit_test(test_path_mtu_never_grows_by_hearsay),
        cmocka_unit_test(test_path_mtu_is_remembered_for_ten_minutes),
        cmocka_unit_test(test_retransmission_that_met_no_route_takes_a_doubling_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
