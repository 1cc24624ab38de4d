/* keyword.c - what keyword tables can tell about themselves; reading files is keyword_read.c. */
#include "keyword.h"

#include <string.h>

#include <json-c/json.h>

static struct json_object *show_value(const struct nb_keyword *k, const void *field, const void *section);

static struct json_object *show_list(const struct nb_keyword *k, const char *field, unsigned n)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < n; i++)
        json_object_array_add(list, show_value(k->inside, field + i * k->size, NULL));
    return list;
}

static struct json_object *show_pairs(const struct nb_pair *pair, unsigned n)
{
    struct json_object *pairs = json_object_new_object();

    for (unsigned i = 0; i < n; i++)
        json_object_object_add(pairs, pair[i].key, json_object_new_string(pair[i].value));
    return pairs;
}

static struct json_object *show_value(const struct nb_keyword *k, const void *field, const void *section)
{
    const unsigned *count = section ? (const unsigned *)((const char *)section + k->count_offset) : NULL;

    switch (k->type->shape) {
    case NB_SHAPE_SCALAR:
        return k->type->show(k, field);
    case NB_SHAPE_SECTION:
        return nb_keywords_show(k->inside, field);
    case NB_SHAPE_LIST:
        return show_list(k, field, count ? *count : 0);
    case NB_SHAPE_PAIRS:
        return show_pairs(field, count ? *count : 0);
    }
    return NULL;
}

struct json_object *nb_keywords_show(const struct nb_keyword *table, const void *section)
{
    struct json_object *object = json_object_new_object();

    for (const struct nb_keyword *k = table; k->name; k++)
        json_object_object_add(object, k->name, show_value(k, (const char *)section + k->offset, section));
    return object;
}

static void walk(const struct nb_keyword *table, const char *prefix, nb_keyword_visit *fn, void *arg)
{
    for (const struct nb_keyword *k = table; k->name; k++) {
        char path[128];
        bool list = k->type->shape == NB_SHAPE_LIST;
        const struct nb_keyword *element = list ? k->inside : k;

        snprintf(path, sizeof path, "%s%s", prefix, k->name);
        fn(path, k, arg);
        if (element->type->shape == NB_SHAPE_SECTION) {
            size_t n = strlen(path);
            snprintf(path + n, sizeof path - n, "%s.", list ? "[]" : "");
            walk(element->inside, path, fn, arg);
        }
    }
}

void nb_keywords_walk(const struct nb_keyword *table, nb_keyword_visit *fn, void *arg)
{
    walk(table, "", fn, arg);
}

void nb_keyword_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    char element[NB_KEYWORD_TEXT_MAX], range[32] = "at most";

    switch (k->type->shape) {
    case NB_SHAPE_SCALAR:
        k->type->accepts(k, out);
        return;
    case NB_SHAPE_SECTION:
        snprintf(out, NB_KEYWORD_TEXT_MAX, "a section");
        return;
    case NB_SHAPE_LIST:
        nb_keyword_accepts(k->inside, element);
        if (k->min)
            snprintf(range, sizeof range, "%llu to", (unsigned long long)k->min);
        snprintf(out, NB_KEYWORD_TEXT_MAX, "a list of %s %llu; each %.*s", range, (unsigned long long)k->max,
                 NB_KEYWORD_TEXT_MAX - 64, element);
        return;
    case NB_SHAPE_PAIRS:
        snprintf(out, NB_KEYWORD_TEXT_MAX, "at most %llu keys of up to %zu bytes, with values of up to %zu bytes",
                 (unsigned long long)k->max, sizeof((struct nb_pair){0}.key) - 1,
                 sizeof((struct nb_pair){0}.value) - 1);
        return;
    }
}

const char *nb_keyword_default(const struct nb_keyword *k)
{
    if (!k->fallback)
        return "required";
    return *k->fallback ? k->fallback : "empty";
}
