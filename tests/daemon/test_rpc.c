/* test_rpc.c - JSON-RPC lines in, lines out: the envelope, rights, sizes, hostile text; and that every method is
 * documented.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc_end.h"

/* --- the envelope ------------------------------------------------------------------------------------------------ */

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

/* --- sizes ------------------------------------------------------------------------------------------------------- */

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
        cmocka_unit_test_setup_teardown(test_a_page_of_the_longest_flows_fits_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_batch_with_too_large_answers_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_documentation_has_exactly_the_methods, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
