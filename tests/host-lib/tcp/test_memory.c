/* test_memory.c - many connections and few buffers: what is refused when, and that everybody gets on afterwards.
 *
 * The worker of these tests has 2047 buffers: pressure from 1023 held on, high 1535, full 1791. What arrives comes from
 * a pool of the same size, so that an empty one would show.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/tcp/room.h"
#include "../../../host-lib/tcp/transfer.h"
#include "tcb_check.h"

#define ACK      NB_TCP_ACK
#define HOSTILE  1000
#define PORT     2000
#define PRESSURE 1023
#define HIGH     1535
#define FULL     1791

static struct {
    nb_seq_t iss;
    struct nb_tcb *tcb;
} peers[HOSTILE + 1];

static struct one_end *worker(void)
{
    struct one_end *e = end_new(&(struct end_options){.connections = HOSTILE + 8, .half_open = HOSTILE + 8});
    e->accepts_unread = true;
    end_listen(e);
    return e;
}

/* As if others held the rest. */
static void set_high(struct one_end *e, uint32_t mbufs)
{
    e->tcp->memory.low = e->tcp->memory.pressure = e->tcp->memory.high = mbufs;
}

/* From now on it is this peer that sends. */
static void be(struct one_end *e, unsigned i)
{
    e->key.remote_port = (uint16_t)(PORT + i);
    e->iss = peers[i].iss;
    e->tcb = peers[i].tcb;
    end_forget_sent(e);
}

static void connect_peer(struct one_end *e, unsigned i)
{
    e->key.remote_port = (uint16_t)(PORT + i);
    arrive(e, .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS);
    peers[i].iss = end_sent(e)->seg.seq;
    e->iss = peers[i].iss;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    peers[i].tcb = e->tcb;
    assert_int_equal(e->tcb->state, NB_TCP_ESTABLISHED);
    end_forget_sent(e);
}

static void connect_peers(struct one_end *e, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        connect_peer(e, i);
}

static uint32_t held(const struct one_end *e)
{
    return e->tcp->send.mbufs + e->tcp->reasm.mbufs + e->tcp->memory.kept;
}

static void end_world(struct one_end *e)
{
    assert_null(support_tcp_check(e->tcp));
    for (uint32_t i = 0; i < e->tcp->fresh; i++, end_forget_sent(e))
        nb_tcp_abort(e->tcp, &e->tcp->tcbs[i]);
    end_flush(e);
    assert_int_equal(held(e), 0);
    assert_int_equal(e->tcp->memory.level, NB_MEMORY_CALM);
    end_forget_sent(e);
    end_free(e);
}

/* Every second byte, from so many peers, and the gaps are never filled. */
static void send_crumbs(struct one_end *e, unsigned n_peers, unsigned crumbs)
{
    for (unsigned k = 0; k < crumbs; k++) {
        for (unsigned i = 0; i < n_peers; i++) {
            be(e, i);
            arrive(e, .flags = ACK, .seq = 3 + 2 * k, .ack = 1, .n = 1);
        }
    }
}

static void test_crumbs_of_a_thousand_peers_leave_buffers_to_others(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, HOSTILE + 1);
    send_crumbs(e, HOSTILE, 5);
    assert_true(held(e) <= HIGH);
    uint64_t pruned = end_counter(e, NB_COUNTER_MEMORY_PRUNED);
    assert_true(pruned > 0);
    assert_true(rte_mempool_avail_count(e->peer_pool) > 2047 / 4);
    assert_null(support_tcp_check(e->tcp));

    /* Somebody else loses a segment; what follows it is kept for it, and an answer can be written. */
    wait_us(e, 1000000);
    be(e, HOSTILE);
    for (unsigned i = 1; i < 20; i++) {
        arrive(e, .flags = ACK, .seq = 1 + 1000 * i, .ack = 1, .n = 1000);
        end_forget_sent(e);
    }
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    assert_int_equal(peers[HOSTILE].tcb->rcv_nxt - e->pss, 20001);
    assert_true(end_counter(e, NB_COUNTER_MEMORY_PRUNED) > pruned);
    assert_int_equal(end_write_n(e, 5000), 5000);
    end_world(e);
}

static void test_one_peers_crumbs_are_bounded_by_its_buffer(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 1);
    send_crumbs(e, 1, 1000);
    assert_true(held(e) <= NB_MEMORY_LEAST_MBUFS + 2 * 65536 / NB_MEMORY_SEGMENT_BYTES);
    assert_true(held(e) < 2047 / 4);
    end_world(e);
}

