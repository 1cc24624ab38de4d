/* test_port.c - next hops, sources and neighbours at the edges of networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../host-lib/net/port.h"
#include "../../../host-lib/wire/ipv6.h"

#define IP6(a, d) ((struct nb_addr){{RTE_BE32(a), 0, 0, RTE_BE32(d)}})

static struct nb_net_port port(uint32_t address, uint8_t prefix_bits, uint32_t gateway)
{
    struct nb_net_port p = {.mac = {2, 0, 0, 0, 0, 2}, .gateway = {{rte_cpu_to_be_32(gateway)}}};

    nb_net_port_add(&p, NB_FAMILY_IPV4, &(struct nb_addr){{rte_cpu_to_be_32(address)}}, prefix_bits);
    return p;
}

static uint32_t next_hop(struct nb_net_port p, uint32_t destination)
{
    struct nb_addr d = {{rte_cpu_to_be_32(destination)}};
    const struct nb_addr *hop = nb_net_port_next_hop(&p, NB_FAMILY_IPV4, &d);

    return hop ? rte_be_to_cpu_32(hop->word[0]) : 0;
}

/* A port with everything: two IPv4 networks, two IPv6 networks, all usable. */
static struct nb_net_port rich(void)
{
    struct nb_net_port p = port(0x0a630002, 24, 0x0a6300fe);

    nb_net_port_add(&p, NB_FAMILY_IPV4, &(struct nb_addr){{RTE_BE32(0xc0a80002)}}, 16);
    nb_net_port_add(&p, NB_FAMILY_IPV6, &IP6(0xfd990000, 2), 64);
    nb_net_port_add(&p, NB_FAMILY_IPV6, &IP6(0x20010db8, 2), 36);
    for (unsigned i = 0; i < p.n_addresses; i++)
        p.address[i].state = NB_ADDRESS_USABLE;
    return p;
}

static void test_neighbours_are_reached_directly(void **state)
{
    (void)state;
    assert_int_equal(next_hop(port(0x0a630002, 24, 0x0a6300fe), 0x0a630001), 0x0a630001);
    assert_int_equal(next_hop(port(0x0a630002, 0, 0), 0x01020304), 0x01020304);
}

static void test_others_go_through_the_gateway_or_nowhere(void **state)
{
    (void)state;
    assert_int_equal(next_hop(port(0x0a630002, 24, 0x0a6300fe), 0x0a630101), 0x0a6300fe);
    assert_int_equal(next_hop(port(0x0a630002, 24, 0), 0x0a630101), 0);
    assert_int_equal(next_hop(port(0x0a630002, 32, 0x0a6300fe), 0x0a630001), 0x0a6300fe);
}

static void test_broadcasts_are_no_destination(void **state)
{
    (void)state;
    assert_int_equal(next_hop(port(0x0a630002, 24, 0x0a6300fe), 0x0a6300ff), 0);
    assert_int_equal(next_hop(port(0x0a630002, 24, 0x0a6300fe), 0x0a630000), 0);
    assert_int_equal(next_hop(port(0x0a630002, 24, 0x0a6300fe), 0xffffffff), 0);
}

static void test_both_ends_of_a_31_bit_prefix_are_hosts(void **state)
{
    (void)state;
    assert_int_equal(next_hop(port(0x0a630002, 31, 0), 0x0a630003), 0x0a630003);
    assert_int_equal(next_hop(port(0x0a630003, 31, 0), 0x0a630002), 0x0a630002);
}

static void test_second_network_is_on_the_link_too(void **state)
{
    (void)state;
    assert_int_equal(next_hop(rich(), 0xc0a8fe01), 0xc0a8fe01);
    assert_int_equal(next_hop(rich(), 0xc0a8ffff), 0); /* its broadcast */
    assert_int_equal(next_hop(rich(), 0xc0a90001), 0x0a6300fe);
    assert_false(rich().simple);
    assert_true(port(0x0a630002, 24, 0).simple);
}

static void test_first_ipv6_address_brings_the_link_local_one(void **state)
{
    struct nb_net_port p = {.mac = {2, 0, 0, 0, 0, 2}};
    const struct nb_addr expected = {{RTE_BE32(0xfe800000), 0, RTE_BE32(0xff), RTE_BE32(0xfe000002)}};

    (void)state;
    nb_net_port_add(&p, NB_FAMILY_IPV6, &IP6(0xfd990000, 2), 64);
    nb_net_port_add(&p, NB_FAMILY_IPV6, &IP6(0xfd990000, 3), 64);
    assert_int_equal(p.n_addresses, 3);
    assert_memory_equal(&p.address[0].address, &expected, sizeof expected);
    assert_non_null(nb_net_port_find(&p, NB_FAMILY_IPV6, &expected));
    assert_false(nb_net_port_has(&p, NB_FAMILY_IPV6, &expected)); /* tentative */
    assert_false(p.simple);                                       /* there is no IPv4 address */
}

