/* test_rpc.c - JSON-RPC lines in, lines out: the envelope, rights, parameters, every method, hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include <json-c/json.h>

#include "config.h"
#include "fake_dataplane.h"
#include "rebalance_core.h"
#include "rpc.h"

static struct nb_config *config;
static struct nb_rpc rpc = {&fake_runtime, &fake_steering, NULL, NULL};

static int setup(void **state)
{
    static const char text[] = "ports: [{device: net_tap0, address: 10.99.0.2/24}]\n"
                               "apps: [{module: http, listen: ['0.0.0.0:80', '10.99.0.2:8080']}]\n";
    struct nb_error err;

    (void)state;
    memset(&fake_runtime, 0, sizeof fake_runtime);
    memset(&fake_steering, 0, sizeof fake_steering);
    if (nb_config_parse("nb.yaml", text, strlen(text), &config, &err) != 0)
        return -1;
    rpc.config = config;
    return nb__rebalance_new(&fake_runtime, &fake_steering, &config->rebalance, &rpc.rebalancer, &err);
}

static int teardown(void **state)
{
    (void)state;
    nb__rebalance_free(rpc.rebalancer);
    nb_config_free(config);
    return 0;
}

/* The answer to a line, as text without its newline; the caller frees it. NULL: no answer. */
static char *say_as(enum nb_right right, const char *line, size_t n)
{
    size_t length = 0;
    char *answer = nb_rpc_answer(&rpc, right, line, n, &length);

    if (!answer)
        return NULL;
    assert_true(length > 0 && length <= NB_PROTOCOL_RESPONSE_MAX);
    assert_int_equal(answer[length - 1], '\n');
    assert_null(memchr(answer, '\n', length - 1));
    answer[length - 1] = 0;
    return answer;
}

static char *say(const char *line)
{
    return say_as(NB_RIGHT_OPERATOR, line, strlen(line));
}

static void expect(const char *line, const char *answer)
{
    char *said = say(line);

    assert_non_null(said);
    assert_string_equal(said, answer);
    free(said);
}

static void expect_error(enum nb_right right, const char *line, int code, const char *words)
{
    char *said = say_as(right, line, strlen(line));
    struct json_object *answer = json_tokener_parse(said), *error = NULL, *member = NULL;

    assert_true(json_object_object_get_ex(answer, "error", &error));
    assert_true(json_object_object_get_ex(error, "code", &member));
    if (json_object_get_int(member) != code)
        fail_msg("%s\nsaid %s", line, said);
    assert_true(json_object_object_get_ex(error, "message", &member));
    if (!strstr(json_object_get_string(member), words))
        fail_msg("%s\nsaid     %s\nexpected %s", line, said, words);
    json_object_put(answer);
    free(said);
}

/* The result of a call with these parameters; the caller puts it. */
static struct json_object *call(const char *method, const char *params)
{
    char line[512];
    struct json_object *result = NULL;

    snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
    char *said = say(line);
    struct json_object *answer = json_tokener_parse(said);
    if (!json_object_object_get_ex(answer, "result", &result))
        fail_msg("%s: %s", line, said);
    json_object_get(result);
    json_object_put(answer);
    free(said);
    return result;
}

static struct json_object *get(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;

    if (!json_object_object_get_ex(object, name, &member))
        fail_msg("no member %s", name);
    return member;
}

/* --- the envelope ------------------------------------------------------------------------------------------------ */

#define CALL(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"

static void test_call_is_answered_with_its_id(void **state)
{
    (void)state;
    expect(CALL("7", "rule.resume"), "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"steering\":\"on\"}}");
    expect(CALL("\"a b\"", "rule.resume"), "{\"jsonrpc\":\"2.0\",\"id\":\"a b\",\"result\":{\"steering\":\"on\"}}");
    expect(CALL("null", "rule.resume"), "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{\"steering\":\"on\"}}");
    expect("  " CALL("7", "rule.resume") " \r", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"steering\":\"on\"}}");
}

static void test_notification_is_done_and_not_answered(void **state)
{
    (void)state;
    assert_null(say("{\"jsonrpc\":\"2.0\",\"method\":\"rule.flush\"}"));
    assert_true(fake_steering.flushed);
    assert_null(say("{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}"));
    assert_null(say("[{\"jsonrpc\":\"2.0\",\"method\":\"version\"},{\"jsonrpc\":\"2.0\",\"method\":\"version\"}]"));
}

