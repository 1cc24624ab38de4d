/* Instance directories: made, found, and removed when their owners are gone, never before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char parent[64], outside[64];

static int setup(void **state)
{
    (void)state;
    strcpy(parent, "/tmp/nicsim-test-instance.XXXXXX");
    strcpy(outside, "/tmp/nicsim-test-outside.XXXXXX");
    return !mkdtemp(parent) || !mkdtemp(outside);
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(parent) || rmdir(outside); /* both must be empty again */
}

static void note(void *arg, pid_t pid, const char *path)
{
    (void)path;
    *(pid_t *)arg = pid;
}

static int exists(const char *path)
{
    struct stat st;
    return !lstat(path, &st);
}

static void test_living_directory_is_listed_and_not_reaped(void **state)
{
    (void)state;
    char path[SIM_PATH_MAX];
    struct sim_error err;
    pid_t found = 0;
    int lock = sim_instance_create(parent, 4711, path, &err);
    assert_true(lock >= 0);
    assert_int_equal(sim_instance_reap(parent), 0);
    assert_int_equal(sim_instance_list(parent, note, &found), 1);
    assert_int_equal(found, 4711);
    sim_instance_remove(path);
    close(lock);
}

static void test_dead_directory_is_reaped_with_all_in_it(void **state)
{
    (void)state;
    char path[SIM_PATH_MAX], name[SIM_PATH_MAX + 16];
    struct sim_error err;
    int lock = sim_instance_create(parent, 4711, path, &err);
    snprintf(name, sizeof name, "%s/sub", path);
    assert_int_equal(mkdir(name, 0700), 0);
    snprintf(name, sizeof name, "%s/sub/fifo", path);
    assert_int_equal(mkfifo(name, 0600), 0);
    close(lock);
    assert_int_equal(sim_instance_list(parent, note, &(pid_t){0}), 0);
    assert_int_equal(sim_instance_reap(parent), 1);
    assert_false(exists(path));
}

static void test_directory_lives_as_long_as_one_holder_of_the_lock(void **state)
{
    (void)state;
    char path[SIM_PATH_MAX];
    struct sim_error err;
    int launcher = sim_instance_create(parent, 4711, path, &err), program = dup(launcher);
    close(launcher);
    assert_int_equal(sim_instance_reap(parent), 0);
    close(program);
    assert_int_equal(sim_instance_reap(parent), 1);
}

static void test_dead_directory_of_the_same_number_is_taken_over(void **state)
{
    (void)state;
    char path[SIM_PATH_MAX];
    struct sim_error err;
    close(sim_instance_create(parent, 4711, path, &err));
    int lock = sim_instance_create(parent, 4711, path, &err);
    assert_true(lock >= 0);
    assert_int_equal(sim_instance_create(parent, 4711, path, &err), -EWOULDBLOCK);
    assert_non_null(strstr(err.text, "belongs to a running nicsim"));
    sim_instance_remove(path);
    close(lock);
}

static void test_links_are_not_followed(void **state)
{
    (void)state;
    char path[SIM_PATH_MAX], name[SIM_PATH_MAX + 16], keep[128];
    struct sim_error err;
    snprintf(keep, sizeof keep, "%s/keep", outside);
    close(open(keep, O_CREAT | O_WRONLY, 0600));
    int lock = sim_instance_create(parent, 4711, path, &err);
    snprintf(name, sizeof name, "%s/link", path);
    assert_int_equal(symlink(outside, name), 0);
    close(lock);
    snprintf(name, sizeof name, "%s/nicsim.99", parent);
    assert_int_equal(symlink(outside, name), 0);
    assert_int_equal(sim_instance_reap(parent), 1);
    assert_true(exists(keep));
    assert_true(exists(name));
    unlink(name);
    unlink(keep);
}

static void test_other_names_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"nicsim.", "nicsim.x", "nicsim.12x", "nicsim.-3", "other.12"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", parent, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(sim_instance_reap(parent), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", parent, names[i]);
        assert_int_equal(rmdir(path), 0);
    }
}

#define WITH_PARENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PARENT(test_living_directory_is_listed_and_not_reaped),
        WITH_PARENT(test_dead_directory_is_reaped_with_all_in_it),
        WITH_PARENT(test_directory_lives_as_long_as_one_holder_of_the_lock),
        WITH_PARENT(test_dead_directory_of_the_same_number_is_taken_over),
        WITH_PARENT(test_links_are_not_followed),
        WITH_PARENT(test_other_names_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
