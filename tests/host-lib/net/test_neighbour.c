/* test_neighbour.c - the life of a neighbour in virtual time, and what happens at the table's limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../../host-lib/net/neighbour.h"
#include "eal.h"

#define HOST   0x0a630001 /* any value serves as an address here */
#define AT(n)  (&(struct nb_addr){{n}})
#define SECOND 1000000ull
#define FRESH  ((uint64_t)NB_NEIGHBOUR_FRESH_US)

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static struct rte_mempool *pool;

/* What the table asked its owner to do since the last look. */
static struct {
    unsigned asks, sends, drops, settled;
    bool ask_was_broadcast, settled_ok;
    uint8_t ask_mac[6], send_mac[6], settled_mac[6];
    char sent[NB_NEIGHBOUR_QUEUE]; /* first byte of each packet, in order */
} seen;

static struct nb_neighbours *n;
static uint32_t hint;

static void on_ask(void *arg, unsigned port, uint8_t family, const struct nb_addr *address, const uint8_t *mac)
{
    (void)arg, (void)port, (void)family, (void)address;
    seen.asks++;
    seen.ask_was_broadcast = !mac;
    if (mac)
        memcpy(seen.ask_mac, mac, 6);
}

static void on_send(void *arg, unsigned port, uint8_t family, const uint8_t mac[6], struct rte_mbuf *packet)
{
    (void)arg, (void)port, (void)family;
    seen.sent[seen.sends++ % sizeof seen.sent] = *rte_pktmbuf_mtod(packet, char *);
    memcpy(seen.send_mac, mac, 6);
    rte_pktmbuf_free(packet);
}

static void on_drop(void *arg, struct rte_mbuf *packet)
{
    (void)arg;
    seen.drops++;
    rte_pktmbuf_free(packet);
}

static void on_settled(void *arg, unsigned port, uint8_t family, const struct nb_addr *address, const uint8_t *mac)
{
    (void)arg, (void)port, (void)family, (void)address;
    seen.settled++;
    seen.settled_ok = mac;
    if (mac)
        memcpy(seen.settled_mac, mac, 6);
}

static void forget_seen(void)
{
    memset(&seen, 0, sizeof seen);
}

static int setup(void **state)
{
    const struct nb_neighbour_env env = {.ask = on_ask, .send = on_send, .drop = on_drop, .settled = on_settled};

    (void)state;
    n = nb_neighbours_new(&env, 1);
    hint = NB_NEIGHBOUR_NONE;
    forget_seen();
    return n ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    nb_neighbours_free(n);
    return rte_mempool_full(pool) ? 0 : -1;
}

static void output_to(uint32_t address, char what, uint64_t now_us)
{
    nb_neighbour_output(n, 0, NB_FAMILY_IPV4, AT(address), &hint, nb_test_packet(pool, &what, 1, 0), now_us);
}

static void output(char what, uint64_t now_us)
{
    output_to(HOST, what, now_us);
}

static void heard(const uint8_t mac[6], bool is_answer, uint64_t now_us)
{
    nb_neighbour_heard(n, 0, NB_FAMILY_IPV4, AT(HOST), mac, is_answer, !is_answer, now_us);
}

/* Builder: HOST is REACHABLE at mac_a since now_us, and nothing is remembered. */
static void reachable(uint64_t now_us)
{
    output('0', now_us);
    heard(mac_a, true, now_us);
    forget_seen();
}

static void test_absent_packet_asks_everybody_and_waits(void **state)
{
    (void)state;
    output('1', 5);
    assert_int_equal(seen.asks, 1);
    assert_true(seen.ask_was_broadcast);
    assert_int_equal(seen.sends, 0);
    assert_int_equal(nb_neighbours_next_us(n), 5 + SECOND);
}

static void test_incomplete_answer_sends_in_order(void **state)
{
    (void)state;
    output('1', 0);
    output('2', 1);
    output('3', 2);
    heard(mac_a, true, 3);
    assert_int_equal(seen.sends, 3);
    assert_memory_equal(seen.sent, "123", 3);
    assert_memory_equal(seen.send_mac, mac_a, 6);
    assert_int_equal(seen.asks, 1);
    assert_int_equal(seen.settled, 1);
    assert_memory_equal(seen.settled_mac, mac_a, 6);
    assert_int_equal(nb_neighbours_next_us(n), UINT64_MAX);
}

