/* test_flow_table.c - the flow table: find, insert, remove, replace, its bound, and what a different secret changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../../host-lib/worker/flow_table.h"

static const uint64_t secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* A table for objects that lie in the same 4 GB as this one. */
static struct nb_flow_table *table_for(uint32_t capacity, const void *object)
{
    struct nb_flow_table *t = nb_flow_table_new(capacity, secret);
    for (unsigned kind = NB_FLOW_TCB; kind < NB_FLOW_KINDS; kind++)
        nb_flow_table_set_pool(t, kind, (const void *)((uintptr_t)object & ~(uintptr_t)UINT32_MAX));
    return t;
}

static void fill(struct nb_flow_object *o, unsigned i)
{
    memset(o, 0, sizeof *o);
    o->key.family = NB_FAMILY_IPV4;
    o->key.local.word[0] = 0x0a630002;
    o->key.remote.word[0] = 0x0a630000 + i / 60000;
    o->key.local_port = 80;
    o->key.remote_port = (uint16_t)(1024 + i % 60000);
}

static void insert(struct nb_flow_table *t, struct nb_flow_object *o)
{
    assert_true(nb_flow_insert(t, NB_FLOW_TCB, o, nb_flow_hash(t, &o->key)));
}

static struct nb_flow_ref find(struct nb_flow_table *t, struct nb_flow_object *o)
{
    return nb_flow_find(t, &o->key, nb_flow_hash(t, &o->key));
}

static void test_empty_table_find_says_none(void **state)
{
    (void)state;
    struct nb_flow_object o;
    struct nb_flow_table *t = table_for(8, &o);
    fill(&o, 1);
    struct nb_flow_ref r = find(t, &o);
    assert_int_equal(r.kind, NB_FLOW_NONE);
    assert_null(r.object);
    nb_flow_table_free(t);
}

static void test_inserted_object_is_found_by_an_equal_key(void **state)
{
    (void)state;
    struct nb_flow_object o, same;
    struct nb_flow_table *t = table_for(8, &o);
    fill(&o, 1);
    fill(&same, 1);
    insert(t, &o);
    assert_ptr_equal(find(t, &same).object, &o);
    assert_int_equal(find(t, &same).kind, NB_FLOW_TCB);
    nb_flow_table_free(t);
}

static void test_keys_that_differ_in_one_field_are_different_flows(void **state)
{
    (void)state;
    struct nb_flow_object o, other;
    struct nb_flow_table *t = table_for(8, &o);
    fill(&o, 1);
    insert(t, &o);
    for (unsigned byte = 0; byte < sizeof o.key; byte++) {
        fill(&other, 1);
        ((uint8_t *)&other.key)[byte] ^= 0x10;
        assert_int_equal(find(t, &other).kind, NB_FLOW_NONE);
    }
    nb_flow_table_free(t);
}

static void test_full_table_refuses_and_takes_again_after_a_remove(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct nb_flow_object *o = calloc(N + 1, sizeof *o);
    struct nb_flow_table *t = table_for(N, o);
    for (unsigned i = 0; i <= N; i++)
        fill(&o[i], i);
    for (unsigned i = 0; i < N; i++)
        insert(t, &o[i]);
    assert_false(nb_flow_insert(t, NB_FLOW_TCB, &o[N], nb_flow_hash(t, &o[N].key)));
    assert_int_equal(nb_flow_count(t), N);
    nb_flow_remove(t, &o[3], nb_flow_hash(t, &o[3].key));
    insert(t, &o[N]);
    free(o);
    nb_flow_table_free(t);
}

static void test_replaced_object_is_found_instead_with_its_kind(void **state)
{
    (void)state;
    struct nb_flow_object o, record;
    struct nb_flow_table *t = table_for(8, &o);
    fill(&o, 1);
    fill(&record, 1);
    insert(t, &o);
    nb_flow_replace(t, &o, nb_flow_hash(t, &o.key), NB_FLOW_TIME_WAIT, &record);
    assert_ptr_equal(find(t, &o).object, &record);
    assert_int_equal(find(t, &o).kind, NB_FLOW_TIME_WAIT);
    assert_int_equal(nb_flow_count(t), 1);
    nb_flow_table_free(t);
}

static void test_removing_what_is_not_there_changes_nothing(void **state)
{
    (void)state;
    struct nb_flow_object o, other;
    struct nb_flow_table *t = table_for(8, &o);
    fill(&o, 1);
    fill(&other, 1);
    insert(t, &o);
    nb_flow_remove(t, &other, nb_flow_hash(t, &other.key));
    assert_int_equal(nb_flow_count(t), 1);
    nb_flow_table_free(t);
}

