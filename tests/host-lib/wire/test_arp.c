/* test_arp.c - ARP packets: read, written, cut short, lying about their addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/arp.h"
#include "eal.h"

static struct rte_mempool *pool;

static const struct nb_arp request = {
    .op = NB_ARP_REQUEST,
    .sender_mac = {2, 0, 0, 0, 0, 1},
    .target_mac = {2, 0, 0, 0, 0, 2},
    .sender = RTE_BE32(0x0a630001),
    .target = RTE_BE32(0x0a630002),
};

/* RFC 826, Ethernet and IPv4, byte by byte. */
static const uint8_t on_the_wire[NB_ARP_BYTES] = {0,  1,    8, 0, 6, 4, 0, 1, 2, 0, 0,  0,    0, 1,
                                                  10, 0x63, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0x63, 0, 2};

static int parse(struct nb_arp *arp, const uint8_t *bytes, size_t n)
{
    struct rte_mbuf *m = nb_test_packet(pool, bytes, n, 0);
    int reason = nb_arp_parse(arp, m, 0);

    rte_pktmbuf_free(m);
    return reason;
}

static void test_request_is_written_as_rfc_826_says(void **state)
{
    uint8_t bytes[NB_ARP_BYTES];

    (void)state;
    nb_arp_write(bytes, &request);
    assert_memory_equal(bytes, on_the_wire, sizeof bytes);
}

static void test_written_request_parses_back(void **state)
{
    struct nb_arp arp;

    (void)state;
    assert_int_equal(parse(&arp, on_the_wire, sizeof on_the_wire), 0);
    assert_int_equal(arp.op, request.op);
    assert_memory_equal(arp.sender_mac, request.sender_mac, 6);
    assert_memory_equal(arp.target_mac, request.target_mac, 6);
    assert_int_equal(arp.sender, request.sender);
    assert_int_equal(arp.target, request.target);
}

static void test_packet_cut_short_is_malformed(void **state)
{
    struct nb_arp arp;

    (void)state;
    for (size_t n = 0; n < NB_ARP_BYTES; n++)
        assert_int_equal(parse(&arp, on_the_wire, n), NB_COUNTER_DROP_MALFORMED);
}

static void test_other_address_kinds_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int reason;
    } changes[] = {
        {1, 6, NB_COUNTER_DROP_UNKNOWN_PROTOCOL},    /* hardware: IEEE 802 */
        {2, 0x86, NB_COUNTER_DROP_UNKNOWN_PROTOCOL}, /* protocol: not IPv4 */
        {4, 8, NB_COUNTER_DROP_MALFORMED},           /* hardware address length */
        {5, 16, NB_COUNTER_DROP_MALFORMED},          /* protocol address length */
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t bytes[NB_ARP_BYTES];
        struct nb_arp arp;

        memcpy(bytes, on_the_wire, sizeof bytes);
        bytes[changes[i].at] = changes[i].value;
        assert_int_equal(parse(&arp, bytes, sizeof bytes), changes[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_written_as_rfc_826_says),
        cmocka_unit_test(test_written_request_parses_back),
        cmocka_unit_test(test_packet_cut_short_is_malformed),
        cmocka_unit_test(test_other_address_kinds_are_refused),
    };

    nb_test_eal();
    pool = nb_test_pool("arp", 255);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
