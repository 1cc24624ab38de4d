/* The planner: what a flow gets, in which order, and that no order of events breaks the table's laws. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netbypass/planner.h>

#include "random.h"

#define SECOND UINT64_C(1000000)

/* --- a planner over a profile that a test may change, and a device that does what it is told -----------------------
 */

struct bench {
    struct nb_profile profile;
    struct nb_table *table;
    int64_t next_id;
    struct nb_planner *planner;
    uint64_t now_us;
    unsigned creates, destroys, updates;
    int create_result, destroy_result;
    char log[4096]; /* operations, one per line */
};

static struct bench *bench_new(const struct nb_profile *profile, enum nb_policy policy, uint64_t exact_after_us,
                               uint32_t reserve)
{
    struct bench *b = calloc(1, sizeof *b);
    struct nb_planner_config config = {.policy = policy, .exact_after_us = exact_after_us, .reserve = reserve};

    b->profile = *profile;
    b->now_us = 1000 * SECOND;
    b->next_id = 1;
    b->table = nb_table_new(&b->profile, 1, &b->next_id);
    b->planner = nb_planner_new(&b->profile, b->table, &config);
    return b;
}

static void bench_free(struct bench *b)
{
    nb_planner_free(b->planner);
    nb_table_free(b->table);
    free(b);
}

static struct bench *small(enum nb_policy policy, uint32_t size, uint32_t reserve)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");

    profile.engine[0].size = size;
    return bench_new(&profile, policy, 0, reserve);
}

static struct nb_wish wish(uint64_t flow, uint16_t queue, uint16_t home_queue)
{
    struct nb_wish w = {.flow = flow, .incarnation = 1, .queue = queue, .home_queue = home_queue};

    w.tuple = (struct nb_tuple){.src = {10, 0, (uint8_t)(flow >> 8), (uint8_t)flow},
                                .dst = {10, 9, 9, 9},
                                .src_port = (uint16_t)(flow >> 16),
                                .dst_port = 80,
                                .family = NB_RULE_IPV4,
                                .protocol = NB_RULE_TCP};
    return w;
}

static void tell(struct bench *b, struct nb_wish w)
{
    w.since_us = b->now_us;
    assert_int_equal(nb_planner_wish(b->planner, &w, b->now_us), 0);
}

static void note(struct bench *b, const struct nb_op *op)
{
    char match[NB_RULE_TEXT_BYTES];
    size_t n = strlen(b->log);

    nb_rule_print(&op->entry->rule, match, sizeof match);
    static const char *const kind[] = {"create", "destroy", "update"};

    snprintf(b->log + n, sizeof b->log - n, "%s %llu %s\n", kind[op->kind], (unsigned long long)op->entry->flow, match);
}

/* Carry out every operation that is due. */
static void run(struct bench *b)
{
    struct nb_op op;

    while (nb_planner_next(b->planner, b->now_us, &op)) {
        bool create = op.kind == NB_OP_CREATE;
        note(b, &op);
        *(create ? &b->creates : op.kind == NB_OP_DESTROY ? &b->destroys : &b->updates) += 1;
        nb_planner_done(b->planner, &op, create ? b->create_result : b->destroy_result, b, b->now_us);
    }
}

static struct nb_plan plan(struct bench *b, struct nb_wish w)
{
    return nb_planner_plan(b->planner, &w);
}

static void check_plan(struct bench *b, struct nb_wish w, bool installed, enum nb_why why)
{
    struct nb_plan p = plan(b, w);

    assert_string_equal(nb_why_text(p.why), nb_why_text(why));
    assert_int_equal(p.installed, installed);
    assert_int_equal(p.rule >= 0, installed);
}

/* --- policy ------------------------------------------------------------------------------------------------------- */

static void test_auto_makes_a_rule_only_for_a_flow_that_is_not_home(void **state)
{
    struct bench *b = small(NB_POLICY_AUTO, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 2, 3));
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_HOME);
    check_plan(b, wish(2, 2, 3), true, NB_WHY_NOT_HOME);
    assert_string_equal(b->log, "create 2 tcp 10.0.0.2:0 -> 10.9.9.9:80 queue 2 mark 1 engine flow-director\n");
    bench_free(b);
}

static void test_exact_makes_a_rule_for_a_flow_at_home_too(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    check_plan(b, wish(1, 2, 2), false, NB_WHY_PENDING);
    check_plan(b, wish(9, 2, 2), false, NB_WHY_UNKNOWN);
    run(b);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

static void test_exact_waits_until_the_connection_is_old_enough(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 5 * SECOND, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 1, 3)); /* not home: needed at once */
    b->now_us += SECOND;
    tell(b, wish(3, 2, 2));
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_YOUNG);
    check_plan(b, wish(2, 1, 3), true, NB_WHY_NOT_HOME);
    assert_int_equal(nb_planner_due_us(b->planner), 1005 * SECOND);
    b->now_us = 1005 * SECOND - 1;
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_YOUNG);
    b->now_us = 1005 * SECOND;
    run(b);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_YOUNG);
    assert_int_equal(nb_planner_due_us(b->planner), 1006 * SECOND);
    bench_free(b);
}