static void test_batch_answers_what_has_an_id(void **state)
{
    (void)state;
    expect("[" CALL("1", "rule.flush") ",{\"jsonrpc\":\"2.0\",\"method\":\"version\"},7," CALL("2", "x") "]",
           "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"steering\":\"flushed\"}},"
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"a call must be an object\"}},"
           "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601,\"message\":\"no method x; the method help lists "
           "them\"}}]");
}

static void test_batch_at_and_beyond_its_bound(void **state)
{
    (void)state;
    for (unsigned n = NB_RPC_BATCH_MAX; n <= NB_RPC_BATCH_MAX + 1; n++) {
        char line[8192] = "[";
        for (unsigned i = 0; i < n; i++)
            sprintf(line + strlen(line), "%s" CALL("1", "rule.resume"), i ? "," : "");
        strcat(line, "]");
        char *said = say(line);
        assert_int_equal(strstr(said, "a batch has 1 to 64 calls, not 65") != NULL, n > NB_RPC_BATCH_MAX);
        free(said);
    }
    expect_error(NB_RIGHT_VIEWER, "[]", NB_PROTOCOL_INVALID_REQUEST, "a batch has 1 to 64 calls, not 0");
}

static void test_what_is_not_json_or_no_call_is_refused(void **state)
{
    static const struct {
        const char *line;
        int code;
        const char *words;
    } cases[] = {
        {"", NB_PROTOCOL_PARSE, "not JSON"},
        {"   ", NB_PROTOCOL_PARSE, "not JSON"},
        {"{", NB_PROTOCOL_PARSE, "not JSON"},
        {"}", NB_PROTOCOL_PARSE, "not JSON"},
        {"hello", NB_PROTOCOL_PARSE, "not JSON"},
        {"{\"a\":1,}", NB_PROTOCOL_PARSE, "not JSON"},
        {CALL("NaN", "version"), NB_PROTOCOL_INVALID_REQUEST, "\"id\" must be"},
        {"{\"a\":1} x", NB_PROTOCOL_PARSE, "not JSON"},
        {"{\"a\":1}{\"a\":1}", NB_PROTOCOL_PARSE, "not JSON"},
        {"{\"a\":\"\xff\"}", NB_PROTOCOL_PARSE, "not JSON"},
        {"/* c */ {}", NB_PROTOCOL_PARSE, "not JSON"},
        {"[[[[[[[[[[1]]]]]]]]]]", NB_PROTOCOL_PARSE, "not JSON: nesting too deep"},
        {"1", NB_PROTOCOL_INVALID_REQUEST, "a call must be an object"},
        {"null", NB_PROTOCOL_INVALID_REQUEST, "a call must be an object"},
        {"\"version\"", NB_PROTOCOL_INVALID_REQUEST, "a call must be an object"},
        {"{}", NB_PROTOCOL_INVALID_REQUEST, "\"jsonrpc\" must be"},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"version\"}", NB_PROTOCOL_INVALID_REQUEST, "\"jsonrpc\" must be"},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"version\"}", NB_PROTOCOL_INVALID_REQUEST, "\"jsonrpc\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", NB_PROTOCOL_INVALID_REQUEST, "\"method\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"method\":1}", NB_PROTOCOL_INVALID_REQUEST, "\"method\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"version\"}", NB_PROTOCOL_INVALID_REQUEST, "\"id\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"version\"}", NB_PROTOCOL_INVALID_REQUEST, "\"id\" must be"},
        {CALL("1", ""), NB_PROTOCOL_NO_METHOD, "no method "},
        {CALL("1", "Version"), NB_PROTOCOL_NO_METHOD, "no method Version; the method help lists them"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\",\"params\":[1]}", NB_PROTOCOL_BAD_PARAMS, "named"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\",\"params\":{\"a\":1}}", NB_PROTOCOL_BAD_PARAMS,
         "version: unknown parameter a; accepted: none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(NB_RIGHT_OPERATOR, cases[i].line, cases[i].code, cases[i].words);
}

