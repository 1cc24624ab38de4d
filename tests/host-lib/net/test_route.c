/* test_route.c - next hops at the edges of a prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../host-lib/net/route.h"

static struct nb_route route(uint32_t address, unsigned prefix_bits, uint32_t gateway)
{
    return (struct nb_route){
        .address = rte_cpu_to_be_32(address), .netmask = nb_netmask(prefix_bits), .gateway = rte_cpu_to_be_32(gateway)};
}

static uint32_t next_hop(struct nb_route r, uint32_t destination)
{
    return rte_be_to_cpu_32(nb_route_next_hop(&r, rte_cpu_to_be_32(destination)));
}

static void test_neighbours_are_reached_directly(void **state)
{
    (void)state;
    assert_int_equal(next_hop(route(0x0a630002, 24, 0x0a6300fe), 0x0a630001), 0x0a630001);
    assert_int_equal(next_hop(route(0x0a630002, 0, 0), 0x01020304), 0x01020304);
}

static void test_others_go_through_the_gateway_or_nowhere(void **state)
{
    (void)state;
    assert_int_equal(next_hop(route(0x0a630002, 24, 0x0a6300fe), 0x0a630101), 0x0a6300fe);
    assert_int_equal(next_hop(route(0x0a630002, 24, 0), 0x0a630101), 0);
    assert_int_equal(next_hop(route(0x0a630002, 32, 0x0a6300fe), 0x0a630001), 0x0a6300fe);
}

static void test_broadcasts_are_no_destination(void **state)
{
    (void)state;
    assert_int_equal(next_hop(route(0x0a630002, 24, 0x0a6300fe), 0x0a6300ff), 0);
    assert_int_equal(next_hop(route(0x0a630002, 24, 0x0a6300fe), 0x0a630000), 0);
    assert_int_equal(next_hop(route(0x0a630002, 24, 0x0a6300fe), 0xffffffff), 0);
}

static void test_both_ends_of_a_31_bit_prefix_are_hosts(void **state)
{
    (void)state;
    assert_int_equal(next_hop(route(0x0a630002, 31, 0), 0x0a630003), 0x0a630003);
    assert_int_equal(next_hop(route(0x0a630003, 31, 0), 0x0a630002), 0x0a630002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_are_reached_directly),
        cmocka_unit_test(test_others_go_through_the_gateway_or_nowhere),
        cmocka_unit_test(test_broadcasts_are_no_destination),
        cmocka_unit_test(test_both_ends_of_a_31_bit_prefix_are_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
