/* test_forwarding.c - several workers on one thread in virtual time: segments that arrive at the wrong worker, and
 * changes of RETA with packets in every gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/worker/engine.h"
#include "eal.h"
#include "ring_port.h"
#include "worker_wire.h"

static void test_segments_at_the_wrong_worker_reach_their_owner(void **state)
{
    struct client c = client_at_home(1);
    struct nb_flow_info info;

    (void)state;
    open_on(1, &c);
    echo_on(2, &c, "astray");
    echo_on(0, &c, "again");
    info = only_flow(1);
    assert_int_equal(info.forwarded_packets, 4);
    assert_int_equal(info.queue, 0);
    assert_int_equal(counter(2, NB_COUNTER_FORWARDED_OUT), 2);
    assert_int_equal(counter(0, NB_COUNTER_FORWARDED_OUT), 2);
    assert_int_equal(counter(1, NB_COUNTER_FORWARDED_IN), 4);
    assert_int_equal(counter(1, NB_COUNTER_MISDIRECTED), 4);
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
}

static void test_syn_at_the_wrong_worker_is_accepted_at_home(void **state)
{
    struct client c = client_at_home(1);

    (void)state;
    open_on(2, &c);
    assert_int_equal(flow_count(1), 1);
    assert_int_equal(flow_count(2), 0);
    echo_on(2, &c, "hello");
    close_on(2, &c);
}

static void test_segment_for_nothing_is_reset_by_home_alone(void **state)
{
    struct client c = client_at_home(1);
    struct reply r = exchange_on(2, &c, NB_TCP_ACK, "who?");

    (void)state;
    assert_true(r.seg.flags & NB_TCP_RST);
    assert_int_equal(r.queue, 1);
    assert_int_equal(counter(1, NB_COUNTER_RST_SENT), 1);
    assert_int_equal(total(NB_COUNTER_MISDIRECTED), 0);
    receive_nothing();
}

static void test_port_without_rss_counts_nothing_as_misdirected(void **state)
{
    struct client c = client_at_home(1);

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        nb_rss_set_reta(&rt->worker[i]->port[0].rss, NULL, 0);
    open_on(1, &c);
    assert_int_equal(flow_count(0), 1);
    echo_on(2, &c, "hello");
    assert_int_equal(total(NB_COUNTER_MISDIRECTED), 0);
    assert_true(counter(0, NB_COUNTER_FORWARDED_IN) > 0);
}

static void test_ring_full_drops_and_counts(void **state)
{
    struct client c = client_at_home(1);

    (void)state;
    for (unsigned i = 0; i < NB_MAIL_RING_SIZE + 10; i++)
        send_on(2, &c, NB_TCP_ACK, "");
    while (nb_worker_step(rt->worker[2], now_us))
        ; /* worker 1 does not run meanwhile */
    assert_int_equal(counter(2, NB_COUNTER_FORWARDED_OUT), NB_MAIL_RING_SIZE - 1);
    assert_int_equal(counter(2, NB_COUNTER_DROP_RING_FULL), 11);
    settle();
    assert_int_equal(counter(1, NB_COUNTER_FORWARDED_IN), NB_MAIL_RING_SIZE - 1);
    drain_wire();
}

/* A port whose hash is not Toeplitz, or not with our key, is found out by its first SYN. */
static void test_syn_with_another_hash_makes_the_port_untrusted(void **state)
{
    struct client c = client_at_home(1);
    struct nb_flow_key key = {.local.word = {US},
                              .remote.word = {CLIENT},
                              .local_port = PORT,
                              .remote_port = c.key.local_port,
                              .family = NB_FAMILY_IPV4};
    struct nb_port_info info;
    struct rte_mbuf *m;
    void *p = NULL;

    (void)state;
    for (unsigned wrong = 0; wrong < 2; wrong++) {
        send_on(1, &c, NB_TCP_SYN, "");
        assert_int_equal(rte_ring_dequeue(wire.rx[1], &p), 0);
        m = p;
        m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
        m->hash.rss = nb_rss_hash(&nic, &key) + wrong;
        nb_test_port_inject(&wire, 1, m);
        settle();
        assert_int_equal(nb_runtime_port_info(rt, 0, &info), 0);
        assert_int_equal(info.rss_untrusted, wrong);
        send_on(1, &c, NB_TCP_RST, "");
        settle();
        drain_wire();
        c = client_at_home(1);
        key.remote_port = c.key.local_port;
    }
}

