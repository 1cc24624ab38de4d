/* What `nicsim ctl` can ask, and what it is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "commands.h"
#include "fake_device.h"

#include <stdio.h>
#include <unistd.h>

static struct sim sim;
static struct sim_awaited awaited;

static int setup(void **state)
{
    struct sim_device_config config = {.queues = 2, .mac = {2, 0, 0, 0, 0, 1}};
    struct sim_error err;
    (void)state;
    return sim_init(&sim, &fake_ops, &config, &err);
}

static int teardown(void **state)
{
    (void)state;
    sim_fini(&sim);
    return 0;
}

static void expect(const char *line, const char *answer)
{
    char *got = sim_command_run(&sim, line, &awaited);
    assert_non_null(got);
    assert_string_equal(got, answer);
    free(got);
}

static void test_status_says_what_there_is(void **state)
{
    (void)state;
    char want[256];
    snprintf(want, sizeof want,
             "ok\nnic fake\nprogram %d\nqueues 2\nmac 02:00:00:00:00:01\nlink up\nreceiver off\ntrace off\n", getpid());
    expect("status", want);
}

static void test_registers_are_read_and_written_by_name(void **state)
{
    (void)state;
    expect("reg SCRATCH[3] 0x11223344", "ok\n");
    assert_int_equal(fake_last->scratch[3], 0x11223344);
    expect("reg scratch[3]", "ok\n0x11223344\n");
    expect("reg SCRATCH[3] 4294967295", "ok\n");
    expect("reg SCRATCH[3] 4294967296", "error: 4294967296: wanted a 32-bit number, decimal or 0x...\n");
    expect("reg SCRATCH[3] -1", "error: -1: wanted a 32-bit number, decimal or 0x...\n");
    expect("reg", "error: usage: reg NAME[INDEX] [VALUE]\n");
}

static void test_table_prints_or_says_which_there_are(void **state)
{
    (void)state;
    expect("table reta", "ok\n0 0\n1 1\n");
    expect("table x", "error: x: no such table; there is flow-director, 5-tuple, reta, rsc, drops\n");
}

static void test_inject_says_what_the_nic_decided(void **state)
{
    (void)state;
    fake_last->enabled = true;
    expect("inject 00000000000000000000000088b5", "ok\nqueue 1\ntable flow-director\nrule 7\nhash 0x51ccc178\n");
    assert_int_equal(fake_last->written, 1);
    fake_last->enabled = false;
    expect("inject 00000000000000000000000088B5",
           "ok\nqueue -1\ntable none\nrule -1\nhash 0x00000000\ndrop receiver off\n");
}

static void test_inject_refuses_what_is_no_frame(void **state)
{
    (void)state;
    expect("inject 00", "error: inject: wanted 14 to 16384 bytes, two hexadecimal digits each\n");
    expect("inject 00000000000000000000000088b",
           "error: inject: wanted 14 to 16384 bytes, two hexadecimal digits each\n");
    expect("inject 000000000000000000000000zz00", "error: inject: byte 12 is not two hexadecimal digits\n");
}

static void test_longest_frame_can_be_injected(void **state)
{
    static char line[16 + 2 * SIM_FRAME_MAX + 1] = "inject ";
    (void)state;
    fake_last->enabled = true;
    memset(line + 7, '1', 2 * SIM_FRAME_MAX);
    line[7 + 2 * SIM_FRAME_MAX] = 0;
    char *answer = sim_command_run(&sim, line, &awaited);
    assert_int_equal(strncmp(answer, "ok\n", 3), 0);
    assert_int_equal(fake_last->last_length, SIM_FRAME_MAX);
    free(answer);
}

static void test_link_goes_down_and_up(void **state)
{
    (void)state;
    expect("link down", "ok\n");
    assert_false(fake_last->link_up);
    assert_false(sim.link_up);
    expect("link up", "ok\n");
    assert_true(fake_last->link_up);
    expect("link sideways", "error: link sideways: wanted up or down\n");
}

static void test_trace_wants_a_file_and_known_kinds(void **state)
{
    (void)state;
    expect("trace on", "error: trace on: no file yet; use `trace to FILE`, or start with --trace FILE\n");
    expect("trace to", "error: trace to: wanted a file name\n");
    expect("trace to /nowhere/x", "error: trace to /nowhere/x: No such file or directory\n");
    expect("trace to /dev/null frames bytes",
           "error: trace bytes: wanted frames, registers, remarks or register=GLOB|queue=N|port=N|"
           "flow=ADDR[:PORT]-ADDR[:PORT]|decision=TABLE\n");
    expect("trace to /dev/null frames remarks", "ok\n");
    assert_int_equal(sim.trace.kinds, SIM_TRACE_FRAMES | SIM_TRACE_REMARKS);
    expect("trace off", "ok\n");
    assert_int_equal(sim.trace.kinds, 0);
    expect("trace on", "ok\n");
    assert_int_equal(sim.trace.kinds, SIM_TRACE_FRAMES | SIM_TRACE_REMARKS);
    expect("trace on registers", "ok\n");
    assert_int_equal(sim.trace.kinds, SIM_TRACE_REGISTERS);
    expect("trace to /dev/null", "ok\n");
    assert_int_equal(sim.trace.kinds, SIM_TRACE_ALL);
}

static void test_trace_filter_goes_with_the_kinds_and_is_shown(void **state)
{
    (void)state;
    expect("trace to /dev/null registers register=FDIR* frames queue=1", "ok\n");
    char *status = sim_command_run(&sim, "status", &awaited);
    assert_non_null(strstr(status, "\ntrace frames registers register=FDIR* queue=1\n"));
    free(status);
    expect("trace on queue=x", "error: trace queue=x: wanted queue=a queue, or -1\n");
    assert_int_equal(sim.trace.filter.n, 2);
    expect("trace on frames", "ok\n");
    assert_int_equal(sim.trace.filter.n, 0);
}

static void test_words_that_are_no_command_are_refused(void **state)
{
    (void)state;
    expect("frobnicate", "error: frobnicate: no such command; try help\n");
    expect("", "error: an empty command; try help\n");
    expect("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25", "error: more than 24 words\n");
    expect("status now", "error: usage: status \n");
}

static void test_help_names_every_command(void **state)
{
    static const char *const names[] = {"status", "stats", "reg", "table", "link", "inject", "trace", "wait", "help"};
    char *help = sim_command_run(&sim, "help", &awaited);
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(help, names[i]));
    free(help);
}

static void test_stats_show_drops_with_their_reason(void **state)
{
    (void)state;
    free(sim_command_run(&sim, "inject 00000000000000000000000088b5", &awaited));
    char *stats = sim_command_run(&sim, "stats", &awaited);
    assert_non_null(strstr(stats, "\nrx_frames 1\n"));
    assert_non_null(strstr(stats, "\nrx_dropped.receiver-off 1\n"));
    free(stats);
}

static void test_wait_has_no_answer_before_the_receiver_starts(void **state)
{
    (void)state;
    awaited.sim = NULL;
    assert_null(sim_command_run(&sim, "wait started", &awaited));
    assert_ptr_equal(awaited.sim, &sim);
    assert_true(sim.start_awaited);
    fake_last->enabled = true;
    expect("wait started", "ok\n");
    expect("wait forever", "error: wait forever: wanted started or played\n");
}

static void test_port_prefix_names_the_port_for_every_command(void **state)
{
    (void)state;
    static struct sim second;
    struct sim_device_config config = {.queues = 3};
    struct sim_error err;
    assert_int_equal(sim_init(&second, &fake_ops, &config, &err), 0);
    sim.next_port = &second;
    expect("port 1 fault loss 5 rx", "ok\n");
    assert_int_equal(second.fault.path[SIM_FAULT_RX].parts[SIM_FAULT_LOSS], 50000);
    assert_int_equal(sim.fault.path[SIM_FAULT_RX].parts[SIM_FAULT_LOSS], 0);
    expect("port 1 trace to /dev/null frames", "ok\n");
    assert_int_equal(second.trace.kinds, SIM_TRACE_FRAMES);
    assert_null(sim_command_run(&sim, "port 1 wait started", &awaited));
    assert_ptr_equal(awaited.sim, &second);
    expect("port 2 status", "error: no such port; ports count from 0\n");
    sim_fini(&second);
}

static void test_wait_played_is_for_captures_and_their_end(void **state)
{
    (void)state;
    expect("wait played", "error: wait played: the wire is no capture\n");
    sim.name = "pcap:x";
    awaited.sim = NULL;
    assert_null(sim_command_run(&sim, "wait played", &awaited));
    assert_ptr_equal(awaited.sim, &sim);
    assert_int_equal(awaited.what, SIM_AWAIT_PLAYED);
    assert_false(sim.start_awaited);
    sim.played = true;
    expect("wait played", "ok\n");
}

#define WITH_SIM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SIM(test_status_says_what_there_is),
        WITH_SIM(test_registers_are_read_and_written_by_name),
        WITH_SIM(test_table_prints_or_says_which_there_are),
        WITH_SIM(test_inject_says_what_the_nic_decided),
        WITH_SIM(test_inject_refuses_what_is_no_frame),
        WITH_SIM(test_longest_frame_can_be_injected),
        WITH_SIM(test_link_goes_down_and_up),
        WITH_SIM(test_trace_wants_a_file_and_known_kinds),
        WITH_SIM(test_trace_filter_goes_with_the_kinds_and_is_shown),
        WITH_SIM(test_words_that_are_no_command_are_refused),
        WITH_SIM(test_help_names_every_command),
        WITH_SIM(test_stats_show_drops_with_their_reason),
        WITH_SIM(test_port_prefix_names_the_port_for_every_command),
        WITH_SIM(test_wait_played_is_for_captures_and_their_end),
        WITH_SIM(test_wait_has_no_answer_before_the_receiver_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