static void test_incomplete_queue_full_drops_the_oldest(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NB_NEIGHBOUR_QUEUE + 2; i++)
        output((char)('1' + i), 0);
    assert_int_equal(seen.drops, 2);
    heard(mac_a, true, 1);
    assert_int_equal(seen.sends, NB_NEIGHBOUR_QUEUE);
    for (unsigned i = 0; i < NB_NEIGHBOUR_QUEUE; i++)
        assert_int_equal(seen.sent[i], '1' + 2 + i);
}

static void test_incomplete_without_answer_retries_then_gives_up(void **state)
{
    (void)state;
    output('1', 0);
    for (unsigned i = 1; i < NB_NEIGHBOUR_TRIES; i++) {
        nb_neighbours_advance(n, i * SECOND - 1);
        assert_int_equal(seen.asks, i);
        nb_neighbours_advance(n, i * SECOND);
        assert_int_equal(seen.asks, i + 1);
    }
    assert_int_equal(seen.drops, 0);
    nb_neighbours_advance(n, NB_NEIGHBOUR_TRIES * SECOND);
    assert_int_equal(seen.asks, NB_NEIGHBOUR_TRIES);
    assert_int_equal(seen.drops, 1);
    assert_int_equal(seen.settled, 1);
    assert_false(seen.settled_ok);
    assert_int_equal(nb_neighbours_count(n), 0);
}

static void test_reachable_sends_at_once_and_asks_nobody(void **state)
{
    (void)state;
    reachable(0);
    output('1', FRESH - 1);
    assert_int_equal(seen.sends, 1);
    assert_int_equal(seen.asks, 0);
}

static void test_reachable_grown_old_is_probed_while_in_use(void **state)
{
    (void)state;
    reachable(0);
    output('1', FRESH);
    assert_int_equal(seen.sends, 1);
    assert_int_equal(seen.asks, 1);
    assert_false(seen.ask_was_broadcast);
    assert_memory_equal(seen.ask_mac, mac_a, 6);
    output('2', FRESH + 1);
    assert_int_equal(seen.sends, 2);
    assert_int_equal(seen.asks, 1);
}

static void test_probe_answered_is_reachable_again(void **state)
{
    (void)state;
    reachable(0);
    output('1', FRESH);
    heard(mac_a, true, FRESH + 5);
    assert_int_equal(seen.settled, 1);
    assert_int_equal(nb_neighbours_next_us(n), UINT64_MAX);
    forget_seen();
    output('2', 2 * FRESH);
    assert_int_equal(seen.asks, 0);
}

static void test_probe_unanswered_then_answered_by_another_mac_uses_it(void **state)
{
    (void)state;
    reachable(0);
    output('1', FRESH);
    nb_neighbours_advance(n, FRESH + SECOND);
    heard(mac_b, true, FRESH + SECOND + 5);
    output('2', FRESH + SECOND + 6);
    assert_memory_equal(seen.send_mac, mac_b, 6);
    assert_memory_equal(seen.settled_mac, mac_b, 6);
}

static void test_probe_unanswered_asks_everybody_then_forgets(void **state)
{
    (void)state;
    reachable(0);
    output('1', FRESH);
    nb_neighbours_advance(n, FRESH + SECOND);
    assert_int_equal(seen.asks, 2);
    assert_true(seen.ask_was_broadcast);
    nb_neighbours_advance(n, FRESH + 2 * SECOND);
    nb_neighbours_advance(n, FRESH + 3 * SECOND);
    assert_false(seen.settled_ok);
    assert_int_equal(nb_neighbours_count(n), 0);
}

/* The liar answers its own contradiction; the real one is asked before anybody else is believed. */
static void test_reachable_contradicted_twice_keeps_the_mac_that_answers(void **state)
{
    (void)state;
    reachable(0);
    for (unsigned i = 0; i < 5; i++)
        heard(mac_b, true, 2 * SECOND + i);
    assert_int_equal(seen.asks, 1);
    assert_false(seen.ask_was_broadcast);
    assert_memory_equal(seen.ask_mac, mac_a, 6);
    output('1', 2 * SECOND + 10);
    assert_memory_equal(seen.send_mac, mac_a, 6);
    heard(mac_a, true, 2 * SECOND + 20);
    heard(mac_b, true, 2 * SECOND + 21);
    output('2', 2 * SECOND + 30);
    assert_memory_equal(seen.send_mac, mac_a, 6);
    assert_int_equal(nb_neighbours_next_us(n), UINT64_MAX);
}

