/* test_moves.c - flows moved all the time between 2 to 64 workers, from seeds: no byte is lost, doubled or out of
 * order. A failing seed is printed and replays exactly (SIM_SEED=n runs that one alone; SIM_SEEDS=n runs n of
 * all, SIM_TEST=pattern only tests of such names).
 */
#include "moves_seeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* In all, over numbers of workers and kinds of trouble; `make test-long` takes 10000. A sanitizer takes ten times as
 * long, and looks for other things. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS 100
#else
#define SEEDS 1000
#endif

#define SEEDS_THAT_TELL 10
#define MOVES_A_SEED    2

/* The share of a number of workers in all seeds, the kind of trouble that is added, and where its seeds begin. */
struct kind {
    unsigned workers, share;
    uint64_t first;
    void (*shape)(struct world_options *o);
};

/* A harness whose moves are refused, or whose tables do not change, proves little. Few seeds may have bad luck. */
static void check_exercise(const struct kind *kind, uint64_t seeds, const struct world_result *sum)
{
    struct world_options o = {0};

    if (seeds < SEEDS_THAT_TELL)
        return;
    if (kind->shape)
        kind->shape(&o);
    if (sum->moves < MOVES_A_SEED * seeds || 2 * sum->moves < sum->refused)
        fail_msg("%u workers: %u of %u moves were made in %llu runs", kind->workers, sum->moves,
                 sum->moves + sum->refused, (unsigned long long)seeds);
    if (o.reta_permille && sum->tables < seeds / 2)
        fail_msg("%u workers: %u tables in %llu runs", kind->workers, sum->tables, (unsigned long long)seeds);
    if ((o.spread_us && sum->half_open < seeds / 2) || (o.grant_permille && sum->granted < seeds / 2) ||
        (o.reuse_permille && sum->reused < seeds / 2))
        fail_msg("%u workers: %u moves of half-open flows, %u opened by the server, %u over old tuples in %llu runs",
                 kind->workers, sum->half_open, sum->granted, sum->reused, (unsigned long long)seeds);
}

static void run_kind(const struct kind *kind)
{
    const char *many = getenv("SIM_SEEDS");
    const struct world_seeds seeds = {.port = &world_soft_port,
                                      .workers = kind->workers,
                                      .n = (many ? (uint64_t)atoll(many) : SEEDS) * kind->share / 100,
                                      .first = kind->first,
                                      .shape = kind->shape};
    struct world_result sum;

    if (!world_run_seeds(&seeds, &sum))
        fail_msg("%s", sum.why);
    if (getenv("SIM_SEED"))
        return;
    check_exercise(kind, seeds.n, &sum);
    world_tell(&seeds, &sum);
}

#define KIND(name, ...)                                                                                                \
    static void name(void **state)                                                                                     \
    {                                                                                                                  \
        const struct kind kind = {__VA_ARGS__};                                                                        \
        (void)state;                                                                                                   \
        run_kind(&kind);                                                                                               \
    }

static void with_aborts(struct world_options *o)
{
    o->abort_permille = 400;
}

/* Of many workers that sleep one by one some always does, and gates wait for them. */
static void with_short_sleeps(struct world_options *o)
{
    if (o->asleep_us > 50)
        o->asleep_us = 50;
}

/* As the steering thread would, over a NIC that takes its time and sometimes refuses. */
static void with_rules(struct world_options *o)
{
    o->rule_permille = o->seed % 2 ? 20 : 200;
}

static void with_rules_and_aborts(struct world_options *o)
{
    with_rules(o);
    with_aborts(o);
}

/* Buckets go from worker to worker, among moves and rules. */
static void with_tables(struct world_options *o)
{
    o->reta_permille = o->seed % 2 ? 5 : 50;
    o->rule_permille = o->seed % 3 ? 0 : 50;
}

/* Without resets: a tuple that is used anew at once, by another worker, may overtake what the old one still sends. */
static void accepted_anywhere(struct world_options *o)
{
    o->else_permille = 500;
    o->reta_permille = o->seed % 2 ? 0 : 20;
}

/* What was in its rings is sent again; nothing more than that may come of it. */
static void with_restarts(struct world_options *o)
{
    with_tables(o);
    o->restart_permille = o->seed % 2 ? 1 : 5;
    o->disorder_allowed = true;
}

