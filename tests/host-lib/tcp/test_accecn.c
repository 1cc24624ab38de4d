/* test_accecn.c - more accurate ECN feedback (RFC 9768), both roles.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK
#define SYN NB_TCP_SYN
#define RST NB_TCP_RST

#define ASKS  7 /* ACE of a SYN */
#define FIRST 5 /* of a count that has just begun */

enum { NOT_ECT, ECT1, ECT0, CE };

/* Tables 2 and 3. */
static const uint8_t codes[] = {[NOT_ECT] = 2, [ECT1] = 3, [ECT0] = 4, [CE] = 6};

/* Flags and ACE of an arrival. */
#define ACE(f, ace) .flags = (uint8_t)((f) | ((ace)&3) << 6), .ae = (ace) >> 2 & 1

static struct end_packet *expect(struct one_end *e, uint8_t flags, uint32_t ace, nb_seq_t seq, nb_seq_t ack, uint32_t n)
{
    struct end_packet *p = end_expect(e, (uint8_t)(flags | (ace & 3) << 6), seq, ack, n);
    assert_int_equal(p->seg.ae, ace >> 2 & 1);
    return p;
}

static struct one_end *with_mode(enum nb_ecn_mode mode)
{
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->ecn = mode;
    return e;
}

static void find(struct one_end *e)
{
    e->tcb = (struct nb_tcb *)nb_flow_find(e->flows, &e->key, nb_flow_hash(e->flows, &e->key)).object;
}

static struct one_end *syn_received(void)
{
    struct one_end *e = with_mode(NB_ECN_ACCECN);
    end_listen(e);
    arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS);
    expect(e, SYN | ACK, codes[NOT_ECT], 0, 1, 0);
    return e;
}

static struct one_end *agreed(void)
{
    struct one_end *e = syn_received();
    arrive(e, ACE(ACK, codes[NOT_ECT]), .seq = 1, .ack = 1);
    end_nothing_sent(e);
    assert_true(end_info(e).accecn);
    return e;
}

static struct one_end *syn_sent(enum nb_ecn_mode mode, uint32_t ace)
{
    struct one_end *e = with_mode(mode);
    int err = 0;
    e->tcb = nb_tcp_connect(e->tcp, &e->key, e->now, &err);
    assert_non_null(e->tcb);
    expect(e, SYN, ace, 0, 0, 0);
    return e;
}

/* The codepoint of new data; it is acknowledged with the last count told. */
static uint8_t codepoint_of_data(struct one_end *e, nb_seq_t seq, unsigned ace)
{
    end_write_n(e, 100);
    uint8_t codepoint = end_sent(e)->seg.ecn;
    end_nothing_sent(e);
    arrive(e, ACE(ACK, ace), .seq = 1, .ack = seq + 100);
    end_nothing_sent(e);
    return codepoint;
}

/* --- the handshake ---------------------------------------------------------------------------- */

static uint32_t answer_of_table_2(unsigned ace, unsigned ecn)
{
    if (ace == 0 || (ace == 3 && ecn != NOT_ECT))
        return 0;
    return ace == 3 ? 1 : codes[ecn];
}

static void test_each_syn_gets_the_answer_of_table_2(void **state)
{
    static const enum nb_ecn_mode modes[] = {NB_ECN_ACCECN, NB_ECN_ACCECN_ASK_ECN, NB_ECN_ACCECN_PASSIVE};
    (void)state;
    for (unsigned i = 0; i < 3 * 8 * 4; i++) {
        unsigned ace = i / 4 % 8, ecn = i % 4;
        struct one_end *e = with_mode(modes[i / 32]);
        end_listen(e);
        arrive(e, ACE(SYN, ace), .options = NB_SEG_MSS, .mss = END_MSS, .ecn = (uint8_t)ecn);
        expect(e, SYN | ACK, answer_of_table_2(ace, ecn), 0, 1, 0);
        find(e);
        assert_int_equal(end_info(e).accecn, ace != 0 && ace != 3);
        end_free(e);
    }
}

