/* test_timewait.c - TIME-WAIT records: how long, how many, and when a tuple may be used again. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define RST NB_TCP_RST

#define SLOT_MS ((1u << NB_TIME_WAIT_SLOT_SHIFT) / 1000) /* one that came from elsewhere may end so much late */

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

/* Records of another worker, with so much of their time left. */
static void adopt(struct one_end *e, uint16_t remote_port, uint16_t left_ms)
{
    struct nb_time_wait_pack pack = {.key = e->key, .left_ms = left_ms};
    pack.key.remote_port = remote_port;
    assert_true(nb_tcp_time_wait_adopt(e->tcp, &pack));
}

static void test_records_that_are_adopted_in_any_order_end_when_they_should(void **state)
{
    (void)state;
    static const uint16_t left_ms[] = {30000, 60000, 1, 59000, 15000, 45000, 7};
    struct one_end *e = end_new(NULL);
    for (uint16_t i = 0; i < RTE_DIM(left_ms); i++)
        adopt(e, 1000 + i, left_ms[i]);
    for (unsigned ms = 0; ms < 62000; ms += 500) {
        wait_us(e, 500000);
        for (uint16_t i = 0; i < RTE_DIM(left_ms); i++) {
            e->key.remote_port = 1000 + i;
            if (left_ms[i] > ms + 500)
                assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
            else if (left_ms[i] + SLOT_MS < ms + 500)
                assert_int_equal(end_state(e), NB_TCP_CLOSED);
        }
    }
    assert_int_equal(nb_tcp_time_waits(e->tcp), 0);
    assert_true(nb_tcp_next_us(e->tcp) == UINT64_MAX);
    end_free(e);
}

static void test_adopted_record_beyond_the_limit_takes_the_place_of_the_one_that_ends_first(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.time_wait = 3});
    adopt(e, 1000, 40000);
    adopt(e, 1001, 20000);
    adopt(e, 1002, 30000);
    adopt(e, 1003, 50000);
    assert_int_equal(nb_tcp_time_waits(e->tcp), 3);
    e->key.remote_port = 1001;
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    e->key.remote_port = 1002;
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    end_free(e);
}

static void test_record_comes_out_of_its_pack_as_it_was(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_time_wait_pack pack;
    end_time_wait(e);
    const struct nb_time_wait before = e->tcp->time_wait.records[0];
    wait_us(e, 12345678);
    assert_true(nb_tcp_time_wait_pack(e->tcp, &e->tcp->time_wait.records[0].flow, &pack));
    nb_tcp_time_wait_forget(e->tcp, &e->tcp->time_wait.records[0].flow);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    assert_true(nb_tcp_time_wait_adopt(e->tcp, &pack));
    struct nb_time_wait after = e->tcp->time_wait.records[0];
    assert_true(after.expires_us >= before.expires_us && after.expires_us < before.expires_us + 1000);
    after.expires_us = before.expires_us;
    assert_memory_equal(&after, &before, sizeof after);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2);
    end_expect(e, ACK, 2, 2, 0);
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
        cmocka_unit_test(test_records_that_are_adopted_in_any_order_end_when_they_should),
        cmocka_unit_test(test_adopted_record_beyond_the_limit_takes_the_place_of_the_one_that_ends_first),
        cmocka_unit_test(test_record_comes_out_of_its_pack_as_it_was),
        cmocka_unit_test(test_second_syn_of_a_burst_does_not_find_the_record_that_the_first_took_over),
        cmocka_unit_test(test_lookup_made_before_the_record_existed_still_finds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
