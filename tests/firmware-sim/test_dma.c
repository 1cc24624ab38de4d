/* DMA addresses against a memory made of a few runs, with holes and seams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dma.h"

#include <string.h>

#define MIB (1024ULL * 1024)

static uint8_t backing[16 * MIB];
static int finds;

/* Two runs that follow each other on the bus but not in memory, a hole, and a run that crosses a 2 MiB border. */
static const struct sim_dma_range runs[] = {
    {1 * MIB, 1 * MIB + 4096, backing + 8 * MIB},
    {1 * MIB + 4096, 1 * MIB + 8192, backing},
    {3 * MIB, 5 * MIB, backing + 1 * MIB},
};

static bool find(void *arg, uint64_t iova, uint64_t low, uint64_t high, struct sim_dma_range *range)
{
    (void)arg;
    finds++;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        if (iova < runs[i].start || iova >= runs[i].end)
            continue;
        *range = runs[i];
        if (range->start < low) {
            range->virt += low - range->start;
            range->start = low;
        }
        if (range->end > high)
            range->end = high;
        return true;
    }
    return false;
}

static int setup(void **state)
{
    struct sim_dma_source source = {NULL, find};
    finds = 0;
    *state = sim_dma_new(&source);
    return *state == NULL;
}

static int teardown(void **state)
{
    sim_dma_free(*state);
    return 0;
}

static void test_address_inside_a_run_maps(void **state)
{
    assert_ptr_equal(sim_dma_map(*state, 3 * MIB + 100, 2048), backing + 1 * MIB + 100);
    assert_int_equal(sim_dma_faults(*state), 0);
}

static void test_last_byte_maps_and_one_more_faults(void **state)
{
    assert_ptr_equal(sim_dma_map(*state, 5 * MIB - 16, 16), backing + 3 * MIB - 16);
    assert_null(sim_dma_map(*state, 5 * MIB - 16, 17));
    assert_int_equal(sim_dma_faults(*state), 1);
}

static void test_buffer_across_a_window_border_maps_when_contiguous(void **state)
{
    assert_ptr_equal(sim_dma_map(*state, 4 * MIB - 1000, 2000), backing + 2 * MIB - 1000);
}

static void test_buffer_across_a_seam_in_memory_faults(void **state)
{
    assert_null(sim_dma_map(*state, 1 * MIB + 4000, 200));
    assert_ptr_equal(sim_dma_map(*state, 1 * MIB + 4096, 200), backing);
}

static void test_wild_addresses_fault(void **state)
{
    assert_null(sim_dma_map(*state, 0, 16));
    assert_null(sim_dma_map(*state, 2 * MIB, 16));
    assert_null(sim_dma_map(*state, UINT64_MAX, 1));
    assert_null(sim_dma_map(*state, UINT64_MAX - 7, 16));
    assert_null(sim_dma_map(*state, 3 * MIB, SIZE_MAX));
    assert_null(sim_dma_map(*state, 3 * MIB, 0));
    assert_int_equal(sim_dma_faults(*state), 6);
}

static void test_second_request_is_answered_from_the_cache(void **state)
{
    sim_dma_map(*state, 3 * MIB, 64);
    sim_dma_map(*state, 3 * MIB + 4096, 64);
    assert_int_equal(finds, 1);
}

static void test_two_runs_of_one_window_take_turns_and_stay_right(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(sim_dma_map(*state, 1 * MIB, 64), backing + 8 * MIB);
        assert_ptr_equal(sim_dma_map(*state, 1 * MIB + 4096, 64), backing);
    }
}

static void test_flush_asks_again_and_shut_refuses_all(void **state)
{
    sim_dma_map(*state, 3 * MIB, 64);
    sim_dma_flush(*state);
    assert_non_null(sim_dma_map(*state, 3 * MIB, 64));
    assert_int_equal(finds, 2);
    sim_dma_shut(*state);
    assert_null(sim_dma_map(*state, 3 * MIB, 64));
    assert_int_equal(finds, 2);
}

#define WITH_DMA(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DMA(test_address_inside_a_run_maps),
        WITH_DMA(test_last_byte_maps_and_one_more_faults),
        WITH_DMA(test_buffer_across_a_window_border_maps_when_contiguous),
        WITH_DMA(test_buffer_across_a_seam_in_memory_faults),
        WITH_DMA(test_wild_addresses_fault),
        WITH_DMA(test_second_request_is_answered_from_the_cache),
        WITH_DMA(test_two_runs_of_one_window_take_turns_and_stay_right),
        WITH_DMA(test_flush_asks_again_and_shut_refuses_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
