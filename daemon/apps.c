/* apps.c - see apps.h.
 *
 * A name without a slash is a bundled application. It lies beside the program in a build tree, in ../lib/netbypass when
 * installed; both are found from where the program itself lies, so a moved installation goes on working.
 */
#include "apps.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define PATH_ROOM 1024 /* of a module; longer ones are refused */

static const char *const bundled_folders[] = {"apps", "../lib/netbypass"};

/* The folder this program lies in. */
static bool own_folder(char out[PATH_ROOM])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_ROOM - 1);

    if (n <= 0)
        return false;
    out[n] = 0;
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
    return slash != NULL;
}

/* Where a module lies: as it was written, or among the bundled ones. */
static int find_module(const char *module, char path[PATH_ROOM], struct nb_error *err)
{
    char folder[PATH_ROOM], tried[2 * PATH_ROOM] = "";

    if (strchr(module, '/')) {
        snprintf(path, PATH_ROOM, "%s", module);
        return 0;
    }
    if (!own_folder(folder))
        return nb_error_set(err, -ENOENT, "cannot find out where this program lies: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bundled_folders / sizeof bundled_folders[0]; i++) {
        size_t used = strlen(tried);
        int n = snprintf(path, PATH_ROOM, "%s/%s/%s.so", folder, bundled_folders[i], module);
        if (n < PATH_ROOM && access(path, R_OK) == 0)
            return 0;
        snprintf(tried + used, sizeof tried - used, "%s%s", used ? " nor " : "", path);
    }
    return nb_error_set(err, -ENOENT, "no such application: neither %.400s", tried);
}

static int check_app(const struct nb_app *app, struct nb_error *err)
{
    if (!app)
        return nb_error_set(err, -ENOEXEC, "not an application: it has no symbol nb_app");
    if (app->abi != NB_APP_ABI)
        return nb_error_set(err, -ENOEXEC, "built for version %u of the application interface, this netbypassd has %u",
                            app->abi, NB_APP_ABI);
    if (!app->name || !*app->name)
        return nb_error_set(err, -ENOEXEC, "its nb_app has no name");
    return 0;
}

static int load(struct nb_config_app *app, struct nb_error *err)
{
    char path[PATH_ROOM];
    int rc = find_module(app->module, path, err);

    if (rc)
        return rc;
    app->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!app->library)
        return nb_error_set(err, -ENOEXEC, "%.400s", dlerror());
    app->app = dlsym(app->library, "nb_app");
    rc = check_app(app->app, err);
    if (!rc)
        nb_log(NB_LOG_INFO, "application %s from %s", app->app->name, path);
    return rc;
}

int nb_apps_load(struct nb_config *config, struct nb_error *err)
{
    struct nb_error why;

    for (unsigned i = 0; i < config->n_apps; i++) {
        int rc = load(&config->app[i], &why);
        if (rc) {
            nb_error_set(err, rc, "%s:%u: module: %.60s: %.400s", config->file, config->app[i].line,
                         config->app[i].module, why.text);
            nb_apps_unload(config);
            return rc;
        }
    }
    return 0;
}

void nb_apps_unload(struct nb_config *config)
{
    for (unsigned i = 0; i < config->n_apps; i++) {
        if (config->app[i].library)
            dlclose(config->app[i].library);
        config->app[i].library = NULL;
        config->app[i].app = NULL;
    }
}
