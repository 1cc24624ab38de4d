/* fuzz_config.c - hostile configuration files: refused in words with a line, or accepted and shown again, never worse.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* What is shown is a configuration, and it means the same. */
static void require_round_trip(const struct nb_config *config)
{
    struct json_object *shown = nb_config_show(config);
    const char *text = json_object_to_json_string(shown);
    struct nb_error err;
    struct nb_config *again;

    require(nb_config_parse("again", text, strlen(text), &again, &err) == 0);
    struct json_object *shown_again = nb_config_show(again);
    require(json_object_equal(shown, shown_again));
    json_object_put(shown_again);
    json_object_put(shown);
    nb_config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nb_error err = {0};
    struct nb_config *config = NULL;

    if (nb_config_parse("fuzz", (const char *)data, size, &config, &err) == 0) {
        require_round_trip(config);
        nb_config_free(config);
    } else {
        require(!config && err.code < 0 && strncmp(err.text, "fuzz:", 5) == 0 && !strpbrk(err.text, "\n\033"));
    }
    return 0;
}
