/* test_block_pool.c - blocks that objects take when they need one. */
#include "../../../host-lib/tcp/block_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define BYTES  48
#define BLOCKS 5

static void test_every_block_is_there_once_and_then_none(void **state)
{
    (void)state;
    struct nb_block_pool pool;
    uint8_t *block[BLOCKS];
    assert_true(nb_block_pool_init(&pool, BYTES, BLOCKS));
    for (unsigned i = 0; i < BLOCKS; i++) {
        block[i] = nb_block_get(&pool);
        assert_non_null(block[i]);
        memset(block[i], (int)i, BYTES);
    }
    assert_null(nb_block_get(&pool));
    assert_int_equal(nb_block_pool_used(&pool), BLOCKS);
    for (unsigned i = 0; i < BLOCKS; i++)
        for (unsigned byte = 0; byte < BYTES; byte++)
            assert_int_equal(block[i][byte], i);
    nb_block_pool_fini(&pool);
}

static void test_latest_given_back_is_taken_first(void **state)
{
    (void)state;
    struct nb_block_pool pool;
    assert_true(nb_block_pool_init(&pool, BYTES, BLOCKS));
    void *a = nb_block_get(&pool), *b = nb_block_get(&pool);
    nb_block_put(&pool, a);
    nb_block_put(&pool, b);
    assert_int_equal(nb_block_pool_used(&pool), 0);
    assert_ptr_equal(nb_block_get(&pool), b);
    assert_ptr_equal(nb_block_get(&pool), a);
    assert_int_equal(nb_block_pool_used(&pool), 2);
    nb_block_pool_fini(&pool);
}

/* A million blocks that nobody needs are address space, not memory. */
static void test_memory_is_touched_when_it_is_used(void **state)
{
    (void)state;
    enum { PAGE = 4096, MANY = 1 << 20 };
    struct nb_block_pool pool;
    static unsigned char resident[(size_t)BYTES * MANY / PAGE];
    unsigned pages = 0;
    assert_true(nb_block_pool_init(&pool, BYTES, MANY));
    nb_block_put(&pool, nb_block_get(&pool));
    assert_int_equal(mincore(pool.blocks, (size_t)BYTES * MANY, resident), 0);
    for (size_t i = 0; i < sizeof resident; i++)
        pages += resident[i] & 1;
    assert_in_range(pages, 1, 512); /* one, or one huge page */
    nb_block_pool_fini(&pool);
}

static void test_pool_of_nothing_has_nothing(void **state)
{
    (void)state;
    struct nb_block_pool pool;
    assert_true(nb_block_pool_init(&pool, BYTES, 0));
    assert_null(nb_block_get(&pool));
    nb_block_pool_fini(&pool);
    nb_block_pool_fini(&pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_block_is_there_once_and_then_none),
        cmocka_unit_test(test_latest_given_back_is_taken_first),
        cmocka_unit_test(test_memory_is_touched_when_it_is_used),
        cmocka_unit_test(test_pool_of_nothing_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
