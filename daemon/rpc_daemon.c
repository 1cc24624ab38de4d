/* rpc_daemon.c - methods about netbypassd itself: version, help. */
#include "rpc.h"

#include <unistd.h>

#include <json-c/json.h>
#include <rte_version.h>

#include <netbypass/version.h>

struct version_row {
    const char *daemon, *dpdk;
    uint32_t protocol, pid;
};

static const struct nb_field version_fields[] = {
    {"daemon", &nb_field_string, offsetof(struct version_row, daemon), "release of netbypassd"},
    {"protocol", &nb_field_u32, offsetof(struct version_row, protocol), "version of this protocol"},
    {"dpdk", &nb_field_string, offsetof(struct version_row, dpdk), "DPDK that it runs on"},
    {"pid", &nb_field_u32, offsetof(struct version_row, pid), "process id of netbypassd, as it sees itself"},
    {0},
};

static int version(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    const struct version_row row = {
        .daemon = NB_VERSION, .dpdk = rte_version(), .protocol = NB_PROTOCOL_VERSION, .pid = (uint32_t)getpid()};

    (void)rpc, (void)arg, (void)err;
    json_object_object_add(result, "version", nb_fields_show(version_fields, &row));
    return 0;
}

static struct json_object *describe_params(const struct nb_param *params)
{
    struct json_object *list = json_object_new_array();

    for (const struct nb_param *p = params; p && p->name; p++) {
        struct json_object *one = json_object_new_object();
        char accepts[256];
        nb_param_accepts(p, accepts, sizeof accepts);
        json_object_object_add(one, "name", json_object_new_string(p->name));
        json_object_object_add(one, "required", json_object_new_boolean(p->required));
        json_object_object_add(one, "accepts", json_object_new_string(accepts));
        json_object_object_add(one, "help", json_object_new_string(p->help));
        json_object_array_add(list, one);
    }
    return list;
}

static int help(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct json_object *list = json_object_new_array();

    (void)rpc, (void)arg, (void)err;
    for (const struct nb_rpc_method *const *object = nb_rpc_methods; *object; object++) {
        for (const struct nb_rpc_method *m = *object; m->name; m++) {
            struct json_object *one = json_object_new_object();
            json_object_object_add(one, "name", json_object_new_string(m->name));
            json_object_object_add(one, "right", json_object_new_string(nb_right_name(m->right)));
            json_object_object_add(one, "params", describe_params(m->params));
            json_object_object_add(one, "help", json_object_new_string(m->help));
            json_object_array_add(list, one);
        }
    }
    json_object_object_add(result, "methods", list);
    return 0;
}

static const struct nb_result version_results[] = {{"version", "object", version_fields, "what answers"}, {0}};
static const struct nb_result help_results[] = {
    {"methods", "list of objects", NULL, "each with name, right, help, and params with name, required, accepts, help"},
    {0},
};

const struct nb_rpc_method nb_daemon_methods[] = {
    {"version", NB_RIGHT_VIEWER, version, NULL, version_results, "What answers, and which protocol it speaks."},
    {"help", NB_RIGHT_VIEWER, help, NULL, help_results, "Every method with its parameters."},
    {0},
};
