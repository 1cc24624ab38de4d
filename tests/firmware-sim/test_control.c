/* Connections of the control socket, without an engine. */
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
    sim_control_news(control);
    char c;
    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    fake_last->enabled = true;
    sim_control_news(control);
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
        WITH_CONTROL(test_command_in_two_pieces_is_one_command),
        WITH_CONTROL(test_wait_answers_when_the_receiver_starts),
        WITH_CONTROL(test_waiting_client_that_leaves_frees_its_place),
        WITH_CONTROL(test_ninth_client_waits_for_a_place),
        WITH_CONTROL(test_endless_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