static void test_ipv6_next_hop_is_the_neighbour_or_the_gateway(void **state)
{
    struct nb_net_port p = rich();

    (void)state;
    assert_non_null(nb_net_port_next_hop(&p, NB_FAMILY_IPV6, &IP6(0xfd990000, 9)));
    assert_non_null(nb_net_port_next_hop(&p, NB_FAMILY_IPV6, &IP6(0xfe800000, 9)));
    assert_null(nb_net_port_next_hop(&p, NB_FAMILY_IPV6, &IP6(0xfd980000, 9)));
    assert_null(nb_net_port_next_hop(&p, NB_FAMILY_IPV6, &IP6(0xff020000, 9)));
    p.gateway6 = IP6(0xfe800000, 0xfe);
    assert_ptr_equal(nb_net_port_next_hop(&p, NB_FAMILY_IPV6, &IP6(0xfd980000, 9)), &p.gateway6);
    assert_ptr_equal(
        nb_net_port_next_hop(&p, NB_FAMILY_IPV6, &(struct nb_addr){{RTE_BE32(0x20010db8), RTE_BE32(0x10000000)}}),
        &p.gateway6); /* bit 36 differs */
}

static void test_source_is_of_the_network_or_the_scope_of_the_destination(void **state)
{
    struct nb_net_port p = rich();

    (void)state;
    assert_memory_equal(nb_net_port_source(&p, NB_FAMILY_IPV6, &IP6(0x20010db8, 9)), &IP6(0x20010db8, 2), 16);
    assert_memory_equal(nb_net_port_source(&p, NB_FAMILY_IPV6, &IP6(0x2a000000, 9)), &IP6(0xfd990000, 2), 16);
    assert_true(nb_ipv6_is_link_local(nb_net_port_source(&p, NB_FAMILY_IPV6, &IP6(0xfe800000, 9))));
    assert_true(nb_ipv6_is_link_local(nb_net_port_source(&p, NB_FAMILY_IPV6, &NB_IPV6_ALL_ROUTERS)));
    assert_int_equal(nb_net_port_source(&p, NB_FAMILY_IPV4, &(struct nb_addr){{RTE_BE32(0xc0a80009)}})->word[0],
                     RTE_BE32(0xc0a80002));
    for (unsigned i = 0; i < p.n_addresses; i++)
        p.address[i].state = NB_ADDRESS_TENTATIVE;
    assert_null(nb_net_port_source(&p, NB_FAMILY_IPV6, &IP6(0xfd990000, 9)));
}

static void test_neighbours_are_other_hosts_of_the_link(void **state)
{
    struct nb_net_port p = rich();

    (void)state;
    assert_true(nb_net_port_is_neighbour(&p, NB_FAMILY_IPV6, &IP6(0xfd990000, 9)));
    assert_true(nb_net_port_is_neighbour(&p, NB_FAMILY_IPV6, &IP6(0xfe800000, 9)));
    assert_false(nb_net_port_is_neighbour(&p, NB_FAMILY_IPV6, &IP6(0xfd990000, 2)));
    assert_false(nb_net_port_is_neighbour(&p, NB_FAMILY_IPV6, &IP6(0xfd980000, 9)));
    assert_false(nb_net_port_is_neighbour(&p, NB_FAMILY_IPV6, &IP6(0xff020000, 1)));
    assert_false(nb_net_port_is_neighbour(&p, NB_FAMILY_IPV4, &(struct nb_addr){{RTE_BE32(0xc0a8ffff)}}));
    assert_true(nb_net_port_is_neighbour(&p, NB_FAMILY_IPV4, &(struct nb_addr){{RTE_BE32(0xc0a8fffe)}}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_are_reached_directly),
        cmocka_unit_test(test_others_go_through_the_gateway_or_nowhere),
        cmocka_unit_test(test_broadcasts_are_no_destination),
        cmocka_unit_test(test_both_ends_of_a_31_bit_prefix_are_hosts),
        cmocka_unit_test(test_second_network_is_on_the_link_too),
        cmocka_unit_test(test_first_ipv6_address_brings_the_link_local_one),
        cmocka_unit_test(test_ipv6_next_hop_is_the_neighbour_or_the_gateway),
        cmocka_unit_test(test_source_is_of_the_network_or_the_scope_of_the_destination),
        cmocka_unit_test(test_neighbours_are_other_hosts_of_the_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