/* They open one by one, some from the server, some over tuples that a TIME-WAIT record holds, while buckets move. */
static void with_openings(struct world_options *o)
{
    o->spread_us = 10000;
    o->reuse_permille = o->grant_permille = 300;
    o->reta_permille = o->seed % 2 ? 20 : 100;
}

/* A handshake that ends where nobody accepts costs a retransmission. */
static void with_pauses(struct world_options *o)
{
    o->spread_us = 10000;
    o->reuse_permille = 600;
    o->pause_permille = o->seed % 2 ? 20 : 200;
    o->moves_permille = 20;
    o->disorder_allowed = true;
}

/* What is remembered of flows that left is forgotten between two segments, and home has the last word. */
static void with_idling(struct world_options *o)
{
    o->idle_permille = 50;
    o->moves_permille = o->seed % 2 ? 20 : 200;
    o->reta_permille = o->seed % 3 ? 0 : 2;
}

static void with_hangs(struct world_options *o)
{
    o->asleep_permille = 5;
    o->asleep_us = 60000;
    o->disorder_allowed = true;
}

KIND(test_two_workers_streams_are_exact, 2, 15, 1000000, NULL)
KIND(test_three_workers_streams_are_exact, 3, 25, 2000000, NULL)
KIND(test_five_workers_streams_are_exact, 5, 20, 3000000, NULL)
KIND(test_sixteen_workers_streams_are_exact, 16, 10, 4000000, with_short_sleeps)
KIND(test_sixty_four_workers_streams_are_exact, 64, 2, 5000000, with_short_sleeps)
KIND(test_rules_that_follow_their_flows_keep_order, 3, 15, 8000000, with_rules)
KIND(test_rules_among_many_owners_keep_order, 5, 15, 9000000, with_rules)
KIND(test_buckets_that_move_keep_order, 3, 10, 11000000, with_tables)
KIND(test_buckets_among_many_owners_keep_order, 5, 5, 12000000, with_tables)
KIND(test_reset_and_reused_tuples_end_as_they_should, 4, 8, 6000000, with_aborts)
KIND(test_rules_of_reset_and_reused_tuples_go_with_them, 4, 5, 10000000, with_rules_and_aborts)
KIND(test_connections_accepted_anywhere_end_as_they_should, 4, 8, 13000000, accepted_anywhere)
KIND(test_port_that_is_restarted_ends_no_connection, 3, 5, 17000000, with_restarts)
KIND(test_connections_open_while_buckets_move, 4, 10, 14000000, with_openings)
KIND(test_connections_open_where_workers_stop_to_accept, 4, 3, 15000000, with_pauses)
KIND(test_flows_that_idle_are_found_again, 4, 10, 16000000, with_idling)
KIND(test_workers_that_hang_lose_nothing, 3, 10, 7000000, with_hangs)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_workers_streams_are_exact),
        cmocka_unit_test(test_three_workers_streams_are_exact),
        cmocka_unit_test(test_five_workers_streams_are_exact),
        cmocka_unit_test(test_sixteen_workers_streams_are_exact),
        cmocka_unit_test(test_sixty_four_workers_streams_are_exact),
        cmocka_unit_test(test_rules_that_follow_their_flows_keep_order),
        cmocka_unit_test(test_rules_among_many_owners_keep_order),
        cmocka_unit_test(test_buckets_that_move_keep_order),
        cmocka_unit_test(test_buckets_among_many_owners_keep_order),
        cmocka_unit_test(test_reset_and_reused_tuples_end_as_they_should),
        cmocka_unit_test(test_rules_of_reset_and_reused_tuples_go_with_them),
        cmocka_unit_test(test_connections_accepted_anywhere_end_as_they_should),
        cmocka_unit_test(test_port_that_is_restarted_ends_no_connection),
        cmocka_unit_test(test_connections_open_while_buckets_move),
        cmocka_unit_test(test_connections_open_where_workers_stop_to_accept),
        cmocka_unit_test(test_flows_that_idle_are_found_again),
        cmocka_unit_test(test_workers_that_hang_lose_nothing),
    };

    cmocka_set_test_filter(getenv("SIM_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