/* Nothing is touched at either end of so large a pool but what the test writes. */
static void test_objects_at_both_ends_of_the_largest_pool_are_found_under_their_kind(void **state)
{
    (void)state;
    uint8_t *pool = mmap(NULL, NB_FLOW_POOL_BYTES_MAX, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(pool, MAP_FAILED);
    struct nb_flow_table *t = nb_flow_table_new(8, secret);
    for (unsigned kind = NB_FLOW_TCB; kind < NB_FLOW_KINDS; kind++) {
        struct nb_flow_object *end[] = {(void *)pool,
                                        (void *)(pool + NB_FLOW_POOL_BYTES_MAX - sizeof(struct nb_flow_object))};
        nb_flow_table_set_pool(t, kind, pool);
        for (unsigned i = 0; i < 2; i++) {
            fill(end[i], kind * 2 + i);
            assert_true(nb_flow_insert(t, kind, end[i], nb_flow_hash(t, &end[i]->key)));
            assert_ptr_equal(find(t, end[i]).object, end[i]);
            assert_int_equal(find(t, end[i]).kind, kind);
        }
    }
    nb_flow_table_free(t);
    munmap(pool, NB_FLOW_POOL_BYTES_MAX);
}

/* All objects under a few hash values: the longest probe runs there are, removed in random order. */
static void test_removal_in_any_order_leaves_every_other_flow_reachable(void **state)
{
    (void)state;
    enum { N = 96 };
    for (unsigned seed = 0; seed < 50; seed++) {
        struct nb_flow_object o[N];
        struct nb_flow_table *t = table_for(N, o);
        bool in[N];
        srand(seed);
        for (unsigned i = 0; i < N; i++) {
            fill(&o[i], i);
            assert_true(nb_flow_insert(t, NB_FLOW_TCB, &o[i], i % 5 * 31));
            in[i] = true;
        }
        for (unsigned removed = 0; removed < N; removed++) {
            unsigned victim = (unsigned)rand() % N;
            while (!in[victim])
                victim = (victim + 1) % N;
            nb_flow_remove(t, &o[victim], victim % 5 * 31);
            in[victim] = false;
            for (unsigned i = 0; i < N; i++)
                assert_int_equal(nb_flow_find(t, &o[i].key, i % 5 * 31).object == &o[i], in[i]);
        }
        assert_int_equal(nb_flow_count(t), 0);
        nb_flow_table_free(t);
    }
}

/* Flows crowded at the end of the table, removed while somebody walks it. */
static void test_walk_meets_every_flow_that_stays_although_others_are_removed(void **state)
{
    (void)state;
    enum { N = 96 };
    for (unsigned seed = 0; seed < 50; seed++) {
        struct nb_flow_object o[N];
        struct nb_flow_table *t = table_for(N, o);
        unsigned met[N] = {0}, gone[N] = {0};
        srand(seed);
        for (unsigned i = 0; i < N; i++) {
            fill(&o[i], i);
            assert_true(nb_flow_insert(t, NB_FLOW_TCB, &o[i], 127 - i % 3));
        }
        struct nb_flow_ref ref;
        for (uint32_t slot = 0; nb_flow_next(t, &slot, &ref);) {
            met[ref.object - o]++;
            unsigned victim = (unsigned)rand() % N;
            if (!gone[victim] && rand() % 2)
                nb_flow_remove(t, &o[victim], 127 - victim % 3), gone[victim] = 1;
        }
        for (unsigned i = 0; i < N; i++)
            assert_true(gone[i] || met[i]);
        nb_flow_table_free(t);
    }
}

static void test_walk_of_a_table_at_rest_meets_every_flow_once(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct nb_flow_object *o = calloc(N, sizeof *o);
    struct nb_flow_table *t = table_for(N, o);
    unsigned met[N] = {0};
    for (unsigned i = 0; i < N; i++) {
        fill(&o[i], i);
        insert(t, &o[i]);
    }
    struct nb_flow_ref ref;
    for (uint32_t slot = 0; nb_flow_next(t, &slot, &ref);)
        met[ref.object - o]++;
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(met[i], 1);
    free(o);
    nb_flow_table_free(t);
}

static void test_hash_depends_on_the_secret_and_spreads_consecutive_ports(void **state)
{
    (void)state;
    static const uint64_t other_secret[2] = {1, 2};
    struct nb_flow_table *a = nb_flow_table_new(8, secret), *b = nb_flow_table_new(8, other_secret);
    unsigned bucket[64] = {0}, same = 0;
    for (unsigned i = 0; i < 6400; i++) {
        struct nb_flow_object o;
        fill(&o, i);
        same += nb_flow_hash(a, &o.key) == nb_flow_hash(b, &o.key);
        bucket[nb_flow_hash(a, &o.key) % 64]++;
    }
    assert_true(same < 3);
    for (unsigned i = 0; i < 64; i++)
        assert_in_range(bucket[i], 50, 160); /* 100 expected, deviation 10 */
    nb_flow_table_free(a);
    nb_flow_table_free(b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_table_find_says_none),
        cmocka_unit_test(test_inserted_object_is_found_by_an_equal_key),
        cmocka_unit_test(test_keys_that_differ_in_one_field_are_different_flows),
        cmocka_unit_test(test_full_table_refuses_and_takes_again_after_a_remove),
        cmocka_unit_test(test_replaced_object_is_found_instead_with_its_kind),
        cmocka_unit_test(test_removing_what_is_not_there_changes_nothing),
        cmocka_unit_test(test_objects_at_both_ends_of_the_largest_pool_are_found_under_their_kind),
        cmocka_unit_test(test_removal_in_any_order_leaves_every_other_flow_reachable),
        cmocka_unit_test(test_walk_meets_every_flow_that_stays_although_others_are_removed),
        cmocka_unit_test(test_walk_of_a_table_at_rest_meets_every_flow_once),
        cmocka_unit_test(test_hash_depends_on_the_secret_and_spreads_consecutive_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