static void test_without_it_a_syn_that_asks_is_answered_as_rfc_3168(void **state)
{
    (void)state;
    for (unsigned mode = NB_ECN_OFF; mode <= NB_ECN_PASSIVE; mode++) {
        struct one_end *e = with_mode(mode);
        end_listen(e);
        arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS, .mss = END_MSS);
        expect(e, SYN | ACK, mode != NB_ECN_OFF, 0, 1, 0);
        end_free(e);
    }
}

static void test_each_answer_to_our_syn_agrees_on_what_table_2_says(void **state)
{
    (void)state;
    for (unsigned ace = 0; ace < 8; ace++) {
        struct one_end *e = syn_sent(NB_ECN_ACCECN, ASKS);
        bool accurate = ace > 1 && ace < 7, unchanged = ace == 2 || ace == 5;
        arrive(e, ACE(SYN | ACK, ace), .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS);
        expect(e, ACK, accurate ? codes[NOT_ECT] : 0, 1, 1, 0);
        assert_int_equal(end_info(e).accecn, accurate);
        assert_int_equal(end_info(e).ecn, accurate || ace == 1);
        assert_int_equal(end_info(e).cwnd, ace == 6 ? 1 : 10);     /* our SYN was marked */
        uint8_t expected = ace == 1 || unchanged ? ECT0 : NOT_ECT; /* §3.2.2.3 */
        assert_int_equal(codepoint_of_data(e, 1, accurate ? FIRST : 0), expected);
        end_free(e);
    }
}

static void test_what_is_asked_for_is_the_operators_choice(void **state)
{
    (void)state;
    end_free(syn_sent(NB_ECN_ACCECN_ASK_ECN, 3));
    end_free(syn_sent(NB_ECN_ACCECN_PASSIVE, 0));
    end_free(syn_sent(NB_ECN_ON, 3));
}

static void test_second_syn_asks_again_and_the_third_no_more(void **state)
{
    (void)state;
    struct one_end *e = syn_sent(NB_ECN_ACCECN, ASKS);
    wait_us(e, 1100000);
    expect(e, SYN, ASKS, 0, 0, 0);
    wait_us(e, 1100000);
    expect(e, SYN, 0, 0, 0, 0);
    arrive(e, ACE(SYN | ACK, 2), .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS); /* to an earlier one */
    expect(e, ACK, codes[NOT_ECT], 1, 1, 0);
    assert_int_equal(codepoint_of_data(e, 1, FIRST), ECT0);
    end_free(e);
}

static void test_third_syn_ack_is_without_and_ends_ect_but_no_feedback(void **state)
{
    (void)state;
    struct one_end *e = syn_received();
    wait_us(e, 1100000);
    expect(e, SYN | ACK, codes[NOT_ECT], 0, 1, 0);
    wait_us(e, 2100000);
    expect(e, SYN | ACK, 0, 0, 1, 0);
    arrive(e, ACE(ACK, codes[NOT_ECT]), .seq = 1, .ack = 1);
    assert_int_equal(codepoint_of_data(e, 1, FIRST), NOT_ECT);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 101, .n = 1000, .ecn = CE);
    expect(e, ACK, FIRST + 1, 101, 1001, 0);
    end_free(e);
}

static void test_ack_of_the_syn_ack_tells_its_codepoint_before_any_data(void **state)
{
    (void)state;
    for (unsigned ecn = NOT_ECT; ecn <= CE; ecn++) {
        struct one_end *e = syn_sent(NB_ECN_ACCECN, ASKS);
        e->no_flush = true;
        arrive(e, ACE(SYN | ACK, 2), .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS, .ecn = (uint8_t)ecn);
        end_write_n(e, 100);
        expect(e, ACK, codes[ecn], 1, 1, 0);
        expect(e, ACK | NB_TCP_PSH, FIRST + (ecn == CE), 1, 1, 100);
        assert_int_equal(end_info(e).received_ce, ecn == CE);
        end_free(e);
    }
}