/* Applications that do not read: in-order data of single bytes. */
static void test_unread_crumbs_are_refused_and_come_again(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, HOSTILE);
    e->hold = true;
    nb_seq_t sent[HOSTILE] = {0};
    for (unsigned k = 0; k < 4; k++) {
        for (unsigned i = 0; i < HOSTILE; i++) {
            be(e, i);
            arrive(e, .flags = ACK, .seq = 1 + sent[i], .ack = 1, .n = 1);
            assert_true(held(e) <= FULL);
            sent[i] = e->tcb->rcv_nxt - e->pss - 1; /* what was acknowledged: the rest it sends again */
        }
    }
    assert_true(end_counter(e, NB_COUNTER_DROP_RECEIVE_FULL) > 0);
    assert_in_range(held(e), HIGH, FULL);
    uint64_t acknowledged = 0;
    for (unsigned i = 0; i < HOSTILE; i++)
        acknowledged += sent[i];
    assert_int_equal(acknowledged, e->n_received); /* nothing that was acknowledged was lost */

    for (unsigned i = 0; i < HOSTILE; i++) { /* they read, and take what they had refused */
        be(e, i);
        nb_tcp_consumed(e->tcp, e->tcb, sent[i]);
        end_flush(e);
    }
    assert_int_equal(held(e), 0);
    for (unsigned i = 0; i < HOSTILE; i++) {
        be(e, i);
        arrive(e, .flags = ACK, .seq = 1 + sent[i], .ack = 1, .n = 1);
        assert_int_equal(e->tcb->rcv_nxt - e->pss - 1, sent[i] + 1);
        nb_tcp_consumed(e->tcp, e->tcb, 1);
    }
    end_world(e);
}

static void test_who_has_nothing_unread_gets_something_above_high(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 2);
    be(e, 0);
    e->hold = true;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    set_high(e, 1);
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10);
    assert_int_equal(e->tcb->rcv_nxt - e->pss, 11);
    be(e, 1);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    assert_int_equal(e->tcb->rcv_nxt - e->pss, 11);
    end_world(e);
}

static void test_refused_fin_is_not_taken_before_its_data(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 1);
    be(e, 0);
    e->hold = true;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    set_high(e, 1);
    arrive(e, .flags = ACK | NB_TCP_FIN, .seq = 11, .ack = 1, .n = 10);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    set_high(e, HIGH);
    arrive(e, .flags = ACK | NB_TCP_FIN, .seq = 11, .ack = 1, .n = 10);
    assert_int_equal(end_state(e), NB_TCP_CLOSE_WAIT);
    assert_int_equal(e->n_received, 20);
    end_world(e);
}

static void test_own_out_of_order_data_is_given_up_for_what_is_next(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 1);
    be(e, 0);
    e->hold = true;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 10);
    arrive(e, .flags = ACK, .seq = 21, .ack = 1, .n = 10);
    arrive(e, .flags = ACK, .seq = 41, .ack = 1, .n = 10);
    assert_int_equal(held(e), 3);
    set_high(e, 2);
    arrive(e, .flags = ACK, .seq = 11, .ack = 1, .n = 10);
    assert_int_equal(e->tcb->rcv_nxt - e->pss, 21); /* taken; and the two after it will come again */
    assert_int_equal(end_counter(e, NB_COUNTER_MEMORY_PRUNED), 2);
    end_world(e);
}

static void test_pressure_clamps_windows_of_who_lags_and_ends_below_low(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 2);
    be(e, 0);
    e->hold = true;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    e->tcp->memory.kept += PRESSURE; /* others */
    arrive(e, .flags = ACK, .seq = 1001, .ack = 1, .n = 1000);
    arrive(e, .flags = ACK, .seq = 2001, .ack = 1, .n = 1000);
    assert_int_equal(e->tcp->memory.level, NB_MEMORY_PRESSURE);
    assert_int_equal(end_counter(e, NB_COUNTER_MEMORY_PRESSURE), 1);
    assert_int_equal(end_counter(e, NB_COUNTER_MEMORY_CLAMPED), 1);
    assert_int_equal(e->tcb->rcv_ssthresh, 4 * e->tcb->advertised_mss);
    be(e, 1); /* this one keeps up */
    e->hold = false;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 1000);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 1, .n = 1000);
    assert_true(e->tcb->rcv_ssthresh > 4u * e->tcb->advertised_mss);
    e->tcp->memory.kept -= 200;
    end_flush(e);
    assert_int_equal(e->tcp->memory.level, NB_MEMORY_PRESSURE);
    e->tcp->memory.kept -= 100; /* below three quarters */
    end_flush(e);
    assert_int_equal(e->tcp->memory.level, NB_MEMORY_CALM);
    e->tcp->memory.kept -= PRESSURE - 300;
    end_world(e);
}

static void test_writes_are_bounded_under_pressure_and_refused_above_high(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 3);
    e->tcp->memory.kept += PRESSURE;
    end_flush(e);
    be(e, 0);
    assert_int_equal(end_write_n(e, 50000), NB_MEMORY_LEAST_BYTES);
    assert_int_equal(end_counter(e, NB_COUNTER_MEMORY_WRITE_REFUSED), 1);
    be(e, 1);
    assert_int_equal(end_write_n(e, 1000), 1000);
    e->tcp->memory.kept += HIGH - PRESSURE;
    end_flush(e);
    assert_int_equal(e->tcp->memory.level, NB_MEMORY_HIGH);
    assert_int_equal(end_write_n(e, 1000), 0); /* it has something queued */
    be(e, 2);
    assert_int_equal(end_write_n(e, 1000), 1000); /* it has not */
    e->tcp->memory.kept -= HIGH;
    be(e, 1);
    unsigned before = e->n_writable;
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001);
    assert_int_equal(e->n_writable, before + 1); /* who was refused hears of it */
    assert_int_equal(end_write_n(e, 50000), 50000);
    end_world(e);
}

