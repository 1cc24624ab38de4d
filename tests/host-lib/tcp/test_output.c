/* test_output.c - what is sent and when: windows, Nagle, silly windows, probes, ACKs. */
#include "one_end.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define RST NB_TCP_RST
#define PSH NB_TCP_PSH

static void ack_all(struct one_end *e, nb_seq_t ack)
{
    arrive(e, .flags = ACK, .seq = 1, .ack = ack);
}

/* --- data
 * ------------------------------------------------------------------------------------------------------------- */

static void test_large_write_leaves_as_full_segments_of_an_initial_window(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    assert_int_equal(end_write_n(e, 25000), 25000);
    for (unsigned i = 0; i < 10; i++) { /* RFC 6928; each half of it is a burst and ends with PSH */
        struct end_packet *p = end_expect(e, ACK | (i % 5 == 4 ? PSH : 0), 1 + i * END_MSS, 1, END_MSS);
        for (unsigned j = 0; j < END_MSS; j++)
            assert_int_equal(p->payload[j], end_pattern(i * END_MSS + j));
    }
    end_nothing_sent(e);
    ack_all(e, 1 + 2 * END_MSS); /* slow start: two acknowledged let four go */
    for (unsigned i = 10; i < 14; i++)
        end_expect(e, ACK | (i == 13 ? PSH : 0), 1 + i * END_MSS, 1, END_MSS);
    end_free(e);
}

static void test_data_waits_for_room_at_the_port_and_goes_on_when_there_is_some(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    e->narrow = true;
    e->room = 2;
    end_write_n(e, 5000);
    end_expect(e, ACK, 1, 1, 1000);
    end_expect(e, ACK, 1001, 1, 1000);
    end_flush(e);
    ack_all(e, 2001); /* the window would allow more now, the port does not */
    end_nothing_sent(e);
    assert_int_equal(e->tcb->timers & NB_TCB_TIMER_PERSIST, 0);
    e->room = 2;
    end_flush(e);
    end_expect(e, ACK, 2001, 1, 1000);
    end_expect(e, ACK, 3001, 1, 1000);
    e->room = 9;
    end_flush(e);
    end_expect(e, ACK | PSH, 4001, 1, 1000);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 0);
    end_free(e);
}

/* One more connection, from another port of the peer's. */
static void connect_from(struct one_end *e, uint16_t port)
{
    e->key.remote_port = port;
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = END_MSS);
    e->iss = end_sent(e)->seg.seq;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    end_forget_sent(e);
}

static unsigned data_packets_to(const struct one_end *e, uint16_t port)
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->n_sent; i++)
        n += e->sent[i].n && e->sent[i].seg.key.local_port == port; /* as the peer sees it */
    return n;
}

static void test_connections_that_wait_for_room_take_turns(void **state)
{
    (void)state;
    enum { CONNECTIONS = 3, FIRST_PORT = 40001 };
    struct one_end *e = end_new(NULL);
    e->narrow = true;
    end_listen(e);
    for (uint16_t port = FIRST_PORT; port < FIRST_PORT + CONNECTIONS; port++) {
        connect_from(e, port);
        end_write_n(e, 8000);
    }
    for (unsigned turn = 1; turn <= 4; turn++) {
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            e->room = 2; /* less than one of them could use */
            end_flush(e);
            end_flush(e); /* without any room */
        }
        for (uint16_t port = FIRST_PORT; port < FIRST_PORT + CONNECTIONS; port++)
            assert_int_equal(data_packets_to(e, port), 2 * turn);
    }
    end_forget_sent(e);
    end_free(e);
}

static void test_peer_is_acknowledged_without_room_for_data(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    e->narrow = true;
    end_write_n(e, 3000);
    end_nothing_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    end_expect(e, ACK, 1, 1001, 0);
    e->room = 1;
    end_flush(e);
    end_expect(e, ACK, 1, 1001, 1000);
    end_free(e);
}

