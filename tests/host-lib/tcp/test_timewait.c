/* test_timewait.c - TIME-WAIT records: how long, how many, and when a tuple may be used again. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define RST NB_TCP_RST

static void test_record_lives_a_minute_and_the_tuple_is_then_unknown(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_time_wait(e);
    assert_int_equal(nb_tcp_time_waits(e->tcp), 1);
    assert_int_equal(nb_tcp_connections(e->tcp), 0);
    wait_us(e, NB_TIME_WAIT_US - 1);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    wait_us(e, 1);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    assert_int_equal(nb_tcp_time_waits(e->tcp), 0);
    assert_true(nb_tcp_next_us(e->tcp) == UINT64_MAX);
    end_free(e);
}

static void test_repeated_fin_is_acked_and_starts_the_minute_again(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_time_wait(e);
    wait_us(e, 50000000);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2);
    end_expect(e, ACK, 2, 2, 0);
    wait_us(e, 50000000);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    wait_us(e, 10000000);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    end_free(e);
}

static void test_answers_are_rationed(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_time_wait(e);
    for (unsigned i = 0; i < 10; i++)
        arrive(e, .flags = ACK, .seq = 900, .ack = 2, .n = 10);
    end_expect(e, ACK, 2, 2, 0);
    end_nothing_sent(e);
    end_free(e);
}

static void time_wait_with_timestamps(struct one_end *e)
{
    end_established_with(
        e,
        &(struct end_arrival){.flags = SYN, .options = NB_SEG_MSS | NB_SEG_TIMESTAMP, .mss = END_MSS, .ts_value = 500});
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_expect(e, FIN | ACK, 1, 1, 0);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2, .ts_value = 600);
    end_expect(e, ACK, 2, 2, 0);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
}

struct reuse {
    const char *what;
    bool timestamps;
    struct end_arrival syn;
    bool accepted;
};

/* RFC 6191 §2 */
static const struct reuse reuses[] = {
    {"higher sequence number", false, {.flags = SYN, .seq = 5000}, true},
    {"lower sequence number", false, {.flags = SYN, .seq = -5000}, false},
    {"the FIN's own sequence number", false, {.flags = SYN, .seq = 1}, false},
    {"the number expected next", false, {.flags = SYN, .seq = 2}, false},
    {"later timestamp, lower number", true, {.flags = SYN, .seq = -5000, .ts_value = 601}, true},
    {"same timestamp, higher number", true, {.flags = SYN, .seq = 5000, .ts_value = 600}, true},
    {"same timestamp, lower number", true, {.flags = SYN, .seq = -5000, .ts_value = 600}, false},
    {"earlier timestamp, higher number", true, {.flags = SYN, .seq = 5000, .ts_value = 599}, false},
    {"SYN with ACK", false, {.flags = SYN | ACK, .seq = 5000, .ack = 2}, false},
    {"SYN with FIN", false, {.flags = SYN | FIN, .seq = 5000}, false},
};

static void test_syn_takes_the_tuple_over_exactly_when_it_is_surely_new(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof reuses / sizeof reuses[0]; i++) {
        print_message("# %s\n", reuses[i].what);
        struct one_end *e = end_new(NULL);
        if (reuses[i].timestamps)
            time_wait_with_timestamps(e);
        else
            end_time_wait(e);
        end_arrive(e, &reuses[i].syn);
        struct end_packet *p = end_sent(e);
        assert_int_equal(p->flags, reuses[i].accepted ? SYN | ACK : ACK);
        assert_int_equal(end_state(e), reuses[i].accepted ? NB_TCP_SYN_RECEIVED : NB_TCP_TIME_WAIT);
        assert_int_equal(end_counter(e, NB_COUNTER_TIME_WAIT_REUSED), reuses[i].accepted);
        if (reuses[i].accepted)
            assert_true(seq_gt(p->seq, 2)); /* above everything the old one used */
        end_free(e);
    }
}

static void test_iss_of_a_reused_tuple_is_above_the_old_connections(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_time_wait(e);
    struct nb_time_wait *tw = &e->tcp->time_wait.records[0];
    tw->snd_nxt += 0x100000; /* it has sent faster than the ISN clock ticks */
    nb_seq_t old = tw->snd_nxt - e->iss;
    arrive(e, .flags = SYN, .seq = 5000);
    assert_true(seq_gt(end_sent(e)->seq, old));
    end_free(e);
}

