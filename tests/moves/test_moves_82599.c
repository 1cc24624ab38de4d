/* test_moves_82599.c - flows moved all the time between 2 to 16 workers over the simulated 82599, under DPDK's own
 * driver, with the rules that netbypassd's steering makes: no byte is lost, doubled or out of order. The scenario is
 * that of tests/sim/test_moves.c; here queues, RSS, rules and rings are the card's.
 *
 * A failing seed is printed and replays exactly (SIM_SEED=n runs that one alone; NIC_SEEDS=n runs n of all). Each kind
 * of trouble runs in a process of its own: DPDK gives a card back only once.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "moves_seeds.h"
#include "port_82599.h"

/* In all, over numbers of workers and kinds of trouble; `make test-long` takes 10000. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS 20
#else
#define SEEDS 1000
#endif

#define SEEDS_THAT_TELL 10
#define RULED_A_SEED    10

/* Called by the sanitizer's runtime, which otherwise has no words to hear. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allow_user_segv_handler=1:verify_asan_link_order=0:detect_leaks=0";
}

struct kind {
    unsigned workers, share; /* of all seeds, in hundredths */
    uint64_t first;
    void (*shape)(struct world_options *o);
};

/* In the child: what came of it goes to the parent. */
static void run_and_tell(const struct world_seeds *seeds, int to)
{
    struct world_result sum;
    bool well;

    signal(SIGSEGV, SIG_DFL); /* cmocka's would go on with the parent's tests */
    signal(SIGABRT, SIG_DFL);
    well = world_run_seeds(seeds, &sum);

    if (well)
        world_tell(seeds, &sum);
    if (write(to, &sum, sizeof sum) != sizeof sum)
        _exit(2);
    _exit(0);
}

static struct world_result run_apart(const struct world_seeds *seeds)
{
    struct world_result sum;
    int status, end[2];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(end), 0);
    fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        run_and_tell(seeds, end[1]);
    close(end[1]);
    n = read(end[0], &sum, sizeof sum);
    close(end[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (n != sizeof sum || status)
        fail_msg("seeds from %llu: the run ended with status %#x", (unsigned long long)seeds->first, status);
    if (sum.why[0])
        fail_msg("%s", sum.why);
    return sum;
}

static struct world_seeds seeds_of(const struct kind *kind)
{
    const char *many = getenv("NIC_SEEDS");

    return (struct world_seeds){.port = &world_82599,
                                .workers = kind->workers,
                                .n = (many ? (uint64_t)atoll(many) : SEEDS) * kind->share / 100,
                                .first = kind->first,
                                .shape = kind->shape};
}

static void add(struct world_result *sum, const struct world_result *r)
{
    sum->moves += r->moves;
    sum->refused += r->refused;
    sum->tables += r->tables;
    sum->restarts += r->restarts;
    sum->ruled += r->ruled;
}

/* A harness in which little happens proves little. Few seeds may have bad luck. */
static void check_exercise(const struct kind *kind, uint64_t seeds, const struct world_result *sum)
{
    struct world_options o = {.seed = kind->first};

    kind->shape(&o);
    if (seeds < SEEDS_THAT_TELL)
        return;
    if (sum->moves < seeds || sum->moves < sum->refused || sum->ruled < RULED_A_SEED * seeds)
        fail_msg("%u workers: %u of %u moves were made in %llu runs, %llu frames went by rule", kind->workers,
                 sum->moves, sum->moves + sum->refused, (unsigned long long)seeds, (unsigned long long)sum->ruled);
    if ((o.reta_permille && sum->tables < seeds / 2) || (o.restart_permille && !sum->restarts))
        fail_msg("%u workers: %u tables, %u restarts in %llu runs", kind->workers, sum->tables, sum->restarts,
                 (unsigned long long)seeds);
}

static void run_kind(const struct kind *kind)
{
    struct world_seeds seeds = seeds_of(kind);
    struct world_result sum = {0};
    uint64_t all = seeds.n, end = seeds.first + all;

    for (; seeds.first < end; seeds.first += seeds.n) {
        seeds.n = end - seeds.first < WORLD_RUNS ? end - seeds.first : WORLD_RUNS;
        struct world_result r = run_apart(&seeds);

        add(&sum, &r);
    }
    if (!getenv("SIM_SEED"))
        check_exercise(kind, all, &sum);
}

/* Steering takes a turn every few hundred microseconds. The card's transmit rings are what they are. Of many workers
 * that sleep one by one some always does, and gates wait for them. */
static void steered(struct world_options *o)
{
    o->tx_ring = 0;
    o->rule_permille = o->seed % 2 ? 100 : 400;
    if (o->asleep_us > 300)
        o->asleep_us = 300;
}

static void refusing(struct world_options *o)
{
    steered(o);
    o->refuse_permille = 200;
}

/* Flows that find no place stay with forwarding. */
static void full(struct world_options *o)
{
    steered(o);
    o->table_rules = 1 + o->seed % 4;
}

static void with_aborts(struct world_options *o)
{
    steered(o);
    o->abort_permille = 400;
}

static void with_tables(struct world_options *o)
{
    steered(o);
    o->reta_permille = o->seed % 2 ? 5 : 50;
}

/* What was in its rings is sent again; nothing more than that may come of it. */
static void with_restarts(struct world_options *o)
{
    steered(o);
    o->reta_permille = o->seed % 2 ? 0 : 5;
    o->restart_permille = 10;
    o->disorder_allowed = true;
}

static const struct kind four = {4, 30, 21000000, steered}, eight = {8, 15, 22000000, steered},
                         sixteen = {16, 10, 23000000, steered}, refused = {5, 15, 24000000, refusing},
                         without_room = {3, 10, 25000000, full}, aborted = {4, 10, 26000000, with_aborts},
                         tables = {5, 10, 27000000, with_tables}, restarted = {3, 5, 28000000, with_restarts};

#define RUN(name, kind)                                                                                                \
    static void name(void **state)                                                                                     \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        run_kind(&kind);                                                                                               \
    }

RUN(test_four_workers_streams_are_exact, four)
RUN(test_eight_workers_streams_are_exact, eight)
RUN(test_sixteen_workers_streams_are_exact, sixteen)
RUN(test_rules_that_are_refused_keep_order, refused)
RUN(test_full_table_keeps_order, without_room)
RUN(test_reset_and_reused_tuples_end_as_they_should, aborted)
RUN(test_buckets_that_move_keep_order, tables)
RUN(test_port_that_is_restarted_ends_no_connection, restarted)

/* Twice the same seeds in two processes; and others. */
static void test_seed_gives_the_same_frames_at_the_same_times(void **state)
{
    struct world_seeds seeds = seeds_of(&four);
    uint64_t trace;

    (void)state;
    seeds.n = 2;
    trace = run_apart(&seeds).trace;
    assert_true(run_apart(&seeds).trace == trace);
    seeds.first++;
    assert_true(run_apart(&seeds).trace != trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_workers_streams_are_exact),
        cmocka_unit_test(test_eight_workers_streams_are_exact),
        cmocka_unit_test(test_sixteen_workers_streams_are_exact),
        cmocka_unit_test(test_rules_that_are_refused_keep_order),
        cmocka_unit_test(test_full_table_keeps_order),
        cmocka_unit_test(test_reset_and_reused_tuples_end_as_they_should),
        cmocka_unit_test(test_buckets_that_move_keep_order),
        cmocka_unit_test(test_port_that_is_restarted_ends_no_connection),
        cmocka_unit_test(test_seed_gives_the_same_frames_at_the_same_times),
    };

    cmocka_set_test_filter(getenv("SIM_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
