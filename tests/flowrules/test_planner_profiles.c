/* The planner's laws, for every profile: over generated workloads, a device that behaves as the profile says is never
 * asked for more than it can, and every packet finds its flow at every step.
 */
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
enum { FLOWS = 150, TUPLES = 110, WORKERS = 6, SLOTS = 400, SMALL = 60 };

/* --- a device that looks packets up as its profile says -----------------------------------------------------------*/

struct slot {
    struct nb_rule rule;
    unsigned engine;
    uint64_t born; /* of two rules with one match the older one is in force */
};

struct device {
    const struct nb_profile *profile;
    struct slot *slot[SLOTS];
    uint64_t births;
};

static bool is_other_type(const struct nb_match *a, const struct nb_match *b)
{
    return a->family != b->family || a->protocol != b->protocol;
}

static void check_neighbours(const struct device *d, unsigned engine, const struct nb_rule *rule)
{
    const struct nb_engine_profile *row = &d->profile->engine[engine];
    unsigned used = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        const struct slot *s = d->slot[i];
        if (!s || s->engine != engine)
            continue;
        used++;
        if (row->update != NB_UPDATE_SHADOWED)
            assert_memory_not_equal(&s->rule.match, &rule->match, sizeof rule->match);
        if (row->quirks & NB_QUIRK_NEEDS_MARK)
            assert_int_not_equal(s->rule.mark, rule->mark);
        if (row->masks == NB_MASKS_ONE ||
            (row->masks == NB_MASKS_PER_TYPE && !is_other_type(&s->rule.match, &rule->match)))
            assert_true(nb_match_same_mask(&s->rule.match, &rule->match));
    }
    assert_true(used < row->size);
}

static struct slot *device_create(struct device *d, const struct nb_table_entry *e)
{
    unsigned i = 0;

    check_neighbours(d, e->engine, &e->rule);
    assert_int_equal(nb_engine_accepts(&d->profile->engine[e->engine], &e->rule), NB_WHY_PENDING);
    while (d->slot[i])
        assert_true(++i < SLOTS);
    d->slot[i] = malloc(sizeof *d->slot[i]);
    *d->slot[i] = (struct slot){e->rule, e->engine, ++d->births};
    return d->slot[i];
}

static void device_destroy(struct device *d, struct slot *slot)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (d->slot[i] == slot) {
            d->slot[i] = NULL;
            free(slot);
            return;
        }
    }
    fail_msg("destroy of a rule that the device does not have");
}

/* The queue of a packet: engines for moves outrank the others, then the oldest rule, then RSS. */
static int lookup(const struct device *d, const struct nb_wish *w)
{
    const struct slot *best = NULL;
    struct nb_match match;

    nb_match_exact(&match, &w->tuple);
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct slot *s = d->slot[i];
        if (!s || memcmp(&s->rule.match, &match, sizeof match))
            continue;
        bool outranks = d->profile->engine[s->engine].purpose == NB_PURPOSE_MOVES;
        bool outranked = best && d->profile->engine[best->engine].purpose == NB_PURPOSE_MOVES;
        if (!best || outranks > outranked || (outranks == outranked && s->born < best->born))
            best = s;
    }
    return best ? best->rule.queue : w->home_queue;
}

/* --- a world of flows ---------------------------------------------------------------------------------------------*/

struct world {
    struct nb_profile profile;
    struct nb_table *table;
    struct nb_planner *planner;
    struct device device;
    int64_t next_id;
    uint64_t now_us, flows_made;
    struct rng rng;
    bool alive[FLOWS];
    struct nb_wish wish[FLOWS];
    unsigned owned[FLOWS]; /* bit per worker that owns or owned it: those know the way */
    unsigned homed[FLOWS]; /* bit per worker that is or was its home */
    unsigned trouble_percent;
    unsigned window; /* operations on their way at once */
    bool busy;       /* flows come and go while they are */
};

static void world_open(struct world *w, const struct nb_profile *profile, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->rng.state = seed;
    w->window = 1;
    w->profile = *profile;
    w->now_us = 1000 * SECOND;
    w->next_id = 1;
    for (unsigned i = 0; i < profile->n_engines; i++)
        if (w->profile.engine[i].size > SMALL)
            w->profile.engine[i].size = 5 + rng_below(&w->rng, SMALL);
    struct nb_planner_config config = {
        .policy = rng_below(&w->rng, 3) ? NB_POLICY_EXACT : NB_POLICY_AUTO,
        .exact_after_us = rng_below(&w->rng, 2) * SECOND / 10,
        .reserve = rng_below(&w->rng, 5),
        .spill = rng_below(&w->rng, 2) * 3,
        .idle_after_us = rng_below(&w->rng, 2) * SECOND,
    };
    w->device.profile = &w->profile;
    w->table = nb_table_new(&w->profile, seed, &w->next_id);
    w->planner = nb_planner_new(&w->profile, w->table, &config);
    assert_non_null(w->planner);
}

