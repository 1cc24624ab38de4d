/* test_rightsize.c - the receive buffer follows the path, as far as it may. The peer here is a sender in slow start,
 * who keeps to the window, over a path of 100 ms. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../host-lib/tcp/minmax.h"

#define ACK NB_TCP_ACK

#define RTT_US  100000
#define INITIAL 65536 /* half of tcp_rmem's second number */
#define MOST    400000
#define SCALE   4 /* of 2 * MOST */

static struct nb_tcp_options options;

struct sender {
    struct one_end *e;
    nb_seq_t next, edge; /* what it sends next; where our window ends */
    uint32_t segments;   /* in a round trip */
    uint32_t echo;       /* our last timestamp */
};

static struct sender sender_to(struct one_end *e, bool timestamps)
{
    options = (struct nb_tcp_options){0};
    e->timestamps = timestamps;
    const struct end_arrival syn = {.flags = NB_TCP_SYN,
                                    .options = NB_SEG_MSS | NB_SEG_WSCALE | NB_SEG_SACK_PERMITTED,
                                    .mss = END_MSS,
                                    .wscale = SCALE,
                                    .ts_value = timestamps ? 1 : 0};
    end_established_after(e, &syn, RTT_US);
    nb_tcb_set_options(e->tcb, &options);
    struct sender s = {.e = e, .next = 1, .segments = 10};
    s.edge = 1 + nb_tcb_rcv_wnd(e->tcb);
    s.echo = e->tcb->ts_offset + (uint32_t)((e->now - RTT_US) / 1000); /* the SYN-ACK's */
    return s;
}

static void hear(struct sender *s)
{
    while (s->e->n_read < s->e->n_sent) {
        const struct end_packet *p = end_sent(s->e);
        s->edge = p->ack + ((uint32_t)p->seg.window << s->e->tcb->rcv_scale);
        s->echo = p->seg.ts_value;
    }
}

/* What cwnd and window allow goes out at once; the answers come a round trip later. */
static void round_trip(struct sender *s)
{
    uint32_t echo = s->echo;
    for (uint32_t i = 0; i < s->segments && s->next + END_MSS <= s->edge; i++, s->next += END_MSS)
        arrive(s->e, .flags = ACK, .seq = s->next, .ack = 1, .n = END_MSS, .ts_echo = echo,
               .ts_value = s->e->timestamps ? (uint32_t)(s->e->now / 1000) : 0);
    wait_us(s->e, RTT_US);
    hear(s);
    s->segments *= 2;
}

static void round_trips(struct sender *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        round_trip(s);
}

static void test_window_follows_slow_start_ahead_of_it(void **state)
{
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
        struct sender s = sender_to(e, timestamps);
        assert_true(s.edge - 1 <= INITIAL);
        for (unsigned i = 0; i < 5; i++) { /* the sender is never the one who waits */
            uint32_t wants = s.segments * END_MSS;
            assert_true(s.edge - s.next >= wants);
            round_trip(&s);
        }
        assert_true(s.edge - s.next > 4 * INITIAL);
        assert_in_range(nb_tcb_recv_buffer(e->tcp, e->tcb), 8 * INITIAL, 2 * MOST);
        end_free(e);
    }
}

/* The first segment of every flight is lost, and comes at the head of the next one: all that follows it waits until
 * then, in the window that begins at the gap. The sender bears it and doubles what it sends. */
static void test_window_is_ahead_of_a_sender_that_bears_losses(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = 8 * MOST});
    struct sender s = sender_to(e, true);
    round_trip(&s);
    for (nb_seq_t lost = s.next; s.segments < 320; s.segments *= 2) {
        arrive(e, .flags = ACK, .seq = lost, .ack = 1, .n = END_MSS, .ts_echo = s.echo,
               .ts_value = (uint32_t)(e->now / 1000));
        s.next += lost == s.next ? END_MSS : 0;
        assert_true(s.edge - s.next >= s.segments * END_MSS);
        lost = s.next;
        s.next += END_MSS;
        for (uint32_t i = 1; i < s.segments; i++, s.next += END_MSS)
            arrive(e, .flags = ACK, .seq = s.next, .ack = 1, .n = END_MSS, .ts_echo = s.echo,
                   .ts_value = (uint32_t)(e->now / 1000));
        wait_us(e, RTT_US);
        hear(&s);
    }
    end_free(e);
}