static void test_nul_bytes_are_no_end(void **state)
{
    (void)state;
    static const char line[] = CALL("1", "version") "\0garbage";
    char *said = say_as(NB_RIGHT_VIEWER, line, sizeof line - 1);

    assert_non_null(strstr(said, "not JSON"));
    free(said);
    expect_error(NB_RIGHT_VIEWER,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"flow.list\",\"params\":{\"src\":\"10.0.0.1\\u0000x\"}}",
                 NB_PROTOCOL_BAD_PARAMS, "src: ");
}

/* --- rights ------------------------------------------------------------------------------------------------------ */

static void test_viewer_may_call_exactly_what_the_table_says(void **state)
{
    static const char *const changing[] = {"rule.flush",  "rule.resume",    "port.restart",    "flow.move",
                                           "flow.pin",    "flow.unpin",     "worker.drain",    "worker.resume",
                                           "bucket.move", "rebalance.plan", "rebalance.apply", "rebalance.auto"};
    (void)state;
    for (const struct nb_rpc_method *const *object = nb_rpc_methods; *object; object++) {
        for (const struct nb_rpc_method *m = *object; m->name; m++) {
            char line[128];
            bool changes = false;
            for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++)
                changes |= strcmp(m->name, changing[i]) == 0;
            snprintf(line, sizeof line, CALL("1", "%s"), m->name);
            char *said = say_as(NB_RIGHT_VIEWER, line, strlen(line));
            assert_int_equal(strstr(said, "\"code\":2,") != NULL, changes);
            assert_int_equal(m->right == NB_RIGHT_OPERATOR, changes);
            free(said);
        }
    }
    assert_false(fake_steering.flushed);
    assert_int_equal(fake_steering.restarts, 0);
}

static void test_refusal_says_who_may(void **state)
{
    (void)state;
    expect_error(NB_RIGHT_VIEWER, CALL("1", "rule.flush"), NB_PROTOCOL_REFUSED,
                 "rule.flush needs operator rights: root, netbypassd's own user, or control.operators");
    static const char notification[] = "{\"jsonrpc\":\"2.0\",\"method\":\"rule.flush\"}";
    assert_null(say_as(NB_RIGHT_VIEWER, notification, sizeof notification - 1));
    assert_false(fake_steering.flushed);
}

/* --- flows ------------------------------------------------------------------------------------------------------- */

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

static void test_drained_worker_loses_its_buckets_and_its_flows(void **state)
{
    (void)state;
    fake_runtime.flows[2] = 70;
    struct json_object *result = call("worker.drain", "{\"worker\":2}"); /* reta 0 1 2 0 */
    assert_int_equal(json_object_get_int(get(get(result, "drain"), "moved")), 35);
    assert_int_equal(json_object_get_int(get(get(result, "drain"), "refused")), 35);
    assert_string_equal(json_object_get_string(get(get(result, "drain"), "why")), "pinned: app");
    assert_int_equal(json_object_get_int(get(get(result, "drain"), "longest_us")), 40);
    json_object_put(result);
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(fake_reta[i], 2);
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"worker.drain\",\"params\":{\"worker\":9}}",
                 NB_PROTOCOL_NOT_FOUND, "no worker 9; there are 3, 0 to 2");
}

static int member_of_move(struct json_object *result, const char *name)
{
    return json_object_get_int(get(get(result, "move"), name));
}

/* Every flow is in one of the four buckets; odd ones are pinned. */
static void test_bucket_takes_its_flows_along(void **state)
{
    int moved = 0, refused = 0, left = 0, can = 0, cannot = 0;
    struct nb_flow_info info;

    (void)state;
    fake_runtime.flows[2] = 70;
    for (unsigned i = 0; i < 70; i++) {
        fake_flow(2, i, &info);
        can += info.id % 2 == 0;
        cannot += info.id % 2;
    }
    for (unsigned bucket = 0; bucket < 4; bucket++) {
        char params[64];

        snprintf(params, sizeof params, "{\"port\":0,\"bucket\":%u,\"to\":0,\"from\":2}", bucket);
        struct json_object *result = call("bucket.move", params);
        moved += member_of_move(result, "moved");
        refused += member_of_move(result, "refused");
        left += member_of_move(result, "left");
        json_object_put(result);
    }
    assert_int_equal(moved, can);
    assert_int_equal(refused, cannot);
    assert_int_equal(left, can + cannot); /* here nobody leaves */
    assert_int_equal(fake_reta[2], 0);
}

