/* test_control.c - the control socket: claims, framing, slow and hostile clients. Server and clients share one thread:
 * a client writes, the server is given turns, the client reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "control_peer.h"
#include "fake_dataplane.h"

#define VERSION_CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rule.resume\"}\n"
#define VERSION_SAID "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"steering\":\"on\"}}\n"

static char folder[] = "/tmp/nb-test-control-XXXXXX";
static char path[64], lock_name[80];
static struct nb_control *control;
static struct nb_rpc rpc = {&fake_runtime, &fake_steering, NULL, NULL};
static const struct nb_config_operators nobody;
static enum nb_right right = NB_RIGHT_OPERATOR; /* of whoever connects next */
static uint64_t now_ms = 1000000;

/* Instead of the kernel's word, so that a test need not be several users. */
enum nb_right nb_peer_right(int fd, const struct nb_config_operators *operators)
{
    (void)fd, (void)operators;
    return right;
}

static uint64_t test_clock(void)
{
    return now_ms;
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/run/control.sock", folder);
    snprintf(lock_name, sizeof lock_name, "%s.lock", path);
    return 0;
}

static int remove_folder(void **state)
{
    char run[64];

    (void)state;
    snprintf(run, sizeof run, "%s/run", folder);
    return rmdir(run) == 0 && rmdir(folder) == 0 ? 0 : -1; /* fails when a test left a file behind */
}

