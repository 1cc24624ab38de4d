/* output_text.c - tables aligned to their content; blocks of `name value` with -d; one line per row with -o.
 *
 * A table's columns are as wide as the rows that came so far need: a long list comes in pages, and waits for none.
 */
#include "output.h"

#include <string.h>

#include <json-c/json.h>

#define NAME_MAX 80

/* --- tables ------------------------------------------------------------------------------------------------------ */

static bool shown(const struct nb_output *o, const struct nb_column *column)
{
    return column->when == NB_ALWAYS || o->options.stats;
}

static void cell(const struct nb_column *column, struct json_object *row, char out[NB_CELL_MAX])
{
    column->format(row, nb_member(row, column->key), out);
}

static void measure(struct nb_output *o, struct json_object *list)
{
    char text[NB_CELL_MAX];

    for (unsigned c = 0; c < NB_COLUMNS_MAX && o->view[c].heading; c++) {
        if (o->rows == 0)
            o->width[c] = (int)strlen(o->view[c].heading);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            cell(&o->view[c], json_object_array_get_idx(list, i), text);
            if ((int)strlen(text) > o->width[c])
                o->width[c] = (int)strlen(text);
        }
    }
}

/* A line of cells; the row NULL is the headings. Nothing trails the last cell. */
static void write_line(const struct nb_output *o, struct json_object *row)
{
    char text[NB_CELL_MAX];
    int pad = 0;

    for (unsigned c = 0; c < NB_COLUMNS_MAX && o->view[c].heading; c++) {
        const struct nb_column *column = &o->view[c];
        if (!shown(o, column))
            continue;
        if (row)
            cell(column, row, text);
        else
            snprintf(text, sizeof text, "%s", column->heading);
        int fill = o->width[c] - (int)strlen(text);
        fprintf(o->out, "%*s%s", column->align == NB_RIGHT ? pad + fill : pad, "", text);
        pad = 2 + (column->align == NB_RIGHT ? 0 : fill);
    }
    fputc('\n', o->out);
}

/* The headings of an empty list say that the question was understood. */
static void write_table(struct nb_output *o, struct json_object *list)
{
    size_t n = json_object_array_length(list);

    measure(o, list);
    if (o->rows == 0 && !o->headed)
        write_line(o, NULL);
    o->headed = true;
    for (size_t i = 0; i < n; i++)
        write_line(o, json_object_array_get_idx(list, i));
    o->rows += n;
}

/* --- members by name --------------------------------------------------------------------------------------------- */

typedef void visit(const struct nb_output *o, const char *name, struct json_object *value, void *arg);

static void walk(const struct nb_output *o, const char *prefix, struct json_object *object, visit *fn, void *arg);

/* The objects of a list by their place: ports[0].device. */
static void walk_list(const struct nb_output *o, const char *prefix, struct json_object *list, visit *fn, void *arg)
{
    char name[NAME_MAX];

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        snprintf(name, sizeof name, "%.60s[%u]", prefix, (unsigned)i);
        walk(o, name, json_object_array_get_idx(list, i), fn, arg);
    }
}

static bool is_list_of_objects(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) == 0)
        return false;
    for (size_t i = 0; i < json_object_array_length(value); i++)
        if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_object))
            return false;
    return true;
}

static void walk(const struct nb_output *o, const char *prefix, struct json_object *object, visit *fn, void *arg)
{
    char name[NAME_MAX];

    json_object_object_foreach(object, key, value)
    {
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_object_is_type(value, json_type_object))
            walk(o, name, value, fn, arg);
        else if (is_list_of_objects(value))
            walk_list(o, name, value, fn, arg);
        else
            fn(o, name, value, arg);
    }
}

static void longest_name(const struct nb_output *o, const char *name, struct json_object *value, void *arg)
{
    int *width = arg;

    (void)o, (void)value;
    if ((int)strlen(name) > *width)
        *width = (int)strlen(name);
}

/* A scalar; in a line of pairs, text that is not one word is quoted. */
static void write_scalar(const struct nb_output *o, struct json_object *value)
{
    char text[NB_CELL_MAX];

    nb_format_plain(NULL, value, text);
    bool quote = o->options.oneline && strpbrk(text, " \"");
    if (quote)
        fputs(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), o->out);
    else
        fputs(*text ? text : "-", o->out);
}

/* Lists in full; an object in a mixed list, which no method answers with, as JSON. */
static void write_value(const struct nb_output *o, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array)) {
        write_scalar(o, value);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *one = json_object_array_get_idx(value, i);
        fputs(i ? " " : "", o->out);
        if (json_object_is_type(one, json_type_object))
            fputs(json_object_to_json_string_ext(one, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), o->out);
        else
            write_value(o, one);
    }
    if (json_object_array_length(value) == 0)
        fputc('-', o->out);
}

static void write_member(const struct nb_output *o, const char *name, struct json_object *value, void *arg)
{
    fprintf(o->out, "%-*s  ", *(int *)arg, name);
    write_value(o, value);
    fputc('\n', o->out);
}

static void write_pair(const struct nb_output *o, const char *name, struct json_object *value, void *arg)
{
    bool *first = arg;

    fprintf(o->out, "%s%s ", *first ? "" : " ", name);
    write_value(o, value);
    *first = false;
}

static void write_block(struct nb_output *o, struct json_object *object)
{
    int width = 0;

    walk(o, "", object, longest_name, &width);
    walk(o, "", object, write_member, &width);
}

static void write_oneline(struct nb_output *o, struct json_object *object)
{
    bool first = true;

    walk(o, "", object, write_pair, &first);
    fputc('\n', o->out);
}

/* --- the operations ---------------------------------------------------------------------------------------------- */

static void begin(struct nb_output *o)
{
    o->rows = 0;
    o->headed = false;
}

static void rows(struct nb_output *o, struct json_object *list)
{
    size_t n = json_object_array_length(list);

    if (!o->options.oneline && !o->options.details) {
        write_table(o, list);
        return;
    }
    for (size_t i = 0; i < n; i++, o->rows++) {
        if (o->rows && !o->options.oneline)
            fputc('\n', o->out);
        (o->options.oneline ? write_oneline : write_block)(o, json_object_array_get_idx(list, i));
    }
}

static void end(struct nb_output *o)
{
    (void)o;
}

static void object(struct nb_output *o, struct json_object *one)
{
    (o->options.oneline ? write_oneline : write_block)(o, one);
}

static void said(struct nb_output *o, const char *text, struct json_object *result)
{
    (void)result;
    fprintf(o->out, "%s\n", text);
}

static void error(struct nb_output *o, const char *where, const char *text, int exit_code)
{
    (void)exit_code;
    fprintf(o->err, "netbypassctl: %s%s", where, *where ? ": " : "");
    for (const char *p = text; *p; p++)
        fputc((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p, o->err);
    fputc('\n', o->err);
}

const struct nb_output_ops nb_output_text = {begin, rows, end, object, said, error};