static void test_connection_that_ends_young_never_has_a_rule(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 5 * SECOND, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    nb_planner_gone(b->planner, 1, 1);
    b->now_us += 10 * SECOND;
    run(b);
    assert_int_equal(b->creates, 0);
    assert_true(nb_planner_due_us(b->planner) == UINT64_MAX);
    bench_free(b);
}

static void test_wish_and_end_in_one_batch_cancel_out(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    assert_string_equal(b->log, "");
    bench_free(b);
}

static void test_flow_that_ends_loses_its_rule(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    nb_planner_gone(b->planner, 1, 1);
    nb_planner_gone(b->planner, 7, 1); /* never heard of */
    run(b);
    assert_int_equal(b->destroys, 1);
    assert_int_equal(nb_table_used(b->table), 0);
    bench_free(b);
}

static void test_stale_incarnation_is_ignored(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish w = wish(1, 2, 2), old = wish(1, 3, 3);
    (void)state;

    w.incarnation = 2; /* across the wrap */
    old.incarnation = UINT32_MAX;
    tell(b, w);
    run(b);
    tell(b, old);
    nb_planner_gone(b->planner, 1, UINT32_MAX);
    run(b);
    assert_int_equal(b->creates, 1);
    assert_int_equal(b->destroys, 0);
    nb_planner_gone(b->planner, 1, 2);
    run(b);
    assert_int_equal(b->destroys, 1);
    bench_free(b);
}

/* What a move does under each row of `update`, with one flow whose rule is in force to queue 2. */
static void check_move(enum nb_update update, unsigned cover_places, const char *expected)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");

    profile.engine[0].update = update;
    profile.engine[1].size = cover_places;
    struct bench *b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish(1, 2, 2));
    run(b);
    b->log[0] = '\0';
    tell(b, wish(1, 3, 2));
    check_plan(b, wish(1, 3, 2), false, NB_WHY_PENDING);
    run(b);
    assert_string_equal(b->log, expected);
    check_plan(b, wish(1, 3, 2), true, NB_WHY_NOT_HOME);
    assert_int_equal(nb_table_used(b->table), 1);
    bench_free(b);
}

#define FLOW_1 "tcp 10.0.0.1:0 -> 10.9.9.9:80 "
#define TWICE                                                                                                          \
    "destroy 1 " FLOW_1 "queue 2 mark 1 engine flow-director\n"                                                        \
    "create 1 " FLOW_1 "queue 3 mark 2 engine flow-director\n"

static void test_new_owner_means_what_the_row_says(void **state)
{
    (void)state;
    check_move(NB_UPDATE_DESTROY_CREATE, 128, TWICE);
    check_move(NB_UPDATE_COVERED, 128,
               "create 1 " FLOW_1 "queue 3 engine 5-tuple\n" TWICE "destroy 1 " FLOW_1 "queue 3 engine 5-tuple\n");
    check_move(NB_UPDATE_COVERED, 0, TWICE); /* no place for a cover */
    check_move(NB_UPDATE_SHADOWED, 128,
               "create 1 " FLOW_1 "queue 3 mark 2 engine flow-director\n"
               "destroy 1 " FLOW_1 "queue 2 mark 1 engine flow-director\n");
    check_move(NB_UPDATE_IN_PLACE, 128, "update 1 " FLOW_1 "queue 2 mark 1 engine flow-director\n");
}

static void test_move_that_is_taken_back_at_once_does_nothing(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, wish(1, 3, 2));
    tell(b, wish(1, 2, 2));
    run(b);
    assert_int_equal(b->creates, 1);
    assert_int_equal(b->destroys, 0);
    bench_free(b);
}

static void test_failed_first_step_of_a_move_still_ends_with_the_right_rule(void **state)
{
    static const enum nb_update way[] = {NB_UPDATE_COVERED, NB_UPDATE_SHADOWED, NB_UPDATE_IN_PLACE};
    struct nb_op op;
    (void)state;

    for (size_t i = 0; i < sizeof way / sizeof way[0]; i++) {
        struct bench *b = small(NB_POLICY_EXACT, 10, 0);
        b->profile.engine[0].update = way[i];
        tell(b, wish(1, 2, 2));
        run(b);
        tell(b, wish(1, 3, 2));
        assert_true(nb_planner_next(b->planner, b->now_us, &op));
        nb_planner_done(b->planner, &op, -EIO, NULL, b->now_us);
        run(b);
        check_plan(b, wish(1, 3, 2), true, NB_WHY_NOT_HOME);
        assert_int_equal(nb_table_next(b->table, 0)->rule.queue, 3);
        assert_int_equal(nb_table_used(b->table), 1);
        bench_free(b);
    }
}

