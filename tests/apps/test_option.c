/* test_option.c - options of bundled applications: what is read, and what refusals say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "../../apps/option.h"

static uint64_t number;
static struct app_endpoints endpoints;
static const struct app_option table[] = {
    {"number", APP_NUMBER, .min = 2, .max = 100, .value = &number},
    {"to", APP_ENDPOINTS, .value = &endpoints},
};

static void accepted(const char *key, const char *value)
{
    const struct nb_app_option given = {key, value};
    struct nb_error err = {0};

    if (app_options_read("x", table, 2, &given, 1, &err) != 0)
        fail_msg("%s", err.text);
}

static void refused(const char *key, const char *value, const char *words)
{
    const struct nb_app_option given = {key, value};
    struct nb_error err = {0};

    assert_int_equal(app_options_read("x", table, 2, &given, 1, &err), -EINVAL);
    assert_string_equal(err.text, words);
}

static void test_numbers_within_their_bounds(void **state)
{
    (void)state;
    accepted("number", "2");
    assert_int_equal(number, 2);
    accepted("number", "100");
    assert_int_equal(number, 100);
    refused("number", "1", "x: number '1': accepted: 2 to 100");
    refused("number", "101", "x: number '101': accepted: 2 to 100");
    refused("number", "-3", "x: number '-3': accepted: 2 to 100");
    refused("number", "3x", "x: number '3x': accepted: 2 to 100");
    refused("number", "", "x: number '': accepted: 2 to 100");
    refused("number", "99999999999999999999999", "x: number '99999999999999999999999': accepted: 2 to 100");
    assert_int_equal(number, 100);
}

static void test_endpoints_one_or_several(void **state)
{
#define WANTED "': accepted: 1 to 16 IPv4 addresses with ports, as 10.0.0.1:80"
    (void)state;
    accepted("to", "10.0.0.1:80");
    assert_int_equal(endpoints.n, 1);
    assert_int_equal(endpoints.at[0].address.word[0], inet_addr("10.0.0.1"));
    assert_int_equal(endpoints.at[0].port, 80);
    accepted("to", "10.0.0.1:80, 10.0.0.2:65535 10.0.0.3:1");
    assert_int_equal(endpoints.n, 3);
    assert_int_equal(endpoints.at[2].port, 1);
    refused("to", "", "x: to '" WANTED);
    refused("to", "10.0.0.1", "x: to '10.0.0.1" WANTED);
    refused("to", "10.0.0.1:0", "x: to '10.0.0.1:0" WANTED);
    refused("to", "10.0.0.1:65536", "x: to '10.0.0.1:65536" WANTED);
    refused("to", "0.0.0.0:80", "x: to '0.0.0.0:80" WANTED);
    refused("to", "host:80", "x: to 'host:80" WANTED);
}

static void test_too_many_endpoints_are_refused(void **state)
{
    const struct nb_app_option given = {
        "to", "1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5 1.1.1.1:6 1.1.1.1:7 1.1.1.1:8 1.1.1.1:9 1.1.1.1:10 "
              "1.1.1.1:11 1.1.1.1:12 1.1.1.1:13 1.1.1.1:14 1.1.1.1:15 1.1.1.1:16 1.1.1.1:17"};

    (void)state;
    assert_int_equal(app_options_read("x", table, 2, &given, 1, NULL), -EINVAL);
}

static void test_unknown_option_names_the_known_ones(void **state)
{
    (void)state;
    refused("form", "1", "x: unknown option 'form'; accepted: number, to");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_within_their_bounds),
        cmocka_unit_test(test_endpoints_one_or_several),
        cmocka_unit_test(test_too_many_endpoints_are_refused),
        cmocka_unit_test(test_unknown_option_names_the_known_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