static void test_connection_without_room_can_be_aborted(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    e->narrow = true;
    end_write_n(e, 3000);
    nb_tcp_abort(e->tcp, e->tcb);
    end_expect(e, RST | ACK, 1, 1, 0);
    end_flush(e);
    assert_int_equal(nb_tcp_connections(e->tcp), 0);
    end_free(e);
}

/* The ISS is long past then, and looks as if it lay ahead. */
static void test_room_for_writes_is_the_same_after_more_than_two_gigabytes(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.send_buffer = 10000});
    end_established(e);
    e->tcb->tally[NB_TALLY_TX_BYTES] = 0x90000000u;
    assert_int_equal(nb_tcp_writable(e->tcp, e->tcb), 10000);
    assert_int_equal(end_info(e).bytes_acked, 0x90000001u);
    nb__history(e->tcp, e->tcb)->tally_rounds[NB_TALLY_TX_BYTES] = 1;
    assert_true(end_info(e).bytes_acked == 0x190000001u);
    end_free(e);
}

static void test_last_segment_of_a_write_is_pushed(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 1500);
    end_expect(e, ACK, 1, 1, 1000);
    end_expect(e, ACK | PSH, 1001, 1, 500);
    end_free(e);
}

static void test_fin_travels_with_the_last_data(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    nb_tcp_write(e->tcp, e->tcb, "bye", 3);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_expect(e, ACK | PSH | FIN, 1, 1, 3);
    assert_int_equal(nb_tcp_write(e->tcp, e->tcb, "x", 1), -EPIPE);
    assert_int_equal(nb_tcp_writable(e->tcp, e->tcb), 0);
    end_free(e);
}

static void test_peers_window_bounds_what_is_in_flight(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->window = 2500;
    end_established(e);
    end_write_n(e, 9000);
    end_expect(e, ACK, 1, 1, 1000);
    end_expect(e, ACK, 1001, 1, 1000);
    end_nothing_sent(e); /* 500 would fit, which is silly: it waits */
    ack_all(e, 1001);
    end_expect(e, ACK, 2001, 1, 1000);
    end_free(e);
}

static void test_small_window_is_filled_by_two_segments_so_that_one_is_always_under_way(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->window = 700;
    end_established(e);
    end_write_n(e, 3000);
    end_expect(e, ACK, 1, 1, 350);
    end_expect(e, ACK, 351, 1, 350);
    end_nothing_sent(e);
    end_free(e);
}

static void test_chain_is_sent_by_reference_and_freed_when_acknowledged(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    struct rte_mbuf *a = rte_pktmbuf_alloc(e->pool), *b = rte_pktmbuf_alloc(e->pool), *c = rte_pktmbuf_alloc(e->pool);
    memset(rte_pktmbuf_append(a, 600), 'a', 600);
    memset(rte_pktmbuf_append(b, 800), 'b', 800);
    rte_pktmbuf_chain(a, c); /* empty links do no harm */
    rte_pktmbuf_chain(a, b);
    assert_int_equal(nb_tcp_send(e->tcp, e->tcb, a), 0);
    end_flush(e);
    struct end_packet *p = end_expect(e, ACK, 1, 1, 1000);
    assert_true(p->payload[0] == 'a' && p->payload[599] == 'a' && p->payload[600] == 'b' && p->payload[999] == 'b');
    p = end_expect(e, ACK | PSH, 1001, 1, 400);
    assert_true(p->payload[0] == 'b' && p->payload[399] == 'b');
    ack_all(e, 700);
    assert_int_equal(rte_mempool_in_use_count(e->pool), 1);
    ack_all(e, 1401);
    assert_int_equal(rte_mempool_in_use_count(e->pool), 0);
    end_free(e);
}