static void test_installed_rule_is_settled_when_the_nic_has_emptied_its_pipe(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    assert_int_equal(plan(b, wish(1, 2, 2)).settled_us, b->now_us + b->profile.classify_us);
    b->profile.classify_us += 77;
    tell(b, wish(2, 2, 2));
    run(b);
    assert_int_equal(plan(b, wish(2, 2, 2)).settled_us, b->now_us + b->profile.classify_us);
    bench_free(b);
}

static void test_auto_drops_the_rule_of_a_flow_that_came_home(void **state)
{
    struct bench *b = small(NB_POLICY_AUTO, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 3));
    run(b);
    tell(b, wish(1, 2, 2)); /* the RETA changed */
    run(b);
    assert_int_equal(b->destroys, 1);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_HOME);
    bench_free(b);
}

static void test_home_change_under_exact_keeps_the_rule(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, wish(1, 2, 0));
    run(b);
    assert_int_equal(b->creates, 1);
    assert_int_equal(b->destroys, 0);
    check_plan(b, wish(1, 2, 0), true, NB_WHY_NOT_HOME);
    assert_int_equal(nb_table_next(b->table, 0)->why, NB_WHY_NOT_HOME);
    bench_free(b);
}

/* --- budget ------------------------------------------------------------------------------------------------------- */

static void test_full_table_rejects_once_and_admits_when_a_rule_goes(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 3, 0);
    (void)state;

    for (uint64_t f = 1; f <= 5; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    run(b);
    assert_int_equal(b->creates, 3);
    check_plan(b, wish(4, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 2);
    nb_planner_gone(b->planner, 2, 1);
    run(b);
    check_plan(b, wish(4, 2, 2), true, NB_WHY_POLICY_EXACT); /* first come */
    check_plan(b, wish(5, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 2);
    assert_int_equal(nb_table_engine(b->table, 0)->used, 3);
    bench_free(b);
}

static void test_reserve_is_kept_for_flows_that_are_not_home(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 4, 2);
    (void)state;

    for (uint64_t f = 1; f <= 3; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_RESERVED);
    for (uint64_t f = 11; f <= 13; f++)
        tell(b, wish(f, 2, 1));
    run(b);
    check_plan(b, wish(12, 2, 1), true, NB_WHY_NOT_HOME);
    check_plan(b, wish(13, 2, 1), true, NB_WHY_NOT_HOME); /* in the place of flow 1 */
    check_plan(b, wish(1, 2, 2), false, NB_WHY_EVICTED);
    nb_planner_gone(b->planner, 13, 1);
    run(b);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_RESERVED);
    bench_free(b);
}