static void test_syns_are_dropped_above_high(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 1);
    e->tcp->memory.kept += HIGH;
    end_flush(e);
    e->key.remote_port = PORT + 5;
    arrive(e, .flags = NB_TCP_SYN, .options = NB_SEG_MSS, .mss = END_MSS);
    end_nothing_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MEMORY), 1);
    e->tcp->memory.kept -= HIGH;
    end_flush(e);
    arrive(e, .flags = NB_TCP_SYN, .options = NB_SEG_MSS, .mss = END_MSS);
    assert_int_equal(end_sent(e)->flags, NB_TCP_SYN | ACK);
    end_world(e);
}

/* BBR's ProbeRTT, or a time-out: the path is what it was, and data for the window after that must be at hand. */
static void test_room_for_writes_stays_when_the_window_is_small_for_a_moment(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.send_buffer = 4 << 20});
    end_established(e);
    e->tcb->cwnd = 300;
    uint32_t room = nb_tcp_writable(e->tcp, e->tcb);
    assert_true(room > NB_ROOM_FIRST_BYTES);
    e->tcb->flags |= NB_TCB_WANT_WRITABLE;
    nb__offer_room(e->tcp, e->tcb);
    e->tcb->cwnd = 4;
    assert_true(nb_tcp_writable(e->tcp, e->tcb) >= room);
    end_free(e);
}

/* What is kept is told in bytes: buffers follow in proportion, and all of them go with the last byte. */
static void test_kept_buffers_follow_what_is_consumed(void **state)
{
    (void)state;
    struct one_end *e = worker();
    connect_peers(e, 1);
    be(e, 0);
    e->hold = true;
    for (unsigned i = 0; i < 10; i++)
        arrive(e, .flags = ACK, .seq = 1 + 100 * i, .ack = 1, .n = 100);
    assert_int_equal(e->tcp->memory.kept, 10);
    nb_tcp_consumed(e->tcp, e->tcb, 450);
    assert_int_equal(e->tcp->memory.kept, 6);
    nb_tcp_consumed(e->tcp, e->tcb, 549);
    assert_int_equal(e->tcp->memory.kept, 1);
    nb_tcp_consumed(e->tcp, e->tcb, 1);
    assert_int_equal(e->tcp->memory.kept, 0);
    end_world(e);
}

/* Of connections that are to arrive; while they are still elsewhere nobody here suffers for them. */
static void test_places_promised_to_arrivals_do_not_press(void **state)
{
    (void)state;
    const struct nb_transfer_size size = {.send_mbufs = PRESSURE / 4, .reasm_mbufs = 2047 / 4 / 4};
    struct nb_berth berth[4];
    struct one_end *e = worker();
    connect_peers(e, 1);
    be(e, 0);
    e->hold = true;
    for (unsigned i = 0; i < 4; i++)
        assert_true(nb_berth_take(e->tcp, &size, &berth[i]));
    for (unsigned i = 0; i < 100; i++) {
        arrive(e, .flags = ACK, .seq = 1 + 10 * i, .ack = 1, .n = 10);
        assert_int_equal(e->tcp->memory.level, NB_MEMORY_CALM);
    }
    assert_int_equal(e->n_received, 1000);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_RECEIVE_FULL), 0);
    struct nb_berth more;
    assert_false(nb_berth_take(e->tcp, &size, &more)); /* the pools know of them */
    for (unsigned i = 0; i < 4; i++)
        nb_berth_give_back(e->tcp, &berth[i]);
    assert_int_equal(held(e), 100);
    end_world(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crumbs_of_a_thousand_peers_leave_buffers_to_others),
        cmocka_unit_test(test_one_peers_crumbs_are_bounded_by_its_buffer),
        cmocka_unit_test(test_unread_crumbs_are_refused_and_come_again),
        cmocka_unit_test(test_who_has_nothing_unread_gets_something_above_high),
        cmocka_unit_test(test_refused_fin_is_not_taken_before_its_data),
        cmocka_unit_test(test_own_out_of_order_data_is_given_up_for_what_is_next),
        cmocka_unit_test(test_pressure_clamps_windows_of_who_lags_and_ends_below_low),
        cmocka_unit_test(test_writes_are_bounded_under_pressure_and_refused_above_high),
        cmocka_unit_test(test_syns_are_dropped_above_high),
        cmocka_unit_test(test_room_for_writes_stays_when_the_window_is_small_for_a_moment),
        cmocka_unit_test(test_kept_buffers_follow_what_is_consumed),
        cmocka_unit_test(test_places_promised_to_arrivals_do_not_press),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
