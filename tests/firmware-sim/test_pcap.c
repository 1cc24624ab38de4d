/* A capture, read back block by block. (tshark reads one in the end-to-end tests.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pcap.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t word(const uint8_t *bytes)
{
    uint32_t w;
    memcpy(&w, bytes, sizeof w);
    return w;
}

/* The capture of n frames, 60, 61, 62... bytes long, alternately inbound and outbound. */
static size_t capture(int n, uint8_t *bytes, size_t room)
{
    static const uint8_t frame[128] = {1, 2, 3};
    int fd = memfd_create("capture", 0);
    struct sim_pcap *pcap = sim_pcap_new(dup(fd), "tap:x");
    for (int i = 0; i < n; i++)
        sim_pcap_frame(pcap, 0x0102030405060708, i & 1, i == 3 ? 9 : -1, frame, 60 + i);
    sim_pcap_free(pcap);
    ssize_t size = pread(fd, bytes, room, 0);
    close(fd);
    return size;
}

static void test_blocks_are_framed_and_in_order(void **state)
{
    static const uint32_t want[] = {0x0A0D0D0A, 1, 6, 6, 6, 6};
    uint8_t bytes[4096];
    size_t n = capture(4, bytes, sizeof bytes), at = 0;
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        uint32_t length = word(bytes + at + 4);
        assert_int_equal(word(bytes + at), want[i]);
        assert_int_equal(length % 4, 0);
        assert_int_equal(word(bytes + at + length - 4), length);
        at += length;
    }
    assert_int_equal(at, n);
}

static void test_packet_has_time_lengths_bytes_and_direction(void **state)
{
    uint8_t bytes[4096];
    capture(2, bytes, sizeof bytes);
    (void)state;
    const uint8_t *p = bytes;
    for (int i = 0; i < 3; i++) /* section, interface, first packet */
        p += word(p + 4);
    assert_int_equal(word(p + 12), 0x01020304);
    assert_int_equal(word(p + 16), 0x05060708);
    assert_int_equal(word(p + 20), 61);
    assert_int_equal(word(p + 24), 61);
    assert_int_equal(p[28], 1);
    const uint8_t *options = p + 28 + 64;
    assert_int_equal(word(options), 4 << 16 | 2);
    assert_int_equal(word(options + 4), 2); /* outbound */
    assert_int_equal(word(options + 8), 0);
}

static void test_packet_of_a_queue_names_it(void **state)
{
    uint8_t bytes[4096];
    capture(4, bytes, sizeof bytes);
    (void)state;
    const uint8_t *p = bytes;
    for (int i = 0; i < 5; i++)
        p += word(p + 4);
    const uint8_t *options = p + 28 + 64;
    assert_int_equal(word(options + 8), 4 << 16 | 6);
    assert_int_equal(word(options + 12), 9);
    assert_int_equal(word(options + 16), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_framed_and_in_order),
        cmocka_unit_test(test_packet_has_time_lengths_bytes_and_direction),
        cmocka_unit_test(test_packet_of_a_queue_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