static void test_needed_flow_takes_the_place_of_the_coldest_wished_one(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 3, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 2, 1)); /* needed: never a victim */
    tell(b, wish(3, 2, 2));
    run(b);
    nb_planner_traffic(b->planner, 3, 10, b->now_us);
    nb_planner_traffic(b->planner, 1, 10, b->now_us + 1); /* 3 is the coldest now */
    tell(b, wish(4, 2, 1));
    run(b);
    check_plan(b, wish(4, 2, 1), true, NB_WHY_NOT_HOME);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_EVICTED);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    tell(b, wish(5, 2, 1));
    tell(b, wish(6, 2, 1)); /* nothing is left to evict: served by software, refused by nobody */
    run(b);
    check_plan(b, wish(5, 2, 1), true, NB_WHY_NOT_HOME);
    check_plan(b, wish(6, 2, 1), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_idle_rule_goes_to_a_waiting_flow_and_not_before_its_time(void **state)
{
    struct nb_planner_config config = {.policy = NB_POLICY_EXACT, .idle_after_us = 10 * SECOND};
    struct bench *b = small(NB_POLICY_EXACT, 2, 0);
    (void)state;

    nb_planner_free(b->planner);
    b->planner = nb_planner_new(&b->profile, b->table, &config);
    for (uint64_t f = 1; f <= 3; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    b->now_us += 5 * SECOND;
    nb_planner_traffic(b->planner, 1, 10, b->now_us);
    assert_int_equal(nb_planner_due_us(b->planner), 1010 * SECOND);
    b->now_us = 1010 * SECOND - 1;
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    b->now_us = 1010 * SECOND;
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_IDLE);
    check_plan(b, wish(3, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(1, 2, 2), true, NB_WHY_POLICY_EXACT);
    assert_true(nb_planner_due_us(b->planner) == UINT64_MAX); /* nobody waits: idle rules stay */
    nb_planner_traffic(b->planner, 2, 1, b->now_us);          /* active again, so it waits */
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_spill_lets_connections_use_the_engine_for_moves(void **state)
{
    struct nb_planner_config config = {.policy = NB_POLICY_EXACT, .spill = 128};
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 0, 0);
    (void)state;

    nb_planner_free(b->planner);
    b->planner = nb_planner_new(&b->profile, b->table, &config);
    for (uint64_t f = 1; f <= 2046 + 128 + 1; f++) {
        tell(b, wish(f, 2, 2));
        b->log[0] = '\0';
        run(b);
    }
    assert_int_equal(nb_table_engine(b->table, 0)->used, 2046);
    assert_int_equal(nb_table_engine(b->table, 1)->used, 128);
    check_plan(b, wish(2174, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(2175, 2, 2), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_policy_takes_a_share_of_time_by_what_an_operation_costs(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 2000, 0);
    (void)state;

    b->profile.engine[0].latency_us = 10000; /* ten times that of another row, a tenth of the rules */
    for (uint64_t f = 1; f <= 100; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    assert_int_equal(b->creates, 25);
    uint64_t due_us = nb_planner_due_us(b->planner);
    assert_int_equal(due_us, b->now_us + 40000);
    b->now_us = due_us;
    run(b);
    assert_int_equal(b->creates, 26);
    for (uint64_t f = 201; f <= 210; f++) /* needed ones do not wait */
        tell(b, wish(f, 2, 1));
    run(b);
    assert_int_equal(b->creates, 36);
    bench_free(b);
}

static void test_82599_holds_2046_rules_and_the_next_flow_stays_on_rss(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 0, 0);
    (void)state;

    for (uint64_t f = 1; f <= 2100; f++) {
        tell(b, wish(f, 2, 2));
        b->log[0] = '\0';
        run(b);
    }
    assert_int_equal(nb_table_engine(b->table, 0)->used, 2046);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 54);
    assert_int_equal(nb_table_engine(b->table, 1)->used, 0);
    check_plan(b, wish(2100, 2, 2), false, NB_WHY_TABLE_FULL);
    bench_free(b);
}

static void test_device_that_is_full_early_is_believed_until_a_rule_goes(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    tell(b, wish(2, 2, 2));
    run(b);
    b->create_result = -ENOSPC;
    tell(b, wish(3, 2, 2));
    tell(b, wish(4, 2, 2));
    run(b);
    assert_int_equal(b->creates, 3); /* one try, then the table counts as full */
    check_plan(b, wish(3, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 2);
    assert_int_equal(nb_table_engine(b->table, 0)->used, 2);
    b->create_result = 0;
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    check_plan(b, wish(4, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(3, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

/* --- profile rows ------------------------------------------------------------------------------------------------- */

static struct nb_wish wish_v6(uint64_t flow)
{
    struct nb_wish w = wish(flow, 2, 3);

    w.tuple.family = NB_RULE_IPV6;
    return w;
}

static void test_ipv6_on_82599_says_that_it_is_not_supported(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    tell(b, wish_v6(1));
    run(b);
    check_plan(b, wish_v6(1), false, NB_WHY_NO_IPV6);
    assert_int_equal(b->creates, 0);
    bench_free(b);
}

static void test_one_row_changed_and_ipv6_gets_a_rule(void **state)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");
    (void)state;

    profile.engine[0].families |= NB_FAMILIES_IPV6;
    struct bench *b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish_v6(1));
    run(b);
    check_plan(b, wish_v6(1), true, NB_WHY_NOT_HOME);
    tell(b, wish(2, 2, 2)); /* other address masks, and this table has one */
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_OTHER_MASK);
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);

    profile.engine[0].masks = NB_MASKS_FREE;
    b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish_v6(1));
    tell(b, wish(2, 2, 2));
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

static void test_one_row_changed_and_connections_use_the_other_engine(void **state)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");
    (void)state;

    profile.engine[0].purpose = NB_PURPOSE_MOVES;
    profile.engine[1].purpose = NB_PURPOSE_CONNECTIONS;
    struct bench *b = bench_new(&profile, NB_POLICY_EXACT, 0, 0);
    tell(b, wish(1, 2, 2));
    run(b);
    assert_string_equal(b->log, "create 1 tcp 10.0.0.1:0 -> 10.9.9.9:80 queue 2 engine 5-tuple\n");
    bench_free(b);
}

static void test_port_without_filters_plans_nothing_and_says_so(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ring"), NB_POLICY_EXACT, 0, 0);
    (void)state;

    tell(b, wish(1, 2, 3));
    run(b);
    check_plan(b, wish(1, 2, 3), false, NB_WHY_NO_ENGINE);
    assert_string_equal(b->log, "");
    bench_free(b);
}

static void test_tagged_flow_is_not_steered_by_a_nic_that_cannot_see_the_tag(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish w = wish(1, 2, 2);
    (void)state;

    w.tuple.vlan = 5;
    tell(b, w);
    run(b);
    check_plan(b, w, false, NB_WHY_NO_FIELD);
    bench_free(b);
}

/* --- one match, several flows ------------------------------------------------------------------------------------- */

static void test_next_use_of_a_tuple_waits_for_the_rule_of_the_last(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish next = wish(1, 3, 3);
    (void)state;

    next.flow = 500;
    next.incarnation = 2;
    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, next); /* another worker's news came first */
    run(b);
    check_plan(b, next, false, NB_WHY_MATCH_TAKEN);
    assert_int_equal(b->creates, 1);
    nb_planner_gone(b->planner, 1, 1);
    b->log[0] = '\0';
    run(b);
    assert_string_equal(b->log, "destroy 1 tcp 10.0.0.1:0 -> 10.9.9.9:80 queue 2 mark 1 engine flow-director\n"
                                "create 500 tcp 10.0.0.1:0 -> 10.9.9.9:80 queue 3 mark 2 engine flow-director\n");
    bench_free(b);
}

static void test_flow_that_ends_while_waiting_for_a_match_leaves_no_trace(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    struct nb_wish second = wish(1, 3, 3), third = wish(1, 4, 4);
    (void)state;

    second.flow = 500;
    third.flow = 501;
    tell(b, wish(1, 2, 2));
    run(b);
    tell(b, second);
    run(b);
    tell(b, third);
    run(b);
    nb_planner_gone(b->planner, 501, 1);
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    check_plan(b, second, true, NB_WHY_POLICY_EXACT); /* displaced, but not forgotten */
    nb_planner_gone(b->planner, 500, 1);
    run(b);
    assert_int_equal(nb_table_used(b->table), 0);
    bench_free(b);
}

/* --- failures ----------------------------------------------------------------------------------------------------- */

static void test_refused_create_is_tried_again_later_and_not_for_ever(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    b->create_result = -ETIMEDOUT;
    tell(b, wish(1, 2, 2));
    run(b);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_TIMED_OUT);
    assert_int_equal(nb_table_used(b->table), 0);
    for (int i = 0; i < 10; i++) {
        run(b);
        b->now_us += SECOND;
    }
    assert_int_equal(b->creates, 3);
    assert_int_equal(nb_table_engine(b->table, 0)->failed, 3);
    assert_true(nb_planner_due_us(b->planner) == UINT64_MAX);
    b->create_result = 0;
    tell(b, wish(1, 3, 2)); /* a new wish is a new chance */
    run(b);
    check_plan(b, wish(1, 3, 2), true, NB_WHY_NOT_HOME);
    bench_free(b);
}

static void test_refused_destroy_keeps_the_place_and_is_tried_again(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 1, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    b->destroy_result = -EIO;
    nb_planner_gone(b->planner, 1, 1);
    tell(b, wish(2, 2, 2));
    run(b);
    check_plan(b, wish(2, 2, 2), false, NB_WHY_TABLE_FULL);
    assert_int_equal(nb_table_engine(b->table, 0)->used, 1);
    assert_int_equal(nb_table_engine(b->table, 0)->failed, 1);
    assert_int_equal(nb_planner_due_us(b->planner), b->now_us + SECOND);
    b->destroy_result = 0;
    b->now_us += SECOND;
    run(b);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

static void test_rule_that_the_device_lost_is_forgotten_and_counted(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 1, 0);
    (void)state;

    tell(b, wish(1, 2, 2));
    run(b);
    b->destroy_result = -ENOENT;
    nb_planner_gone(b->planner, 1, 1);
    run(b);
    assert_int_equal(nb_table_used(b->table), 0);
    assert_int_equal(nb_table_engine(b->table, 0)->failed, 1);
    bench_free(b);
}

static void test_flow_that_ends_while_its_create_is_on_its_way_is_cleaned_up(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 1, 0);
    struct nb_op op;
    (void)state;

    tell(b, wish(1, 2, 2));
    assert_true(nb_planner_next(b->planner, b->now_us, &op));
    nb_planner_gone(b->planner, 1, 1);
    struct nb_wish again = wish(1, 3, 3);
    again.flow = 2;
    tell(b, again);
    run(b); /* the match is still on its way out */
    assert_int_equal(b->creates, 0);
    nb_planner_done(b->planner, &op, 0, b, b->now_us);
    run(b);
    assert_int_equal(b->destroys, 1);
    check_plan(b, again, true, NB_WHY_POLICY_EXACT);
    bench_free(b);
}