static void test_bucket_that_is_not_there_is_answered_with_those_that_are(void **state)
{
    (void)state;
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bucket.move\",\"params\":{\"port\":0,\"bucket\":4,"
                 "\"to\":0}}",
                 NB_PROTOCOL_NOT_FOUND, "port 0 has no bucket 4; it has 4, 0 to 3");
}

/* --- rebalance -----------------------------------------------------------------------------------------------------
 */

static struct json_object *apply(uint64_t plan)
{
    char params[40];

    snprintf(params, sizeof params, "{\"plan\":%llu}", (unsigned long long)plan);
    return call("rebalance.apply", params);
}

/* Worker 0 is busy for 80 % of its time, with eight flows. */
static void test_rebalance_plans_and_moves_heavy_flows(void **state)
{
    (void)state;
    fake_runtime.flows[0] = 16;
    fake_runtime.busy[0] = 80;
    struct json_object *plan = call("rebalance.plan", "{\"over_ms\":10}"), *moves = get(plan, "moves");
    assert_int_equal(json_object_array_length(moves), 5);
    assert_string_equal(json_object_to_json_string_ext(get(plan, "workers"), JSON_C_TO_STRING_PLAIN),
                        "[{\"worker\":0,\"before_permille\":800,\"after_permille\":300},"
                        "{\"worker\":1,\"before_permille\":0,\"after_permille\":300},"
                        "{\"worker\":2,\"before_permille\":0,\"after_permille\":200}]");
    assert_string_equal(json_object_to_json_string_ext(get(json_object_array_get_idx(moves, 0), "load_permille"),
                                                       JSON_C_TO_STRING_PLAIN),
                        "100");
    uint64_t id = json_object_get_uint64(get(plan, "plan"));
    json_object_put(plan);
    struct json_object *result = apply(id);
    assert_string_equal(json_object_to_json_string_ext(get(result, "result"), JSON_C_TO_STRING_PLAIN),
                        "{\"done\":5,\"total\":5,\"moved\":5,\"buckets\":0,\"refused\":0,\"why\":\"\","
                        "\"min_us\":40,\"avg_us\":40,\"p99_us\":40,\"max_us\":40,\"parked\":10,\"forwarded\":15,"
                        "\"lost\":0,\"reordered\":0}");
    json_object_put(result);
    result = call("rebalance.show", "{}");
    assert_int_equal(json_object_get_int(get(get(result, "rebalance"), "moved")), 5);
    json_object_put(result);
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rebalance.apply\",\"params\":{\"plan\":77}}",
                 NB_PROTOCOL_NOT_FOUND, "plan 77 is not there any more");
}

/* One per cent each, below the threshold: but there is no bucket that would take them along. */
static void test_rebalance_moves_light_flows_that_are_away_from_home(void **state)
{
    (void)state;
    fake_runtime.flows[0] = 82;
    fake_runtime.busy[0] = 20;
    struct json_object *plan = call("rebalance.plan", "{\"over_ms\":10}"), *moves = get(plan, "moves");
    assert_true(json_object_array_length(moves) > 9);
    for (size_t i = 0; i < json_object_array_length(moves); i++) {
        struct json_object *move = json_object_array_get_idx(moves, i);
        assert_string_equal(json_object_get_string(get(move, "kind")), "flow");
        assert_int_equal(json_object_get_int(get(move, "load_permille")), 10);
    }
    json_object_put(plan);
}

/* Once their bucket is worker 1's. */
static void rehomed(unsigned worker, unsigned index, struct nb_flow_info *info)
{
    (void)index;
    info->home_queue = worker == 0 && fake_reta[0] + fake_reta[3] ? 1 : worker;
}

/* The same by many light flows, in both of worker 0's buckets: one goes to worker 1, and its flows follow, but for
 * those that cannot move and those with a rule. */
