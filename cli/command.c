/* command.c - see command.h. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#define PAGE 500 /* rows asked for at a time; the daemon's own bound */

const struct nb_object nb_objects[] = {
    {"flow", nb_flow_commands, "TCP connections, as the NIC sees them"},
    {"rule", nb_rule_commands, "entries of the NICs' steering tables"},
    {"worker", nb_worker_commands, "threads that poll a queue of every port and run a stack"},
    {"bucket", nb_bucket_commands, "entries of ports' indirection tables, which make workers homes of flows"},
    {"rebalance", nb_rebalance_commands, "work moved from busy workers to idle ones"},
    {"port", nb_port_commands, "NIC ports"},
    {"listener", nb_listener_commands, "where connections are accepted"},
    {"stats", nb_stats_commands, "counters, with what each counts"},
    {"config", nb_config_commands, "the configuration in force"},
    {"version", nb_version_commands, "what is running"},
    {0},
};

/* --- words to command -------------------------------------------------------------------------------------------- */

static bool begins(const char *name, const char *word)
{
    return *word && strncmp(name, word, strlen(word)) == 0;
}

/* An abbreviation means the first name of the table that begins so, as with ip(8). */
static const struct nb_object *find_object(const char *word)
{
    for (const struct nb_object *o = nb_objects; o->name; o++)
        if (begins(o->name, word))
            return o;
    return NULL;
}

static const struct nb_command *find_command(const struct nb_object *object, const char *word)
{
    for (const struct nb_command *c = object->commands; c->name; c++)
        if (begins(c->name, word))
            return c;
    return NULL;
}

/* Append a name to a list in words. */
static void add_name(char *text, size_t room, const char *name)
{
    size_t n = strlen(text);

    snprintf(text + n, room - n, "%s%s", n ? ", " : "", name);
}

int nb_command_find(char **word, int n, const struct nb_object **object, const struct nb_command **command,
                    struct nb_error *err)
{
    char names[256] = "";

    *object = n ? find_object(word[0]) : NULL;
    if (!*object) {
        for (const struct nb_object *o = nb_objects; o->name; o++)
            add_name(names, sizeof names, o->name);
        return nb_error_set(err, -1, "%s%.40s; accepted: %s, help", n ? "unknown object " : "an object is missing",
                            n ? word[0] : "", names);
    }
    *command = n > 1 ? find_command(*object, word[1]) : (*object)->commands;
    if (*command)
        return n > 1 ? 2 : 1;
    if (!(*object)->commands[1].name) { /* with a single command its name may be left out */
        *command = (*object)->commands;
        return 1;
    }
    for (const struct nb_command *c = (*object)->commands; c->name; c++)
        add_name(names, sizeof names, c->name);
    return nb_error_set(err, -1, "%s: unknown command %.40s; accepted: %s, help", (*object)->name, word[1], names);
}

/* --- words to parameters ----------------------------------------------------------------------------------------- */

static int usage_error(struct nb_error *err, const char *what, const char *word, const char *accepted)
{
    nb_error_set(err, 0, "%s%.40s; accepted: %s", what, word, accepted);
    return NB_EXIT_USAGE;
}

static void describe_words(const struct nb_command *command, char *text, size_t room)
{
    char one[80];

    *text = 0;
    for (const struct nb_word *w = command->words; w && w->param; w++) {
        snprintf(one, sizeof one, "%s%s%s", w->word ? w->word : "", w->word ? " " : "", w->value);
        add_name(text, room, one);
    }
    if (!*text)
        snprintf(text, room, "nothing more");
}

