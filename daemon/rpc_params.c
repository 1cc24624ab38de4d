/* rpc_params.c - see rpc_params.h. */
#include "rpc_params.h"

#include <assert.h>
#include <string.h>

#include <json-c/json.h>

void nb_param_accepts(const struct nb_param *param, char *out, size_t room)
{
    size_t used = 0;

    switch (param->type) {
    case NB_PARAM_NUMBER:
        snprintf(out, room, "a number from %lld to %lld", (long long)param->min, (long long)param->max);
        return;
    case NB_PARAM_TEXT:
        snprintf(out, room, "a text");
        return;
    case NB_PARAM_WORD:
        for (int i = 0; param->words[i] && used < room; i++)
            used += (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "", param->words[i]);
        return;
    }
}

static const struct nb_param *find_param(const struct nb_rpc_method *method, const char *name)
{
    for (const struct nb_param *p = method->params; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static int refuse_name(const struct nb_rpc_method *method, const char *name, struct nb_error *err)
{
    char names[256] = "none";
    size_t used = 0;

    for (const struct nb_param *p = method->params; p && p->name && used < sizeof names; p++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", p->name);
    nb_error_set(err, 0, "%s: unknown parameter %.40s; accepted: %s", method->name, name, names);
    return NB_PROTOCOL_BAD_PARAMS;
}

static bool read_word(const struct nb_param *param, const char *text, int64_t *index)
{
    for (int i = 0; param->words[i]; i++) {
        if (strcmp(param->words[i], text) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool read_number(const struct nb_param *param, struct json_object *value, int64_t *number)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    *number = json_object_get_int64(value); /* saturates, and so falls out of any range but the full one */
    return *number >= param->min && *number <= param->max;
}

/* A text is a C string to us, so one with a NUL in it is none. */
static const char *read_text(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static bool read_arg(const struct nb_param *param, struct json_object *value, struct nb_arg *arg)
{
    arg->given = true;
    switch (param->type) {
    case NB_PARAM_NUMBER:
        return read_number(param, value, &arg->number);
    case NB_PARAM_TEXT:
        return (arg->text = read_text(value)) != NULL;
    case NB_PARAM_WORD:
        return (arg->text = read_text(value)) != NULL && read_word(param, arg->text, &arg->number);
    }
    return false;
}

static int refuse_value(const struct nb_rpc_method *method, const struct nb_param *param, struct json_object *value,
                        struct nb_error *err)
{
    char accepts[256];

    nb_param_accepts(param, accepts, sizeof accepts);
    nb_error_set(err, 0, "%s: %s: %.40s is not accepted here; accepted: %s", method->name, param->name,
                 value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "null", accepts);
    return NB_PROTOCOL_BAD_PARAMS;
}

int nb_params_read(const struct nb_rpc_method *method, struct json_object *params, struct nb_arg arg[NB_RPC_PARAMS_MAX],
                   struct nb_error *err)
{
    memset(arg, 0, NB_RPC_PARAMS_MAX * sizeof *arg);
    if (params && !json_object_is_type(params, json_type_object)) {
        nb_error_set(err, 0, "%s: params must be an object of named parameters", method->name);
        return NB_PROTOCOL_BAD_PARAMS;
    }
    if (params) {
        json_object_object_foreach(params, name, value)
        {
            const struct nb_param *param = find_param(method, name);
            if (!param)
                return refuse_name(method, name, err);
            assert(param - method->params < NB_RPC_PARAMS_MAX);
            if (!read_arg(param, value, &arg[param - method->params]))
                return refuse_value(method, param, value, err);
        }
    }
    for (const struct nb_param *p = method->params; p && p->name; p++) {
        if (p->required && !arg[p - method->params].given) {
            nb_error_set(err, 0, "%s: parameter %s is missing: %s", method->name, p->name, p->help);
            return NB_PROTOCOL_BAD_PARAMS;
        }
    }
    return 0;
}
