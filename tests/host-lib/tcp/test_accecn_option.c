/* test_accecn_option.c - AccECN's option (RFC 9768 §3.2.3), both roles.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK
#define SYN NB_TCP_SYN

/* ACE of a SYN, of a handshake's segment that answers one without a codepoint, of a count that has just begun. */
#define ASKS   7
#define AGREES 2
#define FIRST  5

enum { NOT_ECT, ECT1, ECT0, CE };

/* Flags and ACE of an arrival. */
#define ACE(f, ace) .flags = (uint8_t)((f) | ((ace)&3) << 6), .ae = (ace) >> 2 & 1

#define WITH(number, ...)                                                                                              \
    .accecn = &(struct nb_accecn_option)                                                                               \
    {                                                                                                                  \
        .n = (number), .bytes = { __VA_ARGS__ }                                                                        \
    }

static struct one_end *syn_received(uint32_t ts)
{
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->ecn = NB_ECN_ACCECN;
    end_listen(e);
    arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS, .ts_value = ts);
    return e;
}

static struct one_end *agreed_with(uint32_t ts)
{
    struct one_end *e = syn_received(ts);
    end_forget_sent(e);
    arrive(e, ACE(ACK, AGREES), .seq = 1, .ack = 1, .ts_value = ts, WITH(3, 1, 0, 1));
    end_nothing_sent(e);
    return e;
}

static struct one_end *agreed(void)
{
    return agreed_with(0);
}

static struct one_end *syn_sent(void)
{
    struct one_end *e = end_new(NULL);
    int err = 0;
    nb_tcp_settings(e->tcp)->ecn = NB_ECN_ACCECN;
    e->tcb = nb_tcp_connect(e->tcp, &e->key, e->now, &err);
    assert_non_null(e->tcb);
    return e;
}

/* The next packet that was sent has an option with n numbers, or none. */
static const struct nb_accecn_option *told(struct one_end *e, bool backwards, unsigned n)
{
    const struct nb_seg *seg = &end_sent(e)->seg;
    assert_true(seg->options & NB_SEG_ACCECN);
    assert_int_equal(seg->accecn.backwards, backwards);
    assert_int_equal(seg->accecn.n, n);
    return &seg->accecn;
}

static void told_nothing(struct one_end *e)
{
    assert_false(end_sent(e)->seg.options & NB_SEG_ACCECN);
}

static void assert_counts(const struct nb_accecn_option *o, uint32_t ect0, uint32_t ce, uint32_t ect1)
{
    assert_int_equal(o->bytes[NB_ACCECN_ECT0], ect0);
    assert_int_equal(o->bytes[NB_ACCECN_CE], ce);
    assert_int_equal(o->bytes[NB_ACCECN_ECT1], ect1);
}

/* --- trying the path -------------------------------------------------------------------------- */

static void test_syn_ack_has_one_and_a_repeated_one_ends_it(void **state)
{
    (void)state;
    for (unsigned again = 0; again < 3; again++) { /* not at all, by time-out, by a SYN that comes again */
        struct one_end *e = syn_received(0);
        assert_counts(told(e, false, 3), 1, 0, 1);
        if (again == 1)
            wait_us(e, 1100000);
        if (again == 2)
            arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS);
        if (again)
            told_nothing(e);
        arrive(e, ACE(ACK, AGREES), .seq = 1, .ack = 1);
        arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 1, .n = 500, .ecn = ECT0);
        assert_int_equal(!!(end_sent(e)->seg.options & NB_SEG_ACCECN), !again);
        end_free(e);
    }
}

static void test_syn_has_none_and_one_that_agrees_on_less_gets_none(void **state)
{
    (void)state;
    struct one_end *e = syn_sent();
    told_nothing(e);
    arrive(e, ACE(SYN | ACK, 1), .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS, WITH(3, 1, 0, 1)); /* RFC 3168 */
    told_nothing(e);
    arrive(e, ACE(ACK, 0), .seq = 1, .ack = 1, .n = 500, .ecn = ECT0);
    told_nothing(e);
    end_free(e);
}

static struct one_end *client_with_first_data(void)
{
    struct one_end *e = syn_sent();
    end_forget_sent(e);
    arrive(e, ACE(SYN | ACK, AGREES), .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS, WITH(3, 1, 0, 1));
    assert_counts(told(e, false, 3), 1, 0, 1);
    end_write_n(e, 100);
    assert_counts(told(e, false, 3), 1, 0, 1);
    return e;
}

static void test_clients_first_ack_and_data_have_one(void **state)
{
    (void)state;
    struct one_end *e = client_with_first_data();
    end_write_n(e, 100);
    if (e->n_read < e->n_sent)
        told_nothing(e);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 101, .n = 500, .ecn = ECT0);
    told(e, false, 1);
    end_forget_sent(e);
    end_free(e);
}

