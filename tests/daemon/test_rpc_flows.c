/* test_rpc_flows.c - flows over JSON-RPC: listed, shown and moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc_end.h"

static void test_flow_list_has_every_field(void **state)
{
    (void)state;
    fake_runtime.flows[1] = 1;
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.list\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"flows\":[{\"id\":140737488355328,\"state\":\"established\","
           "\"local\":\"10.99.0.2:80\",\"remote\":\"10.99.1.0:40000\",\"vlan\":0,\"worker\":1,\"queue\":1,"
           "\"home_queue\":1,\"method\":\"rss\",\"rule\":null,\"why\":\"home "
           "queue\",\"app\":\"http\",\"moves\":0,\"pinned_by_app\":false,\"pinned_by_operator\":false,"
           "\"active_open\":false,\"incarnation\":0,\"age_us\":0,\"rx_packets\":0,\"tx_packets\":0,\"rx_bytes\":0,"
           "\"tx_bytes\":0,\"forwarded_packets\":0,\"retransmitted_segments\":0,\"srtt_us\":0,\"rttvar_us\":0,"
           "\"rto_us\":0,\"cwnd_bytes\":0,\"ssthresh_bytes\":0,\"snd_wnd_bytes\":0,\"rcv_wnd_bytes\":0,"
           "\"mss_bytes\":0,\"send_queue_bytes\":0,\"recv_queue_bytes\":0}],\"next\":null}}");
}

/* Walk with a page size and count; every id must come once. */
static unsigned walk_all(const char *filter, unsigned limit, unsigned *pages)
{
    static bool seen[FAKE_WORKERS][20000];
    char params[256];
    struct json_object *result = NULL;
    unsigned n = 0;
    char next[40] = "0:0";

    memset(seen, 0, sizeof seen);
    for (*pages = 0; *next; (*pages)++) {
        snprintf(params, sizeof params, "{\"limit\":%u,\"cursor\":\"%s\"%s}", limit, next, filter);
        result = call("flow.list", params);
        struct json_object *flows = get(result, "flows");
        for (size_t i = 0; i < json_object_array_length(flows); i++, n++) {
            uint64_t id = json_object_get_uint64(get(json_object_array_get_idx(flows, i), "id"));
            assert_false(seen[id >> NB_FLOW_ID_WORKER_BIT][id & 0xffffff]);
            seen[id >> NB_FLOW_ID_WORKER_BIT][id & 0xffffff] = true;
        }
        assert_true(json_object_array_length(flows) <= limit);
        const char *text = json_object_get_string(get(result, "next"));
        snprintf(next, sizeof next, "%s", text ? text : "");
        json_object_put(result);
    }
    return n;
}

static void test_flow_list_pages_visit_each_flow_once(void **state)
{
    (void)state;
    unsigned pages;

    fake_runtime.flows[0] = 130;
    fake_runtime.flows[2] = 70;
    assert_int_equal(walk_all("", 1, &pages), 200);
    assert_int_equal(walk_all("", 7, &pages), 200);
    assert_int_equal(walk_all("", 64, &pages), 200);
    assert_int_equal(walk_all("", 500, &pages), 200);
    assert_int_equal(pages, 1);
}

static void test_flow_list_filters(void **state)
{
    (void)state;
    unsigned pages;

    fake_runtime.flows[0] = 100;
    fake_runtime.flows[1] = 50;
    fake_runtime.flows[2] = 10;
    assert_int_equal(walk_all(",\"worker\":1", 9, &pages), 50);
    assert_int_equal(walk_all(",\"state\":\"established\"", 9, &pages), 80);
    assert_int_equal(walk_all(",\"state\":\"time-wait\"", 9, &pages), 0);
    assert_int_equal(walk_all(",\"queue\":2", 9, &pages), 10);
    assert_int_equal(walk_all(",\"src\":\"10.99.1.0/29\"", 9, &pages), 24);
    assert_int_equal(walk_all(",\"src\":\"10.99.1.99\"", 9, &pages), 1);
    assert_int_equal(walk_all(",\"src\":\"fd99::/64\"", 9, &pages), 0);
    assert_int_equal(walk_all(",\"dst\":\"10.99.0.2\",\"dport\":80", 9, &pages), 160);
    assert_int_equal(walk_all(",\"dst\":\"10.99.0.3\"", 9, &pages), 0);
    assert_int_equal(walk_all(",\"sport\":40060", 9, &pages), 1);
    assert_int_equal(walk_all(",\"dport\":81", 9, &pages), 0);
    assert_int_equal(walk_all(",\"method\":\"exact\"", 9, &pages), 32);
    assert_int_equal(walk_all(",\"method\":\"exact\",\"worker\":0,\"state\":\"established\"", 9, &pages), 10);
}

static void test_flow_list_without_matches_does_bounded_work(void **state)
{
    (void)state;
    unsigned pages;

    fake_runtime.flows[0] = 19999;
    struct json_object *result = call("flow.list", "{\"dport\":81}");
    assert_int_equal(json_object_array_length(get(result, "flows")), 0);
    assert_non_null(get(result, "next"));
    assert_true(fake_runtime.calls <= 16384 / 64);
    json_object_put(result);
    assert_int_equal(walk_all(",\"dport\":81", 500, &pages), 0);
    assert_int_equal(pages, 2);
}

