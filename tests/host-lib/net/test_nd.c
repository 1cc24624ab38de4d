/* test_nd.c - Neighbour Discovery, honest and hostile: neighbours, duplicate addresses, routers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/net/neighbour.h"
#include "../../../host-lib/wire/extension.h"
#include "../../../host-lib/wire/nd.h"
#include "one_net.h"

#define counters one_net_counters
#define AT       (NB_ETH_HEADER_BYTES + NB_IPV6_HEADER_BYTES)

static const struct nb_addr nobody;

static struct frame message(const struct nb_addr *src, const struct nb_addr *dst, const struct nb_nd *nd)
{
    struct frame f = frame_ip6(src, dst, NB_NEXT_ICMPV6);
    uint8_t bytes[NB_ND_BYTES_MAX] = {nd->type};
    uint32_t rest;
    unsigned n = NB_ICMP_HEADER_BYTES + nb_nd_write(bytes + NB_ICMP_HEADER_BYTES, nd, &rest);

    rest = rte_cpu_to_be_32(rest);
    memcpy(bytes + 4, &rest, 4);
    frame_append(&f, bytes, n);
    frame_seal_icmp6(&f, AT);
    return f;
}

static struct frame solicitation(const struct nb_addr *src, const struct nb_addr *target, const uint8_t *mac)
{
    const struct nb_addr group = nb_ipv6_solicited_node(target);
    struct nb_nd nd = {.type = NB_ICMPV6_NEIGHBOUR_SOLICITATION, .has_mac = mac, .target = *target};

    if (mac)
        memcpy(nd.mac, mac, 6);
    return message(src, &group, &nd);
}

static struct frame advertisement(const struct nb_addr *src, const struct nb_addr *target, const uint8_t mac[6])
{
    struct nb_nd nd = {.type = NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT,
                       .solicited = true,
                       .override = true,
                       .has_mac = true,
                       .target = *target};

    memcpy(nd.mac, mac, 6);
    return message(src, &US6, &nd);
}

/* A router advertisement with the router's MAC address. */
static struct frame router(const struct nb_addr *src, uint16_t lifetime_s)
{
    struct frame f = frame_ip6(src, &NB_IPV6_ALL_NODES, NB_NEXT_ICMPV6);
    uint8_t bytes[24] = {NB_ICMPV6_ROUTER_ADVERTISEMENT, 0, 0, 0, 64, 0, lifetime_s >> 8, lifetime_s & 0xff};

    memcpy(bytes + 16, (uint8_t[]){1, 1, 2, 0, 0, 0, 0, 1}, 8);
    frame_append(&f, bytes, sizeof bytes);
    frame_seal_icmp6(&f, AT);
    return f;
}

/* What was sent as the i-th frame. */
static struct nb_nd sent(unsigned i, struct nb_ipv6 *ip)
{
    struct rte_mbuf *m = seen.frame[i];
    struct nb_icmp icmp;
    struct nb_nd nd;

    assert_true(i < seen.frames);
    assert_int_equal(nb_ipv6_parse(ip, m, NB_ETH_HEADER_BYTES), 0);
    assert_int_equal(ip->hop_limit, 255);
    assert_int_equal(nb_icmpv6_parse(&icmp, m, AT, ip->payload_bytes, &ip->src, &ip->dst), 0);
    assert_int_equal(nb_nd_parse(&nd, icmp.type, m, AT, ip->payload_bytes), 0);
    return nd;
}

/* --- neighbours ----------------------------------------------------------------------------------------------------
 */

static void test_solicitation_for_us_is_answered_and_learned(void **state)
{
    struct frame f = solicitation(&CLIENT6, &US6, client_mac);
    struct nb_ipv6 ip;
    struct nb_nd nd;

    (void)state;
    one_net_input(&f);
    nd = sent(0, &ip);
    assert_int_equal(nd.type, NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT);
    assert_true(nd.solicited && nd.override && nd.has_mac && !nd.router);
    assert_memory_equal(nd.mac, our_mac, 6);
    assert_memory_equal(&nd.target, &US6, 16);
    assert_memory_equal(&ip.dst, &CLIENT6, 16);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), client_mac, 6);
    assert_int_equal(counters[NB_COUNTER_ND_REPLIES], 1);
    assert_memory_equal(one_net_destination(NB_FAMILY_IPV6, &CLIENT6), client_mac, 6);
}

