/* test_record.c - TIME-WAIT records follow their flows' home: when buckets move, and when a flow ended away from home.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/tcp/core.h"
#include "eal.h"
#include "worker_wire.h"

#define MANY      700    /* more than a ring has room for, and than a worker looks at between two bursts */
#define ANSWER_US 500000 /* a record answers no more often */

static struct client ended[MANY];
static unsigned n_ended, rounds;

static void with_room(struct nb_runtime_config *c)
{
    c->limits.time_wait = MANY;
}

static int setup_many(void **state)
{
    (void)state;
    n_ended = 0;
    return setup_with(with_room);
}

static uint32_t records(unsigned worker)
{
    return nb_tcp_time_waits(rt->worker[worker]->tcp);
}

static struct nb_flow_key key_of(const struct client *c)
{
    return (struct nb_flow_key){.local.word = {US},
                                .remote.word = {CLIENT},
                                .local_port = PORT,
                                .remote_port = c->key.local_port,
                                .family = NB_FAMILY_IPV4};
}

/* The server closes first, so that it is the one in TIME-WAIT. */
static void end_at(unsigned worker, unsigned queue, struct client *c)
{
    struct nb_flow_info info;
    struct nb_tcb *tcb;
    uint32_t slot = 0;
    struct reply r;

    assert_true(nb_tcp_next_flow(rt->worker[worker]->tcp, &slot, now_us, &info, &tcb));
    assert_int_equal(nb_conn_shutdown(rt->worker[worker], nb_tcb_conn(tcb)), 0);
    settle();
    assert_true(receive(c, &r));
    assert_true(r.seg.flags & NB_TCP_FIN);
    exchange_on(queue, c, NB_TCP_FIN | NB_TCP_ACK, "");
    assert_int_equal(flow_count(worker), 0);
}

static struct client record_at(unsigned worker)
{
    struct client c = client_at_home(worker);

    open_on(worker, &c);
    end_at(worker, worker, &c);
    return c;
}

/* The peer has not heard our last ACK. */
static struct reply late_fin(unsigned queue, struct client *c)
{
    struct reply r;

    c->seq--;
    r = exchange_on(queue, c, NB_TCP_FIN | NB_TCP_ACK, "");
    assert_int_equal(r.seg.flags, NB_TCP_ACK);
    assert_int_equal(r.seg.ack, c->seq);
    return r;
}

static void check_old_home_keeps_nothing(unsigned worker)
{
    assert_int_equal(records(worker), 0);
    assert_int_equal(nb_flow_count(rt->worker[worker]->flows), 0);
    assert_int_equal(nb_flow_count(rt->worker[worker]->registry.away), 0);
}

static void set_accepting(unsigned worker, bool on)
{
    assert_int_equal(nb_worker_accept(rt->worker[worker], &diary, on), 0);
}

/* The same tuple again, by a peer without timestamps: its number tells, and so must ours. */
static void open_anew(unsigned queue, struct client *c, unsigned owner)
{
    nb_seq_t last = c->ack;
    struct reply r;

    c->seq += 1000;
    r = exchange_on(queue, c, NB_TCP_SYN, "");
    assert_int_equal(r.seg.flags, NB_TCP_SYN | NB_TCP_ACK);
    assert_true(seq_gt(r.seg.seq, last));
    echo_on(queue, c, "anew");
    assert_int_equal(flow_count(owner), 1);
    assert_int_equal(total(NB_COUNTER_TIME_WAIT_REUSED), 1);
    assert_int_equal(total(NB_COUNTER_DROP_NOT_ACCEPTING), 0);
    assert_int_equal(total(NB_COUNTER_DROP_TWO_HOPS), 0);
    assert_int_equal(records(0) + records(1) + records(2), 0);
}

static void test_syn_over_a_record_of_a_home_that_does_not_accept_is_answered_by_another(void **state)
{
    struct client c = record_at(0);

    (void)state;
    set_accepting(0, false);
    open_anew(0, &c, 1);
}

/* The record has not gone home yet. */
static struct client record_away_from(unsigned home)
{
    struct client c = client_at_home(home);
    unsigned there = (home + 1) % WORKERS;

