/* The hash index against a plain array, with few hashes so that probes run into each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../flowrules/index.h"
#include "random.h"

static bool same_number(const void *arg, uint32_t value)
{
    return *(const uint32_t *)arg == value;
}

static uint32_t find(const struct nb__index *index, uint32_t hash, uint32_t value)
{
    return nb__index_find(index, hash, same_number, &value);
}

static void churn(uint32_t hashes, uint64_t seed)
{
    enum { VALUES = 500 };
    struct nb__index index;
    struct rng r = {seed};
    bool present[VALUES] = {false};

    assert_int_equal(nb__index_init(&index, 4), 0);
    for (int step = 0; step < 20000; step++) {
        uint32_t value = rng_below(&r, VALUES), hash = value * 2654435761u % hashes;
        if (present[value])
            nb__index_remove(&index, hash, value);
        else
            assert_int_equal(nb__index_add(&index, hash, value), 0);
        present[value] = !present[value];
        if (step % 97)
            continue;
        for (uint32_t v = 0; v < VALUES; v++)
            assert_int_equal(find(&index, v * 2654435761u % hashes, v), present[v] ? v : NB__INDEX_NONE);
    }
    nb__index_fini(&index);
}

static void test_values_come_and_go_with_spread_hashes(void **state)
{
    (void)state;
    churn(UINT32_MAX, 1);
}

static void test_values_come_and_go_with_colliding_hashes(void **state)
{
    (void)state;
    churn(7, 2);
    churn(1, 3);
}

static void test_probes_that_wrap_round_the_end_survive_removal(void **state)
{
    struct nb__index index;
    (void)state;

    assert_int_equal(nb__index_init(&index, 1), 0);
    uint32_t last = index.mask;
    for (uint32_t v = 0; v < 6; v++)
        assert_int_equal(nb__index_add(&index, last, v), 0);
    for (uint32_t v = 0; v < 6; v++) {
        nb__index_remove(&index, last, v);
        for (uint32_t w = 0; w < 6; w++)
            assert_int_equal(find(&index, last, w), w > v ? w : NB__INDEX_NONE);
    }
    nb__index_fini(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_come_and_go_with_spread_hashes),
        cmocka_unit_test(test_values_come_and_go_with_colliding_hashes),
        cmocka_unit_test(test_probes_that_wrap_round_the_end_survive_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
