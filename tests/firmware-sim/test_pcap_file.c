/* Capture files of every kind, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pcap.h"
#include "pcap_file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 2048

static struct sim_pcap_file file;
static struct sim_error err;
static uint8_t bytes[8192], frame[ROOM];
static size_t n;
static bool swap;
static int fd = -1;

static int setup(void **state)
{
    (void)state;
    n = 0;
    swap = false;
    memset(bytes, 0, sizeof bytes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (fd >= 0)
        close(fd);
    fd = -1;
    return 0;
}

static void put32(uint32_t v)
{
    v = swap ? __builtin_bswap32(v) : v;
    memcpy(bytes + n, &v, sizeof v);
    n += sizeof v;
}

static void put16(uint16_t v)
{
    v = swap ? __builtin_bswap16(v) : v;
    memcpy(bytes + n, &v, sizeof v);
    n += sizeof v;
}

static void put_bytes(size_t count, uint8_t first)
{
    memset(bytes + n, first, count);
    n += count;
}

static void put_classic_head(uint32_t magic, uint32_t linktype)
{
    put32(magic);
    put16(2);
    put16(4);
    put32(0);
    put32(0);
    put32(65535);
    put32(linktype);
}

static void put_record(uint32_t s, uint32_t part, uint32_t captured, uint32_t original, uint8_t first)
{
    put32(s);
    put32(part);
    put32(captured);
    put32(original);
    put_bytes(captured, first);
}

static void put_section(void)
{
    put32(0x0A0D0D0A);
    put32(28);
    put32(0x1A2B3C4D);
    put16(1);
    put16(0);
    put32(UINT32_MAX);
    put32(UINT32_MAX);
    put32(28);
}

/* resolution: the option's byte; 0: no option. */
static void put_interface(uint16_t linktype, uint8_t resolution)
{
    uint32_t total = 20 + (resolution ? 12 : 0);
    put32(1);
    put32(total);
    put16(linktype);
    put16(0);
    put32(0);
    if (resolution) {
        put16(9);
        put16(1);
        put_bytes(1, resolution);
        put_bytes(3, 0);
        put32(0);
    }
    put32(total);
}

/* flags: of the option; 0: no option. */
static void put_packet(uint32_t interface, uint64_t time, uint32_t captured, uint8_t first, uint32_t flags)
{
    uint32_t padded = (captured + 3) & ~3u, total = 32 + padded + (flags ? 12 : 0);
    put32(6);
    put32(total);
    put32(interface);
    put32(time >> 32);
    put32((uint32_t)time);
    put32(captured);
    put32(captured);
    put_bytes(captured, first);
    put_bytes(padded - captured, 0);
    if (flags) {
        put16(2);
        put16(4);
        put32(flags);
        put32(0);
    }
    put32(total);
}

static int open_bytes(size_t count)
{
    teardown(NULL);
    fd = memfd_create("capture", 0);
    assert_int_equal(write(fd, bytes, count), count);
    return sim_pcap_file_open(&file, fd, &err);
}

static void expect_frame(size_t length, uint64_t time_ns, uint8_t first)
{
    uint64_t at;
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), length);
    assert_int_equal(at, time_ns);
    assert_int_equal(frame[0], first);
    assert_int_equal(frame[length - 1], first);
}

static void expect_end(void)
{
    uint64_t at;
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), 0);
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), 0);
}

static void test_classic_files_of_either_order_and_unit(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool nanoseconds = i & 1;
        setup(state);
        swap = i & 2;
        put_classic_head(nanoseconds ? 0xA1B23C4D : 0xA1B2C3D4, 1);
        put_record(5, 7, 60, 60, 1);
        put_record(6, 0, 1514, 1514, 2);
        assert_int_equal(open_bytes(n), 0);
        expect_frame(60, 5000000000 + (nanoseconds ? 7 : 7000), 1);
        expect_frame(1514, 6000000000, 2);
        expect_end();
    }
}

static void test_pcapng_of_either_order_with_resolutions(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        setup(state);
        swap = i;
        put_section();
        put_interface(1, 0);
        put_interface(1, 9);
        put_interface(1, 0x80 | 10); /* 1/1024 s */
        put_packet(0, 5000001, 60, 1, 0);
        put_packet(1, 5000000001, 61, 2, 1);
        put_packet(2, 1536, 62, 3, 0);
        put32(99); /* a block of somebody else's */
        put32(16);
        put32(0);
        put32(16);
        put32(3); /* a simple packet */
        put32(16 + 20);
        put32(18);
        put_bytes(18, 4);
        put_bytes(2, 0);
        put32(16 + 20);
        assert_int_equal(open_bytes(n), 0);
        expect_frame(60, 5000001000, 1);
        expect_frame(61, 5000000001, 2);
        expect_frame(62, 1500000000, 3);
        expect_frame(18, 0, 4);
        expect_end();
        assert_int_equal(file.skipped, 0);
    }
}