    set_accepting(home, false);
    open_on(home, &c);
    end_at(there, home, &c);
    assert_int_equal(records(there), 1);
    return c;
}

static void test_syn_over_a_record_away_from_home_is_answered_there_or_at_home(void **state)
{
    struct client c = record_away_from(0);

    (void)state;
    set_accepting(0, true);
    set_accepting(1, false);
    open_anew(0, &c, 0);
}

static void test_syn_over_a_record_away_from_home_is_answered_by_a_third_worker(void **state)
{
    struct client c = record_away_from(0);

    (void)state;
    set_accepting(1, false);
    open_anew(0, &c, 2);
}

static void test_records_of_a_bucket_that_moves_are_at_its_new_home(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        ended[i] = record_at(i % 2);
    all_to(reta, 2);
    change_reta(reta, false, send_nothing);
    for (unsigned i = 0; i < 2; i++) {
        check_old_home_keeps_nothing(i);
        assert_int_equal(counter(i, NB_COUNTER_TIME_WAIT_OUT), MANY / 2);
    }
    assert_int_equal(records(2), MANY);
    assert_int_equal(nb_flow_count(rt->worker[2]->flows), MANY);
    assert_int_equal(rt->worker[2]->registry.entries, 0);
    assert_int_equal(counter(2, NB_COUNTER_TIME_WAIT_IN), MANY);
    now_us += ANSWER_US;
    settle();
    for (unsigned i = 0; i < MANY; i += 100)
        assert_int_equal(late_fin(2, &ended[i]).queue, 2);
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
    now_us += NB_TIME_WAIT_US + (1 << NB_TIME_WAIT_SLOT_SHIFT);
    settle();
    assert_int_equal(records(2), 0);
}

static void fins_come_late(void)
{
    rounds++;
    now_us += ANSWER_US;
    settle();
    for (unsigned i = 0; i < n_ended; i++)
        late_fin((rounds + i) % WORKERS, &ended[i]);
}

/* By whatever way the peer's last segment comes, and in whichever step, it is acknowledged once and never reset. */
static void test_late_fin_is_acknowledged_in_every_step_of_a_change(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    while (n_ended < WORKERS) {
        ended[n_ended] = record_at(n_ended);
        n_ended++;
    }
    for (uint16_t to = 0; to < WORKERS; to++) {
        all_to(reta, to);
        change_reta(reta, false, fins_come_late);
        assert_int_equal(records(to), WORKERS);
    }
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
    assert_int_equal(total(NB_COUNTER_DROP_TWO_HOPS), 0);
}

static void test_records_stay_when_the_port_refuses_the_table(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    ended[n_ended++] = record_at(0);
    all_to(reta, 2);
    change_reta(reta, true, fins_come_late);
    assert_int_equal(records(0), 1);
    assert_int_equal(total(NB_COUNTER_TIME_WAIT_OUT), 0);
    assert_int_equal(rt->worker[2]->registry.entries, 0);
}

/* RFC 6191: what begins anew does so at the new home, and what does not is told where the old connection ended. */
static void test_tuple_is_used_again_at_the_new_home(void **state)
{
    struct client c = record_at(0);
    const nb_seq_t end = c.seq;
    uint16_t reta[RETA_SIZE];

    (void)state;
    all_to(reta, 2);
    change_reta(reta, false, send_nothing);
    c.seq = end - 100;
    assert_int_equal(exchange_on(2, &c, NB_TCP_SYN, "").seg.flags, NB_TCP_ACK);
    c.seq = end + 5000;
    open_on(2, &c);
    assert_int_equal(counter(2, NB_COUNTER_TIME_WAIT_REUSED), 1);
    assert_int_equal(records(2), 0);
    assert_int_equal(flow_count(2), 1);
    echo_on(2, &c, "again");
}

static void test_record_keeps_its_age(void **state)
{
    struct client c = record_at(0);
    uint16_t reta[RETA_SIZE];

    (void)state;
    (void)c;
    now_us += NB_TIME_WAIT_US - 5000000;
    settle();
    all_to(reta, 2);
    change_reta(reta, false, send_nothing);
    now_us += 4900000;
    settle();
    assert_int_equal(records(2), 1);
    now_us += 200000;
    settle();
    assert_int_equal(records(2), 0);
}

