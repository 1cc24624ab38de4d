/* test_stream.c - what a socket layer asks of a connection: Nagle, cork and MSG_MORE, record boundaries, room, and the
 * counts of SIOCOUTQ. And records (txq.c) as their joining and cutting shows in what is sent.
 */
#include "one_end.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tcb_check.h"

#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH

static struct nb_tcp_options options;

static struct one_end *established(void)
{
    struct one_end *e = end_new(NULL);
    options = (struct nb_tcp_options){0};
    end_established(e);
    nb_tcb_set_options(e->tcb, &options);
    return e;
}

static ssize_t put(struct one_end *e, size_t n, unsigned flags)
{
    static uint8_t bytes[100000];
    ssize_t taken = nb_tcp_queue(e->tcp, e->tcb, bytes, n, flags);
    nb_tcp_push(e->tcp, e->tcb, flags);
    end_flush(e);
    assert_null(support_tcp_check(e->tcp));
    return taken;
}

static void test_small_writes_wait_for_the_first_ones_ack_and_leave_together(void **state)
{
    (void)state;
    struct one_end *e = established();
    for (unsigned i = 0; i < 4; i++)
        put(e, 10, 0);
    end_expect(e, ACK | PSH, 1, 1, 10);
    end_nothing_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 11);
    end_expect(e, ACK | PSH, 11, 1, 30);
    end_free(e);
}

static void test_nodelay_switched_on_lets_them_go(void **state)
{
    (void)state;
    struct one_end *e = established();
    put(e, 10, 0);
    put(e, 10, 0);
    end_expect(e, ACK | PSH, 1, 1, 10);
    end_nothing_sent(e);
    options.nodelay = true;
    nb_tcp_options_changed(e->tcp, e->tcb, NB_TCP_CHANGED_NODELAY);
    end_flush(e);
    end_expect(e, ACK | PSH, 11, 1, 10);
    end_free(e);
}

static void test_cork_holds_back_what_is_not_full_until_it_is_pulled(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.cork = options.nodelay = true;
    put(e, 300, 0);
    end_nothing_sent(e);
    put(e, 1000, 0);
    assert_int_equal(end_sent(e)->n, 1000);
    end_nothing_sent(e);
    options.cork = false;
    nb_tcp_options_changed(e->tcp, e->tcb, NB_TCP_CHANGED_CORK);
    end_flush(e);
    assert_int_equal(end_sent(e)->n, 300);
    end_free(e);
}

/* 200 ms in Linux; here the next time-out. */
static void test_cork_does_not_hold_back_for_ever(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.cork = true;
    put(e, 300, 0);
    end_nothing_sent(e);
    wait_us(e, 1500000);
    assert_int_equal(end_sent(e)->n, 300);
    end_forget_sent(e);
    end_free(e);
}

static void test_more_to_come_waits_for_it(void **state)
{
    (void)state;
    struct one_end *e = established();
    nb_tcp_queue(e->tcp, e->tcb, "head", 4, NB_TCP_WRITE_MORE);
    nb_tcp_push(e->tcp, e->tcb, NB_TCP_WRITE_MORE);
    nb_tcp_queue(e->tcp, e->tcb, "body", 4, 0);
    nb_tcp_push(e->tcp, e->tcb, 0);
    const struct end_packet *p = end_expect(e, ACK | PSH, 1, 1, 8);
    assert_memory_equal(p->payload, "headbody", 8);
    end_flush(e);
    end_free(e);
}

/* Neither the end of the burst nor TCP_NODELAY is a reason to send it; time is, and the peer is to hand it over then.
 */
static void test_more_to_come_that_does_not_come_waits_for_a_fifth_of_a_second(void **state)
{
    (void)state;
    static const struct nb_tcp_options nodelay = {.nodelay = true};
    struct one_end *e = established();
    nb_tcb_set_options(e->tcb, &nodelay);
    nb_tcp_queue(e->tcp, e->tcb, "head", 4, NB_TCP_WRITE_MORE);
    nb_tcp_push(e->tcp, e->tcb, NB_TCP_WRITE_MORE);
    end_flush(e);
    end_nothing_sent(e);
    wait_us(e, 1000000);
    end_expect(e, ACK | PSH, 1, 1, 4);
    end_forget_sent(e);
    end_free(e);
}