static void test_syn_for_a_port_nobody_listens_on_leaves_the_record(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    arrive(e, .flags = SYN | ACK, .ack = 1);
    end_forget_sent(e);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    end_forget_sent(e);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2);
    end_forget_sent(e);
    arrive(e, .flags = SYN, .seq = 5000);
    end_expect(e, ACK, 2, 2, 0);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    end_free(e);
}

/* Bring one more connection, from another port, into TIME-WAIT. */
static void one_more(struct one_end *e, uint16_t port)
{
    e->key.remote_port = port;
    e->iss = nb_isn_of(e->tcp->config.isn_secret, &e->key, e->now).iss;
    arrive(e, .flags = SYN);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2);
    end_forget_sent(e);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
}

static void test_beyond_the_limit_the_oldest_record_goes(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.time_wait = 3});
    end_listen(e);
    for (uint16_t i = 0; i < 4; i++) {
        one_more(e, 1000 + i);
        wait_us(e, 1000000);
    }
    assert_int_equal(nb_tcp_time_waits(e->tcp), 3);
    e->key.remote_port = 1000;
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    e->key.remote_port = 1001;
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    wait_us(e, 57500000); /* they expire one by one */
    assert_int_equal(nb_tcp_time_waits(e->tcp), 2);
    one_more(e, 2000);
    wait_us(e, 70000000);
    assert_int_equal(nb_tcp_time_waits(e->tcp), 0);
    end_free(e);
}

static void test_lookup_made_before_the_record_existed_still_finds_it(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_fin_wait_2(e);
    struct nb_flow_ref before = nb_flow_find(e->flows, &e->key, nb_flow_hash(e->flows, &e->key));
    e->no_flush = true;
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2);
    end_expect(e, ACK, 2, 2, 0);
    struct nb_seg seg = {.key = e->key,
                         .hash = nb_flow_hash(e->flows, &e->key),
                         .seq = e->pss + 1,
                         .ack = e->iss + 2,
                         .flags = FIN | ACK,
                         .window = 100};
    nb_tcp_input(e->tcp, &seg, before, 0, e->now); /* same burst: the TCB is closed, the record answers */
    end_expect(e, ACK, 2, 2, 0);
    end_flush(e);
    end_free(e);
}

static void test_second_syn_of_a_burst_does_not_find_the_record_that_the_first_took_over(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_time_wait(e);
    struct nb_flow_ref before = nb_flow_find(e->flows, &e->key, nb_flow_hash(e->flows, &e->key));
    for (unsigned i = 0; i < 2; i++) {
        struct nb_seg seg = {
            .key = e->key, .hash = nb_flow_hash(e->flows, &e->key), .seq = e->pss + 5000 + 70000 * i, .flags = SYN};
        nb_tcp_input(e->tcp, &seg, before, 0, e->now);
        assert_int_equal(nb_tcp_time_waits(e->tcp), 0);
        assert_int_equal(nb_tcp_connections(e->tcp), 1);
    }
    assert_int_equal(end_sent(e)->flags, SYN | ACK);
    assert_int_equal(end_sent(e)->flags, ACK); /* to the second it is a SYN out of window */
    end_flush(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_lives_a_minute_and_the_tuple_is_then_unknown),
        cmocka_unit_test(test_repeated_fin_is_acked_and_starts_the_minute_again),
        cmocka_unit_test(test_answers_are_rationed),
        cmocka_unit_test(test_syn_takes_the_tuple_over_exactly_when_it_is_surely_new),
        cmocka_unit_test(test_iss_of_a_reused_tuple_is_above_the_old_connections),
        cmocka_unit_test(test_syn_for_a_port_nobody_listens_on_leaves_the_record),
        cmocka_unit_test(test_beyond_the_limit_the_oldest_record_goes),
        cmocka_unit_test(test_second_syn_of_a_burst_does_not_find_the_record_that_the_first_took_over),
        cmocka_unit_test(test_lookup_made_before_the_record_existed_still_finds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
