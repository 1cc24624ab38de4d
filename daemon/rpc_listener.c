/* rpc_listener.c - methods about listeners: listener.list. */
#include "rpc.h"

#include <json-c/json.h>

#include "config.h"

struct listener_row {
    char local[NB_ENDPOINT_TEXT_MAX];
    const char *app, *module;
};

static const struct nb_field listener_fields[] = {
    {"local", &nb_field_text, offsetof(struct listener_row, local),
     "address and port; 0.0.0.0 is every address of ours"},
    {"app", &nb_field_string, offsetof(struct listener_row, app), "the application, by its own name"},
    {"module", &nb_field_string, offsetof(struct listener_row, module), "the module that it was loaded from"},
    {0},
};

static int list(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct json_object *listeners = json_object_new_array();
    const struct nb_config *c = rpc->config;

    (void)arg, (void)err;
    for (unsigned i = 0; i < c->n_apps; i++) {
        for (unsigned l = 0; l < c->app[i].n_listen; l++) {
            const struct nb_endpoint *e = &c->app[i].listen[l];
            struct listener_row row = {.app = c->app[i].app ? c->app[i].app->name : "", .module = c->app[i].module};
            nb_endpoint_text(e->family, &e->address, e->port, row.local);
            json_object_array_add(listeners, nb_fields_show(listener_fields, &row));
        }
    }
    json_object_object_add(result, "listeners", listeners);
    return 0;
}

static const struct nb_result listener_results[] = {
    {"listeners", "list of listeners", listener_fields, "in the configuration's order; each accepts on every worker"},
    {0},
};

const struct nb_rpc_method nb_listener_methods[] = {
    {"listener.list", NB_RIGHT_VIEWER, list, NULL, listener_results, "Where connections are accepted."},
    {0},
};
