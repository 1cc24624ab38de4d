/* test_move.c - moves where letters are late or find no room, and what is remembered of them; tests/sim/test_moves has
 * the rest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "../../../host-lib/tcp/core.h"
#include "eal.h"
#include "worker_wire.h"

static struct nb_move_ticket ticket;

static void step(unsigned worker)
{
    nb_worker_step(rt->worker[worker], now_us);
}

static void begin_move(unsigned from, unsigned to)
{
    nb_runtime_move_begin(rt, only_flow(from).id, to, &ticket);
}

static bool is_done(void)
{
    return nb_runtime_move_done(&ticket);
}

static void move(unsigned from, unsigned to)
{
    begin_move(from, to);
    for (unsigned i = 0; i < 100 && !is_done(); i++)
        settle();
    assert_true(is_done());
    assert_int_equal(ticket.report.result, 0);
    settle();
}

static struct nb_flow_key key_of(const struct client *c)
{
    return (struct nb_flow_key){.local = c->key.remote,
                                .remote = c->key.local,
                                .local_port = c->key.remote_port,
                                .remote_port = c->key.local_port,
                                .family = c->key.family};
}

static int owner_at(unsigned worker, const struct client *c)
{
    struct nb_flow_key key = key_of(c);
    const struct nb_forward *entry = nb_registry_entry(&rt->worker[worker]->registry, &key);

    return entry ? entry->owner : -1;
}

/* Letters that nobody misses, until there is no room for another. */
static void fill_ring(unsigned from, unsigned to)
{
    const struct nb_mail letter = {.kind = NB_MAIL_FORWARD_GONE};

    while (nb_mail_put(rt->post, from, to, &letter))
        ;
}

/* They are read with whatever comes next. */
static void let_read(unsigned from, unsigned to)
{
    nb_post_ring(rt->post, from, UINT64_C(1) << to);
    settle();
}

static void assert_at_rest(unsigned worker)
{
    const struct nb_worker *w = rt->worker[worker];

    assert_int_equal(w->n_gates, 0);
    assert_int_equal(w->n_holding, 0);
    assert_int_equal(w->moves->n_departures, 0);
    assert_int_equal(w->moves->n_landings, 0);
    assert_int_equal(w->tcp->memory.promised, 0);
}

/* --- what is remembered --------------------------------------------------------------------------------------------
 */

/* The first departure is forgotten at the very moment of the second, whose entry is needed: home does not know yet. */
static void test_entry_of_a_departure_outlives_the_trace_of_an_earlier_one(void **state)
{
    struct client c = client_at_home(2);
    struct reply r;
    uint64_t left_us;

    (void)state;
    open_on(2, &c);
    move(2, 0);
    left_us = now_us;
    move(0, 1);
    move(1, 0);
    now_us = left_us + NB_TRACE_US - 1;
    begin_move(0, 1);
    nb__ring_doorbells(rt->worker[0]);
    step(1); /* READY */
    now_us = left_us + NB_TRACE_US + 1000;
    step(0); /* CARRY */
    assert_int_equal(owner_at(0, &c), 1);
    send_on(2, &c, NB_TCP_ACK | NB_TCP_PSH, "late");
    step(2); /* to worker 0, who has it no more */
    settle();
    assert_true(receive(&c, &r));
    assert_string_equal(r.text, "late");
    receive_nothing();
}

static unsigned betweens;

static void let_traces_expire(void)
{
    if (++betweens == 2) /* announced, and nobody has switched */
        now_us += NB_TRACE_US;
    settle();
}

/* A former owner, which remembers where the flow went, becomes its home, and is told where it is. */
static void test_entry_at_the_next_home_outlives_the_trace_of_a_departure_from_there(void **state)
{
    struct client c = client_at_home(2);
    uint16_t reta[RETA_SIZE];

    (void)state;
    open_on(2, &c);
    move(2, 0);
    move(0, 1);
    all_to(reta, 0);
    betweens = 0;
    change_reta(reta, false, let_traces_expire);
    assert_int_equal(owner_at(0, &c), 1);
    echo_on(0, &c, "home");
}

static struct nb_tcb *tcb_at(unsigned worker)
{
    uint32_t slot = 0;

    return nb_tcp_find_id(rt->worker[worker]->tcp, only_flow(worker).id, &slot, UINT32_MAX);
}

/* More often than half of what the count has room for, before home is a third worker for the first time. */
static void test_home_knows_the_owner_of_a_flow_that_has_moved_very_often(void **state)
{
    struct client c = client_at_home(2);

    (void)state;
    open_on(2, &c);
    tcb_at(2)->moves = INT16_MAX + 10;
    move(2, 0);
    move(0, 1);
    assert_int_equal(owner_at(2, &c), 1);
    now_us += 2 * NB_TRACE_US;
    settle();
    echo_on(2, &c, "far");
}