/* --- of a flow that ended away from home
 * ------------------------------------------------------------------------------
 */

static struct client live_away_from_home(void)
{
    struct client c = client_at_home(0);
    uint16_t reta[RETA_SIZE];

    open_on(0, &c);
    all_to(reta, 2);
    change_reta(reta, false, send_nothing);
    return c;
}

static void test_record_that_begins_away_goes_home_a_second_later(void **state)
{
    struct client c = live_away_from_home();

    (void)state;
    end_at(0, 2, &c);
    now_us += NB_TRACE_US / 2;
    settle();
    assert_int_equal(records(0), 1);
    now_us += NB_TRACE_US / 2 + NB_SWEEP_US;
    settle();
    check_old_home_keeps_nothing(0);
    assert_int_equal(records(2), 1);
    assert_int_equal(late_fin(2, &c).queue, 2);
    assert_int_equal(total(NB_COUNTER_MISDIRECTED), 0);
}

/* The home sends a segment on, and then reads the letter with the record: the segment comes back to it. */
static void test_segment_that_misses_the_record_finds_it_at_home(void **state)
{
    struct client c = live_away_from_home();
    const struct nb_flow_key key = key_of(&c);
    struct reply r;

    (void)state;
    end_at(0, 2, &c);
    now_us += ANSWER_US;
    c.seq--;
    send_on(2, &c, NB_TCP_FIN | NB_TCP_ACK, "");
    nb_worker_step(rt->worker[2], now_us);
    assert_int_equal(nb__record_goes_home(rt->worker[0], &key, 2, true), NB_RECORD_GONE);
    settle();
    assert_true(receive(&c, &r));
    assert_int_equal(r.seg.flags, NB_TCP_ACK);
    assert_int_equal(r.queue, 2);
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
    assert_int_equal(nb_flow_count(rt->worker[0]->flows), 0);
}

static void test_record_of_a_tuple_that_is_in_use_again_is_dropped(void **state)
{
    struct client c = client_at_home(2);
    const struct nb_mail mail = {.kind = NB_MAIL_TIME_WAIT, .queue = 1000, .time_wait = {.key = key_of(&c)}};

    (void)state;
    open_on(2, &c);
    nb__record_letter(rt->worker[2], 0, &mail);
    assert_int_equal(records(2), 0);
    assert_int_equal(counter(2, NB_COUNTER_TIME_WAIT_IN), 0);
    echo_on(2, &c, "still here");
}

/* Nothing is sent on, so what a record would answer is answered by no one, until there is room. */
static void test_record_waits_while_the_ring_is_full(void **state)
{
    struct client c = live_away_from_home();
    const struct nb_flow_key key = key_of(&c);
    const struct nb_mail any = {.kind = NB_MAIL_FORWARD_GONE};

    (void)state;
    end_at(0, 2, &c);
    while (nb__mail(rt->worker[0], 2, &any))
        ;
    assert_int_equal(nb__record_goes_home(rt->worker[0], &key, 2, true), NB_RECORD_WAITS);
    assert_int_equal(records(0), 1);
    settle();
    assert_int_equal(nb__record_goes_home(rt->worker[0], &key, 2, true), NB_RECORD_GONE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_many, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_syn_over_a_record_of_a_home_that_does_not_accept_is_answered_by_another),
        T(test_syn_over_a_record_away_from_home_is_answered_there_or_at_home),
        T(test_syn_over_a_record_away_from_home_is_answered_by_a_third_worker),
        T(test_records_of_a_bucket_that_moves_are_at_its_new_home),
        T(test_late_fin_is_acknowledged_in_every_step_of_a_change),
        T(test_records_stay_when_the_port_refuses_the_table),
        T(test_tuple_is_used_again_at_the_new_home),
        T(test_record_keeps_its_age),
        T(test_record_that_begins_away_goes_home_a_second_later),
        T(test_segment_that_misses_the_record_finds_it_at_home),
        T(test_record_of_a_tuple_that_is_in_use_again_is_dropped),
        T(test_record_waits_while_the_ring_is_full),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