static struct client survivor[WORKERS]; /* one at home at each worker when it was opened */

/* Every connection speaks through the queue that RSS gives it right now, and through each wrong one. */
static void survivors_echo(void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        for (unsigned queue = 0; queue < WORKERS; queue++)
            echo_on(queue, &survivor[i], "still here");
}

/* Connections made while RETA changes, one through every queue at every look; all of them must live on. */
static struct client newcomer[4 * 7 * WORKERS];
static unsigned newcomers;

static void newcomers_echo(unsigned from)
{
    for (unsigned i = from; i < newcomers; i++)
        for (unsigned queue = 0; queue < WORKERS; queue++)
            echo_on(queue, &newcomer[i], "new");
}

static void more_newcomers(void)
{
    for (unsigned queue = 0; queue < WORKERS; queue++) {
        struct client c = client_at_home(nic.reta.queue[newcomers % RETA_SIZE]);

        open_on(queue, &c);
        newcomer[newcomers++] = c;
    }
    newcomers_echo(newcomers > 4 * WORKERS ? newcomers - 4 * WORKERS : 0);
    survivors_echo();
}

static void open_survivors(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        survivor[i] = client_at_home(i);
        open_on(i, &survivor[i]);
    }
}

static uint32_t entries(void)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < WORKERS; i++)
        n += rt->worker[i]->registry.entries;
    return n;
}

static unsigned away(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < WORKERS; i++)
        n += nb_flow_count(rt->worker[i]->registry.away);
    return n;
}

static void test_reta_change_loses_no_flow_in_any_of_its_steps(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    open_survivors();
    for (uint16_t queue = 0; queue < WORKERS; queue++) {
        all_to(reta, queue);
        change_reta(reta, false, survivors_echo);
        assert_int_equal(entries(), WORKERS - 1); /* all but the one that is at home there */
        assert_int_equal(rt->worker[queue]->registry.entries, WORKERS - 1);
        assert_int_equal(away(), WORKERS - 1);
        for (unsigned i = 0; i < WORKERS; i++) {
            assert_int_equal(flow_count(i), 1);
            assert_int_equal(only_flow(i).home_queue, queue);
        }
    }
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
    assert_int_equal(total(NB_COUNTER_DROP_TWO_HOPS), 0);
    assert_int_equal(diary.closed, 0);
}

static void test_reta_change_loses_no_newcomer_in_any_of_its_steps(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    newcomers = 0;
    open_survivors();
    all_to(reta, 2);
    change_reta(reta, false, more_newcomers);
    for (unsigned i = 0; i < RETA_SIZE; i++)
        reta[i] = (uint16_t)((i + 1) % WORKERS);
    change_reta(reta, false, more_newcomers);
    all_to(reta, 0);
    change_reta(reta, true, more_newcomers);
    change_reta(reta, false, more_newcomers); /* the same again, and the port agrees */
    newcomers_echo(0);
    assert_int_equal(newcomers, 4 * 7 * WORKERS);
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
    assert_int_equal(total(NB_COUNTER_DROP_TWO_HOPS), 0);
    assert_int_equal(diary.closed, 0);
}

static void test_flow_that_comes_home_loses_its_entry(void **state)
{
    uint16_t reta[RETA_SIZE], before[RETA_SIZE];

    (void)state;
    open_survivors();
    memcpy(before, nic.reta.queue, sizeof before);
    all_to(reta, 1);
    change_reta(reta, false, send_nothing);
    assert_int_equal(entries(), WORKERS - 1);
    change_reta(before, false, survivors_echo);
    assert_int_equal(entries(), 0);
    assert_int_equal(away(), 0);
}