/* RFC 4861 §7.2.4: who looks for duplicates has no address yet, so everybody is told. */
static void test_probe_for_our_address_is_answered_to_all(void **state)
{
    struct frame f = solicitation(&nobody, &US6, NULL);
    struct nb_ipv6 ip;
    struct nb_nd nd;

    (void)state;
    one_net_input(&f);
    nd = sent(0, &ip);
    assert_false(nd.solicited);
    assert_memory_equal(&ip.dst, &NB_IPV6_ALL_NODES, 16);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), "\x33\x33\0\0\0\1", 6);
}

static void test_unknown_neighbour_is_asked_for_and_gets_what_waited(void **state)
{
    struct frame f = advertisement(&CLIENT6, &CLIENT6, client_mac);
    struct nb_ipv6 ip;
    struct nb_nd nd;

    (void)state;
    assert_null(one_net_destination(NB_FAMILY_IPV6, &CLIENT6));
    nd = sent(0, &ip);
    assert_int_equal(nd.type, NB_ICMPV6_NEIGHBOUR_SOLICITATION);
    assert_memory_equal(&nd.target, &CLIENT6, 16);
    assert_memory_equal(&ip.src, &US6, 16);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[0], uint8_t *), "\x33\x33\xff\0\0\1", 6);
    one_net_input(&f);
    assert_int_equal(seen.frames, 2);
    assert_memory_equal(rte_pktmbuf_mtod(seen.frame[1], uint8_t *), client_mac, 6);
    assert_int_equal(seen.told, 1);
    assert_int_equal(seen.news.kind, NB_NEWS_NEIGHBOUR);
}

/* Each would poison a credulous table. None may be answered, learned, or change what we send to whom. */
static void test_spoof_attempts_change_nothing(void **state)
{
    struct frame far = solicitation(&CLIENT6, &US6, evil_mac),
                 attempts[] = {
                     advertisement(&CLIENT6, &CLIENT6, evil_mac), /* contradicts what we know */
                     advertisement(&OTHER6, &OTHER6, evil_mac),   /* nobody asked */
                     advertisement(&CLIENT6, &US6, evil_mac),     /* claims our address */
                     solicitation(&OUTSIDE6, &US6, evil_mac),     /* not on the link */
                     solicitation(&nobody, &US6, evil_mac),       /* nobody with an address */
                     solicitation(&CLIENT6, &OTHER6, evil_mac),   /* about another */
                     solicitation(&CLIENT6, &US6, our_mac),
                 };

    (void)state;
    one_net_learn_client6();
    memcpy(attempts[6].bytes + 6, our_mac, 6);
    far.bytes[NB_ETH_HEADER_BYTES + 7] = 254; /* has been through a router */
    one_net_input(&far);
    for (size_t i = 0; i < RTE_DIM(attempts); i++)
        one_net_input(&attempts[i]);
    assert_int_equal(seen.frames, 0);
    assert_int_equal(counters[NB_COUNTER_ND_REPLIES], 0);
    assert_int_equal(nb_neighbours_count(one_net.neighbours), 1);
    assert_memory_equal(one_net_destination(NB_FAMILY_IPV6, &CLIENT6), client_mac, 6);
    assert_true(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6)); /* it was ours first */
}

static void test_option_of_no_length_makes_a_message_malformed(void **state)
{
    struct frame f = solicitation(&CLIENT6, &US6, client_mac);

    (void)state;
    f.bytes[AT + 25] = 0;
    frame_seal_icmp6(&f, AT);
    one_net_input(&f);
    assert_int_equal(counters[NB_COUNTER_DROP_MALFORMED], 1);
    assert_int_equal(seen.frames, 0);
}

