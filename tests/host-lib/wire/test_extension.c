/* test_extension.c - chains of IPv6 extension headers, as long and as crooked as a sender can make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../../host-lib/wire/extension.h"
#include "../../../host-lib/wire/icmp.h"
#include "eal.h"

#define TCP 6

static struct rte_mempool *pool;
static struct nb_ipv6_chain chain;
static uint8_t packet[2048];
static unsigned bytes;

static int setup(void **state)
{
    (void)state;
    memset(packet, 0, sizeof packet);
    memset(&chain, 0, sizeof chain);
    bytes = NB_IPV6_HEADER_BYTES;
    return 0;
}

/* One more header of this kind, so many bytes long, that begins with these; the one before it says so. */
static uint8_t *add(uint8_t kind, unsigned n)
{
    static unsigned next_field;
    uint8_t *at = packet + bytes;

    if (bytes == NB_IPV6_HEADER_BYTES)
        next_field = 6;
    packet[next_field] = kind;
    next_field = bytes;
    at[1] = (uint8_t)(n / 8 - 1);
    bytes += n;
    return at;
}

static void end(uint8_t protocol, unsigned payload)
{
    uint8_t *last = add(protocol, 8);

    (void)last;
    bytes += payload - 8;
}

/* Walk what was made, from data offset 0, in pieces of so many bytes. */
static int walk_pieces(unsigned piece)
{
    struct nb_ipv6 ip = {.payload_bytes = (uint16_t)(bytes - NB_IPV6_HEADER_BYTES),
                         .next = packet[6],
                         .dst = {{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(2)}}};
    struct rte_mbuf *m = nb_test_packet(pool, packet, bytes, piece);
    int reason = nb_ipv6_walk(&chain, &ip, m, 0);

    rte_pktmbuf_free(m);
    return reason;
}

static int walk(void)
{
    return walk_pieces(0);
}

static void test_without_extensions_the_upper_layer_follows(void **state)
{
    (void)state;
    end(TCP, 20);
    assert_int_equal(walk(), 0);
    assert_int_equal(chain.protocol, TCP);
    assert_int_equal(chain.offset, 40);
    assert_int_equal(chain.bytes, 20);
    assert_int_equal(chain.headers, 0);
    assert_int_equal(chain.next_field, 6);
}

static void test_skippable_headers_are_skipped_also_in_pieces(void **state)
{
    (void)state;
    memcpy(add(NB_NEXT_HOP_BY_HOP, 16) + 2, "\x01\x02\0\0\0\x1e\x00\x01\x02",
           9); /* PadN, Pad1, unknown but skippable */
    add(NB_NEXT_DESTINATION, 8)[2] = 1;
    add(NB_NEXT_ROUTING, 24); /* no segments left */
    add(NB_NEXT_FRAGMENT, 8); /* the whole packet: none */
    end(TCP, 20);
    for (unsigned piece = 0; piece < 50; piece += 7) {
        assert_int_equal(walk_pieces(piece), 0);
        assert_int_equal(chain.protocol, TCP);
        assert_int_equal(chain.offset, 40 + 16 + 8 + 24 + 8);
        assert_int_equal(chain.bytes, 20);
        assert_int_equal(chain.headers, 4);
        assert_false(chain.fragment);
    }
}

static void test_fragment_ends_the_walk(void **state)
{
    uint8_t *fragment;

    (void)state;
    add(NB_NEXT_DESTINATION, 8)[2] = 1;
    fragment = add(NB_NEXT_FRAGMENT, 8);
    end(TCP, 20);
    fragment[3] = 1; /* more follow */
    assert_int_equal(walk(), 0);
    assert_true(chain.fragment);
    assert_int_equal(chain.offset, 48);
    assert_int_equal(chain.next_field, 40);
    fragment[3] = 8; /* not at the beginning */
    assert_int_equal(walk(), 0);
    assert_true(chain.fragment);
    fragment[3] = 6; /* reserved bits mean nothing */
    assert_int_equal(walk(), 0);
    assert_false(chain.fragment);
}

static void test_routing_header_with_segments_left_is_refused(void **state)
{
    (void)state;
    add(NB_NEXT_ROUTING, 24)[3] = 1;
    end(TCP, 20);
    assert_int_equal(walk(), NB_COUNTER_DROP_SOURCE_ROUTE);
    assert_true(chain.has_problem);
    assert_int_equal(chain.problem, NB_ICMPV6_BAD_FIELD);
    assert_int_equal(chain.pointer, 42);
}