static void test_rebalance_moves_buckets_and_their_flows(void **state)
{
    (void)state;
    memset(fake_reta, 0, sizeof fake_reta);
    fake_runtime.flows[0] = 20;
    fake_runtime.busy[0] = 80;
    fake_runtime.light = true;
    fake_runtime.shape = rehomed;
    struct json_object *plan = call("rebalance.plan", "{\"over_ms\":10}"), *moves = get(plan, "moves");
    assert_int_equal(json_object_array_length(moves), 1);
    assert_string_equal(json_object_get_string(get(json_object_array_get_idx(moves, 0), "kind")), "bucket");
    assert_int_equal(json_object_get_int(get(json_object_array_get_idx(moves, 0), "load_permille")), 400);
    uint64_t id = json_object_get_uint64(get(plan, "plan"));
    json_object_put(plan);
    struct json_object *result = apply(id), *row = get(result, "result");
    assert_int_equal(json_object_get_int(get(row, "buckets")), 1);
    assert_int_equal(json_object_get_int(get(row, "moved")), 8);   /* even and no multiple of 5 */
    assert_int_equal(json_object_get_int(get(row, "refused")), 8); /* odd, and no multiple of 5 */
    assert_string_equal(json_object_get_string(get(row, "why")), "pinned: app");
    json_object_put(result);
    assert_int_equal(fake_reta[0] + fake_reta[3], 1);
    assert_int_equal(fake_reta[1], 1);
    assert_int_equal(fake_reta[2], 2);
}

#define LOOK() nb__rebalance_look(rpc.rebalancer, 1000)

static struct nb_rebalance_status status_now(void)
{
    struct nb_rebalance_status status;

    nb_rebalance_status(rpc.rebalancer, &status);
    return status;
}