static void test_syn_ack_that_comes_again_is_answered_by_its_codepoint(void **state)
{
    (void)state;
    struct one_end *e = syn_sent(NB_ECN_ACCECN, ASKS);
    const struct end_arrival syn_ack = {ACE(SYN | ACK, 2), .ack = 1, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED,
                                        .mss = END_MSS, .ecn = ECT0};
    end_arrive(e, &syn_ack);
    expect(e, ACK, codes[ECT0], 1, 1, 0);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 1, .n = 1000, .ecn = CE);
    expect(e, ACK, FIRST + 1, 1, 1001, 0);
    end_arrive(e, &syn_ack);
    assert_int_equal(expect(e, ACK, codes[ECT0], 1, 1001, 0)->seg.n_sack, 0);
    arrive(e, ACE(ACK, FIRST), .seq = 1001, .ack = 1, .n = 1000);
    expect(e, ACK, FIRST + 1, 1, 2001, 0); /* a count again */
    end_free(e);
}

/* Table 4. */
static void test_each_ack_of_our_syn_ack_means_what_table_4_says(void **state)
{
    (void)state;
    for (unsigned ace = 0; ace < 8; ace++) {
        struct one_end *e = syn_received();
        bool changed = ace == 3 || ace == 4 || ace == 6;
        unsigned count = ace == 6 ? 6 : FIRST;
        arrive(e, ACE(ACK, ace), .seq = 1, .ack = 1);
        assert_int_equal(end_info(e).cwnd, ace == 6 ? 1 : 10);
        assert_int_equal(codepoint_of_data(e, 1, count), ace == 0 || changed ? NOT_ECT : ECT0);
        assert_int_equal(end_info(e).delivered_ce, 0);
        end_write_n(e, 1000);
        end_sent(e);
        arrive(e, ACE(ACK, count + 1), .seq = 1, .ack = 1101);
        assert_int_equal(end_info(e).delivered_ce, ace != 0); /* then it is not to be believed */
        end_free(e);
    }
}

static void test_first_ack_that_brings_data_has_a_count(void **state)
{
    (void)state;
    struct one_end *e = syn_received();
    arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 1, .n = 100);
    end_forget_sent(e);
    assert_int_equal(end_info(e).cwnd, 10);
    end_write_n(e, 100);
    assert_int_equal(end_sent(e)->seg.ecn, ECT0);
    arrive(e, ACE(ACK, FIRST + 2), .seq = 101, .ack = 101); /* our SYN-ACK did not count, and it may have been marked */
    assert_int_equal(end_info(e).delivered_ce, 2);
    end_forget_sent(e);
    end_free(e);
}

static void test_syn_that_comes_again_differently(void **state)
{
    (void)state;
    struct one_end *e = syn_received(); /* without: the client may have given up asking (§3.1.5) */
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = END_MSS, .ecn = ECT1);
    expect(e, SYN | ACK, codes[ECT1], 0, 1, 0);
    arrive(e, ACE(ACK, codes[NOT_ECT]), .seq = 1, .ack = 1);
    assert_int_equal(codepoint_of_data(e, 1, FIRST), NOT_ECT);
    end_free(e);

    e = syn_received(); /* RFC 3168's: the ends could mean different things */
    arrive(e, ACE(SYN, 3), .options = NB_SEG_MSS, .mss = END_MSS);
    assert_int_equal(end_sent(e)->flags & RST, RST);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    end_free(e);

    e = with_mode(NB_ECN_ACCECN); /* the other way round */
    end_listen(e);
    arrive(e, ACE(SYN, 3), .options = NB_SEG_MSS, .mss = END_MSS);
    expect(e, SYN | ACK, 1, 0, 1, 0);
    arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS, .mss = END_MSS);
    assert_int_equal(end_sent(e)->flags & RST, RST);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    end_free(e);
}

static void test_syns_that_cross_agree_as_a_listener_would(void **state)
{
    (void)state;
    struct one_end *e = syn_sent(NB_ECN_ACCECN, ASKS);
    arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS, .mss = END_MSS, .ecn = ECT0);
    expect(e, SYN | ACK, codes[ECT0], 0, 1, 0);
    arrive(e, ACE(SYN | ACK, codes[NOT_ECT]), .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS);
    expect(e, ACK, FIRST, 1, 1, 0);
    assert_true(end_info(e).accecn);
    assert_int_equal(codepoint_of_data(e, 1, FIRST), ECT0);
    end_free(e);
}

