/* test_listen.c - who accepts a connection, when that is not simply the worker where its SYN arrived. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/tcp/tcp.h"
#include "eal.h"
#include "worker_wire.h"

/* --- SYN cookies ---------------------------------------------------------------------------------------------------
 */

#define COOKIES 16 /* more than a change of RETA has steps */

static struct client cookie[COOKIES];
static unsigned cookies_back;

static void one_half_open(struct nb_runtime_config *c)
{
    c->limits.half_open = 1;
}

static int setup_under_pressure(void **state)
{
    (void)state;
    cookies_back = 0;
    return setup_with(one_half_open);
}

/* A client whose SYN worker 0 has answered without keeping anything. */
static void ask_for_cookie(struct client *c)
{
    uint64_t before = counter(0, NB_COUNTER_SYNCOOKIES_SENT);

    *c = client_at_home(0);
    assert_int_equal(exchange_on(0, c, NB_TCP_SYN, "").seg.flags, NB_TCP_SYN | NB_TCP_ACK);
    assert_int_equal(counter(0, NB_COUNTER_SYNCOOKIES_SENT), before + 1);
}

/* One cookie comes back through each of both queues. */
static void bring_cookies_back(void)
{
    for (unsigned queue = 0; queue < 2; queue++) {
        struct client *c = &cookie[cookies_back++];

        send_on(queue, c, NB_TCP_ACK, "");
        settle();
        receive_nothing();
        echo_on(queue, c, "remembered");
    }
}

static void test_cookie_of_one_worker_opens_at_another_in_every_step_of_a_reta_change(void **state)
{
    struct client first = client_at_home(0);
    uint16_t reta[RETA_SIZE];

    (void)state;
    exchange_on(0, &first, NB_TCP_SYN, ""); /* the one that may be half-open */
    for (unsigned i = 0; i < COOKIES; i++)
        ask_for_cookie(&cookie[i]);
    all_to(reta, 1);
    change_reta(reta, false, bring_cookies_back);
    assert_int_equal(total(NB_COUNTER_SYNCOOKIES_RETURNED), cookies_back);
    assert_true(counter(1, NB_COUNTER_SYNCOOKIES_RETURNED) > 0); /* which has sent none */
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
}

/* --- Fast Open -----------------------------------------------------------------------------------------------------
 */

static void fast_open(struct nb_runtime_config *c)
{
    c->tcp.fast_open = 8;
}

static int setup_fast_open(void **state)
{
    (void)state;
    return setup_with(fast_open);
}

static void test_fast_open_cookie_of_one_worker_is_good_at_another(void **state)
{
    const struct nb_cookie request = {0};
    struct client asks = client_at_home(0), fast = client_at_home(1);
    struct nb_cookie given;
    struct reply r;

    (void)state;
    asks.cookie = &request;
    given = exchange_on(0, &asks, NB_TCP_SYN, "").seg.cookie;
    assert_int_equal(given.bytes, 8);
    assert_int_equal(diary.accepted, 0);
    fast.cookie = &given;
    r = exchange_on(1, &fast, NB_TCP_SYN, "early");
    assert_int_equal(r.seg.ack, fast.seq);
    assert_int_equal(diary.accepted, 1);
    assert_true(receive(&fast, &r)); /* the answer does not wait for the handshake, either */
    assert_string_equal(r.text, "early");
    send_on(1, &fast, NB_TCP_ACK, "");
    settle();
    echo_on(1, &fast, "later");
}

/* --- distribution --------------------------------------------------------------------------------------------------
 */

static uint32_t entries(void)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < WORKERS; i++)
        n += rt->worker[i]->registry.entries + nb_flow_count(rt->worker[i]->registry.away);
    return n;
}

/* Every flow that a worker once told a home of is looked at again. */
static void sweep(void)
{
    for (unsigned i = 0; i < 64; i++) {
        now_us += NB_SWEEP_US;
        settle();
    }
}

static void expect_nothing_bad(void)
{
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
    assert_int_equal(total(NB_COUNTER_MISDIRECTED), 0);
    assert_int_equal(total(NB_COUNTER_DROP_TWO_HOPS), 0);
    assert_int_equal(total(NB_COUNTER_RETRANSMITTED), 0);
}

static void in_turn(struct nb_runtime_config *c)
{
    c->listener[0].distribution = NB_DISTRIBUTE_ROUND_ROBIN;
}

static int setup_in_turn(void **state)
{
    (void)state;
    return setup_with(in_turn);
}

