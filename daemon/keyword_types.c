/* keyword_types.c - the scalar types a configuration value can have: text to field, field to JSON, what is accepted. */
#include "keyword.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include <json-c/json.h>

#include "address.h"

/* A field of 1, 2 or 4 bytes, by the row's size. */
static void store_number(const struct nb_keyword *k, uint64_t value, void *field)
{
    switch (k->size) {
    case 1:
        *(uint8_t *)field = (uint8_t)value;
        return;
    case 2:
        *(uint16_t *)field = (uint16_t)value;
        return;
    default:
        *(uint32_t *)field = (uint32_t)value;
    }
}

static uint64_t load_number(const struct nb_keyword *k, const void *field)
{
    switch (k->size) {
    case 1:
        return *(const uint8_t *)field;
    case 2:
        return *(const uint16_t *)field;
    default:
        return *(const uint32_t *)field;
    }
}

/* Decimal digits only: no sign, space, underscore, octal or hexadecimal that YAML 1.1 would guess at. */
static bool digits(const char *text, uint64_t *out)
{
    uint64_t value = 0;

    if (!*text || strlen(text) > 18)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return true;
}

static bool number_parse(const struct nb_keyword *k, const char *text, void *field)
{
    uint64_t value;

    if (!digits(text, &value) || value < k->min || value > k->max)
        return false;
    store_number(k, value, field);
    return true;
}

static struct json_object *number_show(const struct nb_keyword *k, const void *field)
{
    return json_object_new_int64((int64_t)load_number(k, field));
}

static void number_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    snprintf(out, NB_KEYWORD_TEXT_MAX, "a number from %llu to %llu", (unsigned long long)k->min,
             (unsigned long long)k->max);
}

static bool count_parse(const struct nb_keyword *k, const char *text, void *field)
{
    if (strcmp(text, "auto") != 0)
        return number_parse(k, text, field);
    store_number(k, 0, field);
    return true;
}

static struct json_object *count_show(const struct nb_keyword *k, const void *field)
{
    uint64_t value = load_number(k, field);
    return value ? json_object_new_int64((int64_t)value) : json_object_new_string("auto");
}

static void count_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    snprintf(out, NB_KEYWORD_TEXT_MAX, "auto, or a number from %llu to %llu", (unsigned long long)k->min,
             (unsigned long long)k->max);
}

static bool bool_parse(const struct nb_keyword *k, const char *text, void *field)
{
    (void)k;
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0)
        return false;
    *(bool *)field = yes;
    return true;
}

static struct json_object *bool_show(const struct nb_keyword *k, const void *field)
{
    (void)k;
    return json_object_new_boolean(*(const bool *)field);
}

static void bool_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    (void)k;
    snprintf(out, NB_KEYWORD_TEXT_MAX, "true or false");
}

static bool word_parse(const struct nb_keyword *k, const char *text, void *field)
{
    for (int i = 0; k->words[i]; i++) {
        if (strcmp(k->words[i], text) == 0) {
            *(int *)field = i;
            return true;
        }
    }
    return false;
}

static struct json_object *word_show(const struct nb_keyword *k, const void *field)
{
    return json_object_new_string(k->words[*(const int *)field]);
}

static void word_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    size_t used = 0;

    out[0] = 0;
    for (int i = 0; k->words[i] && used < NB_KEYWORD_TEXT_MAX; i++)
        used += (size_t)snprintf(out + used, NB_KEYWORD_TEXT_MAX - used, "%s%s", i ? ", " : "", k->words[i]);
}

static bool text_parse(const struct nb_keyword *k, const char *text, void *field)
{
    size_t n = strlen(text);

    if (n < k->min || n >= k->size)
        return false;
    memcpy(field, text, n + 1);
    return true;
}

static struct json_object *text_show(const struct nb_keyword *k, const void *field)
{
    (void)k;
    return json_object_new_string(field);
}

static void text_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    snprintf(out, NB_KEYWORD_TEXT_MAX, "a text of %llu to %zu bytes", (unsigned long long)k->min, k->size - 1);
}

static bool address_parse(const struct nb_keyword *k, const char *text, void *field)
{
    struct nb_addr address = {0};
    uint8_t family = NB_FAMILY_IPV4;

    (void)k;
    if (strcmp(text, "none") != 0 && (!nb_addr_parse(text, &address, &family) || family != NB_FAMILY_IPV4))
        return false;
    *(struct nb_addr *)field = address;
    return true;
}

static struct json_object *address_show(const struct nb_keyword *k, const void *field)
{
    static const struct nb_addr none;
    char text[NB_ADDR_TEXT_MAX];

    (void)k;
    if (memcmp(field, &none, sizeof none) == 0)
        return json_object_new_string("none");
    nb_addr_text(NB_FAMILY_IPV4, field, text);
    return json_object_new_string(text);
}

static void address_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    (void)k;
    snprintf(out, NB_KEYWORD_TEXT_MAX, "an IPv4 address, or none");
}

static bool gateway6_parse(const struct nb_keyword *k, const char *text, void *field)
{
    struct nb_gateway6 gateway = {.automatic = strcmp(text, "auto") == 0};
    uint8_t family = NB_FAMILY_IPV6;

    (void)k;
    if (!gateway.automatic && strcmp(text, "none") != 0 &&
        (!nb_addr_parse(text, &gateway.address, &family) || family != NB_FAMILY_IPV6))
        return false;
    *(struct nb_gateway6 *)field = gateway;
    return true;
}