static void test_syn_cookie_needs_no_memory_of_it(void **state)
{
    (void)state;
    for (unsigned keeps = 0; keeps < 2; keeps++) {
        struct one_end *e = with_mode(NB_ECN_ACCECN);
        nb_tcp_settings(e->tcp)->syncookies = 2;
        end_listen(e);
        arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS, .mss = END_MSS, .ecn = ECT1);
        struct end_packet *p = end_sent(e);
        assert_int_equal(nb_seg_ace(&p->seg), codes[ECT1]);
        e->iss = p->seg.seq;
        arrive(e, ACE(ACK, keeps ? codes[NOT_ECT] : 0), .seq = 1, .ack = 1);
        assert_int_equal(e->n_accepted, 1);
        assert_int_equal(end_info(e).accecn, keeps);
        assert_int_equal(end_info(e).ecn, keeps);
        end_free(e);
    }
}

/* --- as receiver ------------------------------------------------------------------------------ */

static void test_every_packet_with_ce_is_counted_and_told(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    for (unsigned i = 1; i <= 20; i++) { /* round twice */
        arrive(e, ACE(ACK, FIRST), .seq = 1 + (i - 1) * 1000, .ack = 1, .n = 1000, .ecn = CE);
        expect(e, ACK, FIRST + i, 1, 1 + i * 1000, 0); /* quick ACKs */
        arrive(e, ACE(ACK, FIRST), .seq = 1 + i * 1000, .ack = 1, .ecn = ECT0);
    }
    assert_int_equal(end_info(e).received_ce, 20);
    assert_true(end_info(e).ecn_seen);
    end_free(e);
}

/* A few bytes more make no ACK due, and none is owed. */
static struct one_end *delaying(void)
{
    struct one_end *e = agreed();
    e->hold = true;
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 1, .n = 10, .ecn = ECT0);
    expect(e, ACK, FIRST, 1, 11, 0);
    e->tcb->quick_acks = 0;
    return e;
}

static void test_first_mark_is_told_at_once_and_then_every_second(void **state)
{
    (void)state;
    struct one_end *e = delaying();
    for (unsigned i = 1; i <= 5; i++) {
        arrive(e, ACE(ACK, FIRST), .seq = 1 + 10 * i, .ack = 1, .n = 10, .ecn = CE);
        if (i % 2)
            expect(e, ACK, FIRST + i, 1, 11 + 10 * i, 0);
        end_nothing_sent(e);
    }
    arrive(e, ACE(ACK, FIRST), .seq = 61, .ack = 1, .n = 10, .ecn = ECT0);
    end_nothing_sent(e);
    arrive(e, ACE(ACK, FIRST), .seq = 71, .ack = 1, .n = 10, .ecn = CE);
    expect(e, ACK, FIRST + 6, 1, 81, 0);
    end_free(e);
}

static void test_bare_acks_with_ce_are_counted_and_the_third_is_answered(void **state)
{
    (void)state;
    struct one_end *e = delaying();
    for (unsigned i = 1; i <= 6; i++) {
        arrive(e, ACE(ACK, FIRST), .seq = 11, .ack = 1, .ecn = CE);
        if (i % 3 == 0)
            expect(e, ACK, FIRST + i, 1, 11, 0);
        end_nothing_sent(e);
    }
    end_free(e);
}

/* --- as sender -------------------------------------------------------------------------------- */

static void test_marks_are_counted_and_reduce_the_window_once_a_round_trip(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    end_write_n(e, 100000);
    assert_int_equal(e->n_sent, 10);
    assert_int_equal(end_sent(e)->seg.ecn, ECT0);
    end_forget_sent(e);
    for (unsigned i = 1; i <= 10; i++)
        arrive(e, ACE(ACK, FIRST + i), .seq = 1, .ack = 1 + i * 1000);
    assert_int_equal(end_info(e).ssthresh, 7); /* RFC 9438 §4.6; once, not ten times */
    assert_int_equal(end_info(e).delivered_ce, 10);
    unsigned more = 0;
    while (e->n_read < e->n_sent) { /* the flags are a count of what we received, and no CWR */
        struct end_packet *p = end_sent(e);
        assert_int_equal(nb_seg_ace(&p->seg), FIRST);
        more += p->n / 1000;
    }
    assert_true(more > 0);
    arrive(e, ACE(ACK, FIRST + 10), .seq = 1, .ack = 10001 + 1000);
    assert_int_equal(end_info(e).ssthresh, 7); /* no more marks */
    arrive(e, ACE(ACK, FIRST + 11), .seq = 1, .ack = 10001 + 2000);
    assert_true(end_info(e).ssthresh < 7); /* the next round trip's */
    assert_int_equal(end_info(e).delivered_ce, 11);
    assert_int_equal(end_counter(e, NB_COUNTER_RETRANSMITTED), 0);
    end_forget_sent(e);
    end_free(e);
}