static void test_round_trip_is_told_by_echoes_and_by_the_window(void **state)
{
    (void)state;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
        struct sender s = sender_to(e, timestamps);
        assert_int_equal(end_info(e).rcv_rtt_us, 0);
        e->tcb->srtt_us = 0; /* a handshake that measured nothing */
        round_trips(&s, 5);
        /* A window takes longer as long as the sender does not fill it; an echo less, when our ACK was a delayed one.
         */
        assert_in_range(end_info(e).rcv_rtt_us, RTT_US / 2, timestamps ? RTT_US : RTT_US * 4);
        end_free(e);
    }
}

static void test_buffer_never_exceeds_the_limit(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = 150000});
    struct sender s = sender_to(e, true);
    for (unsigned i = 0; i < 7; i++) {
        round_trip(&s);
        s.segments = (uint32_t)nb__min(s.segments, 150);
        assert_true(nb_tcb_rcv_wnd(e->tcb) <= 150000 + (1 << SCALE));
    }
    assert_int_equal(nb_tcb_recv_buffer(e->tcp, e->tcb), 300000);
    end_free(e);
}

static void test_buffer_that_the_user_chose_stays(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
    struct sender s = sender_to(e, true);
    options.recv_buffer_bytes = 200000;
    round_trips(&s, 6);
    assert_int_equal(nb_tcb_recv_buffer(e->tcp, e->tcb), 200000);
    assert_true(nb_tcb_rcv_wnd(e->tcb) <= 100000 + (1 << SCALE));
    end_free(e);
}

static void test_without_moderation_it_stays(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
    nb_tcp_settings(e->tcp)->moderate_rcvbuf = false;
    struct sender s = sender_to(e, true);
    round_trips(&s, 6);
    assert_int_equal(nb_tcb_recv_buffer(e->tcp, e->tcb), 2 * INITIAL);
    end_free(e);
}

static void test_application_that_does_not_read_gets_no_larger_buffer(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
    struct sender s = sender_to(e, true);
    e->hold = true;
    round_trips(&s, 6);
    assert_int_equal(nb_tcb_recv_buffer(e->tcp, e->tcb), 2 * INITIAL);
    assert_int_equal(nb_tcb_rcv_wnd(e->tcb) < END_MSS, 1);
    end_free(e);
}

/* It reads a fifth of what comes: the buffer follows what it reads. */
static void test_slow_application_gets_what_it_reads_and_no_more(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
    struct sender s = sender_to(e, true);
    e->hold = true;
    for (unsigned i = 0; i < 20; i++) {
        round_trip(&s);
        nb_tcp_consumed(e->tcp, e->tcb, 10000);
        end_flush(e);
        hear(&s);
    }
    assert_true(nb_tcb_recv_buffer(e->tcp, e->tcb) <= 2 * INITIAL);
    end_free(e);
}

static void test_connection_that_receives_little_has_nothing_of_it(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
    struct sender s = sender_to(e, true);
    s.segments = 8;
    round_trip(&s);
    assert_null(e->tcb->history);
    round_trip(&s);
    assert_non_null(e->tcb->history);
    end_free(e);
}

static void test_small_requests_however_many_are_nothing_of_it(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = MOST});
    struct sender s = sender_to(e, true);
    for (unsigned i = 0; i < 200; i++, s.next += 100) {
        arrive(e, .flags = ACK, .seq = s.next, .ack = 1, .n = 100, .ts_value = 1, .ts_echo = s.echo);
        wait_us(e, RTT_US);
        hear(&s);
    }
    assert_null(e->tcb->history);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_follows_slow_start_ahead_of_it),
        cmocka_unit_test(test_window_is_ahead_of_a_sender_that_bears_losses),
        cmocka_unit_test(test_round_trip_is_told_by_echoes_and_by_the_window),
        cmocka_unit_test(test_buffer_never_exceeds_the_limit),
        cmocka_unit_test(test_buffer_that_the_user_chose_stays),
        cmocka_unit_test(test_without_moderation_it_stays),
        cmocka_unit_test(test_application_that_does_not_read_gets_no_larger_buffer),
        cmocka_unit_test(test_slow_application_gets_what_it_reads_and_no_more),
        cmocka_unit_test(test_connection_that_receives_little_has_nothing_of_it),
        cmocka_unit_test(test_small_requests_however_many_are_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