static void world_close(struct world *w)
{
    for (unsigned i = 0; i < SLOTS; i++)
        free(w->device.slot[i]);
    nb_planner_free(w->planner);
    nb_table_free(w->table);
}

static void tell(struct world *w, unsigned i)
{
    w->owned[i] |= 1u << w->wish[i].queue;
    w->homed[i] |= 1u << w->wish[i].home_queue;
    assert_int_equal(nb_planner_wish(w->planner, &w->wish[i], w->now_us), 0);
}

/* Two living flows never have one tuple; a dead one's rule may still be there when its tuple is used again. */
static bool tuple_in_use(const struct world *w, const struct nb_tuple *tuple)
{
    for (unsigned i = 0; i < FLOWS; i++)
        if (w->alive[i] && !memcmp(&w->wish[i].tuple, tuple, sizeof *tuple))
            return true;
    return false;
}

static bool be_born(struct world *w, unsigned i)
{
    unsigned n = rng_below(&w->rng, TUPLES);
    struct nb_tuple tuple = {.src = {10, 0, 0, (uint8_t)n},
                             .dst = {10, 9, 9, 9},
                             .src_port = 1000,
                             .dst_port = 80,
                             .family = n % 4 ? NB_RULE_IPV4 : NB_RULE_IPV6,
                             .protocol = NB_RULE_TCP};

    if (tuple_in_use(w, &tuple))
        return false;
    w->wish[i] = (struct nb_wish){.flow = ++w->flows_made, .incarnation = 1, .tuple = tuple, .since_us = w->now_us};
    w->owned[i] = w->homed[i] = 0;
    w->alive[i] = true;
    return true;
}

static void happen(struct world *w)
{
    unsigned i = rng_below(&w->rng, FLOWS);

    if (w->alive[i] && rng_below(&w->rng, 3) == 0) {
        nb_planner_gone(w->planner, w->wish[i].flow, 1);
        w->alive[i] = false;
        return;
    }
    if (!w->alive[i] && !be_born(w, i))
        return;
    if (rng_below(&w->rng, 2))
        nb_planner_traffic(w->planner, w->wish[i].flow, rng_next(&w->rng), w->now_us);
    w->wish[i].queue = (uint16_t)rng_below(&w->rng, WORKERS);
    w->wish[i].home_queue = rng_below(&w->rng, 3) ? w->wish[i].queue : (uint16_t)rng_below(&w->rng, WORKERS);
    tell(w, i);
}

/* A packet reaches its flow when it arrives at home, at the owner, or at a former owner, who knows the way. A rule left
 * by the last use of the tuple sends to a worker that asks the home worker: also fine, and not for long. */
static void check_reachable(const struct world *w)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct nb_plan plan = nb_planner_plan(w->planner, &w->wish[i]);
        if (!w->alive[i] || !plan.installed)
            continue;
        assert_int_equal(lookup(&w->device, &w->wish[i]), w->wish[i].queue);
    }
}

static int apply(struct world *w, const struct nb_op *op, void **handle)
{
    if (rng_below(&w->rng, 100) < w->trouble_percent)
        return op->kind == NB_OP_CREATE && rng_below(&w->rng, 2) ? -ENOSPC : -EIO;
    switch (op->kind) {
    case NB_OP_CREATE:
        *handle = device_create(&w->device, op->entry);
        return 0;
    case NB_OP_DESTROY:
        device_destroy(&w->device, op->entry->handle);
        return 0;
    case NB_OP_UPDATE:
        assert_int_equal(w->profile.engine[op->entry->engine].update, NB_UPDATE_IN_PLACE);
        ((struct slot *)op->entry->handle)->rule.queue = op->queue;
        return 0;
    }
    return -EINVAL;
}

#define WINDOW 8 /* operations on their way at once, as for a backend that takes batches */

/* Some operations are taken, all are applied in order, and only then are their results told; flows come and go
 * meanwhile. */
static void work(struct world *w, unsigned max)
{
    struct {
        struct nb_op op;
        void *handle;
        int result;
    } step[WINDOW];
    unsigned done = 0, n;

    do {
        unsigned most = w->window < max - done ? w->window : max - done;
        for (n = 0; n < most && nb_planner_next(w->planner, w->now_us, &step[n].op); n++)
            step[n].handle = NULL;
        for (unsigned i = 0; i < n; i++)
            step[i].result = apply(w, &step[i].op, &step[i].handle);
        if (w->busy && n)
            happen(w);
        for (unsigned i = 0; i < n; i++) {
            nb_planner_done(w->planner, &step[i].op, step[i].result, step[i].handle, w->now_us);
            if (w->window == 1)
                check_reachable(w);
        }
        check_reachable(w);
        done += n;
    } while (n && done < max);
}