static void test_clients_first_data_that_is_lost_goes_without_and_all_that_follows(void **state)
{
    (void)state;
    struct one_end *e = client_with_first_data();
    wait_us(e, 2000000);
    assert_true(e->n_read < e->n_sent);
    while (e->n_read < e->n_sent)
        told_nothing(e);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 101, .n = 500, .ecn = CE);
    told_nothing(e);
    end_free(e);
}

/* --- what we tell ----------------------------------------------------------------------------- */

static void receive(struct one_end *e, nb_seq_t seq, uint32_t n, uint8_t ecn)
{
    arrive(e, ACE(ACK, FIRST), .seq = seq, .ack = 1, .n = n, .ecn = ecn);
}

static void test_each_number_that_ever_changed_is_told_when_one_did(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    receive(e, 1, 700, NOT_ECT);
    told_nothing(e);
    receive(e, 701, 300, ECT0);
    assert_counts(told(e, false, 1), 301, 0, 0);
    receive(e, 1001, 100, CE);
    assert_counts(told(e, false, 2), 301, 100, 0);
    receive(e, 1101, 100, NOT_ECT);
    told_nothing(e);
    receive(e, 1201, 100, ECT0);
    assert_counts(told(e, false, 2), 401, 100, 0);
    receive(e, 1301, 10, ECT1);
    assert_counts(told(e, false, 3), 401, 100, 11);
    receive(e, 1301, 10, ECT1); /* again: not acceptable, it counts no more */
    told_nothing(e);
    end_free(e);
}

static void test_without_ect0_the_other_order_is_shorter(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    receive(e, 1, 300, ECT1);
    assert_counts(told(e, true, 1), 0, 0, 301);
    receive(e, 301, 100, CE);
    assert_counts(told(e, true, 2), 0, 100, 301);
    end_free(e);
}

static void test_two_sack_blocks_go_first_and_a_third_takes_its_place(void **state)
{
    (void)state;
    struct one_end *e = agreed_with(1000);
    for (unsigned holes = 1; holes <= 3; holes++) {
        arrive(e, ACE(ACK, FIRST), .seq = 1 + 200 * holes, .ack = 1, .n = 100, .ecn = ECT0, .ts_value = 1000);
        const struct nb_seg *seg = &end_sent(e)->seg;
        assert_int_equal(seg->n_sack, holes);
        assert_int_equal(!!(seg->options & NB_SEG_ACCECN), holes <= 2);
        assert_int_equal(seg->ts_echo, 1000);
    }
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 1, .n = 600, .ts_value = 1000); /* what was not told is still owed */
    assert_int_equal(told(e, false, 1)->bytes[NB_ACCECN_ECT0], 301);
    end_free(e);
}

/* Largest segments of a peer with MSS 1000: payload and options share them. */
static void test_full_segments_leave_room_for_it_once_there_is_something_to_tell(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    end_write_n(e, 2000);
    assert_int_equal(end_sent(e)->n, 1000);
    assert_int_equal(end_sent(e)->n, 1000);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 2001);
    e->no_flush = true;
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 2001, .n = 10, .ecn = ECT0);
    end_write_n(e, 1984);
    for (unsigned i = 0; i < 2; i++) {
        const struct end_packet *p = end_sent(e);
        assert_int_equal(p->n, 992);
        assert_int_equal(!!(p->seg.options & NB_SEG_ACCECN), i == 0);
    }
    end_free(e);
}

/* --- what the peer tells ---------------------------------------------------------------------- */

/* Marks that are believed when ten segments of 1000 bytes are acknowledged by `marks` in ACE and this option. */
static uint32_t marked_of(unsigned marks, const struct nb_accecn_option *option)
{
    struct one_end *e = agreed();
    end_write_n(e, 10000);
    arrive(e, ACE(ACK, FIRST + marks), .seq = 1, .ack = 10001, .accecn = option);
    uint32_t marked = end_info(e).delivered_ce;
    end_forget_sent(e);
    end_free(e);
    return marked;
}

static uint32_t marked_of_bytes(unsigned marks, uint32_t bytes)
{
    return marked_of(marks, &(struct nb_accecn_option){.n = 2, .bytes = {1, bytes}});
}

static void test_bytes_tell_how_often_ace_has_come_round(void **state)
{
    (void)state;
    assert_int_equal(marked_of(1, NULL), 9); /* for the worse */
    assert_int_equal(marked_of_bytes(1, 1000), 1);
    assert_int_equal(marked_of_bytes(1, 9000), 9);
    assert_int_equal(marked_of_bytes(1, 1001), 9); /* more than one packet can have */
    assert_int_equal(marked_of_bytes(1, 0), 1);    /* a packet without data */
    assert_int_equal(marked_of_bytes(0, 8000), 8);
    assert_int_equal(marked_of_bytes(0, 0), 0);
    assert_int_equal(marked_of(1, &(struct nb_accecn_option){.n = 1, .bytes = {10001}}), 9); /* nothing about CE */
    assert_int_equal(marked_of(1, &(struct nb_accecn_option){.n = 2, .backwards = true, .bytes = {0, 1000, 1}}), 1);
}

