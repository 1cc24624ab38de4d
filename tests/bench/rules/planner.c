/* planner.c - how many plans a second the planner makes on a table of a million flows, on one core.
 *
 * The device answers at once, so this is the planner and the shadow table alone; CPU time, so that other programs on
 * the machine matter less.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rules.h"

#define FLOWS  1000000u
#define STRIDE 7919u /* prime: visits every flow, and none next to the last one */

static unsigned long carry_out(struct nb_planner *planner)
{
    unsigned long operations = 0;
    struct nb_op op;

    for (; nb_planner_next(planner, 1, &op); operations++)
        nb_planner_done(planner, &op, 0, planner, 1);
    return operations;
}

static void wish_anew(struct nb_planner *planner, struct nb_wish *wish)
{
    wish->queue ^= 3; /* 1, 2, 1, ...: never the home queue 0 */
    nb_planner_wish(planner, wish, 1);
}

static void end(struct nb_planner *planner, struct nb_wish *wish)
{
    nb_planner_gone(planner, wish->flow, 0);
}

/* Millions of plans a second. */
static double measure(struct nb_planner *planner, struct nb_wish *wish,
                      void (*change)(struct nb_planner *planner, struct nb_wish *wish))
{
    unsigned long operations = 0;
    double before = bench_cpu_us();

    for (unsigned i = 0; i < FLOWS; i++) {
        change(planner, &wish[(size_t)i * STRIDE % FLOWS]);
        operations += carry_out(planner);
    }
    if (operations < FLOWS)
        bench_fail("the planner made fewer operations than plans");
    return FLOWS / (bench_cpu_us() - before);
}

static void fill(struct nb_wish *wish)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        wish[i] = (struct nb_wish){.flow = i + 1, .queue = 2};
        wish[i].tuple = (struct nb_tuple){.src = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
                                          .dst = {10, 9, 9, 9},
                                          .src_port = 1000,
                                          .dst_port = 80,
                                          .family = NB_RULE_IPV4,
                                          .protocol = NB_RULE_TCP};
    }
}

int bench_planner(void)
{
    const struct nb_profile *profile = nb_profile_for_driver("mlx5_pci");
    struct nb_planner_config config = {.policy = NB_POLICY_AUTO};
    int64_t next_id = 1;
    struct nb_table *table = nb_table_new(profile, 1, &next_id);
    struct nb_planner *planner = nb_planner_new(profile, table, &config);
    struct nb_wish *wish = calloc(FLOWS, sizeof *wish);

    if (!planner || !wish)
        bench_fail("no memory");
    fill(wish);
    double create = measure(planner, wish, wish_anew), move = measure(planner, wish, wish_anew);
    printf("{\"insert\": %.3f, \"move\": %.3f, \"delete\": %.3f}\n", create, move, measure(planner, wish, end));
    free(wish);
    nb_planner_free(planner);
    nb_table_free(table);
    return 0;
}
