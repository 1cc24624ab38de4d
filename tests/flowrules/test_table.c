/* The shadow table: places, marks, masks, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <netbypass/table.h>

#include "random.h"

static const struct nb_profile *ixgbe(void)
{
    return nb_profile_for_driver("net_ixgbe");
}

static int64_t next_id;

static struct nb_table *table_new(const struct nb_profile *profile, uint64_t seed)
{
    next_id = 1;
    return nb_table_new(profile, seed, &next_id);
}

static struct nb_rule exact(uint32_t n)
{
    struct nb_tuple t = {.src = {10, 0, (uint8_t)(n >> 8), (uint8_t)n},
                         .dst = {10, 9, 9, 9},
                         .src_port = (uint16_t)n,
                         .dst_port = 80,
                         .family = NB_RULE_IPV4,
                         .protocol = NB_RULE_TCP};
    struct nb_rule rule = {.queue = 1};

    nb_match_exact(&rule.match, &t);
    return rule;
}

static struct nb_table_entry *add(struct nb_table *t, unsigned engine, uint32_t n)
{
    struct nb_rule rule = exact(n);

    if (nb_table_room(t, engine, &rule.match, 0) != NB_WHY_PENDING)
        return NULL;
    return nb_table_add(t, engine, &rule, n, NB_WHY_POLICY_EXACT);
}

static void test_flow_director_takes_2046_rules_with_unique_marks(void **state)
{
    struct nb_table *t = table_new(ixgbe(), 1);
    static uint8_t used_mark[0x8000];
    uint32_t n = 0;
    struct nb_table_entry *e;
    (void)state;

    while ((e = add(t, 0, n))) {
        assert_in_range(e->rule.mark, 1, 0x7fff);
        assert_int_equal(used_mark[e->rule.mark]++, 0);
        assert_int_equal(e->rule.engine, NB_ENGINE_FLOW_DIRECTOR);
        assert_int_equal(e->state, NB_ENTRY_PLANNED);
        assert_int_equal(e->id, ++n);
    }
    assert_int_equal(n, 2046);
    assert_int_equal(nb_table_engine(t, 0)->used, 2046);
    assert_int_equal(nb_table_engine(t, 1)->used, 0);
    nb_table_free(t);
}

static void test_five_tuple_rules_have_no_mark_and_their_own_room(void **state)
{
    struct nb_table *t = table_new(ixgbe(), 1);
    uint32_t n = 0;
    struct nb_table_entry *e;
    (void)state;

    assert_non_null(add(t, 0, 5));
    for (; (e = add(t, 1, n)); n++)
        assert_int_equal(e->rule.mark, 0);
    assert_int_equal(n, 128);
    assert_int_equal(nb_table_used(t), 129);
    nb_table_free(t);
}

static void test_mark_of_a_removed_rule_is_used_again_last(void **state)
{
    struct nb_table *t = table_new(ixgbe(), 1);
    struct nb_table_entry *e = add(t, 0, 1);
    uint32_t mark = e->rule.mark;
    (void)state;

    nb_table_remove(t, e);
    for (uint32_t n = 2; n < 2047; n++)
        assert_int_not_equal(add(t, 0, n)->rule.mark, mark);
    assert_int_equal(add(t, 0, 2047)->rule.mark, mark);
    nb_table_free(t);
}

static void test_rule_is_found_by_engine_and_match(void **state)
{
    struct nb_table *t = table_new(ixgbe(), 99);
    struct nb_rule five = exact(5), six = exact(6);
    (void)state;

    struct nb_table_entry *a = add(t, 0, 5), *b = add(t, 1, 5);
    assert_ptr_equal(nb_table_find(t, 0, &five.match), a);
    assert_ptr_equal(nb_table_find(t, 1, &five.match), b);
    assert_null(nb_table_find(t, 0, &six.match));
    nb_table_remove(t, a);
    assert_null(nb_table_find(t, 0, &five.match));
    assert_ptr_equal(nb_table_find(t, 1, &five.match), b);
    nb_table_free(t);
}

static void test_second_mask_is_refused_until_the_last_rule_went(void **state)
{
    struct nb_table *t = table_new(ixgbe(), 1);
    struct nb_rule masked = exact(0);
    (void)state;

    masked.match.src_port = (struct nb_match_u16){0, 0};
    struct nb_table_entry *a = add(t, 0, 1), *b = add(t, 0, 2);
    assert_int_equal(nb_table_room(t, 0, &masked.match, 0), NB_WHY_OTHER_MASK);
    assert_int_equal(nb_table_room(t, 1, &masked.match, 0), NB_WHY_PENDING);
    nb_table_remove(t, a);
    assert_int_equal(nb_table_room(t, 0, &masked.match, 0), NB_WHY_OTHER_MASK);
    nb_table_remove(t, b);
    assert_int_equal(nb_table_room(t, 0, &masked.match, 0), NB_WHY_PENDING);
    assert_non_null(nb_table_add(t, 0, &masked, 0, NB_WHY_HOME));
    assert_null(add(t, 0, 3));
    nb_table_free(t);
}

static void test_reserve_and_full_device_leave_no_room(void **state)
{
    struct nb_table *t = table_new(ixgbe(), 1);
    struct nb_rule rule = exact(7);
    (void)state;

    assert_int_equal(nb_table_room(t, 0, &rule.match, 2045), NB_WHY_PENDING);
    assert_int_equal(nb_table_room(t, 0, &rule.match, 2046), NB_WHY_RESERVED);
    struct nb_table_entry *e = add(t, 0, 1);
    nb_table_installed(t, e, &rule, 5);
    nb_table_engine(t, 0)->full = true;
    assert_int_equal(nb_table_room(t, 0, &rule.match, 0), NB_WHY_TABLE_FULL);
    nb_table_remove(t, e);
    assert_int_equal(nb_table_room(t, 0, &rule.match, 0), NB_WHY_PENDING);
    assert_int_equal(nb_table_engine(t, 0)->added, 1);
    assert_int_equal(nb_table_engine(t, 0)->removed, 1);
    nb_table_free(t);
}

static void test_walk_by_id_survives_removals_on_the_way(void **state)
{
    struct nb_table *t = table_new(ixgbe(), 1);
    struct nb_table_entry *e[100];
    (void)state;

    for (uint32_t n = 0; n < 100; n++)
        e[n] = add(t, n % 2, n);
    int64_t id = 0;
    unsigned seen = 0;
    for (struct nb_table_entry *w; (w = nb_table_next(t, id)); seen++) {
        assert_true(w->id >= id);
        id = w->id + 1;
        if (w->id % 3 == 0) /* the one just returned goes, and one further on */
            nb_table_remove(t, w);
        if (w->id == 10)
            nb_table_remove(t, e[10]);
    }
    assert_int_equal(seen, 99);
    assert_int_equal(nb_table_next(t, 0)->id, 1);
    assert_int_equal(nb_table_next(t, 3)->id, 4);
    assert_null(nb_table_next(t, 101));
    nb_table_free(t);
}

static void test_profile_without_engines_makes_an_empty_table(void **state)
{
    struct nb_table *t = table_new(nb_profile_for_driver("net_tap"), 1);
    (void)state;

    assert_non_null(t);
    assert_int_equal(nb_table_used(t), 0);
    assert_null(nb_table_next(t, 0));
    nb_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flow_director_takes_2046_rules_with_unique_marks),
        cmocka_unit_test(test_five_tuple_rules_have_no_mark_and_their_own_room),
        cmocka_unit_test(test_mark_of_a_removed_rule_is_used_again_last),
        cmocka_unit_test(test_rule_is_found_by_engine_and_match),
        cmocka_unit_test(test_second_mask_is_refused_until_the_last_rule_went),
        cmocka_unit_test(test_reserve_and_full_device_leave_no_room),
        cmocka_unit_test(test_walk_by_id_survives_removals_on_the_way),
        cmocka_unit_test(test_profile_without_engines_makes_an_empty_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