static void test_next_home_knows_the_owner_of_a_flow_that_has_moved_very_often(void **state)
{
    struct client c = client_at_home(2);
    uint16_t reta[RETA_SIZE];

    (void)state;
    open_on(2, &c);
    tcb_at(2)->moves = INT16_MAX + 10;
    all_to(reta, 0);
    change_reta(reta, false, send_nothing);
    assert_int_equal(owner_at(0, &c), 2);
    move(2, 1);
    assert_int_equal(owner_at(0, &c), 1);
    echo_on(0, &c, "far");
}

/* --- letters -------------------------------------------------------------------------------------------------------
 */

static void test_home_hears_of_a_move_however_long_its_ring_is_full(void **state)
{
    struct client c = client_at_home(2);

    (void)state;
    open_on(2, &c);
    move(2, 0);
    fill_ring(1, 2);
    begin_move(0, 1);
    nb__ring_doorbells(rt->worker[0]);
    for (unsigned i = 0; i < 200; i++) {
        now_us += 1000;
        step(0);
        step(1);
    }
    assert_int_equal(owner_at(2, &c), 0);
    let_read(1, 2);
    assert_int_equal(owner_at(2, &c), 1);
    now_us += NB_GATE_LATE_US;
    settle();
    assert_at_rest(1);
    assert_true(is_done());
    echo_on(2, &c, "told");
}

static void test_place_that_is_promised_too_late_is_given_back_when_the_ring_has_room(void **state)
{
    struct client c = client_at_home(0);

    (void)state;
    open_on(0, &c);
    begin_move(0, 1);
    nb__ring_doorbells(rt->worker[0]);
    now_us += NB_MOVE_ASK_US;
    step(0);
    assert_true(is_done());
    assert_int_equal(ticket.report.result, -EBUSY);
    step(1); /* READY, to nobody */
    fill_ring(0, 1);
    step(0);
    let_read(0, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_at_rest(i);
    move(0, 1);
    echo_on(0, &c, "again");
}

static void test_move_whose_letter_finds_no_room_is_given_up(void **state)
{
    struct client c = client_at_home(0);

    (void)state;
    open_on(0, &c);
    begin_move(0, 1);
    nb__ring_doorbells(rt->worker[0]);
    step(1); /* READY */
    fill_ring(0, 1);
    step(0);
    assert_false(is_done());
    now_us += NB_MOVE_ASK_US;
    step(0);
    assert_true(is_done());
    assert_int_equal(ticket.report.result, -EBUSY);
    let_read(0, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_at_rest(i);
    echo_on(0, &c, "here");
}

/* --- the port ------------------------------------------------------------------------------------------------------
 */

static unsigned refusals;

static uint16_t take_nothing(void *queue, struct rte_mbuf **m, uint16_t n)
{
    (void)queue, (void)m, (void)n;
    return 0;
}

static uint16_t refuse_one(void *queue, struct rte_mbuf **m, uint16_t n)
{
    (void)queue, (void)m;
    rte_errno = EINVAL;
    return refusals++ ? n : 0;
}

/* The former owner waits until its port has taken what the flow sent; what the driver refuses is not waited for. */
static void test_frame_that_the_driver_refuses_does_not_keep_a_departure(void **state)
{
    struct client c = client_at_home(0);
    struct rte_eth_fp_ops *ops;
    eth_tx_burst_t burst;

    (void)state;
    open_on(0, &c);
    ops = &rte_eth_fp_ops[rt->worker[0]->port[0].port_id];
    burst = ops->tx_pkt_burst;
    ops->tx_pkt_burst = take_nothing;
    send_on(0, &c, NB_TCP_ACK | NB_TCP_PSH, "stuck");
    settle();
    begin_move(0, 1);
    for (unsigned i = 0; i < 5; i++)
        settle();
    assert_int_equal(rt->worker[0]->moves->n_departures, 1);
    ops->tx_pkt_burst = burst;
    ops->tx_pkt_prepare = refuse_one;
    refusals = 0;
    rt->worker[0]->port[0].tx_prepare = true;
    settle();
    assert_int_equal(counter(0, NB_COUNTER_DROP_TX_REFUSED), 1);
    assert_int_equal(rt->worker[0]->moves->n_departures, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_entry_of_a_departure_outlives_the_trace_of_an_earlier_one),
        T(test_entry_at_the_next_home_outlives_the_trace_of_a_departure_from_there),
        T(test_home_knows_the_owner_of_a_flow_that_has_moved_very_often),
        T(test_next_home_knows_the_owner_of_a_flow_that_has_moved_very_often),
        T(test_home_hears_of_a_move_however_long_its_ring_is_full),
        T(test_place_that_is_promised_too_late_is_given_back_when_the_ring_has_room),
        T(test_move_whose_letter_finds_no_room_is_given_up),
        T(test_frame_that_the_driver_refuses_does_not_keep_a_departure),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