static void test_reachable_contradicted_and_silent_moves_to_the_other_mac(void **state)
{
    (void)state;
    reachable(0);
    heard(mac_b, false, 2 * SECOND);
    nb_neighbours_advance(n, 3 * SECOND);
    assert_true(seen.ask_was_broadcast);
    heard(mac_b, false, 3 * SECOND); /* said again, still no answer to our question */
    output('1', 3 * SECOND);
    assert_memory_equal(seen.send_mac, mac_a, 6);
    heard(mac_b, true, 3 * SECOND);
    output('2', 3 * SECOND);
    assert_memory_equal(seen.send_mac, mac_b, 6);
}

static void test_reachable_unasked_answer_is_not_believed(void **state)
{
    (void)state;
    reachable(0);
    heard(mac_b, true, 2 * SECOND);
    output('1', 2 * SECOND);
    assert_memory_equal(seen.send_mac, mac_a, 6);
}

static void test_contradictions_cannot_make_us_ask_faster(void **state)
{
    (void)state;
    reachable(0);
    for (uint64_t at = 1; at < SECOND; at += 1000) {
        heard(mac_b, false, at);
        heard(mac_a, true, at); /* the real one defends itself */
    }
    assert_int_equal(seen.asks, 0);
}

static void test_absent_answer_nobody_waits_for_creates_nothing(void **state)
{
    (void)state;
    heard(mac_a, true, 0);
    assert_int_equal(nb_neighbours_count(n), 0);
}

static void test_absent_host_that_asks_for_us_is_learned(void **state)
{
    (void)state;
    heard(mac_a, false, 0);
    output('1', 1);
    assert_int_equal(seen.sends, 1);
    assert_int_equal(seen.asks, 0);
    assert_int_equal(seen.settled, 0);
}

static void test_wanted_answers_now_or_when_it_knows(void **state)
{
    (void)state;
    nb_neighbour_wanted(n, 0, NB_FAMILY_IPV4, AT(HOST), 0);
    assert_int_equal(seen.asks, 1);
    assert_int_equal(seen.settled, 0);
    nb_neighbour_wanted(n, 0, NB_FAMILY_IPV4, AT(HOST), 1);
    assert_int_equal(seen.asks, 1);
    heard(mac_a, true, 2);
    assert_int_equal(seen.settled, 1);
    nb_neighbour_wanted(n, 0, NB_FAMILY_IPV4, AT(HOST), 3);
    assert_int_equal(seen.settled, 2);
    nb_neighbour_wanted(n, 0, NB_FAMILY_IPV4, AT(HOST), 2 + FRESH);
    assert_int_equal(seen.settled, 2);
    assert_int_equal(seen.asks, 2);
}

static void test_told_is_taken_as_it_is(void **state)
{
    (void)state;
    output('1', 0);
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST), mac_a, 1);
    assert_int_equal(seen.sends, 1);
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST), mac_b, 2);
    output('2', 3);
    assert_memory_equal(seen.send_mac, mac_b, 6);
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST), NULL, 4);
    assert_int_equal(nb_neighbours_count(n), 0);
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST), NULL, 5);
}

static void test_told_nobody_drops_what_waits(void **state)
{
    (void)state;
    output('1', 0);
    output('2', 0);
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST), NULL, 1);
    assert_int_equal(seen.drops, 2);
    assert_int_equal(nb_neighbours_next_us(n), UINT64_MAX);
}

static void test_hint_stands_for_a_neighbour_while_it_is_fresh(void **state)
{
    (void)state;
    assert_null(nb_neighbour_recall(n, NB_NEIGHBOUR_NONE, 0));
    output('0', 0);
    assert_null(nb_neighbour_recall(n, hint, 0)); /* nothing known yet */
    heard(mac_a, true, 0);
    assert_memory_equal(nb_neighbour_recall(n, hint, FRESH - 1), mac_a, 6);
    assert_null(nb_neighbour_recall(n, hint, FRESH));
}

static void test_stale_hint_is_noticed(void **state)
{
    uint32_t old;

    (void)state;
    reachable(0);
    old = hint;
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST), NULL, 1);
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST + 1), mac_b, 1); /* takes the entry over */
    output_to(HOST + 1, '1', 1);
    assert_int_not_equal(hint, old);
    assert_null(nb_neighbour_recall(n, old, 1));
    assert_memory_equal(nb_neighbour_recall(n, hint, 1), mac_b, 6);
}

static void test_hints_stand_for_nothing_after_a_change_of_routes(void **state)
{
    (void)state;
    reachable(0);
    nb_neighbours_reroute(n);
    assert_null(nb_neighbour_recall(n, hint, 0));
    output('1', 0); /* finds the neighbour again */
    assert_int_equal(seen.sends, 1);
    assert_non_null(nb_neighbour_recall(n, hint, 0));
}

