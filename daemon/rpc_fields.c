/* rpc_fields.c - members of structs as JSON. Numbers stay numbers, in the units their names end with. */
#include "rpc.h"

#include <json-c/json.h>

static struct json_object *show_u16(const void *member)
{
    return json_object_new_int64(*(const uint16_t *)member);
}

static struct json_object *show_u32(const void *member)
{
    return json_object_new_int64(*(const uint32_t *)member);
}

static struct json_object *show_u64(const void *member)
{
    return json_object_new_uint64(*(const uint64_t *)member);
}

static struct json_object *show_int_or_null(const void *member)
{
    int value = *(const int *)member;
    return value < 0 ? NULL : json_object_new_int(value);
}

static struct json_object *show_i64_or_null(const void *member)
{
    int64_t value = *(const int64_t *)member;
    return value < 0 ? NULL : json_object_new_int64(value);
}

static struct json_object *show_bool(const void *member)
{
    return json_object_new_boolean(*(const bool *)member);
}

static struct json_object *show_text(const void *member)
{
    return json_object_new_string(member);
}

static struct json_object *show_string(const void *member)
{
    return json_object_new_string(*(const char *const *)member);
}

const struct nb_field_type nb_field_u16 = {"number", show_u16};
const struct nb_field_type nb_field_u32 = {"number", show_u32};
const struct nb_field_type nb_field_u64 = {"number", show_u64};
const struct nb_field_type nb_field_int_or_null = {"number or null", show_int_or_null};
const struct nb_field_type nb_field_i64_or_null = {"number or null", show_i64_or_null};
const struct nb_field_type nb_field_bool = {"true or false", show_bool};
const struct nb_field_type nb_field_text = {"text", show_text};
const struct nb_field_type nb_field_string = {"text", show_string};

struct json_object *nb_fields_show(const struct nb_field *fields, const void *row)
{
    struct json_object *object = json_object_new_object();

    for (const struct nb_field *f = fields; f->name; f++)
        json_object_object_add(object, f->name, f->type->show((const char *)row + f->offset));
    return object;
}