static void test_send_buffer_is_bounded_and_room_is_announced_once(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.send_buffer = 4000});
    end_established(e);
    assert_int_equal(nb_tcp_writable(e->tcp, e->tcb), 4000);
    assert_int_equal(end_write_n(e, 5000), 4000);
    assert_int_equal(end_write_n(e, 1), 0);
    struct rte_mbuf *m = rte_pktmbuf_alloc(e->pool);
    rte_pktmbuf_append(m, 1);
    assert_int_equal(nb_tcp_send(e->tcp, e->tcb, m), -ENOBUFS);
    rte_pktmbuf_free(m);
    end_forget_sent(e);
    ack_all(e, 1001);
    assert_int_equal(e->n_writable, 0); /* a quarter is not enough to wake somebody for */
    ack_all(e, 3001);
    assert_int_equal(e->n_writable, 1);
    ack_all(e, 4001);
    assert_int_equal(e->n_writable, 1);
    end_free(e);
}

static void test_checksum_offload_leaves_the_sum_to_the_port(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.checksum_offload = true});
    end_established(e);
    end_write(e, "text");
    end_expect(e, ACK | PSH, 1, 1, 4);
    end_free(e);
}

/* --- Nagle
 * ------------------------------------------------------------------------------------------------------------ */

static void test_second_small_write_waits_for_the_first_ones_ack(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write(e, "one");
    end_expect(e, ACK | PSH, 1, 1, 3);
    end_write(e, "two");
    end_write(e, "three");
    end_nothing_sent(e);
    ack_all(e, 4);
    struct end_packet *p = end_expect(e, ACK | PSH, 4, 1, 8);
    assert_memory_equal(p->payload, "twothree", 8);
    end_free(e);
}

static void test_small_rest_behind_full_segments_does_not_wait(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    end_write_n(e, 2000);
    end_expect(e, ACK, 1, 1, 1000);
    end_expect(e, ACK | PSH, 1001, 1, 1000);
    end_write(e, "rest");
    end_expect(e, ACK | PSH, 2001, 1, 4);
    end_free(e);
}

static void test_without_nagle_small_writes_leave_at_once(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    nb_tcp_set_nodelay(e->tcp, e->tcb, true);
    end_write(e, "one");
    end_write(e, "two");
    end_expect(e, ACK | PSH, 1, 1, 3);
    end_expect(e, ACK | PSH, 4, 1, 3);
    end_free(e);
}

/* --- the zero window
 * -------------------------------------------------------------------------------------------------- */

static void close_window(struct one_end *e)
{
    end_established(e);
    end_write_n(e, 1000);
    end_expect(e, ACK | PSH, 1, 1, 1000);
    e->window = 0;
    end_arrive(e, &(struct end_arrival){.flags = ACK, .seq = 1, .ack = 1001});
    assert_int_equal(e->tcb->snd_wnd, 0);
}

static void test_closed_window_is_probed_with_growing_pauses_while_the_peer_answers(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    close_window(e);
    end_write_n(e, 3000);
    end_nothing_sent(e);
    uint64_t pause = e->tcb->rto_us;
    for (unsigned i = 0; i < 30; i++) {
        wait_us(e, pause - 500);
        end_nothing_sent(e);
        for (unsigned ticks = 0; ticks < 10 && e->n_sent == e->n_read; ticks++)
            wait_us(e, NB_TIMER_TICK_US);
        end_expect(e, ACK, 1000, 1, 0); /* an old number, which the peer must answer */
        arrive(e, .flags = ACK, .seq = 1, .ack = 1001);
        end_nothing_sent(e);
        pause = pause > 60000000 ? 120000000 : 2 * pause;
    }
    assert_int_equal(pause, 120000000);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    end_free(e);
}

static void test_opened_window_lets_data_go_and_forgets_the_pauses(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    close_window(e);
    end_write_n(e, 1500);
    wait_us(e, 5000000);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .window = 8000);
    end_expect(e, ACK, 1001, 1, 1000);
    end_expect(e, ACK | PSH, 2001, 1, 500);
    assert_int_equal(e->tcb->backoff, 0);
    end_free(e);
}

static void test_data_that_opens_the_window_ends_the_probing_too(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    close_window(e);
    end_write_n(e, 1000);
    wait_us(e, 5000000);
    end_forget_sent(e);
    assert_true(e->tcb->backoff > 0);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .n = 5, .window = 8000);
    end_expect(e, ACK | PSH, 1001, 6, 1000);
    assert_int_equal(e->tcb->backoff, 0);
    assert_int_equal(e->tcb->retransmits, 0);
    end_free(e);
}