#define EACH 3

static void open_in_turn(struct client c[EACH * WORKERS])
{
    for (unsigned i = 0; i < EACH * WORKERS; i++) {
        c[i] = client_at_home(0);
        open_on(0, &c[i]);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(flow_count(i), EACH);
}

static void test_in_turn_every_worker_accepts_as_many_and_nothing_remains(void **state)
{
    struct client c[EACH * WORKERS];

    (void)state;
    open_in_turn(c);
    assert_int_equal(counter(0, NB_COUNTER_HANDED_OVER), EACH * (WORKERS - 1));
    for (unsigned i = 0; i < EACH * WORKERS; i++) {
        echo_on(0, &c[i], "at home or not");
        echo_on(i % WORKERS, &c[i], "as by a rule");
    }
    for (unsigned i = 0; i < EACH * WORKERS; i++)
        close_on(0, &c[i]);
    sweep();
    assert_int_equal(entries(), 0);
    expect_nothing_bad();
}

static void test_repeated_syn_finds_the_worker_that_has_it(void **state)
{
    struct client c, twice;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        c = twice = client_at_home(0);
        exchange_on(0, &c, NB_TCP_SYN, "");
        assert_int_equal(exchange_on(0, &twice, NB_TCP_SYN, "").seg.flags, NB_TCP_SYN | NB_TCP_ACK);
        assert_int_equal(twice.ack, c.ack);
        send_on(0, &c, NB_TCP_ACK, "");
        settle();
        assert_int_equal(flow_count(i), 1);
    }
    assert_int_equal(diary.accepted, WORKERS);
}

static struct client spread[EACH * WORKERS];

static void spread_echo(void)
{
    for (unsigned i = 0; i < EACH * WORKERS; i++)
        for (unsigned queue = 0; queue < WORKERS; queue++)
            echo_on(queue, &spread[i], "wherever");
}

static void test_flows_accepted_elsewhere_survive_every_step_of_a_reta_change(void **state)
{
    uint16_t reta[RETA_SIZE], before[RETA_SIZE];

    (void)state;
    for (unsigned i = 0; i < RETA_SIZE; i++)
        before[i] = nic.reta.queue[i];
    open_in_turn(spread);
    for (uint16_t queue = 0; queue < WORKERS; queue++) {
        all_to(reta, queue);
        change_reta(reta, false, spread_echo);
    }
    change_reta(before, false, spread_echo);
    for (unsigned i = 0; i < EACH * WORKERS; i++)
        close_on(0, &spread[i]);
    sweep();
    assert_int_equal(entries(), 0);
    expect_nothing_bad();
}

static void one_half_open_in_turn(struct nb_runtime_config *c)
{
    c->limits.half_open = 1;
    in_turn(c);
}

static int setup_under_pressure_in_turn(void **state)
{
    (void)state;
    return setup_with(one_half_open_in_turn);
}

/* SYNs that nothing comes of leave no entry behind, and a cookie is good at home whoever made it. */
static void test_cookies_that_others_made_are_taken_and_leave_no_entries(void **state)
{
    struct client half[WORKERS], c[WORKERS];

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        half[i] = client_at_home(0);
        exchange_on(0, &half[i], NB_TCP_SYN, "");
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        c[i] = client_at_home(0);
        exchange_on(0, &c[i], NB_TCP_SYN, "");
        assert_int_equal(counter(i, NB_COUNTER_SYNCOOKIES_SENT), 1);
        send_on(0, &c[i], NB_TCP_ACK, "");
        settle();
        echo_on(0, &c[i], "cookie");
    }
    assert_int_equal(rt->worker[0]->registry.entries, WORKERS - 1); /* of those half-open elsewhere */
    expect_nothing_bad();
}

static void least_loaded(struct nb_runtime_config *c)
{
    c->listener[0].distribution = NB_DISTRIBUTE_LEAST_LOADED;
}

static int setup_least_loaded(void **state)
{
    (void)state;
    return setup_with(least_loaded);
}

static void test_least_loaded_evens_out_what_rss_does_not_and_leaves_the_rest_at_home(void **state)
{
    uint64_t before;

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        struct client c = client_at_home(0);

        open_on(0, &c);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_in_range(flow_count(i), 9, 12);
    before = total(NB_COUNTER_HANDED_OVER);
    assert_in_range(before, 18, 21);
    for (unsigned i = 0; i < 10 * WORKERS; i++) {
        struct client c = client_at_home(i % WORKERS);

        open_on(i % WORKERS, &c);
    }
    assert_in_range(total(NB_COUNTER_HANDED_OVER) - before, 0, 2);
    expect_nothing_bad();
}