static unsigned rules_in(const struct device *d)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SLOTS; i++)
        n += d->slot[i] != NULL;
    return n;
}

/* Nothing left to do: no rule without a flow that is alive, none to a queue that is not the owner's. */
static void check_settled(struct world *w)
{
    unsigned installed = 0;

    for (unsigned i = 0; i < FLOWS; i++) {
        struct nb_plan plan = nb_planner_plan(w->planner, &w->wish[i]);
        if (!w->alive[i])
            continue;
        installed += plan.installed;
        int queue = lookup(&w->device, &w->wish[i]);
        assert_true(queue == w->wish[i].queue || queue == w->wish[i].home_queue);
    }
    assert_int_equal(rules_in(&w->device), installed);
    assert_int_equal(nb_table_used(w->table), installed);
}

static void settle(struct world *w)
{
    w->trouble_percent = 0;
    w->busy = false;
    for (int i = 0; i < 800; i++, w->now_us += 10000)
        work(w, 100);
    check_settled(w);
}

static void storm(const struct nb_profile *profile, uint64_t seed)
{
    struct world w;

    world_open(&w, profile, seed);
    w.trouble_percent = rng_below(&w.rng, 2) * 10;
    w.window = rng_below(&w.rng, 2) ? 1 : 1 + rng_below(&w.rng, WINDOW);
    w.busy = true;
    for (int step = 0; step < 1500; step++) {
        happen(&w);
        w.now_us += rng_below(&w.rng, 3000);
        if (rng_below(&w.rng, 3) == 0)
            work(&w, rng_below(&w.rng, 6));
    }
    settle(&w);
    nb_planner_pause(w.planner);
    settle(&w);
    assert_int_equal(rules_in(&w.device), 0);
    world_close(&w);
}

/* A few in `make unit`, NB_SEEDS of them in `make test-long`. */
static uint64_t seeds(void)
{
    const char *n = getenv("NB_SEEDS");

    return n ? strtoull(n, NULL, 10) : 12;
}

static void test_no_workload_breaks_the_laws_of_any_profile(void **state)
{
    const struct nb_profile *profile;
    (void)state;

    for (unsigned i = 0; (profile = nb_profile_at(i)); i++)
        for (uint64_t seed = 1; seed <= seeds(); seed++)
            storm(profile, seed);
    storm(nb_profile_for_driver("net_ixgbe"), 25); /* met a cover where spill allows connections */
}

/* --- one move, step by step ---------------------------------------------------------------------------------------*/

static bool leaves_a_gap(enum nb_update update)
{
    return update == NB_UPDATE_DESTROY_CREATE;
}

/* From queue 1 to queue 2 with RSS at queue 0: whoever sees queue 0 has seen a gap. */
static void move_each_flow(struct world *w)
{
    enum nb_update update = w->profile.engine[0].update;
    struct nb_op op;

    for (unsigned i = 0; i < FLOWS; i++) {
        if (!w->alive[i] || !nb_planner_plan(w->planner, &w->wish[i]).installed)
            continue;
        bool in_first = nb_table_next(w->table, nb_planner_plan(w->planner, &w->wish[i]).rule)->engine == 0;
        w->wish[i].queue = 2;
        tell(w, i);
        while (nb_planner_next(w->planner, w->now_us, &op)) {
            void *handle = NULL;
            int result = apply(w, &op, &handle);
            nb_planner_done(w->planner, &op, result, handle, w->now_us);
            int queue = lookup(&w->device, &w->wish[i]);
            assert_true(queue == 1 || queue == 2 || (queue == 0 && (leaves_a_gap(update) || !in_first)));
        }
        assert_int_equal(lookup(&w->device, &w->wish[i]), 2);
    }
}

static void test_no_step_of_a_move_leaves_a_flow_without_a_rule_where_the_nic_can(void **state)
{
    const struct nb_profile *profile;
    (void)state;

    for (unsigned p = 0; (profile = nb_profile_at(p)); p++) {
        struct nb_planner_config config = {.policy = NB_POLICY_AUTO};
        struct world w;
        world_open(&w, profile, p);
        nb_planner_free(w.planner);
        w.planner = nb_planner_new(&w.profile, w.table, &config);
        for (unsigned i = 0; i < 4; i++) {
            while (!w.alive[i])
                be_born(&w, i);
            w.wish[i].queue = 1;
            w.wish[i].home_queue = 0;
            tell(&w, i);
        }
        work(&w, 100);
        if (profile->n_engines)
            assert_true(rules_in(&w.device) > 0);
        move_each_flow(&w);
        check_settled(&w);
        world_close(&w);
    }
}