static void test_bytes_come_round_too(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    uint32_t last = 0xfffc00;
    e->tcb->history->accecn.s_ceb = 0x1000000 + last;
    end_write_n(e, 10000);
    arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 10001, WITH(2, 1, (last + 9000) & 0xffffff));
    assert_int_equal(end_info(e).delivered_ce, 9);
    end_forget_sent(e);
    end_free(e);
}

/* §3.2.3.2.3: none came with the handshake. What ACE tells counts, and an option that comes all the same. */
static void test_path_that_strips_it_leaves_what_ace_tells(void **state)
{
    (void)state;
    struct one_end *e = syn_received(0);
    end_forget_sent(e);
    arrive(e, ACE(ACK, AGREES), .seq = 1, .ack = 1);
    end_write_n(e, 1000);
    assert_int_equal(end_sent(e)->seg.ecn, ECT0);
    arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 1001);
    assert_int_equal(end_info(e).delivered_ce, 1);
    end_write_n(e, 1000);
    end_forget_sent(e);
    arrive(e, ACE(ACK, FIRST + 2), .seq = 1, .ack = 2001, WITH(2, 1, 2000));
    assert_int_equal(end_info(e).delivered_ce, 2);
    end_free(e);
}

/* §3.2.3.2.4 */
static void test_zeroed_numbers_in_the_handshake_end_belief(void **state)
{
    (void)state;
    for (unsigned zeroed = 0; zeroed < 3; zeroed++) {
        struct one_end *e = syn_received(0);
        arrive(e, ACE(ACK, AGREES), .seq = 1, .ack = 1, WITH(3, zeroed != 0, 0, zeroed != 1));
        end_write_n(e, 10000);
        arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 10001, WITH(2, 1, 1000));
        assert_int_equal(end_info(e).delivered_ce, zeroed < 2 ? 9 : 1);
        end_forget_sent(e);
        end_free(e);
    }
}

/* §3.2.3.2.5 */
static void test_marked_bytes_without_a_marked_packet_end_ect(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    end_write_n(e, 1000);
    assert_int_equal(end_sent(e)->seg.ecn, ECT0);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 1001, WITH(2, 1, 1000));
    end_write_n(e, 1000);
    assert_int_equal(end_sent(e)->seg.ecn, NOT_ECT);
    end_free(e);
}

/* Of two ACKs the first had no room for the option: the bytes are both ACKs'. */
static void test_bytes_of_an_ack_that_had_no_room_count_with_its_marks(void **state)
{
    (void)state;
    for (unsigned marks = 0; marks <= 1; marks++) {
        struct one_end *e = agreed();
        end_write_n(e, 10000);
        end_forget_sent(e);
        arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 1001);
        arrive(e, ACE(ACK, FIRST + 1 + marks), .seq = 1, .ack = marks ? 10001 : 2001, WITH(2, 1, 1000 * (1 + marks)));
        assert_int_equal(end_info(e).delivered_ce, 1 + marks);
        assert_false(e->tcb->history->accecn.no_ect);
        end_forget_sent(e);
        end_free(e);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syn_ack_has_one_and_a_repeated_one_ends_it),
        cmocka_unit_test(test_syn_has_none_and_one_that_agrees_on_less_gets_none),
        cmocka_unit_test(test_clients_first_ack_and_data_have_one),
        cmocka_unit_test(test_clients_first_data_that_is_lost_goes_without_and_all_that_follows),
        cmocka_unit_test(test_each_number_that_ever_changed_is_told_when_one_did),
        cmocka_unit_test(test_without_ect0_the_other_order_is_shorter),
        cmocka_unit_test(test_two_sack_blocks_go_first_and_a_third_takes_its_place),
        cmocka_unit_test(test_full_segments_leave_room_for_it_once_there_is_something_to_tell),
        cmocka_unit_test(test_bytes_tell_how_often_ace_has_come_round),
        cmocka_unit_test(test_bytes_come_round_too),
        cmocka_unit_test(test_path_that_strips_it_leaves_what_ace_tells),
        cmocka_unit_test(test_zeroed_numbers_in_the_handshake_end_belief),
        cmocka_unit_test(test_marked_bytes_without_a_marked_packet_end_ect),
        cmocka_unit_test(test_bytes_of_an_ack_that_had_no_room_count_with_its_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