static struct json_object *gateway6_show(const struct nb_keyword *k, const void *field)
{
    static const struct nb_addr none;
    const struct nb_gateway6 *gateway = field;
    char text[NB_ADDR_TEXT_MAX];

    (void)k;
    if (memcmp(&gateway->address, &none, sizeof none) == 0)
        return json_object_new_string(gateway->automatic ? "auto" : "none");
    nb_addr_text(NB_FAMILY_IPV6, &gateway->address, text);
    return json_object_new_string(text);
}

static void gateway6_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    (void)k;
    snprintf(out, NB_KEYWORD_TEXT_MAX, "an IPv6 address, auto, or none");
}

static bool prefix_parse(const struct nb_keyword *k, const char *text, void *field)
{
    struct nb_prefix prefix;

    (void)k;
    if (!strchr(text, '/') || !nb_prefix_parse(text, &prefix))
        return false;
    *(struct nb_prefix *)field = prefix;
    return true;
}

static struct json_object *prefix_show(const struct nb_keyword *k, const void *field)
{
    const struct nb_prefix *prefix = field;
    char address[NB_ADDR_TEXT_MAX], text[NB_ADDR_TEXT_MAX + 8];

    (void)k;
    nb_addr_text(prefix->family, &prefix->address, address);
    snprintf(text, sizeof text, "%s/%u", address, prefix->bits);
    return json_object_new_string(text);
}

static void prefix_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    (void)k;
    snprintf(out, NB_KEYWORD_TEXT_MAX, "an address with its prefix length, as 10.99.0.2/24 or fd99::2/64");
}

static bool endpoint_parse(const struct nb_keyword *k, const char *text, void *field)
{
    struct nb_endpoint endpoint;

    (void)k;
    if (!nb_endpoint_parse(text, &endpoint))
        return false;
    *(struct nb_endpoint *)field = endpoint;
    return true;
}

static struct json_object *endpoint_show(const struct nb_keyword *k, const void *field)
{
    const struct nb_endpoint *endpoint = field;
    char text[NB_ENDPOINT_TEXT_MAX];

    (void)k;
    nb_endpoint_text(endpoint->family, &endpoint->address, endpoint->port, text);
    return json_object_new_string(text);
}

static void endpoint_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    (void)k;
    snprintf(out, NB_KEYWORD_TEXT_MAX,
             "an address and a TCP port, as 0.0.0.0:80 or [fd99::2]:80 (0.0.0.0, [::]: every address of ours)");
}

/* The all-ones id means "unchanged" to chown(2) and nobody to us. */
static bool id_number(const char *text, uint32_t *out)
{
    uint64_t value;

    if (!digits(text, &value) || value >= UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool user_parse(const struct nb_keyword *k, const char *text, void *field)
{
    (void)k;
    if (id_number(text, field))
        return true;
    struct passwd *user = getpwnam(text);
    if (!user)
        return false;
    *(uid_t *)field = user->pw_uid;
    return true;
}

static bool group_parse(const struct nb_keyword *k, const char *text, void *field)
{
    (void)k;
    if (id_number(text, field))
        return true;
    struct group *group = getgrnam(text);
    if (!group)
        return false;
    *(gid_t *)field = group->gr_gid;
    return true;
}

static struct json_object *id_show(const struct nb_keyword *k, const void *field)
{
    (void)k;
    return json_object_new_int64(*(const uint32_t *)field);
}

static void user_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    (void)k;
    snprintf(out, NB_KEYWORD_TEXT_MAX, "the name of a user of this system, or a uid");
}

static void group_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX])
{
    (void)k;
    snprintf(out, NB_KEYWORD_TEXT_MAX, "the name of a group of this system, or a gid");
}

const struct nb_keyword_type nb_type_bool = {NB_SHAPE_SCALAR, "boolean", bool_parse, bool_show, bool_accepts};
const struct nb_keyword_type nb_type_number = {NB_SHAPE_SCALAR, "number", number_parse, number_show, number_accepts};
const struct nb_keyword_type nb_type_count = {NB_SHAPE_SCALAR, "count", count_parse, count_show, count_accepts};
const struct nb_keyword_type nb_type_word = {NB_SHAPE_SCALAR, "word", word_parse, word_show, word_accepts};
const struct nb_keyword_type nb_type_text = {NB_SHAPE_SCALAR, "text", text_parse, text_show, text_accepts};
const struct nb_keyword_type nb_type_address = {NB_SHAPE_SCALAR, "address", address_parse, address_show,
                                                address_accepts};
const struct nb_keyword_type nb_type_gateway6 = {NB_SHAPE_SCALAR, "gateway6", gateway6_parse, gateway6_show,
                                                 gateway6_accepts};
const struct nb_keyword_type nb_type_prefix = {NB_SHAPE_SCALAR, "prefix", prefix_parse, prefix_show, prefix_accepts};
const struct nb_keyword_type nb_type_endpoint = {NB_SHAPE_SCALAR, "endpoint", endpoint_parse, endpoint_show,
                                                 endpoint_accepts};
const struct nb_keyword_type nb_type_user = {NB_SHAPE_SCALAR, "user", user_parse, id_show, user_accepts};
const struct nb_keyword_type nb_type_group = {NB_SHAPE_SCALAR, "group", group_parse, id_show, group_accepts};
const struct nb_keyword_type nb_type_section = {NB_SHAPE_SECTION, "section", NULL, NULL, NULL};
const struct nb_keyword_type nb_type_list = {NB_SHAPE_LIST, "list", NULL, NULL, NULL};
const struct nb_keyword_type nb_type_pairs = {NB_SHAPE_PAIRS, "pairs", NULL, NULL, NULL};
