/* test_rpc_objects.c - rules, workers, ports, listeners, configuration and help over JSON-RPC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc_end.h"

static void test_rule_list_pages_and_table(void **state)
{
    (void)state;
    fake_steering.rules = 1200;
    struct json_object *result = call("rule.list", "{\"limit\":1000}");
    assert_int_equal(json_object_array_length(get(result, "rules")), 1000);
    assert_int_equal(json_object_get_int64(get(result, "next")), 1000);
    json_object_put(result);
    result = call("rule.list", "{\"cursor\":1000}");
    assert_int_equal(json_object_array_length(get(result, "rules")), 200);
    assert_null(get(result, "next"));
    struct json_object *rule = json_object_array_get_idx(get(result, "rules"), 0);
    assert_string_equal(json_object_to_json_string_ext(rule, JSON_C_TO_STRING_PLAIN),
                        "{\"id\":1000,\"port\":0,\"engine\":\"flow-director\","
                        "\"match\":\"tcp 10.99.1.0:40000 -> 10.99.0.2:80\",\"queue\":2,\"mark\":0,"
                        "\"why\":\"policy exact\",\"flow\":5,\"age_us\":0,\"hits\":null,\"no_hits\":\"\"}");
    json_object_put(result);
    result = call("rule.list", "{\"port\":0,\"limit\":1}");
    assert_int_equal(json_object_array_length(get(result, "rules")), 1);
    json_object_put(result);
    expect_error(NB_RIGHT_VIEWER, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rule.list\",\"params\":{\"port\":1}}",
                 NB_PROTOCOL_NOT_FOUND, "no port 1; accepted: 0 to 0");
    result = call("rule.table", "{}");
    struct json_object *table = json_object_array_get_idx(get(result, "tables"), 0);
    assert_int_equal(json_object_get_int(get(table, "used")), 1200);
    assert_int_equal(json_object_get_int(get(table, "max")), 2046);
    assert_null(get(table, "device_used"));
    json_object_put(result);
}

static void test_rule_flush_that_fails_says_why(void **state)
{
    (void)state;
    fake_steering.refuses = true;
    expect_error(NB_RIGHT_OPERATOR, CALL("1", "rule.flush"), NB_PROTOCOL_FAILED,
                 "port 0: the driver refused to remove rule 3");
}

static void test_worker_list_and_stats(void **state)
{
    (void)state;
    fake_runtime.flows[1] = 17;
    struct json_object *result = call("worker.list", "{}"), *worker;
    assert_int_equal(json_object_array_length(get(result, "workers")), FAKE_WORKERS);
    worker = json_object_array_get_idx(get(result, "workers"), 0);
    assert_null(get(worker, "cpu"));
    worker = json_object_array_get_idx(get(result, "workers"), 1);
    assert_int_equal(json_object_get_int(get(worker, "cpu")), 1);
    assert_int_equal(json_object_get_int(get(worker, "flows")), 17);
    assert_int_equal(json_object_get_int(get(get(worker, "counters"), "rx_packets")), 1001);
    json_object_put(result);
    result = call("worker.list", "{\"worker\":2}");
    assert_int_equal(json_object_array_length(get(result, "workers")), 1);
    json_object_put(result);
    expect_error(NB_RIGHT_VIEWER, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"worker.list\",\"params\":{\"worker\":3}}",
                 NB_PROTOCOL_NOT_FOUND, "no worker 3; accepted: 0 to 2");
    result = call("stats", "{}");
    struct json_object *first = json_object_array_get_idx(get(result, "counters"), 0);
    assert_string_equal(json_object_to_json_string_ext(first, JSON_C_TO_STRING_PLAIN),
                        "{\"name\":\"rx_packets\",\"value\":3003,\"help\":\"frames taken from receive queues\"}");
    assert_int_equal(json_object_array_length(get(result, "counters")), NB_COUNTER_COUNT);
    json_object_put(result);
}

static void test_port_show(void **state)
{
    (void)state;
    struct json_object *result = call("port.show", "{}");
    struct json_object *port = json_object_array_get_idx(get(result, "ports"), 0);

    assert_string_equal(json_object_get_string(get(port, "mac")), "02:00:00:ab:cd:ef");
    assert_string_equal(json_object_get_string(get(port, "address")), "10.99.0.2/24");
    assert_string_equal(json_object_to_json_string_ext(get(port, "reta"), JSON_C_TO_STRING_PLAIN), "[0,1,2,0]");
    assert_string_equal(json_object_get_string(get(port, "rss_key")), "6d5a00");
    json_object_put(result);
    json_object_put(call("port.show", "{\"port\":\"0\"}"));
    json_object_put(call("port.show", "{\"port\":\"0000:01:00.0\"}"));
    expect_error(NB_RIGHT_VIEWER,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.show\",\"params\":{\"port\":\"eth0\"}}",
                 NB_PROTOCOL_NOT_FOUND, "no port eth0; accepted: 0 (0000:01:00.0)");
}

static void test_listener_list_and_config_show(void **state)
{
    (void)state;
    static const struct nb_app app = {.name = "http responder"};
    config->app[0].app = &app;
    struct json_object *result = call("listener.list", "{}");
    assert_string_equal(json_object_to_json_string_ext(get(result, "listeners"), JSON_C_TO_STRING_PLAIN),
                        "[{\"local\":\"0.0.0.0:80\",\"app\":\"http responder\",\"module\":\"http\","
                        "\"distribute\":\"home\",\"accepting\":2},"
                        "{\"local\":\"10.99.0.2:8080\",\"app\":\"http responder\",\"module\":\"http\","
                        "\"distribute\":\"home\",\"accepting\":2}]");
    json_object_put(result);
    result = call("config.show", "{}");
    assert_string_equal(json_object_get_string(get(result, "file")), "nb.yaml");
    assert_int_equal(json_object_get_int(get(get(get(result, "config"), "limits"), "half_open")), 4096);
    json_object_put(result);
}

static void test_version_and_help(void **state)
{
    (void)state;
    struct json_object *result = call("version", "{}");
    assert_int_equal(json_object_get_int(get(get(result, "version"), "protocol")), NB_PROTOCOL_VERSION);
    json_object_put(result);
    result = call("help", "{}");
    struct json_object *second = json_object_array_get_idx(get(result, "methods"), 1);
    assert_string_equal(json_object_get_string(get(second, "name")), "help");
    json_object_put(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rule_list_pages_and_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_flush_that_fails_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worker_list_and_stats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port_show, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listener_list_and_config_show, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version_and_help, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