static void test_fin_needs_room_in_the_window_beside_the_data(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->window = 500;
    end_established(e);
    uint8_t bytes[500] = {0};
    assert_int_equal(nb_tcp_write(e->tcp, e->tcb, bytes, sizeof bytes), sizeof bytes);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_expect(e, ACK | PSH, 1, 1, 500);
    ack_all(e, 501);
    end_expect(e, FIN | ACK, 501, 1, 0);
    end_free(e);
}

static void test_slightly_opened_window_is_filled_when_the_probe_is_due(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    close_window(e);
    end_write_n(e, 1500);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .window = 10);
    end_nothing_sent(e);
    wait_us(e, e->tcb->rto_us + 100);
    end_expect(e, ACK | PSH, 1001, 1, 10); /* the peer must not keep it for more */
    end_free(e);
}

static void test_peer_that_does_not_answer_probes_is_given_up(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    close_window(e);
    end_write_n(e, 10);
    wait_us(e, 3600ull * 1000000);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_TIMED_OUT);
    assert_int_equal(e->n_sent - e->n_read, 15);
    end_forget_sent(e);
    end_free(e);
}

static void test_fin_waits_for_the_window_too(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    close_window(e);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_nothing_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .window = 1);
    end_expect(e, FIN | ACK, 1001, 1, 0);
    end_free(e);
}

/* --- our own window
 * --------------------------------------------------------------------------------------------------- */

static void test_unread_data_closes_our_window_and_reading_opens_it_with_an_ack(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = 4000});
    e->hold = true;
    end_established(e);
    for (unsigned i = 0; i < 4; i++)
        arrive(e, .flags = ACK, .seq = 1 + 1000 * i, .ack = 1, .n = 1000);
    struct end_packet *p = NULL;
    while (e->n_read < e->n_sent)
        p = end_sent(e);
    assert_int_equal(p->ack, 4001);
    assert_int_equal(p->seg.window, 0);
    arrive(e, .flags = ACK, .seq = 4001, .ack = 1, .n = 10); /* a probe with data */
    end_expect(e, ACK, 1, 4001, 0);
    assert_int_equal(e->n_received, 4000);
    nb_tcp_consumed(e->tcp, e->tcb, 500);
    end_flush(e);
    end_nothing_sent(e); /* half a segment: not worth a word (RFC 9293 §3.8.6.2.2) */
    nb_tcp_consumed(e->tcp, e->tcb, 2500);
    end_flush(e);
    p = end_expect(e, ACK, 1, 4001, 0);
    assert_int_equal(p->seg.window, 3000);
    end_free(e);
}

static void test_text_beyond_our_window_is_cut_off(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = 1500});
    e->hold = true;
    end_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    arrive(e, .flags = ACK | FIN, .seq = 1001, .ack = 1, .n = 1000);
    assert_int_equal(e->n_received, 1500);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED); /* the FIN lies beyond, too */
    assert_int_equal(e->tcb->flags & NB_TCB_PEER_FIN, 0);
    end_forget_sent(e);
    end_free(e);
}

static void test_window_never_moves_left(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.recv_buffer = 20000});
    e->hold = true;
    end_established(e);
    nb_seq_t edge = 20001;
    for (unsigned i = 0; i < 15; i++) {
        arrive(e, .flags = ACK, .seq = 1 + 1000 * i, .ack = 1, .n = 1000);
        wait_us(e, 50000);
        struct end_packet *p = end_sent(e);
        assert_true(p->ack + p->seg.window >= edge);
        edge = p->ack + p->seg.window;
    }
    end_free(e);
}

/* --- acknowledgements
 * ------------------------------------------------------------------------------------------------- */

static void test_burst_is_answered_by_one_ack(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    e->no_flush = true;
    for (unsigned i = 0; i < 5; i++)
        arrive(e, .flags = ACK, .seq = 1 + 100 * i, .ack = 1, .n = 100);
    end_nothing_sent(e);
    end_flush(e);
    end_expect(e, ACK, 1, 501, 0);
    end_free(e);
}