/* --- the application's choice --------------------------------------------------------------------------------------
 */

static unsigned chosen;

static unsigned choose_worker(struct nb_worker *w, void *state, const struct nb_flow_key *key)
{
    (void)state;
    assert_int_equal(key->local_port, PORT);
    assert_int_equal(nb_worker_count(w), WORKERS);
    return chosen;
}

static void answer(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state, (void)user;
    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    assert_int_equal(nb_conn_send(w, c, data), 0);
}

/* What comes to worker 0 is given to worker 2 as soon as it is there. */
static bool accept_and_give(struct nb_worker *w, void *state, struct nb_conn c)
{
    (void)state;
    assert_int_equal(nb_conn_move(w, c, nb_worker_index(w)), -EINVAL);
    assert_int_equal(nb_conn_move(w, c, WORKERS), -EINVAL);
    assert_int_equal(nb_conn_move(w, (struct nb_conn){0}, 1), -ENOTCONN);
    if (nb_worker_index(w) == 0)
        assert_int_equal(nb_conn_move(w, c, 2), 0);
    return true;
}

static const struct nb_app choosy = {.abi = NB_APP_ABI,
                                     .name = "choosy",
                                     .choose_worker = choose_worker,
                                     .on_accept = accept_and_give,
                                     .on_data = answer};

static void by_application(struct nb_runtime_config *c)
{
    c->listener[0].app = &choosy;
    c->listener[0].distribution = NB_DISTRIBUTE_APPLICATION;
}

static int setup_by_application(void **state)
{
    (void)state;
    return setup_with(by_application);
}

static void test_application_chooses_the_worker_or_leaves_it_at_home(void **state)
{
    const unsigned choice[] = {2, 1, WORKERS, 77}, owner[] = {2, 1, 1, 1};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct client c = client_at_home(1);
        unsigned before = flow_count(owner[i]);

        chosen = choice[i];
        open_on(1, &c);
        assert_int_equal(flow_count(owner[i]), before + 1);
        echo_on(1, &c, "chosen");
    }
    expect_nothing_bad();
}

static void test_application_gives_away_what_it_has_accepted(void **state)
{
    struct client c = client_at_home(0);

    (void)state;
    chosen = 0;
    open_on(0, &c);
    assert_int_equal(flow_count(0), 0);
    assert_int_equal(only_flow(2).moves, 1);
    echo_on(0, &c, "given");
    expect_nothing_bad();
}

static void test_application_without_a_choice_is_refused_with_what_is_accepted(void **state)
{
    struct nb_error err = {0};

    (void)state;
    now_us = 1000;
    nb_test_port_open(&wire, WORKERS, 1024);
    make_config();
    config.listener[0].distribution = NB_DISTRIBUTE_APPLICATION;
    assert_int_equal(nb__engine_start_stepped(&config, now_us, &rt, &err), -EINVAL);
    assert_non_null(strstr(err.text, "accepted: home, least_loaded, round_robin"));
    nb_test_port_close(&wire);
}

/* --- nothing shared ------------------------------------------------------------------------------------------------
 */

/* Letters that workers have written to each other. */
static uint32_t letters(void)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < WORKERS * WORKERS; i++)
        if (i / WORKERS != i % WORKERS)
            n += nb_mail_count(rt->post, i / WORKERS, i % WORKERS);
    return n;
}

static void one_connection(unsigned home, unsigned queue)
{
    struct client c = client_at_home(home);

    open_on(queue, &c);
    echo_on(queue, &c, "a request");
    close_on(queue, &c);
}

static void test_connection_at_home_costs_no_letter_and_one_that_is_not_does(void **state)
{
    uint32_t before;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) /* each finds its neighbour once */
        one_connection(i, i);
    before = letters();
    for (unsigned i = 0; i < 10 * WORKERS; i++)
        one_connection(i % WORKERS, i % WORKERS);
    sweep();
    assert_int_equal(letters(), before);
    one_connection(0, 1);
    assert_true(letters() > before);
}

/* --- workers that do not accept ------------------------------------------------------------------------------------
 */

static void set_accepting(unsigned worker, bool on)
{
    assert_int_equal(nb_worker_accept(rt->worker[worker], &diary, on), 0);
    assert_int_equal(nb_runtime_not_accepting(rt, 0) >> worker & 1, !on);
}

