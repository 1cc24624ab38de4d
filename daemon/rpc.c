/* rpc.c - the JSON-RPC 2.0 envelope: parse, find the method, check rights and parameters, call, answer.
 *
 * A line is a call, a notification (a call without id, which gets no answer) or a batch of either (§6). Nothing in here
 * trusts the line: its nesting, the number of calls and the size of the answer are bounded, and text must be valid
 * UTF-8.
 */
#include "rpc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "rpc_params.h"

/* An error object is at most this long besides the id, and ids together are at most as long as the request. */
#define ERROR_BYTES_MAX 1024
#define ANSWER_ROOM     (NB_PROTOCOL_RESPONSE_MAX - NB_RPC_BATCH_MAX * ERROR_BYTES_MAX - NB_PROTOCOL_REQUEST_MAX)

/* The line being written. Once `failed`, memory is short and there is no answer. */
struct line {
    char *text;
    size_t n, room;
    bool failed;
};

const struct nb_rpc_method *const nb_rpc_methods[] = {
    nb_daemon_methods,
    nb_flow_methods,
    nb_move_methods,
    nb_drain_methods,
    nb_bucket_methods,
    nb_rebalance_methods,
    nb_rule_methods,
    nb_worker_methods,
    nb_port_methods,
    nb_listener_methods,
    nb_stats_methods,
    nb_config_methods,
    NULL,
};

const char *nb_right_name(enum nb_right right)
{
    return right == NB_RIGHT_OPERATOR ? "operator" : "viewer";
}

static const struct nb_rpc_method *find_method(const char *name)
{
    for (const struct nb_rpc_method *const *object = nb_rpc_methods; *object; object++)
        for (const struct nb_rpc_method *m = *object; m->name; m++)
            if (strcmp(m->name, name) == 0)
                return m;
    return NULL;
}

static struct json_object *envelope(struct json_object *id)
{
    struct json_object *answer = json_object_new_object();

    json_object_object_add(answer, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(answer, "id", json_object_get(id));
    return answer;
}

static struct json_object *error_answer(struct json_object *id, int code, const char *text)
{
    struct json_object *answer = envelope(id), *error = json_object_new_object();

    json_object_object_add(error, "code", json_object_new_int(code));
    json_object_object_add(error, "message", json_object_new_string(text));
    json_object_object_add(answer, "error", error);
    return answer;
}

static bool make_room(struct line *line, size_t n)
{
    if (line->n + n <= line->room)
        return true;
    size_t room = 2 * (line->n + n);
    char *larger = realloc(line->text, room);
    if (!larger)
        return false;
    line->text = larger;
    line->room = room;
    return true;
}

static void append(struct line *line, const char *text, size_t n)
{
    line->failed = line->failed || !make_room(line, n);
    if (line->failed)
        return;
    memcpy(line->text + line->n, text, n);
    line->n += n;
}

static void append_json(struct line *line, struct json_object *json)
{
    size_t n;
    const char *text =
        json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);

    if (text)
        append(line, text, n);
    else
        line->failed = true;
}

/* Write an answer, or, if the whole line would become too long, the error that says so. Takes the answer. */
static void write_answer(struct line *line, struct json_object *id, struct json_object *answer)
{
    size_t before = line->n;

    append_json(line, answer);
    if (line->n > ANSWER_ROOM && json_object_object_get_ex(answer, "result", NULL)) {
        line->n = before;
        struct json_object *error = error_answer(
            id, NB_PROTOCOL_TOO_LARGE, "the answer would be too large; ask for less (limit, smaller batches)");
        append_json(line, error);
        json_object_put(error);
    }
    json_object_put(answer);
}

/* Find out what a call wants. Returns the method, or NULL with the code and words to refuse it with. */
static const struct nb_rpc_method *check_call(struct json_object *call, enum nb_right right, int *code,
                                              struct nb_error *err)
{
    struct json_object *version = NULL, *name = NULL;

    *code = NB_PROTOCOL_INVALID_REQUEST;
    if (!json_object_object_get_ex(call, "jsonrpc", &version) || !json_object_is_type(version, json_type_string) ||
        strcmp(json_object_get_string(version), "2.0") != 0) {
        nb_error_set(err, 0, "not a JSON-RPC 2.0 call: \"jsonrpc\" must be \"2.0\"");
        return NULL;
    }
    if (!json_object_object_get_ex(call, "method", &name) || !json_object_is_type(name, json_type_string)) {
        nb_error_set(err, 0, "not a JSON-RPC 2.0 call: \"method\" must be a text");
        return NULL;
    }
    const struct nb_rpc_method *method = find_method(json_object_get_string(name));
    if (!method) {
        *code = NB_PROTOCOL_NO_METHOD;
        nb_error_set(err, 0, "no method %.40s; the method help lists them", json_object_get_string(name));
        return NULL;
    }
    if (method->right > right) {
        *code = NB_PROTOCOL_REFUSED;
        nb_error_set(err, 0,
                     "%s needs %s rights: root, netbypassd's own user, or control.operators in its configuration",
                     method->name, nb_right_name(method->right));
        return NULL;
    }
    *code = 0;
    return method;
}