static void test_flow_list_refuses_bad_parameters(void **state)
{
    static const struct {
        const char *params, *words;
    } cases[] = {
        {"{\"state\":\"open\"}", "flow.list: state: \"open\" is not accepted here; accepted: closed, syn-sent"},
        {"{\"state\":3}", "state: 3 is not accepted"},
        {"{\"worker\":64}", "worker: 64 is not accepted here; accepted: a number from 0 to 63"},
        {"{\"worker\":-1}", "worker: -1"},
        {"{\"worker\":\"1\"}", "worker: \"1\" is not accepted"},
        {"{\"worker\":1.0}", "worker: 1.0 is not accepted"},
        {"{\"worker\":99999999999999999999999}", "is not accepted"},
        {"{\"worker\":null}", "worker: null is not accepted"},
        {"{\"src\":\"10.0.0.0/33\"}", "src: 10.0.0.0/33 is not accepted here; accepted: an address or prefix"},
        {"{\"dst\":\"here\"}", "dst: here is not accepted"},
        {"{\"src\":[]}", "src: [] is not accepted here; accepted: a text"},
        {"{\"dport\":65536}", "dport: 65536"},
        {"{\"limit\":0}", "limit: 0 is not accepted here; accepted: a number from 1 to 500"},
        {"{\"limit\":501}", "limit: 501"},
        {"{\"cursor\":\"\"}", "cursor:  is not accepted"},
        {"{\"cursor\":\"1\"}", "cursor: 1 is not accepted"},
        {"{\"cursor\":\"1:2:3\"}", "cursor: 1:2:3 is not accepted"},
        {"{\"cursor\":\"-1:2\"}", "cursor: -1:2 is not accepted"},
        {"{\"cursor\":7}", "cursor: 7 is not accepted"},
        {"{\"colour\":7}", "flow.list: unknown parameter colour; accepted: state, worker, queue, method, src"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[256];
        snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.list\",\"params\":%s}",
                 cases[i].params);
        expect_error(NB_RIGHT_VIEWER, line, NB_PROTOCOL_BAD_PARAMS, cases[i].words);
    }
}

static void test_flow_list_cursor_of_a_worker_that_is_not_there_ends(void **state)
{
    (void)state;
    struct json_object *result = call("flow.list", "{\"cursor\":\"63:18446744073709551615\"}");

    assert_null(get(result, "next"));
    json_object_put(result);
}

static void test_flow_list_of_a_worker_that_does_not_exist_is_an_error(void **state)
{
    (void)state;
    expect_error(NB_RIGHT_VIEWER, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.list\",\"params\":{\"worker\":3}}",
                 NB_PROTOCOL_NOT_FOUND, "no worker 3; accepted: 0 to 2");
    json_object_put(call("flow.list", "{\"worker\":2}"));
}

/* Worker 2's flows have gone to worker 0, and keep their ids. */
static void moved(unsigned worker, unsigned index, struct nb_flow_info *info)
{
    info->id = FAKE_ID(worker == 0 ? 2 : 0, index);
}

static void test_flow_move_reports_or_says_why_not(void **state)
{
    (void)state;
    fake_runtime.flows[2] = 200;
    struct json_object *result = call("flow.move", "{\"id\":281474976710754,\"to\":1}"); /* FAKE_ID(2, 98) */
    assert_int_equal(json_object_get_int(get(get(result, "move"), "from")), 2);
    assert_int_equal(json_object_get_int(get(get(result, "move"), "duration_us")), 15);
    assert_int_equal(json_object_get_int(get(get(result, "move"), "frozen_us")), 5);
    assert_int_equal(json_object_get_int(get(get(result, "move"), "settled_us")), 40);
    json_object_put(result);
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.move\",\"params\":{\"id\":281474976710755,\"to\":1}}",
                 NB_PROTOCOL_FAILED, "flow 281474976710755 stays on worker 2: pinned: app");
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.move\",\"params\":{\"id\":1,\"to\":9}}",
                 NB_PROTOCOL_NOT_FOUND, "no worker 9; accepted: 0 to 2");
    result = call("flow.pin", "{\"id\":281474976710754}");
    assert_true(json_object_get_boolean(get(result, "pinned")));
    json_object_put(result);
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.unpin\",\"params\":{\"id\":777777}}",
                 NB_PROTOCOL_NOT_FOUND, "no flow with id 777777");
}
static void test_flow_show_finds_one_flow_or_says_there_is_none(void **state)
{
    (void)state;
    fake_runtime.flows[0] = fake_runtime.flows[2] = 200;
    struct json_object *result = call("flow.show", "{\"id\":281474976710755}"); /* FAKE_ID(2, 99) */
    assert_string_equal(json_object_get_string(get(get(result, "flow"), "remote")), "10.99.1.99:40099");
    json_object_put(result);
    fake_runtime.shape = moved;
    result = call("flow.show", "{\"id\":281474976710755}");
    assert_string_equal(json_object_get_string(get(get(result, "flow"), "remote")), "10.99.1.99:40099");
    json_object_put(result);
    expect_error(NB_RIGHT_VIEWER, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.show\",\"params\":{\"id\":777777}}",
                 NB_PROTOCOL_NOT_FOUND, "no flow with id 777777");
    expect_error(NB_RIGHT_VIEWER, CALL("1", "flow.show"), NB_PROTOCOL_BAD_PARAMS, "flow.show: parameter id is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flow_list_has_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_pages_visit_each_flow_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_without_matches_does_bounded_work, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_refuses_bad_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_cursor_of_a_worker_that_is_not_there_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_of_a_worker_that_does_not_exist_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_move_reports_or_says_why_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_show_finds_one_flow_or_says_there_is_none, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
