/* The planner: no order of events breaks the laws of the table, however many there are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "planner_bench.h"
#include "random.h"

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
        cmocka_unit_test(test_no_storm_of_events_breaks_the_laws_of_the_table),
        cmocka_unit_test(test_a_hundred_thousand_flows_are_planned_in_bounded_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
