/* A capture file as a wire: its frames in their time, and what is sent in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pcap.h"
#include "pcap_file.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/nicsim-wire-XXXXXX";
static char in[64], out[64];
static struct sim_wire wire;
static struct sim_error err;
static uint8_t frame[SIM_WIRE_FRAME_MAX];

/* Three frames, 1000 ns and 500 ns apart. */
static int group_setup(void **state)
{
    static const uint64_t times[] = {5000000, 5001000, 5001500};
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(in, sizeof in, "%s/in", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    struct sim_pcap *pcap = sim_pcap_new(open(in, O_WRONLY | O_CREAT, 0600), "x");
    for (int i = 0; i < 3; i++) {
        memset(frame, i, 60);
        sim_pcap_frame(pcap, times[i], false, -1, frame, 60);
    }
    sim_pcap_free(pcap);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    unlink(in);
    unlink(out);
    return rmdir(folder);
}

/* %s in the specification: the file that is played. */
static int plug(const char *format, const char *more)
{
    char spec[SIM_WIRE_SPEC_MAX];
    const char *argument;
    int fds[SIM_WIRE_FDS];
    snprintf(spec, sizeof spec, format, in, more);
    const struct sim_wire_ops *ops = sim_wire_parse(spec, &argument, &err);
    if (!ops)
        return -EINVAL;
    int rc = ops->open(argument, fds, &err);
    return rc ? rc : sim_wire_start(&wire, spec, fds, &err);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; wire.ops && i < SIM_WIRE_FDS; i++)
        if (wire.fds[i] >= 0)
            close(wire.fds[i]);
    sim_wire_stop(&wire);
    return 0;
}

static ssize_t receive_at(uint64_t now_ns)
{
    wire.now_ns = now_ns;
    return wire.ops->receive(&wire, frame, sizeof frame);
}

static void test_frames_come_at_the_pace_of_the_capture(void **state)
{
    (void)state;
    assert_int_equal(plug("pcap:%s", ""), 0);
    assert_int_equal(wire.ops->due_ns(&wire), 0);
    assert_int_equal(receive_at(777), 60);
    assert_int_equal(frame[0], 0);
    assert_int_equal(wire.ops->due_ns(&wire), 1777);
    assert_int_equal(receive_at(1776), 0);
    assert_int_equal(receive_at(1777), 60);
    assert_int_equal(frame[0], 1);
    assert_int_equal(receive_at(2276), 0);
    assert_int_equal(receive_at(9999), 60);
    assert_int_equal(frame[0], 2);
    assert_int_equal(wire.ops->due_ns(&wire), SIM_WIRE_NEVER);
    assert_int_equal(receive_at(10000), 0);
}

static void test_fast_frames_do_not_wait(void **state)
{
    (void)state;
    assert_int_equal(plug("pcap:%s,,fast", ""), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(receive_at(1), 60);
    assert_int_equal(receive_at(1), 0);
}

static void test_what_is_sent_is_in_the_other_file(void **state)
{
    static struct sim_pcap_file file;
    uint64_t at;
    (void)state;
    assert_int_equal(plug("pcap:%s,%s", out), 0);
    memset(frame, 9, 70);
    wire.realtime_ns = 42;
    assert_int_equal(wire.ops->send(&wire, frame, 70), 0);
    wire.ops->flush(&wire);
    int fd = open(out, O_RDONLY);
    assert_int_equal(sim_pcap_file_open(&file, fd, &err), 0);
    assert_int_equal(sim_pcap_file_next(&file, frame, sizeof frame, &at, &err), 0); /* it was sent, not received */
    assert_int_equal(file.skipped, 1);
    close(fd);
}

static void test_wire_without_a_capture_only_writes(void **state)
{
    char spec[80];
    const char *argument;
    int fds[SIM_WIRE_FDS];
    (void)state;
    snprintf(spec, sizeof spec, "pcap:,%s", out);
    assert_int_equal(sim_wire_parse(spec, &argument, &err)->open(argument, fds, &err), 0);
    assert_int_equal(sim_wire_start(&wire, spec, fds, &err), 0);
    assert_int_equal(wire.ops->due_ns(&wire), SIM_WIRE_NEVER);
}

static void test_files_that_cannot_be_played_are_named(void **state)
{
    char want[128];
    (void)state;
    assert_int_equal(plug("pcap:%s.not", ""), -ENOENT);
    snprintf(want, sizeof want, "--wire pcap: %s.not: No such file or directory", in);
    assert_string_equal(err.text, want);
    assert_int_equal(plug("pcap:/dev/null", ""), -EINVAL);
    assert_string_equal(err.text, "--wire pcap: /dev/null: not an ordinary file");
    assert_int_equal(plug("pcap:/proc/self/exe", ""), -EINVAL);
    assert_non_null(strstr(err.text, "not a capture file"));
    assert_int_equal(plug("pcap:%s,/nowhere/x", ""), -ENOENT);
    assert_int_equal(plug("pcap:%s,%s,slow", out), -EINVAL);
    assert_int_equal(plug("pcap:", ""), -EINVAL);
}

static void test_capture_that_is_to_be_written_over_by_what_is_sent_is_kept(void **state)
{
    char again[80], want[128];
    (void)state;
    snprintf(again, sizeof again, "%s/../%s/in", folder, strrchr(folder, '/') + 1); /* the same by another name */
    assert_int_equal(plug("pcap:%s,%s", again), -EINVAL);
    snprintf(want, sizeof want, "--wire pcap: %s is both IN and OUT", in);
    assert_string_equal(err.text, want);
    assert_int_equal(plug("pcap:%s,,fast", ""), 0); /* all three frames are still there */
    for (int i = 0; i < 3; i++)
        assert_int_equal(receive_at(0), 60);
}

#define PLUGGED(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLUGGED(test_frames_come_at_the_pace_of_the_capture),
        PLUGGED(test_fast_frames_do_not_wait),
        PLUGGED(test_what_is_sent_is_in_the_other_file),
        PLUGGED(test_wire_without_a_capture_only_writes),
        PLUGGED(test_files_that_cannot_be_played_are_named),
        PLUGGED(test_capture_that_is_to_be_written_over_by_what_is_sent_is_kept),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