/* --- everything at once ------------------------------------------------------------------------------------------- */

static void test_resync_drops_what_was_not_seen_and_keeps_the_rest_untouched(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 10, 0);
    (void)state;

    for (uint64_t f = 1; f <= 4; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    nb_planner_resync_begin(b->planner);
    tell(b, wish(3, 2, 2));
    nb_planner_resync_begin(b->planner); /* news were lost again: from the start */
    tell(b, wish(2, 2, 2));
    tell(b, wish(5, 2, 2));
    nb_planner_resync_sweep(b->planner);
    run(b);
    assert_int_equal(b->destroys, 3);
    assert_int_equal(b->creates, 5);
    check_plan(b, wish(2, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(5, 2, 2), true, NB_WHY_POLICY_EXACT);
    check_plan(b, wish(3, 2, 2), false, NB_WHY_UNKNOWN);
    bench_free(b);
}

static void test_pause_removes_every_rule_and_resume_brings_them_back(void **state)
{
    struct bench *b = small(NB_POLICY_EXACT, 3, 0);
    (void)state;

    for (uint64_t f = 1; f <= 4; f++)
        tell(b, wish(f, 2, 2));
    run(b);
    nb_planner_pause(b->planner);
    tell(b, wish(5, 2, 2));
    run(b);
    assert_int_equal(nb_table_used(b->table), 0);
    check_plan(b, wish(1, 2, 2), false, NB_WHY_FLUSHED);
    check_plan(b, wish(5, 2, 2), false, NB_WHY_FLUSHED);
    nb_planner_gone(b->planner, 1, 1);
    nb_planner_resume(b->planner, b->now_us);
    run(b);
    assert_int_equal(nb_table_used(b->table), 3);
    bench_free(b);
}

/* --- properties --------------------------------------------------------------------------------------------------- */

#define DEVICE_RULES 64

/* A device that holds what it is told, and aborts the test when it is told what hardware must never be told. */
struct device {
    struct nb_rule rule[DEVICE_RULES];
    bool used[DEVICE_RULES];
    unsigned n, capacity;
};

static void *device_create(struct device *d, const struct nb_profile *p, const struct nb_rule *rule)
{
    unsigned free_at = DEVICE_RULES;

    assert_true(d->n < p->engine[0].size);
    for (unsigned i = 0; i < DEVICE_RULES; i++) {
        if (!d->used[i]) {
            free_at = i;
            continue;
        }
        assert_memory_not_equal(&d->rule[i].match, &rule->match, sizeof rule->match);
        assert_int_not_equal(d->rule[i].mark, rule->mark);
        if (p->engine[0].masks == NB_MASKS_ONE)
            assert_true(nb_match_same_mask(&d->rule[i].match, &rule->match));
    }
    if (d->n >= d->capacity)
        return NULL;
    d->rule[free_at] = *rule;
    d->used[free_at] = true;
    d->n++;
    return &d->rule[free_at];
}

static void device_destroy(struct device *d, void *handle)
{
    size_t i = (size_t)((struct nb_rule *)handle - d->rule);

    assert_true(i < DEVICE_RULES && d->used[i]);
    d->used[i] = false;
    d->n--;
}

/* Up to `in_flight` operations at a time, finished in the order they were given, some of them badly. */
static void work(struct bench *b, struct device *d, struct rng *r, unsigned trouble_percent)
{
    struct nb_op op[3];
    unsigned n = 0, in_flight = rng_below(r, 3) + 1;

    while (n < in_flight && nb_planner_next(b->planner, b->now_us, &op[n]))
        n++;
    for (unsigned i = 0; i < n; i++) {
        int result = rng_below(r, 100) < trouble_percent ? -EIO : 0;
        void *handle = NULL;
        if (op[i].kind == NB_OP_DESTROY && !result)
            device_destroy(d, op[i].entry->handle);
        if (op[i].kind == NB_OP_CREATE && !result && !(handle = device_create(d, &b->profile, &op[i].entry->rule)))
            result = -ENOSPC;
        nb_planner_done(b->planner, &op[i], result, handle, b->now_us);
    }
}

enum { FLOWS = 200, TUPLES = 150 }; /* more flows than tuples, more tuples than rules */

struct model {
    bool alive[FLOWS];
    struct nb_wish wish[FLOWS];
};

static void random_event(struct bench *b, struct model *m, struct rng *r, uint64_t *next_id)
{
    unsigned i = rng_below(r, FLOWS);

    if (m->alive[i] && rng_below(r, 2)) {
        nb_planner_gone(b->planner, m->wish[i].flow, m->wish[i].incarnation);
        m->alive[i] = false;
        return;
    }
    if (!m->alive[i]) {
        m->wish[i] = wish(rng_below(r, TUPLES), 0, 0);
        m->wish[i].flow = ++*next_id;
        if (rng_below(r, 4) == 0)
            m->wish[i].tuple.family = NB_RULE_IPV6;
        m->wish[i].since_us = b->now_us;
        m->alive[i] = true;
    }
    m->wish[i].queue = (uint16_t)rng_below(r, 4);
    m->wish[i].home_queue = rng_below(r, 3) ? m->wish[i].queue : (uint16_t)rng_below(r, 4);
    assert_int_equal(nb_planner_wish(b->planner, &m->wish[i], b->now_us), 0);
}

static void resync(struct bench *b, const struct model *m)
{
    nb_planner_resync_begin(b->planner);
    for (unsigned i = 0; i < FLOWS; i++)
        if (m->alive[i])
            nb_planner_wish(b->planner, &m->wish[i], b->now_us);
    nb_planner_resync_sweep(b->planner);
}

/* Once nothing is left to do: the device holds exactly the rules of living flows, to their owners' queues. */
static void check_settled(struct bench *b, const struct model *m, const struct device *d)
{
    unsigned installed = 0;

    for (unsigned i = 0; i < FLOWS; i++) {
        struct nb_plan p = nb_planner_plan(b->planner, &m->wish[i]);
        if (!m->alive[i] || !p.installed)
            continue;
        struct nb_table_entry *e = nb_table_next(b->table, p.rule);
        struct nb_match match;
        nb_match_exact(&match, &m->wish[i].tuple);
        assert_int_equal(e->id, p.rule);
        assert_int_equal(e->flow, m->wish[i].flow);
        assert_memory_equal(&e->rule.match, &match, sizeof match);
        assert_int_equal(((struct nb_rule *)e->handle)->queue, m->wish[i].queue);
        installed++;
    }
    assert_int_equal(installed, d->n);
    assert_int_equal(installed, nb_table_used(b->table));
}

/* A flow that wants a rule and has none must have a reason that still holds. */
static void check_reasons(struct bench *b, const struct model *m, const struct device *d)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct nb_plan p = nb_planner_plan(b->planner, &m->wish[i]);
        if (!m->alive[i] || p.installed)
            continue;
        if (p.why == NB_WHY_TABLE_FULL || p.why == NB_WHY_RESERVED || p.why == NB_WHY_EVICTED)
            assert_true(d->n + 5 >= d->capacity);
        else
            assert_true(p.why == NB_WHY_HOME || p.why == NB_WHY_NO_IPV6 || p.why == NB_WHY_OTHER_MASK ||
                        p.why == NB_WHY_MATCH_TAKEN);
    }
}

