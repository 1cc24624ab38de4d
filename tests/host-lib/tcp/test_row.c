/* test_row.c - segments in a row that are taken as one (host-lib/tcp/row.h): the same becomes of the connection as when
 * they are taken one after the other, and what is not like the others stays by itself.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ACK     NB_TCP_ACK
#define PSH     NB_TCP_PSH
#define SEGMENT 1000 /* bytes */
#define ROWS    40   /* of two segments: far enough for the window to grow */

static unsigned n_deliveries;

static void count_delivery(struct one_end *e)
{
    (void)e;
    n_deliveries++;
}

static struct one_end *established(void)
{
    struct one_end *e = end_new(NULL);
    end_established_with(e, &(struct end_arrival){.flags = NB_TCP_SYN,
                                                  .options = NB_SEG_MSS | NB_SEG_TIMESTAMP | NB_SEG_SACK_PERMITTED,
                                                  .mss = END_MSS,
                                                  .ts_value = 5});
    e->on_data = count_delivery;
    n_deliveries = 0;
    return e;
}

static struct end_arrival segment(nb_seq_t seq, uint32_t n)
{
    return (struct end_arrival){.flags = ACK, .seq = seq, .ack = 1, .n = n, .ts_value = 5};
}

/* --- what is joined ----------------------------------------------------------------------------- */

struct outcome {
    struct nb_tcp_info info;
    size_t n_received;
    unsigned n_sent, n_deliveries;
    nb_seq_t ack[END_SENT_MAX];
    uint16_t window[END_SENT_MAX];
};

/* Rows of two segments, joined or not, in bursts of their own. */
static struct outcome bursts(bool join)
{
    struct one_end *e = established();
    struct outcome o;
    memset(&o, 0, sizeof o);
    for (unsigned i = 0; i < ROWS; i++) {
        struct end_arrival a = segment(1 + 2 * i * SEGMENT, SEGMENT), b = segment(a.seq + SEGMENT, SEGMENT);
        if (join) {
            assert_true(end_arrive_joined(e, &a, &b));
        } else {
            e->no_flush = true;
            end_arrive(e, &a);
            e->no_flush = false;
            end_arrive(e, &b);
        }
        wait_us(e, 1000);
    }
    for (size_t i = 0; i < e->n_received; i++)
        assert_int_equal(e->received[i], end_pattern(i));
    o.info = end_info(e);
    o.n_received = e->n_received;
    o.n_deliveries = n_deliveries;
    for (o.n_sent = 0; o.n_sent < e->n_sent; o.n_sent++) {
        o.ack[o.n_sent] = e->sent[o.n_sent].ack;
        o.window[o.n_sent] = e->sent[o.n_sent].seg.window;
    }
    end_forget_sent(e);
    end_free(e);
    return o;
}

static void test_row_does_what_its_segments_would_do_one_by_one(void **state)
{
    (void)state;
    struct outcome joined = bursts(true), single = bursts(false);
    assert_int_equal(joined.n_deliveries, ROWS);
    assert_int_equal(single.n_deliveries, 2 * ROWS);
    assert_int_equal(joined.n_received, 2 * ROWS * SEGMENT);
    assert_int_equal(single.n_received, joined.n_received);
    assert_int_equal(joined.info.data_segs_in, 2 * ROWS);
    assert_int_equal(joined.info.segs_in, single.info.segs_in);
    assert_int_equal(joined.info.rcv_mss_bytes, SEGMENT);
    assert_memory_equal(&joined.info, &single.info, sizeof joined.info);
    assert_int_equal(joined.n_sent, single.n_sent);
    assert_memory_equal(joined.ack, single.ack, sizeof joined.ack);
    assert_memory_equal(joined.window, single.window, sizeof joined.window);
}

static void test_row_is_one_chain_of_all_its_bytes(void **state)
{
    (void)state;
    struct one_end *e = established();
    struct end_arrival a = segment(1, SEGMENT), b = segment(1 + SEGMENT, SEGMENT);
    b.flags |= PSH;
    assert_true(end_arrive_joined(e, &a, &b));
    assert_int_equal(n_deliveries, 1);
    assert_int_equal(e->n_received, 2 * SEGMENT);
    end_expect(e, ACK, 1, 1 + 2 * SEGMENT, 0);
    end_free(e);
}

/* --- what is not -------------------------------------------------------------------------------- */

/* Both arrive, by themselves. */
static void stay_apart(struct one_end *e, const struct end_arrival *a, const struct end_arrival *b)
{
    assert_false(end_arrive_joined(e, a, b));
    assert_int_equal(n_deliveries, 2);
    assert_int_equal(e->n_received, a->n + b->n);
    end_forget_sent(e);
    end_free(e);
}