/* Carry out a call. Returns the answer; *code is 0 or what went wrong. */
static struct json_object *perform(const struct nb_rpc *rpc, enum nb_right right, struct json_object *call,
                                   struct json_object *id, int *code)
{
    struct nb_arg arg[NB_RPC_PARAMS_MAX];
    struct nb_error err = {0};
    struct json_object *params = NULL, *result = NULL, *answer;
    const struct nb_rpc_method *method = check_call(call, right, code, &err);

    if (method) {
        json_object_object_get_ex(call, "params", &params);
        *code = nb_params_read(method, params, arg, &err);
    }
    if (!*code) {
        result = json_object_new_object();
        *code = method->call(rpc, arg, result, &err);
    }
    if (*code) {
        json_object_put(result);
        return error_answer(id, *code, err.text);
    }
    answer = envelope(id);
    json_object_object_add(answer, "result", result);
    return answer;
}

/* An id is a text, a number or null (§4); anything else cannot be answered to. */
static bool usable_id(struct json_object *id)
{
    switch (json_object_get_type(id)) {
    case json_type_double: /* json-c knows NaN and Infinity, JSON does not */
        return isfinite(json_object_get_double(id));
    case json_type_string:
    case json_type_int:
    case json_type_null:
        return true;
    case json_type_boolean:
    case json_type_object:
    case json_type_array:
        return false;
    }
    return false;
}

/* One call of a line. Returns whether an answer was written. */
static bool answer_call(const struct nb_rpc *rpc, enum nb_right right, struct json_object *call, struct line *line)
{
    struct json_object *id = NULL;

    if (!json_object_is_type(call, json_type_object)) {
        write_answer(line, NULL, error_answer(NULL, NB_PROTOCOL_INVALID_REQUEST, "a call must be an object"));
        return true;
    }
    bool notification = !json_object_object_get_ex(call, "id", &id);
    if (!usable_id(id)) {
        write_answer(line, NULL,
                     error_answer(NULL, NB_PROTOCOL_INVALID_REQUEST, "\"id\" must be a text, a number or null"));
        return true;
    }
    int code;
    struct json_object *answer = perform(rpc, right, call, id, &code);
    if (notification && code != NB_PROTOCOL_INVALID_REQUEST) { /* what is no call at all is no notification either */
        json_object_put(answer);
        return false;
    }
    write_answer(line, id, answer);
    return true;
}

static void answer_batch(const struct nb_rpc *rpc, enum nb_right right, struct json_object *batch, struct line *line)
{
    size_t n = json_object_array_length(batch);
    bool answered = false;

    if (n == 0 || n > NB_RPC_BATCH_MAX) {
        char text[80];
        snprintf(text, sizeof text, "a batch has 1 to %d calls, not %zu", NB_RPC_BATCH_MAX, n);
        write_answer(line, NULL, error_answer(NULL, NB_PROTOCOL_INVALID_REQUEST, text));
        return;
    }
    append(line, "[", 1);
    for (size_t i = 0; i < n; i++) {
        size_t before = line->n;
        if (answered)
            append(line, ",", 1);
        if (answer_call(rpc, right, json_object_array_get_idx(batch, i), line))
            answered = true;
        else
            line->n = before;
    }
    append(line, "]", 1);
    if (!answered)
        line->n = 0;
}

/* Parse a whole line: one JSON text and nothing after it. Returns false with words when it is not that. */
static bool parse_line(const char *text, size_t n, struct json_object **json, struct nb_error *err)
{
    struct json_tokener *tokener = json_tokener_new_ex(NB_RPC_DEPTH_MAX);
    enum json_tokener_error error = json_tokener_error_parse_unexpected; /* json-c takes NUL for the end */

    *json = NULL;
    if (tokener && !memchr(text, 0, n)) {
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        *json = json_tokener_parse_ex(tokener, text, (int)n);
        if (json_tokener_get_error(tokener) == json_tokener_continue)
            *json = json_tokener_parse_ex(tokener, "", 1); /* that was all */
        error = json_tokener_get_error(tokener);
    }
    if (tokener)
        json_tokener_free(tokener);
    if (error == json_tokener_success)
        return true;
    nb_error_set(err, 0, "not JSON: %s", json_tokener_error_desc(error));
    json_object_put(*json);
    return false;
}

/* Cut the text that was built into what the caller gets. */
static char *finish(struct line *line, size_t *length)
{
    if (line->n)
        append(line, "\n", 1);
    if (line->failed || !line->n) {
        free(line->text);
        return NULL;
    }
    *length = line->n;
    return line->text;
}

char *nb_rpc_answer(const struct nb_rpc *rpc, enum nb_right right, const char *text, size_t n, size_t *length)
{
    struct line line = {0};
    struct json_object *json = NULL;
    struct nb_error err;

    while (n && strchr(" \t\r", text[n - 1]))
        n--;
    if (!parse_line(text, n, &json, &err))
        return nb_rpc_error_line(NB_PROTOCOL_PARSE, err.text, length);
    if (json_object_is_type(json, json_type_array))
        answer_batch(rpc, right, json, &line);
    else
        answer_call(rpc, right, json, &line);
    json_object_put(json);
    return finish(&line, length);
}

char *nb_rpc_error_line(int code, const char *text, size_t *length)
{
    struct line line = {0};

    write_answer(&line, NULL, error_answer(NULL, code, text));
    return finish(&line, length);
}