static void test_second_section_begins_anew(void **state)
{
    (void)state;
    put_section();
    put_interface(1, 9);
    put_packet(0, 1, 60, 1, 0);
    swap = true;
    put_section();
    put_interface(1, 0);
    put_packet(0, 2, 60, 2, 0);
    assert_int_equal(open_bytes(n), 0);
    expect_frame(60, 1, 1);
    expect_frame(60, 2000, 2);
    expect_end();
}

static void test_what_was_never_received_is_passed_over(void **state)
{
    (void)state;
    put_section();
    put_interface(1, 0);
    put_interface(113, 0);
    put_packet(0, 1, 60, 1, 2); /* sent */
    put_packet(1, 2, 60, 2, 0); /* not Ethernet */
    put_packet(0, 3, 13, 3, 0); /* shorter than a header */
    put_packet(0, 4, 60, 4, 1);
    assert_int_equal(open_bytes(n), 0);
    expect_frame(60, 4000, 4);
    expect_end();
    assert_int_equal(file.skipped, 3);
    setup(state);
    put_classic_head(0xA1B2C3D4, 1);
    put_record(1, 0, 60, 1514, 1); /* cut */
    put_record(1, 0, ROOM + 1, ROOM + 1, 2);
    put_record(2, 0, 60, 60, 3);
    assert_int_equal(open_bytes(n), 0);
    expect_frame(60, 2000000000, 3);
    assert_int_equal(file.skipped, 2);
}

static void test_files_that_are_no_ethernet_capture_are_refused(void **state)
{
    (void)state;
    put_bytes(100, 'x');
    assert_int_equal(open_bytes(n), -EINVAL);
    assert_non_null(strstr(err.text, "not a capture file"));
    assert_int_equal(open_bytes(10), -EINVAL);
    setup(state);
    put_classic_head(0xA1B2C3D4, 113);
    assert_int_equal(open_bytes(n), -EINVAL);
    assert_string_equal(err.text, "link type 113 is not Ethernet");
}

static void test_contradictions_end_the_file_with_their_place(void **state)
{
    uint64_t at;
    (void)state;
    put_section();
    put_interface(1, 0);
    size_t packet = n;
    put_packet(0, 1, 60, 1, 0);
    bytes[packet + 20] = 61; /* captured: more than the block has */
    assert_int_equal(open_bytes(n), 0);
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), -EINVAL);
    assert_string_equal(err.text, "damaged at byte 48: a packet block that contradicts itself");
    bytes[packet + 20] = 60;
    bytes[packet + 8] = 1; /* no such interface */
    assert_int_equal(open_bytes(n), 0);
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), -EINVAL);
    bytes[packet + 8] = 0;
    memset(bytes + packet + 4, 0, 4);
    assert_int_equal(open_bytes(n), 0);
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), -EINVAL);
    assert_string_equal(err.text, "damaged at byte 48: a block of impossible length");
}

/* Whatever a file is cut to: frames, then an end or words, and no byte beyond. */
static void test_file_cut_anywhere_ends_cleanly(void **state)
{
    uint64_t at;
    ssize_t got;
    (void)state;
    put_section();
    put_interface(1, 9);
    put_packet(0, 1, 60, 1, 1);
    put_packet(0, 2, 61, 2, 0);
    for (size_t cut = 24; cut < n; cut++) {
        if (open_bytes(cut))
            continue;
        unsigned frames = 0;
        while ((got = sim_pcap_file_next(&file, frame, sizeof frame, &at, &err)) > 0)
            frames++;
        assert_true(frames <= 2);
    }
}

static void test_own_captures_replay_what_came_in(void **state)
{
    static const uint8_t sent[60] = {1}, received[60] = {2};
    uint64_t at;
    (void)state;
    fd = memfd_create("capture", 0);
    struct sim_pcap *pcap = sim_pcap_new(dup(fd), "tap:x");
    sim_pcap_frame(pcap, 10, true, -1, sent, sizeof sent);
    sim_pcap_frame(pcap, 11, false, 3, received, sizeof received);
    sim_pcap_free(pcap);
    assert_int_equal(sim_pcap_file_open(&file, fd, &err), 0);
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), 60);
    assert_int_equal(at, 11);
    assert_memory_equal(frame, received, 60);
    expect_end();
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(test_classic_files_of_either_order_and_unit),
        WITH_FILE(test_pcapng_of_either_order_with_resolutions),
        WITH_FILE(test_second_section_begins_anew),
        WITH_FILE(test_what_was_never_received_is_passed_over),
        WITH_FILE(test_files_that_are_no_ethernet_capture_are_refused),
        WITH_FILE(test_contradictions_end_the_file_with_their_place),
        WITH_FILE(test_file_cut_anywhere_ends_cleanly),
        WITH_FILE(test_own_captures_replay_what_came_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