static void test_reta_refused_by_the_port_leaves_everything_as_it_was(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    open_survivors();
    all_to(reta, 1);
    change_reta(reta, true, survivors_echo);
    assert_int_equal(entries(), 0);
    assert_int_equal(away(), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(only_flow(i).home_queue, i);
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
}

static void test_forwarded_by_entry_is_software_not_misdirected(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    open_survivors();
    all_to(reta, 2);
    change_reta(reta, false, send_nothing);
    now_us += NB_SETTLE_US + 1;
    echo_on(2, &survivor[0], "through home");
    assert_int_equal(total(NB_COUNTER_MISDIRECTED), 0);
    assert_int_equal(only_flow(0).forwarded_packets, 2);
    echo_on(1, &survivor[0], "two hops");
    assert_int_equal(total(NB_COUNTER_DROP_TWO_HOPS), 0);
    assert_int_equal(only_flow(0).forwarded_packets, 4);
    echo_on(0, &survivor[2], "astray"); /* that one is at home at 2 */
    assert_int_equal(total(NB_COUNTER_MISDIRECTED), 2);
}

static void test_entry_of_a_flow_that_ended_is_swept(void **state)
{
    uint16_t reta[RETA_SIZE];

    (void)state;
    open_survivors();
    all_to(reta, 2);
    change_reta(reta, false, send_nothing);
    for (unsigned i = 0; i < WORKERS; i++) {
        send_on(2, &survivor[i], NB_TCP_RST, "");
        settle();
    }
    assert_int_equal(diary.closed, WORKERS);
    for (unsigned i = 0; i < 10; i++) {
        now_us += NB_SWEEP_US;
        settle();
    }
    assert_int_equal(entries(), 0);
    assert_int_equal(away(), 0);
}

/* An entry that outlived its flow: the owner disowns the tuple, home forgets the entry and serves the SYN. */
static void test_stale_entry_heals_when_a_syn_finds_it(void **state)
{
    struct client c = client_at_home(2);
    struct nb_flow_key key = {.local.word = {US},
                              .remote.word = {CLIENT},
                              .local_port = PORT,
                              .remote_port = c.key.local_port,
                              .family = NB_FAMILY_IPV4};

    (void)state;
    nb_registry_put(&rt->worker[2]->registry, &key, 0, 77, 0);
    open_on(2, &c);
    assert_int_equal(flow_count(2), 1);
    assert_int_equal(entries(), 0);
    echo_on(2, &c, "hello");
}

/* The same, arriving at a third worker: the way back would be a third hop. The retransmission finds things settled. */
static void test_stale_entry_found_with_the_last_hop_drops_once(void **state)
{
    struct client c = client_at_home(2);
    struct nb_flow_key key = {.local.word = {US},
                              .remote.word = {CLIENT},
                              .local_port = PORT,
                              .remote_port = c.key.local_port,
                              .family = NB_FAMILY_IPV4};

    (void)state;
    nb_registry_put(&rt->worker[2]->registry, &key, 0, 77, 0);
    send_on(1, &c, NB_TCP_SYN, "");
    settle();
    receive_nothing();
    assert_int_equal(total(NB_COUNTER_DROP_TWO_HOPS), 1);
    assert_int_equal(entries(), 0);
    c.seq--;
    open_on(1, &c);
    assert_int_equal(flow_count(2), 1);
}

/* No room for an entry: home can no longer tell a stranger from a flow it was told of, and keeps silent. */
static void test_entries_overflowing_make_home_silent_about_unknown_segments(void **state)
{
    struct client c = client_at_home(2);

    (void)state;
    rt->worker[2]->registry.overflowed = true;
    send_on(2, &c, NB_TCP_ACK, "mine?");
    settle();
    receive_nothing();
    assert_int_equal(counter(2, NB_COUNTER_DROP_NOT_HOME), 1);
    open_on(2, &c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_segments_at_the_wrong_worker_reach_their_owner),
        T(test_syn_at_the_wrong_worker_is_accepted_at_home),
        T(test_segment_for_nothing_is_reset_by_home_alone),
        T(test_port_without_rss_counts_nothing_as_misdirected),
        T(test_ring_full_drops_and_counts),
        T(test_syn_with_another_hash_makes_the_port_untrusted),
        T(test_reta_change_loses_no_flow_in_any_of_its_steps),
        T(test_reta_change_loses_no_newcomer_in_any_of_its_steps),
        T(test_flow_that_comes_home_loses_its_entry),
        T(test_reta_refused_by_the_port_leaves_everything_as_it_was),
        T(test_forwarded_by_entry_is_software_not_misdirected),
        T(test_entry_of_a_flow_that_ended_is_swept),
        T(test_stale_entry_heals_when_a_syn_finds_it),
        T(test_stale_entry_found_with_the_last_hop_drops_once),
        T(test_entries_overflowing_make_home_silent_about_unknown_segments),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