static void test_other_worker_hands_messages_to_the_speaker(void **state)
{
    struct frame f = solicitation(&CLIENT6, &US6, client_mac);

    (void)state;
    one_net_input(&f);
    assert_int_equal(seen.to_speaker, 1);
    assert_int_equal(seen.frames, 0);
    assert_null(one_net_destination(NB_FAMILY_IPV6, &CLIENT6));
    assert_int_equal(seen.asked, 1);
}

/* --- duplicate addresses -------------------------------------------------------------------------------------------
 */

/* Back to before the beginning. */
static void begin_again(void)
{
    for (unsigned i = 0; i < one_net.port[0].n_addresses; i++)
        if (one_net.port[0].address[i].family == NB_FAMILY_IPV6)
            one_net.port[0].address[i].state = NB_ADDRESS_TENTATIVE;
    memset(one_net.beginning, 0, sizeof one_net.beginning);
    one_net.due_us = 0;
    nb_net_advance(&one_net, NOW);
}

static void test_addresses_are_asked_for_and_usable_a_second_later(void **state)
{
    struct nb_ipv6 ip;
    struct nb_nd nd;

    (void)state;
    begin_again();
    assert_int_equal(seen.frames, 2); /* link-local and configured */
    nd = sent(1, &ip);
    assert_int_equal(nd.type, NB_ICMPV6_NEIGHBOUR_SOLICITATION);
    assert_false(nd.has_mac);
    assert_memory_equal(&nd.target, &US6, 16);
    assert_memory_equal(&ip.src, &nobody, 16);
    assert_false(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6));
    assert_int_equal(nb_net_next_us(&one_net), NOW + 1000000);
    nb_net_advance(&one_net, NOW + 1000000);
    assert_true(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6));
    assert_true(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6_LINK));
}

static void conflict_with(const struct frame *f)
{
    begin_again();
    one_net_forget();
    one_net_input(f);
    nb_net_advance(&one_net, NOW + 1000000);
    assert_false(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6));
    assert_true(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6_LINK));
    assert_int_equal(seen.news.kind, NB_NEWS_CONFLICT);
    assert_memory_equal(&seen.news.address, &US6, 16);
    assert_int_equal(counters[NB_COUNTER_ADDRESS_CONFLICTS], 1);
}

static void test_tentative_address_that_another_has_is_never_used(void **state)
{
    struct frame f = frame_ip6(&US6, &NB_IPV6_ALL_NODES, NB_NEXT_ICMPV6);
    struct nb_nd nd = {.type = NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT, .override = true, .target = US6};

    (void)state;
    f = message(&US6, &NB_IPV6_ALL_NODES, &nd);
    conflict_with(&f);
}

static void test_tentative_address_that_another_wants_is_never_used(void **state)
{
    struct frame f = solicitation(&nobody, &US6, NULL);

    (void)state;
    conflict_with(&f);
}

static void test_own_question_come_back_is_no_conflict(void **state)
{
    struct frame f = solicitation(&nobody, &US6, NULL);

    (void)state;
    begin_again();
    memcpy(f.bytes + 6, our_mac, 6);
    one_net_input(&f);
    nb_net_advance(&one_net, NOW + 1000000);
    assert_true(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6));
}

static void test_other_workers_hear_of_a_conflict(void **state)
{
    const struct nb_net_news news = {.kind = NB_NEWS_CONFLICT, .family = NB_FAMILY_IPV6, .address = US6};

    (void)state;
    nb_net_told(&one_net, 0, &news, NOW);
    assert_false(nb_net_port_has(&one_net.port[0], NB_FAMILY_IPV6, &US6));
}

/* --- routers -------------------------------------------------------------------------------------------------------
 */

static bool has_gateway(void)
{
    return nb_net_port_next_hop(&one_net.port[0], NB_FAMILY_IPV6, &OUTSIDE6);
}