static void test_small_segments_stay_apart(void **state)
{
    (void)state;
    struct end_arrival a = segment(1, 100), b = segment(101, 100);
    stay_apart(established(), &a, &b);
}

static void test_segments_of_two_lengths_stay_apart(void **state)
{
    (void)state;
    struct end_arrival a = segment(1, SEGMENT), b = segment(1 + SEGMENT, SEGMENT - 1);
    stay_apart(established(), &a, &b);
}

static void test_segments_of_two_times_stay_apart(void **state)
{
    (void)state;
    struct end_arrival a = segment(1, SEGMENT), b = segment(1 + SEGMENT, SEGMENT);
    b.ts_value++;
    stay_apart(established(), &a, &b);
}

static void test_segments_that_offer_two_windows_stay_apart(void **state)
{
    (void)state;
    struct end_arrival a = segment(1, SEGMENT), b = segment(1 + SEGMENT, SEGMENT);
    a.window = 1000;
    b.window = 2000;
    stay_apart(established(), &a, &b);
}

static void test_segments_that_acknowledge_differently_stay_apart(void **state)
{
    (void)state;
    struct one_end *e = established();
    end_write_n(e, 10);
    struct end_arrival a = segment(1, SEGMENT), b = segment(1 + SEGMENT, SEGMENT);
    b.ack += 10;
    stay_apart(e, &a, &b);
}

static void test_fin_stays_apart_and_is_seen(void **state)
{
    (void)state;
    struct one_end *e = established();
    struct end_arrival a = segment(1, SEGMENT), b = segment(1 + SEGMENT, SEGMENT);
    b.flags |= NB_TCP_FIN;
    assert_false(end_arrive_joined(e, &a, &b));
    assert_int_equal(e->n_peer_closed, 1);
    assert_int_equal(e->n_received, 2 * SEGMENT);
    end_forget_sent(e);
    end_free(e);
}

/* Each duplicate ACK counts for a sender that repairs. */
static void test_segments_behind_a_gap_stay_apart_and_are_answered_one_by_one(void **state)
{
    (void)state;
    struct one_end *e = established();
    struct end_arrival a = segment(1 + SEGMENT, SEGMENT), b = segment(1 + 2 * SEGMENT, SEGMENT);
    assert_false(end_arrive_joined(e, &a, &b));
    end_expect(e, ACK, 1, 1, 0);
    end_expect(e, ACK, 1, 1, 0);
    end_nothing_sent(e);
    assert_int_equal(end_info(e).out_of_order_received, 2);
    end_free(e);
}

/* Then there may be room for one and not for two. */
static void test_segments_stay_apart_while_something_is_unread(void **state)
{
    (void)state;
    struct one_end *e = established();
    e->hold = true;
    struct end_arrival first = segment(1, SEGMENT), a = segment(1 + SEGMENT, SEGMENT),
                       b = segment(1 + 2 * SEGMENT, SEGMENT);
    end_arrive(e, &first);
    assert_false(end_arrive_joined(e, &a, &b));
    assert_int_equal(n_deliveries, 3);
    end_forget_sent(e);
    end_free(e);
}

static void test_row_ends_where_the_window_does(void **state)
{
    (void)state;
    struct one_end *e = established();
    e->tcb->rcv_adv = e->tcb->rcv_nxt + 2 * SEGMENT - 1; /* as a slow reader would have it */
    struct end_arrival a = segment(1, SEGMENT), b = segment(1 + SEGMENT, SEGMENT);
    assert_false(end_arrive_joined(e, &a, &b));
    assert_int_equal(e->n_received, 2 * SEGMENT - 1);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_does_what_its_segments_would_do_one_by_one),
        cmocka_unit_test(test_row_is_one_chain_of_all_its_bytes),
        cmocka_unit_test(test_small_segments_stay_apart),
        cmocka_unit_test(test_segments_of_two_lengths_stay_apart),
        cmocka_unit_test(test_segments_of_two_times_stay_apart),
        cmocka_unit_test(test_segments_that_offer_two_windows_stay_apart),
        cmocka_unit_test(test_segments_that_acknowledge_differently_stay_apart),
        cmocka_unit_test(test_fin_stays_apart_and_is_seen),
        cmocka_unit_test(test_segments_behind_a_gap_stay_apart_and_are_answered_one_by_one),
        cmocka_unit_test(test_segments_stay_apart_while_something_is_unread),
        cmocka_unit_test(test_row_ends_where_the_window_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