static void reply(struct one_end *e)
{
    nb_tcp_write(e->tcp, e->tcb, "reply", 5);
}

/* After the first answers with data the connection converses: ACKs may wait. */
static void conversing(struct one_end *e)
{
    end_established(e);
    e->on_data = reply;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    end_expect(e, ACK | PSH, 1, 1001, 5);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 6);
    end_nothing_sent(e);
    e->on_data = NULL;
}

static void test_ack_of_one_segment_waits_40_ms(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    conversing(e);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 6, .n = 100);
    wait_us(e, 39900);
    end_nothing_sent(e);
    wait_us(e, 200);
    end_expect(e, ACK, 6, 1101, 0);
    end_free(e);
}

static void test_second_full_segment_is_acked_at_once(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    conversing(e);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 6, .n = 1000);
    end_nothing_sent(e);
    arrive(e, .flags = ACK, .seq = 2001, .ack = 6, .n = 1000);
    end_expect(e, ACK, 6, 3001, 0);
    wait_us(e, 100000); /* and the delayed one is forgotten */
    end_nothing_sent(e);
    end_free(e);
}

static void test_delayed_ack_travels_with_data(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    conversing(e);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 6, .n = 100);
    end_write(e, "data");
    end_expect(e, ACK | PSH, 6, 1101, 4);
    arrive(e, .flags = ACK, .seq = 1101, .ack = 10);
    wait_us(e, 1000000);
    end_nothing_sent(e);
    end_free(e);
}

static void test_first_segments_are_acked_at_once(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->hold = true; /* reading would be another reason for an ACK */
    end_established(e);
    for (unsigned i = 0; i < 16; i++) {
        arrive(e, .flags = ACK, .seq = 1 + 10 * i, .ack = 1, .n = 10);
        end_expect(e, ACK, 1, 11 + 10 * i, 0);
    }
    arrive(e, .flags = ACK, .seq = 161, .ack = 1, .n = 10);
    end_nothing_sent(e);
    wait_us(e, 50000);
    end_expect(e, ACK, 1, 171, 0);
    end_free(e);
}

/* --- closing
 * ---------------------------------------------------------------------------------------------------------- */

static void test_close_with_unread_data_sends_rst(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->hold = true;
    end_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_expect(e, ACK, 1, 11, 0);
    nb_tcp_close(e->tcp, e->tcb);
    end_flush(e);
    end_expect(e, RST | ACK, 1, 11, 0);
    assert_int_equal(e->reason, NB_CLOSED_ABORTED);
    end_free(e);
}

static void close_then_consume(struct one_end *e)
{
    nb_tcp_close(e->tcp, e->tcb);
    nb_tcp_consumed(e->tcp, e->tcb, 10);
}

static void test_close_before_consume_in_one_callback_is_an_ordinary_close(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    e->hold = true;
    e->on_data = close_then_consume;
    end_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    end_expect(e, FIN | ACK, 1, 11, 0);
    end_free(e);
}

static void abort_it(struct one_end *e)
{
    nb_tcp_abort(e->tcp, e->tcb);
}

static void test_abort_in_any_callback_ends_it_there(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 3; which++) {
        struct one_end *e = end_new(&(struct end_options){.send_buffer = 2000});
        end_established(e);
        end_write_n(e, 3000);
        end_forget_sent(e);
        e->on_data = which == 0 ? abort_it : NULL;
        e->on_peer_closed = which == 1 ? abort_it : NULL;
        e->on_writable = which == 2 ? abort_it : NULL;
        e->on_closed = abort_it; /* must do nothing */
        arrive(e, .flags = ACK | FIN, .seq = 1, .ack = 2001, .n = 50);
        while (e->n_read + 1 < e->n_sent)
            end_sent(e);
        assert_int_equal(end_sent(e)->flags, RST | ACK);
        assert_int_equal(e->n_closed, 1);
        assert_int_equal(e->n_peer_closed, which >= 1); /* told of room last, when what the ACK let go is sent */
        assert_int_equal(e->n_received, 50);
        assert_int_equal(end_state(e), NB_TCP_CLOSED);
        end_free(e);
    }
}