static int start(void **state)
{
    struct nb_error err = {0};

    (void)state;
    right = NB_RIGHT_OPERATOR;
    memset(&fake_runtime, 0, sizeof fake_runtime);
    memset(&fake_steering, 0, sizeof fake_steering);
    if (nb_control_claim(path, &control, &err) != 0 || nb_control_open(control, &rpc, &nobody, &err) != 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    nb_control_set_clock(control, test_clock);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    nb_control_free(control);
    control = NULL;
    return access(path, F_OK) != 0 && access(lock_name, F_OK) != 0 ? 0 : -1;
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Enough turns for everything in this file: one line per turn and client. */
static void turns(unsigned n)
{
    while (n--)
        assert_int_equal(nb_control_turn(control, 0), 0);
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What the client can read now. */
static size_t take(int fd, char *text, size_t room)
{
    size_t n = 0;
    ssize_t got;

    while (n + 1 < room && (got = recv(fd, text + n, room - 1 - n, MSG_DONTWAIT)) > 0)
        n += (size_t)got;
    text[n] = 0;
    return n;
}

static void expect(int fd, const char *said)
{
    char text[4096];

    take(fd, text, sizeof text);
    assert_string_equal(text, said);
}

static bool closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* --- claims ------------------------------------------------------------------------------------------------------ */

/* A daemon in another process: serves until it is killed. */
static pid_t other_daemon(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    if ((pid = fork()) == 0) {
        struct nb_control *c;
        struct nb_error err;
        if (nb_control_claim(path, &c, &err) != 0 || nb_control_open(c, &rpc, &nobody, &err) != 0)
            _exit(1);
        (void)!write(ready[1], "r", 1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_second_daemon_is_refused_with_the_pid_of_the_first(void **state)
{
    (void)state;
    struct nb_control *c = NULL;
    struct nb_error err = {0};
    char words[64];
    pid_t pid = other_daemon();

    assert_int_equal(nb_control_claim(path, &c, &err), -EBUSY);
    snprintf(words, sizeof words, "already running (pid %d)", (int)pid);
    assert_non_null(strstr(err.text, words));
    close(dial()); /* the first one's socket is still there */
    end(pid);
    assert_int_equal(nb_control_claim(path, &c, &err), 0);
    nb_control_free(c);
}

static void test_socket_of_a_killed_daemon_is_replaced(void **state)
{
    (void)state;
    end(other_daemon());
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(start(state), 0);
    int fd = dial();
    put(fd, VERSION_CALL);
    turns(2);
    expect(fd, VERSION_SAID);
    close(fd);
    assert_int_equal(stop(state), 0);
}

static void test_socket_that_another_program_serves_is_left_alone(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct nb_control *c = NULL;
    struct nb_error err = {0};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(nb_control_claim(path, &c, &err), -EBUSY);
    assert_int_equal(nb_control_claim(path, &c, &err), -EBUSY); /* its queue is full now: alive all the same */
    assert_int_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(lock_name, F_OK), 0);
    close(fd);
    unlink(path);
}

static void test_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    struct nb_control *c = NULL;
    struct nb_error err = {0};

    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(nb_control_claim(path, &c, &err), -EEXIST);
    assert_non_null(strstr(err.text, "a file that is no socket is there"));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

static void test_lock_that_is_a_link_is_not_followed(void **state)
{
    (void)state;
    struct nb_control *c = NULL;
    struct nb_error err = {0};

    char elsewhere[64];

    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    assert_int_equal(symlink(elsewhere, lock_name), 0);
    assert_int_equal(nb_control_claim(path, &c, &err), -ELOOP);
    assert_int_not_equal(access(elsewhere, F_OK), 0);
    unlink(lock_name);
}

static void test_paths_that_cannot_be(void **state)
{
    (void)state;
    struct nb_control *c = NULL;
    struct nb_error err = {0};
    char deep[200] = "/tmp/nb-no-such-folder/below/control.sock";

    assert_int_equal(nb_control_claim(deep, &c, &err), -ENOENT);
    assert_non_null(strstr(err.text, "cannot create /tmp/nb-no-such-folder/below"));
    memset(deep, 'x', sizeof deep - 1);
    deep[0] = '/';
    assert_int_equal(nb_control_claim(deep, &c, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "has 199 bytes; a socket path has at most 107"));
}

static void test_socket_is_open_to_all_and_gone_at_the_end(void **state)
{
    (void)state;
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    assert_int_equal(stat(lock_name, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static void test_request_in_pieces_is_one_request(void **state)
{
    (void)state;
    int fd = dial();

    for (const char *p = VERSION_CALL; *p; p++) {
        char piece[2] = {*p, 0};
        expect(fd, "");
        put(fd, piece);
        turns(2);
    }
    expect(fd, VERSION_SAID);
    close(fd);
    turns(2);
    assert_int_equal(nb_control_clients(control), 0);
}

static void test_requests_in_one_piece_are_answered_in_order(void **state)
{
    (void)state;
    int fd = dial();

    put(fd, VERSION_CALL "\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"rule.flush\"}\n" VERSION_CALL);
    turns(6);
    expect(fd, VERSION_SAID "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"not JSON: "
                            "unexpected end of data\"}}\n"
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"steering\":\"flushed\"}}\n" VERSION_SAID);
    close(fd);
}

static void test_client_that_closed_its_side_gets_its_answers(void **state)
{
    (void)state;
    int fd = dial();

    put(fd, VERSION_CALL VERSION_CALL "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"rule.flush\"}");
    shutdown(fd, SHUT_WR);
    turns(6);
    expect(fd, VERSION_SAID VERSION_SAID);
    assert_true(closed(fd));
    assert_false(fake_steering.flushed); /* the last line had no end: it may be half a request */
    assert_int_equal(nb_control_clients(control), 0);
    close(fd);
}

static void test_notification_of_a_client_that_has_gone_is_carried_out(void **state)
{
    (void)state;
    int fd = dial();

    put(fd, VERSION_CALL "{\"jsonrpc\":\"2.0\",\"method\":\"rule.flush\"}\n");
    shutdown(fd, SHUT_WR);
    turns(4);
    assert_true(fake_steering.flushed);
    assert_int_equal(nb_control_clients(control), 0);
    close(fd);
}

static void test_line_at_its_bound_is_read_and_beyond_it_ends_the_connection(void **state)
{
    (void)state;
    static char line[NB_PROTOCOL_REQUEST_MAX + 8];
    char text[1024];
    int fd = dial();

    memset(line, ' ', sizeof line);
    memcpy(line, VERSION_CALL, strlen(VERSION_CALL) - 1);
    line[NB_PROTOCOL_REQUEST_MAX - 1] = '\n';
    line[NB_PROTOCOL_REQUEST_MAX] = 0;
    put(fd, line);
    turns(3);
    expect(fd, VERSION_SAID);
    line[NB_PROTOCOL_REQUEST_MAX - 1] = ' ';
    put(fd, line);
    turns(3);
    take(fd, text, sizeof text);
    assert_non_null(strstr(text, "a request line has at most 65536 bytes"));
    assert_true(closed(fd));
    assert_int_equal(nb_control_clients(control), 0);
    close(fd);
}

static void test_viewer_is_refused_what_operators_may(void **state)
{
    (void)state;
    char text[1024];

    right = NB_RIGHT_VIEWER;
    int fd = dial();
    put(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"rule.flush\"}\n");
    turns(2);
    take(fd, text, sizeof text);
    assert_non_null(strstr(text, "\"code\":2,"));
    assert_false(fake_steering.flushed);
    close(fd);
}

/* --- slow and hostile -------------------------------------------------------------------------------------------- */

#define BIG_CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.list\",\"params\":{\"limit\":500}}\n"

/* A client that asks for much and takes nothing, until the server has an answer in hand that it cannot deliver. */
static int slow_client(void)
{
    int fd = dial();

    fake_runtime.flows[0] = 500;
    for (unsigned i = 0; i < 10; i++)
        put(fd, BIG_CALL);
    turns(20);
    return fd;
}

static void test_client_that_does_not_read_holds_one_answer_and_nobody_else(void **state)
{
    (void)state;
    int slow = slow_client(), other = dial();
    unsigned calls = fake_runtime.calls;
    char *text = malloc(8 << 20);

    put(other, VERSION_CALL);
    turns(3);
    expect(other, VERSION_SAID);
    assert_int_equal(fake_runtime.calls, calls); /* nothing more was prepared for the slow one */
    size_t n = 0;
    for (unsigned i = 0; i < 200; i++) { /* it begins to read: everything it asked for comes */
        n += take(slow, text + n, (8 << 20) - n);
        turns(2);
    }
    unsigned lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, 10);
    free(text);
    close(slow);
    close(other);
}

static void test_client_that_never_reads_is_disconnected_in_the_end(void **state)
{
    (void)state;
    int fd = slow_client();

    now_ms += NB_CONTROL_STALL_MAX_MS - 1;
    turns(2);
    assert_int_equal(nb_control_clients(control), 1);
    now_ms += 1;
    turns(2);
    assert_int_equal(nb_control_clients(control), 0);
    close(fd);
}

static void test_quiet_client_stays(void **state)
{
    (void)state;
    int fd = dial();

    turns(1);
    now_ms += 1000 * NB_CONTROL_STALL_MAX_MS;
    turns(2);
    put(fd, VERSION_CALL);
    turns(2);
    expect(fd, VERSION_SAID);
    close(fd);
}

static void test_client_that_goes_with_an_answer_in_flight(void **state)
{
    (void)state;
    close(slow_client());
    turns(3);
    assert_int_equal(nb_control_clients(control), 0);
}

static void test_one_client_too_many_is_told_and_operators_have_places_left(void **state)
{
    (void)state;
    int fd[NB_CONTROL_CLIENTS_MAX], extra;
    char text[256];

    right = NB_RIGHT_VIEWER;
    for (unsigned i = 0; i < NB_CONTROL_VIEWERS_MAX; i++) {
        fd[i] = dial();
        turns(1);
    }
    extra = dial();
    turns(1);
    take(extra, text, sizeof text);
    assert_non_null(strstr(text, "\"code\":5,"));
    assert_true(closed(extra));
    close(extra);
    right = NB_RIGHT_OPERATOR;
    for (unsigned i = NB_CONTROL_VIEWERS_MAX; i < NB_CONTROL_CLIENTS_MAX; i++) {
        fd[i] = dial();
        turns(1);
    }
    assert_int_equal(nb_control_clients(control), NB_CONTROL_CLIENTS_MAX);
    extra = dial();
    turns(1);
    assert_int_equal(nb_control_clients(control), NB_CONTROL_CLIENTS_MAX);
    close(extra);
    put(fd[NB_CONTROL_CLIENTS_MAX - 1], VERSION_CALL);
    turns(10); /* 16 events per turn */
    expect(fd[NB_CONTROL_CLIENTS_MAX - 1], VERSION_SAID);
    for (unsigned i = 0; i < NB_CONTROL_CLIENTS_MAX; i++)
        close(fd[i]);
    turns(10);
    assert_int_equal(nb_control_clients(control), 0);
}

static void test_without_descriptors_accepting_pauses_and_goes_on(void **state)
{
    (void)state;
    struct rlimit before, none;
    int probe = dup(0), first = dial();

    close(probe);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)first + 1; /* no descriptor is free below */
    int second = dial();
    setrlimit(RLIMIT_NOFILE, &none);
    turns(3);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(nb_control_clients(control) == 0);
    turns(3);
    assert_int_equal(nb_control_clients(control), 0); /* not before the pause is over */
    now_ms += NB_CONTROL_RETRY_MS;
    turns(3);
    assert_int_equal(nb_control_clients(control), 2);
    close(first);
    close(second);
}

static void test_signal_ends_the_loop_with_its_number(void **state)
{
    (void)state;
    sigset_t set, before;
    int fd = dial();

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &before);
    int signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    raise(SIGHUP);
    assert_int_equal(nb_control_run(control, signal_fd), SIGHUP);
    close(signal_fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_daemon_is_refused_with_the_pid_of_the_first),
        cmocka_unit_test(test_socket_of_a_killed_daemon_is_replaced),
        cmocka_unit_test(test_socket_that_another_program_serves_is_left_alone),
        cmocka_unit_test(test_file_that_is_no_socket_is_left_alone),
        cmocka_unit_test(test_lock_that_is_a_link_is_not_followed),
        cmocka_unit_test(test_paths_that_cannot_be),
        cmocka_unit_test_setup_teardown(test_socket_is_open_to_all_and_gone_at_the_end, start, stop),
        cmocka_unit_test_setup_teardown(test_request_in_pieces_is_one_request, start, stop),
        cmocka_unit_test_setup_teardown(test_requests_in_one_piece_are_answered_in_order, start, stop),
        cmocka_unit_test_setup_teardown(test_client_that_closed_its_side_gets_its_answers, start, stop),
        cmocka_unit_test_setup_teardown(test_notification_of_a_client_that_has_gone_is_carried_out, start, stop),
        cmocka_unit_test_setup_teardown(test_line_at_its_bound_is_read_and_beyond_it_ends_the_connection, start, stop),
        cmocka_unit_test_setup_teardown(test_viewer_is_refused_what_operators_may, start, stop),
        cmocka_unit_test_setup_teardown(test_client_that_does_not_read_holds_one_answer_and_nobody_else, start, stop),
        cmocka_unit_test_setup_teardown(test_client_that_never_reads_is_disconnected_in_the_end, start, stop),
        cmocka_unit_test_setup_teardown(test_quiet_client_stays, start, stop),
        cmocka_unit_test_setup_teardown(test_client_that_goes_with_an_answer_in_flight, start, stop),
        cmocka_unit_test_setup_teardown(test_one_client_too_many_is_told_and_operators_have_places_left, start, stop),
        cmocka_unit_test_setup_teardown(test_without_descriptors_accepting_pauses_and_goes_on, start, stop),
        cmocka_unit_test_setup_teardown(test_signal_ends_the_loop_with_its_number, start, stop),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
