/* option.c - options of bundled applications. */
#include "option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS     ", "
#define ENDPOINTS_TEXT 512 /* APP_ENDPOINTS_MAX times "255.255.255.255:65535" and a separator, and some */

static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return !errno && !*end && *out <= max;
}

static int number(const char *app, const struct app_option *o, const char *text, struct nb_error *err)
{
    uint64_t value;

    if (!read_number(text, o->max, &value) || value < o->min)
        return nb_error_set(err, -EINVAL, "%s: %s '%s': accepted: %" PRIu64 " to %" PRIu64, app, o->key, text, o->min,
                            o->max);
    *(uint64_t *)o->value = value;
    return 0;
}

static bool read_endpoint(char *text, struct app_endpoint *out)
{
    char *colon = strrchr(text, ':');
    uint64_t port;

    if (!colon || !read_number(colon + 1, UINT16_MAX, &port) || port == 0)
        return false;
    *colon = 0;
    *out = (struct app_endpoint){.port = (uint16_t)port};
    return inet_pton(AF_INET, text, &out->address.word[0]) == 1 && out->address.word[0];
}

static int endpoints(const char *app, const struct app_option *o, const char *text, struct nb_error *err)
{
    struct app_endpoints *out = o->value;
    char copy[ENDPOINTS_TEXT], *at = copy, *one;
    bool good = strlen(text) < sizeof copy;

    out->n = 0;
    snprintf(copy, sizeof copy, "%s", text);
    while (good && (one = strsep(&at, SEPARATORS)))
        if (*one)
            good = out->n < APP_ENDPOINTS_MAX && read_endpoint(one, &out->at[out->n++]);
    if (!good || out->n == 0)
        return nb_error_set(err, -EINVAL, "%s: %s '%.64s': accepted: 1 to %d IPv4 addresses with ports, as 10.0.0.1:80",
                            app, o->key, text, APP_ENDPOINTS_MAX);
    return 0;
}

static int unknown(const char *app, const struct app_option *table, unsigned n, const char *key, struct nb_error *err)
{
    char keys[256] = "none";
    size_t used = 0;

    for (unsigned i = 0; i < n && used < sizeof keys; i++)
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", i ? ", " : "", table[i].key);
    return nb_error_set(err, -EINVAL, "%s: unknown option '%s'; accepted: %s", app, key, keys);
}

static int read_one(const char *app, const struct app_option *table, unsigned n, const struct nb_app_option *given,
                    struct nb_error *err)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(table[i].key, given->key) != 0)
            continue;
        return table[i].kind == APP_NUMBER ? number(app, &table[i], given->value, err)
                                           : endpoints(app, &table[i], given->value, err);
    }
    return unknown(app, table, n, given->key, err);
}

int app_options_read(const char *app, const struct app_option *table, unsigned n, const struct nb_app_option *given,
                     unsigned n_given, struct nb_error *err)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < n_given; i++)
        rc = read_one(app, table, n, &given[i], err);
    return rc;
}
