/* Commands of the control socket, and its connections, without an engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control.h"
#include "fake_device.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sim sim;
static struct sim_control *control;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* An abstract socket of this test's own. */
static int listen_somewhere(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "nicsim-test-control-%d", getpid());
    return bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16) ? -1 : fd;
}

static int setup(void **state)
{
    struct sim_device_config config = {.queues = 2, .mac = {2, 0, 0, 0, 0, 1}};
    struct sim_error err;
    (void)state;
    if (sim_init(&sim, &fake_ops, &config, &err))
        return -1;
    control = sim_control_new(&sim, listen_somewhere());
    return control == NULL;
}

static int teardown(void **state)
{
    (void)state;
    sim_control_free(control);
    sim_fini(&sim);
    return 0;
}

static void expect(const char *line, const char *answer)
{
    char *got = sim_control_command(control, line);
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
    expect("table x", "error: x: no such table; there is flow-director, 5-tuple, reta\n");
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
    char *answer = sim_control_command(control, line);
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
    expect("trace to /dev/null frames bytes", "error: trace bytes: wanted frames, registers or remarks\n");
    expect("trace to /dev/null frames remarks", "ok\n");
    assert_int_equal(sim.trace.kinds, SIM_TRACE_FRAMES | SIM_TRACE_REMARKS);
    expect("trace off", "ok\n");
    assert_int_equal(sim.trace.kinds, 0);
    expect("trace on", "ok\n");
    assert_int_equal(sim.trace.kinds, SIM_TRACE_ALL);
}

static void test_words_that_are_no_command_are_refused(void **state)
{
    (void)state;
    expect("frobnicate", "error: frobnicate: no such command; try help\n");
    expect("", "error: an empty command; try help\n");
    expect("a b c d e f g h i", "error: more than 8 words\n");
    expect("status now", "error: usage: status \n");
}

static void test_help_names_every_command(void **state)
{
    static const char *const names[] = {"status", "stats", "reg", "table", "link", "inject", "trace", "wait", "help"};
    char *help = sim_control_command(control, "help");
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(help, names[i]));
    free(help);
}

static void test_stats_show_drops_with_their_reason(void **state)
{
    (void)state;
    free(sim_control_command(control, "inject 00000000000000000000000088b5"));
    char *stats = sim_control_command(control, "stats");
    assert_non_null(strstr(stats, "\nrx_frames 1\n"));
    assert_non_null(strstr(stats, "\nrx_dropped.receiver-off 1\n"));
    free(stats);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof address) ? -1 : fd;
}

/* Serve whatever is ready now. */
static void serve(void)
{
    struct pollfd p[SIM_CONTROL_POLL_MAX];
    unsigned n = sim_control_poll_set(control, p);
    while (poll(p, n, 0) > 0) {
        sim_control_serve(control, p, n);
        n = sim_control_poll_set(control, p);
    }
}

static void expect_reply(int fd, const char *want)
{
    char got[256] = "";
    size_t n = 0;
    ssize_t more;
    while ((more = recv(fd, got + n, sizeof got - 1 - n, 0)) > 0)
        n += more;
    assert_string_equal(got, want);
    close(fd);
}

static void test_command_in_two_pieces_is_one_command(void **state)
{
    (void)state;
    int fd = dial();
    send(fd, "link ", 5, 0);
    serve();
    send(fd, "down\n", 5, 0);
    serve();
    expect_reply(fd, "ok\n");
}

static void test_wait_answers_when_the_receiver_starts(void **state)
{
    (void)state;
    int fd = dial();
    send(fd, "wait started\n", 13, 0);
    serve();
    sim_control_started(control);
    char c;
    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    fake_last->enabled = true;
    sim_control_started(control);
    expect_reply(fd, "ok\n");
}

static void test_waiting_client_that_leaves_frees_its_place(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * SIM_CONTROL_CLIENTS; i++) {
        int fd = dial();
        send(fd, "wait started\n", 13, 0);
        serve();
        close(fd);
        serve();
    }
    int fd = dial();
    send(fd, "link up\n", 8, 0);
    serve();
    expect_reply(fd, "ok\n");
}

static void test_ninth_client_waits_for_a_place(void **state)
{
    (void)state;
    int fds[SIM_CONTROL_CLIENTS + 1];
    for (int i = 0; i <= SIM_CONTROL_CLIENTS; i++)
        fds[i] = dial();
    serve();
    send(fds[SIM_CONTROL_CLIENTS], "link up\n", 8, 0);
    serve();
    close(fds[0]);
    serve();
    expect_reply(fds[SIM_CONTROL_CLIENTS], "ok\n");
    for (int i = 1; i < SIM_CONTROL_CLIENTS; i++)
        close(fds[i]);
    serve();
}

static void test_endless_line_is_refused(void **state)
{
    static char junk[4096];
    (void)state;
    int fd = dial();
    memset(junk, 'x', sizeof junk);
    for (int i = 0; i < 12; i++) {
        send(fd, junk, sizeof junk, MSG_NOSIGNAL | MSG_DONTWAIT);
        serve();
    }
    char got[256] = "";
    recv(fd, got, sizeof got - 1, 0);
    assert_string_equal(got, "error: a command is at most 32831 bytes\n");
    close(fd);
}

#define WITH_CONTROL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CONTROL(test_status_says_what_there_is),
        WITH_CONTROL(test_registers_are_read_and_written_by_name),
        WITH_CONTROL(test_table_prints_or_says_which_there_are),
        WITH_CONTROL(test_inject_says_what_the_nic_decided),
        WITH_CONTROL(test_inject_refuses_what_is_no_frame),
        WITH_CONTROL(test_longest_frame_can_be_injected),
        WITH_CONTROL(test_link_goes_down_and_up),
        WITH_CONTROL(test_trace_wants_a_file_and_known_kinds),
        WITH_CONTROL(test_words_that_are_no_command_are_refused),
        WITH_CONTROL(test_help_names_every_command),
        WITH_CONTROL(test_stats_show_drops_with_their_reason),
        WITH_CONTROL(test_command_in_two_pieces_is_one_command),
        WITH_CONTROL(test_wait_answers_when_the_receiver_starts),
        WITH_CONTROL(test_waiting_client_that_leaves_frees_its_place),
        WITH_CONTROL(test_ninth_client_waits_for_a_place),
        WITH_CONTROL(test_endless_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