/* An ACK of all ten segments of an initial window, and of ten more. */
static uint32_t marked_of(unsigned first, unsigned second)
{
    struct one_end *e = agreed();
    end_write_n(e, 10000);
    arrive(e, ACE(ACK, FIRST + first), .seq = 1, .ack = 10001);
    uint32_t before = end_info(e).delivered_ce;
    e->tcb->cwnd = 10;
    end_write_n(e, 10000);
    arrive(e, ACE(ACK, FIRST + second), .seq = 1, .ack = 20001);
    uint32_t marked = end_info(e).delivered_ce - before;
    end_forget_sent(e);
    end_free(e);
    return marked;
}

static void test_count_that_may_have_come_round_is_taken_for_the_worse_if_marks_are_about(void **state)
{
    (void)state;
    assert_int_equal(marked_of(0, 0), 0);
    assert_int_equal(marked_of(0, 1), 9); /* or 1; 17 were too many */
    assert_int_equal(marked_of(0, 2), 10);
    assert_int_equal(marked_of(0, 3), 3);
    assert_int_equal(marked_of(2, 2), 8); /* none or eight */
}

static void test_count_of_an_ack_that_may_have_been_overtaken_is_not_read(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    end_write_n(e, 3000);
    end_forget_sent(e);
    arrive(e, ACE(ACK, FIRST + 2), .seq = 1, .ack = 2001);
    assert_int_equal(end_info(e).delivered_ce, 2);
    arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 2001); /* sent before, or is it seven more? */
    arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 1001);
    assert_int_equal(end_info(e).delivered_ce, 2);
    arrive(e, ACE(ACK, FIRST + 3), .seq = 1, .ack = 3001);
    assert_int_equal(end_info(e).delivered_ce, 3);
    end_forget_sent(e);
    end_free(e);
}

static void test_later_timestamp_makes_the_same_acknowledgement_news(void **state)
{
    (void)state;
    struct one_end *e = with_mode(NB_ECN_ACCECN);
    end_listen(e);
    arrive(e, ACE(SYN, ASKS), .options = NB_SEG_MSS, .mss = END_MSS, .ts_value = 1000);
    end_forget_sent(e);
    arrive(e, ACE(ACK, codes[NOT_ECT]), .seq = 1, .ack = 1, .ts_value = 1000);
    end_write_n(e, 2000);
    end_forget_sent(e);
    arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 989, .ts_value = 1001);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 989, .ts_value = 1001);
    assert_int_equal(end_info(e).delivered_ce, 1);
    arrive(e, ACE(ACK, FIRST + 3), .seq = 1, .ack = 989, .ts_value = 1002);
    assert_int_equal(end_info(e).delivered_ce, 3);
    end_forget_sent(e);
    end_free(e);
}

/* §3.2.2.4 */
static void test_zeroed_count_ends_ect_and_belief_but_not_our_feedback(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    assert_int_equal(codepoint_of_data(e, 1, 0), ECT0);
    assert_int_equal(codepoint_of_data(e, 101, 0), NOT_ECT);
    assert_int_equal(codepoint_of_data(e, 201, 1), NOT_ECT);
    assert_int_equal(end_info(e).delivered_ce, 0);
    assert_int_equal(end_info(e).cwnd, 10);
    arrive(e, ACE(ACK, 0), .seq = 1, .ack = 301, .n = 1000, .ecn = CE);
    expect(e, ACK, FIRST + 1, 301, 1001, 0);
    end_free(e);
}

