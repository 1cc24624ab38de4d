/* Lines of the trace, as a reader finds them in the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sim_trace trace;
static int file;

static const uint8_t tcp4[] = {
    2,    0,   0, 0,  0, 1, 2,    0, 0,  0, 0, 2, 8,    0,                        /* Ethernet */
    0x45, 0,   0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10,   0,    0, 1, 10, 0, 0, 2,  /* IPv4 */
    3,    232, 0, 80, 0, 0, 0,    0, 0,  0, 0, 0, 0x50, 0x12, 0, 0, 0,  0, 0, 0}; /* TCP, SYN ACK */

static int setup(void **state)
{
    (void)state;
    file = memfd_create("trace", 0);
    sim_trace_init(&trace);
    sim_trace_to(&trace, dup(file));
    sim_trace_want(&trace, SIM_TRACE_ALL, NULL);
    return file < 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_trace_to(&trace, -1);
    close(file);
    return 0;
}

static const char *written(void)
{
    static char text[256 * 1024];
    sim_trace_flush(&trace);
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = 0;
    return text;
}

static void test_received_frame_says_table_rule_queue_and_tuple(void **state)
{
    (void)state;
    struct sim_verdict v = {.queue = 3, .table = "flow-director", .rule = 7, .rss_hash = 0x51ccc178};
    sim_trace_rx(&trace, 42, tcp4, sizeof tcp4, &v);
    assert_string_equal(
        written(), "{\"t\":42,\"port\":0,\"event\":\"rx\",\"queue\":3,\"table\":\"flow-director\",\"rule\":7,\"hash\":"
                   "\"0x51ccc178\",\"length\":54,\"proto\":\"tcp\",\"src\":\"10.0.0.1\",\"sport\":1000,\"dst\":"
                   "\"10.0.0.2\",\"dport\":80,\"flags\":\"SA\"}\n");
}

static void test_dropped_frame_says_why(void **state)
{
    (void)state;
    struct sim_verdict v = {.queue = -1, .table = "none", .rule = -1, .drop = "receiver off"};
    sim_trace_rx(&trace, 1, tcp4, 13, &v);
    assert_string_equal(written(),
                        "{\"t\":1,\"port\":0,\"event\":\"rx\",\"queue\":-1,\"table\":\"none\",\"rule\":-1,\"hash\":"
                        "\"0x00000000\",\"drop\":\"receiver off\",\"length\":13,\"ethertype\":\"0x0000\"}\n");
}

static void test_register_access_is_named(void **state)
{
    (void)state;
    sim_trace_register(&trace, 5, true, "RDT[3]", 0x10D8, 0x1FF);
    assert_string_equal(written(),
                        "{\"t\":5,\"port\":0,\"event\":\"write\",\"register\":\"RDT[3]\",\"offset\":\"0x010d8\","
                        "\"value\":\"0x000001ff\"}\n");
}