static void test_boundary_keeps_writes_in_segments_of_their_own(void **state)
{
    (void)state;
    struct one_end *e = established();
    put(e, 10, NB_TCP_WRITE_EOR);
    put(e, 20, NB_TCP_WRITE_EOR);
    put(e, 30, NB_TCP_WRITE_EOR);
    end_expect(e, ACK | PSH, 1, 1, 10);
    arrive(e, .flags = ACK, .seq = 1, .ack = 11);
    assert_int_equal(end_sent(e)->n, 20);
    arrive(e, .flags = ACK, .seq = 1, .ack = 31);
    assert_int_equal(end_sent(e)->n, 30);
    end_free(e);
}

static void test_boundary_is_kept_in_retransmissions(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.nodelay = true;
    put(e, 10, NB_TCP_WRITE_EOR);
    put(e, 20, 0);
    put(e, 30, 0);
    end_forget_sent(e);
    wait_us(e, 1500000);
    end_expect(e, ACK | PSH, 1, 1, 10);
    arrive(e, .flags = ACK, .seq = 1, .ack = 11);
    end_forget_sent(e);
    end_free(e);
}

/* RFC 9293 §3.8.6.2.1 would have small segments sent again one by one; together they cost one packet. */
static void test_small_segments_are_sent_again_as_one(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.nodelay = true;
    put(e, 10, 0);
    put(e, 20, 0);
    put(e, 30, 0);
    end_forget_sent(e);
    wait_us(e, 1500000);
    end_expect(e, ACK | PSH, 1, 1, 60);
    end_forget_sent(e);
    end_free(e);
}

static void test_part_of_a_burst_that_was_acknowledged_is_not_sent_again(void **state)
{
    (void)state;
    struct one_end *e = established();
    put(e, 5000, 0);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2501); /* in the middle of a segment */
    end_forget_sent(e);
    wait_us(e, 1500000);
    const struct end_packet *p = end_sent(e);
    assert_int_equal(p->seq, 2501);
    assert_in_range(p->n, 500, 1000);
    end_forget_sent(e);
    end_free(e);
}

static void test_unsent_and_unacknowledged_bytes_are_told_apart(void **state)
{
    (void)state;
    struct one_end *e = established();
    put(e, 15000, 0);
    assert_int_equal(end_info(e).unacked_bytes, 15000);
    assert_int_equal(end_info(e).unsent_bytes, 5000);
    assert_int_equal(nb_tcb_snd_nxt(e->tcb) - nb_tcb_snd_una(e->tcb), 10000);
    assert_true(nb_tcp_sending(e->tcb));
    arrive(e, .flags = ACK, .seq = 1, .ack = 10001);
    arrive(e, .flags = ACK, .seq = 1, .ack = 15001);
    assert_false(nb_tcp_sending(e->tcb));
    end_forget_sent(e);
    end_free(e);
}

static void test_send_buffer_that_the_user_chose_bounds_what_is_queued(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.send_buffer_bytes = 20000;
    assert_in_range(put(e, 100000, 0), 20000, 50000); /* the last record may overshoot, as in Linux */
    assert_false(nb_tcp_has_room(e->tcp, e->tcb));
    assert_false(nb_tcp_is_writable(e->tcp, e->tcb));
    nb_tcp_want_writable(e->tcp, e->tcb, true);
    unsigned before = e->n_writable;
    for (unsigned i = 0; i < 40 && end_info(e).unacked; i++)
        arrive(e, .flags = ACK, .seq = 1, .ack = 1 + (uint32_t)end_info(e).bytes_sent);
    assert_int_equal(e->n_writable, before + 1);
    assert_true(nb_tcp_is_writable(e->tcp, e->tcb));
    end_forget_sent(e);
    end_free(e);
}

/* What is unsent after the ACK has let some go decides, not what was before. */
static void test_room_is_told_after_what_the_ack_lets_go_is_sent(void **state)
{
    (void)state;
    struct one_end *e = established();
    options.notsent_lowat_bytes = 2000;
    put(e, 12000, 0); /* the initial window is ten */
    nb_tcp_want_writable(e->tcp, e->tcb, true);
    unsigned before = e->n_writable;
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2001); /* 2000 unsent: not below half, but all of it goes now */
    end_expect(e, ACK, 10001, 1, 1000);
    end_expect(e, ACK | PSH, 11001, 1, 1000);
    assert_int_equal(e->n_writable, before + 1);
    end_free(e);
}