/* A peer that has lost our last ACK would take 0 for three marks. */
static void test_time_wait_goes_on_telling_the_count(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_forget_sent(e);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 2, .n = 100, .ecn = CE);
    end_forget_sent(e);
    arrive(e, ACE(ACK | NB_TCP_FIN, FIRST), .seq = 101, .ack = 2);
    expect(e, ACK, FIRST + 1, 2, 102, 0);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    arrive(e, ACE(ACK | NB_TCP_FIN, FIRST), .seq = 101, .ack = 2);
    expect(e, ACK, FIRST + 1, 2, 102, 0);
    end_free(e);
}

/* §3.2.2.3: what the path makes of our packets does not take away what its bottlenecks do. */
static void test_mangled_syn_ends_ect_and_marks_still_count(void **state)
{
    (void)state;
    struct one_end *e = syn_sent(NB_ECN_ACCECN, ASKS);
    arrive(e, ACE(SYN | ACK, codes[ECT0]), .ack = 1, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS);
    expect(e, ACK, codes[NOT_ECT], 1, 1, 0);
    end_write_n(e, 20000);
    assert_int_equal(end_sent(e)->seg.ecn, NOT_ECT);
    end_forget_sent(e);
    arrive(e, ACE(ACK, FIRST + 1), .seq = 1, .ack = 1001);
    assert_int_equal(end_info(e).ssthresh, 7);
    assert_int_equal(end_info(e).delivered_ce, 1);
    end_forget_sent(e);
    end_free(e);
}

static void test_retransmissions_and_bare_acks_are_not_capable(void **state)
{
    (void)state;
    struct one_end *e = agreed();
    end_write_n(e, 1000);
    assert_int_equal(end_sent(e)->seg.ecn, ECT0);
    wait_us(e, 2000000);
    assert_true(e->n_sent > e->n_read);
    while (e->n_read < e->n_sent)
        assert_int_equal(end_sent(e)->seg.ecn, NOT_ECT);
    arrive(e, ACE(ACK, FIRST), .seq = 1, .ack = 1001, .n = 1000);
    assert_int_equal(end_sent(e)->seg.ecn, NOT_ECT);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_syn_gets_the_answer_of_table_2),
        cmocka_unit_test(test_without_it_a_syn_that_asks_is_answered_as_rfc_3168),
        cmocka_unit_test(test_each_answer_to_our_syn_agrees_on_what_table_2_says),
        cmocka_unit_test(test_what_is_asked_for_is_the_operators_choice),
        cmocka_unit_test(test_second_syn_asks_again_and_the_third_no_more),
        cmocka_unit_test(test_third_syn_ack_is_without_and_ends_ect_but_no_feedback),
        cmocka_unit_test(test_ack_of_the_syn_ack_tells_its_codepoint_before_any_data),
        cmocka_unit_test(test_syn_ack_that_comes_again_is_answered_by_its_codepoint),
        cmocka_unit_test(test_each_ack_of_our_syn_ack_means_what_table_4_says),
        cmocka_unit_test(test_first_ack_that_brings_data_has_a_count),
        cmocka_unit_test(test_syn_that_comes_again_differently),
        cmocka_unit_test(test_syns_that_cross_agree_as_a_listener_would),
        cmocka_unit_test(test_syn_cookie_needs_no_memory_of_it),
        cmocka_unit_test(test_every_packet_with_ce_is_counted_and_told),
        cmocka_unit_test(test_first_mark_is_told_at_once_and_then_every_second),
        cmocka_unit_test(test_bare_acks_with_ce_are_counted_and_the_third_is_answered),
        cmocka_unit_test(test_marks_are_counted_and_reduce_the_window_once_a_round_trip),
        cmocka_unit_test(test_count_that_may_have_come_round_is_taken_for_the_worse_if_marks_are_about),
        cmocka_unit_test(test_count_of_an_ack_that_may_have_been_overtaken_is_not_read),
        cmocka_unit_test(test_later_timestamp_makes_the_same_acknowledgement_news),
        cmocka_unit_test(test_zeroed_count_ends_ect_and_belief_but_not_our_feedback),
        cmocka_unit_test(test_time_wait_goes_on_telling_the_count),
        cmocka_unit_test(test_mangled_syn_ends_ect_and_marks_still_count),
        cmocka_unit_test(test_retransmissions_and_bare_acks_are_not_capable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