static void test_connections_of_a_worker_that_does_not_accept_are_served_by_another(void **state)
{
    struct client c;

    (void)state;
    set_accepting(0, false);
    for (unsigned i = 0; i < 4; i++) {
        c = client_at_home(0);
        open_on(0, &c);
        echo_on(0, &c, "in its place");
    }
    assert_int_equal(flow_count(1), 4);
    set_accepting(0, true);
    c = client_at_home(0);
    open_on(0, &c);
    assert_int_equal(flow_count(0), 1);
    assert_int_equal(nb_worker_accept(rt->worker[0], &c, false), -EINVAL);
    expect_nothing_bad();
}

static void test_where_nobody_accepts_syns_are_dropped_and_succeed_later(void **state)
{
    struct client c = client_at_home(0), again = c;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        set_accepting(i, false);
    send_on(0, &c, NB_TCP_SYN, "");
    settle();
    receive_nothing();
    assert_int_equal(counter(0, NB_COUNTER_DROP_NOT_ACCEPTING), 1);
    set_accepting(2, true);
    open_on(0, &again);
    echo_on(0, &again, "at last");
    assert_int_equal(flow_count(2), 1);
    expect_nothing_bad();
}

/* Between SYN-ACK and ACK the application stops to accept. The ACK is not taken, what follows it is, elsewhere. */
static void test_handshake_under_way_when_accepting_stops_is_finished_elsewhere(void **state)
{
    struct client c = client_at_home(0);

    (void)state;
    exchange_on(0, &c, NB_TCP_SYN, "");
    set_accepting(0, false);
    send_on(0, &c, NB_TCP_ACK, "");
    settle();
    receive_nothing();
    assert_int_equal(counter(0, NB_COUNTER_DROP_NOT_ACCEPTING), 1);
    assert_int_equal(diary.accepted, 0);
    assert_int_equal(only_flow(1).state, NB_TCP_SYN_RECEIVED);
    now_us += 100000;
    echo_on(0, &c, "elsewhere");
    assert_int_equal(diary.accepted, 1);
    assert_int_equal(only_flow(1).state, NB_TCP_ESTABLISHED);
    expect_nothing_bad();
}

static void test_cookie_of_a_worker_that_stops_to_accept_opens_at_another(void **state)
{
    struct client first = client_at_home(0), c;

    (void)state;
    exchange_on(0, &first, NB_TCP_SYN, "");
    ask_for_cookie(&c);
    set_accepting(0, false);
    send_on(0, &c, NB_TCP_ACK, "");
    settle();
    echo_on(0, &c, "remembered");
    assert_int_equal(counter(1, NB_COUNTER_SYNCOOKIES_RETURNED), 1);
    expect_nothing_bad();
}

int main(void)
{
#define T(name, setup_with_it) cmocka_unit_test_setup_teardown(name, setup_with_it, teardown)
    const struct CMUnitTest tests[] = {
        T(test_cookie_of_one_worker_opens_at_another_in_every_step_of_a_reta_change, setup_under_pressure),
        T(test_fast_open_cookie_of_one_worker_is_good_at_another, setup_fast_open),
        T(test_in_turn_every_worker_accepts_as_many_and_nothing_remains, setup_in_turn),
        T(test_repeated_syn_finds_the_worker_that_has_it, setup_in_turn),
        T(test_flows_accepted_elsewhere_survive_every_step_of_a_reta_change, setup_in_turn),
        T(test_cookies_that_others_made_are_taken_and_leave_no_entries, setup_under_pressure_in_turn),
        T(test_least_loaded_evens_out_what_rss_does_not_and_leaves_the_rest_at_home, setup_least_loaded),
        T(test_application_chooses_the_worker_or_leaves_it_at_home, setup_by_application),
        T(test_application_gives_away_what_it_has_accepted, setup_by_application),
        cmocka_unit_test(test_application_without_a_choice_is_refused_with_what_is_accepted),
        T(test_connection_at_home_costs_no_letter_and_one_that_is_not_does, setup),
        T(test_connections_of_a_worker_that_does_not_accept_are_served_by_another, setup),
        T(test_where_nobody_accepts_syns_are_dropped_and_succeed_later, setup),
        T(test_handshake_under_way_when_accepting_stops_is_finished_elsewhere, setup),
        T(test_cookie_of_a_worker_that_stops_to_accept_opens_at_another, setup_under_pressure),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