/* RFC 9293 §3.8.6: what was offered stays offered, whatever the user says of the buffer afterwards. */
static void test_smaller_receive_buffer_takes_no_window_back(void **state)
{
    (void)state;
    struct one_end *e = established();
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    const struct end_packet *p = end_sent(e);
    nb_seq_t edge = p->ack + p->seg.window;
    options.recv_buffer_bytes = 8000; /* half of it for data */
    for (unsigned i = 1; i < 10; i++) {
        arrive(e, .flags = ACK, .seq = 1 + 1000 * i, .ack = 1, .n = 1000);
        wait_us(e, 50000);
        while (e->n_read < e->n_sent) {
            p = end_sent(e);
            assert_true(p->ack + p->seg.window >= edge);
        }
    }
    assert_int_equal(p->ack + p->seg.window, edge); /* and no more is offered either */
    end_free(e);
}

static void test_lowat_of_unsent_bytes_makes_it_unwritable_earlier(void **state)
{
    (void)state;
    struct one_end *e = established();
    put(e, 12000, 0); /* two thousand unsent */
    assert_true(nb_tcp_is_writable(e->tcp, e->tcb));
    options.notsent_lowat_bytes = 2000;
    assert_false(nb_tcp_has_room(e->tcp, e->tcb));
    assert_false(nb_tcp_is_writable(e->tcp, e->tcb));
    options.notsent_lowat_bytes = 5000;
    assert_true(nb_tcp_is_writable(e->tcp, e->tcb));
    end_forget_sent(e);
    end_free(e);
}

static void test_progress_is_told_when_asked_for(void **state)
{
    (void)state;
    struct one_end *e = established();
    put(e, 10, 0);
    assert_int_equal(e->n_progress, 0);
    nb_tcp_want_progress(e->tcb, true);
    arrive(e, .flags = ACK, .seq = 1, .ack = 11);
    assert_int_equal(e->n_progress, 1);
    put(e, 10, 0);
    assert_int_equal(e->n_progress, 2);
    end_forget_sent(e);
    end_free(e);
}

static void test_writing_after_the_end_says_epipe(void **state)
{
    (void)state;
    struct one_end *e = established();
    nb_tcp_shutdown(e->tcp, e->tcb);
    assert_int_equal(nb_tcp_queue(e->tcp, e->tcb, "x", 1, 0), -EPIPE);
    end_flush(e);
    end_forget_sent(e);
    end_free(e);
}

static void test_congestion_control_is_found_by_its_names(void **state)
{
    (void)state;
    int reno = nb_tcp_congestion_by_name("reno"), cubic = nb_tcp_congestion_by_name("cubic");
    assert_true(reno >= 0 && cubic >= 0 && reno != cubic);
    assert_int_equal(nb_tcp_congestion_by_name("newreno"), reno);
    assert_string_equal(nb_tcp_congestion_name(cubic), "cubic");
    assert_string_equal(nb_tcp_congestion_name(nb_tcp_congestion_by_name("bbr")), "bbr");
    assert_int_equal(nb_tcp_congestion_by_name("vegas"), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_writes_wait_for_the_first_ones_ack_and_leave_together),
        cmocka_unit_test(test_nodelay_switched_on_lets_them_go),
        cmocka_unit_test(test_cork_holds_back_what_is_not_full_until_it_is_pulled),
        cmocka_unit_test(test_cork_does_not_hold_back_for_ever),
        cmocka_unit_test(test_more_to_come_waits_for_it),
        cmocka_unit_test(test_more_to_come_that_does_not_come_waits_for_a_fifth_of_a_second),
        cmocka_unit_test(test_boundary_keeps_writes_in_segments_of_their_own),
        cmocka_unit_test(test_boundary_is_kept_in_retransmissions),
        cmocka_unit_test(test_small_segments_are_sent_again_as_one),
        cmocka_unit_test(test_part_of_a_burst_that_was_acknowledged_is_not_sent_again),
        cmocka_unit_test(test_unsent_and_unacknowledged_bytes_are_told_apart),
        cmocka_unit_test(test_send_buffer_that_the_user_chose_bounds_what_is_queued),
        cmocka_unit_test(test_room_is_told_after_what_the_ack_lets_go_is_sent),
        cmocka_unit_test(test_smaller_receive_buffer_takes_no_window_back),
        cmocka_unit_test(test_lowat_of_unsent_bytes_makes_it_unwritable_earlier),
        cmocka_unit_test(test_progress_is_told_when_asked_for),
        cmocka_unit_test(test_writing_after_the_end_says_epipe),
        cmocka_unit_test(test_congestion_control_is_found_by_its_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