static void storm(uint64_t seed)
{
    struct rng r = {seed};
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");
    struct model m = {0};
    struct device d = {.capacity = 20 + rng_below(&r, 40)};
    uint64_t next_id = 0;

    profile.engine[0].size = 10 + rng_below(&r, 50);
    if (d.capacity > profile.engine[0].size)
        d.capacity = profile.engine[0].size;
    profile.engine[0].masks = rng_below(&r, 2) ? NB_MASKS_ONE : NB_MASKS_FREE;
    profile.engine[0].update = NB_UPDATE_DESTROY_CREATE;
    if (rng_below(&r, 2))
        profile.engine[0].families |= NB_FAMILIES_IPV6;
    struct bench *b = bench_new(&profile, rng_below(&r, 2) ? NB_POLICY_AUTO : NB_POLICY_EXACT,
                                rng_below(&r, 2) ? 0 : SECOND, rng_below(&r, 6));
    for (int step = 0; step < 3000; step++) {
        random_event(b, &m, &r, &next_id);
        b->now_us += rng_below(&r, 2000);
        if (rng_below(&r, 3) == 0)
            work(b, &d, &r, 10);
        if (rng_below(&r, 500) == 0)
            resync(b, &m);
        if (rng_below(&r, 1000) == 0) {
            nb_planner_pause(b->planner);
            work(b, &d, &r, 10);
            nb_planner_resume(b->planner, b->now_us);
        }
    }
    for (int i = 0; i < 3000; i++, b->now_us += 10000)
        work(b, &d, &r, 0);
    check_settled(b, &m, &d);
    for (unsigned i = 0; i < FLOWS; i++) /* forgive those that failed for good: wish anew */
        if (m.alive[i]) {
            m.wish[i].incarnation++;
            nb_planner_wish(b->planner, &m.wish[i], b->now_us);
        }
    for (int i = 0; i < 3000; i++, b->now_us += 10000)
        work(b, &d, &r, 0);
    check_settled(b, &m, &d);
    check_reasons(b, &m, &d);
    nb_planner_pause(b->planner);
    for (int i = 0; i < 200; i++)
        work(b, &d, &r, 0);
    assert_int_equal(d.n, 0);
    assert_int_equal(nb_table_used(b->table), 0);
    bench_free(b);
}

