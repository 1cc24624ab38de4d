/* output_json.c - lists as an array of objects, [] when empty, as iproute2 does; errors as {"error": ...} on stderr.
 *
 * Rows are written as they come, so a long list needs no memory; -p needs all of them to indent.
 */
#include "output.h"

#include <json-c/json.h>

static int flags(const struct nb_output *o)
{
    return (o->options.pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN) |
           JSON_C_TO_STRING_NOSLASHESCAPE;
}

static void write_object(struct nb_output *o, struct json_object *object)
{
    fprintf(o->out, "%s\n", json_object_to_json_string_ext(object, flags(o)));
}

static void begin(struct nb_output *o)
{
    if (o->options.pretty)
        o->held = json_object_new_array();
    else
        fputc('[', o->out);
}

static void rows(struct nb_output *o, struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++, o->rows++) {
        struct json_object *row = json_object_array_get_idx(list, i);
        if (o->options.pretty)
            json_object_array_add(o->held, json_object_get(row));
        else
            fprintf(o->out, "%s%s", o->rows ? "," : "", json_object_to_json_string_ext(row, flags(o)));
    }
}

static void end(struct nb_output *o)
{
    if (o->options.pretty) {
        write_object(o, o->held);
        json_object_put(o->held);
        o->held = NULL;
    } else {
        fputs("]\n", o->out);
    }
}

static void said(struct nb_output *o, const char *text, struct json_object *result)
{
    (void)text;
    write_object(o, result);
}

static void error(struct nb_output *o, const char *where, const char *text, int exit_code)
{
    struct json_object *object = json_object_new_object();
    char line[640];

    snprintf(line, sizeof line, "%s%s%s", where, *where ? ": " : "", text);
    json_object_object_add(object, "error", json_object_new_string(line));
    json_object_object_add(object, "exit_code", json_object_new_int(exit_code));
    fprintf(o->err, "%s\n", json_object_to_json_string_ext(object, flags(o)));
    json_object_put(object);
}

const struct nb_output_ops nb_output_json = {begin, rows, end, write_object, said, error};
