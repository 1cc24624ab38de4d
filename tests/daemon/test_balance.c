/* test_balance.c - the planner of the rebalancer: cases that can be counted by hand, small ones against every plan
 * there is, and properties over loads from seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "balance.h"
#include "random.h"

#define ITEMS_MAX 256
#define BAND      NB_BALANCE_BAND
#define GOAL      (BAND / 2)

static struct nb_balance_item item[ITEMS_MAX];
static struct nb_balance_input in;
static struct nb_balance_plan plan;

static void begin(unsigned workers)
{
    memset(&in, 0, sizeof in);
    in.n_workers = workers;
    in.item = item;
    in.band = BAND;
    in.rules = 1000;
}

static void add(enum nb_balance_kind kind, unsigned worker, uint32_t load)
{
    item[in.n_items] = (struct nb_balance_item){.flow = kind == NB_BALANCE_FLOW ? in.n_items + 1 : 0,
                                                .load = load,
                                                .bucket = (uint16_t)in.n_items,
                                                .worker = (uint16_t)worker,
                                                .home = (uint16_t)worker,
                                                .kind = (uint8_t)kind};
    in.n_items++;
    in.load[worker] += load;
}

static uint32_t most_of(const uint32_t load[NB_MAX_WORKERS])
{
    uint32_t most = 0;

    for (unsigned i = 0; i < in.n_workers; i++)
        most = load[i] > most && !in.away[i] ? load[i] : most;
    return most;
}

static bool within(const uint32_t load[NB_MAX_WORKERS], uint32_t limit)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < in.n_workers; i++)
        sum += load[i];
    for (unsigned i = 0; i < in.n_workers; i++)
        if (load[i] > sum / in.n_workers + limit || load[i] + limit < sum / in.n_workers)
            return false;
    return true;
}

/* What the plan says comes of its moves is what comes of them. */
static void carry_out(void)
{
    for (unsigned i = 0; i < plan.n_moves; i++) {
        struct nb_balance_item *moved = &item[plan.move[i].item];

        assert_int_not_equal(moved->worker, plan.move[i].to);
        in.load[moved->worker] -= moved->load;
        in.load[plan.move[i].to] += moved->load;
        in.rules += moved->kind == NB_BALANCE_FLOW && moved->worker != moved->home;
        moved->worker = plan.move[i].to;
        if (moved->kind == NB_BALANCE_FLOW && moved->worker != moved->home) {
            assert_true(in.rules > 0);
            in.rules--;
        }
    }
    assert_memory_equal(in.load, plan.after, in.n_workers * sizeof in.load[0]);
}

/* --- cases that can be counted --------------------------------------------------------------------------------------
 */

static void test_workers_within_the_band_are_left_alone(void **state)
{
    (void)state;
    begin(2);
    for (unsigned i = 0; i < 10; i++)
        add(NB_BALANCE_FLOW, 0, 520);
    for (unsigned i = 0; i < 10; i++)
        add(NB_BALANCE_FLOW, 1, 482);
    nb_balance_plan(&in, &plan); /* 52.0 and 48.2 %: 1.9 from the mean */
    assert_int_equal(plan.n_moves, 0);
    assert_int_equal(plan.spread_before, 380);
    assert_int_equal(plan.spread_after, 380);
    in.load[0] += 40; /* 2.1 from it */
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 0); /* but a flow of 5 % would only turn it round */
}

static void test_eight_equal_flows_on_one_of_four_workers_take_six_moves(void **state)
{
    (void)state;
    begin(4);
    for (unsigned i = 0; i < 8; i++)
        add(NB_BALANCE_FLOW, 0, 1000);
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 6);
    carry_out();
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(in.load[i], 2000);
}

static void test_one_heavy_flow_moves_rather_than_many_light_ones(void **state)
{
    (void)state;
    begin(2);
    for (unsigned i = 0; i < 40; i++)
        add(NB_BALANCE_BUCKET, 0, 100);
    add(NB_BALANCE_FLOW, 0, 4000);
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 1);
    assert_int_equal(plan.move[0].item, 40);
    assert_int_equal(plan.after[1], 4000);
}

static void test_two_moves_are_found_where_greed_fails(void **state)
{
    (void)state;
    begin(2);
    add(NB_BALANCE_BUCKET, 0, 5400); /* evens out most, and then there is no way on */
    add(NB_BALANCE_BUCKET, 0, 3000);
    add(NB_BALANCE_BUCKET, 0, 1800);
    in.load[1] = 600;
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 2);
    carry_out();
    assert_int_equal(in.load[0], 5400);
    assert_int_equal(in.load[1], 5400);
}