static void test_no_storm_of_events_breaks_the_laws_of_the_table(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 120; seed++)
        storm(seed);
}

static void test_a_hundred_thousand_flows_are_planned_in_bounded_steps(void **state)
{
    struct bench *b = bench_new(nb_profile_for_driver("net_ixgbe"), NB_POLICY_EXACT, 0, 0);
    struct nb_op op;
    (void)state;

    for (uint64_t f = 0; f < 100000; f++)
        tell(b, wish(f, 1, 1));
    while (nb_planner_due_us(b->planner) == 0) /* next gives up after a bounded number of refusals */
        while (nb_planner_next(b->planner, b->now_us, &op))
            nb_planner_done(b->planner, &op, 0, b, b->now_us);
    assert_int_equal(nb_table_used(b->table), 2046);
    assert_int_equal(nb_table_engine(b->table, 0)->rejected, 100000 - 2046);
    for (uint64_t f = 0; f < 100000; f++)
        nb_planner_gone(b->planner, f, 1);
    while (nb_planner_next(b->planner, b->now_us, &op))
        nb_planner_done(b->planner, &op, 0, b, b->now_us);
    assert_int_equal(nb_table_used(b->table), 0);
    assert_true(nb_planner_due_us(b->planner) == UINT64_MAX);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auto_makes_a_rule_only_for_a_flow_that_is_not_home),
        cmocka_unit_test(test_exact_makes_a_rule_for_a_flow_at_home_too),
        cmocka_unit_test(test_exact_waits_until_the_connection_is_old_enough),
        cmocka_unit_test(test_connection_that_ends_young_never_has_a_rule),
        cmocka_unit_test(test_wish_and_end_in_one_batch_cancel_out),
        cmocka_unit_test(test_flow_that_ends_loses_its_rule),
        cmocka_unit_test(test_stale_incarnation_is_ignored),
        cmocka_unit_test(test_new_owner_means_what_the_row_says),
        cmocka_unit_test(test_move_that_is_taken_back_at_once_does_nothing),
        cmocka_unit_test(test_failed_first_step_of_a_move_still_ends_with_the_right_rule),
        cmocka_unit_test(test_installed_rule_is_settled_when_the_nic_has_emptied_its_pipe),
        cmocka_unit_test(test_needed_flow_takes_the_place_of_the_coldest_wished_one),
        cmocka_unit_test(test_idle_rule_goes_to_a_waiting_flow_and_not_before_its_time),
        cmocka_unit_test(test_spill_lets_connections_use_the_engine_for_moves),
        cmocka_unit_test(test_policy_takes_a_share_of_time_by_what_an_operation_costs),
        cmocka_unit_test(test_auto_drops_the_rule_of_a_flow_that_came_home),
        cmocka_unit_test(test_home_change_under_exact_keeps_the_rule),
        cmocka_unit_test(test_full_table_rejects_once_and_admits_when_a_rule_goes),
        cmocka_unit_test(test_reserve_is_kept_for_flows_that_are_not_home),
        cmocka_unit_test(test_82599_holds_2046_rules_and_the_next_flow_stays_on_rss),
        cmocka_unit_test(test_device_that_is_full_early_is_believed_until_a_rule_goes),
        cmocka_unit_test(test_ipv6_on_82599_says_that_it_is_not_supported),
        cmocka_unit_test(test_one_row_changed_and_ipv6_gets_a_rule),
        cmocka_unit_test(test_one_row_changed_and_connections_use_the_other_engine),
        cmocka_unit_test(test_port_without_filters_plans_nothing_and_says_so),
        cmocka_unit_test(test_tagged_flow_is_not_steered_by_a_nic_that_cannot_see_the_tag),
        cmocka_unit_test(test_next_use_of_a_tuple_waits_for_the_rule_of_the_last),
        cmocka_unit_test(test_flow_that_ends_while_waiting_for_a_match_leaves_no_trace),
        cmocka_unit_test(test_refused_create_is_tried_again_later_and_not_for_ever),
        cmocka_unit_test(test_refused_destroy_keeps_the_place_and_is_tried_again),
        cmocka_unit_test(test_rule_that_the_device_lost_is_forgotten_and_counted),
        cmocka_unit_test(test_flow_that_ends_while_its_create_is_on_its_way_is_cleaned_up),
        cmocka_unit_test(test_resync_drops_what_was_not_seen_and_keeps_the_rest_untouched),
        cmocka_unit_test(test_pause_removes_every_rule_and_resume_brings_them_back),
        cmocka_unit_test(test_no_storm_of_events_breaks_the_laws_of_the_table),
        cmocka_unit_test(test_a_hundred_thousand_flows_are_planned_in_bounded_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
