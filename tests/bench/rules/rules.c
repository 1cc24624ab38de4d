/* rules.c - a rule's life through a backend: inserted, moved to another queue, deleted; microseconds for each.
 *
 * As the steering thread does it: a wish, then every operation that the planner makes of it, one after the other, until
 * there is nothing left to do. So a move on an 82599 is its four operations. The table is as full as FLOWS makes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules.h"

#define FLOWS 1000u

static double read_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static double wall_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

double bench_cpu_us(void)
{
    return read_us(CLOCK_PROCESS_CPUTIME_ID);
}

static const struct {
    const char *name;
    struct nb_backend *(*open)(struct nb_profile *profile);
    double (*now_us)(void); /* what waits for a device is measured by the clock on the wall */
} backends[] = {
    {"rte_flow", bench_port_open, wall_us},
    {"templates", bench_templates_open, bench_cpu_us},
    {"ethtool", bench_ethtool_open, bench_cpu_us},
    {"verbs", bench_verbs_open, bench_cpu_us},
};

_Noreturn void bench_fail(const char *what)
{
    fprintf(stderr, "rules: %s\n", what);
    exit(1);
}

static int carry_out(struct nb_backend *backend, const struct nb_op *op, void **handle, struct nb_error *err)
{
    switch (op->kind) {
    case NB_OP_CREATE:
        return backend->ops->create(backend, &op->entry->rule, handle, err);
    case NB_OP_DESTROY:
        return backend->ops->destroy(backend, &op->entry->rule, op->entry->handle, err);
    case NB_OP_UPDATE:
        return backend->ops->update(backend, &op->entry->rule, op->entry->handle, op->queue, err);
    }
    return -1;
}

static void settle(struct nb_planner *planner, struct nb_backend *backend)
{
    struct nb_op op;

    while (nb_planner_next(planner, 1, &op)) {
        struct nb_error err = {0};
        void *handle = NULL;
        int rc = carry_out(backend, &op, &handle, &err);
        if (rc)
            bench_fail(err.text);
        nb_planner_done(planner, &op, rc, handle, 1);
    }
}

static double measure(struct nb_planner *planner, struct nb_backend *backend, uint16_t queue, double (*now_us)(void))
{
    double before = now_us();

    for (unsigned i = 0; i < FLOWS; i++) {
        struct nb_wish wish = {.flow = i + 1, .queue = queue};
        wish.tuple = (struct nb_tuple){.src = {10, 0, 0, 1},
                                       .dst = {10, 9, 9, 9},
                                       .src_port = (uint16_t)(1024 + i),
                                       .dst_port = 80,
                                       .family = NB_RULE_IPV4,
                                       .protocol = NB_RULE_TCP};
        if (queue)
            nb_planner_wish(planner, &wish, 1);
        else
            nb_planner_gone(planner, wish.flow, 0);
        settle(planner, backend);
    }
    return (now_us() - before) / FLOWS;
}

static int bench_backend(struct nb_backend *(*open)(struct nb_profile *profile), double (*now_us)(void))
{
    struct nb_planner_config config = {.policy = NB_POLICY_AUTO};
    static struct nb_profile profile;
    int64_t next_id = 1;
    struct nb_backend *backend = open(&profile);
    struct nb_table *table = nb_table_new(&profile, 1, &next_id);
    struct nb_planner *planner = nb_planner_new(&profile, table, &config);

    if (!backend || !planner)
        bench_fail("no memory");
    double insert = measure(planner, backend, 1, now_us), move = measure(planner, backend, 2, now_us);
    if (nb_table_used(table) != FLOWS)
        bench_fail("not every flow has a rule");
    printf("{\"insert\": %.3f, \"move\": %.3f, \"delete\": %.3f}\n", insert, move,
           measure(planner, backend, 0, now_us));
    fflush(stdout);
    nb_planner_free(planner);
    nb_table_free(table);
    backend->ops->free(backend);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "planner"))
        return bench_planner();
    for (size_t i = 0; argc == 2 && i < sizeof backends / sizeof backends[0]; i++)
        if (!strcmp(argv[1], backends[i].name))
            return bench_backend(backends[i].open, backends[i].now_us);
    bench_fail("usage: rules planner|rte_flow|templates|ethtool|verbs");
}