/* What stands behind the '=' of a pair written as one word (to=1), NULL when the word is no such pair of this row. */
static const char *joined_value(const struct nb_word *w, const char *word)
{
    size_t n = w->word ? strlen(w->word) : 0;

    return n && strncmp(w->word, word, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

/* The row that the next word, or pair of words, belongs to; `given` says which rows were used. Named ones go first. */
static const struct nb_word *match_word(const struct nb_command *command, const char *word, struct json_object *given)
{
    for (const struct nb_word *w = command->words; w && w->param; w++)
        if (w->word && (strcmp(w->word, word) == 0 || joined_value(w, word)))
            return w;
    for (const struct nb_word *w = command->words; w && w->param; w++)
        if (!w->word && !json_object_object_get_ex(given, w->param, NULL))
            return w;
    return NULL;
}

/* How many words of the command line a row takes. */
static int words_taken(const struct nb_word *w, const char *word)
{
    return w && w->word && !joined_value(w, word) ? 2 : 1;
}

static bool add_param(struct json_object *params, const struct nb_word *w, const char *value)
{
    char *end;

    if (!w->number) {
        json_object_object_add(params, w->param, json_object_new_string(value));
        return true;
    }
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno || end == value || *end)
        return false;
    json_object_object_add(params, w->param, json_object_new_int64(number));
    return true;
}

static int read_word(const struct nb_command *command, char **word, int n, struct json_object *params,
                     struct nb_error *err)
{
    char accepted[300];
    const struct nb_word *w = match_word(command, word[0], params);

    describe_words(command, accepted, sizeof accepted);
    if (!w)
        return usage_error(err, "unexpected ", word[0], accepted);
    if (json_object_object_get_ex(params, w->param, NULL))
        return usage_error(err, "given twice: ", word[0], accepted);
    int taken = words_taken(w, word[0]);
    if (n < taken)
        return usage_error(err, "a value is missing after ", word[0], accepted);
    const char *value = joined_value(w, word[0]) ? joined_value(w, word[0]) : word[taken - 1];
    if (!add_param(params, w, value))
        return usage_error(err, "not a number: ", value, accepted);
    return NB_EXIT_OK;
}

int nb_command_params(const struct nb_command *command, char **word, int n, struct json_object **params,
                      struct nb_error *err)
{
    struct json_object *object = json_object_new_object();
    char accepted[300];
    int rc = NB_EXIT_OK;

    describe_words(command, accepted, sizeof accepted);
    for (int i = 0, used; i < n && !rc; i += used) {
        used = words_taken(match_word(command, word[i], object), word[i]);
        rc = read_word(command, word + i, n - i, object, err);
    }
    for (const struct nb_word *w = command->words; !rc && w && w->param; w++)
        if (w->required && !json_object_object_get_ex(object, w->param, NULL))
            rc = usage_error(err, "missing: ", w->value, accepted);
    if (rc) {
        json_object_put(object);
        return rc;
    }
    *params = object;
    return NB_EXIT_OK;
}

/* --- running ----------------------------------------------------------------------------------------------------- */

/* The rows of an answer: the objects of a list, or one object. What is neither is not shown. */
static struct json_object *rows_of(struct json_object *result, const char *name)
{
    struct json_object *member = nb_member(result, name), *list = json_object_new_array();

    if (json_object_is_type(member, json_type_object))
        json_object_array_add(list, json_object_get(member));
    if (!json_object_is_type(member, json_type_array))
        return list;
    for (size_t i = 0; i < json_object_array_length(member); i++) {
        struct json_object *row = json_object_array_get_idx(member, i);
        if (json_object_is_type(row, json_type_object))
            json_object_array_add(list, json_object_get(row));
    }
    return list;
}

/* Page after page. What came before an error is shown, and is a whole list. */
static int run_list(const struct nb_command *command, struct nb_client *client, struct json_object *params,
                    struct nb_output *output, struct nb_error *err)
{
    struct json_object *result = NULL, *next = NULL;
    int rc = NB_EXIT_OK;

    if (command->paged)
        json_object_object_add(params, "limit", json_object_new_int(PAGE));
    for (bool first = true; !rc && (first || next); first = false) {
        rc = nb_client_call(client, command->method, json_object_get(params), &result, err);
        if (rc && first)
            return rc;
        if (first)
            output->ops->begin(output);
        if (!rc) {
            struct json_object *rows = rows_of(result, command->result);
            output->ops->rows(output, rows);
            json_object_put(rows);
            next = command->paged ? nb_member(result, "next") : NULL;
            if (next)
                json_object_object_add(params, "cursor", json_object_get(next));
        }
        json_object_put(result);
    }
    output->ops->end(output);
    return rc;
}

int nb_command_run(const struct nb_command *command, struct nb_client *client, struct json_object *params,
                   struct nb_output *output, struct nb_error *err)
{
    struct json_object *result = NULL;
    int rc;

    if (command->run)
        return command->run(command, client, params, output, err);
    output->view = command->view;
    if (command->whole)
        output->options.details = true;
    if (command->view) {
        rc = run_list(command, client, params, output, err);
        json_object_put(params);
        return rc;
    }
    rc = nb_client_call(client, command->method, params, &result, err);
    struct json_object *shown = command->result ? nb_member(result, command->result) : result;
    if (!rc && !json_object_is_type(shown, json_type_object)) {
        nb_error_set(err, 0, "netbypassd's answer has no %s", command->result);
        rc = NB_EXIT_UNREACHABLE;
    } else if (!rc && command->said) {
        output->ops->said(output, command->said, result);
    } else if (!rc) {
        output->ops->object(output, shown);
    }
    json_object_put(result);
    return rc;
}

/* --- usage ------------------------------------------------------------------------------------------------------- */

void nb_command_usage(const struct nb_object *object, const struct nb_command *command, FILE *out)
{
    fprintf(out, "  netbypassctl %s %s", object->name, command->name);
    for (const struct nb_word *w = command->words; w && w->param; w++)
        fprintf(out, " %s%s%s%s%s", w->required ? "" : "[", w->word ? w->word : "", w->word ? " " : "", w->value,
                w->required ? "" : "]");
    fprintf(out, "\n      %s\n", command->help);
}

void nb_objects_usage(const struct nb_object *only, FILE *out)
{
    for (const struct nb_object *o = nb_objects; o->name; o++)
        for (const struct nb_command *c = o->commands; c->name; c++)
            if (!only || only == o)
                nb_command_usage(o, c, out);
}