/* RFC 8200 §4.2: the two highest bits of the type say what becomes of an unknown option. */
static void test_unknown_options_by_their_two_bits(void **state)
{
    static const struct {
        uint8_t option;
        int reason;
        bool told;
    } cases[] = {{0x1e, 0, false},
                 {0x5e, NB_COUNTER_DROP_EXTENSION, false},
                 {0x9e, NB_COUNTER_DROP_EXTENSION, true},
                 {0xde, NB_COUNTER_DROP_EXTENSION, true}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        setup(NULL);
        memcpy(add(NB_NEXT_DESTINATION, 8) + 2, (uint8_t[]){0, cases[i].option, 2, 0, 0, 0}, 6);
        end(TCP, 20);
        assert_int_equal(walk(), cases[i].reason);
        assert_int_equal(chain.has_problem, cases[i].told);
        if (cases[i].told) {
            assert_int_equal(chain.problem, NB_ICMPV6_UNKNOWN_OPTION);
            assert_int_equal(chain.pointer, 43);
        }
    }
}

static void test_option_longer_than_its_header_is_malformed(void **state)
{
    (void)state;
    memcpy(add(NB_NEXT_DESTINATION, 8) + 2, (uint8_t[]){1, 5, 0, 0, 0, 0}, 6);
    end(TCP, 20);
    assert_int_equal(walk(), NB_COUNTER_DROP_MALFORMED);
    setup(NULL);
    memcpy(add(NB_NEXT_DESTINATION, 8) + 2, (uint8_t[]){1, 3, 0, 0, 0, 1}, 6); /* a type without a length */
    end(TCP, 20);
    assert_int_equal(walk(), NB_COUNTER_DROP_MALFORMED);
}

static void test_hop_by_hop_anywhere_but_first_is_refused(void **state)
{
    (void)state;
    add(NB_NEXT_DESTINATION, 8)[2] = 1;
    add(NB_NEXT_HOP_BY_HOP, 8)[2] = 1;
    end(TCP, 20);
    assert_int_equal(walk(), NB_COUNTER_DROP_EXTENSION);
    assert_int_equal(chain.problem, NB_ICMPV6_UNKNOWN_NEXT_HEADER);
}

static void test_headers_at_and_beyond_their_number(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NB_EXTENSIONS_MAX; i++)
        add(NB_NEXT_ROUTING, 8);
    end(TCP, 20);
    assert_int_equal(walk(), 0);
    setup(NULL);
    for (unsigned i = 0; i < NB_EXTENSIONS_MAX + 1; i++)
        add(NB_NEXT_ROUTING, 8);
    end(TCP, 20);
    assert_int_equal(walk(), NB_COUNTER_DROP_EXTENSION);
}

static void test_headers_at_and_beyond_their_bytes(void **state)
{
    (void)state;
    add(NB_NEXT_ROUTING, NB_EXTENSION_BYTES_MAX);
    end(TCP, 20);
    assert_int_equal(walk(), 0);
    setup(NULL);
    add(NB_NEXT_ROUTING, NB_EXTENSION_BYTES_MAX);
    add(NB_NEXT_ROUTING, 8);
    end(TCP, 20);
    assert_int_equal(walk(), NB_COUNTER_DROP_EXTENSION);
}

static void test_header_cut_anywhere_is_malformed(void **state)
{
    unsigned whole;

    (void)state;
    add(NB_NEXT_ROUTING, 24);
    whole = bytes;
    packet[NB_IPV6_HEADER_BYTES] = TCP;
    for (bytes = NB_IPV6_HEADER_BYTES; bytes < whole; bytes++)
        assert_int_equal(walk(), NB_COUNTER_DROP_MALFORMED);
    assert_int_equal(walk(), 0);
    assert_int_equal(chain.bytes, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_without_extensions_the_upper_layer_follows),
        T(test_skippable_headers_are_skipped_also_in_pieces),
        T(test_fragment_ends_the_walk),
        T(test_routing_header_with_segments_left_is_refused),
        T(test_unknown_options_by_their_two_bits),
        T(test_option_longer_than_its_header_is_malformed),
        T(test_hop_by_hop_anywhere_but_first_is_refused),
        T(test_headers_at_and_beyond_their_number),
        T(test_headers_at_and_beyond_their_bytes),
        T(test_header_cut_anywhere_is_malformed),
    };

    nb_test_eal();
    pool = nb_test_pool("extension", 255);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