static void test_worker_with_one_flow_only_is_left_as_it_is(void **state)
{
    (void)state;
    begin(4);
    add(NB_BALANCE_FLOW, 2, 9000);
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 0);
    assert_int_equal(plan.spread_before, 9000);
}

static void test_work_that_cannot_be_moved_counts_but_stays(void **state)
{
    (void)state;
    begin(2);
    in.load[0] = 3000;
    add(NB_BALANCE_FLOW, 0, 2000);
    add(NB_BALANCE_FLOW, 1, 1000);
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 1);
    assert_int_equal(plan.after[0], 3000);
    assert_int_equal(plan.after[1], 3000);
}

static void test_drained_worker_takes_nothing_and_is_not_in_the_mean(void **state)
{
    (void)state;
    begin(3);
    in.away[1] = true;
    for (unsigned i = 0; i < 4; i++)
        add(NB_BALANCE_FLOW, 0, 1000);
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.mean, 2000);
    assert_int_equal(plan.n_moves, 2);
    for (unsigned i = 0; i < plan.n_moves; i++)
        assert_int_equal(plan.move[i].to, 2);
}

static void test_without_rules_flows_only_go_home(void **state)
{
    (void)state;
    begin(3);
    for (unsigned i = 0; i < 6; i++)
        add(NB_BALANCE_FLOW, 0, 1000);
    in.rules = 0;
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 0);
    item[5].home = 1; /* and leaves its rule behind for another */
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 2);
    assert_int_equal(plan.move[0].item, 5);
    assert_int_equal(plan.move[0].to, 1);
    carry_out();
    assert_int_equal(in.rules, 0);
}

static void test_a_flow_that_no_rule_serves_only_goes_home(void **state)
{
    (void)state;
    begin(3);
    for (unsigned i = 0; i < 3; i++) {
        add(NB_BALANCE_FLOW, 0, 1000);
        item[i].cannot_rule = true;
    }
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 0);
    item[1].home = 1;
    in.rules = 0; /* it had none, and needs none there */
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 1);
    assert_int_equal(plan.move[0].item, 1);
    assert_int_equal(plan.move[0].to, 1);
    add(NB_BALANCE_FLOW, 0, 1000);
    nb_balance_plan(&in, &plan); /* nor does it leave a rule behind */
    assert_int_equal(plan.n_moves, 1);
    assert_int_equal(plan.move[0].item, 1);
}

static void test_nothing_to_move_and_no_workers_are_no_plan(void **state)
{
    (void)state;
    begin(0);
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 0);
    begin(NB_MAX_WORKERS);
    memset(in.away, true, sizeof in.away);
    in.load[3] = 5000;
    nb_balance_plan(&in, &plan);
    assert_int_equal(plan.n_moves, 0);
}

/* --- against every plan there is ------------------------------------------------------------------------------------
 */

#define FEW 6

static uint32_t uneven(const uint32_t load[NB_MAX_WORKERS])
{
    uint32_t sum = load[0] + load[1] + load[2], all = 0;

    for (unsigned i = 0; i < 3; i++)
        all += load[i] > sum / 3 ? load[i] - sum / 3 : sum / 3 - load[i];
    return all;
}

/* The fewest items that are not where they were, over all ways to place FEW items on three workers within the goal,
 * when each move must take away so much unevenness. */
static unsigned fewest_by_trying(uint32_t worth)
{
    unsigned ways = 1, fewest = FEW + 1;

    for (unsigned i = 0; i < FEW; i++)
        ways *= 3;
    for (unsigned way = 0; way < ways; way++) {
        uint32_t load[NB_MAX_WORKERS];
        unsigned moves = 0, rest = way;

        memcpy(load, in.load, sizeof load);
        for (unsigned i = 0; i < FEW; i++, rest /= 3) {
            load[item[i].worker] -= item[i].load;
            load[rest % 3] += item[i].load;
            moves += item[i].worker != rest % 3;
        }
        if (within(load, GOAL) && moves < fewest && uneven(load) + worth * moves <= uneven(in.load))
            fewest = moves;
    }
    return fewest;
}

static void test_small_cases_have_the_fewest_moves_of_all_plans(void **state)
{
    struct rng r = {1};
    unsigned reached = 0, several = 0;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        begin(3);
        for (unsigned k = 0; k < FEW; k++)
            add(NB_BALANCE_BUCKET, rng_below(&r, 3), 100 * (1 + rng_below(&r, 9)));
        if (within(in.load, BAND))
            continue;
        unsigned fewest = fewest_by_trying(0), worth_it = fewest_by_trying(BAND);
        nb_balance_plan(&in, &plan);
        if (!within(plan.after, GOAL)) {
            assert_int_equal(worth_it, FEW + 1);
            continue;
        }
        assert_true(plan.n_moves == fewest || plan.n_moves == worth_it);
        reached++;
        several += fewest > 2;
    }
    assert_true(reached > 50 && several > 10);
}

