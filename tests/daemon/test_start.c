/* test_start.c - what happens before a NIC is touched: the command line, and loading applications. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "apps.h"
#include "options.h"

void nb_runtime_config_init(struct nb_runtime_config *config)
{
    memset(config, 0, sizeof *config);
}

/* --- the command line -------------------------------------------------------------------------------------------- */

static int read_line(const char *line, struct nb_options *options, struct nb_error *err)
{
    static char text[256];
    char *argv[16] = {"netbypassd"};
    int argc = 1;

    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return nb_options_read(argc, argv, options, err);
}

static void test_options_and_their_defaults(void **state)
{
    (void)state;
    struct nb_options options;
    struct nb_error err;

    assert_int_equal(read_line("", &options, &err), 0);
    assert_string_equal(options.config_file, "/etc/netbypass/netbypass.yaml");
    assert_null(options.socket);
    assert_int_equal(options.ready_fd, -1);
    assert_false(options.test_only);
    assert_int_equal(read_line("--config a.yaml -S b.sock -t", &options, &err), 0);
    assert_string_equal(options.config_file, "a.yaml");
    assert_string_equal(options.socket, "b.sock");
    assert_true(options.test_only);
}

static void test_ready_fd_must_be_open_and_is_not_inherited(void **state)
{
    (void)state;
    struct nb_options options;
    struct nb_error err;
    char line[64];
    int fd = open("/dev/null", O_WRONLY);

    snprintf(line, sizeof line, "--ready-fd %d", fd);
    assert_int_equal(read_line(line, &options, &err), 0);
    assert_int_equal(options.ready_fd, fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_int_equal(read_line(line, &options, &err), -EINVAL);
    assert_non_null(strstr(err.text, "accepted: the number of an open file descriptor above 2"));
    assert_int_equal(read_line("--ready-fd 1", &options, &err), -EINVAL);
    assert_int_equal(read_line("--ready-fd x", &options, &err), -EINVAL);
    assert_int_equal(read_line("--ready-fd 99999999999", &options, &err), -EINVAL);
}

static void test_other_words_are_refused(void **state)
{
    (void)state;
    struct nb_options options;
    struct nb_error err;

    assert_int_equal(read_line("-x", &options, &err), -EINVAL);
    assert_string_equal(err.text, "unknown option -x; try --help");
    assert_int_equal(read_line("-c", &options, &err), -EINVAL);
    assert_string_equal(err.text, "a value is missing after -c; try --help");
    assert_int_equal(read_line("start", &options, &err), -EINVAL);
    assert_string_equal(err.text, "unexpected argument start; try --help");
}

/* --- applications ------------------------------------------------------------------------------------------------ */

static void expect_refused(const char *module, int code, const char *words)
{
    static char text[1024];
    struct nb_config *config = NULL;
    struct nb_error err = {0};

    snprintf(text, sizeof text,
             "ports: [{device: a, address: 10.0.0.1/8}]\napps: [{module: '%s', listen: ['0.0.0.0:80']}]\n", module);
    if (nb_config_parse("nb.yaml", text, strlen(text), &config, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(nb_apps_load(config, &err), code);
    if (!strstr(err.text, words))
        fail_msg("said %s", err.text);
    assert_null(config->app[0].app);
    assert_null(config->app[0].library);
    nb_config_free(config);
}

static void test_application_that_is_not_there(void **state)
{
    (void)state;
    expect_refused("no-such", -ENOENT, "nb.yaml:2: module: no-such: no such application: neither /");
    expect_refused("no-such", -ENOENT, "/apps/no-such.so nor /");
    expect_refused("no-such", -ENOENT, "/../lib/netbypass/no-such.so");
    expect_refused("/nonexistent/x.so", -ENOEXEC,
                   "nb.yaml:2: module: /nonexistent/x.so: /nonexistent/x.so: cannot open");
}

static void test_file_that_is_no_shared_object(void **state)
{
    (void)state;
    expect_refused("/etc/passwd", -ENOEXEC, "module: /etc/passwd: ");
}

static void test_shared_object_that_is_no_application(void **state)
{
    (void)state;
    Dl_info info;

    assert_true(dladdr((void *)(uintptr_t)yaml_get_version_string, &info));
    expect_refused(info.dli_fname, -ENOEXEC, "not an application: it has no symbol nb_app");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_and_their_defaults),
        cmocka_unit_test(test_ready_fd_must_be_open_and_is_not_inherited),
        cmocka_unit_test(test_other_words_are_refused),
        cmocka_unit_test(test_application_that_is_not_there),
        cmocka_unit_test(test_file_that_is_no_shared_object),
        cmocka_unit_test(test_shared_object_that_is_no_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
