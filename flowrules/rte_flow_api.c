/* rte_flow_api.c - the real DPDK calls, with the driver-private one looked up in the driver that is loaded.
 *
 * Flow Director statistics are an experimental export of the ixgbe driver. Drivers are plug-ins that EAL opens with
 * local scope, so the symbol is neither there at link time nor visible to a plain dlsym; the loaded object is found by
 * its file name, and a program without that driver runs all the same.
 */
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include <rte_flow.h>

#include <netbypass/backend.h>

typedef int fdir_stats_fn(uint16_t port_id, struct rte_eth_fdir_stats *stats);

static const struct {
    const char *driver, *object, *symbol;
} statistics[] = {{"net_ixgbe", "/librte_net_ixgbe.so", "rte_pmd_ixgbe_get_fdir_stats"}};

struct search {
    const char *object;
    void *handle;
};

static int open_if_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    (void)size;

    if (!info->dlpi_name || !strstr(info->dlpi_name, search->object))
        return 0;
    search->handle = dlopen(info->dlpi_name, RTLD_NOW | RTLD_NOLOAD);
    return search->handle != NULL;
}

/* EAL never unloads a driver, so the symbol stays valid after the handle is given back. */
static fdir_stats_fn *find_fdir_stats(const char *object, const char *symbol)
{
    struct search search = {object, NULL};
    void *found = dlsym(RTLD_DEFAULT, symbol);

    if (!found && dl_iterate_phdr(open_if_loaded, &search)) {
        found = dlsym(search.handle, symbol);
        dlclose(search.handle);
    }
    return (fdir_stats_fn *)found;
}

struct nb_rte_flow_api nb_rte_flow_api_real(const char *driver)
{
    struct nb_rte_flow_api api = {.create = rte_flow_create, .destroy = rte_flow_destroy, .query = rte_flow_query};

    for (size_t i = 0; i < sizeof statistics / sizeof statistics[0]; i++)
        if (!strcmp(statistics[i].driver, driver))
            api.fdir_stats = find_fdir_stats(statistics[i].object, statistics[i].symbol);
    return api;
}