static void test_remark_is_escaped_and_cut(void **state)
{
    (void)state;
    char longer[4096];
    sim_trace_remark(&trace, 5, "say \"x\\y\"\n");
    assert_string_equal(written(), "{\"t\":5,\"port\":0,\"event\":\"remark\",\"text\":\"say \\\"x\\\\y\\\" \"}\n");
    memset(longer, '"', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    sim_trace_remark(&trace, 6, longer);
    const char *text = written();
    assert_true(strlen(text) < 1200);
    assert_string_equal(text + strlen(text) - 3, "\"}\n");
}

static void test_more_lines_than_the_buffer_holds_are_all_written(void **state)
{
    (void)state;
    int lines = 0;
    for (int i = 0; i < 2000; i++)
        sim_trace_register(&trace, i, false, "CTRL", 0, i);
    for (const char *p = written(); *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 2000);
}

static void test_lines_that_could_not_be_written_are_counted_in_the_next(void **state)
{
    (void)state;
    sim_trace_to(&trace, open("/dev/full", O_WRONLY));
    sim_trace_remark(&trace, 1, "gone");
    sim_trace_remark(&trace, 1, "gone too");
    sim_trace_flush(&trace);
    sim_trace_to(&trace, dup(file));
    sim_trace_remark(&trace, 2, "here");
    assert_string_equal(written(), "{\"t\":0,\"port\":0,\"event\":\"lost\",\"lines\":2}\n"
                                   "{\"t\":2,\"port\":0,\"event\":\"remark\",\"text\":\"here\"}\n");
}

static void test_slow_reader_loses_whole_lines_and_is_told_how_many(void **state)
{
    (void)state;
    static char text[256 * 1024];
    int fifo[2], lines = 0, lost = 0;
    assert_int_equal(pipe2(fifo, O_NONBLOCK), 0);
    fcntl(fifo[1], F_SETPIPE_SZ, 4096);
    sim_trace_to(&trace, fifo[1]);
    for (int i = 0; i < 2000; i++)
        sim_trace_register(&trace, i, false, "CTRL", 0, i);
    size_t n = 0;
    for (int round = 0; round < 200; round++) {
        ssize_t more = read(fifo[0], text + n, sizeof text - n);
        n += more > 0 ? more : 0;
        if (round == 100)
            sim_trace_remark(&trace, 1, "back");
        sim_trace_flush(&trace);
    }
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_int_equal(line[strlen(line) - 1], '}');
        lines += strstr(line, "\"read\"") != NULL;
        sscanf(line, "{\"t\":0,\"port\":0,\"event\":\"lost\",\"lines\":%d}", &lost);
    }
    assert_true(lost > 0);
    assert_int_equal(lines + lost, 2000);
    close(fifo[0]);
}

static void test_only_what_passes_the_filter_is_written(void **state)
{
    (void)state;
    struct sim_verdict v = {.queue = 3, .table = "rss", .rule = 7};
    struct sim_trace_filter filter = {0};
    struct sim_error err;
    assert_int_equal(sim_trace_filter_add(&filter, "register=RDT*", &err), 0);
    assert_int_equal(sim_trace_filter_add(&filter, "queue=4", &err), 0);
    sim_trace_want(&trace, SIM_TRACE_ALL, &filter);
    sim_trace_register(&trace, 5, true, "TDT[3]", 0x10D8, 0x1FF);
    sim_trace_rx(&trace, 42, tcp4, sizeof tcp4, &v);
    sim_trace_tx(&trace, 43, 3, tcp4, sizeof tcp4);
    assert_string_equal(written(), "");
    sim_trace_tx(&trace, 44, 4, tcp4, 13);
    assert_string_equal(written(), "{\"t\":44,\"port\":0,\"event\":\"tx\",\"queue\":4,\"length\":13,"
                                   "\"ethertype\":\"0x0000\"}\n");
}

static void test_pause_keeps_what_was_wanted(void **state)
{
    (void)state;
    struct sim_trace_filter filter = {0};
    struct sim_error err;
    assert_int_equal(sim_trace_filter_add(&filter, "queue=4", &err), 0);
    sim_trace_want(&trace, SIM_TRACE_FRAMES, &filter);
    sim_trace_off(&trace);
    assert_false(sim_trace_on(&trace, SIM_TRACE_FRAMES));
    sim_trace_resume(&trace);
    assert_int_equal(trace.kinds, SIM_TRACE_FRAMES);
    assert_int_equal(trace.filter.n, 1);
}

#define WITH_TRACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TRACE(test_received_frame_says_table_rule_queue_and_tuple),
        WITH_TRACE(test_dropped_frame_says_why),
        WITH_TRACE(test_register_access_is_named),
        WITH_TRACE(test_only_what_passes_the_filter_is_written),
        WITH_TRACE(test_pause_keeps_what_was_wanted),
        WITH_TRACE(test_remark_is_escaped_and_cut),
        WITH_TRACE(test_more_lines_than_the_buffer_holds_are_all_written),
        WITH_TRACE(test_slow_reader_loses_whole_lines_and_is_told_how_many),
        WITH_TRACE(test_lines_that_could_not_be_written_are_counted_in_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
