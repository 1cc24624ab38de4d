/* output.c - what both kinds of output use. */
#include "output.h"

#include <string.h>

#include <json-c/json.h>

void nb_output_init(struct nb_output *o, const struct nb_output_options *options, FILE *out, FILE *err)
{
    *o = (struct nb_output){.options = *options, .out = out, .err = err};
    o->ops = options->json ? &nb_output_json : &nb_output_text;
}

struct json_object *nb_member(struct json_object *object, const char *path)
{
    char name[64];

    while (object && *path) {
        size_t n = strcspn(path, ".");
        struct json_object *member = NULL;
        if (n >= sizeof name)
            return NULL;
        memcpy(name, path, n);
        name[n] = 0;
        if (!json_object_object_get_ex(object, name, &member))
            return NULL;
        object = member;
        path += path[n] ? n + 1 : n;
    }
    return object;
}

/* What a text of the daemon's may do to a terminal: nothing. */
static void copy_printable(const char *text, char out[NB_CELL_MAX])
{
    size_t i = 0;

    for (; i < NB_CELL_MAX - 1 && text[i]; i++)
        out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    out[i] = 0;
}

void nb_format_plain(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX])
{
    (void)row;
    switch (json_object_get_type(value)) {
    case json_type_null:
        strcpy(out, "-");
        return;
    case json_type_boolean:
        strcpy(out, json_object_get_boolean(value) ? "yes" : "no");
        return;
    case json_type_string:
    case json_type_int:
    case json_type_double:
        copy_printable(json_object_get_string(value), out);
        return;
    case json_type_object:
    case json_type_array:
        copy_printable(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                       out);
        return;
    }
}

void nb_format_permille(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX])
{
    (void)row;
    snprintf(out, NB_CELL_MAX, "%.1f%%", (double)json_object_get_uint64(value) / 10);
}

void nb_format_duration(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX])
{
    uint64_t us = json_object_get_uint64(value);

    (void)row;
    if (us == 0)
        strcpy(out, "-");
    else if (us < 1000)
        snprintf(out, NB_CELL_MAX, "%lluus", (unsigned long long)us);
    else if (us < 1000000)
        snprintf(out, NB_CELL_MAX, "%.3gms", (double)us / 1e3);
    else if (us < 60000000)
        snprintf(out, NB_CELL_MAX, "%.1fs", (double)us / 1e6);
    else if (us < 3600000000)
        snprintf(out, NB_CELL_MAX, "%llum%02llus", (unsigned long long)(us / 60000000),
                 (unsigned long long)(us / 1000000 % 60));
    else
        snprintf(out, NB_CELL_MAX, "%lluh%02llum", (unsigned long long)(us / 3600000000),
                 (unsigned long long)(us / 60000000 % 60));
}