/* --- properties -----------------------------------------------------------------------------------------------------
 */

/* Heavy flows and light buckets, some of the work immovable; most of it on few workers. */
static void make_loads(struct rng *r)
{
    unsigned workers = 2 + rng_below(r, 15), crowded = 1 + rng_below(r, workers);
    unsigned n = 1 + rng_below(r, ITEMS_MAX - 1);

    begin(workers);
    in.rules = rng_below(r, 40);
    for (unsigned i = 0; i < workers; i++)
        in.load[i] = rng_below(r, 500);
    for (unsigned i = 0; i < n; i++) {
        bool flow = rng_below(r, 8) == 0;
        unsigned worker = rng_below(r, rng_below(r, 4) ? crowded : workers);
        uint32_t load = 1 + rng_below(r, flow ? 2000 : 100);

        if (in.load[worker] + load > NB_BALANCE_FULL)
            continue;
        add(flow ? NB_BALANCE_FLOW : NB_BALANCE_BUCKET, worker, load);
        if (flow)
            item[in.n_items - 1].home = (uint16_t)rng_below(r, workers);
    }
}

static void test_a_plan_is_never_worse_and_its_result_is_left_alone(void **state)
{
    struct rng r = {2};
    unsigned with_moves = 0;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        make_loads(&r);
        for (unsigned round = 0;; round++) {
            uint32_t before = most_of(in.load);

            nb_balance_plan(&in, &plan);
            assert_true(plan.n_moves == 0 || plan.spread_after <= plan.spread_before);
            assert_true(most_of(plan.after) <= before);
            carry_out();
            if (plan.n_moves == 0)
                break;
            with_moves += round == 0;
            assert_true(round < 8); /* more than NB_BALANCE_MOVES_MAX moves are more than one plan */
        }
    }
    assert_true(with_moves > 150);
}

/* Loads are measured, and measurements waver: by a quarter of the band. */
static void waver(struct rng *r, uint32_t load[NB_MAX_WORKERS])
{
    for (unsigned i = 0; i < in.n_workers; i++)
        load[i] = in.load[i] + rng_below(r, BAND / 4);
}

static void test_wavering_loads_move_nothing_to_and_fro(void **state)
{
    struct rng r = {3};
    uint16_t at_first[ITEMS_MAX];

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        make_loads(&r);
        unsigned moves[ITEMS_MAX] = {0};
        for (unsigned k = 0; k < in.n_items; k++)
            at_first[k] = item[k].worker;
        unsigned busy_rounds = 0;
        for (unsigned round = 0; round < 20; round++) {
            struct nb_balance_input measured = in;

            waver(&r, measured.load);
            nb_balance_plan(&measured, &plan);
            for (unsigned k = 0; k < plan.n_moves; k++) {
                unsigned moved = plan.move[k].item;
                in.load[item[moved].worker] -= item[moved].load;
                in.load[plan.move[k].to] += item[moved].load;
                item[moved].worker = plan.move[k].to;
                moves[moved]++;
            }
            busy_rounds += plan.n_moves != 0;
        }
        for (unsigned k = 0; k < in.n_items; k++)
            if (moves[k] > 1 && item[k].worker == at_first[k])
                fail_msg("seed %u: item %u went to and fro", i, k);
        if (busy_rounds > 5)
            fail_msg("seed %u: moves in %u of 20 rounds", i, busy_rounds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_within_the_band_are_left_alone),
        cmocka_unit_test(test_eight_equal_flows_on_one_of_four_workers_take_six_moves),
        cmocka_unit_test(test_one_heavy_flow_moves_rather_than_many_light_ones),
        cmocka_unit_test(test_two_moves_are_found_where_greed_fails),
        cmocka_unit_test(test_worker_with_one_flow_only_is_left_as_it_is),
        cmocka_unit_test(test_work_that_cannot_be_moved_counts_but_stays),
        cmocka_unit_test(test_drained_worker_takes_nothing_and_is_not_in_the_mean),
        cmocka_unit_test(test_without_rules_flows_only_go_home),
        cmocka_unit_test(test_a_flow_that_no_rule_serves_only_goes_home),
        cmocka_unit_test(test_nothing_to_move_and_no_workers_are_no_plan),
        cmocka_unit_test(test_small_cases_have_the_fewest_moves_of_all_plans),
        cmocka_unit_test(test_a_plan_is_never_worse_and_its_result_is_left_alone),
        cmocka_unit_test(test_wavering_loads_move_nothing_to_and_fro),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