static void test_routers_are_asked_for_three_times(void **state)
{
    struct nb_ipv6 ip;

    (void)state;
    one_net.port[0].asks_routers = true;
    begin_again();
    nb_net_advance(&one_net, NOW + 1000000);
    one_net_forget();
    for (unsigned i = 0; i < 6; i++)
        nb_net_advance(&one_net, NOW + 1000000 + 4000000 * i);
    assert_int_equal(seen.frames, 2); /* the first went with the addresses' second */
    assert_int_equal(sent(0, &ip).type, NB_ICMPV6_ROUTER_SOLICITATION);
    assert_memory_equal(&ip.dst, &NB_IPV6_ALL_ROUTERS, 16);
    assert_memory_equal(&ip.src, &US6_LINK, 16);
    assert_int_equal(nb_net_next_us(&one_net), UINT64_MAX);
}

static void test_router_that_announces_itself_is_the_gateway_for_its_lifetime(void **state)
{
    struct frame f = router(&ROUTER6, 1800);

    (void)state;
    one_net.port[0].asks_routers = true;
    one_net_input(&f);
    nb_net_advance(&one_net, NOW);
    assert_true(has_gateway());
    assert_int_equal(seen.news.kind, NB_NEWS_ROUTER);
    assert_int_equal(seen.news.lifetime_s, 1800);
    assert_memory_equal(one_net_destination(NB_FAMILY_IPV6, &OUTSIDE6), client_mac, 6);
    nb_net_advance(&one_net, NOW + UINT64_C(1799999999));
    assert_true(has_gateway());
    nb_net_advance(&one_net, NOW + UINT64_C(1800000000));
    assert_false(has_gateway());
}

static void test_router_that_steps_down_is_forgotten(void **state)
{
    struct frame up = router(&ROUTER6, 1800), down = router(&ROUTER6, 0);

    (void)state;
    one_net.port[0].asks_routers = true;
    one_net_input(&up);
    one_net_input(&down);
    nb_net_advance(&one_net, NOW);
    assert_false(has_gateway());
}

static void test_routers_that_are_not_believed(void **state)
{
    struct frame far = router(&CLIENT6, 1800), first = router(&ROUTER6, 1800), second = router(&US6_LINK, 1800);
    struct nb_addr other = ROUTER6;

    (void)state;
    one_net_input(&first); /* a gateway is configured, or none is wanted */
    assert_false(has_gateway());
    one_net.port[0].asks_routers = true;
    one_net_input(&far); /* RFC 4861 §6.1.2: a link-local address */
    assert_false(has_gateway());
    one_net_input(&first);
    other.word[3] ^= RTE_BE32(1);
    second = router(&other, 9000);
    one_net_input(&second); /* we have one */
    assert_memory_equal(&one_net.port[0].gateway6, &ROUTER6, 16);
}

int main(void)
{
#define T(name)       cmocka_unit_test_setup_teardown(name, one_net_setup6, one_net_teardown)
#define T_OTHER(name) cmocka_unit_test_setup_teardown(name, one_net_setup6_other, one_net_teardown)
    const struct CMUnitTest tests[] = {
        T(test_solicitation_for_us_is_answered_and_learned),
        T(test_probe_for_our_address_is_answered_to_all),
        T(test_unknown_neighbour_is_asked_for_and_gets_what_waited),
        T(test_spoof_attempts_change_nothing),
        T(test_option_of_no_length_makes_a_message_malformed),
        T_OTHER(test_other_worker_hands_messages_to_the_speaker),
        T(test_addresses_are_asked_for_and_usable_a_second_later),
        T(test_tentative_address_that_another_has_is_never_used),
        T(test_tentative_address_that_another_wants_is_never_used),
        T(test_own_question_come_back_is_no_conflict),
        T_OTHER(test_other_workers_hear_of_a_conflict),
        T(test_routers_are_asked_for_three_times),
        T(test_router_that_announces_itself_is_the_gateway_for_its_lifetime),
        T(test_router_that_steps_down_is_forgotten),
        T(test_routers_that_are_not_believed),
    };

    one_net_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
