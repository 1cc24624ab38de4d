/* The cable between two simulated cards: who comes first, who second, and what is in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/nicsim-link-XXXXXX";
static char path[64];
static struct sim_error err;

static int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/cable", folder);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static int plug(int *fd)
{
    int fds[SIM_WIRE_FDS] = {-1, -1};
    int rc = sim_wire_link.open(path, fds, &err);
    *fd = fds[0];
    return rc;
}

static void test_frame_goes_from_the_first_to_the_second_and_back(void **state)
{
    struct sim_wire a = {.fds = {-1, -1}}, b = {.fds = {-1, -1}};
    uint8_t frame[100] = {1}, room[200];
    (void)state;
    assert_int_equal(plug(&a.fds[0]), 0);
    assert_int_equal(plug(&b.fds[0]), 0);
    assert_int_equal(sim_wire_link.receive(&a, room, sizeof room), 0); /* here the peer is taken */
    assert_int_equal(sim_wire_link.send(&a, frame, sizeof frame), 0);
    assert_int_equal(sim_wire_link.receive(&b, room, sizeof room), sizeof frame);
    assert_memory_equal(room, frame, sizeof frame);
    assert_int_equal(sim_wire_link.send(&b, frame, 60), 0);
    assert_int_equal(sim_wire_link.receive(&a, room, sizeof room), 60);
    close(b.fds[0]);
    assert_int_equal(sim_wire_link.receive(&a, room, sizeof room), -EPIPE);
    close(a.fds[0]);
}

static void test_socket_that_nobody_listens_on_is_replaced(void **state)
{
    int fd;
    (void)state;
    assert_int_equal(plug(&fd), 0);
    close(fd); /* and the name stays, as after a crash */
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(plug(&fd), 0);
    close(fd);
}

static void test_file_that_is_no_socket_is_left_alone(void **state)
{
    char want[128], word[8] = "";
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    (void)state;
    assert_int_equal(write(fd, "word", 4), 4);
    close(fd);
    assert_int_equal(plug(&fd), -ENOTSOCK);
    snprintf(want, sizeof want, "--wire link:%s: exists and is not a socket", path);
    assert_string_equal(err.text, want);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, word, sizeof word), 4);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_frame_goes_from_the_first_to_the_second_and_back, teardown),
        cmocka_unit_test_teardown(test_socket_that_nobody_listens_on_is_replaced, teardown),
        cmocka_unit_test_teardown(test_file_that_is_no_socket_is_left_alone, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