/* --- rows ---------------------------------------------------------------------------------------------------------*/

/* Full IPv4 5-tuples fit one mask; a table with one mask refuses IPv6 while IPv4 is in force, one per type does not. */
static void check_two_families(enum nb_mask_sharing masks, enum nb_why why_second)
{
    struct world w;
    struct nb_planner_config config = {.policy = NB_POLICY_AUTO};

    world_open(&w, nb_profile_for_driver("net_ice"), 1);
    w.profile.engine[0].masks = masks;
    nb_planner_free(w.planner);
    w.planner = nb_planner_new(&w.profile, w.table, &config);
    for (unsigned i = 0; i < 2; i++) {
        w.wish[i] = (struct nb_wish){.flow = i + 1, .queue = 1};
        w.wish[i].tuple = (struct nb_tuple){.src = {1},
                                            .src_port = 1,
                                            .dst_port = 2,
                                            .family = i ? NB_RULE_IPV6 : NB_RULE_IPV4,
                                            .protocol = NB_RULE_TCP};
        tell(&w, i);
    }
    work(&w, 10);
    assert_int_equal(nb_planner_plan(w.planner, &w.wish[0]).why, NB_WHY_NOT_HOME);
    assert_int_equal(nb_planner_plan(w.planner, &w.wish[1]).why, why_second);
    world_close(&w);
}

static void test_mask_row_decides_which_rules_live_together(void **state)
{
    (void)state;
    check_two_families(NB_MASKS_FREE, NB_WHY_NOT_HOME);
    check_two_families(NB_MASKS_PER_TYPE, NB_WHY_NOT_HOME);
    check_two_families(NB_MASKS_ONE, NB_WHY_OTHER_MASK);
}

/* One flow that wants a rule, after `change` was done to the connections row of E810: why it has none. */
static enum nb_why why_with(void (*change)(struct nb_engine_profile *row))
{
    struct nb_profile profile = *nb_profile_for_driver("net_ice");
    struct nb_planner_config config = {.policy = NB_POLICY_AUTO};
    struct nb_wish wish = {.flow = 1, .queue = 1};
    int64_t next_id = 1;
    struct nb_op op;

    wish.tuple = (struct nb_tuple){
        .src = {10}, .dst = {10}, .src_port = 1, .dst_port = 2, .family = NB_RULE_IPV4, .protocol = NB_RULE_TCP};
    change(&profile.engine[0]);
    struct nb_table *table = nb_table_new(&profile, 1, &next_id);
    struct nb_planner *planner = nb_planner_new(&profile, table, &config);
    nb_planner_wish(planner, &wish, 1);
    while (nb_planner_next(planner, 1, &op))
        nb_planner_done(planner, &op, 0, &op, 1);
    enum nb_why why = nb_planner_plan(planner, &wish).why;
    nb_planner_free(planner);
    nb_table_free(table);
    return why;
}

static void nothing(struct nb_engine_profile *row)
{
    (void)row;
}
static void no_place(struct nb_engine_profile *row)
{
    row->size = 0;
}
static void no_ports(struct nb_engine_profile *row)
{
    row->fields = NB_FIELD_SRC | NB_FIELD_DST | NB_FIELD_PROTOCOL;
}
static void no_ipv4(struct nb_engine_profile *row)
{
    row->families = NB_FAMILIES_IPV6;
}
static void few_queues(struct nb_engine_profile *row)
{
    row->queue_last = 0;
}
static void other_purpose(struct nb_engine_profile *row)
{
    row->purpose = NB_PURPOSE_MASKS;
}

static void test_one_row_changed_changes_the_plan(void **state)
{
    (void)state;
    assert_int_equal(why_with(nothing), NB_WHY_NOT_HOME);
    assert_int_equal(why_with(no_place), NB_WHY_TABLE_FULL);
    assert_int_equal(why_with(no_ports), NB_WHY_NO_FIELD);
    assert_int_equal(why_with(no_ipv4), NB_WHY_NO_IPV4);
    assert_int_equal(why_with(few_queues), NB_WHY_NO_QUEUE);
    assert_int_equal(why_with(other_purpose), NB_WHY_NO_ENGINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_workload_breaks_the_laws_of_any_profile),
        cmocka_unit_test(test_no_step_of_a_move_leaves_a_flow_without_a_rule_where_the_nic_can),
        cmocka_unit_test(test_mask_row_decides_which_rules_live_together),
        cmocka_unit_test(test_one_row_changed_changes_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
