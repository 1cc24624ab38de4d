/* rpc_end.h - a caller's end of JSON-RPC over a fake data plane: lines in, lines out.
 *
 * Include once in a test program, after cmocka.h.
 */
#ifndef NB_TESTS_RPC_END_H
#define NB_TESTS_RPC_END_H

#include <stdio.h>

#include <json-c/json.h>

#include "config.h"
#include "fake_dataplane.h"
#include "rebalance_core.h"
#include "rpc.h"

#define CALL(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"

static struct nb_config *config;
static struct nb_rpc rpc = {&fake_runtime, &fake_steering, NULL, NULL};

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    (void)state;
    nb__rebalance_free(rpc.rebalancer);
    nb_config_free(config);
    return 0;
}

/* The answer to a line, as text without its newline; the caller frees it. NULL: no answer. */
static inline char *say_as(enum nb_right right, const char *line, size_t n)
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

static inline char *say(const char *line)
{
    return say_as(NB_RIGHT_OPERATOR, line, strlen(line));
}

static inline void expect(const char *line, const char *answer)
{
    char *said = say(line);

    assert_non_null(said);
    assert_string_equal(said, answer);
    free(said);
}

static inline void expect_error(enum nb_right right, const char *line, int code, const char *words)
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
static inline struct json_object *call(const char *method, const char *params)
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

static inline struct json_object *get(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;

    if (!json_object_object_get_ex(object, name, &member))
        fail_msg("no member %s", name);
    return member;
}

#endif
