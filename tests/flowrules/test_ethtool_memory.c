/* The memory of rules: what a process that died between two steps leaves, and files that are not what they should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../flowrules/ethtool_core.h"

static char path[64];

static int fresh_path(void **state)
{
    (void)state;
    strcpy(path, "/tmp/nb-memory-XXXXXX");
    close(mkstemp(path));
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct ethtool_rx_flow_spec spec(uint32_t location, uint64_t queue)
{
    return (struct ethtool_rx_flow_spec){.flow_type = TCP_V4_FLOW, .ring_cookie = queue, .location = location};
}

static void must_open(struct nb__ethtool_memory *m)
{
    struct nb_error err;

    if (nb__ethtool_memory_open(m, path, &err))
        fail_msg("%s", err.text);
}

static void test_death_between_intent_and_result_leaves_both_rules_known(void **state)
{
    struct ethtool_rx_flow_spec before = spec(7, 1), after = spec(7, 2), other = spec(7, 3), elsewhere = spec(8, 1);
    struct nb__ethtool_memory m;
    (void)state;

    must_open(&m);
    nb__ethtool_memory_intend(&m, 7, &before);
    nb__ethtool_memory_settle(&m, 7, true);
    nb__ethtool_memory_intend(&m, 7, &after);
    nb__ethtool_memory_close(&m); /* dies here */
    must_open(&m);
    assert_true(nb__ethtool_memory_has(&m, 7));
    assert_true(nb__ethtool_memory_knows(&m, &before));
    assert_true(nb__ethtool_memory_knows(&m, &after));
    assert_false(nb__ethtool_memory_knows(&m, &other));
    assert_false(nb__ethtool_memory_knows(&m, &elsewhere));
    nb__ethtool_memory_forget(&m, 7);
    assert_false(nb__ethtool_memory_has(&m, 7));
    nb__ethtool_memory_close(&m);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_insert_that_failed_leaves_what_was_there(void **state)
{
    struct ethtool_rx_flow_spec before = spec(0, 1), after = spec(0, 2);
    struct nb__ethtool_memory m;
    (void)state;

    must_open(&m);
    nb__ethtool_memory_intend(&m, 0, &before);
    nb__ethtool_memory_settle(&m, 0, true);
    nb__ethtool_memory_intend(&m, 0, &after);
    nb__ethtool_memory_settle(&m, 0, false);
    assert_true(nb__ethtool_memory_knows(&m, &before));
    assert_false(nb__ethtool_memory_knows(&m, &after));
    nb__ethtool_memory_forget(&m, 0);
    nb__ethtool_memory_close(&m);
}

static void test_location_beyond_every_table_is_not_known(void **state)
{
    struct ethtool_rx_flow_spec beyond = spec(NB__ETHTOOL_PLACES, 1), far = spec(UINT32_MAX, 1);
    struct nb__ethtool_memory m;
    (void)state;

    must_open(&m);
    assert_false(nb__ethtool_memory_knows(&m, &beyond));
    assert_false(nb__ethtool_memory_knows(&m, &far));
    nb__ethtool_memory_close(&m);
}

static void test_file_of_something_else_begins_anew(void **state)
{
    struct nb__ethtool_memory m;
    char noise[1000];
    (void)state;

    int fd = open(path, O_WRONLY);
    memset(noise, 0xa5, sizeof noise);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    must_open(&m);
    for (uint32_t i = 0; i < NB__ETHTOOL_PLACES; i++)
        assert_false(nb__ethtool_memory_has(&m, i));
    nb__ethtool_memory_close(&m);
}

static void test_link_and_missing_folder_are_refused(void **state)
{
    struct nb__ethtool_memory m;
    struct nb_error err;
    char link_path[80];
    (void)state;

    snprintf(link_path, sizeof link_path, "%s.link", path);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(nb__ethtool_memory_open(&m, link_path, &err), -ELOOP);
    unlink(link_path);
    assert_int_equal(nb__ethtool_memory_open(&m, "/nowhere/at/all", &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

static void test_without_a_path_nothing_is_remembered(void **state)
{
    struct ethtool_rx_flow_spec rule = spec(1, 1);
    struct nb__ethtool_memory m;
    (void)state;

    assert_int_equal(nb__ethtool_memory_open(&m, NULL, NULL), 0);
    nb__ethtool_memory_intend(&m, 1, &rule);
    nb__ethtool_memory_settle(&m, 1, true);
    assert_false(nb__ethtool_memory_has(&m, 1));
    nb__ethtool_memory_close(&m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_path, remove_path)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_death_between_intent_and_result_leaves_both_rules_known),
        TEST(test_insert_that_failed_leaves_what_was_there),
        TEST(test_location_beyond_every_table_is_not_known),
        TEST(test_file_of_something_else_begins_anew),
        TEST(test_link_and_missing_folder_are_refused),
        TEST(test_without_a_path_nothing_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
