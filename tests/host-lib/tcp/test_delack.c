/* test_delack.c - when acknowledgements leave (RFC 9293 §3.8.6.3, RFC 5681 §4.2), and when quickly. The plain delays
 * are in test_output.c.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH

static struct nb_tcp_options options;

static struct one_end *established(void)
{
    struct one_end *e = end_new(NULL);
    e->hold = true; /* reading would be another reason for an ACK */
    options = (struct nb_tcp_options){0};
    end_established(e);
    nb_tcb_set_options(e->tcb, &options);
    return e;
}

/* Whether the ACK for n bytes more leaves at once. */
static bool acked_at_once(struct one_end *e, nb_seq_t seq, uint32_t n)
{
    unsigned before = e->n_sent;
    arrive(e, .flags = ACK, .seq = seq, .ack = 1 + (uint32_t)end_info(e).bytes_sent, .n = n);
    bool at_once = e->n_sent > before;
    end_forget_sent(e);
    wait_us(e, 300000);
    end_forget_sent(e);
    return at_once;
}

/* A peer that has paused for longer than our RTO may be in slow start again. */
static void test_after_a_pause_acks_are_quick_again(void **state)
{
    (void)state;
    struct one_end *e = established();
    nb_seq_t seq = 1;
    for (unsigned i = 0; i < 16; i++, seq += 10)
        arrive(e, .flags = ACK, .seq = seq, .ack = 1, .n = 10);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = seq, .ack = 1, .n = 10);
    end_nothing_sent(e); /* the quick ones are used up */
    wait_us(e, 5000000);
    end_forget_sent(e);
    assert_true(acked_at_once(e, seq + 10, 10));
    end_free(e);
}

/* An answer is likely to carry the ACK. */
static void test_where_we_answer_acks_wait_from_the_start(void **state)
{
    (void)state;
    struct one_end *e = established();
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_forget_sent(e);
    end_write(e, "answer");
    end_expect(e, ACK | PSH, 1, 11, 6);
    arrive(e, .flags = ACK, .seq = 11, .ack = 7, .n = 10);
    end_nothing_sent(e);
    wait_us(e, 50000);
    end_expect(e, ACK, 7, 21, 0);
    end_free(e);
}

static void test_quick_ack_switched_off_delays_every_single_one(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.no_quick_ack = true;
    assert_false(acked_at_once(e, 1, 10));
    assert_false(acked_at_once(e, 11, 10));
    end_free(e);
}

static void test_quick_ack_switched_on_sends_the_one_that_waits(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.no_quick_ack = true;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 1, .n = 1000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 2001, .ack = 1, .n = 10);
    end_nothing_sent(e);
    nb_tcp_consumed(e->tcp, e->tcb, 2010);
    end_flush(e);
    end_expect(e, ACK, 1, 2011, 0); /* a small segment, and everything read: it is not waited any longer */
    options.no_quick_ack = false;
    nb_tcp_options_changed(e->tcp, e->tcb, NB_TCP_CHANGED_QUICK_ACK);
    assert_true(acked_at_once(e, 2011, 10));
    end_free(e);
}

static void test_delay_adapts_to_the_peers_pace_within_200_ms(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.no_quick_ack = true;
    nb_seq_t seq = 1;
    for (unsigned i = 0; i < 12; i++, seq += 10) { /* one segment every 300 ms */
        arrive(e, .flags = ACK, .seq = seq, .ack = 1, .n = 10);
        uint64_t began = e->now;
        while (e->n_sent == 0)
            wait_us(e, 1000);
        assert_in_range(e->now - began, 39000, 201000);
        end_forget_sent(e);
        wait_us(e, began + 300000 - e->now);
    }
    end_free(e);
}

static void test_gap_is_acked_at_once_however_quick_acks_stand(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.no_quick_ack = true;
    assert_true(acked_at_once(e, 1001, 10)); /* RFC 5681 §4.2 */
    end_free(e);
}

static void test_repeated_segment_is_acked_at_once(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.no_quick_ack = true;
    acked_at_once(e, 1, 10);
    assert_true(acked_at_once(e, 1, 10));
    end_free(e);
}

/* --- the ACK of the peer's SYN-ACK, for which data is at hand ---------------------------------- */

static void hold_the_ack(struct one_end *e)
{
    nb_tcp_hold_ack(e->tcp, e->tcb);
}

static struct one_end *connected_with_a_held_ack(void)
{
    struct one_end *e = end_new(NULL);
    e->on_connected = hold_the_ack;
    end_syn_sent(e);
    arrive(e, .flags = NB_TCP_SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS);
    assert_int_equal(e->n_connected, 1);
    end_nothing_sent(e);
    return e;
}

static void test_handshakes_ack_that_is_held_travels_with_the_first_data(void **state)
{
    (void)state;
    struct one_end *e = connected_with_a_held_ack();
    wait_us(e, 100000);
    assert_int_equal(end_write(e, "request"), 7);
    end_expect(e, ACK | PSH, 1, 1, 7);
    wait_us(e, 150000);
    end_nothing_sent(e);
    end_free(e);
}

static void test_handshakes_ack_that_is_held_in_vain_leaves_after_200_ms(void **state)
{
    (void)state;
    struct one_end *e = connected_with_a_held_ack();
    wait_us(e, 199000);
    end_nothing_sent(e);
    wait_us(e, 2000);
    end_expect(e, ACK, 1, 1, 0);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshakes_ack_that_is_held_travels_with_the_first_data),
        cmocka_unit_test(test_handshakes_ack_that_is_held_in_vain_leaves_after_200_ms),
        cmocka_unit_test(test_after_a_pause_acks_are_quick_again),
        cmocka_unit_test(test_where_we_answer_acks_wait_from_the_start),
        cmocka_unit_test(test_quick_ack_switched_off_delays_every_single_one),
        cmocka_unit_test(test_quick_ack_switched_on_sends_the_one_that_waits),
        cmocka_unit_test(test_delay_adapts_to_the_peers_pace_within_200_ms),
        cmocka_unit_test(test_gap_is_acked_at_once_however_quick_acks_stand),
        cmocka_unit_test(test_repeated_segment_is_acked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
