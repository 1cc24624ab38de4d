/* rpc_listener.c - methods about listeners: listener.list. */
#include "rpc.h"

#include <json-c/json.h>

#include "config.h"

struct listener_row {
    char local[NB_ENDPOINT_TEXT_MAX];
    const char *app, *module, *distribute;
    uint16_t accepting;
};

static const struct nb_field listener_fields[] = {
    {"local", &nb_field_text, offsetof(struct listener_row, local),
     "address and port; 0.0.0.0 is every address of ours"},
    {"app", &nb_field_string, offsetof(struct listener_row, app), "the application, by its own name"},
    {"module", &nb_field_string, offsetof(struct listener_row, module), "the module that it was loaded from"},
    {"distribute", &nb_field_string, offsetof(struct listener_row, distribute),
     "which worker accepts a connection: home, least_loaded, round_robin or application"},
    {"accepting", &nb_field_u16, offsetof(struct listener_row, accepting),
     "workers whose application accepts connections now; the others' are accepted by these"},
    {0},
};

static const char *const distribution_words[] = {[NB_DISTRIBUTE_HOME] = "home",
                                                 [NB_DISTRIBUTE_LEAST_LOADED] = "least_loaded",
                                                 [NB_DISTRIBUTE_ROUND_ROBIN] = "round_robin",
                                                 [NB_DISTRIBUTE_APPLICATION] = "application"};

static unsigned count_accepting(const struct nb_runtime *runtime, unsigned listener)
{
    return nb_runtime_worker_count(runtime) -
           (unsigned)__builtin_popcountll(nb_runtime_not_accepting(runtime, listener));
}

/* One of an application's listeners; the data plane numbers them all (config_runtime.c), this one is its `number`th. */
static struct json_object *show(const struct nb_rpc *rpc, const struct nb_config_app *app, const struct nb_endpoint *e,
                                unsigned number)
{
    struct listener_row row = {.app = app->app ? app->app->name : "",
                               .module = app->module,
                               .distribute = distribution_words[app->distribution],
                               .accepting = (uint16_t)count_accepting(rpc->runtime, number)};

    nb_endpoint_text(e->family, &e->address, e->port, row.local);
    return nb_fields_show(listener_fields, &row);
}

static int list(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct json_object *listeners = json_object_new_array();
    const struct nb_config *c = rpc->config;
    unsigned number = 0;

    (void)arg, (void)err;
    for (unsigned i = 0; i < c->n_apps; i++) {
        for (unsigned l = 0; l < c->app[i].n_listen; l++)
            json_object_array_add(listeners, show(rpc, &c->app[i], &c->app[i].listen[l], number++));
        number += !c->app[i].n_listen; /* one that listens nowhere has a number all the same */
    }
    json_object_object_add(result, "listeners", listeners);
    return 0;
}

static const struct nb_result listener_results[] = {
    {"listeners", "list of listeners", listener_fields, "in the configuration's order"},
    {0},
};

const struct nb_rpc_method nb_listener_methods[] = {
    {"listener.list", NB_RIGHT_VIEWER, list, NULL, listener_results, "Where connections are accepted."},
    {0},
};