/* Flows of this data plane stay where they were when they have moved. */
static void test_rebalance_by_itself_waits_for_a_second_look_and_lets_rest_what_it_moved(void **state)
{
    (void)state;
    fake_runtime.flows[0] = 16;
    fake_runtime.busy[0] = 80;
    nb_load_meter_begin(&rpc.rebalancer->meter);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(LOOK(), 1000);
    assert_true(status_now().looks == 3 && status_now().moved == 0 && !status_now().automatic);
    assert_int_equal(status_now().spread, 8000);
    assert_int_equal(nb_rebalance_load(rpc.rebalancer, 0), 8000);
    json_object_put(call("rebalance.auto", "{\"state\":\"on\"}"));
    assert_int_equal(LOOK(), 10); /* the next look is soon */
    assert_int_equal(status_now().moved, 0);
    LOOK();
    assert_true(status_now().moved == 5 && status_now().plans == 1 && status_now().automatic);
    LOOK();
    LOOK(); /* two are left that may be moved: the one with id 0 is none */
    assert_true(status_now().moved == 7 && status_now().plans == 2);
    for (unsigned i = 0; i < 4; i++)
        LOOK();
    assert_int_equal(status_now().moved, 7);
    json_object_put(call("rebalance.auto", "{\"state\":\"off\"}"));
    assert_false(status_now().automatic);
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

static void longest_flow(unsigned worker, unsigned index, struct nb_flow_info *info)
{
    struct nb_flow_key key = {.family = NB_FAMILY_IPV6, .local_port = 65535, .remote_port = 65535, .vlan = 4095};

    (void)worker;
    memset(&key.local, 0x11, sizeof key.local);
    memset(&key.remote, 0x11, sizeof key.remote);
    memset(info, 0xff, sizeof *info);
    info->key = key;
    info->id = INT64_MAX - index;
    info->state = 3;
    info->active_open = info->pinned_by_app = info->pinned_by_operator = false;
    memset(info->app, '\1', sizeof info->app - 1); /* six bytes each in JSON */
    info->app[sizeof info->app - 1] = 0;
}

static void test_a_page_of_the_longest_flows_fits_an_answer(void **state)
{
    (void)state;
    fake_runtime.flows[0] = 1000;
    fake_runtime.shape = longest_flow;
    struct json_object *result = call("flow.list", "{\"limit\":500}");
    assert_int_equal(json_object_array_length(get(result, "flows")), 500);
    json_object_put(result);
}

static void test_a_batch_with_too_large_answers_says_so(void **state)
{
    (void)state;
    char line[4096] = "[";

    fake_runtime.flows[0] = 5000;
    for (unsigned i = 0; i < 8; i++)
        sprintf(line + strlen(line),
                "%s{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"flow.list\",\"params\":{\"limit\":500}}", i ? "," : "",
                i);
    strcat(line, "]");
    char *said = say(line);
    struct json_object *answers = json_tokener_parse(said);
    assert_int_equal(json_object_array_length(answers), 8);
    get(json_object_array_get_idx(answers, 0), "result");
    struct json_object *error = get(json_object_array_get_idx(answers, 7), "error");
    assert_int_equal(json_object_get_int(get(error, "code")), NB_PROTOCOL_TOO_LARGE);
    json_object_put(answers);
    free(said);
}

/* --- the other objects ------------------------------------------------------------------------------------------- */

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

/* --- docs/protocol.md -------------------------------------------------------------------------------------------- */

static void print_fields(FILE *out, const struct nb_result *result)
{
    bool list = strncmp(result->type, "list", 4) == 0;

    for (const struct nb_field *f = result->fields; f && f->name; f++)
        fprintf(out, "| `%s%s.%s` | %s | %s |\n", result->name, list ? "[]" : "", f->name,
                f->type ? f->type->name : "object", f->help);
}

static void print_method(FILE *out, const struct nb_rpc_method *m)
{
    fprintf(out, "### `%s`\n\n%s Right: %s.\n\n", m->name, m->help, nb_right_name(m->right));
    if (m->params)
        fprintf(out, "| parameter | accepted | meaning |\n|---|---|---|\n");
    for (const struct nb_param *p = m->params; p && p->name; p++) {
        char accepts[256];
        nb_param_accepts(p, accepts, sizeof accepts);
        fprintf(out, "| `%s`%s | %s | %s |\n", p->name, p->required ? " (required)" : "", accepts, p->help);
    }
    fprintf(out, "%s| answer | type | meaning |\n|---|---|---|\n", m->params ? "\n" : "");
    for (const struct nb_result *r = m->results; r->name; r++) {
        fprintf(out, "| `%s` | %s | %s |\n", r->name, r->type, r->help);
        print_fields(out, r);
    }
    fprintf(out, "\n");
}

static void test_documentation_has_exactly_the_methods(void **state)
{
    (void)state;
    static char document[128 * 1024];
    unsigned documented = 0, methods = 0;
    FILE *in = fopen("docs/protocol.md", "r");

    assert_non_null(in);
    document[fread(document, 1, sizeof document - 1, in)] = 0;
    fclose(in);
    for (const char *p = document; (p = strstr(p, "\n### `")); p++)
        documented++;
    for (const struct nb_rpc_method *const *object = nb_rpc_methods; *object; object++) {
        for (const struct nb_rpc_method *m = *object; m->name; m++, methods++) {
            char *text = NULL;
            size_t n;
            FILE *out = open_memstream(&text, &n);
            print_method(out, m);
            fclose(out);
            if (!strstr(document, text)) {
                fprintf(stderr, "docs/protocol.md lacks:\n%s", text);
                documented = 0;
            }
            free(text);
        }
    }
    assert_int_equal(documented, methods);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_call_is_answered_with_its_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notification_is_done_and_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_answers_what_has_an_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_at_and_beyond_its_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_json_or_no_call_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nul_bytes_are_no_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_viewer_may_call_exactly_what_the_table_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusal_says_who_may, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_has_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_pages_visit_each_flow_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_without_matches_does_bounded_work, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_refuses_bad_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_cursor_of_a_worker_that_is_not_there_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_move_reports_or_says_why_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_list_of_a_worker_that_does_not_exist_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drained_worker_loses_its_buckets_and_its_flows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bucket_takes_its_flows_along, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bucket_that_is_not_there_is_answered_with_those_that_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_plans_and_moves_heavy_flows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_moves_light_flows_that_are_away_from_home, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_moves_buckets_and_their_flows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_by_itself_waits_for_a_second_look_and_lets_rest_what_it_moved,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_flow_show_finds_one_flow_or_says_there_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_page_of_the_longest_flows_fits_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_batch_with_too_large_answers_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_list_pages_and_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_flush_that_fails_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worker_list_and_stats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port_show, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listener_list_and_config_show, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version_and_help, setup, teardown),
        cmocka_unit_test_setup_teardown(test_documentation_has_exactly_the_methods, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