static void test_closed_event_is_the_last_word_whatever_the_application_asks_in_it(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    e->on_closed = abort_it;
    arrive(e, .flags = RST, .seq = 1);
    end_nothing_sent(e);
    assert_int_equal(e->n_closed, 1);
    end_free(e);
}

static void test_calls_on_a_dead_connection_say_so(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    nb_tcp_abort(e->tcp, e->tcb);
    end_forget_sent(e);
    assert_int_equal(nb_tcp_write(e->tcp, e->tcb, "x", 1), -ENOTCONN);
    assert_int_equal(nb_tcp_shutdown(e->tcp, e->tcb), -ENOTCONN);
    assert_int_equal(nb_tcp_close(e->tcp, e->tcb), -ENOTCONN);
    nb_tcp_abort(e->tcp, e->tcb);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_write_leaves_as_full_segments_of_an_initial_window),
        cmocka_unit_test(test_data_waits_for_room_at_the_port_and_goes_on_when_there_is_some),
        cmocka_unit_test(test_connections_that_wait_for_room_take_turns),
        cmocka_unit_test(test_peer_is_acknowledged_without_room_for_data),
        cmocka_unit_test(test_connection_without_room_can_be_aborted),
        cmocka_unit_test(test_room_for_writes_is_the_same_after_more_than_two_gigabytes),
        cmocka_unit_test(test_last_segment_of_a_write_is_pushed),
        cmocka_unit_test(test_fin_travels_with_the_last_data),
        cmocka_unit_test(test_peers_window_bounds_what_is_in_flight),
        cmocka_unit_test(test_small_window_is_filled_by_two_segments_so_that_one_is_always_under_way),
        cmocka_unit_test(test_chain_is_sent_by_reference_and_freed_when_acknowledged),
        cmocka_unit_test(test_send_buffer_is_bounded_and_room_is_announced_once),
        cmocka_unit_test(test_checksum_offload_leaves_the_sum_to_the_port),
        cmocka_unit_test(test_second_small_write_waits_for_the_first_ones_ack),
        cmocka_unit_test(test_small_rest_behind_full_segments_does_not_wait),
        cmocka_unit_test(test_without_nagle_small_writes_leave_at_once),
        cmocka_unit_test(test_closed_window_is_probed_with_growing_pauses_while_the_peer_answers),
        cmocka_unit_test(test_opened_window_lets_data_go_and_forgets_the_pauses),
        cmocka_unit_test(test_data_that_opens_the_window_ends_the_probing_too),
        cmocka_unit_test(test_fin_needs_room_in_the_window_beside_the_data),
        cmocka_unit_test(test_slightly_opened_window_is_filled_when_the_probe_is_due),
        cmocka_unit_test(test_peer_that_does_not_answer_probes_is_given_up),
        cmocka_unit_test(test_fin_waits_for_the_window_too),
        cmocka_unit_test(test_unread_data_closes_our_window_and_reading_opens_it_with_an_ack),
        cmocka_unit_test(test_text_beyond_our_window_is_cut_off),
        cmocka_unit_test(test_window_never_moves_left),
        cmocka_unit_test(test_burst_is_answered_by_one_ack),
        cmocka_unit_test(test_ack_of_one_segment_waits_40_ms),
        cmocka_unit_test(test_second_full_segment_is_acked_at_once),
        cmocka_unit_test(test_delayed_ack_travels_with_data),
        cmocka_unit_test(test_first_segments_are_acked_at_once),
        cmocka_unit_test(test_close_with_unread_data_sends_rst),
        cmocka_unit_test(test_close_before_consume_in_one_callback_is_an_ordinary_close),
        cmocka_unit_test(test_abort_in_any_callback_ends_it_there),
        cmocka_unit_test(test_closed_event_is_the_last_word_whatever_the_application_asks_in_it),
        cmocka_unit_test(test_calls_on_a_dead_connection_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
