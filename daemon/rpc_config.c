/* rpc_config.c - methods about the configuration: config.show. */
#include "rpc.h"

#include <json-c/json.h>

#include "config.h"

static int show(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    (void)arg, (void)err;
    json_object_object_add(result, "file", json_object_new_string(rpc->config->file));
    json_object_object_add(result, "config", nb_config_show(rpc->config));
    return 0;
}

static const struct nb_result show_results[] = {
    {"file", "text", NULL, "the file it was read from"},
    {"config", "object", NULL, "every key with its value, as docs/configuration.md names them; itself a configuration"},
    {0},
};

const struct nb_rpc_method nb_config_methods[] = {
    {"config.show", NB_RIGHT_VIEWER, show, NULL, show_results, "The configuration in force, defaults filled in."},
    {0},
};
