/* test_rate.c - the delivery rate (draft-cheng-iccrg-delivery-rate-estimation).
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK    NB_TCP_ACK
#define RTT_US 20000

static struct one_end *established(void)
{
    static const struct end_arrival syn = {
        .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS};
    struct one_end *e = end_new(NULL);
    end_established_after(e, &syn, RTT_US);
    return e;
}

static void test_ten_segments_in_a_round_trip_are_their_bytes_over_it(void **state)
{
    (void)state;
    struct one_end *e = established();
    end_write_n(e, 50000);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = 10001);
    assert_in_range(end_info(e).delivery_rate, 490000, 510000);
    end_forget_sent(e);
    end_free(e);
}

/* ACKs that come bunched tell more than the path can: the time is the longer one of sending and acknowledging. */
static void test_slower_of_sending_and_acknowledging_counts(void **state)
{
    (void)state;
    struct one_end *e = established();
    nb_tcp_set_nodelay(e->tcp, e->tcb, true);
    for (unsigned i = 0; i < 10; i++) { /* sent over 36 ms */
        end_write_n(e, 1000);
        wait_us(e, 4000);
    }
    arrive(e, .flags = ACK, .seq = 1, .ack = 10001);
    assert_true(end_info(e).delivery_rate <= 280000);
    end_forget_sent(e);
    end_free(e);
}

static void test_rate_with_too_little_to_send_is_a_lower_bound(void **state)
{
    (void)state;
    struct one_end *e = established();
    uint8_t bytes[1000] = {0};
    nb_tcp_queue(e->tcp, e->tcb, bytes, sizeof bytes, 0);
    nb_tcp_push(e->tcp, e->tcb, 0);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001);
    end_write_n(e, 2000);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = 3001);
    assert_in_range(end_info(e).delivery_rate, 45000, 110000);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_segments_in_a_round_trip_are_their_bytes_over_it),
        cmocka_unit_test(test_slower_of_sending_and_acknowledging_counts),
        cmocka_unit_test(test_rate_with_too_little_to_send_is_a_lower_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