static void test_same_address_on_two_ports_is_two_neighbours(void **state)
{
    (void)state;
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST), mac_a, 0);
    nb_neighbour_told(n, 1, NB_FAMILY_IPV4, AT(HOST), mac_b, 0);
    nb_neighbour_output(n, 1, NB_FAMILY_IPV4, AT(HOST), &hint, nb_test_packet(pool, "x", 1, 0), 1);
    assert_memory_equal(seen.send_mac, mac_b, 6);
    output('y', 1);
    assert_memory_equal(seen.send_mac, mac_a, 6);
}

static void test_table_full_unanswered_questions_leave_room(void **state)
{
    (void)state;
    reachable(0);
    for (uint32_t i = 1; i <= NB_NEIGHBOUR_MAX; i++)
        output_to(HOST + i, 'x', 1);
    assert_int_equal(nb_neighbours_count(n), 1 + NB_NEIGHBOUR_MAX / 2);
    assert_int_equal(seen.drops, NB_NEIGHBOUR_MAX / 2);
    forget_seen();
    output('1', 2);
    assert_int_equal(seen.sends, 1);
}

/* Many questions with many packets each: past the limit every question keeps its latest packet only. */
static void test_packets_that_wait_are_bounded_in_all(void **state)
{
    const uint32_t asked = 2 * NB_NEIGHBOUR_QUEUED / NB_NEIGHBOUR_QUEUE;

    (void)state;
    for (uint32_t i = 1; i <= asked; i++)
        for (unsigned k = 0; k < NB_NEIGHBOUR_QUEUE; k++)
            output_to(HOST + i, (char)k, 1);
    assert_int_equal(rte_mempool_in_use_count(pool), NB_NEIGHBOUR_QUEUED + asked / 2);
    nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST + asked), mac_a, 2);
    assert_int_equal(seen.sends, 1);
    assert_int_equal(seen.sent[0], NB_NEIGHBOUR_QUEUE - 1);
    for (uint32_t i = 1; i < asked; i++)
        nb_neighbour_told(n, 0, NB_FAMILY_IPV4, AT(HOST + i), NULL, 2);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    for (unsigned k = 0; k < NB_NEIGHBOUR_QUEUE; k++) /* and there is room again */
        output('x', 3);
    assert_int_equal(rte_mempool_in_use_count(pool), NB_NEIGHBOUR_QUEUE);
}

static void test_table_full_hearsay_gives_way_before_what_is_used(void **state)
{
    (void)state;
    reachable(0);
    for (uint32_t i = 1; i <= 3 * NB_NEIGHBOUR_MAX; i++) {
        nb_neighbour_heard(n, 0, NB_FAMILY_IPV4, AT(HOST + i), mac_b, false, true, 1);
        if (i % 100 == 0)
            output('x', 1);
    }
    assert_int_equal(nb_neighbours_count(n), NB_NEIGHBOUR_MAX);
    assert_int_equal(seen.asks, 0); /* HOST was never forgotten */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_absent_packet_asks_everybody_and_waits),
        T(test_incomplete_answer_sends_in_order),
        T(test_incomplete_queue_full_drops_the_oldest),
        T(test_incomplete_without_answer_retries_then_gives_up),
        T(test_reachable_sends_at_once_and_asks_nobody),
        T(test_reachable_grown_old_is_probed_while_in_use),
        T(test_probe_answered_is_reachable_again),
        T(test_probe_unanswered_then_answered_by_another_mac_uses_it),
        T(test_probe_unanswered_asks_everybody_then_forgets),
        T(test_reachable_contradicted_twice_keeps_the_mac_that_answers),
        T(test_reachable_contradicted_and_silent_moves_to_the_other_mac),
        T(test_reachable_unasked_answer_is_not_believed),
        T(test_contradictions_cannot_make_us_ask_faster),
        T(test_absent_answer_nobody_waits_for_creates_nothing),
        T(test_absent_host_that_asks_for_us_is_learned),
        T(test_wanted_answers_now_or_when_it_knows),
        T(test_told_is_taken_as_it_is),
        T(test_told_nobody_drops_what_waits),
        T(test_hint_stands_for_a_neighbour_while_it_is_fresh),
        T(test_stale_hint_is_noticed),
        T(test_hints_stand_for_nothing_after_a_change_of_routes),
        T(test_same_address_on_two_ports_is_two_neighbours),
        T(test_table_full_unanswered_questions_leave_room),
        T(test_packets_that_wait_are_bounded_in_all),
        T(test_table_full_hearsay_gives_way_before_what_is_used),
    };

    nb_test_eal();
    pool = nb_test_pool("neighbour", 1023);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
