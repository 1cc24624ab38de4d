/* Port search: the ports found are exactly those that trying each one would find, without trying each one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <netbypass/rss.h>

#include "random_tuple.h"

struct world {
    struct nb_toeplitz toeplitz;
    struct nb_reta reta;
    struct nb_port_solver solver;
    struct nb_tuple tuple;
};

static void build(struct world *w, struct rng *r, const uint8_t *key, uint8_t family, unsigned reta_bits,
                  unsigned queues)
{
    uint16_t queue[NB_RETA_SIZE_MAX];

    for (unsigned i = 0; i < 1u << reta_bits; i++)
        queue[i] = (uint16_t)(rng_below(r, 8) ? i % queues : rng_below(r, queues));
    assert_int_equal(nb_toeplitz_init(&w->toeplitz, key, 40, NULL), 0);
    assert_int_equal(nb_reta_init(&w->reta, queue, 1u << reta_bits, NULL), 0);
    nb_port_solver_init(&w->solver, &w->toeplitz, family == 6, reta_bits);
    w->tuple = rng_tuple(r, family);
}

/* Search the range to its end; every port that leads home, and no other, must come exactly once. */
static void check_range(struct world *w, uint16_t queue, uint16_t first, uint16_t last, uint64_t secret)
{
    static uint8_t found[65536];
    struct nb_port_search search;
    int port;

    memset(found, 0, sizeof found);
    nb_port_search_start(&search, &w->solver, &w->toeplitz, &w->reta, &w->tuple, queue, first, last, secret);
    while ((port = nb_port_search_next(&search)) >= 0) {
        assert_in_range(port, first, last);
        found[port]++;
    }
    assert_int_equal(nb_port_search_next(&search), -1);
    for (uint32_t p = first; p <= last; p++) {
        struct nb_tuple t = w->tuple;
        t.dst_port = (uint16_t)p;
        assert_int_equal(found[p], nb_rss_home_queue(&w->toeplitz, &w->reta, &t) == queue);
    }
}

static void test_random_keys_and_ranges_find_exactly_the_home_ports(void **state)
{
    struct rng r = {6};
    static struct world w;
    (void)state;

    for (int i = 0; i < 150; i++) {
        uint8_t key[40];
        rng_fill(&r, key, sizeof key);
        unsigned queues = rng_below(&r, 64) + 1;
        build(&w, &r, key, i % 2 ? 4 : 6, rng_below(&r, 10), queues);
        uint16_t a = (uint16_t)rng_next(&r), b = (uint16_t)(rng_below(&r, 3) ? rng_next(&r) : a + rng_below(&r, 300));
        check_range(&w, (uint16_t)rng_below(&r, queues), a < b ? a : b, a < b ? b : a, rng_next(&r));
    }
}

static void test_whole_and_smallest_ranges_are_searched_to_the_end(void **state)
{
    struct rng r = {7};
    static struct world w;
    uint8_t key[40];
    (void)state;

    rng_fill(&r, key, sizeof key);
    build(&w, &r, key, 4, 7, 4);
    check_range(&w, 1, 0, 65535, 1);
    check_range(&w, 1, 1, 65534, 2);
    check_range(&w, 1, 32768, 60999, 3);
    check_range(&w, 2, 65535, 65535, 4);
    check_range(&w, 2, 0, 0, 5);
}

static void test_keys_of_low_rank_are_handled(void **state)
{
    struct rng r = {8};
    static struct world w;
    uint8_t key[40];
    (void)state;

    memset(key, 0, sizeof key); /* rank 0: every port has the same hash */
    build(&w, &r, key, 4, 7, 4);
    check_range(&w, w.reta.queue[0], 1000, 3000, 1);
    check_range(&w, 3, 1000, 3000, 1);
    memset(key, 0xff, sizeof key); /* rank 1: parity */
    build(&w, &r, key, 6, 7, 4);
    check_range(&w, 2, 1000, 3000, 1);
    nb_rss_symmetric_key(key, sizeof key, 0x6d5a);
    build(&w, &r, key, 6, 9, 4);
    check_range(&w, 2, 1000, 3000, 1);
}

static void test_queue_without_a_bucket_has_no_port(void **state)
{
    struct rng r = {9};
    static struct world w;
    uint8_t key[40];
    struct nb_port_search search;
    (void)state;

    rng_fill(&r, key, sizeof key);
    build(&w, &r, key, 4, 7, 4);
    for (uint32_t queue = 4; queue < 70000; queue += 127) {
        nb_port_search_start(&search, &w.solver, &w.toeplitz, &w.reta, &w.tuple, (uint16_t)(queue & 0xffff) | 4, 0,
                             65535, 1);
        assert_int_equal(nb_port_search_next(&search), -1);
    }
}

static void test_cost_of_a_port_does_not_grow_with_the_queues(void **state)
{
    struct rng r = {10};
    static struct world w;
    uint8_t key[40];
    struct nb_port_search search;
    (void)state;

    rng_fill(&r, key, sizeof key);
    for (unsigned queues = 1; queues <= 128; queues *= 2) {
        uint32_t steps = 0, ports = 0;
        build(&w, &r, key, 4, 9, queues);
        for (uint64_t secret = 0; secret < 1000; secret++) {
            w.tuple = rng_tuple(&r, 4);
            nb_port_search_start(&search, &w.solver, &w.toeplitz, &w.reta, &w.tuple, (uint16_t)rng_below(&r, queues),
                                 32768, 60999, secret);
            ports += nb_port_search_next(&search) >= 0;
            steps += search.walk;
        }
        assert_int_equal(ports, 1000);
        assert_in_range(steps, 1000, 6000); /* a permutation's domain is at most four times the candidates */
    }
}

static void test_order_depends_on_the_secret_and_spreads(void **state)
{
    struct rng r = {11};
    static struct world w;
    uint8_t key[40];
    unsigned sixteenth[16] = {0}, repeats = 0;
    int before = -1;
    (void)state;

    rng_fill(&r, key, sizeof key);
    build(&w, &r, key, 4, 7, 4);
    for (uint64_t secret = 0; secret < 4096; secret++) {
        struct nb_port_search search;
        nb_port_search_start(&search, &w.solver, &w.toeplitz, &w.reta, &w.tuple, 1, 0, 65535, secret);
        int port = nb_port_search_next(&search);
        assert_true(port >= 0);
        sixteenth[port >> 12]++;
        repeats += port == before;
        before = port;
    }
    for (int i = 0; i < 16; i++)
        assert_in_range(sixteenth[i], 160, 360); /* 256 expected, standard deviation 15.5 */
    assert_in_range(repeats, 0, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_keys_and_ranges_find_exactly_the_home_ports),
        cmocka_unit_test(test_whole_and_smallest_ranges_are_searched_to_the_end),
        cmocka_unit_test(test_keys_of_low_rank_are_handled),
        cmocka_unit_test(test_queue_without_a_bucket_has_no_port),
        cmocka_unit_test(test_cost_of_a_port_does_not_grow_with_the_queues),
        cmocka_unit_test(test_order_depends_on_the_secret_and_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
